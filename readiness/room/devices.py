"""Which devices this room has, as its enrolment was told: names for this PC alone, in a file of its account's."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from readiness.room.check import RoomPlan
from readiness.room.files import read_json, write_json

__all__ = ["keep_devices", "own_plan"]

FILE: Final = "room.json"
KEPT: Final = ("microphone", "speaker", "camera", "host_api", "channels", "reference", "cancels_echo", "loudest_dbfs")


def keep_devices(folder: Path, plan: RoomPlan) -> None:
    """Keep a plan's devices. Raises OSError."""
    write_json(folder / FILE, {name: getattr(plan, name) for name in KEPT})


def own_plan(folder: Path) -> RoomPlan:
    """Return the plan with the devices that were kept; the system's own where none were."""
    stored = read_json(folder / FILE)
    kept: dict[str, Any] = stored if isinstance(stored, dict) else {}
    known = {one.name for one in fields(RoomPlan)} & set(KEPT)
    return replace(RoomPlan(), **{name: value for name, value in kept.items() if name in known})
