"""``make room``: one check of this machine as a meeting room, or of a room made of software where it has no devices.

make room                       print the answer
make room CODE=ABCD-EFGH        be the demo's room: `make run` prints the code; the check goes to its page
make room SERVER=https://...    another server than the one of `make run`
make room SOFTWARE=1            the software room although there are devices
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

from tests.room.soft_room import PACKAGES, SoftRoom, missing

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".cache" / "room"
FILM = STATE / "room.avi"
SERVER = "http://127.0.0.1:8080"
SOFTWARE = (
    "--microphone",
    "room",
    "--loudspeaker",
    "room",
    "--host-api",
    "ALSA",
    "--channels",
    "4",
    "--reference",
    "1",
)


def main() -> int:
    code, server = os.environ.get("CODE", ""), os.environ.get("SERVER") or SERVER
    with ExitStack() as stack:
        devices: tuple[str, ...] = ()
        environment = dict(os.environ)
        if os.environ.get("SOFTWARE") or not has_devices():
            print(
                "This machine has no loudspeaker and microphone of its own: checking a room made of software.",
                flush=True,
            )
            if missing():
                subprocess.run([ROOT / ".ci" / "install-system", *PACKAGES], check=True)
            room = stack.enter_context(SoftRoom())
            room.hiss()
            environment |= room.env
            devices = (*SOFTWARE, "--camera", film())
            if not (STATE / "ignored.json").exists():
                command(environment, "in-use", "--ignore", quiet=True)
        code = code or demo_code(server)
        if code:
            status = command(environment, "enrol", code, "--server", server, "--replace", *devices)
            if status:
                return status
        status = command(environment, "check", *devices)
        if not (STATE / "enrolment.json").exists():
            print("\nTo see it on a room's page: `make run` in another terminal, and then `make room` again.")
    # A room that is not ready is an answer, not an error of make's.
    return 0 if status in {0, 1, 2, 3} else status


def command(environment: dict[str, str], *arguments: str, quiet: bool = False) -> int:
    told = [sys.executable, "-m", "readiness", "room", arguments[0], "--state", str(STATE), *arguments[1:]]
    nowhere = subprocess.DEVNULL if quiet else None
    return subprocess.run(told, env=environment, cwd=ROOT, check=False, stdout=nowhere).returncode


def demo_code(server: str) -> str:
    """A fresh code of the demo's room, where `make run` runs beside and this checkout is no room of it yet."""
    if server != SERVER or (STATE / "enrolment.json").exists() or not (ROOT / ".data").is_dir():
        return ""
    try:
        with urlopen(f"{server}/healthz", timeout=5):
            pass
    except OSError:
        return ""
    told = [sys.executable, "-m", "readiness", "rooms", "code", "--organisation", "demo", "Fjorden"]
    done = subprocess.run(told, cwd=ROOT, capture_output=True, text=True, check=False)
    found = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}\b", done.stdout)
    return found[0] if found else ""


def has_devices() -> bool:
    command = [sys.executable, "-m", "readiness", "room", "devices", "--json"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        sound = json.loads(listed.stdout)["sound"]
    except ValueError:
        return False
    return isinstance(sound, list) and any(one["inputs"] for one in sound) and any(one["outputs"] for one in sound)


def film() -> str:
    """Three seconds of a furnished room, for a machine without a camera."""
    if not FILM.exists():
        import cv2

        from tests.room.rooms import lively

        STATE.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(FILM), cv2.VideoWriter.fourcc(*"MJPG"), 15, (1280, 720))
        for number in range(60):
            writer.write(lively(number, (1280, 720)))
        writer.release()
    return str(FILM)


if __name__ == "__main__":
    sys.exit(main())
