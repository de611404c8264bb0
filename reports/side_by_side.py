"""Tables of the same people that may be told side by side. Pure.

A table by unit and one by room can tell of few together: where all of a unit are in one room, the room's number less
the unit's is how many others were there. The same holds where a unit is in two rooms and these are added up. So take
all groups of one table that a group of another one meets: what is left of them without the groups that lie in them has
to be nobody, or ten. Where it is not, the smallest of the groups inside joins the others of its table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from reports.sums import OTHERS, Cell, folded

__all__ = ["Key", "Rows", "side_by_side"]

Key = tuple[str, str]
"""What a table tells, and by what."""
Told = Mapping[str, Cell]
Pairs = set[tuple[str, str]]
"""Which group of one table has people in common with which group of another one."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A table to be told, by the rows that were counted: each row's group, and the cell that it adds to the group.

    Tables that are told side by side have the same rows.
    """

    groups: Sequence[str | None]
    """None: the row is not counted in this table."""
    cells: Sequence[Cell]
    """The same object in all tables of one measure."""
    shared: Callable[[Cell], Cell]
    """What of a cell is told by tables of other measures too."""


def side_by_side(tables: Mapping[Key, Rows]) -> dict[Key, dict[str, Cell]]:
    """Return the groups of each table that may be told, as `folded` does, such that no two tables tell of few."""
    whole = {key: _summed(table) for key, table in tables.items()}
    told = {key: folded(cells) for key, cells in whole.items()}
    hidden: dict[Key, set[str]] = {key: set() for key in tables}
    pairs = {(one, other): _pairs(tables[one], tables[other]) for one, other in combinations(tables, 2)}
    pairs |= {(other, one): {pair[::-1] for pair in met} for (one, other), met in pairs.items()}
    is_settled = False
    while not is_settled:
        is_settled = True
        for (inner, outer), meeting in pairs.items():
            alike = tables[inner].cells is tables[outer].cells
            shared = [_same if alike else tables[key].shared for key in (inner, outer)]
            while (name := _telling(told[inner], told[outer], meeting, *shared)) is not None:
                hidden[inner].add(name)
                told[inner] = folded(whole[inner], hidden=hidden[inner])
                is_settled = False
    return told


def _same(cell: Cell) -> Cell:
    return cell


def _summed(table: Rows) -> dict[str, Cell]:
    numbers: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for group, cell in zip(table.groups, table.cells, strict=True):
        if group is not None:
            sums = numbers[group]
            sums[0] += cell.number
            sums[1] += cell.hits
    return {group: Cell(number, hits) for group, (number, hits) in numbers.items()}


def _pairs(one: Rows, other: Rows) -> Pairs:
    """Return which groups meet in the people whom both tables tell of."""
    met = set(zip(one.groups, other.groups, strict=True))
    return {(first, second) for first, second in met if first is not None and second is not None}


def _telling(
    inner: Told, outer: Told, pairs: Pairs, of_inner: Callable[[Cell], Cell], of_outer: Callable[[Cell], Cell]
) -> str | None:
    """Return a group of `inner` that must not be told beside `outer`; None if what is left is nobody or ten.

    What is left of those groups of `outer` that a group of `inner` meets, without all of `inner` that lie in them.
    """
    lies_in: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        lies_in[one if one in inner else OTHERS].add(other if other in outer else OTHERS)
    for holders in {frozenset(met) for met in lies_in.values()}:
        if not holders <= outer.keys():
            continue
        names = [one for one, met in lies_in.items() if one in inner and met <= holders]
        whole, inside = (outer[name] for name in holders), (inner[name] for name in names)
        left = sum(map(of_outer, whole), Cell(0)) - sum(map(of_inner, inside), Cell(0))
        choice = [name for name in names if name != OTHERS] or [name for name in inner if name != OTHERS]
        if left.number and not left.is_told() and choice:
            return min(choice, key=lambda name: (inner[name].number, name))
    return None
