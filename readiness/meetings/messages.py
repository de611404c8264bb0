"""Texts of messages: mail as text and HTML, or SMS, from the state at sending. Pure; sends nothing.

Neutral on purpose: a lock screen or a shared mailbox shows a time, a link and a phone number; no title, no name of a
participant, no reason for the meeting. There are no pictures, and nothing tracks whether a mail was opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from readiness.meetings.calendars import Calendar, invitation_calendar
from readiness.meetings.clinics import clinic_phone
from readiness.meetings.gsm import MOST_PARTS, carried, parts
from readiness.meetings.kinds import KINDS
from readiness.meetings.message_parts import MailParts, MessageContext, counts
from readiness.meetings.paper import TEMPLATES
from readiness.texts import catalogue
from reports.render.languages import TABLE
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store.records import MessageName, Outgoing

__all__ = ["Message", "render_message"]

LEAST_NAME = 12
"""Least letters of an organisation's name in an SMS, however long the rest is."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message ready for delivery; an SMS has a text only."""

    subject: str
    text: str
    html: str = ""
    calendar: Calendar | None = None


def render_message(outgoing: Outgoing, context: MessageContext) -> Message:
    """Return the message for `outgoing`, in the receiver's language."""
    words = _words(context)
    if outgoing.channel == "sms":
        return Message(subject="", text=_sms_text(f"sms.{_sms_name(outgoing.kind, context)}", context, words))
    kind = KINDS[outgoing.kind]
    mail = kind.parts(context, words)
    calendar = None
    if kind.has_calendar and context.mail and context.sender:
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
            is_removed=outgoing.kind == "removed",
        )
    return Message(mail.subject, _as_text(mail, words), _as_html(mail, words), calendar)


def _sms_name(kind: MessageName, context: MessageContext) -> str:
    """Return the message's key among the texts of SMS."""
    if context.wants != "test":
        return context.wants
    if kind != "moved":
        return kind
    return f"{'changed' if context.is_same_time else 'moved'}{'_host' if context.host_role else ''}"


def _sms_text(key: str, context: MessageContext, words: Words) -> str:
    """Return an SMS in characters that SMS carries, with the organisation's name shortened to fit."""
    name, values = carried(context.organisation.name), counts(context, words)
    text = carried(words.t(key, **values, organisation=name))
    while parts(text) > MOST_PARTS and len(name) > LEAST_NAME:
        name = name[: -min(10, len(name) - LEAST_NAME)].rstrip(" ,.-")
        text = carried(words.t(key, **values, organisation=f"{name}..."))
    return text


def _words(context: MessageContext) -> Words:
    organisation, meeting = context.organisation, context.meeting
    zone = ZoneInfo(organisation.time_zone)
    phone = meeting.support_phone or organisation.support_phone
    bare = Words(catalogue(context.language), context.language)
    return Words(
        bare.catalogue,
        context.language,
        phone=phone_in(context.language, phone),
        clinic=phone_in(context.language, clinic_phone(meeting, organisation) or phone),
        hours=organisation.support_hours,
        organisation=organisation.name,
        when=bare.moment(meeting.starts_at, zone),
        time=bare.clock(meeting.starts_at, zone),
        day=bare.day(meeting.starts_at, zone),
        before=bare.moment(context.moved_from, zone) if context.moved_from else "",
        link=context.link,
        feed=context.feed,
        pin=context.pin,
        minutes=context.pin_minutes,
    )


def _as_text(mail: MailParts, words: Words) -> str:
    """Return the mail as plain text; a link has a line of its own, so that no mail program cuts it."""
    blocks = [words.t("mail.hello"), "\n".join(mail.lead)]
    if mail.button:
        blocks.append(f"{mail.button[0]}:\n{mail.button[1]}")
    if mail.steps:
        steps = [f"{number}. {step}" for number, step in enumerate(mail.steps, 1)]
        blocks.append("\n".join([words.t("mail.steps"), *steps]))
    blocks += ["\n".join([title, *(f"- {line}" for line in lines)]) for title, lines in mail.groups]
    blocks += ["\n".join(mail.notes)] if mail.notes else []
    return "\n\n".join([*blocks, words.t("mail.from")]) + "\n"


def _as_html(mail: MailParts, words: Words) -> str:
    return _template().render(
        mail=mail,
        lang=words.language,
        dir=TABLE[words.language].dir,
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
