"""Face search: in a picture, and now and then in one turned aside, when no face is certain.

The surer but heavier detector that looks again when people are missing is `centerface`, and runs elsewhere.
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
"""Least height of a face that counts as a person; smaller boxes are mostly pictures on the wall."""
SURE_SCORE: Final = 0.9
"""From this score on a face stands upright: faces upside down or lying were found too, but with 0.89 at most."""
CUT_MARGIN: Final = 0.05
"""A face nearer to an edge than this share of its height is cut by it: boxes end at the edge."""
TURN_EVERY: Final = 4
"""One in so many pictures without a sure face is also looked at turned: two seconds at two a second."""
MIN_TURNED_HEIGHT: Final = 0.12
"""Least height of the largest face in a turned picture, share of its longer side: small ones are mostly chance."""

TILT_MARGIN: Final = 0.05
"""How much more surely faces have to be seen in a quarter turn than upright: a head tilted by 20 to 45 degrees looks
nearly the same both ways. Chosen on every second face we have: of heads tilted by 30 degrees 4 % are taken for turned
instead of 12, and 96 of 100 cameras on their side are still noticed.
"""

LEAN_DEG: Final = 45.0
"""How far the picture is turned to either side where nobody is seen upright or in quarter turns: a head laid aside."""
LEAN_SCORE: Final = 0.75
"""Least score of a face seen that way; two more looks are two more chances for a pattern on the wall."""

Picture = NDArray[np.uint8]


class FaceLook:
    """Faces of one picture after the other. Remembers only how the last picture without a sure face was turned."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._unsure = 0
        self._lean_deg = 0.0
        self.rotation_deg = 0
        """How far clockwise the picture has to be turned for its faces to stand upright; 0 also without any."""

    def find(self, bgr: Picture) -> list[Face]:
        """Return the faces, the largest first, at their places in the picture turned upright by `rotation_deg`."""
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
        """Set the turn in which the faces are seen best, and return the faces that are seen then."""
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
        """Return the faces of heads laid aside, at their places in the picture as it is; and remember to which side."""
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
    """Return the picture turned about its middle on a larger black one, and the matrix that leads back (2 x 3)."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    height, width = bgr.shape[:2]
    side = int(np.hypot(height, width))
    move = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), -clockwise_deg, 1.0), np.float64)
    move[:, 2] += (side - width) / 2, (side - height) / 2
    back = np.asarray(cv2.invertAffineTransform(move), np.float64)
    return np.asarray(cv2.warpAffine(bgr, move, (side, side)), np.uint8), back


def _placed_back(face: Face, back: NDArray[np.float64]) -> Face:
    """Return the face of a leaned picture where it is in the one before, its box upright and of the same size."""
    points = [(face.x + face.width / 2, face.y + face.height / 2), *face.landmarks]
    (x, y), *marks = [tuple(float(one) for one in back @ (*point, 1.0)) for point in points]
    return replace(
        face, x=x - face.width / 2, y=y - face.height / 2, landmarks=tuple((mark[0], mark[1]) for mark in marks)
    )


def turned(picture: Picture, clockwise_deg: int) -> Picture:
    """Return the picture turned by 0, 90, 180 or 270 degrees."""
    return np.ascontiguousarray(np.rot90(picture, -(clockwise_deg // 90))) if clockwise_deg else picture


def place_before_turn(face: Face, clockwise_deg: int, width: int, height: int) -> tuple[float, float, float, float]:
    """Return x, y, width and height in px that `face` of a turned picture has in the one before, of this size."""
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
    """Whether an edge of the picture cuts the face; what is left of it may look like a face turned upside down."""
    height, width = bgr.shape[:2]
    room = CUT_MARGIN * face.height
    beyond = (face.x, face.y, width - face.x - face.width, height - face.y - face.height)
    return bool(min(beyond) < room)
