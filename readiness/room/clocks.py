"""The two clocks of a room: the wall's, which people and servers may set, and one that only goes on."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from readiness.room.files import read_json, write_json

__all__ = ["Clock", "SystemClock", "boot_id"]

SAME_BOOT_S: Final = 120.0
"""A PC's own figure for when it started moves with the wall's clock as it is set."""
LINUX_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What the agent knows of time; tests have one of their own."""

    def now(self) -> datetime:
        """Return the wall's time, UTC."""

    def steady_s(self) -> float:
        """Return seconds since some moment of this boot; sleep counts, and nobody can set it."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of the PC being awake, or sooner where there is news."""


class SystemClock:
    """This PC's clocks."""

    def now(self) -> datetime:
        """Return the wall's time, UTC."""
        return datetime.now(UTC)

    def steady_s(self) -> float:
        """Return seconds of a clock that goes on while the PC sleeps: each system has it under another name."""
        if sys.platform == "linux":
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        if sys.platform == "darwin":
            return time.clock_gettime(time.CLOCK_MONOTONIC)
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


def boot_id(folder: Path, room: str, *, linux: Path = LINUX_BOOT) -> str:
    """Return a digest that is the same until this PC starts again, and tells nothing of the PC.

    Raises OSError where the folder can't be written, on systems that have no such number themselves.
    """
    try:
        own = linux.read_text(encoding="ascii").strip()
    except OSError:
        own = _made_up(folder)
    return hashlib.sha256(f"{own} {room}".encode()).hexdigest()[:32]


def _made_up(folder: Path) -> str:
    """Return a random number that is kept as long as the system says that it has started at the same time."""
    began_s = float(importlib.import_module("psutil").boot_time())
    kept = read_json(folder / "boot.json")
    if isinstance(kept, dict) and abs(float(kept.get("began_s", 0.0)) - began_s) < SAME_BOOT_S:
        return str(kept["number"])
    number = secrets.token_hex(16)
    write_json(folder / "boot.json", {"began_s": began_s, "number": number})
    return number
