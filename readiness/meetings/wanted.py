"""What a file of meetings asks for, row by row, and what is wrong with a row. Plain data: made where a file is read."""

from __future__ import annotations

from dataclasses import dataclass

from readiness.meetings.wishes import MeetingPlan

__all__ = ["LONGEST_FOUND", "NAMELESS", "Bad", "BadRowError", "Wanted"]

NAMELESS = "row"
"""The version of a meeting from a row without an identifier: imported again at another time, it is another row."""
LONGEST_FOUND = 80
"""Characters of what stands in the file that are shown again."""


@dataclass(frozen=True, slots=True)
class Bad:
    """What is wrong with a row, or worth a word, as a code that has words; `column` and `found` may be empty."""

    row: int
    reason: str
    column: str = ""
    """Where in the row: a column of the table, or a property of the calendar's event."""
    found: str = ""
    """What stands there, where the words alone would not tell."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One meeting of the file, and in which rows it and its people stand."""

    plan: MeetingPlan
    rows: tuple[int, ...]
    """Of each participant; the first is the meeting's own where it has nobody."""
    is_cancelled: bool = False
    named: frozenset[str] | None = None
    """Fields of the plan and of its people that the file names; the others keep what they are. None: all of them."""
    cancels_from: str | None = None
    """Cancels the series' meetings that start then or later, RFC 3339; empty: all of them. None: this one only."""
    notes: tuple[Bad, ...] = ()
    """What was taken otherwise than it may have been meant."""

    @property
    def key(self) -> str:
        """Names the meeting over several imports."""
        return self.plan.key

    def names(self, name: str) -> bool:
        """Return whether the file says anything of this field."""
        return self.named is None or name in self.named


class BadRowError(Exception):
    """A row can't be read."""

    def __init__(self, bad: Bad) -> None:
        super().__init__(bad.reason)
        self.bad = bad
