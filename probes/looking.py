"""Looking for faces more than once: twice as large when people are missing, turned when nobody is surely there.

The second look costs four times the first, so it is taken only where more people are expected than were seen; the
turned ones only now and then. Both use the same small model: a picture drawn twice as large finds the faces of 20 to
24 px that the first look loses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from probes.faces import Face

if TYPE_CHECKING:
    from probes.faces import FaceFinder

__all__ = ["FaceLook"]

MIN_FACE_PX: Final = 12.0
"""Least height of a face that counts as a person; smaller boxes are mostly pictures on the wall."""
ENLARGED: Final = 2
MAX_ENLARGED_PX: Final = 1280 * 720
"""Largest picture that is enlarged, in pixels: a hostile still must not cost four times the most."""
SURE_SCORE: Final = 0.9
"""From this score on a face stands upright: faces upside down or lying were found too, but with 0.89 at most."""
CUT_MARGIN: Final = 0.05
"""A face nearer to an edge than this share of its height is cut by it: boxes end at the edge."""
TURN_EVERY: Final = 4
"""One in so many pictures without a sure face is also looked at turned: two seconds at two a second."""
MIN_TURNED_HEIGHT: Final = 0.12
"""Least height of the largest face in a turned picture, share of its longer side: small ones are mostly chance."""

Picture = NDArray[np.uint8]


class FaceLook:
    """Faces of one picture after the other. Remembers only how the last picture without a sure face was turned."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._unsure = 0
        self.rotation_deg = 0
        """How far clockwise the picture has to be turned to stand upright; 0 also where nobody was found at all."""

    def find(self, bgr: Picture, expected_people: int = 1) -> list[Face]:
        """Return the faces, the largest first; none of a picture that is known to be turned."""
        faces = self._seen(bgr)
        if len(faces) < expected_people and expected_people > 1 and bgr.shape[0] * bgr.shape[1] <= MAX_ENLARGED_PX:
            faces = max(faces, self._enlarged(bgr), key=len)
        if any(face.score >= SURE_SCORE or _is_cut(face, bgr) for face in faces):
            self._unsure = self.rotation_deg = 0
            return faces
        if self._unsure % TURN_EVERY == 0:
            self.rotation_deg = self._turned(bgr, faces)
        self._unsure += 1
        return [] if self.rotation_deg else faces

    def _seen(self, bgr: Picture) -> list[Face]:
        return [face for face in self._finder.find(bgr) if face.height >= MIN_FACE_PX]

    def _enlarged(self, bgr: Picture) -> list[Face]:
        import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

        large = cv2.resize(bgr, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
        found = self._finder.find(np.asarray(large, dtype=np.uint8))
        return [small for face in found if (small := _shrunk(face)).height >= MIN_FACE_PX]

    def _turned(self, bgr: Picture, faces: list[Face]) -> int:
        """Return the turn, degrees clockwise, in which the faces are seen best; 0 is upright."""
        least = MIN_TURNED_HEIGHT * max(bgr.shape[:2])
        sureness = {0: _sureness(faces, least, bgr)}
        for turns in (1, 2, 3):
            turned = np.ascontiguousarray(np.rot90(bgr, -turns))
            sureness[90 * turns] = _sureness(self._finder.find(turned), least, turned)
        return max(sureness, key=lambda angle: sureness[angle])


def _sureness(faces: list[Face], least_px: float, bgr: Picture) -> float:
    return sum(face.score - 0.5 for face in faces if face.height >= least_px and not _is_cut(face, bgr))


def _is_cut(face: Face, bgr: Picture) -> bool:
    """Whether an edge of the picture cuts the face; what is left of it may look like a face turned upside down."""
    height, width = bgr.shape[:2]
    room = CUT_MARGIN * face.height
    beyond = (face.x, face.y, width - face.x - face.width, height - face.y - face.height)
    return bool(min(beyond) < room)


def _shrunk(face: Face) -> Face:
    marks = tuple((x / ENLARGED, y / ENLARGED) for x, y in face.landmarks)
    x, y, width, height = (side / ENLARGED for side in (face.x, face.y, face.width, face.height))
    return Face(x, y, width, height, face.score, marks)
