"""A check that somebody makes at the room's own PC: measured with its server, and handed in like the service's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp

from readiness.room.check import Ask, RoomPlan
from readiness.room.clocks import SystemClock, boot_id
from readiness.room.diary import Diary
from readiness.room.enrolment import Enrolment, read_enrolment
from readiness.room.errors import RoomError
from readiness.room.handing import envelope, hand_in
from readiness.room.lock import held
from readiness.room.running import line_plan
from readiness.room.service import Service
from readiness.room.spool import Spool
from readiness.room.timetable import Rules, TimetableError
from reports.model import rfc3339

__all__ = ["Room"]


@dataclass(frozen=True, slots=True)
class Room:
    """The room that this PC is, or none."""

    folder: Path
    enrolment: Enrolment | None
    told: Mapping[str, Any]
    """What the server said just now; empty where it did not."""
    started: datetime
    complain: Callable[[str], None]

    @classmethod
    def of(cls, folder: Path, *, ask_probe: Ask, complain: Callable[[str], None]) -> Self:
        """Ask the server, where there is one. A server that is away is told and no reason not to check."""
        enrolment, told = None, {}
        try:
            enrolment = read_enrolment(folder, ask_probe=ask_probe)
            if enrolment is not None:
                told = asyncio.run(_settings(enrolment))
        except RoomError as error:
            complain(f"readiness: {error}")
        return cls(folder, enrolment, told, datetime.now(UTC), complain)

    @property
    def is_in_meeting(self) -> bool:
        """Whether the room is kept free now for a meeting that the server knows of."""
        rules = self._rules()
        return rules is not None and rules.in_meeting(self.started) is not None

    def _rules(self) -> Rules | None:
        if self.enrolment is None:
            return None
        try:
            return Rules.read(self.told.get("settings") or {}, self.told.get("meetings") or [], self.enrolment.room_id)
        except TimetableError:
            return None

    def plan_of(self, plan: RoomPlan) -> RoomPlan:
        """Return the plan with this room's server."""
        if self.enrolment is None:
            return plan
        try:
            server = datetime.fromisoformat(str(self.told["server_time"])).astimezone(UTC)
            off_s = (self.started - server).total_seconds()
        except (KeyError, ValueError):
            off_s = None
        rules = self._rules()
        coming = rules.coming_s(self.started) if rules else ()
        return replace(plan, line=line_plan(self.enrolment, speed=True), clock_off_s=off_s, meetings_s=coming)

    def hand_in(self, checked: Mapping[str, Any]) -> None:
        """Keep the check for the server and try to send it; the service goes on with what could not be sent."""
        if self.enrolment is None:
            return
        clock = SystemClock()
        boot = boot_id(self.folder, self.enrolment.room_id)
        spool = Spool(self.folder / "spool")
        result = envelope(
            checked,
            reason="hand",
            planned=None,
            started=self.started,
            clock=clock,
            boot=boot,
            key_store=self.enrolment.key_store,
        )
        spool.add(result)
        self._note(result)
        try:
            asyncio.run(_send(self.enrolment, spool, boot))
        except RoomError as error:
            self.complain(f"readiness: {error}; the service sends it later")

    def _note(self, result: Mapping[str, Any]) -> None:
        """Have `status` tell this check; a service that runs keeps notes of its own."""
        with contextlib.suppress(OSError), held(self.folder / "agent.lock") as is_ours:
            if is_ours:
                diary = Diary.read(self.folder)
                diary.last_check = {
                    "verdict": str(result["check"]["verdict"]), "reason": "hand", "ended_at": str(result["ended_at"]),
                }  # fmt: skip
                diary.last_contact = rfc3339(self.started) if self.told else diary.last_contact
                diary.write(self.folder)


async def _settings(enrolment: Enrolment) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http:
        return await Service(http, enrolment.server, enrolment.key).settings()


async def _send(enrolment: Enrolment, spool: Spool, boot: str) -> None:
    async with aiohttp.ClientSession() as http:
        service = Service(http, enrolment.server, enrolment.key)
        await hand_in(spool, service, clock=SystemClock(), boot=boot)
