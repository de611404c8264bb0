"""What the store gives of support's desk: frozen values, like `records`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .case_records import SupportCase
from .records import Host, Meeting, Participant, StoredReport

__all__ = ["CaseNote", "DeskLine", "DeskPerson", "FoundPerson", "ReportLine", "desk_of"]


def desk_of(organisation_id: str) -> str:
    """Return what a watcher of an organisation's desk subscribes to, beside ids of meetings."""
    return f"desk:{organisation_id}"


@dataclass(frozen=True, slots=True)
class DeskLine:
    """Somebody who needs help: handed over by a leader, or without a usable test shortly before the meeting."""

    participant_id: str
    meeting_id: str
    role: str
    starts_at: datetime
    case: SupportCase | None
    report: StoredReport | None
    """With so much of its body as a list shows."""
    running: bool
    """Whether a test is running right now."""
    leaders: tuple[str, ...] = ()

    @property
    def is_waiting(self) -> bool:
        """Return whether nobody at support has it yet."""
        return self.case is None or self.case.taken_at is None

    @property
    def since(self) -> datetime:
        """Return when it came on the list."""
        if self.case is not None:
            return self.case.opened_at
        return self.report.created_at if self.report else self.starts_at


@dataclass(frozen=True, slots=True)
class CaseNote:
    """What somebody at support wrote, encrypted by the caller."""

    case_id: str
    written_at: datetime
    written_by: str | None
    text: bytes


@dataclass(frozen=True, slots=True)
class DeskPerson:
    """One participant as support sees them, with the meeting and what was done so far."""

    participant: Participant
    meeting: Meeting
    hosts: Sequence[Host]
    cases: Sequence[SupportCase]
    """All of them, the oldest first; only the last may be open."""
    notes: Sequence[CaseNote]
    contact: bytes | None
    """The number that the person gave for the day, sealed."""
    invited_today: int
    """Invitations within the last day."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of staff who acted, by their actor's id."""

    @property
    def case(self) -> SupportCase | None:
        """Return the open case, if any."""
        return self.cases[-1] if self.cases and self.cases[-1].done_at is None else None


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Somebody whom a search found, by the number or the label."""

    participant: Participant
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A report in the list, with its place in it, and whose it is where it is somebody's of a meeting.

    Of its body there is what a list shows.
    """

    number: int
    report: StoredReport
    role: str | None = None
    starts_at: datetime | None = None
