"""When a room's check is planned: the five fields of cron, in the room's own zone. Pure.

Only numbers, ``*``, lists, ranges and steps, so that the room's agent and the server read one line alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["Cron", "read_cron", "runs_before"]

_RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
"""Minute, hour, day of the month, month, day of the week (0 and 7 are Sunday)."""
_LONGEST: Final = 100
_MOST_DAYS: Final = 400
"""How far back a run is looked for: a line for 29 February alone is none for us."""
_SUNDAY: Final = 7


@dataclass(frozen=True, slots=True)
class Cron:
    """A line that was read."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    """Days of the month and of the week are both named: one of them is enough, as cron has it."""

    def is_on(self, day: datetime) -> bool:
        """Whether the check is planned on this day."""
        in_month, in_week = day.day in self.days, day.isoweekday() % _SUNDAY in self.weekdays
        return day.month in self.months and (in_month or in_week if self.either else in_month and in_week)


@lru_cache(maxsize=256)
def read_cron(line: str) -> Cron:
    """Read a line such as ``0 6 * * 1-5``. Raises ValueError in one sentence."""
    fields = line.split()
    if len(line) > _LONGEST or len(fields) != len(_RANGES):
        raise ValueError("five fields, such as 0 6 * * 1-5 (minute, hour, day, month, day of the week)")
    minutes, hours, days, months, weekdays = (_field(text, *ends) for text, ends in zip(fields, _RANGES, strict=True))
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        days,
        months,
        frozenset(day % _SUNDAY for day in weekdays),
        either=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def _field(text: str, least: int, most: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        numbers = ("0" if span == "*" else first, last if dash else "0", step or "1")
        if not all(one.isascii() and one.isdecimal() and len(one) <= 2 for one in numbers):  # noqa: PLR2004
            raise ValueError(f"{text!r} is none of a number, *, 1-5, 1,3 and */15")
        low, high = (least, most) if span == "*" else (int(first), int(last) if dash else int(first))
        if step and not dash and span != "*":
            high = most
        if not least <= low <= high <= most or int(step or 1) < 1:
            raise ValueError(f"{text!r} is not within {least} to {most}")
        found.update(range(low, high + 1, int(step or 1)))
    return frozenset(found)


def runs_before(line: str, zone: str, moment: datetime, count: int) -> list[datetime]:
    """Return the last `count` planned moments up to `moment`, the newest first; fewer where there were fewer.

    A time that a change of the clock leaves out or repeats is one run.
    """
    cron, here = read_cron(line), ZoneInfo(zone)
    day = moment.astimezone(here).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    found: list[datetime] = []
    for _ in range(_MOST_DAYS):
        if cron.is_on(day):
            runs = {
                day.replace(hour=hour, minute=minute).astimezone(UTC) for hour in cron.hours for minute in cron.minutes
            }
            found += sorted((run for run in runs if run <= moment), reverse=True)[: count - len(found)]
            if len(found) == count:
                break
        day = (day - timedelta(days=1)).replace(tzinfo=here)
    return found
