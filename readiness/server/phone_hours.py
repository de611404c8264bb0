"""When an organisation's phone opens, by its hours, its own closed days and, in Norway, the public holidays."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from readiness.closed_days import ClosedDays, read_closed_days
from readiness.hours import read_hours
from readiness.reach import region_of
from reports.store.records import Organisation

__all__ = ["phone_opens_at"]

WITH_HOLIDAYS: Final = "NO"
"""The country whose public holidays are known."""


def phone_opens_at(organisation: Organisation, now: datetime) -> datetime | None:
    """Return when the phone opens next; None while it is open, if not within a year, or where the hours say nothing."""
    hours = read_hours(organisation.support_hours)
    if hours is None:
        return None
    region = region_of(organisation.support_phone, organisation.time_zone)
    closed = ClosedDays(read_closed_days(organisation.closed_days) or (), has_holidays=region == WITH_HOLIDAYS)
    return hours.opens_at(now, ZoneInfo(organisation.time_zone), closed.weekday)
