"""One probe in a process of its own: reads a request as JSON from its input, prints one line of JSON.

Output of drivers and libraries is discarded, because it names devices.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

__all__ = ["PROBES", "main"]

PROBES: Final = {
    "sound": "probes.hardware.sound:measure_sound",
    "clap": "probes.hardware.sound:measure_clap",
    "mixer": "probes.hardware.mixer:measure_mixer",
    "picture": "probes.hardware.view:measure_view",
    "machine": "probes.hardware.machine:measure_machine",
    "in_use": "probes.hardware.in_use:measure_in_use",
    "line": "readiness.room.line:measure_line",
    "hosts": "readiness.room.line:measure_hosts",
    "keyring": "readiness.room.keyring_probe:use_keyring",
    "sound_devices": "readiness.room.probe:list_sound",
    "cameras": "readiness.room.probe:list_cameras",
}
"""Names of probes, and their functions, which take a request and return plain values."""


def list_sound(_request: object) -> list[dict[str, Any]]:
    """Return the sound devices of this PC."""
    from probes.hardware.sound import sound_devices  # noqa: PLC0415 - loads numpy

    return [asdict(device) for device in sound_devices()]


def list_cameras(_request: object) -> list[dict[str, Any]]:
    """Return the cameras of this PC."""
    from probes.hardware.view import cameras  # noqa: PLC0415 - loads numpy

    return [{"name": camera.name} for camera in cameras()]


def main() -> int:
    """Run the probe that the first argument names. Return 0 even if it failed, because the answer says so."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    request = json.load(sys.stdin)
    module, _, name = PROBES[sys.argv[1]].partition(":")
    probe: Callable[[Mapping[str, Any]], Any] = getattr(importlib.import_module(module), name)
    try:
        found = probe(request)
    except ImportError:
        found = {"error": "not_installed"}
    except Exception:  # noqa: BLE001 - whatever a driver raises is a finding, not a crash
        found = {"error": "step_died"}
    json.dump(found, answer)
    answer.close()
    return 0


if __name__ == "__main__":
    # Threads of drivers may hang at the end; the answer is out, so nothing is waited for.
    status = main()
    os._exit(status)
