"""Light bands: lamps that flicker, drawn across the picture by a shutter that reads one row after the other.

Such a lamp gives every row of the sensor its own share of light, the same over wall and face. So the logarithm of the
light gets a wave that is common to all columns, and taking it away makes the picture evener everywhere. Of anything
else that is not so: blinds and shelves end where somebody sits before them, and between their edges they are flat, so
that a wave taken away puts shade there. The wave is sought in the change from row to row: first in the middle column
(median), then over all cells by a cost that grows with the logarithm of what is left (Cauchy's), so that edges, hair
and folds, however sharp, weigh little and smooth places decide. Rows and columns both, because phones are turned.
Between two stills the room cancels out, and bands that moved are left. Method and limits are our own; that lamps on
50 Hz flicker at 100 Hz and how a rolling shutter draws it: Sheinin et al., CVPR 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from probes.light import Luma

__all__ = ["BandLook"]

CELLS: Final = (64, 32)
"""Cells along and across the bands: fine enough for ten of them, coarse enough to take noise away."""
SHRINK: Final = 2
"""First step down to the cells: a whole number is quickest."""
USABLE_LUMA: Final = (14.0, 245.0)
"""Cells outside are too dark or burnt out: they carry no wave."""
GAMMA: Final = 2.2
FEWEST_CELLS: Final = 8
"""Cells of a row that must be usable before its change counts."""
CYCLES: Final = np.arange(1.5, 10.01, 0.25)
"""Waves per picture: 100 Hz read out in 10 to 33 ms gives 1 to 3.3, 120 Hz and slow sensors more."""
TRIED: Final = 4
"""Waves, of those that explain most of the middle column, that are tried on all cells."""
ROUNDS: Final = 4
"""Times that a wave is fitted again, each cell weighted by what the wave before left of it."""
SMALL: Final = 0.03
"""Change from cell to cell that even walls have, log2 of light: what is much more weighs only by its logarithm."""
FEW: Final = 0.2
"""Share of the columns that need not get evener without the wave: hair, edges and folds drown it."""
SURE_CYCLES: Final = 2.0
"""From so many bands on nothing else looks like them; of fewer a picture's own shade has something."""
SHADE_CYCLES: Final = 0.5
"""A wave of so few would be shade alone; between the two what it evens out counts in proportion."""
EVENLY: Final = 0.03
"""Added to the spread of a row's columns, so that an empty wall does not weigh without limit; log2 of light."""

_Numbers = NDArray[np.float64]


def _waves() -> _Numbers:
    """Return the change from cell to cell of a cosine and a sine, for every number of cycles: cycles x steps x 2."""
    turns = 2 * np.pi * CYCLES[:, None] * ((np.arange(CELLS[0]) + 0.5) / CELLS[0])[None, :]
    return np.stack([np.diff(np.cos(turns)), np.diff(np.sin(turns))], axis=2)


_WAVES: Final = _waves()
_SMOOTH: Final = np.array([0.25, 0.5, 0.25])
_LEAST: Final = 1e-9
_TINY: Final = _LEAST * np.eye(2)
"""What keeps an even picture from dividing by nothing."""


class BandLook:
    """Looks for light bands in one still after the other; remembers 2 x 2048 cells of the one before."""

    def __init__(self) -> None:
        self._before: list[tuple[_Numbers, NDArray[np.bool_]]] | None = None
        self._shape = (0, 0)

    def numbers(self, luma: Luma) -> dict[str, float]:
        """Return bands_pct, how much of the light the bands take, and bands_evener_pct, how surely they are bands.

        That is by how much the picture gets evener without them, or 0 where more than a fifth of it does not. The
        surest of four looks counts: along and across, in this still and in what changed since the one before.
        """
        grids = _grids(luma)
        looks = [_wave(light, usable) for light, usable in grids]
        if self._before is not None and self._shape == luma.shape:
            for (light, usable), (old, old_usable) in zip(grids, self._before, strict=True):
                looks.append(_wave(light - old, usable & old_usable))
        self._before, self._shape = grids, luma.shape
        strength, evener = max(looks, key=lambda look: look[1])
        return {"bands_pct": strength, "bands_evener_pct": evener}


def _grids(luma: Luma) -> list[tuple[_Numbers, NDArray[np.bool_]]]:
    """Return log2 of each cell's light, and which cells are usable: for bands that lie, and for those that stand."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    along, across = CELLS
    half = cv2.resize(luma, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    small = cv2.resize(half, (along, along), interpolation=cv2.INTER_AREA).astype(np.float64)
    both = [one.reshape(along, across, along // across).mean(axis=2) for one in (small, small.T)]
    return [(GAMMA * np.log2(np.maximum(one, 1.0)), (one > USABLE_LUMA[0]) & (one < USABLE_LUMA[1])) for one in both]


def _wave(light: _Numbers, usable: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the strength of the surest wave, percent of the light, and how much evener all is without it, percent."""
    change = np.diff(light, axis=0)
    both = usable[1:] & usable[:-1]
    seen = both.sum(axis=0) >= FEWEST_CELLS
    if int(seen.sum()) < FEWEST_CELLS:
        return 0.0, 0.0
    change, both = change[:, seen], both[:, seen]
    tried, ways = _likely(change, both)
    waves = _WAVES[tried]
    for _ in range(ROUNDS):
        left = change - waves @ ways[:, :, None]
        weight = both / (1 + (left / SMALL) ** 2)
        squares = (waves * weight.sum(axis=2)[:, :, None]).swapaxes(1, 2) @ waves + _TINY
        products = waves.swapaxes(1, 2) @ (weight * change).sum(axis=2)[:, :, None]
        ways = np.linalg.solve(squares, products)[:, :, 0]
    before = _cost(change, both)
    after = _cost(change - waves @ ways[:, :, None], both)
    evener = 1 - after.sum(axis=1) / max(float(before.sum()), _LEAST)
    least = np.sort(1 - after / np.maximum(before, _LEAST), axis=1)[:, int(FEW * len(before))]
    trust = np.clip((CYCLES[tried] - SHADE_CYCLES) / (SURE_CYCLES - SHADE_CYCLES), 0, 1)
    sure = np.where(least > 0, np.maximum(evener, 0) * trust, 0.0)
    best = int(np.argmax(sure))
    return 100.0 * (1 - 2 ** (-2 * float(np.hypot(*ways[best])))), 100.0 * float(sure[best])


def _likely(change: _Numbers, usable: NDArray[np.bool_]) -> tuple[NDArray[np.intp], _Numbers]:
    """Return the waves that explain most of the middle column's change, by number, and how much of each is in it."""
    middle = np.convolve(_middle(change, usable), _SMOOTH, "same")
    weight = 1 / (_middle(np.abs(change - middle[:, None]), usable) + EVENLY)
    weighted = _WAVES * weight[:, None]
    products = middle @ weighted
    ways = np.linalg.solve(weighted.swapaxes(1, 2) @ _WAVES, products[:, :, None])[:, :, 0]
    tried = np.argsort(-np.sum(ways * products, axis=1))[:TRIED]
    return tried, np.asarray(ways[tried], dtype=np.float64)


def _cost(left: _Numbers, usable: NDArray[np.bool_]) -> _Numbers:
    """Return for each column the sum of what its cells cost that changed by so much."""
    return np.asarray((np.log1p((left / SMALL) ** 2) * usable).sum(axis=-2))


def _middle(values: _Numbers, usable: NDArray[np.bool_]) -> _Numbers:
    """Return the median over the usable cells of each row; 0 where there are too few."""
    counts = usable.sum(axis=1)
    ordered = np.sort(np.where(usable, values, np.inf), axis=1)
    middle = ordered[np.arange(len(ordered)), np.maximum(counts - 1, 0) // 2]
    return np.asarray(np.where(counts >= FEWEST_CELLS, middle, 0.0), dtype=np.float64)
