"""Media workers: one short-lived process per live test. The only package that imports aiortc and aioice.

The web process imports `pool`, `frames`, `limits` and `health` only; none of them imports aiortc, cv2 or onnxruntime.
"""
