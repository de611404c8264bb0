"""Face search: in the picture as it is and, when no face is certain, now and then in the picture rotated.

When people are missing, the better but heavier detector, `centerface`, looks again in another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from probes.faces import Face

if TYPE_CHECKING:
    from probes.faces import FaceFinder

__all__ = ["MIN_FACE_PX", "FaceLook", "place_before_turn", "turned"]

MIN_FACE_PX: Final = 12.0
"""Least height of a face that counts as a person; smaller faces are mostly pictures on the wall."""
SURE_SCORE: Final = 0.9
"""Score from which a face is certainly upright: upside-down and sideways faces scored 0.89 at most."""
CUT_MARGIN: Final = 0.05
"""A face closer to an edge than this share of its height is cut by it: boxes end at the edge."""
TURN_EVERY: Final = 4
"""One in this many pictures without a certain face is also searched rotated: every 2 s at two a second."""
MIN_TURNED_HEIGHT: Final = 0.12
"""Least height of the largest face in a rotated picture, share of its longer side: smaller ones are mostly chance."""

TILT_MARGIN: Final = 0.05
"""How much more certain faces must be in a quarter turn than upright: a head tilted by 20 to 45 degrees looks nearly
the same both ways. Chosen on every second face we have: of heads tilted by 30 degrees, 4 % instead of 12 are taken for
turned, and 96 of 100 cameras on their side are still noticed.
"""

LEAN_DEG: Final = 45.0
"""Rotations to either side, tried when nobody is seen upright or in quarter turns: for a tilted head."""
LEAN_SCORE: Final = 0.75
"""Least score of a face found that way: two more searches are two more chances for a pattern on the wall."""

Picture = NDArray[np.uint8]


class FaceLook:
    """Finds the faces in each picture. Remembers only the rotation of the last picture without a certain face."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._unsure = 0
        self._lean_deg = 0.0
        self.rotation_deg = 0
        """Clockwise rotation that makes the faces upright; 0 if there are none."""

    def find(self, bgr: Picture) -> list[Face]:
        """Return the faces, the largest first, in coordinates of the picture rotated by `rotation_deg`."""
        faces = self._seen(bgr)
        if any(face.score >= SURE_SCORE or _is_cut(face, bgr) for face in faces):
            self._unsure = self.rotation_deg = 0
            self._lean_deg = 0.0
            return faces
        looks_turned = self._unsure % TURN_EVERY == 0
        self._unsure += 1
        if looks_turned:
            return self._best_turn(bgr, faces)
        if self.rotation_deg and (still_turned := self._seen(turned(bgr, self.rotation_deg))):
            return still_turned
        self.rotation_deg = 0
        return faces or self._leaning(bgr, (self._lean_deg,) if self._lean_deg else ())

    def _seen(self, bgr: Picture) -> list[Face]:
        return [face for face in self._finder.find(bgr) if face.height >= MIN_FACE_PX]

    def _best_turn(self, bgr: Picture, upright: list[Face]) -> list[Face]:
        """Set the rotation with the most certain faces, and return those faces."""
        least = MIN_TURNED_HEIGHT * max(bgr.shape[:2])
        found = {0: upright}
        sureness = {0: _sureness(upright, least, bgr)}
        for angle in (90, 180, 270):
            picture = turned(bgr, angle)
            found[angle] = self._seen(picture)
            sideways = angle != 180 and bool(upright)  # noqa: PLR2004 - degrees
            sureness[angle] = _sureness(found[angle], least, picture) - (TILT_MARGIN if sideways else 0.0)
        self.rotation_deg = max(sureness, key=lambda angle: sureness[angle])
        return found[self.rotation_deg] or self._leaning(bgr, (-LEAN_DEG, LEAN_DEG))

    def _leaning(self, bgr: Picture, leans_deg: Sequence[float]) -> list[Face]:
        """Return the faces of tilted heads, in coordinates of the original picture; remember the side."""
        least = MIN_TURNED_HEIGHT * max(bgr.shape[:2])
        for lean_deg in leans_deg:
            picture, back = _leaned(bgr, lean_deg)
            faces = [one for one in self._seen(picture) if one.score >= LEAN_SCORE and one.height >= least]
            if faces:
                self._lean_deg = lean_deg
                return [_placed_back(one, back) for one in faces]
        self._lean_deg = 0.0
        return []


def _leaned(bgr: Picture, clockwise_deg: float) -> tuple[Picture, NDArray[np.float64]]:
    """Return the picture rotated about its centre on a larger black one, and the inverse matrix (2 x 3)."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    height, width = bgr.shape[:2]
    side = int(np.hypot(height, width))
    move = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), -clockwise_deg, 1.0), np.float64)
    move[:, 2] += (side - width) / 2, (side - height) / 2
    back = np.asarray(cv2.invertAffineTransform(move), np.float64)
    return np.asarray(cv2.warpAffine(bgr, move, (side, side)), np.uint8), back


def _placed_back(face: Face, back: NDArray[np.float64]) -> Face:
    """Return a face of a rotated picture in coordinates of the original, with an upright box of the same size."""
    points = [(face.x + face.width / 2, face.y + face.height / 2), *face.landmarks]
    (x, y), *marks = [tuple(float(one) for one in back @ (*point, 1.0)) for point in points]
    return replace(
        face, x=x - face.width / 2, y=y - face.height / 2, landmarks=tuple((mark[0], mark[1]) for mark in marks)
    )


def turned(picture: Picture, clockwise_deg: int) -> Picture:
    """Return the picture rotated by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(picture, -(clockwise_deg // 90))) if clockwise_deg else picture


def place_before_turn(face: Face, clockwise_deg: int, width: int, height: int) -> tuple[float, float, float, float]:
    """Return x, y, width and height, px, of a rotated picture's `face` in the original, `width` x `height` px."""
    x, y, across, down = face.x, face.y, face.width, face.height
    if clockwise_deg == 90:  # noqa: PLR2004 - degrees
        return y, height - x - across, down, across
    if clockwise_deg == 180:  # noqa: PLR2004 - degrees
        return width - x - across, height - y - down, across, down
    if clockwise_deg == 270:  # noqa: PLR2004 - degrees
        return width - y - down, x, down, across
    return x, y, across, down


def _sureness(faces: list[Face], least_px: float, bgr: Picture) -> float:
    return sum(face.score - 0.5 for face in faces if face.height >= least_px and not _is_cut(face, bgr))


def _is_cut(face: Face, bgr: Picture) -> bool:
    """Whether an edge of the picture cuts the face; the rest may look like an upside-down face."""
    height, width = bgr.shape[:2]
    room = CUT_MARGIN * face.height
    beyond = (face.x, face.y, width - face.x - face.width, height - face.y - face.height)
    return bool(min(beyond) < room)
