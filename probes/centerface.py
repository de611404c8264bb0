"""The second look for faces: CenterFace (MIT, `models/README.md`), for the few pictures where YuNet misses people.

Ten times slower, but better with masks, dim light and the 20 px faces of a whole room. Takes 0.1 s of a core and 100
MB, so it runs in the shared helper process, never in a test's own worker. Has the interface of `faces.FaceFinder`.
Method: Xu, Yan, Yang and Luo, "CenterFace: joint face detection and alignment using face as point" (2019).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from probes.faces import MAX_CANDIDATES, Face, Picture, face_of, without_overlaps

__all__ = ["MODEL", "SecondFinder"]

MODEL: Final = Path(__file__).with_name("models") / "centerface_dynamic.onnx"
MIN_SCORE: Final = 0.45
"""Least score of a face. From 0.35 on there is 1 false box on 71 face-free pictures; 24 px faces are still found."""
STRIDE: Final = 4
"""Pixels of the picture per cell of the output."""
PADDED_TO_PX: Final = 32


class SecondFinder:
    """Holds one model session. Not for use from two threads."""

    def __init__(self, threads: int = 1) -> None:
        import onnxruntime  # noqa: PLC0415 - lazy: never to be loaded by the web process

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def find(self, bgr: Picture) -> list[Face]:
        """Return the faces of a BGR picture, the largest first. Raises ValueError unless it is height x width x 3."""
        if bgr.shape[2:] != (3,) or 0 in bgr.shape:
            raise ValueError("picture must be height x width x 3")
        found: list[Any] = self._session.run(None, {self._input: _padded(bgr)})
        heat, sizes, offsets, marks = (output[0] for output in found)
        rows = _rows(heat[0], sizes, offsets, marks)
        faces = [face_of(row) for row in without_overlaps(rows)]
        return sorted(faces, key=lambda face: face.width * face.height, reverse=True)


def _padded(bgr: Picture) -> NDArray[np.float32]:
    """Return the picture as 1 x 3 x H x W floats, red first, padded with black to a multiple of 32 px."""
    height, width = bgr.shape[:2]
    rows, columns = (-(-side // PADDED_TO_PX) * PADDED_TO_PX for side in (height, width))
    padded = np.zeros((1, 3, rows, columns), np.float32)
    padded[0, :, :height, :width] = bgr[:, :, ::-1].transpose(2, 0, 1)
    return padded


def _rows(
    heat: NDArray[np.float32], sizes: NDArray[np.float32], offsets: NDArray[np.float32], marks: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return rows of x, y, width, height, score and ten landmark numbers, in px, for cells with a face.

    Sizes are logarithms of cells, offsets shares of a cell; landmarks are in face sizes from the box's upper left
    corner. In all of them the vertical number comes first.
    """
    down, across = np.nonzero(heat >= MIN_SCORE)
    best = np.argsort(-heat[down, across], kind="stable")[:MAX_CANDIDATES]
    down, across = down[best], across[best]
    high, wide = (np.exp(np.clip(part[down, across], -10, 10)) * STRIDE for part in sizes)
    top = (down + offsets[0][down, across] + 0.5) * STRIDE - high / 2
    left = (across + offsets[1][down, across] + 0.5) * STRIDE - wide / 2
    points = marks[:, down, across].reshape(5, 2, -1)
    placed = [axis for point in points for axis in (left + point[1] * wide, top + point[0] * high)]
    return np.stack([left, top, wide, high, heat[down, across], *placed], axis=1).astype(np.float32)
