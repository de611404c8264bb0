"""The parts of each kind of mail, from the state at sending. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from readiness.meetings.clinics import clinic_contact
from reports.model import READY_VERDICTS
from reports.render.words import Words
from reports.store.records import Meeting, Organisation

__all__ = [
    "MailParts",
    "MessageContext",
    "Tally",
    "Wants",
    "afterwards",
    "alert",
    "cancelled",
    "counts",
    "invitation",
    "leader_link",
    "moved",
    "pin",
    "recheck",
    "reminder",
    "removed",
    "summary",
]

Wants = Literal["test", "again", "short"]
"""A whole test, another one because something was wrong, or the short check of the day."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The state of one meeting of a leader's day: role and state of each participant, without names."""

    starts_at: datetime
    people: tuple[tuple[str, str], ...]
    hosts: tuple[tuple[str, str], ...] = ()
    """Role and state of those who lead and run it. They are told, and not counted: nobody waits for them in vain."""

    @property
    def ready(self) -> int:
        """Return how many participants are ready."""
        return sum(state in READY_VERDICTS for _, state in self.people)


@dataclass(frozen=True, slots=True)
class MessageContext:
    """The values of a message. Kept in memory only."""

    organisation: Organisation
    meeting: Meeting
    language: str
    now: datetime
    person_id: str
    """Id of the participant or host; part of the UID of their calendar's entry."""
    link: str = ""
    """A participant's test, or a host's board."""
    feed: str = ""
    """A leader's calendar of all their meetings, for their calendar program to subscribe to."""
    host_role: str | None = None
    """leader or technical_host; None for a participant."""
    wants: Wants = "test"
    """What a reminder asks for."""
    join: str = ""
    """The meeting's own link, where a mail may carry it."""
    privacy: str = ""
    """Address of the privacy notice."""
    mail: str = ""
    """The receiver's address; also in the calendar's entry."""
    sender: str = ""
    """The sender's address."""
    moved_from: datetime | None = None
    """The earlier start of a changed meeting; equal to the present one if something else changed."""
    day: tuple[Tally, ...] = ()
    """A summary's meetings, by time."""
    changed: tuple[str, str] | None = None
    """Role and state of an alert."""
    pin: str = ""
    pin_minutes: int = 0

    @property
    def is_same_time(self) -> bool:
        """Return whether the meeting kept its time."""
        return self.moved_from == self.meeting.starts_at


@dataclass(frozen=True, slots=True)
class MailParts:
    """The parts of a mail, in reading order."""

    subject: str
    lead: Sequence[str]
    button: tuple[str, str] | None = None
    steps: Sequence[str] = ()
    groups: Sequence[tuple[str, Sequence[str]]] = ()
    notes: Sequence[str] = ()
    words: Mapping[str, str] = field(default_factory=dict)


def counts(context: MessageContext, words: Words) -> dict[str, object]:
    """Return the counts and names in summaries and alerts."""
    people = sum(len(one.people) for one in context.day)
    values: dict[str, object] = {"ready": sum(one.ready for one in context.day), "total": people}
    if context.changed is not None:
        role, state = context.changed
        values |= {"role": words.first(f"role.{role}", otherwise=role), "state": words.t(f"state.{state}")}
    return values


def _line(role: str, state: str, words: Words) -> str:
    said = words.first(f"role.{role}", f"host.{role}", otherwise=role)
    return words.t("mail.line", role=said, state=words.first(f"state.{state}", otherwise=state))


def _help(words: Words, context: MessageContext) -> list[str]:
    said = words.t("mail.help")
    return [f"{said} {words.t('mail.hours')}" if context.organisation.support_hours else said]


def _joining(words: Words, context: MessageContext) -> list[str]:
    """Say how a participant gets into the meeting itself, and what happens if the video stops."""
    meeting, said = context.meeting, []
    if meeting.join_link is not None and meeting.join_shown != "kept":
        said.append(words.t("mail.joining"))
    elif meeting.join_from:
        said.append(words.t("mail.join_from", where=meeting.join_from))
    if context.join:
        said.append(words.t("mail.join", join=context.join))
    return [*said, words.t("mail.stops")]


def _test(context: MessageContext, words: Words, kind: str) -> MailParts:
    """Return a participant's message: purpose, link, three steps, and what is good to know."""
    contact = clinic_contact(context.meeting, context.organisation)
    return MailParts(
        subject=words.t(f"mail.{kind}.subject"),
        lead=[words.t("mail.meeting"), words.t(f"mail.{kind}.why")],
        button=(words.t("mail.test"), context.link),
        steps=[words.t(f"mail.step_{number}") for number in (1, 2, 3)],
        notes=[
            *_joining(words, context),
            *_help(words, context),
            words.t("mail.what"),
            words.t("mail.voluntary"),
            *([words.t("mail.contact", contact=contact)] if contact else []),
            words.t("mail.company"),
            words.t("mail.secrecy"),
            words.t("mail.private"),
            words.t("mail.privacy", privacy=context.privacy),
            words.t("mail.personal"),
            words.t("mail.mistake"),
        ],
    )


def invitation(context: MessageContext, words: Words) -> MailParts:
    """Return a participant's first message: there is a meeting, and a test before it."""
    return _test(context, words, "invitation")


def reminder(context: MessageContext, words: Words) -> MailParts:
    """Return the reminder for a participant who has not tested."""
    return _test(context, words, "again" if context.wants == "again" else "reminder")


def recheck(context: MessageContext, words: Words) -> MailParts:
    """Return the request for a short test, for a participant whose test is old."""
    return _test(context, words, "short" if context.wants == "short" else "recheck")


def afterwards(context: MessageContext, words: Words) -> MailParts:
    """Ask a participant how the meeting went."""
    return MailParts(
        subject=words.t("mail.afterwards.subject"),
        lead=[words.t("mail.afterwards.lead")],
        button=(words.t("mail.answer"), context.link),
        notes=[words.t("mail.afterwards.voluntary"), words.t("mail.personal")],
    )


def moved(context: MessageContext, words: Words) -> MailParts:
    """Return the news of a changed meeting, for people who knew of it."""
    is_host = context.host_role is not None
    return MailParts(
        subject=words.t("mail.changed.subject" if context.is_same_time else "mail.moved.subject"),
        lead=[words.t("mail.changed.lead")]
        if context.is_same_time
        else [words.t("mail.moved.lead"), words.t("mail.moved.before")],
        button=(words.t("mail.board" if is_host else "mail.test"), context.link),
        notes=[
            words.t("mail.moved.board" if is_host else "mail.moved.why"),
            *([] if is_host else _joining(words, context)),
            *_help(words, context),
            *([] if is_host else [words.t("mail.voluntary")]),
        ],
    )


def cancelled(context: MessageContext, words: Words) -> MailParts:
    """Return the news that the meeting is cancelled."""
    asked = [] if context.host_role else [words.t("mail.cancelled.ask")]
    return MailParts(subject=words.t("mail.cancelled.subject"), lead=[words.t("mail.cancelled.lead")], notes=asked)


def removed(context: MessageContext, words: Words) -> MailParts:
    """Tell somebody that they take part no more; the meeting itself goes on."""
    lead = [words.t("mail.removed.lead")]
    notes = _help(words, context) if context.host_role else [words.t("mail.cancelled.ask")]
    return MailParts(subject=words.t("mail.removed.subject"), lead=lead, notes=notes)


def leader_link(context: MessageContext, words: Words) -> MailParts:
    """Return the first message of a leader or technical host, with the link to their board."""
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
    """Return the state of a leader's meetings of a day, sent the evening before."""
    zone = ZoneInfo(context.organisation.time_zone)
    groups = []
    for one in context.day:
        time = words.clock(one.starts_at, zone)
        title = words.t("mail.summary.meeting", time=time, ready=one.ready, total=len(one.people))
        groups.append((title, [_line(role, state, words) for role, state in (*one.people, *one.hosts)]))
    return MailParts(
        subject=words.t("mail.summary.subject", **counts(context, words)),
        lead=[words.t("mail.summary.lead")],
        button=(words.t("mail.board"), context.link),
        groups=groups,
        notes=_help(words, context),
    )


def alert(context: MessageContext, words: Words) -> MailParts:
    """Return the news that a participant became ready, or no longer is, in the last hour before the meeting."""
    role, state = context.changed or ("", "")
    return MailParts(
        subject=words.t("mail.alert.subject"),
        lead=[words.t("mail.alert.lead"), _line(role, state, words)],
        button=(words.t("mail.board"), context.link),
        notes=_help(words, context),
    )


def pin(context: MessageContext, words: Words) -> MailParts:
    """Return the mail with the one-time code that shows phone numbers on a board."""
    del context
    return MailParts(subject=words.t("mail.pin.subject"), lead=[words.t("mail.pin.lead"), words.t("mail.pin.why")])
