"""Rooms that check themselves: the reference view on photographs, `kill -9` at random moments, and a week offline."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from probes.reference_view import best_look, fingerprint
from tests.bench import picture_data
from tests.bench.figures import Figure, rate
from tests.bench.room_pictures import BENIGN, FAULTS, Scene
from tests.room.simulated import Rig

ROOT = Path(__file__).resolve().parents[2]


async def run(*, quick: bool = False) -> list[Figure]:
    return [*_views(quick=quick), *await asyncio.to_thread(_kills, 20 if quick else 200), await _offline()]


def _views(*, quick: bool) -> list[Figure]:
    """On photographs that no limit was set on. Portraits before a dark cloth are no rooms: a figure of their own."""
    picture_data.fetch()
    answers: dict[str, list[bool]] = {
        "found": [],
        "named": [],
        "moved": [],
        "covered": [],
        "lights_off": [],
        "false": [],
    }
    portraits: list[bool] = []
    spent: list[float] = []
    names = [one for one in sorted(picture_data.PEOPLE) if one != "astronaut.png"]  # limits were set with that one
    without = 0
    for seed, name in enumerate(names[::3] if quick else names):
        place = Scene(picture_data.photo(name), seed)
        kept = fingerprint(place.noisy(place.view()))
        if kept is None:
            without += 1
            continue
        is_portrait = name in picture_data.PORTRAITS or name == "obama2.jpg"
        for change in BENIGN.values():
            picture = change(place)
            began_s = time.process_time()
            wrong = best_look(picture, [kept]).state != "same"
            spent.append(1000.0 * (time.process_time() - began_s))
            (portraits if is_portrait else answers["false"]).append(wrong)
        for state, change in FAULTS.values():
            told = best_look(change(place), [kept]).state
            answers["found"].append(told != "same")
            answers["named"].append(told == state)
            if state in answers:
                answers[state].append(told != "same")
    return [
        *(
            rate(f"reference view: {name} found", answers[name], at_least=95)
            for name in ("moved", "covered", "lights_off")
        ),
        rate("reference view: any fault found", answers["found"], at_least=95),
        rate("reference view: fault named right", answers["named"]),
        rate("reference view: harmless change told as a fault, photographs of places", answers["false"], at_most=1),
        rate("the same, portraits before a backdrop", portraits),
        Figure("photographs without enough in them", "", [without]),
        Figure("one picture compared", "CPU-ms", spent),
    ]


def _kills(count: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.room.killed", folder, str(count)], cwd=ROOT, capture_output=True, check=True
        )  # fmt: skip
    told = json.loads(done.stdout)
    return [
        Figure(f"kill -9, {told['kills']} times: finished checks", "", [told["finished"]]),
        Figure("  lost", "", [told["lost"]], at_most=0),
        Figure("  arrived twice", "", [told["twice"]], at_most=0),
    ]


async def _offline() -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), cron="0 * * * *")
        rig.server.is_away = True
        await rig.live(days=7)
        rig.server.is_away = False
        await rig.live(hours=1)
        missing = len(rig.runs) - len(rig.server.results)
        twice = len(rig.planned) - len(set(rig.planned))
    return Figure(f"a week offline, {len(rig.runs)} checks: lost or twice", "", [missing + twice], at_most=0)
