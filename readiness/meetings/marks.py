"""Marks of meetings as people were told of them: equal marks mean that nothing has changed for them."""

from __future__ import annotations

from readiness.access.contacts import ContactBox
from reports.model import rfc3339
from reports.store.records import Meeting

__all__ = ["state_mark"]

MARK_BYTES = 12


def state_mark(contacts: ContactBox, meeting: Meeting) -> str:
    """Return a mark of time, length, link and solution; keyed, because a link is a secret."""
    link = contacts.open(meeting.join_link) if meeting.join_link else ""
    parts = (rfc3339(meeting.starts_at), rfc3339(meeting.ends_at), meeting.solution, link or "")
    return contacts.derive("told", "\x1f".join(parts))[:MARK_BYTES].hex()
