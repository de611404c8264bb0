"""Who uses this room's microphones and cameras now: asked of the system before anything is opened.

Each system has sources of its own, each behind one small function: a list of users, or None where it can't tell here.
One user is enough to stay away. Names are of programs; they stay in this process's parent, on this PC.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from probes.hardware.mixer import ask_program

__all__ = ["User", "measure_in_use", "users"]

Run = Callable[[Sequence[str]], str | None]
RUNNING: Final = "running"
CAPTURES: Final = {"Stream/Input/Audio": "microphone", "Stream/Input/Video": "camera"}
"""PipeWire's classes of streams that take sound or pictures in."""
VIDEO: Final = re.compile(r"^/dev/video\d+$")
CAPTURE_CARD: Final = re.compile(r"^/dev/snd/pcmC\d+D\d+c$")
"""ALSA's own file of a card that records: whoever has it open needs no sound server."""
SOUND_SERVERS: Final = frozenset({"pipewire", "pulseaudio", "wireplumber"})
"""They hold card and camera files for others, and say themselves who these are."""
NOT_RECORDED: Final = "monitor"
CONSENT: Final = r"SOFTWARE\Microsoft\Windows\CurrentVersion\CapabilityAccessManager\ConsentStore"
ACTIVE: Final = 1
"""Windows' AudioSessionStateActive."""


@dataclass(frozen=True, slots=True)
class User:
    """One program that has a device."""

    kind: str
    """microphone or camera."""
    program: str


def measure_in_use(_request: object) -> dict[str, Any]:
    """Return ``{users: [{kind, program}], asked: [names of the sources that could tell]}``."""
    found, asked = users(sources(sys.platform))
    return {"users": [{"kind": one.kind, "program": one.program} for one in found], "asked": asked}


def users(by_name: Mapping[str, Callable[[], list[User] | None]]) -> tuple[list[User], list[str]]:
    """Return everybody that any of the sources names, and which sources could tell."""
    found: dict[User, None] = {}
    asked = []
    for name, source in by_name.items():
        try:
            told = source()
        except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError):
            told = None
        if told is not None:
            asked.append(name)
            found |= dict.fromkeys(told)
    return list(found), asked


def sources(system: str) -> dict[str, Callable[[], list[User] | None]]:
    """Return the sources of a system, by name."""
    if system == "linux":
        return {
            "pipewire": lambda: of_pipewire(ask_program),
            "pulseaudio": lambda: of_pulse(ask_program),
            "files": lambda: of_files(Path("/proc")),
        }
    if system == "darwin":
        return {"assertions": lambda: of_macos(ask_program)}
    if system == "win32":
        live = {"sessions": of_windows_sessions}
        return {**live, "consent": lambda: of_consent_store(running_programs(), importlib.import_module("winreg"))}
    return {}


def of_pipewire(run: Run) -> list[User] | None:
    """Read `pw-dump`: streams that take in and run. What only listens to a loudspeaker's monitor records nobody."""
    said = run(("pw-dump",))
    if said is None:
        return None
    found = []
    for one in json.loads(said):
        info = one.get("info") or {}
        properties = info.get("props") or {}
        kind = CAPTURES.get(str(properties.get("media.class")))
        if kind is None or info.get("state") != RUNNING or _is_monitor(properties):
            continue
        found.append(User(kind, _program(properties)))
    return found


def of_pulse(run: Run) -> list[User] | None:
    """Read `pactl`: source outputs that are not corked, of sources that are no monitors."""
    outputs, listed = (run(("pactl", "-f", "json", "list", what)) for what in ("source-outputs", "sources"))
    if outputs is None or listed is None:
        return None
    monitors = {one["index"] for one in json.loads(listed) if str(one.get("name", "")).endswith(".monitor")}
    return [
        User("microphone", _program(one.get("properties") or {}))
        for one in json.loads(outputs)
        if not one.get("corked") and one.get("source") not in monitors
    ]


def of_files(processes: Path) -> list[User] | None:
    """Look at open files: a camera, or a card's recording half, that some program has. Other users' are not seen."""
    if not processes.is_dir():
        return None
    found: dict[User, None] = {}
    for handle in processes.glob("[0-9]*/fd/*"):
        try:
            target = str(handle.readlink())
        except OSError:
            continue
        kind = "camera" if VIDEO.match(target) else "microphone" if CAPTURE_CARD.match(target) else ""
        if not kind or handle.parts[-3] == str(os.getpid()):
            continue
        program = _name_of(processes / handle.parts[-3])
        if program not in SOUND_SERVERS:
            found[User(kind, program)] = None
    return list(found)


def of_macos(run: Run) -> list[User] | None:
    """Read `pmset`: the system keeps itself awake for whoever records, and names them. It knows no cameras."""
    said = run(("pmset", "-g", "assertions"))
    if said is None:
        return None
    found: dict[User, None] = {}
    owner = ""
    for line in said.splitlines():
        named = re.match(r"\s*pid (\d+)\((.*?)\):", line)
        owner = named[2] if named else owner
        created = re.search(r"Created for PID: (\d+)", line)
        owner = f"pid {created[1]}" if created else owner
        if re.search(r"Resources:.*\baudio-in\b", line):
            found[User("microphone", owner)] = None
    return list(found)


def of_windows_sessions() -> list[User] | None:
    """Ask every capture endpoint of Windows for its active sessions; the default playback device alone says nothing."""
    constants = importlib.import_module("pycaw.constants")
    api = importlib.import_module("pycaw.api.audiopolicy")
    utils = importlib.import_module("pycaw.utils")
    everything = importlib.import_module("comtypes").CLSCTX_ALL
    enumerator = utils.AudioUtilities.GetDeviceEnumerator()
    endpoints = enumerator.EnumAudioEndpoints(
        constants.EDataFlow.eCapture.value, constants.DEVICE_STATE.ACTIVE.value
    )  # fmt: skip
    found: dict[User, None] = {}
    for number in range(endpoints.GetCount()):
        opened = endpoints.Item(number).Activate(api.IAudioSessionManager2._iid_, everything, None)
        sessions = opened.QueryInterface(api.IAudioSessionManager2).GetSessionEnumerator()
        for at in range(sessions.GetCount()):
            session = sessions.GetSession(at)
            if session.GetState() != ACTIVE:
                continue
            pid = int(session.QueryInterface(api.IAudioSessionControl2).GetProcessId())
            if pid != os.getpid():
                found[User("microphone", running_programs().get(pid, f"pid {pid}"))] = None
    return list(found)


def of_consent_store(programs: Mapping[int, str], registry: Any) -> list[User] | None:
    """Read who Windows says has not stopped yet, of both hives. It lies: a program that no longer runs is left out."""
    alive = {name.lower() for name in programs.values()}
    found: dict[User, None] = {}
    seen = False
    for hive in (registry.HKEY_CURRENT_USER, registry.HKEY_LOCAL_MACHINE):
        for kind, folder in (("microphone", "microphone"), ("camera", "webcam")):
            for path in (f"{CONSENT}\\{folder}", f"{CONSENT}\\{folder}\\NonPackaged"):
                for name, stopped in _stops(registry, hive, path):
                    seen = True
                    program = name.rpartition("#")[2]
                    if stopped == 0 and (program.lower() in alive or ("#" not in name and _runs(name, alive))):
                        found[User(kind, program)] = None
    return list(found) if seen else None


def _runs(package: str, alive: Iterable[str]) -> bool:
    """Whether a program of a packaged name such as ``Microsoft.WindowsCamera_8wek...`` runs, as far as names tell."""
    short = package.partition("_")[0].rpartition(".")[2].lower()
    return any(name.startswith(short) for name in alive)


def _stops(registry: Any, hive: Any, path: str) -> Iterable[tuple[str, int]]:
    """Yield the programs under a key with when they stopped; 0 is not yet."""
    try:
        key = registry.OpenKey(hive, path)
    except OSError:
        return
    number = 0
    while True:
        try:
            name = registry.EnumKey(key, number)
        except OSError:
            return
        number += 1
        with contextlib.suppress(OSError):
            yield name, int(registry.QueryValueEx(registry.OpenKey(key, name), "LastUsedTimeStop")[0])


def running_programs() -> dict[int, str]:
    """Return the names of the programs that run, by number."""
    system = importlib.import_module("psutil")
    return {one.info["pid"]: str(one.info["name"]) for one in system.process_iter(["pid", "name"])}


def _is_monitor(properties: Mapping[str, Any]) -> bool:
    return str(properties.get("stream.capture.sink", "")).lower() == "true" or NOT_RECORDED in str(
        properties.get("stream.monitor", "")
    )


def _program(properties: Mapping[str, Any]) -> str:
    for name in ("application.process.binary", "application.name", "node.name", "media.name"):
        if properties.get(name):
            return str(properties[name])
    return "?"


def _name_of(process: Path) -> str:
    try:
        return (process / "comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"
