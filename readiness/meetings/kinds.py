"""The kinds of message, as one table: content, conditions, and when a message is no longer of use. Pure.

A new kind is a row here, a name in `reports.store.records.MessageName`, and words in the catalogues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from readiness.access.pins import PIN_LIFE
from readiness.meetings import message_parts as parts
from readiness.meetings.message_parts import MailParts, MessageContext
from reports.model import READY_VERDICTS
from reports.render.words import Words
from reports.store.records import ANSWERS_AFTER_END, Meeting, MeetingState, MessageName, Outgoing, StoredReport
from reports.validity import recheck_due

__all__ = ["BRINGS_LINK", "FOLLOWS_UP", "INVITES", "KINDS", "MessageKind"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKind:
    """Properties common to all messages of a kind."""

    parts: Callable[[MessageContext, Words], MailParts]
    """Content of its mail; the words of its SMS are ``sms.<name>``."""
    until: Literal["start", "end", "answers", "code"] = "end"
    """Until when it is of use: start or end of its meeting, end of its question, or expiry of a one-time code."""
    of: MeetingState | None = "planned"
    """State of the meetings it is sent for; None means any."""
    invites: bool = False
    """A first message about a meeting, after which its reader is told of changes. Limited per day."""
    needs_open_link: bool = False
    """Follows an invitation: dropped if the link was revoked, or if the meeting moves while it waits."""
    has_link: bool = True
    """Carries a link: to the test for a participant, to the board for a host."""
    has_calendar: bool = False
    """Whether its mail has a calendar entry."""
    asks: Literal["test", "fresh_test"] | None = None
    """The report it asks a participant for: one valid now, or one valid when the meeting starts."""
    shows: Literal["feed", "day", "change", "code"] | None = None
    """Additional data it needs: the leader's calendar, the leader's day, the changed person, the code."""

    def is_over(self, outgoing: Outgoing, meeting: Meeting, now: datetime) -> bool:
        """Return whether a message of this kind about `meeting` is no longer of use, regardless of its reader."""
        ends = {
            "start": meeting.starts_at,
            "end": meeting.ends_at,
            "answers": meeting.ends_at + ANSWERS_AFTER_END,
            "code": outgoing.created_at + PIN_LIFE,
        }
        return now >= ends[self.until] or (self.of is not None and self.of != meeting.state)

    def is_answered(self, newest: StoredReport | None, meeting: Meeting, now: datetime, zone: str) -> bool:
        """Return whether a participant has already done what this kind asks for; "not ready" asks for another test."""
        if self.asks is None or newest is None or newest.verdict == "incomplete":
            return False
        if self.asks == "test":
            return newest.verdict in READY_VERDICTS and newest.valid_until > now
        return newest.valid_until > meeting.starts_at and not recheck_due(newest, meeting, zone, now)


KINDS: Final[Mapping[MessageName, MessageKind]] = {
    # To participants.
    "invitation": MessageKind(parts=parts.invitation, invites=True, has_calendar=True),
    "reminder": MessageKind(parts=parts.reminder, until="start", needs_open_link=True, asks="test"),
    "recheck": MessageKind(parts=parts.recheck, until="start", needs_open_link=True, asks="fresh_test"),
    "afterwards": MessageKind(parts=parts.afterwards, until="answers", needs_open_link=True),
    # To both.
    "moved": MessageKind(parts=parts.moved, needs_open_link=True, has_calendar=True),
    "cancelled": MessageKind(parts=parts.cancelled, of="cancelled", has_link=False, has_calendar=True),
    "removed": MessageKind(parts=parts.removed, of=None, has_link=False, has_calendar=True),
    # To leaders and technical hosts.
    "leader_link": MessageKind(parts=parts.leader_link, invites=True, has_calendar=True, shows="feed"),
    "summary": MessageKind(parts=parts.summary, until="start", needs_open_link=True, shows="day"),
    "alert": MessageKind(parts=parts.alert, until="start", needs_open_link=True, shows="change"),
    "pin": MessageKind(parts=parts.pin, until="code", of=None, has_link=False, shows="code"),
}

INVITES: Final = frozenset(name for name, kind in KINDS.items() if kind.invites)
FOLLOWS_UP: Final = frozenset(name for name, kind in KINDS.items() if kind.needs_open_link)
"""Kinds that become wrong if the meeting moves while they wait."""
BRINGS_LINK: Final = frozenset(name for name, kind in KINDS.items() if kind.has_link)
