"""Light bands: flickering lamps, drawn across the picture by a rolling shutter, which reads one row after another.

Such a lamp gives every row of the sensor its own share of light, on wall and face alike, so the logarithm of the light
has a wave common to all columns, and without that wave the picture is more even everywhere. Nothing else in a picture
does that: blinds and shelves end behind the person and are flat between their edges, where removing a wave adds shade.
We look for the wave in the change from row to row of all cells with Cauchy's cost, which grows with the logarithm of
what remains: sharp edges, hair and folds weigh little, and smooth places decide. Light that comes from one side grades
a wall smoothly, and one or two long waves fit that too; so a wave has to do better than such a grade. We do the same
across columns, because phones are turned. Between two stills the room cancels out and bands that moved remain.

A curtain with folds gives a wall such a wave as well, but not the person before it: the person has to be more even
without it too. A shawl's folds end beside the person: what is beside has to be more even too. And folds are uneven,
while a lamp's wave is the same all over the picture: what it leaves counts against the person's evidence. A sensor's
rows lie along its long side, and so do its bands: columns in a picture that is wider than high have to move. Rows are
asked only for the person, columns for all this from the second still on; one still alone tells them from a curtain less
surely (`readiness/docs/sight.md`). Method and limits are our own; for the 100 Hz flicker of lamps on 50 Hz, and how a
rolling shutter draws it, see Sheinin et al., CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from probes.light import Luma

__all__ = ["BandLook"]

CELLS: Final = (64, 32)
"""Cells along and across the bands: fine enough for ten bands, coarse enough to average noise away."""
SHRINK: Final = 2
"""Factor of the first downscaling step; a whole number is fastest."""
USABLE_LUMA: Final = (14.0, 245.0)
"""Cells outside this range are too dark or burnt out to carry a wave."""
GAMMA: Final = 2.2
FEWEST_CELLS: Final = 8
"""Fewest usable cells for a row's change to count."""
CYCLES: Final = np.arange(1.5, 10.01, 0.25)
"""Cycles per picture: 100 Hz read out in 10 to 33 ms gives 1 to 3.3; 120 Hz and slow sensors give more."""
TRIED: Final = 6
"""How many of the waves that explain most of the change, at the widest scale, are fitted to the end."""
SCALES: Final = (0.1, 0.1, 0.06, 0.03, 0.03)
"""Change from cell to cell, log2 of light, beyond which a cell weighs only by its logarithm, for each round of a fit.
The first is as wide as the steepest bands, so that these are not taken for edges before their wave is known."""
SMALL: Final = SCALES[-1]
"""Change from cell to cell on an even wall, log2 of light."""
FEW: Final = 0.3
"""Share of the columns that need not become more even: hair, edges, leaves and folds hide the wave there."""
SHADE_TERMS: Final = 3
"""A grade of light is the curve that three terms make of its change: straight, bent once, bent twice."""

FACE: Final = (0.0, 1.0, 0.0, 1.0)
BODY: Final = (-0.6, 1.6, 1.5, np.inf)
"""Where a person is for sure: left, right, top and bottom, in widths and heights of the face's box from its corner."""
FEWEST_ON_PERSON: Final = 10
"""Fewest usable cells of the person from which we say anything."""
PERSON_SCALE: Final = 0.05
"""The scale for a person, log2 of light: wider than a wall's, because of its own drawing."""
AROUND: Final = (-1.2, 2.2, -0.6, np.inf)
"""Beyond this, in widths and heights of the face's box, nothing is worn by the person."""
FEWEST_AROUND: Final = 20
"""Fewest usable cells beyond it from which we say anything of them."""
FEWEST_COMMON: Final = 4
"""Fewest usable cells beside the person for the change that a row of cells has in common."""
COMMON: Final = 0.4
"""Share of those changes that the wave has to explain: edges of the room are among the others."""
WORTH: Final = 20.0
"""Nats that the person's evidence gains where the wave's remainder is smaller by a factor of e: what a logistic
regression of bands against curtains of the half "tune" gave."""
LEAST_REMAINDER: Final = 0.02
"""What of the wave's size noise leaves anyway."""


@dataclass(frozen=True, slots=True)
class _Proof:
    """What a wave needs besides: limits set on the half "tune", where both figures tell bands from curtains."""

    share: float = -1.0
    """By what share of its unevenness the person has to be more even without the wave."""
    nats: float = -np.inf
    """Least evidence that the person is under the wave, raised by how little the wave leaves beside the person."""
    is_around: bool = False
    """Whether what is not worn by the person has to be more even as well."""


ROWS: Final = _Proof(share=0.0)
COLUMNS: Final = _Proof(share=0.01, nats=30.0, is_around=True)
FIRST: Final = _Proof(nats=0.0)
MOVED: Final = _Proof(share=0.0)
"""For rows, for columns of a picture that is higher than wide, for columns of a first still, which is all that there is
to go by then, and for what changed between two stills: a curtain behind a hand-held phone moves too."""

Box = tuple[float, float, float, float]
"""Left, top, width and height of a face, px."""
_Numbers = NDArray[np.float64]
_Marks = NDArray[np.bool_]


def _waves() -> _Numbers:
    """Return the change from cell to cell of a cosine and a sine, for every number of cycles: cycles x steps x 2."""
    turns = 2 * np.pi * CYCLES[:, None] * ((np.arange(CELLS[0]) + 0.5) / CELLS[0])[None, :]
    return np.stack([np.diff(np.cos(turns)), np.diff(np.sin(turns))], axis=2)


_WAVES: Final = _waves()
_SHADE: Final = np.vander(np.linspace(-1, 1, CELLS[0] - 1), SHADE_TERMS)[None]
_LEAST: Final = 1e-9
"""What keeps an even picture from dividing by nothing."""


class BandLook:
    """Looks for light bands in each still; remembers 2 x 2048 cells of the previous one."""

    def __init__(self) -> None:
        self._before: list[tuple[_Numbers, _Marks]] | None = None
        self._shape = (0, 0)

    def numbers(self, luma: Luma, face: Box | None, *, upright: bool = True) -> dict[str, float]:
        """Return bands_pct, the share of the light that bands take, and bands_evener_pct, how certain that result is.

        That is by how much the picture is more even without them than without a smooth grade of light, percent of its
        unevenness, or 0 if more than three tenths of it are not. The most certain of up to four results counts: rows
        and columns, in this still and in the change since the previous one. Nothing is certain without the largest
        `face`: it, and the body below it where it is `upright`, must show the bands too, as far as `_Proof` demands.
        """
        grids = _grids(luma)
        person = _person(luma.shape, face, (FACE, BODY) if upright else (FACE,))
        apart = ~_person(luma.shape, face, (AROUND,))
        marks = [(_halved(one), _halved(two)) for one, two in ((person, apart), (person.T, apart.T))]
        before = self._before if self._shape == luma.shape else None
        looks = [_wave(*grids[0], *marks[0], ROWS)]
        height, width = luma.shape[:2]
        if before is None or np.array_equal(before[0][0], grids[0][0]):
            looks.append(_wave(*grids[1], *marks[1], FIRST))
        elif height >= width:
            looks.append(_wave(*grids[1], *marks[1], COLUMNS))
        if before is not None:
            for (light, usable), (old, old_usable), where in zip(grids, before, marks, strict=True):
                looks.append(_wave(light - old, usable & old_usable, *where, MOVED))
        self._before, self._shape = grids, luma.shape
        strength, evener = max(looks, key=lambda look: look[1])
        return {"bands_pct": strength, "bands_evener_pct": evener}


def _grids(luma: Luma) -> list[tuple[_Numbers, _Marks]]:
    """Return log2 of each cell's light and which cells are usable, for horizontal and for vertical bands."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    along, across = CELLS
    half = cv2.resize(luma, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    small = cv2.resize(half, (along, along), interpolation=cv2.INTER_AREA).astype(np.float64)
    both = [one.reshape(along, across, along // across).mean(axis=2) for one in (small, small.T)]
    return [(GAMMA * np.log2(np.maximum(one, 1.0)), (one > USABLE_LUMA[0]) & (one < USABLE_LUMA[1])) for one in both]


def _person(shape: tuple[int, ...], face: Box | None, parts: Sequence[Box]) -> _Marks:
    """Return which of the square cells are wholly within these parts of the person with this face."""
    marks = np.zeros((CELLS[0], CELLS[0]), np.bool_)
    if face is None:
        return marks
    for left, right, top, bottom in parts:
        rows = _within(face[1], face[3], (top, bottom), shape[0])
        marks[rows, _within(face[0], face[2], (left, right), shape[1])] = True
    return marks


def _within(begin_px: float, size_px: float, part: tuple[float, float], all_px: int) -> slice:
    """Return the cells along one side that lie wholly within `part` of a box's side."""
    first, last = (CELLS[0] * (begin_px + share * size_px) / all_px for share in part)
    return slice(*(int(np.clip(end, 0, CELLS[0])) for end in (np.ceil(first), np.floor(last))))


def _halved(marks: _Marks) -> _Marks:
    """Return which cells along and across the bands consist of marked cells only."""
    along, across = CELLS
    return np.asarray(marks.reshape(along, across, along // across).all(axis=2))


def _wave(light: _Numbers, usable: _Marks, person: _Marks, apart: _Marks, proof: _Proof) -> tuple[float, float]:
    """Return the strength of the most certain wave, percent of the light, and how much more even all is without it.

    That is 0 unless there is `proof` that it is no curtain, in the cells of the `person` and of what lies `apart`.
    """
    change = np.diff(light, axis=0)
    both = usable[1:] & usable[:-1]
    seen = both.sum(axis=0) >= FEWEST_CELLS
    if int(seen.sum()) < FEWEST_CELLS:
        return 0.0, 0.0
    change, both = change[:, seen], both[:, seen]
    waves = _likely(change, both)
    ways, after = _fitted(waves, change, both)
    _, graded = _fitted(_SHADE, change, both)
    before = _cost(change, both)
    known = min(float(before.sum()), float(graded.sum()))
    evener = (known - after.sum(axis=1)) / max(float(before.sum()), _LEAST)
    least = np.sort(1 - after / np.maximum(before, _LEAST), axis=1)[:, int(FEW * len(before))]
    sure = np.where(least > 0, np.maximum(evener, 0), 0.0)
    best = int(np.argmax(sure))
    spots = tuple(both & (marks[1:] & marks[:-1])[:, seen] for marks in (person, apart))
    if not _is_lamp(change, both, spots, waves[best] @ ways[best], proof):
        sure[best] = 0.0
    return 100.0 * (1 - 2 ** (-2 * float(np.hypot(*ways[best])))), 100.0 * float(sure[best])


def _is_lamp(change: _Numbers, usable: _Marks, spots: tuple[_Marks, ...], wave: _Numbers, proof: _Proof) -> bool:
    """Return whether there is `proof` in the cells of the person, beside, and of what nobody wears."""
    person, apart = spots
    if int(person.sum()) < FEWEST_ON_PERSON:
        return False
    share, nats = _evidence(change, person, wave)
    left = _remainder(change, usable & ~person, wave) + LEAST_REMAINDER
    if share <= proof.share or nats - WORTH * np.log(left) < proof.nats:
        return False
    few = int(apart.sum()) < FEWEST_AROUND
    return few or not proof.is_around or _evidence(change, apart, wave)[0] > 0


def _evidence(change: _Numbers, cells: _Marks, wave: _Numbers) -> tuple[float, float]:
    """Return by which share of their unevenness these cells are more even without the wave, and by how many nats."""
    with_it, without = (float(_cost(one, cells, PERSON_SCALE).sum()) for one in (change, change - wave[:, None]))
    return (with_it - without) / max(with_it, _LEAST), with_it - without


def _remainder(change: _Numbers, cells: _Marks, wave: _Numbers) -> float:
    """Return what the wave leaves of the change that these cells have in common, share of the wave's size.

    In common is the median of each row. Infinite where too little is seen.
    """
    count = cells.sum(axis=1)
    known = count >= FEWEST_COMMON
    if int(known.sum()) < FEWEST_COMMON:
        return float("inf")
    ordered = np.sort(np.where(cells, change, np.inf)[known], axis=1)
    middle = np.stack([(count[known] - 1) // 2, count[known] // 2], axis=1)
    common = np.take_along_axis(ordered, middle, axis=1).mean(axis=1)
    left = float(np.quantile(np.abs(common - wave[known]), COMMON))
    return left / max(float(np.sqrt(np.mean(wave**2))), _LEAST)


def _likely(change: _Numbers, usable: _Marks) -> _Numbers:
    """Return the waves that explain most of the change, each as two columns."""
    ways, products = _step(_WAVES, np.zeros((len(CYCLES), 2)), change, usable, SCALES[0])
    return _WAVES[np.argsort(-np.sum(ways * products, axis=1))[:TRIED]]


def _fitted(curves: _Numbers, change: _Numbers, usable: _Marks) -> tuple[_Numbers, _Numbers]:
    """Return how much of each curve's terms is in the change, and for each column the cost of what they leave."""
    ways: _Numbers = np.zeros((len(curves), curves.shape[2]))
    for scale in SCALES:
        ways, _ = _step(curves, ways, change, usable, scale)
    return ways, _cost(change - curves @ ways[:, :, None], usable)


def _step(
    curves: _Numbers, ways: _Numbers, change: _Numbers, usable: _Marks, scale: float
) -> tuple[_Numbers, _Numbers]:
    """Return a better fit of each curve, cells weighted by what `ways` leave of them, and its products with them."""
    weight = usable / (1 + ((change - curves @ ways[:, :, None]) / scale) ** 2)
    squares = (curves * weight.sum(axis=2)[:, :, None]).swapaxes(1, 2) @ curves + _LEAST * np.eye(curves.shape[2])
    products = curves.swapaxes(1, 2) @ (weight * change).sum(axis=2)[:, :, None]
    return np.linalg.solve(squares, products)[:, :, 0], products[:, :, 0]


def _cost(left: _Numbers, usable: _Marks, scale: float = SMALL) -> _Numbers:
    """Return for each column the cost of what is left in its usable cells."""
    return np.asarray((np.log1p((left / scale) ** 2) * usable).sum(axis=-2))
