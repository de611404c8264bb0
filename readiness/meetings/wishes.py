"""What somebody wishes of a meeting, before anything of it is checked. Plain data that knows no store and no server."""

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
    """Somebody or some room to take part."""

    role: str
    label: str = ""
    locale: str = ""
    """Empty: the organisation's first language."""
    phone: str = ""
    mail: str = ""
    together: int = 1
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
    """A meeting as somebody wishes it; a time without a zone is the organisation's own."""

    starts: datetime
    minutes: int = 45
    title: str = ""
    profile: str = "consultation"
    solution: str = "other"
    """``other`` and nothing: what the host of the link tells, where it tells."""
    join_link: str = ""
    support_phone: str = ""
    reminders: tuple[int, ...] = REMINDERS
    practical: tuple[str, ...] | None = None
    """None: what the profile asks."""
    expected_people: int | None = None
    people: tuple[PersonPlan, ...] = ()
    hosts: tuple[HostPlan, ...] = ()
    key: str = ""
    """Names the meeting where it comes from, so that asking again does not make another."""
    series: str = ""
    """Names the meeting with all its occurrences where it comes from."""
    version: str = ""
    """Which of two says more lately: the greater one, as text. Empty: not known."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to change of a meeting; None leaves it as it is."""

    starts: datetime | None = None
    minutes: int | None = None
    title: str | None = None
    profile: str | None = None
    solution: str | None = None
    join_link: str | None = None
    support_phone: str | None = None
    reminders: tuple[int, ...] | None = None
    practical: tuple[str, ...] | None = None
    expected_people: int | None = None
