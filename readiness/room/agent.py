"""The room's service: checks when it is time and nobody is there, keeps what was found, and hands it in.

One turn does what is due and says how long to sleep, a minute at the most: a PC that slept, or whose clock was set, is
then right again within that. What goes wrong between room and server is waited out, never the check's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from readiness.room.clocks import Clock
from readiness.room.diary import Diary
from readiness.room.enrolment import Enrolment
from readiness.room.errors import AwayError, RevokedError, RoomBusyError, RoomError
from readiness.room.handing import Server, envelope, hand_in
from readiness.room.spool import Spool
from readiness.room.timetable import Rules, TimetableError
from reports.model import rfc3339

__all__ = ["Agent", "CheckRun"]

SLEEP_S: Final = 60.0
SETTINGS_EVERY_S: Final = 60.0
AWAY_FIRST_S: Final = 30.0
AWAY_MOST_S: Final = 600.0
BUSY_AGAIN_S: Final = 300.0
"""A room that is in use is looked at again so soon."""
CONTACT_NOTED_S: Final = 900.0
ROTATE: Final = timedelta(days=30)
FAILED: Final = frozenset({"not_ready", "incomplete"})
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CheckRun:
    """How a check is to be made."""

    reason: str
    is_quiet_time: bool
    disk_is_full: bool
    server_time_off_s: float | None
    """How far this PC's clock is from the server's; None where the server has not said."""
    meetings_s: tuple[float, ...] = ()
    """When the meetings of the next day and night begin, s since 1970."""


@dataclass(frozen=True, slots=True)
class _Due:
    reason: str
    planned: datetime | None = None
    """A time of the timetable, which is done once."""
    meeting: datetime | None = None
    asked: str = ""


class Agent:
    """One room. `check` makes one check and returns room_check/1, or raises RoomBusyError; it may take two minutes."""

    def __init__(
        self,
        enrolment: Enrolment,
        *,
        folder: Path,
        connect: Callable[[Enrolment], Server],
        check: Callable[[CheckRun], dict[str, Any]],
        clock: Clock,
        boot: str,
        keep: Callable[[Enrolment], Enrolment] = lambda enrolment: enrolment,
    ) -> None:
        self.enrolment = enrolment
        self.spool = Spool(folder / "spool")
        self.diary = Diary.read(folder)
        self._folder, self._connect, self._check, self._clock, self._boot = folder, connect, check, clock, boot
        self._keep = keep
        self._server = connect(enrolment)
        self._meetings: list[dict[str, Any]] = [one for one in self.diary.meetings if isinstance(one, dict)]
        self._wanted = ""
        self._off_s: float | None = None
        self._next_call_s = self._next_look_s = self._contact_noted_s = 0.0
        self._away_s = 0.0
        self._noted = ""
        self._rules: Rules | None = None
        self._next: tuple[datetime, datetime] | None = None
        """A planned time and the one after it."""
        self._begin()

    @property
    def rules(self) -> Rules:
        """Return the timetable in force: the server's newest, or the usual one where that can't be read."""
        if self._rules is None:
            try:
                self._rules = Rules.read(self.enrolment.settings, self._meetings, self.enrolment.room_id)
            except TimetableError as error:
                self._log_once(str(error))
                self._rules = Rules.read({}, [], self.enrolment.room_id)
        return self._rules

    async def run(self) -> None:
        """Go on until cancelled. Raises RevokedError once the server no longer knows the room."""
        while True:
            await self._clock.sleep(await self.turn())

    async def turn(self) -> float:
        """Do what is due now, and return how long there is nothing to do, s. Raises RevokedError."""
        await self._call()
        due = self._due()
        if due is not None:
            await self._run(due)
        elif self.diary.in_use_since and self._clock.steady_s() >= self._next_look_s:
            self.diary.in_use_since = ""
            self._write()
        await self._hand_in()
        return self._pause_s()

    def _begin(self) -> None:
        """Take up where the last run ended: what waits was done, and a new room begins with its next planned time."""
        newest = self.spool.newest_planned() or ""
        if not self.diary.last_planned:
            self.diary.last_planned = newest or rfc3339(self._clock.now())
        self.diary.last_planned = max(newest, self.diary.last_planned)
        self._write()

    # ---- the server

    async def _call(self) -> None:
        """Ask for settings where it is time to: also the sign that this room lives."""
        if self._clock.steady_s() < self._next_call_s:
            return
        try:
            told = await self._server.settings()
        except RevokedError:
            self.diary.is_revoked = True
            self._write()
            raise
        except RoomError as error:
            self._is_away(error)
            return
        self._away_s, self._next_call_s = 0.0, self._clock.steady_s() + SETTINGS_EVERY_S
        self._take(told)
        try:
            await self._rotate()
        except RevokedError:
            self.diary.is_revoked = True
            self._write()
            raise
        except RoomError as error:
            self._log_once(f"the key is not changed yet: {error}")

    def _take(self, told: Mapping[str, Any]) -> None:
        now = self._clock.now()
        settings, room = told.get("settings"), told.get("room")
        changed = replace(
            self.enrolment,
            settings=settings if isinstance(settings, dict) else self.enrolment.settings,
            room=room if isinstance(room, dict) else self.enrolment.room,
        )
        listed = told.get("meetings")
        meetings = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        if meetings != self._meetings:
            self.diary.meetings, self._contact_noted_s = meetings, 0.0
        if changed != self.enrolment or meetings != self._meetings:
            self._meetings, self._rules, self._next = meetings, None, None
        if changed != self.enrolment:
            self._store(changed)
        self._wanted = str(told.get("check_wanted") or "")
        try:
            self._off_s = (now - datetime.fromisoformat(str(told["server_time"])).astimezone(UTC)).total_seconds()
        except (KeyError, ValueError, OverflowError):
            self._off_s = None
        self.diary.last_contact = rfc3339(now)
        if self._clock.steady_s() >= self._contact_noted_s:
            self._contact_noted_s = self._clock.steady_s() + CONTACT_NOTED_S
            self._write(is_lasting=False)

    async def _rotate(self) -> None:
        """Change the key once a month. Until the new one is first used the old one holds: a power cut loses neither."""
        if self.enrolment.key_store == "credential":
            return
        age_s = self._clock.now().timestamp() - self.enrolment.key_since
        if 0 <= age_s < ROTATE.total_seconds():
            return
        key = await self._server.new_key()
        self._store(replace(self.enrolment, key=key, key_since=self._clock.now().timestamp()), must=True)
        self.diary.rotated_at = rfc3339(self._clock.now())
        self._write()

    def _store(self, enrolment: Enrolment, *, must: bool = False) -> None:
        """Keep a changed enrolment. A new key that can't be kept is not used: it would be gone at the next start."""
        try:
            kept = self._keep(enrolment)
        except OSError as error:
            self._log_once(f"the enrolment can't be written: {error.strerror}")
            if must:
                return
            kept = enrolment
        self.enrolment = kept
        self._server = self._connect(kept)

    def _is_away(self, error: RoomError) -> None:
        self._away_s = min(AWAY_MOST_S, self._away_s * 2 or AWAY_FIRST_S)
        after_s = error.retry_after_s if isinstance(error, AwayError) and error.retry_after_s else 0.0
        self._next_call_s = self._clock.steady_s() + min(max(self._away_s, after_s), AWAY_MOST_S * 6)
        self._log_once(str(error))

    async def _hand_in(self) -> None:
        """Send what waits, oldest first, until the server is away."""
        if self._away_s:
            return
        try:
            await hand_in(self.spool, self._server, clock=self._clock, boot=self._boot)
        except RevokedError:
            self.diary.is_revoked = True
            self._write()
            raise
        except RoomError as error:
            self._is_away(error)
        except OSError as error:
            self._log_once(f"a result that was sent can't be removed: {error.strerror}")

    # ---- checks

    def _due(self) -> _Due | None:
        """Return what is due: what was asked for, the timetable, a meeting, and a failed check once more."""
        if self._clock.steady_s() < self._next_look_s:
            return None
        now, rules, diary = self._clock.now(), self.rules, self.diary
        if self._wanted and self._wanted != diary.last_asked:
            return _Due("asked", asked=self._wanted)
        believed = rules.believed(_moment(diary.last_planned) or now, now)
        diary.last_planned = rfc3339(believed)
        if self._coming(believed) <= now and (planned := rules.due(believed, now)):
            return _Due("timetable", planned=planned)
        coming = rules.before_meeting(now)
        if coming and rfc3339(coming[0].starts_at) not in diary.met:
            checked = _moment(diary.last_check.get("ended_at", ""))
            if checked is None or not coming[1] <= checked <= now:
                return _Due("meeting", planned=None, meeting=coming[0].starts_at)
        repeat = _moment(diary.repeat_at)
        if repeat and (now >= repeat or repeat > now + rules.repeat):
            return _Due("repeat")
        return None

    async def _run(self, due: _Due) -> None:
        started = self._clock.now()
        coming = self.rules.coming_s(started)
        run = CheckRun(due.reason, self.rules.is_quiet(started), self.spool.is_full, self._off_s, coming)
        if self.rules.in_meeting(started):
            self._is_in_use(due, started)
            return
        try:
            check = await asyncio.to_thread(self._check, run)
        except RoomBusyError:
            self._is_in_use(due, started)
            return
        except OSError as error:
            self._log_once(f"the room can't be checked now: {error.strerror}")
            self._next_look_s = self._clock.steady_s() + BUSY_AGAIN_S
            return
        self.diary.in_use_since = ""
        ended = self._clock.now()
        self.spool.add(self._result(due, started, check=check))
        verdict = str(check.get("verdict"))
        self.diary.last_check = {"verdict": verdict, "reason": due.reason, "ended_at": rfc3339(ended)}
        self.diary.repeat_at = (
            rfc3339(ended + self.rules.repeat) if verdict in FAILED and due.reason != "repeat" else ""
        )
        self._is_done(due)

    def _is_in_use(self, due: _Due, now: datetime) -> None:
        """Stay away and come again; the server is told once for each planned time, and at once where it asked."""
        self.diary.in_use_since = self.diary.in_use_since or rfc3339(now)
        self._next_look_s = self._clock.steady_s() + BUSY_AGAIN_S
        planned = rfc3339(due.planned) if due.planned else ""
        if due.asked or (planned and planned != self.diary.in_use_told):
            self.spool.add(self._result(due, now, check=None, in_use_since=self.diary.in_use_since))
            self.diary.in_use_told = planned or self.diary.in_use_told
        if due.asked:
            self._is_done(due)
        self._write()

    def _is_done(self, due: _Due) -> None:
        if due.planned:
            self.diary.last_planned = rfc3339(due.planned)
        if due.meeting:
            self.diary.met_now(due.meeting)
        if due.asked:
            self.diary.last_asked = due.asked
        self._write()

    def _result(
        self, due: _Due, started: datetime, *, check: Mapping[str, Any] | None, in_use_since: str = ""
    ) -> dict[str, Any]:
        return envelope(
            check,
            reason=due.reason,
            planned=due.planned,
            started=started,
            clock=self._clock,
            boot=self._boot,
            key_store=self.enrolment.key_store,
            in_use_since=in_use_since,
        )

    def _coming(self, last: datetime) -> datetime:
        """Return the planned time after `last`; the end of time where the timetable has none."""
        if self._next is None or self._next[0] != last:
            self._next = last, self.rules.next_after(last) or datetime.max.replace(tzinfo=UTC)
        return self._next[1]

    def _pause_s(self) -> float:
        """Return how long to sleep: until what comes next, a minute at the most."""
        now, steady_s = self._clock.now(), self._clock.steady_s()
        coming = self._coming(_moment(self.diary.last_planned) or now)
        until = [SLEEP_S, self._next_call_s - steady_s, (coming - now).total_seconds()]
        repeat = _moment(self.diary.repeat_at)
        until += [(repeat - now).total_seconds()] if repeat else []
        if self._next_look_s > steady_s:
            until = [SLEEP_S, self._next_call_s - steady_s, self._next_look_s - steady_s]
        return max(1.0, min(until))

    def _write(self, *, is_lasting: bool = True) -> None:
        try:
            self.diary.write(self._folder, is_lasting=is_lasting)
        except OSError as error:
            self._log_once(f"what was done can't be written: {error.strerror}")

    def _log_once(self, message: str) -> None:
        """Log what goes on for hours once, until something else happens."""
        if message != self._noted:
            self._noted = message
            logger.warning("%s", message)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except ValueError:
        return None
