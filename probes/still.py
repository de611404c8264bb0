"""Stills as the page sends them, untrusted: a JPEG of limited bytes, sides and scans, decoded to a BGR picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["decode_still"]

MAX_STILL_BYTES: Final = 64_000
"""The page aims at 40 kB, at 60 for several people; more is not a still of ours."""
MAX_STILL_PX: Final = 1280
MIN_STILL_PX: Final = 64
"""Longest and shortest side of a still that is looked at; the page sends 640 on the long one, or 1280."""
MAX_SCANS: Final = 16
"""Progressive JPEG scans allowed; libjpeg's own script uses 10, and each costs a pass over the picture."""
_MARKER: Final = 0xFF
_START_OF_SCAN: Final = 0xDA
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers (ITU-T T.81, table B.1): what begins each segment, the picture's data, and the headers with its size."""


def decode_still(jpeg: bytes) -> NDArray[np.uint8]:
    """Return the BGR picture in `jpeg`.

    Raises ValueError for anything that is not a whole JPEG of at most 64 000 bytes and 64 to 1280 px a side. The size
    is read from the header before a pixel is decoded, so a small file cannot ask for a large picture.
    """
    if len(jpeg) > MAX_STILL_BYTES:
        raise ValueError("still is too large")
    if not jpeg.startswith(b"\xff\xd8\xff") or not jpeg.endswith(b"\xff\xd9"):
        raise ValueError("still is not a whole JPEG")
    if jpeg.count(b"\xff\xda") > MAX_SCANS:
        raise ValueError("still has too many scans")
    width, height = _jpeg_size(jpeg)
    if max(width, height) > MAX_STILL_PX or min(width, height) < MIN_STILL_PX:
        raise ValueError("still has an unsuitable size")
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process
    import numpy as np  # noqa: PLC0415 - lazy: never to be loaded by the web process

    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        picture = None
    if picture is None or picture.shape != (height, width, 3):
        raise ValueError("still cannot be decoded")
    return np.asarray(picture, dtype=np.uint8)


def _jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Return width and height from the frame header (ITU-T T.81, B.2.2). Raises ValueError where there is none."""
    position = 2
    while position + 9 <= len(jpeg) and jpeg[position] == _MARKER:
        marker = jpeg[position + 1]
        if marker == _MARKER:
            position += 1
            continue
        if marker in _FRAME_HEADERS:
            height = int.from_bytes(jpeg[position + 5 : position + 7], "big")
            return int.from_bytes(jpeg[position + 7 : position + 9], "big"), height
        if marker == _START_OF_SCAN:
            break
        position += 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
    raise ValueError("still has no frame header")
