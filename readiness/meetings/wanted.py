"""The meetings that a file asks for, and what is wrong with its rows. Plain data, made by the readers of files."""

from __future__ import annotations

from dataclasses import dataclass

from readiness.meetings.wishes import MeetingPlan

__all__ = ["LONGEST_FOUND", "NAMELESS", "Bad", "BadRowError", "Wanted"]

NAMELESS = "row"
"""The version of a meeting whose row has no identifier: the same row at another time is another meeting."""
LONGEST_FOUND = 80
"""Most characters of the file that are quoted in an answer."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A fault of a row, or a remark on it, as a code of the catalogue; `column` and `found` may be empty."""

    row: int
    reason: str
    column: str = ""
    """The table's column, or the property of the calendar's event."""
    found: str = ""
    """The value there, where the words alone would not explain it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One meeting of the file, with the rows of the meeting and its people."""

    plan: MeetingPlan
    rows: tuple[int, ...]
    """One for each participant; the meeting's own row where it has nobody."""
    is_cancelled: bool = False
    named: frozenset[str] | None = None
    """Fields of the plan and of its people that the file has; all others stay as they are. None: the file has all."""
    cancels_from: str | None = None
    """Cancels the series' meetings that start then or later, RFC 3339; empty: all of them. None: this one only."""
    notes: tuple[Bad, ...] = ()
    """Values that were perhaps meant in another way."""

    @property
    def key(self) -> str:
        """Return the name that the meeting keeps over several imports."""
        return self.plan.key

    def names(self, name: str) -> bool:
        """Return whether the file has this field."""
        return self.named is None or name in self.named


class BadRowError(Exception):
    """Raised for a row that can't be read."""

    def __init__(self, bad: Bad) -> None:
        super().__init__(bad.reason)
        self.bad = bad
