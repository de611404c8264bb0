"""Which display the room's PC sees. Never whether its picture is on: one in standby is connected too."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

from probes.hardware.mixer import ask_program

__all__ = ["connected_displays", "of_drm", "of_macos"]

DRM: Final = Path("/sys/class/drm")
ATTACHED: Final = 0x1
"""Windows' DISPLAY_DEVICE_ATTACHED_TO_DESKTOP."""
Run = Callable[[Sequence[str]], str | None]


def connected_displays() -> int | None:
    """Return how many displays are connected, or None where the system does not say."""
    if sys.platform == "linux":
        return of_drm(DRM)
    if sys.platform == "darwin":
        return of_macos(ask_program)
    if sys.platform == "win32":
        return _of_windows()
    return None


def of_drm(folder: Path) -> int | None:
    """Count the connectors of Linux that something is plugged into; None on a PC without any, such as a virtual one."""
    states = []
    for entry in folder.glob("card*-*/status"):
        try:
            states.append(entry.read_text(encoding="ascii").strip())
        except OSError:
            continue
    return states.count("connected") if states else None


def of_macos(run: Run) -> int | None:
    """Count what `system_profiler` lists."""
    said = run(("system_profiler", "SPDisplaysDataType", "-json"))
    try:
        cards = json.loads(said or "")["SPDisplaysDataType"]
        return sum(len(card.get("spdisplays_ndrvs") or []) for card in cards)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _of_windows() -> int | None:  # pragma: no cover - Windows only, and not run by us
    class Device(ctypes.Structure):
        _fields_: ClassVar[Any] = (
            ("cb", ctypes.c_uint32), ("name", ctypes.c_wchar * 32), ("text", ctypes.c_wchar * 128),
            ("flags", ctypes.c_uint32), ("id", ctypes.c_wchar * 128), ("key", ctypes.c_wchar * 128),
        )  # fmt: skip

    user = getattr(ctypes, "windll").user32  # noqa: B009 - there is none elsewhere
    found, number = 0, 0
    device = Device()
    device.cb = ctypes.sizeof(device)
    while user.EnumDisplayDevicesW(None, number, ctypes.byref(device), 0):
        found += bool(device.flags & ATTACHED)
        number += 1
    return found
