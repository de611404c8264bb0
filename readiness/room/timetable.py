"""When a room checks itself: a timetable in its own zone, spread over rooms, and once before each meeting. Pure.

A planned time is known by its moment in UTC: it is done once, however often a clock is set back, and what was missed
while the PC slept becomes one check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

__all__ = ["DEFAULTS", "Meeting", "Rules", "TimetableError"]

DEFAULTS: Final[Mapping[str, Any]] = {
    "cron": "0 6 * * 1-5", "time_zone": "Europe/Oslo", "spread_min": 20, "repeat_min": 10, "quiet_from": "20:00",
    "quiet_to": "06:00", "guard_min": 10, "before_meeting_min": [60, 30],
}  # fmt: skip
"""By which a room goes where its server does not say."""
MISSED: Final = timedelta(days=8)
"""So far back missed times are looked for: they become one check anyway."""
MOST_MINUTES: Final = 24 * 60
YEARS: Final = range(2000, 9000)
"""Before and after, moments run over when they are moved to another zone."""
MOST_TIMES: Final = 20_000
"""More times than every minute of `MISSED` has."""
SET_BACK: Final = timedelta(hours=6)
"""A time that was done and lies further ahead than this was done by a clock that was wrong, so it counts no more."""


class TimetableError(ValueError):
    """The server's timetable can't be read; the message says which part of it."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """When somebody is in the room."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Rules:
    """One room's timetable."""

    cron: str
    zone: ZoneInfo
    spread: timedelta
    """This room's own share of the spread: the same each day."""
    repeat: timedelta
    quiet: tuple[time, time]
    guard: timedelta
    before: tuple[timedelta, timedelta]
    """Earliest and latest before a meeting."""
    share: float
    """This room's place among all rooms, 0 to 1."""
    meetings: Sequence[Meeting] = field(default_factory=tuple)

    @classmethod
    def read(cls, settings: Mapping[str, Any], meetings: Sequence[Mapping[str, Any]], room_id: str) -> Rules:
        """Read what the server says. Raises TimetableError."""
        asked = {**DEFAULTS, **{name: value for name, value in settings.items() if value is not None}}
        share = int.from_bytes(hashlib.sha256(room_id.encode()).digest()[:6], "big") / float(1 << 48)
        try:
            cron, zone = str(asked["cron"]), ZoneInfo(str(asked["time_zone"]))
            CronSim(cron, datetime(2026, 1, 1, tzinfo=zone))
            earliest, latest = map(_minutes, asked["before_meeting_min"])
            return cls(
                cron=cron,
                zone=zone,
                spread=timedelta(seconds=int(share * _minutes(asked["spread_min"]).total_seconds())),
                repeat=_minutes(asked["repeat_min"]),
                quiet=(_clock(asked["quiet_from"]), _clock(asked["quiet_to"])),
                guard=_minutes(asked["guard_min"]),
                before=(max(earliest, latest), min(earliest, latest)),
                share=share,
                meetings=tuple(
                    Meeting(_moment(one["starts_at"]), _moment(one["ends_at"])) for one in meetings
                ),
            )  # fmt: skip
        except (CronSimError, ZoneInfoNotFoundError, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise TimetableError(f"the server's timetable can't be read: {error}") from None

    def due(self, last: datetime, now: datetime) -> datetime | None:
        """Return the newest planned time after `last` that has come, or None; those between are the same check."""
        newest = None
        for planned in self._times(max(last, now - MISSED)):
            if planned > now:
                break
            newest = planned
        return newest

    @staticmethod
    def believed(last: datetime, now: datetime) -> datetime:
        """Return the newest time that counts as done: one far ahead was done by a clock that was wrong."""
        return now if last - now > SET_BACK else last

    def next_after(self, last: datetime) -> datetime | None:
        """Return the planned time after `last`, or None where the timetable has none for decades."""
        return next(self._times(last), None)

    def before_meeting(self, now: datetime) -> tuple[Meeting, datetime] | None:
        """Return a meeting that a check is due for now, with the moment since which it is: an hour to a half before."""
        earliest, latest = self.before
        for meeting in self.meetings:
            planned = meeting.starts_at - earliest + self.share * (earliest - latest)
            if planned <= now < meeting.starts_at - latest:
                return meeting, planned
        return None

    def in_meeting(self, now: datetime) -> Meeting | None:
        """Return the meeting that the room is kept free for now: from a while before it until a while after."""
        return next(
            (one for one in self.meetings if one.starts_at - self.guard <= now < one.ends_at + self.guard), None
        )

    def coming_s(self, now: datetime) -> tuple[float, ...]:
        """Return when the meetings of the next day and night begin, s since 1970."""
        return tuple(
            one.starts_at.timestamp() for one in self.meetings if now < one.starts_at <= now + timedelta(days=1)
        )

    def is_quiet(self, now: datetime) -> bool:
        """Whether people around may sleep."""
        at, (begins, ends) = now.astimezone(self.zone).time(), self.quiet
        return begins <= at < ends if begins <= ends else at >= begins or at < ends

    def _times(self, after: datetime) -> Iterator[datetime]:
        """Yield the planned times after a moment, as many as are looked at."""
        local = (after - self.spread).astimezone(self.zone)
        for one in islice(CronSim(self.cron, local), MOST_TIMES):
            planned = one.astimezone(UTC) + self.spread
            if planned > after:
                yield planned


def _minutes(told: Any) -> timedelta:
    """Return a span of a day at most. Raises ValueError, TypeError, OverflowError."""
    if not 0 <= (minutes := int(told)) <= MOST_MINUTES:
        raise ValueError(f"{minutes} minutes")
    return timedelta(minutes=minutes)


def _clock(told: str) -> time:
    """Return a time of day in the room's own zone. Raises ValueError, TypeError."""
    if (clock := time.fromisoformat(told)).tzinfo is not None:
        raise ValueError(f"{told} names a zone")
    return clock


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None or moment.year not in YEARS:
        raise ValueError(f"{text} names no zone, or is no year of ours")
    return moment.astimezone(UTC)
