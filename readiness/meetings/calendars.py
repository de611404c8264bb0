"""Calendar entries (RFC 5545, 5546): one for each invited person, and a feed of all meetings of a leader.

Times are in UTC, unaffected by daylight saving; calendars show them in the reader's own zone. An entry that is moved or
cancelled keeps its UID and increments its SEQUENCE, so that the calendar changes it instead of adding another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from icalendar import Alarm, Event, vCalAddress, vText
from icalendar import Calendar as Ics

from reports.render.words import Words
from reports.store.records import Meeting

__all__ = ["Calendar", "feed_calendar", "invitation_calendar"]

PRODUCT = "-//Readiness//Readiness//EN"
REFRESH = timedelta(minutes=30)
"""How often a calendar program may fetch a feed."""
ALARM = timedelta(minutes=10)
"""So long before the start a calendar reminds: the guideline lets people in five to ten minutes before."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar object to attach: its METHOD and its bytes."""

    method: str
    content: bytes


def invitation_calendar(
    meeting: Meeting,
    words: Words,
    *,
    organisation: str,
    person_id: str,
    mail: str,
    sender: str,
    link: str,
    is_host: bool,
    now: datetime,
    is_removed: bool = False,
) -> Calendar:
    """Return the entry for the person invited at `mail`: REQUEST, or CANCEL if the meeting is off for them.

    `is_removed`: the meeting takes place without this person.
    """
    if is_removed:
        meeting = replace(meeting, state="cancelled", sequence=meeting.sequence + 1)
    method = "CANCEL" if meeting.state == "cancelled" else "REQUEST"
    event = _event(meeting, words, f"{meeting.id}.{person_id}", now)
    organiser = vCalAddress(f"MAILTO:{sender}")
    organiser.params["CN"] = vText(organisation)
    attendee = vCalAddress(f"MAILTO:{mail}")
    attendee.params["RSVP"] = vText("FALSE")
    event.add("organizer", organiser, encode=False)
    event.add("attendee", attendee, encode=False)
    said = [words.t("ics.board" if is_host else "ics.test"), words.t("mail.help")]
    event.add("description", "\n".join(said if link else said[1:]))
    if link:
        event.add("url", link)
    if method == "REQUEST":
        event.add_component(_alarm(words))
    calendar = _calendar(method)
    calendar.add_component(event)
    return Calendar(method, bytes(calendar.to_ical()))


def feed_calendar(meetings: Iterable[Meeting], words: Words, now: datetime) -> bytes:
    """Return a feed of `meetings`. It contains no link, because calendar programs store it in places unknown to us."""
    calendar = _calendar("PUBLISH")
    calendar.add("x-wr-calname", words.t("ics.calendar"))
    calendar.add("name", words.t("ics.calendar"))
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT30M")
    for meeting in meetings:
        event = _event(meeting, words, f"{meeting.id}.feed", now)
        event.add("description", words.t("ics.saved"))
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _alarm(words: Words) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", -ALARM)
    alarm.add("description", words.t("ics.summary"))
    return alarm


def _calendar(method: str) -> Ics:
    calendar = Ics()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    return calendar


def _event(meeting: Meeting, words: Words, uid: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", uid)
    event.add("sequence", meeting.sequence)
    event.add("dtstamp", now.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", meeting.starts_at.astimezone(UTC))
    event.add("dtend", meeting.ends_at.astimezone(UTC))
    event.add("summary", words.t("ics.summary"))
    event.add("status", "CANCELLED" if meeting.state == "cancelled" else "CONFIRMED")
    event.add("class", "PRIVATE")
    return event
