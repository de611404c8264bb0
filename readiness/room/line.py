"""The room's line, in a child process: the ordinary session socket and media, as a browser measures; and who answers.

The server opens the test and judges it; its network checks come back and become part of the room's own.
"""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from probes.internet import Budget, internet_measurements
from readiness.client.errors import ClientError
from readiness.room.errors import RoomError
from readiness.room.service import Service as Rooms

__all__ = ["measure_hosts", "measure_line"]

ANSWER_S: Final = 4.0
"""Longest wait for a host: all are asked at once."""
HTTPS: Final = 443
MOST_HOSTS: Final = 20
"""As many as a server lets anybody set: a PC in a hospital's network is no scanner for whoever took the server over."""
CLIENT: Final = {"kind": "room", "os": platform.system(), "form": "computer"}
SPEED: Final = Budget(seconds=2.0, bytes=1_000_000, answer_s=4.0)
"""A check of every day takes no more of the line than this each way."""


def measure_line(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{checks, speed}``, or a cause in ``error``.

    `request` has ``server`` and ``key``, ``speed`` (whether to ask for the full speed too) and ``public`` (whether of
    the public network, where the server has no Speedtest Mini).
    """
    try:
        checks = asyncio.run(_line(str(request["server"]), str(request["key"])))
    except (RoomError, ClientError, aiohttp.ClientError, OSError, LookupError):
        return {"error": "unreachable"}
    speed = []
    if request.get("speed"):
        speed = internet_measurements(mini_url=f"{request['server']}/mini/", budget=SPEED)
        if request.get("public") and speed[0].value is None:
            speed = internet_measurements(public=True, budget=SPEED)
    return {"checks": checks, "speed": [one.to_json() for one in speed]}


def measure_hosts(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many of ``hosts`` (``name`` or ``name:port``) take a connection: ``{asked, reached}``."""
    hosts = [str(host) for host in request.get("hosts") or []][:MOST_HOSTS]
    reached = asyncio.run(_reached(hosts))
    return {"asked": len(hosts), "reached": sum(reached)}


async def _line(base: str, key: str) -> list[dict[str, Any]]:
    # Loaded here, and only in this process: media is heavy.
    from readiness.client.person import measure_line as take_line  # noqa: PLC0415
    from readiness.client.service import Service  # noqa: PLC0415
    from readiness.client.session import SessionSocket  # noqa: PLC0415

    async with aiohttp.ClientSession() as http:
        opened = await Rooms(http, base, key).open_line()
    own = {"Cookie": f"{opened['cookie']}={opened['token']}"}
    async with aiohttp.ClientSession(headers=own) as http:
        line = SessionSocket(Service(http, base), str(opened["self_test"]), client=CLIENT, locale="en")
        try:
            plan = await line.begin()
            await take_line(line, int(plan["probe"]["up_tracks"]))
            report = await line.finish()
        finally:
            await line.leave()
    return [dict(check) for check in report["checks"] if str(check["id"]).startswith("network.")]


async def _reached(hosts: list[str]) -> list[bool]:
    return list(await asyncio.gather(*(_answers(host) for host in hosts)))


async def _answers(host: str) -> bool:
    name, _, port = host.rpartition(":") if host.rpartition(":")[2].isdecimal() else (host, "", "")
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(name.strip("[]"), int(port or HTTPS))
    except (OSError, TimeoutError, socket.gaierror, UnicodeError, OverflowError, ValueError):
        return False
    writer.close()
    return True
