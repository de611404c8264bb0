"""When a room's check is planned: a line of cron in the room's own zone, read as the room's agent reads it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

__all__ = ["read_cron", "runs_after", "runs_before"]

_LONGEST: Final = 100
"""Characters of a line: far more than anybody writes."""


def read_cron(line: str) -> None:
    """Raise ValueError in one sentence unless `line` is one such as ``0 6 * * 1-5``."""
    if wrong := "Too long" if len(line) > _LONGEST else _fault_of(line):
        raise ValueError(
            f"{wrong}: five fields are needed, such as 0 6 * * 1-5 (minute, hour, day, month, day of the week)"
        )


def _fault_of(line: str) -> str:
    try:
        CronSim(line, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        return str(error)
    return ""


@lru_cache(maxsize=256)
def runs_before(line: str, zone: str, moment: datetime, count: int) -> tuple[datetime, ...]:
    """Return the last `count` planned moments before `moment`, UTC, the newest first.

    Remembered, for a list of rooms asks for the same line and moment again and again.
    """
    local = moment.astimezone(ZoneInfo(zone))
    return tuple(one.astimezone(UTC) for one in islice(CronSim(line, local, reverse=True), count))


def runs_after(line: str, zone: str, moment: datetime, count: int) -> tuple[datetime, ...]:
    """Return the `count` planned moments after `moment`, UTC, the earliest first; fewer where there are no more."""
    local = moment.astimezone(ZoneInfo(zone))
    return tuple(one.astimezone(UTC) for one in islice(CronSim(line, local), count))
