"""What the store takes and gives about rooms: frozen values, no SQL. Moments are aware and in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Literal, Self

__all__ = [
    "CODE_LIFE",
    "OVERLAP",
    "MeetingRoom",
    "NewResult",
    "Room",
    "RoomAlarm",
    "RoomEvent",
    "RoomEventKind",
    "RoomHook",
    "RoomNotice",
    "RoomResult",
    "RoomSettings",
]

RoomEventKind = Literal[
    "enrolled", "revoked", "fail", "alarm", "recovery", "unknown", "heard", "known", "known_over", "two_agents"
]
CODE_LIFE = timedelta(hours=24)
OVERLAP = timedelta(hours=24)
"""How long an old key holds while the new one was not used."""


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """What the room's agent is told; each has a default, and only what differs is stored."""

    cron: str = "0 6 * * 1-5"
    time_zone: str = "Europe/Oslo"
    spread_min: int = 20
    repeat_min: int = 10
    quiet_from: str = "20:00"
    quiet_to: str = "06:00"
    guard_min: int = 10
    before_meeting_min: tuple[int, ...] = (60, 30)
    profile: str = "meeting_room"
    cancels_own_echo: bool = False
    speedtest_public: bool = False
    hosts: tuple[str, ...] = ()
    work_from: str = "08:00"
    work_to: str = "16:00"
    """Working hours, for what is counted on the room's page."""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; a name of a newer version is left out."""
        known = {one.name for one in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in stored.items() if name in known}
        read: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
        return cls(**read)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as the agent gets them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Room:
    """A meeting room and how it stands. It holds nobody's name; `contact` is the house's address for it, sealed."""

    id: str
    organisation_id: str
    name: str
    building: str
    zone: str
    made_at: datetime
    contact: bytes | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    enrolled_at: datetime | None = None
    asked_at: datetime | None = None
    """When its agent last asked for settings: the sign of life."""
    heard_at: datetime | None = None
    """When a result last arrived."""
    agent: str = ""
    system: str = ""
    state: str = "new"
    since: datetime | None = None
    """Since when the state is this one."""
    checked_at: datetime | None = None
    """When the newest check ended, by our clock."""
    alarm_at: datetime | None = None
    unknown_at: datetime | None = None
    """When it was told that nothing is heard; None while something is."""
    known_until: datetime | None = None
    sequence: int = 0
    """Number of the newest event."""
    check_wanted: str | None = None
    boots: tuple[tuple[str, datetime], ...] = ()
    """Digests of the PC's last boots that sent something, with when they last did."""
    twins_at: datetime | None = None
    """When two PCs with this room's key were last seen."""


@dataclass(frozen=True, slots=True)
class NewResult:
    """A result as it came in, read and corrected."""

    id: str
    digest: bytes
    """SHA-256 of the body, so that the same id with another body is told from a repetition."""
    verdict: str | None
    not_checked: str | None
    reason: str
    planned_at: datetime | None
    started_at: datetime
    ended_at: datetime
    clock_off_s: int
    boot: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoomResult:
    """A stored result; `body` holds findings and figures."""

    id: str
    verdict: str | None
    not_checked: str | None
    reason: str
    started_at: datetime
    ended_at: datetime
    received_at: datetime
    clock_off_s: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Something that changed, with a number that goes up by one within the room."""

    room_id: str
    sequence: int
    kind: RoomEventKind
    at: datetime
    is_known: bool = False
    """Somebody had said that it is known: nobody is alarmed."""
    codes: tuple[str, ...] = ()
    """What was found, by code."""


@dataclass(frozen=True, slots=True)
class RoomHook:
    """An address of the organisation that is told of every event; both fields are sealed by the caller."""

    id: str
    organisation_id: str
    url: bytes
    secret: bytes
    made_at: datetime


@dataclass(frozen=True, slots=True)
class RoomNotice:
    """One event to be told to one receiver: a hook, or the room's contact by mail."""

    id: str
    organisation_id: str
    room_id: str
    sequence: int
    hook_id: str | None
    created_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class MeetingRoom:
    """A room that a meeting is in."""

    meeting_id: str
    room: Room
    newest: RoomResult | None


@dataclass(frozen=True, slots=True)
class RoomAlarm:
    """A room with an alarm, and when the next meeting in it begins."""

    room: Room
    newest: RoomResult | None
    next_at: datetime | None
