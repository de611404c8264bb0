"""A room as its agent would post it: checks judged by the room's own profile, in envelopes of the contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from probes.measurement import Measurement
from readiness.room.check import check_json
from reports.model import rfc3339
from reports.rooms import PARTS, judge_room
from reports.store import Actor
from reports.store.room_records import Room

RITA = Actor("room_manager", "sunnaas", "link:rita")
"""Looks after the rooms of the organisation."""
AGENT = "readiness/0.1"
GOOD: dict[str, Any] = {
    "microphone.present": "present", "speaker.present": "present", "room.signal": "signal", "room.loop": "heard",
    "microphone.clipping": 0.0, "microphone.noise": -70.0, "camera.present": "present",
    "camera.resolution": 1080, "camera.frame_rate": 30.0, "camera.frozen": 0.0, "machine.load": 12.0,
    "machine.memory": 40.0,
}  # fmt: skip
LIGHT = {"luma_mean": 120.0, "luma_p95": 220.0, "luma_p99": 240.0, "luma_std": 50.0, "frame_clipped_pct": 1.0}


def room_check(**changed: Any) -> dict[str, Any]:
    """What `readiness room check --json` prints; dots in names of checks are written ``__``."""
    values = GOOD | {name.replace("__", "."): value for name, value in changed.items()}
    measured = [Measurement(name, value, samples=1) for name, value in values.items()]
    measured.append(Measurement("camera.light", LIGHT["luma_mean"], "luma", samples=3, details=LIGHT))
    measured.append(Measurement("microphone.hum", 1.0, "db", samples=1, details={"level_dbfs": -80.0}))
    measured.append(Measurement("machine.disk", 50.0, "pct", samples=1, details={"unwritable": 0}))
    return check_json(judge_room(measured, parts=PARTS))


BROKEN = {"microphone__present": "not_found"}
"""The table's microphone was pulled."""


def result(ended: datetime, *, check: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """An envelope whose check ended then and is sent at once."""
    return {
        "schema": "readiness.room_result/1", "id": str(uuid4()), "check": room_check() if check is None else check,
        "reason": "timetable", "planned_at": None, "started_at": rfc3339(ended - timedelta(seconds=30)),
        "ended_at": rfc3339(ended), "sent_at": rfc3339(datetime.now(tz=UTC)),
        "monotonic_age_s": max(0.0, (datetime.now(tz=UTC) - ended).total_seconds()), "boot_id": "boot-one-1",
        "key_store": "file", "dropped": {"pass": 0, "other": 0}, "agent": AGENT,
    } | changed  # fmt: skip


def room(name: str = "Fjorden", **changed: Any) -> Room:
    """A room of the organisation, made a month ago."""
    made = datetime.now(tz=UTC) - timedelta(days=30)
    values = {"id": f"room-{name}", "organisation_id": "sunnaas", "building": "B", "zone": "", "made_at": made}
    return Room(**{**values, "name": name, **changed})
