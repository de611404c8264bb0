"""A room's whole check: seconds, CPU and bytes; false alarms, delays, sweeps in noise, and a PC that is overloaded."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from probes.acoustics import LISTEN_S, RATE_HZ, arrival_of, response_of, sweep
from probes.hardware.machine import machine_measurements
from probes.hardware.view import view_measurements
from probes.light import frame_light
from probes.loop import listen
from probes.measurement import Measurement
from probes.reference_view import agreed, best_look, fingerprint
from probes.room_sound import Baseline, Mixer, sound_measurements
from reports.rooms import findings, judge_room
from tests.bench import picture_data
from tests.bench.figures import Figure, rate
from tests.bench.room_pictures import Picture, Scene, gamma, glare, sun_patch
from tests.browser.conftest import LiveServer
from tests.room.rooms import Room, air, convolved, pink
from tests.room.soft_room import SoftRoom, missing
from tests.room.wire import Wire, film_of

__all__ = ["run"]

WHOLE_S, CPU_S, BYTES_MB = 40.0, 6.0, 4.0
DELAY_MS = 0.2
SNR_DB = -15.0
OVERLOAD = 3
"""Processes that never wait, for each core."""
SOFTWARE = (
    *("--microphone", "room", "--loudspeaker", "room", "--host-api", "ALSA"),
    *("--channels", "4", "--reference", "1"),
)
TRUE_MS = 7.5
"""Median delay of the software room's three microphones against its reference channel."""


async def run(*, quick: bool) -> list[Figure]:
    """Return the figures of made rooms, then those through PortAudio, where this machine has a software room."""
    few = 10 if quick else 100
    found = [*await asyncio.to_thread(_delays, few), *await asyncio.to_thread(_sweeps, few)]
    found += await asyncio.to_thread(_false_alarms, few)
    if missing():
        return [*found, Figure("whole check through PortAudio: no software room here", "s", [])]
    return [*found, *await _whole(1 if quick else 3), *await asyncio.to_thread(_overloaded, 3 if quick else 10)]


# ---- rooms made of arrays


def _delays(count: int) -> list[Figure]:
    """Two microphones in a room of their own each time, at -15 dB in the sweep's band, three sweeps each."""
    whole = round(LISTEN_S * RATE_HZ)
    clean = np.zeros(whole)
    clean[: len(sweep())] = sweep()
    off_ms, heard = [], []
    for seed in range(count):
        rng = np.random.default_rng(10_000 + seed)
        delays = []
        apart_ms = float(rng.uniform(0.5, 20.0))
        for number, path_ms in enumerate((150.0, 150.0 + apart_ms)):
            arrives = convolved(clean, air(path_ms, -20.0, 2 * seed + number, rt60_s=float(rng.uniform(0.25, 0.7))))
            scale = np.sqrt(np.mean(arrives[:RATE_HZ] ** 2) / _in_band(pink(rng, whole)) / 10 ** (SNR_DB / 10))
            noisy = [(arrives + pink(rng, whole) * scale).astype(np.float32) for _ in range(3)]
            found = arrival_of([response_of(one) for one in noisy])
            heard.append(found.is_heard)
            delays.append(found.delay_ms)
        if all(heard[-2:]):
            off_ms.append(abs(delays[1] - delays[0] - apart_ms))
    return [
        Figure(f"delay of two microphones at {SNR_DB:g} dB, {count} made rooms: off", "ms", off_ms, at_most=DELAY_MS),
        rate(f"the same: sweep heard at {SNR_DB:g} dB", heard, at_least=98),
    ]


def _in_band(sound: Any) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return float(np.sum(spectrum[(frequency > 300) & (frequency < 6000)]) * 2 / len(sound) ** 2)


def _sweeps(count: int) -> list[Figure]:
    """Rooms with noise of every level, steady or not, at the level of the sweep that the check itself chose."""
    found, over_db, played_dbfs = [], [], []
    for seed in range(count):
        room = Room(seed, noise_dbfs=-75.0 + 30.0 * seed / count, noise_comes_and_goes=seed % 3 == 0)
        figures = listen(room)
        found.append(all(figures.heard()))
        over_db.append(max(figures.over_noise_db(path) for path in figures.of_microphones()))
        played_dbfs.append(figures.played_dbfs)
    return [
        rate("sweep found at the level of the room's noise, made rooms", found, at_least=100),
        Figure("  level of the best microphone over its noise", "dB", over_db),
        Figure("  peak played", "dBFS", played_dbfs),
    ]


def _false_alarms(count: int) -> list[Figure]:
    """Healthy checks of made rooms and photographed views, with noise, people, light and load that change."""
    picture_data.fetch()
    names = [one for one in sorted(picture_data.PEOPLE) if one not in picture_data.PORTRAITS]
    scenes = [(scene, kept) for at, name in enumerate(names[:8]) if (scene := Scene(picture_data.photo(name), at))
              and (kept := fingerprint(scene.noisy(scene.view()))) is not None]  # fmt: skip
    usual = {seed: Baseline.usual([Baseline.of(listen(Room(seed))) for _ in range(3)]) for seed in range(1, 6)}
    failed, warned, codes = 0, 0, set()
    for number in range(count):
        rng = np.random.default_rng(20_000 + number)
        judgement = _healthy(rng, usual, *scenes[number % len(scenes)])
        failed += judgement.verdict not in {"ready", "ready_with_warnings"}
        warned += judgement.verdict == "ready_with_warnings"
        codes |= {one.code for one in findings(judgement)}
    told = f" ({', '.join(sorted(codes))})" if codes else ""
    return [
        Figure(f"{count} healthy checks, made rooms and photographs: failed or incomplete", "", [failed], at_most=0),
        Figure(f"  with a warning{told}", "", [warned], at_most=2 * count / 100),
    ]


def _healthy(rng: np.random.Generator, usual: dict[int, Any], scene: Scene, kept: Any) -> Any:
    seed = int(rng.integers(1, 6))
    room = Room(
        seed, noise_dbfs=float(rng.uniform(-75, -52)), noise_comes_and_goes=bool(rng.random() < 0.5),
        volume_db=float(rng.uniform(-5, 5)), is_gated=bool(rng.random() < 0.1), flagged=int(rng.integers(0, 3)),
    )  # fmt: skip
    room._rng = rng
    figures = listen(room)
    sound = sound_measurements(figures, mixer=Mixer(False, 60.0, False), usual=usual[seed], system="linux")
    pictures = [_changed(rng, scene) for _ in range(3)]
    look = agreed(best_look(one, [kept]) for one in pictures)
    seen = {"state": "differing", "is_learning": False}
    seen |= {"state": look.state, "shift_pct": look.shift_pct, "seen_pct": look.seen_pct} if look else {}
    machine = machine_measurements({
        "load_pct": float(rng.uniform(0, 88)), "memory_pct": float(rng.uniform(20, 92)), "disk_pct": 60.0,
        "on_battery": None, "unwritable": False,
    })  # fmt: skip
    there = [Measurement(f"{one}.present", "present", samples=1) for one in ("microphone", "speaker")]
    picture = view_measurements(_film(rng, pictures) | {"scene": seen})
    return judge_room([*there, *sound, *picture, *machine], parts=("sound", "picture", "machine"))


def _changed(rng: np.random.Generator, scene: Scene) -> Picture:
    """The place in other light, with somebody in it, a curtain in the wind: nothing of it is a fault."""
    view = scene.with_people(scene.view(), int(rng.integers(0, 3))) if rng.random() < 0.3 else scene.view()
    change = int(rng.integers(0, 5))
    if change == 0:
        view = gamma(view, float(rng.uniform(0.6, 1.5)))
    elif change == 1:
        view = np.clip(view * float(rng.uniform(0.7, 1.4)), 0, 255)
    elif change == 2:
        view = sun_patch(scene, view)
    elif change == 3:
        view = glare(view)
    return scene.noisy(view, float(rng.uniform(1.0, 3.0)))


def _film(rng: np.random.Generator, pictures: list[Picture]) -> dict[str, Any]:
    """What a camera of 30 a second gives of such pictures, some of them late."""
    lights = [frame_light(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY)) for one in pictures]
    stills = [{"t_ms": 300.0 * at, "diff_luma": 2.0 if at else None, **lights[at % 3]} for at in range(10)]
    capture_ms = np.cumsum(33.3 + rng.exponential(2.0, 90))
    size = {"width_px": 1280, "height_px": 720}
    return {"status": "present", **size, "capture_ms": capture_ms.tolist(), "stills": stills}


# ---- through PortAudio, OpenCV and a server


async def _whole(times: int) -> list[Figure]:
    return await asyncio.to_thread(_whole_now, times)


def _whole_now(times: int) -> list[Figure]:
    """Run the agent's own command, and count its processes alone: neither the software room nor the server."""
    took_s, cpu_s, sent_mb, verdicts = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        room = stack.enter_context(_air())
        server = LiveServer(folder / "server")
        server.start()
        stack.callback(server.stop)
        film = folder / "room.avi"
        film_of(_place(), film)
        state = ("--state", str(folder / "state"))
        wire = Wire(folder / "wire", more=tuple(room.env.items()))
        asyncio.run(wire.room("in-use", "--ignore", *state))
        code = server.links["room_code"]
        enrol = ("enrol", code, "--server", server.base, "--key-store", "file", *SOFTWARE, "--camera", str(film))
        asyncio.run(wire.room(*enrol, *state))
        asyncio.run(wire.room("reference", *state))
        for _ in range(times):
            wire.clear()
            asyncio.run(wire.room("check", "--json", *state))
            sent_mb.append(wire.line_bytes() / 1e6)
            seconds, cpu, said = _measured(room, "check", "--json", *state)
            took_s.append(seconds)
            cpu_s.append(cpu)
            verdicts.append(json.loads(said)["verdict"])
    good = [one in {"ready", "ready_with_warnings"} for one in verdicts]
    return [
        Figure("whole check, software room, film, server: from start to end", "s", took_s, at_most=WHOLE_S),
        Figure("  CPU of the room's own processes", "CPU-s", cpu_s, at_most=CPU_S),
        Figure("  on the line, both ways", "MB", sent_mb, at_most=BYTES_MB),
        rate("  ready or with warnings", good),
    ]


def _overloaded(times: int) -> list[Figure]:
    """Three busy processes on each core: what is judged must be right, and what was flagged is not judged."""
    wrong, judged = 0, 0
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as name, _air() as room, _load():
        state = ("--state", name)
        _measured(room, "in-use", "--ignore", *state)
        for _ in range(times):
            _, _, said = _measured(room, "check", "--json", "--only", "sound", *SOFTWARE, *state)
            try:
                checks = {one["id"]: one for one in json.loads(said)["checks"]}
            except ValueError:
                continue
            delay = checks.get("room.delay", {}).get("value")
            judged += checks["room.loop"]["outcome"] in {"pass", "warn", "fail"}
            wrong += checks["room.loop"]["outcome"] in {"warn", "fail"}
            wrong += delay is not None and abs(delay - TRUE_MS) > DELAY_MS
    return [
        Figure(f"{times} checks of a healthy room under {OVERLOAD} x load: judged wrong", "", [wrong], at_most=0),
        Figure("  judged at all", "", [judged]),
    ]


@contextmanager
def _air() -> Iterator[SoftRoom]:
    with SoftRoom() as room:
        room.hiss()
        yield room


@contextmanager
def _load() -> Iterator[None]:
    count = OVERLOAD * (os.cpu_count() or 1)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def _measured(room: SoftRoom, *arguments: str) -> tuple[float, float, bytes]:
    """Run ``readiness room`` and return how long it took, the CPU of it with all its children, and what it printed."""
    begin = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "readiness", "room", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, **room.env, "LC_ALL": "C"}, cwd=Path(__file__).parents[2],
    ) as child:  # fmt: skip
        assert child.stdout is not None
        said = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - begin, used.ru_utime + used.ru_stime, said


def _place() -> Scene:
    picture_data.fetch()
    return Scene(picture_data.photo(next(one for one in sorted(picture_data.PEOPLE)
                                         if one not in picture_data.PORTRAITS)), 1)  # fmt: skip
