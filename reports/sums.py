"""Sums of people that single nobody out, and how sure a share is. Pure.

A group of fewer than `LEAST` people is never told by itself, nor can it be had as the difference of what is told: it is
folded into one group with others, and where that is still too small, with the smallest that would be told. The same
holds for those of a group who are counted and those who are not, unless there are none of them. Tables of the same
people by something else are told beside it only as far as `reports.side_by_side` lets them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["LEAST", "OTHERS", "Cell", "folded", "told_of", "wilson"]

LEAST: Final = 10
"""Least people in a group that is told of."""
OTHERS: Final = "others"
"""The name of the group that takes the small ones."""
_Z95: Final = 1.959963984540054
"""For an interval that holds the true share in 95 of 100 cases."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How many of a group's people are counted: `hits` of `number`."""

    number: int
    hits: int = 0

    def __add__(self, other: Cell) -> Cell:
        """Return both groups as one."""
        return Cell(self.number + other.number, self.hits + other.hits)

    def __sub__(self, other: Cell) -> Cell:
        """Return this group without those of another one, all of whom are in it."""
        return Cell(self.number - other.number, self.hits - other.hits)

    @property
    def share(self) -> float:
        """Return the share of those counted."""
        return self.hits / self.number

    def is_told(self, least: int = LEAST) -> bool:
        """Return whether neither the group, nor those counted of it, nor those not counted are too few to be told."""
        return self.number >= least and all(one == 0 or one >= least for one in (self.hits, self.number - self.hits))


def folded(cells: Mapping[str, Cell], least: int = LEAST, *, hidden: Collection[str] = ()) -> dict[str, Cell]:
    """Return the groups that may be told, largest first, with the small ones as `OTHERS` at the end.

    Their sum is the sum of all, so a total that is told beside them says nothing about a small group. Nothing at all is
    returned where all together are too few. `hidden` groups are not told by themselves however large they are.
    """
    told = {name: one for name, one in cells.items() if one.is_told(least) and name not in {OTHERS, *hidden}}
    small = {name: one for name, one in cells.items() if name not in told and one.number > 0}
    rest = sum(small.values(), Cell(0))
    while told and rest.number > 0 and (not rest.is_told(least) or (len(small) == 1 and small.keys() <= set(hidden))):
        name = min(told, key=lambda one: (told[one].number, one))
        small[name] = told.pop(name)
        rest += small[name]
    ordered = dict(sorted(told.items(), key=lambda item: (-item[1].number, item[0])))
    return ordered | ({OTHERS: rest} if rest.is_told(least) else {})


def told_of(cells: Sequence[Cell]) -> list[bool]:
    """Return which of these groups may be told where the sum of all is told too; the others stay unsaid."""
    told = folded({str(place): one for place, one in enumerate(cells)})
    return [str(place) in told for place in range(len(cells))]


def wilson(hits: int, number: int) -> tuple[float, float]:
    """Return Wilson's interval (95 %) of a share. Raises ValueError for a share of nobody.

    Unlike the plain one it stays within 0 and 1 and says something for all or none of few.
    """
    if not 0 <= hits <= number or number == 0:
        raise ValueError("a share needs somebody")
    share, square = hits / number, _Z95**2 / number
    middle = (share + square / 2) / (1 + square)
    half = _Z95 * math.sqrt(share * (1 - share) / number + square / (4 * number)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
