"""What a message says: mail as text and HTML, or SMS, from what is true when it is sent. Pure; sends nothing.

Neutral on purpose: a lock screen or a shared mailbox shows a time, a link and whom to call; no title, no name of a
participant, nothing of why they meet. No pictures and nothing that tells whether a mail was opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from readiness.meetings.calendars import Calendar, invitation_calendar
from readiness.meetings.gsm import MOST_PARTS, carried, parts
from readiness.meetings.paper import TEMPLATES
from readiness.texts import catalogue
from reports.model import READY_VERDICTS
from reports.render.words import Words
from reports.store.records import Meeting, Organisation, Outgoing

__all__ = ["Message", "MessageContext", "Tally", "render_message"]

LEAST_NAME = 12
"""Letters of an organisation's name that an SMS keeps, however long the rest is."""
WITH_CALENDAR = frozenset({"invitation", "leader_link", "moved", "cancelled"})


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
class Message:
    """A message ready to be handed over; an SMS has nothing but its text."""

    subject: str
    text: str
    html: str = ""
    calendar: Calendar | None = None


@dataclass(frozen=True, slots=True)
class _Mail:
    """The parts of a mail, in the order they are read."""

    subject: str
    lead: Sequence[str]
    button: tuple[str, str] | None = None
    steps: Sequence[str] = ()
    groups: Sequence[tuple[str, Sequence[str]]] = ()
    notes: Sequence[str] = ()
    words: Mapping[str, str] = field(default_factory=dict)


def render_message(outgoing: Outgoing, context: MessageContext) -> Message:
    """Return what `outgoing` says. Raises ValueError for a kind that nobody is sent."""
    words = _words(context)
    if outgoing.channel == "sms":
        key = f"sms.{_kind(outgoing.kind, context)}"
        if key not in words.catalogue:
            raise ValueError(f"no SMS of kind {outgoing.kind}")
        return Message(subject="", text=_sms_text(key, context, words))
    parts = _PARTS.get(outgoing.kind)
    if parts is None:
        raise ValueError(f"no mail of kind {outgoing.kind}")
    mail = parts(context, words)
    calendar = None
    if outgoing.kind in WITH_CALENDAR and context.mail and context.sender:
        calendar = invitation_calendar(
            context.meeting,
            words,
            organisation=context.organisation.name,
            person_id=context.person_id,
            mail=context.mail,
            sender=context.sender,
            link=context.link,
            is_host=context.host_role is not None,
            now=context.now,
        )
    return Message(mail.subject, _as_text(mail, words), _as_html(mail, words), calendar)


def _kind(kind: str, context: MessageContext) -> str:
    """Return what a message is called among the words of an SMS."""
    if kind != "moved":
        return kind
    return f"{'changed' if context.is_same_time else 'moved'}{'_host' if context.host_role else ''}"


def _sms_text(key: str, context: MessageContext, words: Words) -> str:
    """Return an SMS in signs that its parts are counted by, with the organisation's name cut where it is too long."""
    name, counts = carried(context.organisation.name), _counts(context, words)
    text = carried(words.t(key, **counts, organisation=name))
    while parts(text) > MOST_PARTS and len(name) > LEAST_NAME:
        name = name[: -min(10, len(name) - LEAST_NAME)].rstrip(" ,.-")
        text = carried(words.t(key, **counts, organisation=f"{name}..."))
    return text


def _words(context: MessageContext) -> Words:
    organisation, meeting = context.organisation, context.meeting
    zone = ZoneInfo(organisation.time_zone)
    bare = Words(catalogue(context.language), context.language)
    return Words(
        bare.catalogue,
        context.language,
        phone=meeting.support_phone or organisation.support_phone,
        hours=organisation.support_hours,
        organisation=organisation.name,
        when=bare.moment(meeting.starts_at, zone),
        time=f"{meeting.starts_at.astimezone(zone):%H:%M}",
        day=bare.day(meeting.starts_at, zone),
        before=bare.moment(context.moved_from, zone) if context.moved_from else "",
        link=context.link,
        feed=context.feed,
        pin=context.pin,
        minutes=context.pin_minutes,
    )


def _counts(context: MessageContext, words: Words) -> dict[str, object]:
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


def _test(context: MessageContext, words: Words, kind: str) -> _Mail:
    """A participant's message: what for, the link, three steps, and what is good to know."""
    return _Mail(
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


def _moved(context: MessageContext, words: Words) -> _Mail:
    is_host = context.host_role is not None
    return _Mail(
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


def _cancelled(context: MessageContext, words: Words) -> _Mail:
    asked = [] if context.host_role else [words.t("mail.cancelled.ask")]
    return _Mail(subject=words.t("mail.cancelled.subject"), lead=[words.t("mail.cancelled.lead")], notes=asked)


def _leader_link(context: MessageContext, words: Words) -> _Mail:
    return _Mail(
        subject=words.t("mail.leader_link.subject"),
        lead=[words.t(f"mail.{context.host_role or 'leader'}"), words.t("mail.leader_link.why")],
        button=(words.t("mail.board"), context.link),
        notes=[
            *_help(words, context),
            words.t("mail.personal"),
            *([words.t("mail.leader_link.feed")] if context.feed else []),
        ],
    )


def _summary(context: MessageContext, words: Words) -> _Mail:
    zone = ZoneInfo(context.organisation.time_zone)
    groups = []
    for one in context.day:
        time = f"{one.starts_at.astimezone(zone):%H:%M}"
        title = words.t("mail.summary.meeting", time=time, ready=one.ready, total=len(one.people))
        groups.append((title, [_line(role, state, words) for role, state in one.people]))
    return _Mail(
        subject=words.t("mail.summary.subject", **_counts(context, words)),
        lead=[words.t("mail.summary.lead")],
        button=(words.t("mail.board"), context.link),
        groups=groups,
        notes=_help(words, context),
    )


def _alert(context: MessageContext, words: Words) -> _Mail:
    role, state = context.changed or ("", "")
    return _Mail(
        subject=words.t("mail.alert.subject"),
        lead=[words.t("mail.alert.lead"), _line(role, state, words)],
        button=(words.t("mail.board"), context.link),
        notes=_help(words, context),
    )


def _pin(context: MessageContext, words: Words) -> _Mail:
    del context
    return _Mail(subject=words.t("mail.pin.subject"), lead=[words.t("mail.pin.lead"), words.t("mail.pin.why")])


_PARTS = {
    "invitation": lambda context, words: _test(context, words, "invitation"),
    "reminder": lambda context, words: _test(context, words, "reminder"),
    "recheck": lambda context, words: _test(context, words, "recheck"),
    "moved": _moved,
    "cancelled": _cancelled,
    "leader_link": _leader_link,
    "summary": _summary,
    "alert": _alert,
    "pin": _pin,
}


def _as_text(mail: _Mail, words: Words) -> str:
    """Return the mail as plain text; a link stands on a line of its own, so that no program cuts it."""
    blocks = [words.t("mail.hello"), "\n".join(mail.lead)]
    if mail.button:
        blocks.append(f"{mail.button[0]}:\n{mail.button[1]}")
    if mail.steps:
        steps = [f"{number}. {step}" for number, step in enumerate(mail.steps, 1)]
        blocks.append("\n".join([words.t("mail.steps"), *steps]))
    blocks += ["\n".join([title, *(f"- {line}" for line in lines)]) for title, lines in mail.groups]
    blocks += ["\n".join(mail.notes)] if mail.notes else []
    return "\n\n".join([*blocks, words.t("mail.from")]) + "\n"


def _as_html(mail: _Mail, words: Words) -> str:
    return _template().render(
        mail=mail,
        lang=words.language,
        hello=words.t("mail.hello"),
        how=words.t("mail.steps"),
        sign=words.t("mail.from"),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("mail.html")
