"""Typed and pasted text: removes invisible characters; reads or refuses times and links. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from typing import Final
from urllib.parse import urlsplit

from readiness.errors import InputError

__all__ = ["LONGEST_LINK", "clean_link", "one_line", "read_iso", "read_start", "visible"]

LONGEST_LINK: Final = 2000
_UNSEEN_MARKS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Joiners, fillers and variation selectors, which no Unicode category marks as invisible."""
_SPACES: Final = re.compile(r"[\t\n\x0b\x0c\r\x1c-\x1f\x85\u2800\s]")
_CLOCK: Final = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?"
_NORWEGIAN: Final = re.compile(rf"(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?(?P<year>\d{{4}}),?\s+{_CLOCK}")
_YEAR_FIRST: Final = re.compile(rf"(?P<year>\d{{4}})([/-])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}}),?\s+{_CLOCK}")
_DATE: Final = re.compile(r"\d{1,2}([./-])\s?\d{1,2}\1\s?\d{4}|\d{4}([./-])\d{1,2}\2\d{1,2}")
_ISO_DATE: Final = re.compile(r"\d{4}-?(?:\d{2}-?\d{2}|W\d{2}(?:-?\d)?)", re.IGNORECASE)
_SPAN: Final = re.compile(r"\S+ [0-2]?\d(?:[:.]?[0-5]\d)? ?-[0-2]?\d(?:[:.]?[0-5]\d)?")
"""A day with the hours from and until: ``2027-03-02 10:00-10:30`` or ``2027-03-02 10-11``."""
_ISO: Final = re.compile(r"(?P<date>[0-9W-]+)[T ](?P<time>[0-9:.,]+)(?P<zone>Z|[+-][0-9:]+)?", re.IGNORECASE)


def visible(typed: str) -> str:
    """Return `typed` composed (NFC), without invisible characters, with plain spaces, and none around it."""
    spaced = _SPACES.sub(" ", unicodedata.normalize("NFC", typed))
    shown = "".join(sign for sign in spaced if unicodedata.category(sign) not in {"Cf", "Cc", "Cs", "Cn", "Co"})
    return _UNSEEN_MARKS.sub("", shown).strip()


def one_line(typed: str) -> str:
    """Return a line of text as it looks: without invisible characters, with single spaces."""
    return " ".join(visible(typed).split())


def clean_link(typed: str) -> str:
    """Return the address of the meeting, or "" for nothing. Raises InputError("meeting.link") unless it is https."""
    plain = visible(typed)
    try:
        parts = urlsplit(plain)
        is_right = parts.scheme == "https" and bool(parts.hostname) and parts.username is None
    except ValueError:
        is_right = False
    if plain and (not is_right or len(plain) > LONGEST_LINK or not plain.isprintable() or " " in plain):
        raise InputError("meeting.link")
    return plain


def read_iso(typed: str) -> datetime:
    """Read a time as programs write it: ``2027-03-02T10:00``, with an offset or without.

    Raises InputError: "meeting.no_clock" for a date alone, "meeting.no_such_time" for a time that does not exist,
    "meeting.time_form" for any other form.
    """
    plain = one_line(typed)
    form = _ISO.fullmatch(plain)
    if form is None or not _ISO_DATE.fullmatch(form["date"]):
        raise InputError("meeting.no_clock" if _is_date(plain) else "meeting.time_form")
    if form["time"].startswith("24"):  # newer Pythons read it as the next day
        raise InputError("meeting.no_such_time")
    try:
        return datetime.fromisoformat(plain.replace(",", "."))
    except ValueError:
        raise InputError("meeting.no_such_time") from None


def read_start(typed: str) -> datetime:
    """Read a time as people write it: like `read_iso`, or ``02.03.2027 10:00`` or ``2027-3-2 9:00``, also with ``/``.

    Forms that mean different days in two countries, leave the century open, or say when it ends too, raise
    "meeting.time_form".
    """
    plain = one_line(typed)
    if _SPAN.fullmatch(plain):  # not the offset that a program would read
        raise InputError("meeting.time_form")
    form = _NORWEGIAN.fullmatch(plain) or _YEAR_FIRST.fullmatch(plain)
    if form is None:
        return read_iso(plain)
    try:
        year, month, day, hour, minute = (int(form[name]) for name in ("year", "month", "day", "hour", "minute"))
        return datetime(year, month, day, hour, minute, int(form["second"] or 0))  # noqa: DTZ001 - has none yet
    except ValueError:
        raise InputError("meeting.no_such_time") from None


def _is_date(plain: str) -> bool:
    if _DATE.fullmatch(plain):
        return True
    try:
        date.fromisoformat(plain)
    except ValueError:
        return False
    return True
