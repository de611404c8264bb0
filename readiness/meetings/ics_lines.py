"""A calendar file's bytes as events and zones (RFC 5545 3.1, 3.6). Nothing is expanded: the work grows with the file.

Lines are unfolded before they are decoded, because a fold may be in the middle of a letter. The meaning of lines and
components is not this module's concern; unneeded ones are not kept.
"""

from __future__ import annotations

import codecs
import contextlib
import quopri
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from functools import cached_property

from readiness.errors import InputError
from readiness.meetings.textfile import LOST, read_twice, reads_well

__all__ = ["Calendar", "Component", "Line", "calendars_of", "of_a_mail"]

MOST_EVENTS = 2000
"""Limit for one file, with cancelled and outdated events; each costs at least the reading of its text."""
MOST_ZONES = 200
MOST_ALIKE = 500
"""Most lines of one name in a component; far above the people of a meeting."""
DEEPEST = 8
LONGEST_WORD = 1000
"""Longest title or name that is searched for encoded words of mail."""
_EOL = re.compile(rb"\r*\n|\r")
_HEAD = re.compile(r"([A-Za-z0-9-]{1,60})([;:])")
_GLUED = re.compile(r"[^:;]{0,20}?(BEGIN:V(?:CALENDAR|EVENT|TIMEZONE))\s*", re.IGNORECASE)
"""A placeholder that a program wrote before the line, such as ``None``."""
_PIECE = re.compile(r'[^";]*(?:"[^"]*"[^";]*)*')
_MAILTO = re.compile(r":(?:mailto:)+", re.IGNORECASE)
_MOMENT = re.compile(r":(?=\d{4}-?\d\d-?\d\d(?:T[\d:.,]{0,20}(?:Z|[+-]\d\d:?\d\d)?)?\s*\Z)", re.ASCII | re.IGNORECASE)
_CARETS = {"^n": "\n", "^N": "\n", "^^": "^", "^'": '"'}
_ESCAPES = {"n": "\n", "N": "\n"}
_CHARSETS = dict.fromkeys(("ISO-8859-1", "LATIN1", "US-ASCII", "WINDOWS-1252"), "cp1252") | {
    "ISO-8859-15": "iso8859-15"
}
"""Of quoted-printable text, besides UTF-8: the first two are read as what browsers take them for."""
_SEMICOLON = "\x1f"
"""Stands for an escaped semicolon, which belongs to its parameter as vCalendar 1.0 writes it."""
_PEOPLE = frozenset({"ATTENDEE", "ORGANIZER"})
_NAMES = re.compile(rb"(?:ATTENDEE|ORGANIZER|SUMMARY|LOCATION)[:;]", re.IGNORECASE)
"""Lines whose letters are shown and printed."""
_MOMENTS = frozenset({"DTSTART", "DTEND", "RECURRENCE-ID"})
_KEPT = frozenset(
    [
        "ATTENDEE",
        "CONFERENCE",
        "DESCRIPTION",
        "DTEND",
        "DTSTAMP",
        "DTSTART",
        "DURATION",
        "LAST-MODIFIED",
        "LOCATION",
        "METHOD",
        "ORGANIZER",
        "RDATE",
        "RECURRENCE-ID",
        "RRULE",
        "SEQUENCE",
        "STATUS",
        "SUMMARY",
        "TZID",
        "TZOFFSETFROM",
        "TZOFFSETTO",
        "UID",
        "URL",
        "X-ALT-DESC",
        "X-GOOGLE-CONFERENCE",
        "X-LIC-LOCATION",
        "X-MICROSOFT-ONLINEMEETINGCONFLINK",
        "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK",
        "X-MICROSOFT-SKYPETEAMSMEETINGURL",
        "X-WR-TIMEZONE",
    ]
)
_OTHERS = frozenset(
    [
        "ATTACH",
        "CATEGORIES",
        "CLASS",
        "COMMENT",
        "CONTACT",
        "CREATED",
        "EXDATE",
        "GEO",
        "PRIORITY",
        "TRANSP",
        "VERSION",
        "PRODID",
    ]
)
"""Known names that are not kept; a line with an unknown name continues the text before it, which was not folded."""


@dataclass(frozen=True)
class Line:
    """One property: its name in capitals, its raw parameters, and its value, still escaped."""

    name: str
    head: str
    value: str

    @cached_property
    def params(self) -> Mapping[str, str]:
        """Parameters by name in capitals, without the quotes around them; a comma in one belongs to it."""
        found: dict[str, str] = {}
        head = self.head if self.head.count('"') % 2 == 0 else self.head.replace('"', "")
        for piece in _PIECE.findall(head.replace("\\;", _SEMICOLON)):
            name, equals, value = piece.replace(_SEMICOLON, ";").partition("=")
            if not equals and name.strip().upper() in {"QUOTED-PRINTABLE", "BASE64"}:
                name, value = "ENCODING", name  # vCalendar 1.0 leaves the name out
            plain = value.strip()
            if len(plain) > 1 and plain[0] == plain[-1] == '"' and '"' not in plain[1:-1]:
                plain = plain[1:-1]
            plain = re.sub(r"\^[nN^']", lambda mark: _CARETS[mark[0]], plain)
            found.setdefault(name.strip().upper(), plain)
        return found

    @property
    def text(self) -> str:
        """The value as text, with what was escaped (RFC 5545 3.3.11) as it was meant."""
        return re.sub(r"\\(.)", lambda mark: _ESCAPES.get(mark[1], mark[1]), self.value, flags=re.DOTALL)


@dataclass
class Component:
    """An event, a zone or a part of one, with its own lines."""

    kind: str
    lines: dict[str, list[Line]] = field(default_factory=dict)
    parts: list[Component] = field(default_factory=list)
    is_whole: bool = False
    """Whether it and its alarms have an end; one that is cut off may lack people."""

    def all(self, name: str) -> list[Line]:
        """Return all lines of this name."""
        return self.lines.get(name, [])

    def first(self, name: str) -> Line | None:
        """Return the first line of this name."""
        found = self.lines.get(name)
        return found[0] if found else None

    def text(self, name: str) -> str:
        """Return the text of the first line of this name, stripped, or ""."""
        found = self.first(name)
        return found.text.strip() if found else ""


@dataclass
class Calendar(Component):
    """One VCALENDAR: its method, events and zones."""

    events: list[Component] = field(default_factory=list)
    zones: list[Component] = field(default_factory=list)


def calendars_of(raw: bytes) -> list[Calendar]:
    """Return the calendars in `raw`. Raises InputError for too much in one file, and for bytes that are no text."""
    found: list[Calendar] = []
    open_ones: list[Component] = []
    last: Line | None = None
    for text in _lines(_as_utf8(raw)):
        line = _parsed(text, last)
        if line.name == "BEGIN":
            _open(line.value.strip().upper(), open_ones, found)
            last = None
        elif line.name == "END":
            _close(re.split(r"[,;\s]", line.value.strip().upper(), maxsplit=1)[0], open_ones)
            last = None
        elif open_ones:
            last = _keep(open_ones[-1], line, last)
    if sum(len(one.events) for one in found) > MOST_EVENTS or sum(len(one.zones) for one in found) > MOST_ZONES:
        raise InputError("import.too_large")
    return found


def of_a_mail(text: str) -> str:
    """Decode a name or title that a program wrote as mails do (RFC 2047), such as ``=?UTF-8?Q?P=C3=A5l?=``.

    A text that can't be decoded stays as it is.
    """
    if "=?" not in text or len(text) > LONGEST_WORD:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _as_utf8(raw: bytes) -> bytes:
    """Return the text without a byte order mark, in an encoding with line ends of one byte."""
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    encoding = next((name for mark, name in marks.items() if raw.startswith(mark)), "")
    if not encoding and raw[:2].count(0) == 1:
        encoding = "utf-16-be" if raw[0] == 0 else "utf-16-le"
    if encoding:
        raw = raw.decode(encoding, "replace").encode("utf-8", "replace")
    if b"\0" in raw:
        raise InputError("import.calendar")
    return raw


def _lines(raw: bytes) -> Iterator[str]:
    """Yield each line unfolded. Programs that do not know UTF-8 write Windows-1252."""
    parts: list[bytes] = []
    for one in _EOL.split(raw):
        if one[:1] in {b" ", b"\t"} and parts:
            parts.append(one[1:])
            continue
        if not one:
            continue
        if parts and parts[-1].endswith(b"=") and b"QUOTED-PRINTABLE" in parts[0][:300].upper():
            parts[-1] = parts[-1][:-1]
            parts.append(one)
            continue
        if parts:
            yield _decoded(b"".join(parts))
        parts = [one]
    if parts:
        yield _decoded(b"".join(parts))


def _decoded(line: bytes) -> str:
    """Return a line's text. Raises InputError for a name in an unknown encoding: it must never be guessed."""
    with contextlib.suppress(UnicodeDecodeError):
        return read_twice(line.decode("utf-8"))
    with contextlib.suppress(UnicodeDecodeError):
        text = codecs.getincrementaldecoder("utf-8")().decode(line)  # without the beginning of a letter at the end
        if not text.isascii():
            return text  # a program that counts bytes has cut the letter in two
    text = line.decode("cp1252", "replace")
    if _NAMES.match(line) and (LOST in text or not reads_well(text)):
        raise InputError("import.calendar_letters")
    return text


def _parsed(text: str, last: Line | None) -> Line:
    """Return a line with its parts; one without parts continues the text before it."""
    if glued := _GLUED.fullmatch(text):
        text = glued[1]
    head = _HEAD.match(text)
    name = head[1].upper() if head else ""
    if not head or (last is not None and name not in _KEPT | _OTHERS | {"BEGIN", "END"} and not name.startswith("X-")):
        return Line("", "", text)
    at = head.end() - 1 if head[2] == ":" else _colon(text, head.end(), name)
    line = Line(name, text[head.end() : at], text[at + 1 :])
    if name in _KEPT and "QUOTED-PRINTABLE" in line.head.upper():
        line = Line(name, line.head, _unquoted(line))
    return line


def _colon(text: str, begins: int, name: str) -> int:
    """Return where the value of a line with parameters begins: at the first colon outside quotes.

    Names of people and zones may have an unquoted colon.
    """
    if name in _MOMENTS and (moment := _MOMENT.search(text, begins)):
        return moment.start()
    at, quoted = len(text), False
    for mark in re.finditer(r'[":]', text[begins:]):
        if mark[0] == '"':
            quoted = not quoted
        elif not quoted:
            at = begins + mark.start()
            break
    else:
        at = max(text.find(":", begins), -1)
        at = len(text) if at < 0 else at
    if name in _PEOPLE:
        later = [begins + one.start() for one in _MAILTO.finditer(text[begins:])]
        quotes = text.count('"', at, later[-1]) if later else 1
        at = later[-1] if later and later[-1] > at and quotes % 2 == 0 else at
    return at


def _unquoted(line: Line) -> str:
    """Return a quoted-printable value, as vCalendar 1.0 has them, escaped as in RFC 5545."""
    raw = quopri.decodestring(line.value.encode("utf-8", "replace"))
    charset = _CHARSETS.get(line.params.get("CHARSET", "").upper())
    text = raw.decode(charset, "replace") if charset else _decoded(raw)
    return text.replace("\\", "\\\\").replace("\r\n", "\\n").replace("\n", "\\n")


def _open(kind: str, open_ones: list[Component], found: list[Calendar]) -> None:
    if kind == "VCALENDAR":
        found.append(Calendar(kind))
        open_ones[:] = [found[-1]]
        return
    if kind == "VEVENT":  # never inside another one, which was then cut off
        del open_ones[1:]
    if not found:
        found.append(Calendar("VCALENDAR"))
    if not open_ones:
        open_ones.append(found[-1])
    component = Component(kind)
    parent = open_ones[-1]
    if kind == "VEVENT":
        found[-1].events.append(component)
    elif kind == "VTIMEZONE" and len(open_ones) == 1:
        found[-1].zones.append(component)
    elif parent.kind == "VTIMEZONE":
        parent.parts.append(component)
    if len(open_ones) < DEEPEST:
        open_ones.append(component)


def _close(kind: str, open_ones: list[Component]) -> None:
    for depth in range(len(open_ones) - 1, -1, -1):
        if open_ones[depth].kind == kind:
            open_ones[depth].is_whole = kind != "VEVENT" or depth == len(open_ones) - 1
            del open_ones[depth:]
            return


def _keep(component: Component, line: Line, last: Line | None) -> Line | None:
    """Keep a needed line; return it if its text may continue in the next one."""
    if not line.name:
        if last is None or line.value == "":
            return last
        line = Line(last.name, last.head, line.value.replace("\\", "\\\\"))
    if line.name not in _KEPT:
        return None
    listed = component.lines.setdefault(line.name, [])
    if len(listed) < MOST_ALIKE:
        listed.append(line)
    return line if line.name in {"DESCRIPTION", "LOCATION", "SUMMARY"} else None
