"""Wishes for a meeting, as they came and before any check. Plain data; knows no store and no server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["REMINDERS", "Change", "HostPlan", "MeetingPlan", "PersonPlan", "Way"]

REMINDERS = (2880, 180)
"""Two days and three hours before, min."""
Way = Literal["mail", "sms", "letter", "link", "auto", ""]
"""How somebody is invited: ``auto`` takes mail, else SMS; letter and link are handed over by the organiser."""


@dataclass(frozen=True, slots=True)
class PersonPlan:
    """A person or a room that is to take part."""

    role: str
    label: str = ""
    locale: str = ""
    """Empty: the organisation's first language."""
    phone: str = ""
    mail: str = ""
    together: int = 1
    interprets: str = ""
    """An interpreter's language."""
    channel: Way = ""
    """How to invite at once; empty: not yet."""


@dataclass(frozen=True, slots=True)
class HostPlan:
    """A leader or technical host."""

    role: str = "leader"
    label: str = ""
    locale: str = ""
    phone: str = ""
    mail: str = ""
    channel: Way = ""


@dataclass(frozen=True, slots=True)
class MeetingPlan:
    """A meeting as somebody wants it; a time without a zone is in the organisation's own."""

    starts: datetime
    minutes: int = 45
    title: str = ""
    profile: str = "consultation"
    solution: str = "other"
    """``other`` or empty: taken from the link's host, where that is known."""
    join_link: str = ""
    join_shown: str = "page"
    """Who gets that link: ``page``, ``mail`` or ``kept``, as in `Meeting`."""
    join_from: str = ""
    support_phone: str = ""
    clinic_phone: str = ""
    contact: str = ""
    assessed_by: str = ""
    agenda_sent: bool = False
    companion: str = ""
    unit: str = ""
    reminders: tuple[int, ...] = REMINDERS
    practical: tuple[str, ...] | None = None
    """None: the questions of the profile."""
    expected_people: int | None = None
    people: tuple[PersonPlan, ...] = ()
    hosts: tuple[HostPlan, ...] = ()
    key: str = ""
    """The meeting's name at its source, so that asking again does not make a second one."""
    series: str = ""
    """The name, at the source, of a meeting with all its occurrences."""
    version: str = ""
    """Of two wishes the newer one has the greater version, compared as text. Empty: not known."""


@dataclass(frozen=True, slots=True)
class Change:
    """The changes to a meeting; None leaves a field as it is."""

    starts: datetime | None = None
    minutes: int | None = None
    title: str | None = None
    profile: str | None = None
    solution: str | None = None
    join_link: str | None = None
    join_shown: str | None = None
    join_from: str | None = None
    support_phone: str | None = None
    clinic_phone: str | None = None
    contact: str | None = None
    assessed_by: str | None = None
    agenda_sent: bool | None = None
    companion: str | None = None
    unit: str | None = None
    reminders: tuple[int, ...] | None = None
    practical: tuple[str, ...] | None = None
    expected_people: int | None = None
