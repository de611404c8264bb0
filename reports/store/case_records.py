"""Values of support cases: frozen, without behaviour or SQL, as in `records`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .records import StoredReport

__all__ = ["CaseEnd", "SupportCase", "WaitingCase"]

CaseEnd = Literal["opened_again", "meeting_cancelled"]
"""How a support case ended."""


@dataclass(frozen=True, slots=True)
class SupportCase:
    """A participant whom a leader handed over to support: open, then taken by somebody there, then done.

    `opened_by` and `taken_by` are ids of those who acted (`Actor.id`), None where nobody knows any more.
    """

    id: str
    organisation_id: str
    meeting_id: str
    participant_id: str
    report_id: str | None
    """The participant's newest report when the case was opened."""
    opened_at: datetime
    opened_by: str | None = None
    taken_at: datetime | None = None
    taken_by: str | None = None
    done_at: datetime | None = None
    how: CaseEnd | None = None


@dataclass(frozen=True, slots=True)
class WaitingCase:
    """A case that support has not taken yet, with the meeting, its leaders and the newest report for support's page."""

    id: str
    opened_at: datetime
    starts_at: datetime
    role: str
    leaders: tuple[str, ...]
    report: StoredReport | None
