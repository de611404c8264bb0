"""What a mail of each kind says, part by part, from what is true when it is sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from reports.model import READY_VERDICTS
from reports.render.words import Words
from reports.store.records import Meeting, Organisation

__all__ = [
    "MailParts",
    "MessageContext",
    "Tally",
    "alert",
    "cancelled",
    "counts",
    "invitation",
    "leader_link",
    "moved",
    "pin",
    "recheck",
    "reminder",
    "summary",
]


@dataclass(frozen=True, slots=True)
class Tally:
    """How one meeting of a leader's day stands: a role and a state for each participant, without names."""

    starts_at: datetime
    people: tuple[tuple[str, str], ...]

    @property
    def ready(self) -> int:
        """How many are ready."""
        return sum(state in READY_VERDICTS for _, state in self.people)


@dataclass(frozen=True, slots=True)
class MessageContext:
    """What a message is made of. Lives in memory only."""

    organisation: Organisation
    meeting: Meeting
    language: str
    now: datetime
    person_id: str
    """Participant or host: part of the name of the entry in their calendar."""
    link: str = ""
    """The test of a participant, the board of a host."""
    feed: str = ""
    """The calendar of everything a leader leads, for their own calendar program."""
    host_role: str | None = None
    """leader or technical_host; None for a participant."""
    mail: str = ""
    """Where mail goes; named in the calendar entry."""
    sender: str = ""
    """Where mail comes from."""
    moved_from: datetime | None = None
    """When a meeting was that has moved; the same as now where something else of it has changed."""
    day: tuple[Tally, ...] = ()
    """A summary's meetings, in the order of time."""
    changed: tuple[str, str] | None = None
    """An alert's role and state."""
    pin: str = ""
    pin_minutes: int = 0

    @property
    def is_same_time(self) -> bool:
        """Whether the meeting is when it was."""
        return self.moved_from == self.meeting.starts_at


@dataclass(frozen=True, slots=True)
class MailParts:
    """The parts of a mail, in the order they are read."""

    subject: str
    lead: Sequence[str]
    button: tuple[str, str] | None = None
    steps: Sequence[str] = ()
    groups: Sequence[tuple[str, Sequence[str]]] = ()
    notes: Sequence[str] = ()
    words: Mapping[str, str] = field(default_factory=dict)


def counts(context: MessageContext, words: Words) -> dict[str, object]:
    """Return what summaries and alerts count or name."""
    people = sum(len(one.people) for one in context.day)
    values: dict[str, object] = {"ready": sum(one.ready for one in context.day), "total": people}
    if context.changed is not None:
        role, state = context.changed
        values |= {"role": words.first(f"role.{role}", otherwise=role), "state": words.t(f"state.{state}")}
    return values


def _line(role: str, state: str, words: Words) -> str:
    said = words.first(f"role.{role}", otherwise=role)
    return words.t("mail.line", role=said, state=words.first(f"state.{state}", otherwise=state))


def _help(words: Words, context: MessageContext) -> list[str]:
    said = words.t("mail.help")
    return [f"{said} {words.t('mail.hours')}" if context.organisation.support_hours else said]


def _test(context: MessageContext, words: Words, kind: str) -> MailParts:
    """A participant's message: what for, the link, three steps, and what is good to know."""
    return MailParts(
        subject=words.t(f"mail.{kind}.subject"),
        lead=[words.t("mail.meeting"), words.t(f"mail.{kind}.why")],
        button=(words.t("mail.test"), context.link),
        steps=[words.t(f"mail.step_{number}") for number in (1, 2, 3)],
        notes=[
            *_help(words, context),
            words.t("mail.voluntary"),
            words.t("mail.private"),
            words.t("mail.personal"),
            words.t("mail.mistake"),
        ],
    )


def invitation(context: MessageContext, words: Words) -> MailParts:
    """Return the first a participant hears: there is a meeting, and a test before it."""
    return _test(context, words, "invitation")


def reminder(context: MessageContext, words: Words) -> MailParts:
    """Return what asks a participant who has not tested."""
    return _test(context, words, "reminder")


def recheck(context: MessageContext, words: Words) -> MailParts:
    """Return what asks a participant whose test is old for a short one."""
    return _test(context, words, "recheck")


def moved(context: MessageContext, words: Words) -> MailParts:
    """Return what has changed of a meeting, for somebody who knew of it."""
    is_host = context.host_role is not None
    return MailParts(
        subject=words.t("mail.changed.subject" if context.is_same_time else "mail.moved.subject"),
        lead=[words.t("mail.changed.lead")]
        if context.is_same_time
        else [words.t("mail.moved.lead"), words.t("mail.moved.before")],
        button=(words.t("mail.board" if is_host else "mail.test"), context.link),
        notes=[
            words.t("mail.moved.board" if is_host else "mail.moved.why"),
            *_help(words, context),
            *([] if is_host else [words.t("mail.voluntary")]),
        ],
    )


def cancelled(context: MessageContext, words: Words) -> MailParts:
    """Return that there will be no meeting."""
    asked = [] if context.host_role else [words.t("mail.cancelled.ask")]
    return MailParts(subject=words.t("mail.cancelled.subject"), lead=[words.t("mail.cancelled.lead")], notes=asked)


def leader_link(context: MessageContext, words: Words) -> MailParts:
    """Return the first a leader or technical host hears, with their board."""
    return MailParts(
        subject=words.t("mail.leader_link.subject"),
        lead=[words.t(f"mail.{context.host_role or 'leader'}"), words.t("mail.leader_link.why")],
        button=(words.t("mail.board"), context.link),
        notes=[
            *_help(words, context),
            words.t("mail.personal"),
            *([words.t("mail.leader_link.feed")] if context.feed else []),
        ],
    )


def summary(context: MessageContext, words: Words) -> MailParts:
    """Return how the meetings of a leader's day stand, on the evening before."""
    zone = ZoneInfo(context.organisation.time_zone)
    groups = []
    for one in context.day:
        time = f"{one.starts_at.astimezone(zone):%H:%M}"
        title = words.t("mail.summary.meeting", time=time, ready=one.ready, total=len(one.people))
        groups.append((title, [_line(role, state, words) for role, state in one.people]))
    return MailParts(
        subject=words.t("mail.summary.subject", **counts(context, words)),
        lead=[words.t("mail.summary.lead")],
        button=(words.t("mail.board"), context.link),
        groups=groups,
        notes=_help(words, context),
    )


def alert(context: MessageContext, words: Words) -> MailParts:
    """Return that somebody became ready, or is no longer, in the last hour before the meeting."""
    role, state = context.changed or ("", "")
    return MailParts(
        subject=words.t("mail.alert.subject"),
        lead=[words.t("mail.alert.lead"), _line(role, state, words)],
        button=(words.t("mail.board"), context.link),
        notes=_help(words, context),
    )


def pin(context: MessageContext, words: Words) -> MailParts:
    """Return the one-time code that shows phone numbers on a board."""
    del context
    return MailParts(subject=words.t("mail.pin.subject"), lead=[words.t("mail.pin.lead"), words.t("mail.pin.why")])
