"""Times of a calendar file: finds the moment of a property, or why there is none. A zone is never guessed.

A name in the IANA database means that zone. Any other means the file's own definition if that is simple: fixed offsets
that change on one day of a year. Else it means Windows' zone of that name, or nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from operator import itemgetter
from zoneinfo import ZoneInfo, available_timezones

from readiness.meetings.ics_lines import Component, Line

__all__ = ["TimeError", "Zones", "length_of"]

MOST_OBSERVANCES = 60
"""Limit for one zone in a file; programs write two, or two for each change of the law."""
MOST_DATES = 100
FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Years well within the limits of dates in every zone; nobody meets outside them."""
LONGEST_RULE = 200
EARLIEST_RULE = 1500
"""Exchange lets every rule begin in 1601."""
_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)(?:[.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII | re.IGNORECASE
)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII | re.IGNORECASE)
_SHOWN = re.compile(r"\((?:UTC|GMT)(?:([+-]\d\d)[:.](\d\d))?\)\s*(.{1,200})", re.ASCII | re.IGNORECASE)
"""A zone as Outlook on the web shows it: ``(UTC+01:00) Amsterdam, Berlin``."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,40}(?:/[A-Za-z0-9_+-]{1,40}){0,2}", re.ASCII)
_LENGTH = re.compile(
    r"([+-])?P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?", re.ASCII
)
_DAY = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NOT_PLACES = frozenset({"localtime", "posixrules", "factory"})
_LEAP = 60


class TimeError(ValueError):
    """Raised if a property has no moment; `reason` is a code of the catalogue, `found` the value."""

    def __init__(self, reason: str, found: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.found = found


def length_of(text: str) -> timedelta:
    """Return a DURATION. Raises TimeError if it is none."""
    found = _LENGTH.fullmatch(text.strip().upper())
    if found is None or not any(found.groups()[1:]):
        raise TimeError("import.duration", text)
    weeks, days, hours, minutes, seconds = (int(one or 0) for one in found.groups()[1:])
    lasts = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -lasts if found[1] == "-" else lasts


class Zones:
    """The zones of one calendar, and the zone of times without one."""

    def __init__(self, components: Sequence[Component], default: str) -> None:
        self._own: dict[str, Component] = {}
        for one in components:
            self._own.setdefault(_plain(one.text("TZID")).casefold(), one)
        self._default = default
        self._found: dict[str, tzinfo | _Own] = {}

    def moment(self, line: Line, *, beside: Line | None = None) -> datetime | date:
        """Return the value of `line`: a moment in UTC, a time without a zone, or a day.

        A time without a zone is in that of `beside`, if it has one. Raises TimeError for anything else.
        """
        found = _TIME.fullmatch(line.value.strip())
        if found is None:
            raise TimeError("import.time", line.value)
        year, month, day, hour, minute, second = (int(one) if one else 0 for one in found.groups()[:6])
        try:
            if found[4] is None:
                return date(year, month, day)
            local = datetime(year, month, day, hour, minute, min(second, _LEAP - 1))  # noqa: DTZ001 - its zone comes next
        except ValueError:
            raise TimeError("import.time", line.value) from None
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise TimeError("import.time", line.value)
        if found[7]:
            away = _offset(found[7]) if found[7] not in "Zz" else timedelta()
            return (local - away).replace(tzinfo=UTC)
        name = line.params.get("TZID", "") or (beside.params.get("TZID", "") if beside else "")
        if not name and beside is not None and beside.value.strip().upper().endswith("Z"):
            name = "UTC"
        name = name or self._default
        return self._at(local, name, line.value) if name else local

    def _at(self, local: datetime, name: str, shown: str) -> datetime:
        if name not in self._found:
            zone = self._zone(name)
            if zone is None:
                raise TimeError("import.zone", name)
            self._found[name] = zone
        zone = self._found[name]
        if isinstance(zone, _Own):
            moment = zone.moment(local)
        else:
            moment = local.replace(tzinfo=zone).astimezone(UTC)
            if moment.astimezone(zone).replace(tzinfo=None) != local:
                moment = None
        if moment is None:
            raise TimeError("meeting.no_such_time", shown)
        return moment

    def _zone(self, asked: str) -> tzinfo | _Own | None:
        plain = _plain(asked)
        if known := _known(plain):
            return known
        own = self._own.get(plain.casefold())
        if own is not None:
            if known := _known(_plain(own.text("X-LIC-LOCATION"))):
                return known
            if defined := _defined(own):
                return defined
        return _of_windows(plain) or _shown(plain)


def _plain(name: str) -> str:
    """Return a zone's bare name; escapes belong to the text of TZID, not to the name."""
    return " ".join(name.replace("\\", "").strip(" \"'").split())[:200]


def _known(name: str) -> tzinfo | None:
    """Return the IANA zone of this name, also after a program's own prefix."""
    if name.casefold() in {"utc", "z", "gmt", "tzone://microsoft/utc"}:
        return UTC
    if offset := _OFFSET.fullmatch(name):
        try:
            return timezone(_offset(offset[0]))
        except ValueError:
            return None
    tries = [name]
    if name.startswith("/"):
        parts = name.strip("/").split("/")
        tries = ["/".join(parts[-many:]) for many in (3, 2) if len(parts) >= many]
    for one in tries:
        if _NAME.fullmatch(one) and (real := _places().get(one.casefold())):
            return ZoneInfo(real)
    return None


@cache
def _places() -> Mapping[str, str]:
    return {name.casefold(): name for name in available_timezones() if name.casefold() not in _NOT_PLACES}


@cache
def _windows() -> Mapping[str, str]:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415 - only for files that need it

    return {name.casefold(): place for name, place in WINDOWS_TO_OLSON.items()}


def _of_windows(name: str) -> tzinfo | None:
    place = _windows().get(name.casefold())
    return _known(place) if place else None


def _shown(name: str) -> tzinfo | None:
    """Return the zone of ``(UTC+01:00) Amsterdam, Berlin`` by its towns, if they share one time with that offset."""
    shown = _SHOWN.fullmatch(name)
    if shown is None:
        return None
    hours, minutes, words = shown.groups()
    away = _offset(f"{hours or '+00'}{minutes or '00'}")
    towns = [town.strip().replace(" ", "_").casefold() for town in re.split(r"[,/]", words)]
    by_town: dict[str, str] = {}
    for place in _places().values():
        by_town.setdefault(place.rpartition("/")[2].casefold(), place)
    zones = [ZoneInfo(by_town[town]) for town in towns if town in by_town]
    winter, summer = datetime(2027, 1, 15, tzinfo=UTC), datetime(2027, 7, 15, tzinfo=UTC)
    kept = {(winter.astimezone(zone).utcoffset(), summer.astimezone(zone).utcoffset()) for zone in zones}
    if len(kept) != 1:
        return None
    (both,) = kept
    return zones[0] if away == min(one for one in both if one is not None) else None


def _offset(text: str) -> timedelta:
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    away = timedelta(hours=int(found[2]), minutes=int(found[3]), seconds=int(found[4] or 0))
    return -away if found[1] == "-" else away


# ---- zones that the file itself defines


@dataclass(frozen=True, slots=True)
class _Rule:
    """One day of each year: its month, and a weekday by its place in it, or the first one on or after a day."""

    month: int
    weekday: int | None = None
    place: int = 0
    day: int = 1
    until: datetime | None = None

    def date_in(self, year: int) -> date | None:
        """Return the day in `year`, or None."""
        days = monthrange(year, self.month)[1]
        if self.weekday is None:
            return date(year, self.month, self.day) if self.day <= days else None
        if self.place < 0:
            last = date(year, self.month, days)
            at = days - (last.weekday() - self.weekday) % 7 + 7 * (self.place + 1)
        else:
            first = date(year, self.month, self.day)
            at = self.day + (self.weekday - first.weekday()) % 7 + 7 * (max(self.place, 1) - 1)
        return date(year, self.month, at) if 1 <= at <= days else None


@dataclass(frozen=True, slots=True)
class _Observance:
    """An offset, and when it begins."""

    begins: datetime
    before: timedelta
    away: timedelta
    rule: _Rule | None
    others: tuple[datetime, ...] = ()

    def onsets(self, year: int) -> Iterator[tuple[datetime, timedelta, timedelta]]:
        """Yield the moments around `year` at which it begins, naive UTC, with the offsets before and after."""
        times = [self.begins, *self.others]
        if self.rule:
            last = min(year + 1, self.rule.until.year if self.rule.until else year + 1)
            for one in range(max(last - 3, self.begins.year), last + 1):
                day = self.rule.date_in(one)
                at = datetime.combine(day, self.begins.time()) if day else self.begins
                if at > self.begins and (self.rule.until is None or at - self.before <= self.rule.until):
                    times.append(at)
        for at in times:
            yield at - self.before, self.before, self.away


class _Own:
    """A zone that the file itself defines."""

    def __init__(self, observances: Sequence[_Observance]) -> None:
        self._observances = observances
        self._years: dict[int, list[tuple[datetime, timedelta, timedelta]]] = {}

    def moment(self, local: datetime) -> datetime | None:
        """Return the moment of a local time in UTC, the first of two; None if the clocks skip it."""
        onsets = self._years.get(local.year)
        if onsets is None:
            onsets = sorted(onset for one in self._observances for onset in one.onsets(local.year))
            self._years[local.year] = onsets
        first = onsets[0][1]
        for away in sorted({one[2] for one in onsets} | {first}, reverse=True):
            at = bisect_right(onsets, local - away, key=itemgetter(0))
            if (onsets[at - 1][2] if at else first) == away:
                return (local - away).replace(tzinfo=UTC)
        return None


def _defined(zone: Component) -> _Own | None:
    """Return the zone of a VTIMEZONE, or None if it is not simple; then it is ignored."""
    if not 0 < len(zone.parts) <= MOST_OBSERVANCES:
        return None
    try:
        observances = [_observance(one) for one in zone.parts]
        dates = sum(len(one.others) for one in observances)
        return _Own(observances) if dates <= MOST_DATES else None
    except (ValueError, OverflowError):
        return None


def _observance(part: Component) -> _Observance:
    if part.kind not in {"STANDARD", "DAYLIGHT"} or len(part.all("RRULE")) > 1:
        raise ValueError(part.kind)
    others = [one for line in part.all("RDATE") for one in line.value.split(",", MOST_DATES + 1)]
    if len(others) > MOST_DATES:
        raise ValueError(len(others))
    begins, rule = _local(part.text("DTSTART")), part.first("RRULE")
    return _Observance(
        begins,
        _bounded(_offset(part.text("TZOFFSETFROM"))),
        _bounded(_offset(part.text("TZOFFSETTO"))),
        _rule(rule.value, begins) if rule else None,
        tuple(_local(one) for one in others),
    )


def _bounded(away: timedelta) -> timedelta:
    if abs(away) >= timedelta(hours=24):
        raise ValueError(away)
    return away


def _local(text: str) -> datetime:
    read = datetime.strptime(text.strip().upper().removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - local by its name
    if not EARLIEST_RULE <= read.year <= LAST_YEAR * 4:
        raise ValueError(text)
    return read


def _rule(text: str, begins: datetime) -> _Rule:
    """Read a yearly rule of one day. Raises ValueError for every other."""
    if len(text) > LONGEST_RULE:
        raise ValueError(len(text))
    parts = dict(one.partition("=")[::2] for one in text.strip().upper().rstrip(";").split(";"))
    if parts.pop("FREQ", "") != "YEARLY" or parts.pop("INTERVAL", "1") != "1":
        raise ValueError(text)
    parts.pop("WKST", "")
    at_time = {"BYHOUR": begins.hour, "BYMINUTE": begins.minute, "BYSECOND": begins.second}
    parts = {name: value for name, value in parts.items() if name not in at_time or int(value) != at_time[name]}
    until, days = parts.pop("UNTIL", ""), parts.pop("BYMONTHDAY", "")
    month, weekday, place = parts.pop("BYMONTH", str(begins.month)), parts.pop("BYDAY", ""), parts.pop("BYSETPOS", "")
    if parts or not 1 <= int(month) <= 12:  # noqa: PLR2004 - months
        raise ValueError(text)
    ends = _local(until if "T" in until else f"{until}T235959") if until else None
    if not weekday:
        day = int(days or begins.day)
        if not 1 <= day <= 31 or place:  # noqa: PLR2004 - days
            raise ValueError(text)
        return _Rule(int(month), day=day, until=ends)
    named = _DAY.fullmatch(weekday)
    if named is None or (place and (named[1] or not re.fullmatch(r"-?[1-5]", place))):
        raise ValueError(text)
    if days:  # a weekday on or after a day: seven days in a row
        listed = [int(one) for one in days.split(",", 7)]
        if named[1] or place or listed != list(range(listed[0], listed[0] + 7)) or not 1 <= listed[0] <= 25:  # noqa: PLR2004
            raise ValueError(text)
        return _Rule(int(month), _WEEK.index(named[2]), day=listed[0], until=ends)
    at = int(named[1] or place or 0)
    if not at:
        raise ValueError(text)
    return _Rule(int(month), _WEEK.index(named[2]), at, until=ends)
