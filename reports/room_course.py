"""What a room's results come to: when a failure is an alarm, when it is over, and when nothing is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reports.model import READY_VERDICTS
from reports.store.room_records import Room, RoomEventKind, RoomSettings
from reports.timetable import runs_before

__all__ = [
    "CHECK_TAKES",
    "FAILED",
    "LOOKED_AT",
    "SILENT_RUNS",
    "TWINS_WITHIN",
    "Moments",
    "Standing",
    "changes_of",
    "corrected",
    "events_after",
    "is_twin",
    "standing_of",
]

FAILED: Final = "not_ready"
UNDECIDED: Final = "incomplete"
LOOKED_AT: Final = 8
"""Judged results, the newest included, of which three failures are an alarm."""
MOST_FAILURES: Final = 3
MOST_UNDECIDED: Final = 3
"""Checks in a row that came to no verdict: one is a busy PC, a device that hangs in all of them needs somebody."""
SILENT_RUNS: Final = 2
"""Planned checks without a result after which nothing is known, as for the telephones of lifts."""
CHECK_TAKES: Final = timedelta(minutes=30)
"""From a planned moment, the room's own spread besides, to its result: a check, its repetition, a slow line."""
CLOCK_WRONG: Final = timedelta(minutes=2)
"""More than a post takes on its way: from here on the room's clock is said to be wrong."""
TWINS_WITHIN: Final = timedelta(hours=1)


def changes_of(
    room: Room, past: Sequence[str], *, verdict: str | None, boot: str, now: datetime
) -> list[RoomEventKind]:
    """Return every event that a result of this room is, in order; `verdict` is None where it did not check."""
    found: list[RoomEventKind] = ["heard"] if room.unknown_at is not None else []
    if verdict is not None:
        found += events_after(past, alarmed=_was_told(room, verdict, now), verdict=verdict)
    is_new = room.twins_at is None or room.twins_at <= now - TWINS_WITHIN
    return [*found, "two_agents"] if is_new and is_twin(room.boots, boot, now) else found


def _was_told(room: Room, verdict: str, now: datetime) -> bool:
    """Whether an alarm was told; one of a fault that was known then is told once it is known no more."""
    if room.alarm_at is None or verdict in READY_VERDICTS or room.known_until is None:
        return room.alarm_at is not None
    return not room.alarm_at < room.known_until <= now


def events_after(past: Sequence[str], *, alarmed: bool, verdict: str) -> tuple[RoomEventKind, ...]:
    """Return what a result with `verdict` changes. `past`: earlier verdicts, the newest first.

    The first failure asks for a repetition; the second in a row is an alarm, and so are three of the last eight. Where
    the failures come and go, an alarm is over only when two in a row are good. A check without a verdict is neither a
    failure nor a recovery, but three in a row are an alarm too.
    """
    if verdict == UNDECIDED:
        in_a_row = [verdict, *past[: MOST_UNDECIDED - 1]]
        return ("alarm",) if not alarmed and in_a_row == [UNDECIDED] * MOST_UNDECIDED else ()
    past = [one for one in past if one != UNDECIDED]
    failures = [verdict, *past[: LOOKED_AT - 1]].count(FAILED)
    if verdict == FAILED:
        if alarmed:
            return ()
        return ("alarm",) if past[:1] == [FAILED] or failures >= MOST_FAILURES else ("fail",)
    if verdict not in READY_VERDICTS:
        return ()
    if alarmed:
        comes_and_goes = failures >= MOST_FAILURES and _runs_of_failures(past[: LOOKED_AT - 1]) > 1
        return () if comes_and_goes and past[:1] == [FAILED] else ("recovery",)
    return ("recovery",) if past[:1] == [FAILED] else ()


def _runs_of_failures(past: Sequence[str]) -> int:
    return sum(one == FAILED and (at == 0 or past[at - 1] != FAILED) for at, one in enumerate(past))


@dataclass(frozen=True, slots=True)
class Moments:
    """When a check was, by our clock."""

    started_at: datetime
    ended_at: datetime
    clock_off_s: int
    """How far the room's clock is ahead of ours."""


def corrected(
    started_at: datetime, ended_at: datetime, sent_at: datetime, age_s: float | None, now: datetime
) -> Moments:
    """Return the moments of a check by our clock: by its age on the monotonic clock, else by when it was sent.

    Without an age the PC was started anew in between: a clock that is right now is then believed for then too. No check
    is later than its arrival.
    """
    off = sent_at - now
    clock_off_s = round(off.total_seconds()) if abs(off) > CLOCK_WRONG else 0
    length = max(timedelta(0), ended_at - started_at)
    ended = now - timedelta(seconds=age_s) if age_s is not None else ended_at - timedelta(seconds=clock_off_s)
    ended = min(ended, now)
    return Moments(ended - length, ended, clock_off_s)


def is_twin(boots: Sequence[tuple[str, datetime]], boot: str, now: datetime) -> bool:
    """Whether `boot` speaks again after another one did within the hour: two PCs with one key, for none boots back."""
    recent = [name for name, at in boots if at > now - TWINS_WITHIN]
    return bool(recent) and recent[-1] != boot and boot in recent


@dataclass(frozen=True, slots=True)
class Standing:
    """How a room is now, for a page."""

    state: str
    """The newest verdict, ``in_use``, ``unknown``, ``new`` (enrolled, not checked) or ``not_enrolled``."""
    since: datetime | None
    is_alarm: bool
    last_step: str
    """What worked last: ``made``, ``enrolled``, ``asked`` (its program is alive) or ``checked``."""
    last_at: datetime | None
    known_until: datetime | None
    """Somebody knows, until then; outlives any result."""


def standing_of(room: Room, now: datetime) -> Standing:
    """Return how the room stands."""
    steps = {"enrolled": room.enrolled_at, "asked": room.asked_at, "checked": room.heard_at}
    last = max((at, name) for name, at in {**steps, "made": room.made_at}.items() if at is not None)
    known = room.known_until if room.known_until is not None and room.known_until > now else None
    since, state = room.since, room.state
    if room.enrolled_at is None:
        state, since = "not_enrolled", room.made_at
    elif (silent := _silent_since(room, now)) is not None:
        state, since = "unknown", silent
    return Standing(state, since, room.alarm_at is not None and state != "unknown", last[1], last[0], known)


def _silent_since(room: Room, now: datetime) -> datetime | None:
    """Return when the room was last heard, if two planned checks have passed since."""
    heard = max((at for at in (room.heard_at, room.enrolled_at) if at is not None), default=None)
    if heard is None:
        return None
    settings = RoomSettings.read(room.settings)
    due = now - CHECK_TAKES - timedelta(minutes=settings.spread_min)
    runs = runs_before(settings.cron, settings.time_zone, due, SILENT_RUNS)
    return heard if len(runs) == SILENT_RUNS and heard < runs[-1] else None
