"""Camera: computes the figures of a still picture. Needs cv2, so it belongs in a media worker.

Stills stay in memory only while they are analysed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from probes.stills import FaceFigures, Still

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from probes.faces import Face, FaceFinder

__all__ = ["PictureAnalyser", "decode_still", "face_rows"]

MAX_STILL_BYTES: Final = 64_000
"""The page aims at 40 kB, at 60 for several people; anything larger did not come from it."""
MAX_STILL_PX: Final = 1280
MIN_STILL_PX: Final = 64
"""Longest and shortest side of an accepted still; the page sends 640 px on the long side, or 1280."""
MAX_SCANS: Final = 16
"""Most progressive JPEG scans; libjpeg's own script uses 10, and each costs a pass over the picture."""
_MARKER: Final = 0xFF
_START_OF_SCAN: Final = 0xDA
_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers (ITU-T T.81, table B.1): start of a segment, start of the picture's data, headers with its size."""


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
    """Return width and height from the frame header (ITU-T T.81, B.2.2). Raises ValueError if there is none."""
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


class PictureAnalyser:
    """Analyses each still; remembers the luma and the rows' light of the previous one."""

    def __init__(self, finder: FaceFinder) -> None:
        from probes.banding import BandLook  # noqa: PLC0415 - loads numpy
        from probes.face_search import FaceLook  # noqa: PLC0415 - loads numpy

        self._bands = BandLook()
        self._look = FaceLook(finder)
        self._before: NDArray[np.uint8] | None = None

    def numbers(self, bgr: NDArray[np.uint8], t_ms: float) -> Still:
        """Return the figures of the still that was taken at `t_ms`."""
        import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process
        import numpy as np  # noqa: PLC0415 - lazy: never to be loaded by the web process

        from probes.cover import lens_cover  # noqa: PLC0415 - loads numpy
        from probes.face_search import place_before_turn, turned  # noqa: PLC0415 - loads numpy
        from probes.light import frame_light, noise_sigma  # noqa: PLC0415 - loads numpy

        luma = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        height, width = luma.shape
        faces = self._look.find(bgr)
        rotation_deg = self._look.rotation_deg
        upright, red = turned(luma, rotation_deg), turned(np.asarray(bgr[:, :, 2], np.uint8), rotation_deg)
        largest = place_before_turn(faces[0], rotation_deg, width, height) if faces else None
        bands = self._bands.numbers(luma, largest, upright=rotation_deg == 0)
        whole = {**frame_light(luma), **lens_cover(bgr, largest), **bands}
        own = {"t_ms": t_ms, "width_px": width, "height_px": height, "rotation_deg": rotation_deg}
        found = Still.from_json({**own, **whole, "noise_sigma": noise_sigma(luma), "diff_luma": self._change(luma)})
        return found.with_faces([_face_numbers(upright, red, face, rotation_deg) for face in faces])

    def _change(self, luma: NDArray[np.uint8]) -> float | None:
        """Return the mean luma change since the previous still; None for the first and after the phone turned."""
        from probes.light import luma_change  # noqa: PLC0415 - loads numpy

        before, self._before = self._before, luma
        return luma_change(before, luma)


def face_rows(bgr: NDArray[np.uint8], faces: Sequence[Face]) -> list[FaceFigures]:
    """Return the figures of `faces` from any finder, without those that are too small."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process
    import numpy as np  # noqa: PLC0415 - lazy: never to be loaded by the web process

    from probes.face_search import MIN_FACE_PX  # noqa: PLC0415 - loads numpy

    luma = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    red = np.asarray(bgr[:, :, 2], dtype=np.uint8)
    return [_face_numbers(luma, red, face) for face in faces if face.height >= MIN_FACE_PX]


def _face_numbers(luma: NDArray[np.uint8], red: NDArray[np.uint8], face: Face, rotation_deg: int = 0) -> FaceFigures:
    """Return the figures of a face in a picture that was rotated upright, with its position before the rotation."""
    from probes.face_search import place_before_turn  # noqa: PLC0415 - loads numpy
    from probes.light import face_light, red_clipped_pct  # noqa: PLC0415 - loads numpy
    from probes.sharpness import face_sharpness  # noqa: PLC0415 - loads numpy

    height, width = luma.shape
    eye_y = (face.landmarks[0][1] + face.landmarks[1][1]) / 2
    seen = (height, width) if rotation_deg % 180 else (width, height)
    x, y, across, down = place_before_turn(face, rotation_deg, *seen)
    return FaceFigures(
        x_pct=100.0 * x / seen[0],
        y_pct=100.0 * y / seen[1],
        width_pct=100.0 * across / seen[0],
        height_pct=100.0 * down / seen[1],
        score=face.score,
        **face_light(luma, face),
        red_clipped_pct=red_clipped_pct(red, face),
        top_margin=face.y / face.height,
        eye_line_pct=100.0 * eye_y / height,
        bottom_margin=(height - face.y - face.height) / face.height,
        side_margin=min(face.x, width - face.x - face.width) / face.width,
        sharpness=face_sharpness(luma, face),
    )
