"""Light bands: flickering lamps, drawn across the picture by a rolling shutter, which reads one row after another.

Such a lamp gives every row of the sensor its own share of light, on wall and face alike, so the logarithm of the light
has a wave common to all columns. Nothing else in the picture has: blinds and shelves end behind the person, and their
edges do not form a wave. We look for the wave in the change from row to row of the median column, weighted by how
similar the columns are, and do the same across columns, because phones are turned. Between two stills the room cancels
out and bands that moved remain. Method and limits are our own; for the 100 Hz flicker of lamps on 50 Hz, and how a
rolling shutter draws it, see Sheinin et al., CVPR 2017.
"""

from __future__ import annotations

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
LEAST_EXPLAINED: Final = 0.25
"""Share of the median column's change that a wave must explain before single columns are examined."""
FEW: Final = 0.15
"""Share of the columns that need not follow the wave."""
EVENLY: Final = 0.03
"""Added to the spread of a row's columns, log2 of light, to bound the weight of an empty wall."""

_Numbers = NDArray[np.float64]


def _waves() -> _Numbers:
    """Return the change from cell to cell of a cosine and a sine, for every number of cycles: cycles x steps x 2."""
    turns = 2 * np.pi * CYCLES[:, None] * ((np.arange(CELLS[0]) + 0.5) / CELLS[0])[None, :]
    return np.stack([np.diff(np.cos(turns)), np.diff(np.sin(turns))], axis=2)


_WAVES: Final = _waves()
_SMOOTH: Final = np.array([0.25, 0.5, 0.25])


class BandLook:
    """Looks for light bands in each still; remembers 2 x 2048 cells of the previous one."""

    def __init__(self) -> None:
        self._before: list[tuple[_Numbers, NDArray[np.bool_]]] | None = None
        self._shape = (0, 0)

    def numbers(self, luma: Luma) -> dict[str, float]:
        """Return bands_pct, the share of the light that bands take, and bands_alike_pct, how certain that result is.

        The most certain of four results counts: along and across, in this still and in the change since the previous
        one.
        """
        grids = _grids(luma)
        looks = [_wave(light, usable) for light, usable in grids]
        if self._before is not None and self._shape == luma.shape:
            for (light, usable), (old, old_usable) in zip(grids, self._before, strict=True):
                looks.append(_wave(light - old, usable & old_usable))
        self._before, self._shape = grids, luma.shape
        strength, alike = max(looks, key=lambda look: look[1])
        return {"bands_pct": strength, "bands_alike_pct": alike}


def _grids(luma: Luma) -> list[tuple[_Numbers, NDArray[np.bool_]]]:
    """Return log2 of each cell's light and which cells are usable, for horizontal and for vertical bands."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    along, across = CELLS
    half = cv2.resize(luma, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    small = cv2.resize(half, (along, along), interpolation=cv2.INTER_AREA).astype(np.float64)
    both = [one.reshape(along, across, along // across).mean(axis=2) for one in (small, small.T)]
    return [(GAMMA * np.log2(np.maximum(one, 1.0)), (one > USABLE_LUMA[0]) & (one < USABLE_LUMA[1])) for one in both]


def _wave(light: _Numbers, usable: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the strength of the best wave, percent of the light, and its similarity over the columns, percent."""
    change = np.diff(light, axis=0)
    both = usable[1:] & usable[:-1]
    middle = np.convolve(_middle(change, both), _SMOOTH, "same")
    spread = _middle(np.abs(change - middle[:, None]), both)
    weight = 1 / (spread + EVENLY)
    total = float(weight @ middle**2)
    if total <= 0:
        return 0.0, 0.0
    weighted = _WAVES * weight[:, None]
    squares = weighted.swapaxes(1, 2) @ _WAVES
    products = middle @ weighted
    ways = np.linalg.solve(squares, products[:, :, None])[:, :, 0]
    explained = np.sum(ways * products, axis=1) / total
    best = int(np.argmax(explained))
    wave = _WAVES[best] @ ways[best]
    share = float(explained[best])
    strength = 100.0 * (1 - 2 ** (-2 * float(np.hypot(*ways[best]))))
    return strength, 50.0 * (share + (_followed(change, both, wave) if share > LEAST_EXPLAINED else 0.0))


def _middle(values: _Numbers, usable: NDArray[np.bool_]) -> _Numbers:
    """Return the median over the usable cells of each row; 0 where there are too few."""
    counts = usable.sum(axis=1)
    ordered = np.sort(np.where(usable, values, np.inf), axis=1)
    middle = ordered[np.arange(len(ordered)), np.maximum(counts - 1, 0) // 2]
    return np.asarray(np.where(counts >= FEWEST_CELLS, middle, 0.0), dtype=np.float64)


def _followed(change: _Numbers, usable: NDArray[np.bool_], wave: _Numbers) -> float:
    """Return the share of its steep cells in which a column follows the wave, as the 15th percentile of the columns."""
    height = np.abs(wave)
    steep = usable & (height > np.sort(height)[len(height) // 2])[:, None]
    near = steep & (np.abs(change - wave[:, None]) < np.abs(change))
    counts = steep.sum(axis=0)
    seen = counts >= FEWEST_CELLS
    if int(seen.sum()) < FEWEST_CELLS:
        return 0.0
    shares = np.sort(near.sum(axis=0)[seen] / counts[seen])
    return float(shares[int(FEW * len(shares))])
