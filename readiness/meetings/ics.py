"""Meetings from a calendar file: iCalendar (RFC 5545 and 5546), vCalendar 1.0, and either in a mail.

METHOD tells what a file is for: an answer, or a counter-proposal, changes nothing. Of two versions of an entry the
newer one counts, by SEQUENCE and DTSTAMP. Errors name an entry by its number in the file.
"""

from __future__ import annotations

import email
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import Message

from readiness.errors import InputError
from readiness.meetings.ics_lines import Component, Line, calendars_of, of_a_mail
from readiness.meetings.ics_people import invited
from readiness.meetings.ics_zones import TimeError, Zones, length_of
from readiness.meetings.join_links import best_link
from readiness.meetings.wanted import LONGEST_FOUND, Bad, BadRowError, Wanted
from readiness.meetings.wishes import MeetingPlan

__all__ = ["is_calendar", "is_mail", "read_calendar", "read_mail"]

LONGEST_TITLE = 120
LONGEST_UID = 1000
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""The time of an entry that only cancels."""
PLANS = frozenset({"", "PUBLISH", "REQUEST", "ADD"})
ENDED = frozenset({"CANCELLED", "CANCELED"})
"""A STATUS that cancels: RFC 5545's, and as some American programs spell it."""
_CALLED_OFF = re.compile(
    r"(?:avlyst|kansellert|cancell?ed|inställt|inställd|aflyst|abgesagt|annulé|geannuleerd|peruutettu|odwołane)\s?:",
    re.IGNORECASE,
)
"""What Outlook writes before the title of an entry that was cancelled, also where its STATUS says nothing."""
_MAILBOX = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From \S[^\r\n]{0,300}\d\d:\d\d(?::\d\d)?(?: \S{1,6})? \d{4}[^\r\n]{0,10}\r?\n"
)
"""The line before each mail of a file that holds several (mbox). It ends with a clock and a year; prose seldom does."""
SUREST = (
    "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    "X-GOOGLE-CONFERENCE",
    "X-MICROSOFT-ONLINEMEETINGCONFLINK",
    "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK",
)
"""Properties in which programs put the meeting's link and nothing else."""
_PLAIN = re.compile(r"(?<!\w)http://", re.IGNORECASE)
"""A link that anybody on the way can read and change; inside another link it belongs to that one."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OF_A_MAIL = "__substg1.0_".encode("utf-16-le")
"""Outlook saves a mail as an old Office container with parts of this name."""
_BEGINS = re.compile(rb"(?i)(?:^|[\r\n])[^:;\r\n]{0,20}BEGIN:V(?:CALENDAR|EVENT)[ \t]*(?:[\r\n]|$)")
_HEADER = re.compile(
    rb"(?im)^(?:From|To|Cc|Subject|Date|Received|Return-Path|MIME-Version|Content-(?:Type|Transfer-Encoding|Class)|Message-ID"
    rb"|Delivered-To|DKIM-Signature|Authentication-Results|X-[\w-]{1,40}):"
)


def is_calendar(raw: bytes) -> bool:
    """Return whether a file is meant to be a calendar."""
    return _BEGINS.search(raw[:8192].replace(b"\0", b"")) is not None


def is_mail(raw: bytes) -> bool:
    """Return whether a file is a mail, as mail programs save it."""
    if raw.startswith(_OLE):
        return _OF_A_MAIL in raw
    head = re.split(rb"\r?\n\r?\n|\r\r", raw.lstrip()[:16384], maxsplit=1)[0]
    first = re.match(rb"(?:From |[A-Za-z][A-Za-z0-9-]{0,60}:)", head)
    return first is not None and head[:6].upper() != b"BEGIN:" and len(_HEADER.findall(head)) > 1


def read_mail(raw: bytes) -> tuple[list[Wanted], list[Bad]]:
    """Return the meetings of the calendars in a mail, or in several. Raises InputError if there are none."""
    found: dict[bytes, str] = {}
    try:
        mails = [] if raw.startswith(_OLE) else [one for one in _MAILBOX.split(raw) if one.strip()]
        parts = (part for one in mails for part in email.message_from_bytes(one).walk() if _has_calendar(part))
        for part in parts:
            found.setdefault(_payload(part), str(part.get_param("method") or ""))
    except (RecursionError, LookupError, ValueError, TypeError):
        found = {}
    if not found:
        raise InputError("import.mail")
    return _read(list(found.items()))


def _has_calendar(part: Message) -> bool:
    name = (part.get_filename() or "").lower()
    return part.get_content_type() in {"text/calendar", "application/ics"} or name.endswith((".ics", ".vcs"))


def _payload(part: Message) -> bytes:
    raw = part.get_payload(decode=True)
    raw = raw if isinstance(raw, bytes) else b""
    charset = (part.get_content_charset() or "utf-8").lower()
    return raw.decode("cp1252", "replace").encode() if charset in {"iso-8859-1", "windows-1252"} else raw


def read_calendar(raw: bytes) -> tuple[list[Wanted], list[Bad]]:
    """Return the meetings of a calendar and its bad entries. Raises InputError if it is no calendar."""
    return _read([(raw, "")])


def _read(files: Sequence[tuple[bytes, str]]) -> tuple[list[Wanted], list[Bad]]:
    """Return the meetings of files, each with the method of the mail around it, for a calendar without one."""
    entries: list[_Entry] = []
    bad: list[Bad] = []
    calendars = [(one, method) for raw, method in files for one in calendars_of(raw)]
    for calendar, method in calendars:
        zones = Zones(calendar.zones, calendar.text("X-WR-TIMEZONE"))
        asked = (calendar.text("METHOD") or method).upper()
        for event in calendar.events:
            row = len(entries) + len(bad) + 1
            try:
                entries.append(_entry(row, event, zones, asked))
            except BadRowError as error:
                bad.append(error.bad)
    if not entries and not bad and not calendars:
        raise InputError("import.calendar")
    wanted: list[Wanted] = []
    for entry, notes in _newest(entries):
        try:
            one = _wanted(entry)
            wanted.append(replace(one, notes=(*one.notes, *notes)))
        except BadRowError as error:
            bad.append(error.bad)
        except TimeError as error:
            bad.append(Bad(entry.row, error.reason, "DTSTART", error.found[:LONGEST_FOUND]))
    return wanted, bad


@dataclass(frozen=True, slots=True)
class _Entry:
    """An event with its identity and version."""

    row: int
    event: Component
    zones: Zones
    key: str
    series: str
    occurrence: str
    version: str
    is_cancelled: bool


def _entry(row: int, event: Component, zones: Zones, method: str) -> _Entry:
    if method not in PLANS | {"CANCEL"}:
        raise BadRowError(Bad(row, "import.answer", "METHOD", method[:LONGEST_FOUND]))
    if not event.is_whole:
        raise BadRowError(Bad(row, "import.cut", "END:VEVENT"))
    uid = event.text("UID")
    if not uid:
        raise BadRowError(Bad(row, "import.no_id", "UID"))
    if len(uid) > LONGEST_UID:
        uid = uid[:LONGEST_UID] + hashlib.sha256(uid.encode("utf-8", "replace")).hexdigest()
    series, named = f"ics:{uid}", event.first("RECURRENCE-ID")
    occurrence = _time(row, zones, named, beside=event.first("DTSTART")) if named else ""
    return _Entry(
        row=row,
        event=event,
        zones=zones,
        key=f"{series}\x1f{occurrence}" if occurrence else series,
        series=series,
        occurrence=occurrence,
        version=_version(event),
        is_cancelled=method == "CANCEL" or event.text("STATUS").upper() in ENDED,
    )


def _time(row: int, zones: Zones, line: Line, *, beside: Line | None = None) -> str:
    """Return a moment as RFC 3339, the same text for the same moment in any zone."""
    try:
        return zones.moment(line, beside=beside).isoformat()
    except TimeError as error:
        raise BadRowError(Bad(row, error.reason, line.name, error.found[:LONGEST_FOUND])) from None


def _version(event: Component) -> str:
    """Return the entry's version as text; a newer one is greater. "" if the entry does not say."""
    counted, stamped = event.text("SEQUENCE"), event.text("DTSTAMP") or event.text("LAST-MODIFIED")
    sequence = int(counted) if re.fullmatch(r"\d{1,9}", counted, re.ASCII) else 0
    stamp = re.sub(r"[^0-9]", "", stamped)[:14] if re.fullmatch(r"\d{8}T\d{6}Z?", stamped, re.ASCII) else ""
    return f"{sequence:09d} {stamp}" if counted or stamp else ""


def _newest(entries: Sequence[_Entry]) -> list[tuple[_Entry, tuple[Bad, ...]]]:
    """Return the newest version of each entry, of equal ones the last, and notes on those left out."""
    versions: dict[str, list[_Entry]] = {}
    for one in entries:
        versions.setdefault(one.key, []).append(one)
    found = []
    for some in versions.values():
        newest = max(reversed(some), key=lambda one: one.version)
        others = [one for one in some if one is not newest and one.event.lines != newest.event.lines]
        found.append((newest, tuple(Bad(one.row, "import.older", "UID") for one in others)))
    return found


def _wanted(entry: _Entry) -> Wanted:
    if entry.is_cancelled:
        return _cancelling(entry)
    row, event = entry.row, entry.event
    if event.all("RRULE") or event.all("RDATE") or _range(event):
        name = next((name for name in ("RRULE", "RDATE") if event.all(name)), "RECURRENCE-ID")
        raise BadRowError(Bad(row, "import.repeats", name))
    title = " ".join(of_a_mail(event.text("SUMMARY")).split())[:LONGEST_TITLE].strip()
    if _CALLED_OFF.match(title):
        raise BadRowError(Bad(row, "import.called_off", "SUMMARY", title[:LONGEST_FOUND]))
    starts, minutes = _span(entry)
    who = invited(event.first("ORGANIZER"), event.all("ATTENDEE"), row)
    link = _link(event)
    notes = list(who.notes)
    if plain := _plain_link(event, link):
        notes.append(Bad(row, "import.link_plain", *plain))
    if starts.tzinfo is None:
        notes.append(Bad(row, "import.clock", "DTSTART", _shown(event.first("DTSTART"))))
    plan = MeetingPlan(
        starts=starts,
        minutes=45 if minutes is None else minutes,
        title=title,
        join_link=link,
        people=who.people,
        hosts=who.hosts,
        key=entry.key,
        series=entry.series,
        version=entry.version,
    )
    said = {"starts": True, "minutes": minutes is not None, "title": title, "join_link": link}
    return Wanted(
        plan,
        (row,) * max(1, len(who.people)),
        named=frozenset(name for name, value in said.items() if value),
        notes=tuple(notes),
    )


def _cancelling(entry: _Entry) -> Wanted:
    """Return the wish of an entry that only cancels: one meeting, or those of a series, all or from one on.

    Whoever is taken out of a meeting gets a CANCEL without a STATUS, with nobody else in it (RFC 5546 3.2.5): it has
    its people then.
    """
    event, row = entry.event, entry.row
    is_whole = event.text("STATUS").upper() in ENDED
    people = () if is_whole else invited(event.first("ORGANIZER"), event.all("ATTENDEE"), row).people
    whole = "" if not entry.occurrence else entry.occurrence if _range(entry.event) else None
    return Wanted(
        MeetingPlan(starts=NO_TIME, key=entry.key, series=entry.series, version=entry.version, people=people),
        (row,) * max(1, len(people)),
        is_cancelled=True,
        cancels_from=whole,
    )


def _range(event: Component) -> bool:
    named = event.first("RECURRENCE-ID")
    return named is not None and named.params.get("RANGE", "").upper() == "THISANDFUTURE"


def _span(entry: _Entry) -> tuple[datetime, int | None]:
    """Return the meeting's start, in UTC or without a zone, and its length in minutes if the entry has one."""
    row, event, zones = entry.row, entry.event, entry.zones
    begins, ends, lasts = event.first("DTSTART"), event.first("DTEND"), event.first("DURATION")
    if begins is None:
        raise BadRowError(Bad(row, "import.time", "DTSTART"))
    starts = zones.moment(begins)
    if not isinstance(starts, datetime):
        raise BadRowError(Bad(row, "import.all_day", "DTSTART", _shown(begins)))
    try:
        if ends is not None:
            until = zones.moment(ends, beside=begins)
            if isinstance(until, datetime):
                return starts, _minutes(_between(starts, until, ends.value))
        return starts, _minutes(length_of(lasts.value)) if lasts and ends is None else None
    except TimeError as error:
        name = "DTEND" if ends is not None else "DURATION"
        raise BadRowError(Bad(row, error.reason, name, error.found[:LONGEST_FOUND])) from None


def _between(starts: datetime, until: datetime, shown: str) -> timedelta:
    if (until.tzinfo is None) != (starts.tzinfo is None):
        raise TimeError("import.time", shown)
    return until - starts


def _minutes(lasts: timedelta) -> int:
    return round(lasts.total_seconds() / 60)


def _shown(line: Line | None) -> str:
    return line.value.strip()[:LONGEST_FOUND] if line else ""


def _link(event: Component, told: Callable[[str], str] = str) -> str:
    """Return the link that opens the meeting; `told` decodes each text."""
    conferences = [
        one for one in event.all("CONFERENCE") if "PHONE" not in one.params.get("FEATURE", "").upper().split(",")
    ]
    surest = [one.value for name in SUREST for one in event.all(name)] + [one.value for one in conferences]
    places = [one.text for one in event.all("LOCATION")]
    described = [
        "\n".join(one.text for one in event.all("DESCRIPTION")),
        *(one.text for one in event.all("X-ALT-DESC")),
    ]
    pages = [one.value for one in event.all("URL")]
    return best_link(*([told(text) for text in texts] for texts in (surest, places, described, pages)))


def _plain_link(event: Component, link: str) -> tuple[str, str] | None:
    """Return where the entry has an ``http://`` link that else would have been the meeting's, and which it is."""
    if not any(_PLAIN.search(line.value) for some in event.lines.values() for line in some):
        return None
    found = _link(event, lambda text: _PLAIN.sub("https://", text))
    if found == link:
        return None
    found = f"http://{found.partition('://')[2]}"
    names = (*SUREST, "CONFERENCE", "LOCATION", "DESCRIPTION", "X-ALT-DESC", "URL")
    start = found.casefold()[:LONGEST_FOUND]
    holding = (one for one in names if any(start in f"{line.value} {line.text}".casefold() for line in event.all(one)))
    return next(holding, "LOCATION"), found[:LONGEST_FOUND]
