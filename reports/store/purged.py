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
    hosts: int = 0
    answers: int = 0
    cases: int = 0
    room_figures: int = 0
    sign_ins: int = 0
    staff: int = 0
