"""The devices of a room's own PC: thin layers over PortAudio, OpenCV and psutil.

Each is called in a child process of its own, because drivers hang. Libraries are loaded when a device is used.
"""
