"""On which days a phone is closed whatever its hours say: Norway's public holidays, and an organisation's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["ClosedDays", "public_holidays", "read_closed_days"]

_FIXED: Final = ((1, 1), (5, 1), (5, 17), (12, 25), (12, 26))
"""Month and day of the public holidays that stay (Lov 1995-02-24 nr. 12; Lov 1947-04-26 nr. 1)."""
_FROM_EASTER_DAYS: Final = (-3, -2, 0, 1, 39, 49, 50)
"""Maundy Thursday, Good Friday, Easter, Easter Monday, Ascension, Whit Sunday and Monday (the first of these laws)."""
SUNDAY: Final = 7
CLOSED: Final = 0
_LEAP_YEAR: Final = 2000
"""Has every day that a date without a year may name."""
_DAY: Final = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.?(?:\s?(?P<year>\d{4}))?")
_ISO: Final = re.compile(r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})")
_ONE: Final = r"(\d{4}-\d{2}-\d{2}|\d{1,2}\.[\d.\s]*\d\.?)"
_PART: Final = re.compile(rf"{_ONE}(?:\s*[-\u2010-\u2015]\s*{_ONE})?")


@dataclass(frozen=True, slots=True)
class _Span:
    """Days from the first to the last, of one year or, with `is_yearly`, of each; a yearly one may cross New Year."""

    first: date
    last: date
    is_yearly: bool

    def has(self, day: date) -> bool:
        if not self.is_yearly:
            return self.first <= day <= self.last
        first, asked, last = ((one.month, one.day) for one in (self.first, day, self.last))
        return first <= asked <= last if first <= last else asked >= first or asked <= last


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """The days that an organisation named, and whether Norway's public holidays count as Sundays there."""

    spans: tuple[_Span, ...] = ()
    has_holidays: bool = False

    def weekday(self, day: date) -> int:
        """Return as which ISO weekday a day counts: public holidays as Sundays, as signs here say; 0: closed."""
        if any(span.has(day) for span in self.spans):
            return CLOSED
        return SUNDAY if self.has_holidays and day in public_holidays(day.year) else day.isoweekday()


@lru_cache(maxsize=16)
def public_holidays(year: int) -> frozenset[date]:
    """Return Norway's public holidays of a year, Sundays among them only where they are holidays themselves."""
    from dateutil.easter import easter  # noqa: PLC0415 - a room's PC reads hours too, and has no package of the server

    return frozenset(
        [date(year, month, day) for month, day in _FIXED]
        + [easter(year) + timedelta(days=days) for days in _FROM_EASTER_DAYS]
    )


@lru_cache(maxsize=256)
def read_closed_days(typed: str) -> tuple[_Span, ...] | None:
    """Return the days in a text such as ``24.12, 27.12-30.12, 15.5.2026``; None where a part is no day or span."""
    parts = [part.strip() for part in re.split(r"[,;]", typed) if part.strip()]
    spans = [_read_span(part) for part in parts]
    return None if None in spans else tuple(span for span in spans if span is not None)


def _read_span(part: str) -> _Span | None:
    matched = _PART.fullmatch(part)
    if matched is None:
        return None
    begins, ends = _read_day(matched[1]), _read_day(matched[2] or matched[1])
    if begins is None or ends is None or begins[1] != ends[1]:
        return None
    (first, is_yearly), (last, _) = begins, ends
    return _Span(first, last, is_yearly) if is_yearly or first <= last else None


def _read_day(typed: str) -> tuple[date, bool] | None:
    matched = _ISO.fullmatch(typed) or _DAY.fullmatch(typed)
    if matched is None:
        return None
    try:
        return date(int(matched["year"] or _LEAP_YEAR), int(matched["month"]), int(matched["day"])), not matched["year"]
    except ValueError:
        return None
