"""The usual figures of this room: those of its last good checks, in one small file on the room's own PC.

The file holds levels and noise by number of loudspeaker and channel, and no names; a digest of the devices makes other
devices start afresh.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from probes.room_sound import Baseline
from readiness.room.files import remove, write_json

__all__ = ["History", "state_folder"]

KEPT: Final = 10
"""Good checks that count."""
FILE: Final = "usual.json"


def state_folder() -> Path:
    """Return the folder for the state of this user's programs, by the custom of each system."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "readiness"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "readiness"
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "readiness"


class History:
    """The good checks of one set of devices."""

    def __init__(self, folder: Path, devices: Iterable[str]) -> None:
        self._path = folder / FILE
        named = "\0".join(devices).encode("utf-8", "surrogatepass")  # a command line may hold bytes that are no text
        self._devices = hashlib.sha256(named).hexdigest()

    def usual(self) -> Baseline | None:
        """Return the median of the last good checks, or None without any; a damaged file counts as none."""
        return Baseline.usual(self._checks())

    def add(self, check: Baseline) -> None:
        """Add a good check. The file is written beside and renamed, so that a power cut leaves the old or the new one.

        Raises OSError if the folder can't be written.
        """
        checks = [*self._checks(), check][-KEPT:]
        write_json(self._path, {"devices": self._devices, "checks": [asdict(one) for one in checks]})

    def forget(self) -> None:
        """Begin anew with the next check. Raises OSError where the file can't be removed."""
        remove(self._path)

    def _checks(self) -> list[Baseline]:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            kept = stored["checks"] if stored["devices"] == self._devices else []
            return [_baseline(one) for one in kept]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError):
            return []


def _baseline(stored: dict[str, Any]) -> Baseline:
    return Baseline(**{name: {key: _finite(value) for key, value in stored[name].items()} for name in _NAMES})


def _finite(value: Any) -> float:
    """Return a figure that can be compared: against NaN, nothing is ever worse. Raises ValueError for others."""
    if not math.isfinite(figure := float(value)):
        raise ValueError(value)
    return figure


_NAMES: Final = ("gains_db", "treble_db", "noise_dbfs")
