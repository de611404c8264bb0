"""The overview for those who improve: shares of one month's people, by what may explain them. Pure.

A month is the whole ISO weeks whose Thursday lies in it, and only a month that is over is told. Months do not overlap,
and each table of a month sums up to the month itself, so no difference of two pages is a group of few. First tests are
of those who tested in time, so that the numbers of both tables differ by those who did not, whom the first one tells.
What two tables would tell of few together is told by neither (`reports.side_by_side`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from reports.model import READY_VERDICTS
from reports.side_by_side import Key, Rows, side_by_side
from reports.sums import LEAST, Cell, folded, wilson

__all__ = [
    "DIMENSIONS",
    "HOSTS",
    "WORKED",
    "Counted",
    "Heard",
    "Measure",
    "Overview",
    "last_month",
    "make_overview",
    "months_back",
    "weeks_of",
]

WORKED: Final = 4
"""Least answer, of 1 to 5, that means that sound and picture worked, or that somebody was satisfied."""
HOSTS: Final = ("leader", "technical_host")
"""Roles of those who lead or run a meeting."""
STEP: Final = 0.05
"""Of an interval that is told alone, so that it does not say of how many it is."""
CLOSES: Final = timedelta(days=8)
"""After a month's last day its people are counted within a day, and what is said afterwards comes in for a week."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many participants are alike in everything that is told of them."""

    number: int
    week: str
    profile: str
    solution: str
    client_class: str
    tested: str
    """Before the meeting began (``in_time``), later (``late``) or ``never``."""
    first_verdict: str | None
    last_verdict: str | None
    unit: str
    """The clinic's, as the organiser wrote it; empty where none was."""
    room: str
    """The meeting's room, or its rooms; empty where it had none."""
    cause: str
    """The check that was wrong in a first test that was not ready."""
    solved_min: int | None
    """Within how many minutes of that a test was ready; None: in none."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How many people said the same of their meeting after the same verdict."""

    number: int
    role: str
    verdict: str | None
    score: int
    satisfied: int | None
    """How satisfied, 1 to 5; None where that was not answered."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A share with its denominator and the interval that holds the true one in 95 of 100 cases.

    Where those counted or the others are too few to be told, the interval alone: it is the same for any so few.
    """

    number: int | None
    hits: int | None
    low: float
    high: float

    @classmethod
    def of(cls, cell: Cell) -> Measure | None:
        """Return the measure of a group; None where it is too small for anything to be told."""
        if cell.is_told():
            return cls(cell.number, cell.hits, *wilson(cell.hits, cell.number))
        if cell.number < 2 * LEAST:
            return None
        most = LEAST - 1
        if cell.hits < LEAST:
            return cls(None, None, 0.0, wilson(most, cell.number)[1]).rounded()
        return cls(None, None, wilson(cell.number - most, cell.number)[0], 1.0).rounded()

    def rounded(self) -> Measure:
        """Return the interval alone, in steps."""
        return Measure(None, None, math.floor(self.low / STEP) * STEP, math.ceil(self.high / STEP) * STEP)

    @property
    def share(self) -> float | None:
        """Return the share, where it is told."""
        return None if self.hits is None or self.number is None else self.hits / self.number


Table = Mapping[str, Measure]


@dataclass(frozen=True, slots=True)
class Overview:
    """One month of one organisation."""

    in_time: Measure | None
    """Of those invited, who tested before the meeting began."""
    first_try: Measure | None
    """Of those who tested before the meeting began, whose first test was ready."""
    right: Measure | None
    """Of those told "ready" who said how the meeting went, who said that sound and picture worked."""
    satisfied: Measure | None
    """Of the participants who said how satisfied they were, who were."""
    solved: Measure | None
    """Of those who tested in time, and whose first test was not ready, who were ready in the end."""
    in_time_by: Mapping[str, Table]
    first_try_by: Mapping[str, Table]
    causes: Mapping[str, int]
    """What was wrong in first tests that were not ready: how many people by check, those of few people together."""
    solved_within: Mapping[str, int]
    """Of those who were solved, how many within so many minutes, those of few people together."""


DIMENSIONS: Final[Mapping[str, Callable[[Counted], str]]] = {
    "room": lambda one: one.room,
    "week": lambda one: one.week,
    "solution": lambda one: one.solution,
    "profile": lambda one: one.profile,
    "unit": lambda one: one.unit,
    "browser": lambda one: one.client_class.split("/")[0],
    "system": lambda one: "/".join(one.client_class.split("/")[1:]),
}
"""By what shares are told apart. Who never tested has no browser: those two are of first tests only."""
_OF_TESTS: Final = frozenset({"browser", "system"})


def make_overview(groups: Sequence[Counted], heard: Sequence[Heard]) -> Overview:
    """Return the overview of what the store counted in one month."""
    tested = [one for one in groups if _is_in_time(one)]
    first_try = _cell(tested, _is_ready_at_first)
    failed = [one for one in tested if not _is_ready_at_first(one)] if first_try.is_told() else []
    solved = [one for one in failed if one.solved_min is not None]
    told = [one for one in heard if one.verdict in READY_VERDICTS]
    unlike = sum(one.number for one in heard if one.verdict not in READY_VERDICTS)
    rated = [one for one in heard if one.satisfied is not None and one.role not in HOSTS]
    in_time, became_ready = _cell(groups, _is_in_time), _cell(failed, lambda one: one.solved_min is not None)
    if 0 < in_time.number - in_time.hits < LEAST:  # the tables of first tests tell how many tested: of these alone
        in_time = Cell(in_time.hits + LEAST - 1, in_time.hits)
    right = Measure.of(_heard(told, lambda one: one.score >= WORKED))
    if right is not None and 0 < unlike < LEAST:  # all who answered are told by unit: how many of them were not told so
        right = right.rounded()
    tables = _tables(groups)
    return Overview(
        in_time=Measure.of(in_time),
        first_try=Measure.of(first_try),
        right=right,
        satisfied=Measure.of(_heard(rated, lambda one: (one.satisfied or 0) >= WORKED)),
        solved=Measure.of(became_ready),
        in_time_by=tables["in_time"],
        first_try_by=tables["first_try"],
        causes=_counts(failed, lambda one: one.cause or "none"),
        solved_within=_counts(solved, lambda one: str(one.solved_min)) if became_ready.is_told() else {},
    )


def _tables(groups: Sequence[Counted]) -> dict[str, dict[str, Table]]:
    """Return the tables of both measures by dimension, without what they would tell of few together."""
    names = {dimension: [of(one) for one in groups] for dimension, of in DIMENSIONS.items()}
    in_time = [Cell(one.number, one.number * _is_in_time(one)) for one in groups]
    first_try = [
        Cell(one.number, one.number * _is_ready_at_first(one)) if _is_in_time(one) else Cell(0) for one in groups
    ]
    tables: dict[Key, Rows] = {}
    for dimension, group in names.items():
        if dimension not in _OF_TESTS:
            tables["in_time", dimension] = Rows(group, in_time, lambda cell: Cell(cell.hits))
        tested = [name if cell.number else None for name, cell in zip(group, first_try, strict=True)]
        tables["first_try", dimension] = Rows(tested, first_try, lambda cell: Cell(cell.number))
    told: dict[str, dict[str, Table]] = {"in_time": {}, "first_try": {}}
    for (measure, dimension), cells in side_by_side(tables).items():
        measures = {name: Measure.of(cell) for name, cell in cells.items()}
        told[measure][dimension] = {name: one for name, one in measures.items() if one is not None}
    return told


def _heard(answers: Iterable[Heard], hits: Callable[[Heard], bool]) -> Cell:
    return sum((Cell(one.number, one.number if hits(one) else 0) for one in answers), Cell(0))


def _is_in_time(one: Counted) -> bool:
    return one.tested == "in_time"


def _is_ready_at_first(one: Counted) -> bool:
    return one.first_verdict in READY_VERDICTS


def _cell(groups: Iterable[Counted], hits: Callable[[Counted], bool]) -> Cell:
    return sum((Cell(one.number, one.number if hits(one) else 0) for one in groups), Cell(0))


def _counts(groups: Iterable[Counted], of: Callable[[Counted], str]) -> dict[str, int]:
    cells: dict[str, Cell] = defaultdict(lambda: Cell(0))
    for one in groups:
        cells[of(one)] += Cell(one.number)
    return {name: one.number for name, one in folded(cells).items()}


# ---- months


def last_month(today: date) -> str:
    """Return the newest month that is over, such as ``2026-10``: its last answers came in yesterday, or before."""
    month = f"{today:%Y-%m}"
    while date.fromisocalendar(*_week(weeks_of(month)[1]), 7) + CLOSES >= today:
        month = months_back(month, 1)
    return month


def months_back(month: str, back: int) -> str:
    """Return the month so many months before this one."""
    count = int(month[:4]) * 12 + int(month[5:]) - 1 - back
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def weeks_of(month: str) -> tuple[str, str]:
    """Return the first and the last ISO week of a month: those whose Thursday lies in it."""
    first = date(int(month[:4]), int(month[5:]), 1)
    thursday = first + timedelta(days=(3 - first.weekday()) % 7)
    end = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    last = thursday + timedelta(weeks=(end - timedelta(days=1) - thursday).days // 7)
    return _named(thursday), _named(last)


def _named(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"


def _week(named: str) -> tuple[int, int]:
    year, _, week = named.partition("-W")
    return int(year), int(week)
