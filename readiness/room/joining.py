"""``readiness room enrol``, ``status`` and ``forget --all``: this PC becomes a room of a server, and leaves again."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from probes.hardware.scene import LIGHT_FILE
from readiness.room.check import REFERENCE, Ask, RoomPlan
from readiness.room.devices import keep_devices
from readiness.room.diary import Diary
from readiness.room.enrolment import Enrolment, drop_enrolment, keep_enrolment, read_enrolment
from readiness.room.errors import RefusedError, RevokedError, RoomError
from readiness.room.files import read_json, remove
from readiness.room.manners import ignore
from readiness.room.seating import SEATS
from readiness.room.service import Service, enrol, server_address
from readiness.room.spool import Spool
from readiness.room.timetable import Rules, TimetableError
from reports.model import rfc3339

__all__ = ["is_enrolled", "join", "leave", "say_status", "status"]

UNKNOWN: Final = 404
LONG_IN_USE: Final = timedelta(hours=18)
STORES: Final = {
    "keyring": "the system's keyring",
    "file": "a file that only this account reads",
    "credential": "systemd's credentials",
}


def join(options: argparse.Namespace, folder: Path, plan: RoomPlan, *, ask_probe: Ask) -> str:
    """Enrol this room and return what to tell. Raises ValueError and RoomError with a sentence, and OSError."""
    base = server_address(options.server)
    if is_enrolled(folder) and not options.replace:
        raise ValueError("this PC is enrolled already; `readiness room forget --all` first, or add --replace")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        answer = asyncio.run(_enrol(base, options.code))
    except RefusedError as error:
        if error.status == UNKNOWN:
            raise ValueError("this code is not known: mistyped, used already, or older than a day") from None
        raise
    settings, room = answer.get("settings"), answer.get("room")
    given = Enrolment(
        server=base,
        room=room if isinstance(room, dict) else {},
        key=str(answer["key"]),
        key_store="file",
        key_since=time.time(),
        settings=settings if isinstance(settings, dict) else {},
    )
    before = read_json(folder / "enrolment.json")
    was = before.get("room") if isinstance(before, dict) else None
    if isinstance(was, dict) and (before.get("server"), was.get("id")) != (base, given.room_id):
        Spool(folder / "spool").clear()  # what waits is another room's
    kept = keep_enrolment(folder, given, ask_probe=ask_probe, use_keyring=options.key_store != "file")
    keep_devices(folder, plan)
    Diary().write(folder)
    found = ask_probe("in_use", {})
    always = found.get("users") or []
    ignore(folder, always)
    lines = [f"This PC is now the room {_called(kept)} at {kept.server}. Its key is in {STORES[kept.key_store]}."]
    if always:
        names = ", ".join(sorted({str(one["program"]) for one in always}))
        lines.append(f"Used now, and from now on taken for nobody: {names}.")
    if not found.get("asked"):
        lines.append("This system can't say who uses microphone and camera; only a device that is busy is noticed.")
    lines.append("Next: `readiness room listen`, then `check`, `reference`, `seats` and `install`.")
    return "\n".join(lines)


async def _enrol(base: str, code: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as http:
        return await enrol(http, base, code)


def is_enrolled(folder: Path) -> bool:
    """Whether this PC is enrolled, whatever has become of its key."""
    return (folder / "enrolment.json").exists()


def leave(folder: Path, *, ask_probe: Ask) -> str:
    """Forget the room, here and at the server, and return what to tell. Raises RoomError, OSError.

    What lies here goes also where the server can't be reached; then that is said, for its key still opens there.
    """
    told = "This PC is no room any more: key, reference, results that waited and what was usual are gone."
    try:
        enrolment = read_enrolment(folder, ask_probe=ask_probe)
        if enrolment is not None:
            asyncio.run(_leave(enrolment))
    except RevokedError:
        told += " The server had forgotten it already."
    except RoomError as error:
        told += f" But the server still knows it ({error}): delete the room there."
    drop_enrolment(folder, ask_probe=ask_probe)
    Spool(folder / "spool").clear()
    for name in (REFERENCE, LIGHT_FILE, SEATS, "agent.json", "ignored.json", "room.json", "usual.json", "boot.json"):
        remove(folder / name)
    return told


async def _leave(enrolment: Enrolment) -> None:
    async with aiohttp.ClientSession() as http:
        await Service(http, enrolment.server, enrolment.key).leave()


def status(folder: Path, *, ask_probe: Ask, now: datetime | None = None) -> dict[str, Any]:
    """Return what is known of this room, as it is printed. Raises RoomError where its key can't be read."""
    now = now or datetime.now(UTC)
    enrolment = read_enrolment(folder, ask_probe=ask_probe)
    if enrolment is None:
        return {"enrolled": False}
    diary, spool = Diary.read(folder), Spool(folder / "spool")
    coming = None
    with contextlib.suppress(TimetableError, ValueError):
        rules = Rules.read(enrolment.settings, [], enrolment.room_id)
        coming = rules.next_after(max(now, datetime.fromisoformat(diary.last_planned or rfc3339(now))))
    since = datetime.fromisoformat(diary.in_use_since) if diary.in_use_since else None
    return {
        "enrolled": True,
        "room": dict(enrolment.room),
        "server": enrolment.server,
        "key_store": enrolment.key_store,
        "key_since": rfc3339(datetime.fromtimestamp(enrolment.key_since, UTC)),
        "revoked": diary.is_revoked,
        "last_check": diary.last_check or None,
        "next_check": rfc3339(coming) if coming else None,
        "last_contact": diary.last_contact or None,
        "waiting": len(spool),
        "dropped": spool.dropped,
        "in_use_since": diary.in_use_since or None,
        "in_use_for_long": since is not None and now - since >= LONG_IN_USE,
        "reference": (folder / REFERENCE).exists(),
    }


def say_status(known: dict[str, Any]) -> str:
    """Return `status` as lines for a person."""
    if not known["enrolled"]:
        return "This PC is not enrolled: `readiness room enrol CODE --server URL`."
    last = known["last_check"]
    lines = [
        f"Room       {json.dumps(known['room'].get('name') or known['room'].get('id'), ensure_ascii=False)}",
        f"Server     {known['server']}"
        + ("  (it no longer knows this room: enrol it again)" if known["revoked"] else ""),
        f"Key        in {STORES[known['key_store']]}, since {known['key_since']}",
        f"Last check {last['verdict'] + ' at ' + last['ended_at'] + ', ' + last['reason'] if last else 'none yet'}",
        f"Next check {known['next_check'] or 'none in the timetable'}",
        f"Heard of the server {known['last_contact'] or 'never'}",
        f"Waiting    {known['waiting']} results, given up {sum(known['dropped'].values())}",
        f"Reference  {'taken' if known['reference'] else 'none: readiness room reference'}",
    ]
    if known["in_use_since"]:
        lines.append(f"In use     since {known['in_use_since']}")
    if known["in_use_for_long"]:
        lines.append("           for over 18 hours: see who it is with `readiness room in-use`")
    return "\n".join(lines)


def _called(enrolment: Enrolment) -> str:
    return str(enrolment.room.get("name") or enrolment.room_id or "without a name")
