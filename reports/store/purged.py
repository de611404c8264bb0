"""What one run of retention did."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Purged"]


@dataclass(frozen=True, slots=True)
class Purged:
    """Numbers of rows that one purge deleted, emptied or unlinked."""

    drop_in_reports: int = 0
    unlinked_reports: int = 0
    people: int = 0
    self_tests: int = 0
    links: int = 0
    sessions: int = 0
    meetings: int = 0
    old_figures: int = 0
    old_counts: int = 0
    hosts: int = 0
    taken_out: int = 0
    answers: int = 0
    cases: int = 0
    notes: int = 0
    room_figures: int = 0
    sign_ins: int = 0
    staff: int = 0
    changes: int = 0
    audit_entries: int = 0

    def __add__(self, other: Purged) -> Purged:
        """Return the sum of both."""
        return Purged(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def __bool__(self) -> bool:
        """Return whether anything went."""
        return any(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def said(self) -> str:
        """Return the numbers that are not zero, such as ``people=3 links=1``."""
        counts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return " ".join(f"{name}={count}" for name, count in counts.items() if count)
