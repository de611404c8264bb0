"""Looking for faces in a picture, and turned by 90, 180 and 270 degrees now and then when nobody is surely there.

The surer but heavier detector that looks again when people are missing is `second_look`, and runs elsewhere.
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

    def find(self, bgr: Picture) -> list[Face]:
        """Return the faces, the largest first; none of a picture that is known to be turned."""
        faces = self._seen(bgr)
        if any(face.score >= SURE_SCORE or _is_cut(face, bgr) for face in faces):
            self._unsure = self.rotation_deg = 0
            return faces
        if self._unsure % TURN_EVERY == 0:
            self.rotation_deg = self._turned(bgr, faces)
        self._unsure += 1
        return [] if self.rotation_deg else faces

    def _seen(self, bgr: Picture) -> list[Face]:
        return [face for face in self._finder.find(bgr) if face.height >= MIN_FACE_PX]

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
