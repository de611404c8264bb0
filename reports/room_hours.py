"""How long a room was not ready while people work there: minutes between its checks, within working hours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from reports.model import READY_VERDICTS
from reports.room_course import CHECK_TAKES, FAILED, SILENT_RUNS
from reports.store.room_records import RoomResult, RoomSettings
from reports.timetable import runs_after

__all__ = ["Hours", "hours_of"]

WORKDAYS: Final = 5
EVERY_DAY: Final = "*"
"""Last field of a timetable that has the room checked on Saturdays and Sundays too: then they are worked on."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes of working hours since `since`."""

    since: datetime
    worked_min: int
    not_ready_min: int
    unknown_min: int
    """After a check without a verdict, and from the second planned check that did not come on."""


def hours_of(results: Sequence[RoomResult], settings: RoomSettings, now: datetime) -> Hours | None:
    """Return what the results, the newest first, say of working hours; None where there is no check or no such hour.

    What a check found holds until the next one. Before the first of them nothing is counted.
    """
    checked = [one for one in reversed(results) if one.verdict is not None and one.ended_at <= now]
    if not checked:
        return None
    ends = [*(one.ended_at for one in checked), now]
    minutes = {"ready": 0.0, "not_ready": 0.0, "unknown": 0.0}
    for one, (begin, end) in zip(checked, pairwise(ends), strict=True):
        known_until = min(end, _holds_until(begin, settings)) if end - begin > CHECK_TAKES else end
        minutes[_state(one)] += _worked_min(begin, known_until, settings)
        minutes["unknown"] += _worked_min(known_until, end, settings)
    worked = sum(minutes.values())
    return Hours(ends[0], round(worked), round(minutes["not_ready"]), round(minutes["unknown"])) if worked else None


def _state(one: RoomResult) -> str:
    if one.verdict in READY_VERDICTS:
        return "ready"
    return "not_ready" if one.verdict == FAILED else "unknown"


def _holds_until(ended: datetime, settings: RoomSettings) -> datetime:
    """Return until when a check is believed: until the second planned one after it should have come."""
    runs = runs_after(settings.cron, settings.time_zone, ended, SILENT_RUNS)
    late = CHECK_TAKES + timedelta(minutes=settings.spread_min)
    return runs[-1] + late if len(runs) == SILENT_RUNS else datetime.max.replace(tzinfo=ended.tzinfo)


def _worked_min(begin: datetime, end: datetime, settings: RoomSettings) -> float:
    """Return how many minutes of working hours lie between two moments."""
    return sum(
        max(0.0, (min(end, closes) - max(begin, opens)).total_seconds() / 60.0)
        for opens, closes in _working_days(begin, end, settings)
    )


def _working_days(begin: datetime, end: datetime, settings: RoomSettings) -> Iterator[tuple[datetime, datetime]]:
    zone = ZoneInfo(settings.time_zone)
    opens, closes = (time.fromisoformat(one) for one in (settings.work_from, settings.work_to))
    day, last = begin.astimezone(zone).date(), end.astimezone(zone).date()
    is_every_day = settings.cron.split()[-1] == EVERY_DAY
    while begin < end and day <= last:
        if is_every_day or day.isoweekday() <= WORKDAYS:
            begins, ends = (datetime.combine(day, one, zone).astimezone(UTC) for one in (opens, closes))
            yield begins, ends
        day += timedelta(days=1)
