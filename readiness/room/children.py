"""Probes in child processes with a hard deadline: a driver that hangs costs one finding, never the check."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["DEADLINES_S", "ask"]

DEADLINES_S: Final = {
    "sound": 55.0,
    "clap": 20.0,
    "mixer": 10.0,
    "picture": 30.0,
    "machine": 10.0,
    "in_use": 10.0,
    "line": 75.0,
    "hosts": 10.0,
    "keyring": 10.0,
    "sound_devices": 10.0,
    "cameras": 10.0,
}
"""Longest time of each probe, s; a whole check gives each what is left of two minutes. Python itself takes
1 to 3 of them on a busy PC, and the camera interface of Windows up to 20 to open."""
FAREWELL_S: Final = 2.0
"""How long a child that was killed is waited for: one that hangs in the kernel cannot be."""
SOURCE: Final = str(Path(__file__).resolve().parents[2])


def ask(probe: str, request: Mapping[str, Any], *, deadline_s: float | None = None, command: Sequence[str] = ()) -> Any:
    """Return what `probe` answers to `request`, or ``{"error": "hung"}``, or ``{"error": "step_died"}``.

    It runs in a process group of its own, which is ended when the deadline has passed. `command` is another program in
    place of the probe's own.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (SOURCE, os.environ.get("PYTHONPATH"))))}
    child = subprocess.Popen(  # noqa: S603 - this interpreter, with a module of ours
        [*(command or (sys.executable, "-m", "readiness.room.probe")), probe],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    limit_s = DEADLINES_S[probe] if deadline_s is None else deadline_s
    try:
        said, _ = child.communicate(json.dumps(request).encode(), timeout=limit_s)
        found = json.loads(said)
        return found if isinstance(found, dict | list) else {"error": "step_died"}
    except subprocess.TimeoutExpired:
        return {"error": "hung"}
    except (ValueError, OSError):
        return {"error": "step_died"}
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child with all that it has started; returns even if it cannot be killed."""
    if hasattr(os, "killpg"):
        # The group outlives its leader where a driver has started something: its number is not given away until then.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        child.kill()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(FAREWELL_S)
