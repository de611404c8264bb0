"""When a phone is open, read from the organisation's own words such as ``man-fre 08-15``. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

__all__ = ["Hours", "read_hours"]

_WORDS: Final[dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_DAY: Final = {word: int(day) for day, words in _WORDS["days"].items() for word in words}
_SPAN: Final = {word: span for span, words in _WORDS["spans"].items() for word in words}
_DASH: Final = re.compile(r"\s*[-\u2010-\u2015]\s*")
_CLOCK: Final = r"(\d{1,2})(?:[.:](\d{2}))?"
_PART: Final = re.compile(rf"(?P<days>[^\d]*?)\s*{_CLOCK}-{_CLOCK}")
EVERY_DAY: Final = frozenset(range(1, 8))
LAST_HOUR: Final = 24
LOOKED_AHEAD_DAYS: Final = 366
"""Days in which an opening is looked for; a summer's closing lies within."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The open times of a week, in order: ISO weekday, minutes of the day at which it opens and closes."""

    spans: tuple[tuple[int, int, int], ...]

    def opens_at(
        self, now: datetime, zone: tzinfo, weekday: Callable[[date], int] = date.isoweekday
    ) -> datetime | None:
        """Return when it opens next by the clock of `zone`; None if it is open at `now`, or not within a year.

        `weekday` says as which weekday a date counts, 0 for one on which it stays closed.
        """
        local = now.astimezone(zone)
        minute, today = 60 * local.hour + local.minute, weekday(local.date())
        if any(day == today and begins <= minute < ends for day, begins, ends in self.spans):
            return None
        dates = (local.date() + timedelta(days=ahead) for ahead in range(LOOKED_AHEAD_DAYS))
        openings = (
            datetime.combine(day, time(begins // 60, begins % 60)).replace(tzinfo=zone)
            for day, counts_as in ((one, weekday(one)) for one in dates)
            for open_on, begins, _ in self.spans
            if open_on == counts_as
        )
        return next((one for one in openings if one > local), None)


@lru_cache(maxsize=256)
def read_hours(typed: str) -> Hours | None:
    """Return the hours that `typed` says, or None where a program can't tell.

    Hours without days are of the days before them, the first ones of every day.
    """
    plain = _DASH.sub("-", " ".join(typed.lower().split()))
    if plain in _WORDS["always"]["words"]:
        return Hours(tuple((day, 0, 60 * LAST_HOUR) for day in sorted(EVERY_DAY)))
    for word in _WORDS["and"]["words"]:
        plain = plain.replace(f" {word} ", ",")
    spans: list[tuple[int, int, int]] = []
    before = EVERY_DAY
    for part in re.split(r"\s*[,;]\s*", plain):
        found = _read_part(part, before)
        if found is None:
            return None
        before, begins, ends = found
        spans += [(day, begins, ends) for day in before]
    return Hours(tuple(sorted(spans)))


def _read_part(part: str, before: frozenset[int]) -> tuple[frozenset[int], int, int] | None:
    matched = _PART.fullmatch(part)
    if matched is None:
        return None
    days = _days(matched["days"], before)
    begins, ends = _minute(matched[2], matched[3]), _minute(matched[4], matched[5])
    if days is None or begins is None or ends is None or begins >= ends:
        return None
    return days, begins, ends


def _days(typed: str, before: frozenset[int]) -> frozenset[int] | None:
    words = [word for word in typed.strip(" :").split() if word not in _WORDS["fill"]["words"]]
    plain = " ".join(words).strip(" :.")
    if not plain:
        return before
    if plain in _SPAN:
        first, last = map(int, _SPAN[plain].split("-"))
        return frozenset(range(first, last + 1))
    ends = [_DAY.get(name.strip(" .")) for name in plain.split("-")]
    first_day, last_day = ends[0], ends[-1]
    if len(ends) > 2 or first_day is None or last_day is None or first_day > last_day:  # noqa: PLR2004 - from and to
        return None
    return frozenset(range(first_day, last_day + 1))


def _minute(hour: str, minute: str | None) -> int | None:
    found = 60 * int(hour) + int(minute or 0)
    return found if int(minute or 0) < 60 and found <= 60 * LAST_HOUR else None  # noqa: PLR2004 - minutes of an hour
