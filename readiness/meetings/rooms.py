"""Reads what somebody types of a room: its name and place, whom to write to, and how it is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from readiness.access.contacts import ContactBox
from readiness.errors import InputError
from readiness.reach import clean_mail
from readiness.typed import one_line
from reports.store.records import Organisation, new_id
from reports.store.room_records import Room, RoomSettings
from reports.timetable import read_cron

__all__ = ["LONGEST_NAME", "NewRoom", "read_settings", "room_from"]

LONGEST_NAME: Final = 60
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::\d{1,5})?")
MOST_HOSTS: Final = 20
_MINUTES: Final = {"spread_min": 240, "repeat_min": 120, "guard_min": 120}
"""The most of each."""


@dataclass(frozen=True, slots=True)
class NewRoom:
    """A room as somebody typed it."""

    name: str
    building: str = ""
    zone: str = ""
    contact: str = ""
    """Mail address that is told of alarms; empty: nobody is."""


def room_from(
    typed: NewRoom,
    organisation: Organisation,
    contacts: ContactBox,
    now: datetime,
    settings: RoomSettings | None = None,
) -> tuple[Room | None, str | None]:
    """Return the room, or None and what is wrong: ``name``, ``place`` or ``contact``."""
    name, building, zone = (one_line(text) for text in (typed.name, typed.building, typed.zone))
    if not 1 <= len(name) <= LONGEST_NAME:
        return None, "name"
    if max(len(building), len(zone)) > LONGEST_NAME:
        return None, "place"
    sealed = None
    if typed.contact.strip():
        try:
            sealed = contacts.close(clean_mail(typed.contact))
        except InputError:
            return None, "contact"
    chosen = settings or RoomSettings(time_zone=organisation.time_zone)
    return Room(new_id(), organisation.id, name, building, zone, now, sealed, chosen.to_json()), None


def read_settings(wished: Mapping[str, Any], organisation: Organisation) -> RoomSettings:
    """Return the settings with what was wished of them. Raises ValueError, which says what is wrong."""
    values: dict[str, Any] = {"time_zone": organisation.time_zone, **wished}
    read_cron(values.get("cron", RoomSettings().cron))
    try:
        ZoneInfo(values["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no zone {values['time_zone']!r}; an example is Europe/Oslo") from None
    for name in ("quiet_from", "quiet_to"):
        if name in values and not _HOURS.fullmatch(values[name]):
            raise ValueError(f"{name}: a time of day, such as 20:00")
    for name, most in _MINUTES.items():
        if not 0 <= values.get(name, 0) <= most:
            raise ValueError(f"{name}: 0 to {most} minutes")
    hosts = values.get("hosts", ())
    if len(hosts) > MOST_HOSTS or not all(_HOST.fullmatch(one) for one in hosts):
        raise ValueError(f"hosts: names such as meet.example or meet.example:443, at most {MOST_HOSTS}")
    return RoomSettings(**values)
