"""``readiness room run``: the agent with this PC's own clock, devices, files and server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from readiness.room.agent import Agent, CheckRun
from readiness.room.check import Ask, LinePlan, RoomPlan, check_json, check_room
from readiness.room.clocks import SystemClock, boot_id
from readiness.room.devices import own_plan
from readiness.room.enrolment import Enrolment, keep_enrolment
from readiness.room.errors import RoomBusyError
from readiness.room.lock import held
from readiness.room.manners import users_now
from readiness.room.service import Service
from readiness.room.watchdog import beat, notify

__all__ = ["line_plan", "run_agent"]

logger = logging.getLogger(__name__)


def line_plan(enrolment: Enrolment, *, speed: bool) -> LinePlan:
    """Return how this room's line is measured."""
    hosts = enrolment.settings.get("hosts")
    return LinePlan(
        server=enrolment.server,
        key=enrolment.key,
        hosts=tuple(str(host) for host in hosts) if isinstance(hosts, list) else (),
        speed=speed,
        public_speed=enrolment.settings.get("speedtest_public") is True,
    )


async def run_agent(enrolment: Enrolment, folder: Path, *, ask_probe: Ask) -> None:
    """Run until told to stop. Raises RevokedError once the server no longer knows this room."""
    async with aiohttp.ClientSession() as http:
        agent = Agent(
            enrolment,
            folder=folder,
            connect=lambda one: Service(http, one.server, one.key),
            check=lambda run: _check(agent.enrolment, run, folder, ask_probe),
            clock=SystemClock(),
            boot=boot_id(folder, enrolment.room_id),
            keep=_keeper(folder, ask_probe),
        )
        work = asyncio.create_task(agent.run())
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGINT"):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(getattr(signal, name), work.cancel)
        notify("READY=1")
        logger.info("room %s: running", enrolment.room_id)
        living = asyncio.create_task(beat())
        try:
            await work
        except asyncio.CancelledError:
            logger.info("room %s: told to stop", enrolment.room_id)
        finally:
            living.cancel()
            notify("STOPPING=1")


def _keeper(folder: Path, ask_probe: Ask) -> Callable[[Enrolment], Enrolment]:
    def keep(enrolment: Enrolment) -> Enrolment:
        return keep_enrolment(
            folder, enrolment, ask_probe=ask_probe, use_keyring=enrolment.key_store == "keyring"
        )  # fmt: skip

    return keep


def _check(enrolment: Enrolment, run: CheckRun, folder: Path, ask_probe: Ask) -> dict[str, Any]:
    """Make one check, in a thread of its own. Raises RoomBusyError."""
    with held(folder / "check.lock") as is_ours:
        if not is_ours or users_now(folder, ask_probe=ask_probe):
            raise RoomBusyError
        plan: RoomPlan = replace(
            own_plan(folder),
            line=line_plan(enrolment, speed=run.reason == "timetable"),
            clock_off_s=run.server_time_off_s,
            meetings_s=run.meetings_s,
            away_from_people=True,
            is_quiet_time=run.is_quiet_time,
            disk_is_full=run.disk_is_full,
        )
        if enrolment.settings.get("cancels_own_echo") is True:
            plan = replace(plan, cancels_echo=True)
        return check_json(check_room(plan, folder, ask_probe=ask_probe))
