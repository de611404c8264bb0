"""The figures of one still and of each face in it: all that is left of a picture after its analysis.

Plain values without numpy, so that the web process can carry them. x refers to the raw picture, not to the mirrored one
that the person sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from probes.estimates import finite, pair

__all__ = ["FaceFigures", "Still"]

EDGE_MARGIN: Final = 0.05
"""A face closer to the left or right edge than this share of its width is cut by it: boxes end at the edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFigures:
    """One face; None stands for a figure that could not be read."""

    x_pct: float | None = None
    y_pct: float | None = None
    width_pct: float | None = None
    height_pct: float | None = None
    """Its box in percent of the frame, as the camera gave it."""
    score: float | None = None
    """The finder's confidence, 0 to 1."""
    luma: float | None = None
    bright_luma: float | None = None
    clothes_luma: float | None = None
    background_luma: float | None = None
    ev_stops: float | None = None
    """By how many stops the background is brighter than the skin."""
    clipped_pct: float | None = None
    top_margin: float | None = None
    bottom_margin: float | None = None
    side_margin: float | None = None
    """Distance from the edges of the upright picture, in heights (widths) of the face."""
    eye_line_pct: float | None = None
    sharpness: float | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the left or right edge cuts it."""
        return self.side_margin is not None and self.side_margin < EDGE_MARGIN

    @property
    def area(self) -> float:
        """Size of its box, for comparison only; 0 if unknown."""
        size = pair(self.width_pct, self.height_pct)
        return size[0] * size[1] if size else 0.0

    @property
    def box(self) -> tuple[float, ...]:
        """Left, top, width and height in percent; shorter if any is unknown."""
        return tuple(finite((self.x_pct, self.y_pct, self.width_pct, self.height_pct)))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FaceFigures:
        """Read back what `to_json` wrote; whatever is no finite number becomes None."""
        return cls(**{name: _number(data.get(name)) for name in _FACE_FIGURES})

    def to_json(self) -> dict[str, float | None]:
        """Return a plain dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One still; None stands for a figure that could not be read."""

    t_ms: float | None = None
    """When it was taken, ms by the page's clock."""
    width_px: float | None = None
    height_px: float | None = None
    luma_mean: float | None = None
    luma_p1: float | None = None
    luma_p5: float | None = None
    luma_p50: float | None = None
    luma_p95: float | None = None
    luma_p99: float | None = None
    luma_p999: float | None = None
    luma_std: float | None = None
    luma_range: float | None = None
    frame_clipped_pct: float | None = None
    luma_left: float | None = None
    luma_right: float | None = None
    covered_pct: float | None = None
    """Share of it that is covered from one side."""
    covered_side: str = ""
    """``top``, ``bottom``, ``left`` or ``right``; empty if nothing is covered."""
    bands_pct: float | None = None
    """Share of the light that light bands take."""
    bands_alike_pct: float | None = None
    """How certain it is that they are bands."""
    noise_sigma: float | None = None
    diff_luma: float | None = None
    """Mean luma change per pixel since the previous still; None if they cannot be compared."""
    rotation_deg: float | None = None
    """Clockwise rotation that makes its faces upright, degrees."""
    faces: tuple[FaceFigures, ...] = ()

    @property
    def main_face(self) -> FaceFigures:
        """The largest face, preferably one that no edge cuts. Raises ValueError if there is none."""
        return max([face for face in self.faces if not face.is_cut] or self.faces, key=_area)

    def expected_faces(self, expected: int) -> Sequence[FaceFigures]:
        """Return the faces that matter: the main one, or as many of the largest as people are expected."""
        if expected > 1:
            return sorted(self.faces, key=_area, reverse=True)[:expected]
        return [self.main_face]

    def with_faces(self, faces: Sequence[FaceFigures]) -> Still:
        """Return the still with other faces."""
        return replace(self, faces=tuple(faces))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Still:
        """Read back what `to_json` wrote; whatever is no finite number becomes None, and no face is left out."""
        faces = data.get("faces")
        rows = [face for face in faces if isinstance(face, Mapping)] if isinstance(faces, (list, tuple)) else []
        side = data.get("covered_side")
        return cls(
            **{name: _number(data.get(name)) for name in _STILL_FIGURES},
            covered_side=side if isinstance(side, str) else "",
            faces=tuple(FaceFigures.from_json(face) for face in rows),
        )

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        return asdict(self)


_FACE_FIGURES: Final = tuple(field.name for field in fields(FaceFigures))
_STILL_FIGURES: Final = tuple(field.name for field in fields(Still) if field.name not in {"covered_side", "faces"})


def _area(face: FaceFigures) -> float:
    return face.area


def _number(value: object) -> float | None:
    numbers = finite((value,))
    return numbers[0] if numbers else None
