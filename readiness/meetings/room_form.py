"""The form of a room on its page: name, place and contact, when it is checked, and when people work there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time
from typing import Any, Final

from readiness.access.contacts import ContactBox
from readiness.meetings.rooms import NewRoom, room_from
from reports.store.records import Organisation
from reports.store.room_records import Room, RoomSettings

__all__ = ["OWN", "ROOM_FIELDS", "changed_room", "form_of"]

ROOM_FIELDS: Final = (
    *("name", "building", "zone", "contact", "days", "at", "often"),
    *("work_from", "work_to", "quiet_from", "quiet_to", "cancels_own_echo"),
)
DAYS: Final = {"workdays": "1-5", "all": "*"}
OFTEN: Final = {"once": 0, "four": 4, "two": 2, "one": 1}
"""How many hours lie between two checks, until the working hours end."""
OWN: Final = "own"
"""A timetable of another shape, as the command line takes any line of cron: kept until another is chosen."""
_TIME: Final = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_FIRST: Final = re.compile(r"(\d{1,2}) (\d{1,2})\b")


def form_of(room: Room, contacts: ContactBox) -> dict[str, str]:
    """Return what stands in the fields of a room's form before anybody types."""
    settings = RoomSettings.read(room.settings)
    days, at, often = _read_plan(settings)
    return {
        "name": room.name,
        "building": room.building,
        "zone": room.zone,
        "contact": (contacts.open(room.contact) if room.contact else None) or "",
        "days": days,
        "at": at,
        "often": often,
        "work_from": settings.work_from,
        "work_to": settings.work_to,
        "quiet_from": settings.quiet_from,
        "quiet_to": settings.quiet_to,
        "cancels_own_echo": "yes" if settings.cancels_own_echo else "",
    }


def changed_room(
    typed: Mapping[str, str], room: Room, organisation: Organisation, contacts: ContactBox, now: datetime
) -> tuple[dict[str, Any] | None, str | None]:
    """Return what the form changes of the room, or None and what is wrong: as `room_from` says, or ``hours``."""
    named = NewRoom(typed["name"], typed["building"], typed["zone"], typed["contact"])
    made, problem = room_from(named, organisation, contacts, now)
    if made is None:
        return None, problem
    settings = _settings(typed, RoomSettings.read(room.settings))
    if settings is None:
        return None, "hours"
    told = {name: getattr(made, name) for name in ("name", "building", "zone", "contact")}
    return told | {"settings": settings.to_json()}, None


def _settings(typed: Mapping[str, str], before: RoomSettings) -> RoomSettings | None:
    """Return the settings that were typed, or None where a time is none or work ends before it begins."""
    names = ("at", "work_from", "work_to", "quiet_from", "quiet_to")
    times = {name: _time(typed[name]) for name in names}
    hours: dict[str, Any] = {name: f"{one:%H:%M}" for name, one in times.items() if one is not None}
    if len(hours) < len(names) or hours["work_from"] >= hours["work_to"]:
        return None
    days, at, work_to = typed["days"], times["at"], times["work_to"]
    cron = before.cron
    if days in DAYS and at is not None and work_to is not None:
        cron = _cron(DAYS[days], at, OFTEN.get(typed["often"], 0), work_to)
    del hours["at"]
    return replace(before, cron=cron, cancels_own_echo=bool(typed["cancels_own_echo"]), **hours)


def _read_plan(settings: RoomSettings) -> tuple[str, str, str]:
    """Return days, first time and how often of a timetable; ``own`` for one of another shape."""
    first, until = _FIRST.match(settings.cron), _time(settings.work_to)
    if first and until and (at := _time(f"{first[2]}:{int(first[1]):02}")):
        for days, written in DAYS.items():
            for often, hours in OFTEN.items():
                if settings.cron == _cron(written, at, hours, until):
                    return days, f"{at:%H:%M}", often
    return OWN, "06:00", "once"


def _cron(days: str, at: time, hours: int, until: time) -> str:
    """Return the line of cron: once a day, or every so many hours until work ends."""
    last = until.hour - (at.minute > until.minute)
    span = f"{at.hour}-{last}/{hours}" if hours and last > at.hour else str(at.hour)
    return f"{at.minute} {span} * * {days}"


def _time(typed: str) -> time | None:
    found = _TIME.fullmatch(typed.strip())
    return time(int(found[1]), int(found[2])) if found else None
