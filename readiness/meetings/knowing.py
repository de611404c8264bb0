"""Who knows of a meeting, and who has to be called because no message told them how it is now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from readiness.meetings.kinds import INVITES
from reports.store.records import Host, Meeting, Outgoing, Participant

__all__ = ["has_to_be_called", "may_know"]

_TELLS: Final = {*INVITES, "moved", "cancelled"}
"""Messages that say when a meeting is, or that it is off."""
_MAY_HAVE_ARRIVED: Final = {"sending", "sent", "failed"}
"""States of a message that somebody may have read. A failed one too: gateways break off after they took it."""


def may_know(person: Participant | Host, messages: Sequence[Outgoing]) -> bool:
    """Return whether somebody may have been told of the meeting: by letter, link, word of mouth or message."""
    if person.given_at is not None or person.told_at is not None:
        return True
    return any(one.state in _MAY_HAVE_ARRIVED for one in _told(person, messages))


def has_to_be_called(person: Participant | Host, meeting: Meeting, messages: Sequence[Outgoing]) -> bool:
    """Return whether somebody may know an older state of the meeting, and nothing has told them the present one.

    A letter that was printed since does not count: nobody knows when it is read.
    """
    since = meeting.changed_at
    if since is None or not may_know(person, messages):
        return False
    is_told = person.told_at is not None and person.told_at >= since
    return not is_told and not any(_reaches(one, since) for one in _told(person, messages))


def _told(person: Participant | Host, messages: Sequence[Outgoing]) -> list[Outgoing]:
    return [one for one in messages if one.kind in _TELLS and person.id in {one.participant_id, one.host_id}]


def _reaches(message: Outgoing, since: datetime) -> bool:
    """Return whether a message says how the meeting is now, or need not say it because nothing is another."""
    if message.state == "dropped":
        return message.error == "over" and message.created_at >= since
    return message.state in {"waiting", "sending"} or (
        message.state == "sent" and (message.sent_at or message.created_at) >= since
    )
