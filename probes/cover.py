"""Partly covered lens: a finger, a case, tape or a half-closed slider hides one side of the picture.

A cover on the lens is out of focus: it shows no detail, is black or, when light shines through a finger, evenly red;
it starts along one whole side and ends along one smooth line. A black curtain, dark clothes or night behind a face
differ: their outline follows the person, higher at the neck than at the shoulders, or they reach the opposite side. In
a dark room with somebody lit by a screen what lies beside them, beyond that outline, is as black.
Equal bars on two opposite sides are not a cover: a virtual camera or a turned phone adds them, and they hide nothing.
Method and limits are our own (`readiness/docs/sight.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from probes.banding import Box
    from probes.light import Luma

__all__ = ["lens_cover"]

CELLS: Final = (48, 32)
"""Cells inwards from the side and along it; each averages noise away."""
SHRINK: Final = 4
"""Factor of the first downscaling step; a whole number is fastest."""
BLACK_LUMA: Final = 34.0
"""Highest luma of a black cover; black cloth in a well-exposed picture is seldom darker."""
EVEN_LUMA: Final = 7.0
"""Largest spread (5th to 95th percentile) of the border cells of a black cover."""
RISE_LUMA: Final = 8.0
"""A cell this much brighter than the border is no longer black."""
RED_SHARE: Final = 1.9
"""Red over the larger of green and blue, of light through a finger; skin in a picture has 1.2 to 1.6."""
GREEN_SHARE: Final = 0.5
"""Least blue over green of such light; yellow and orange walls have less."""
RED_LUMA: Final = 40.0
"""Least red of such light; below it the cover is black."""
RED_CHANGE: Final = 0.3
"""Total change of the three colours, as a share of the red, from which a cell is no longer finger."""
RED_EVEN: Final = 0.35
"""Largest spread of red along the border of a finger, share of its median."""
ON_LINE: Final = 0.6
"""Least share of the lines that end on the cover's smooth edge; others may continue over something dark."""
BEFORE_LINE: Final = 0.1
"""Largest share of the lines that may end before that edge, as they do for a person before a black wall."""
DEPTHS: Final = (0.08, 0.92)
"""Range, as shares of the way across, in which a line's end can be the edge of a cover."""
SMOOTH: Final = 0.06
"""Largest distance of a line's end from the smooth edge, share of the way across."""
BEND: Final = 0.3
"""Largest difference along that edge, share of the way across: a tilted tape, a round finger."""
BRIGHTER_LUMA: Final = 35.0
BRIGHTER_PCT: Final = 90
"""The uncovered part's brightest tenth exceeds a black cover's luma by at least this."""
RED_BEYOND: Final = 0.5
"""Largest share of the uncovered part that may have the red of a finger."""
CLOTHES: Final = 0.2
"""Least depth of a cover from below, because dark clothes fill the lower border too."""
SHOULDERS: Final = 0.04
"""How much further a black edge from below may reach in the middle than at its ends, share of the way across: 18 of 20
black clothes that were taken for covers reach 0.04 to 0.22 further, and 3 of 48 real ones (16 people of "tune")."""

BESIDE: Final = 3
"""Outermost lines at either end of the edge, which show what lies beside a person."""
NEAR: Final = 3
"""One in this many of the cells beyond the edge, those next to it, are asked."""
SAME_LUMA: Final = 4.0
"""Such a cell is as black as the border if it differs from it by less: it is the same dark room."""
DARK_BESIDE: Final = 0.45
"""Share of them from which the room is dark, and what seems a cover's edge is the outline of somebody in little light:
of 41 people of "tune" all such pictures have more but those of one, who has a lit sofa beside him, and of 178
covers that were told 1 has."""

_Cells = NDArray[np.float32]
SIDES: Final = ("top", "bottom", "left", "right")


def lens_cover(bgr: Luma, face: Box | None = None) -> dict[str, float | str]:
    """Return covered_pct, the share of a BGR picture covered from one side (0 for none), and covered_side.

    `face` is the largest face that is seen, px: where it lies beyond the edge, a dark room is told from a cover.
    """
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    small = cv2.resize(bgr, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    upright, lying = (
        cv2.resize(small, size, interpolation=cv2.INTER_AREA).astype(np.float32) for size in (CELLS[::-1], CELLS)
    )
    lying = lying.swapaxes(0, 1)
    inwards = (upright, upright[::-1], lying, lying[::-1])
    begins = _face_begins(face, bgr.shape)
    depths = {side: _depth(cells, begin, side) for side, cells, begin in zip(SIDES, inwards, begins, strict=True)}
    for one, other in (("top", "bottom"), ("left", "right")):
        if depths[one] and depths[other]:
            depths[one] = depths[other] = 0.0
    if _is_black(lying) and _is_black(lying[::-1]):
        depths["left"] = depths["right"] = 0.0
    if depths["bottom"] < CLOTHES:
        depths["bottom"] = 0.0
    worst = max(SIDES, key=lambda side: depths[side])
    return {"covered_pct": 100.0 * depths[worst], "covered_side": worst if depths[worst] else ""}


def _face_begins(face: Box | None, shape: tuple[int, ...]) -> Sequence[float]:
    """Return where a face begins from each of `SIDES`, share of the way to the other; -1 without a face."""
    if face is None:
        return [-1.0] * len(SIDES)
    x, y, width, height = face
    return y / shape[0], 1 - (y + height) / shape[0], x / shape[1], 1 - (x + width) / shape[1]


def _is_black(cells: _Cells) -> bool:
    """Return whether the border is as dark and as even as a black cover."""
    border = np.sort(_luma(cells[:2]), axis=None)
    low, base, high = (float(border[int(share * len(border))]) for share in (0.05, 0.5, 0.95))
    return base < BLACK_LUMA and high - low < EVEN_LUMA


def _luma(cells: _Cells) -> _Cells:
    return np.asarray(cells @ np.array([0.114, 0.587, 0.299], np.float32), np.float32)


def _depth(cells: _Cells, face_begins: float, side: str) -> float:
    """Return how far a cover reaches inwards from the first row of cells, share of the way; 0 if there is none."""
    border = cells[:2].reshape(-1, 3)
    blue, green, red = (float(one) for one in border.mean(axis=0))
    black = _is_black(cells)
    if not black and not _is_skin_light(blue, green, red):
        return 0.0
    luma = _luma(cells)
    base = float(np.median(luma[:2]))
    if black:
        blank = luma < base + RISE_LUMA
    elif float(np.ptp(np.percentile(border[:, 2], (5, 95)))) < RED_EVEN * red:
        blank = np.abs(cells - np.array([blue, green, red], np.float32)).sum(axis=2) < RED_CHANGE * red
    else:
        return 0.0
    rows = cells.shape[0]
    ends = np.where(blank.all(axis=0), rows, np.argmin(blank, axis=0)) / rows
    bottom, across = side == "bottom", side in {"top", "bottom"}
    depth, least = _smooth_edge(ends, BEND * 0.75 if bottom else BEND, SHOULDERS if bottom and black else BEND)
    if not depth:
        return 0.0
    next_to_it = np.abs(luma[int(np.ceil((depth + SMOOTH) * rows)) :] - base) < SAME_LUMA
    if black and face_begins > least - SMOOTH and _is_dark_room(next_to_it, across=across):
        return 0.0
    beyond = slice(int(np.ceil(depth * rows)), None)
    shows = _is_brighter(luma[beyond], base) if black else _is_no_finger(cells[beyond])
    return depth if shows else 0.0


def _is_brighter(beyond: _Cells, base: float) -> bool:
    """Return whether there is a picture beyond a black cover; plain darkness has nothing brighter in it."""
    return bool(beyond.size) and float(np.percentile(beyond, BRIGHTER_PCT)) > base + BRIGHTER_LUMA


def _is_dark_room(same: NDArray[np.bool_], *, across: bool) -> bool:
    """Return whether what lies next to a black edge is as black beside the person.

    That is at both ends of the edge, or at the upper one where the edge is upright: the body is at its lower end.
    """
    near = same[: -(-len(same) // NEAR)]
    ends = (near[:, :BESIDE], near[:, -BESIDE:]) if across else (near[:, :BESIDE],)
    return bool(near.size) and min(float(end.mean()) for end in ends) > DARK_BESIDE


def _is_no_finger(beyond: _Cells) -> bool:
    """Return whether the part beyond a lit finger mostly has another colour, however dark it is."""
    return bool(beyond.size) and float(np.mean(_is_skin_light(*np.moveaxis(beyond, -1, 0)))) < RED_BEYOND


def _smooth_edge(ends: NDArray[np.float64], bend: float, hump: float) -> tuple[float, float]:
    """Return the mean and the least depth of the ends if they lie on a smooth edge, as a cover's do, else 0 and 0.

    The edge may differ along its way by `bend`, and its middle may be deeper than its ends by `hump`. Something dark
    behind the edge moves an end further in; no end may lie before the edge.
    """
    inside = (ends > DEPTHS[0]) & (ends < DEPTHS[1])
    if float(inside.mean()) < ON_LINE:
        return 0.0, 0.0
    along = np.linspace(-1, 1, len(ends))
    line = np.full(len(ends), float(np.median(ends[inside])))
    for _ in range(4):
        line = np.polynomial.Polynomial.fit(along[inside], ends[inside], 2)(along)
        nearer = inside & (ends < line + SMOOTH)
        if int(nearer.sum()) < len(ends) // 2:
            return 0.0, 0.0
        inside = nearer
    on_line = float(np.mean(np.abs(ends - line) < SMOOTH))
    before = float(np.mean(ends < line - SMOOTH))
    if on_line < ON_LINE or before > BEFORE_LINE or float(np.ptp(line)) > bend:
        return 0.0, 0.0
    if float(line[len(line) // 2] - (line[0] + line[-1]) / 2) > hump:
        return 0.0, 0.0
    return float(np.clip(line, 0, 1).mean()), float(line.min())


def _is_skin_light(blue: Any, green: Any, red: Any) -> Any:
    """Return whether a colour, or each of many, is the red of light through a finger."""
    return (red > RED_LUMA) & (red > RED_SHARE * np.maximum(green, blue)) & (blue > GREEN_SHARE * green)
