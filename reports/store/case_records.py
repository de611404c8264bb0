"""Values of support cases: frozen, without behaviour or SQL, as in `records`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["CaseEnd", "Solved", "SupportCase"]

Solved = Literal[
    "setting", "restarted", "other_device", "other_network", "by_phone", "moved", "to_it", "no_answer", "was_well"
]
"""How support solved a case, the commonest first: somebody taps one of them."""
CaseEnd = Solved | Literal["opened_again", "meeting_cancelled"]
"""How a support case ended."""


@dataclass(frozen=True, slots=True)
class SupportCase:
    """A participant whom a leader handed over to support, or whom support took: open, taken, then done.

    `opened_by`, `taken_by` and `done_by` are ids of those who acted (`Actor.id`), None where nobody knows any more.
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
    done_by: str | None = None
    handed_over: bool = False
    """Whether a leader or technical host opened it, and not support itself."""
