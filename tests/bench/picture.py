"""How well the picture is judged: people, framing, light, the page's own stills, sharpness, cost. Real faces.

``python -m tests.bench --area picture``. Light and sharpness: limits were set on the photographs at even places of the
sorted names, and the figures come from the odd ones (``python -m tests.bench.picture tune`` prints the other half). For
light the odd half is not blind any more: `readiness/docs/sight.md` says what was changed after its figures were seen.
Framing: limits are published or our own (`readiness/docs/sight.md`), but for the cut chin; all five faces report.
Places are judged apart from light, because some of the portraits are backlit as they are. The surer detector looks
again where the product would ask it to. What was missing: photographs of more skin tones, masks, real bad light.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import skimage.data

from probes.camera import noise_measurement, picture_measurements, wants_second_look, with_second_look
from probes.centerface import SecondFinder
from probes.light import face_light, noise_sigma
from probes.picture import PictureAnalyser, decode_still, face_rows
from probes.stills import Still
from readiness.media.pool import MediaSettings, WorkerPool
from readiness.server.admission import Lines
from readiness.server.live_test import LiveTest
from readiness.server.protocol import BINARY
from readiness.server.steps.running import Setup
from reports.kinds import SELF_TEST
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge, judge_check
from tests.bench import picture_data as data
from tests.bench.figures import Figure
from tests.bench.picture_data import Picture

PROFILE = load_profile("consultation")
SIZES_PX = (80, 60, 40, 30, 24)
CHECKS = ("camera.light", "camera.backlight", "camera.people", "camera.framing")
PLACEMENTS = 20
STILLS_A_SECOND = 2


async def run(*, quick: bool, part: str = "report") -> list[Figure]:
    """Return every figure; `quick` takes a quarter of the placements and two sizes. `part`: report or tune."""
    data.fetch()
    figures = [*light(quick, part), *noise(part), *sharpness(part)]
    if part == "report":
        figures = [*people(quick), *framing(quick), *turned(quick), *figures, *faces_of_all_tones(), cost()]
        figures.append(await hint_delay(quick))
    return figures


def share(name: str, answers: list[bool], at_least: float | None, *, at_most: float | None = None) -> Figure:
    """Return how many in a hundred, with how many there were."""
    return Figure(f"{name} (of {len(answers)})", "%", [100 * float(np.mean(answers))], at_most, at_least)


def numbers_of(picture: Picture, expected: int = 1) -> Still:
    """Return the still's numbers as the product gets them: with the second look where it is wanted."""
    numbers = PictureAnalyser(data.finder()).numbers(picture, 0.0)
    if wants_second_look(numbers, expected):
        return with_second_look(numbers, face_rows(picture, second_finder().find(picture)))
    return numbers


@functools.cache
def second_finder() -> SecondFinder:
    return SecondFinder(threads=2)


def codes(picture: Picture, *, expected: int = 1) -> list[str]:
    """Return the advice that the profile gives for this picture alone, most important first."""
    measured = {found.check: found for found in picture_measurements([numbers_of(picture, expected)] * 3, expected)}
    results = judge({name: measured[name] for name in CHECKS}, PROFILE)
    found = [check for check in results.checks if check.id in CHECKS and check.outcome in {Outcome.FAIL, Outcome.WARN}]
    found.sort(key=lambda check: (check.outcome is not Outcome.FAIL, CHECKS.index(check.id)))
    return [str(check.advice) for check in found]


def names_of(part: str, quick: bool = False) -> list[str]:
    """Return the photographs of one half: limits were set on the even places of the sorted names."""
    return sorted(data.PEOPLE)[0 if part == "tune" else 1 :: 6 if quick else 2]


def mains_of(part: str, quick: bool = False) -> list[tuple[str, int]]:
    """Return the photographs of one half with each of their larger faces in turn as the main one."""
    return [(name, number) for name in names_of(part, quick) for number in data.mains_of(name)]


# --- people


def people(quick: bool) -> Iterator[Figure]:
    answers: dict[str, list[bool]] = {}
    for kind in ("raw", "stills"):
        right, more, passed = [], [], []
        for size in SIZES_PX if not quick else (80, 24):
            for make, count in groups():
                seen = data.on_frame(make(size), 1280, 720)
                if kind == "stills":
                    seen = data.still_of(seen, data.ROOM)
                found = len(numbers_of(seen, count).faces)
                right.append(found == count)
                more.append(found > count)
                passed.append(found > count or len(numbers_of(seen, count + 1).faces) > count)
        answers[kind] = right
        yield share(f"people counted right, faces 80-24 px, {kind}", right, 95)
        yield share(f"one or more too many, {kind}", more, None, at_most=5)
        yield share(f"passed with one person missing, {kind}", passed, None, at_most=5)
    yield lost("people lost by the page's JPEG", answers["raw"], answers["stills"])


def groups() -> list[tuple[Callable[[float], Picture], int]]:
    """Return 16 photographs of groups and 6 pairs of portraits, each as a function of the faces' height."""
    found: list[tuple[Callable[[float], Picture], int]] = [
        (functools.partial(data.group, name), count) for name, count in data.PEOPLE.items() if count > 1
    ]
    return found + [(functools.partial(data.pair, names), 2) for names in data.PAIRS]


# --- framing


def framing(quick: bool) -> Iterator[Figure]:
    random = np.random.default_rng(20_261_122)
    times = PLACEMENTS // 4 if quick else PLACEMENTS
    answers: dict[tuple[str, bool], list[bool]] = {
        (kind, bad): [] for kind in ("raw", "stills") for bad in (False, True)
    }
    for fault, (make, wanted, expected) in FAULTS.items():
        named: list[bool] = []
        for name in data.PORTRAITS:
            for _ in range(times):
                picture = make(name, random)
                for kind, seen in (("raw", picture), ("stills", data.still_of(picture))):
                    places = _about_place(codes(seen, expected=expected))
                    answer = bool(places) and places[0] in wanted if wanted else not places
                    answers[kind, bool(wanted)].append(answer)
                    if kind == "stills":
                        named.append(answer)
        yield share(f"framing, stills: {fault}", named, 95 if wanted else 97)
    for kind in ("raw", "stills"):
        yield share(f"framing fault named, {kind}", answers[kind, True], 95)
        yield share(f"good framing passed, {kind}", answers[kind, False], 97)
    yield lost("framing lost by the page's JPEG", answers["raw", True], answers["stills", True])


def lost(name: str, raw: list[bool], stills: list[bool]) -> Figure:
    """Return how many points the page's stills cost."""
    return Figure(name, "points", [100 * (float(np.mean(raw)) - float(np.mean(stills)))], at_most=1)


def _about_place(found: list[str]) -> list[str]:
    light_codes = {"camera.backlit", "camera.dark", "camera.face_dark", "camera.over_exposed", "camera.haze"}
    return [code for code in found if code not in light_codes]


def _at(random: np.random.Generator, name: str, height: tuple[float, float], **places: tuple[float, float]) -> Picture:
    size = float(random.uniform(*height))
    x = float(random.uniform(*places.get("x", (42, 58))))
    low = max(places.get("eyes", (32, 48))[0], (0.39 + 0.12) * size)
    eyes = float(random.uniform(low, max(low, places.get("eyes", (32, 48))[1])))
    return data.placed(name, height_pct=size, x_pct=x, eye_pct=eyes)


def _good(name: str, random: np.random.Generator) -> Picture:
    return _at(random, name, (21, 40))


def _head_cut(name: str, random: np.random.Generator) -> Picture:
    size = float(random.uniform(24, 40))
    cut = float(random.uniform(0.02, 0.35))
    return data.placed(name, height_pct=size, x_pct=float(random.uniform(42, 58)), eye_pct=size * (0.39 - cut))


def _forehead(name: str, random: np.random.Generator) -> Picture:
    size = float(random.uniform(24, 40))
    shown = float(random.uniform(0.5, 0.85))
    return data.placed(name, height_pct=size, x_pct=float(random.uniform(42, 58)), eye_pct=100 - size * (shown - 0.39))


def _low(name: str, random: np.random.Generator) -> Picture:
    size = float(random.uniform(20, 32))
    eyes = float(random.uniform(64, 97 - size * 0.66))
    return data.placed(name, height_pct=size, x_pct=float(random.uniform(42, 58)), eye_pct=eyes)


def _nobody(_name: str, random: np.random.Generator) -> Picture:
    scene = skimage.data.coffee if random.random() < 0.5 else skimage.data.rocket
    room = cv2.cvtColor(scene(), cv2.COLOR_RGB2BGR)
    x = int(random.integers(0, max(1, room.shape[1] - 400)))
    return np.asarray(cv2.resize(room[:, x : x + 400], (640, 480)), np.uint8)


def _someone_at_edge(name: str, random: np.random.Generator) -> Picture:
    other = data.PORTRAITS[(data.PORTRAITS.index(name) + 1) % len(data.PORTRAITS)]
    main = _at(random, name, (22, 32), x=(44, 54))
    size = float(random.uniform(20, 30))
    cut = float(random.uniform(0.15, 0.45)) * size * 0.75 * 0.75
    beside = data.placed(other, height_pct=size, x_pct=100 + cut - size * 0.28, eye_pct=float(random.uniform(35, 45)))
    main[:, -150:] = beside[:, -150:]
    return main


Make = Callable[[str, np.random.Generator], Picture]
FAULTS: dict[str, tuple[Make, frozenset[str], int]] = {
    "good": (_good, frozenset(), 1),
    "at a laptop": (lambda n, r: _at(r, n, (42, 54)), frozenset(), 1),
    "too far": (lambda n, r: _at(r, n, (6, 16)), frozenset({"camera.too_far"}), 1),
    "too close": (lambda n, r: _at(r, n, (62, 80)), frozenset({"camera.too_close"}), 1),
    "at the own right": (lambda n, r: _at(r, n, (21, 30), x=(18, 32)), frozenset({"camera.move_left"}), 1),
    "at the own left": (lambda n, r: _at(r, n, (21, 30), x=(68, 82)), frozenset({"camera.move_right"}), 1),
    "head cut": (_head_cut, frozenset({"camera.head_cut"}), 1),
    "only the upper face": (_forehead, frozenset({"camera.chin_cut"}), 1),
    "nobody": (_nobody, frozenset({"camera.nobody"}), 1),
    "one of two": (_good, frozenset({"camera.fewer_people"}), 2),
    "low in the picture": (_low, frozenset({"camera.tilt_down"}), 1),
    "somebody at the edge": (_someone_at_edge, frozenset({"camera.someone_at_edge"}), 1),
}  # fmt: skip
"""Fault to how it is made, the advice that names it, and how many people are expected. Upright size: 640 x 480."""


# --- turned cameras


def turned(quick: bool) -> Iterator[Figure]:
    named: list[bool] = []
    upright: list[bool] = []
    for name in list(data.PEOPLE)[:: 3 if quick else 1]:
        picture = data.portrait_of(name, 90)
        upright.append("camera.rotated" not in codes(data.still_of(picture)))
        for turns in (1, 2, 3):
            found = codes(data.still_of(np.ascontiguousarray(np.rot90(picture, turns))))
            named.append("camera.rotated" in found)
    yield share("turned camera named, stills", named, 95)
    yield share("upright not called turned, stills", upright, 97)


# --- light


def light(quick: bool, part: str) -> Iterator[Figure]:
    random = np.random.default_rng(7)
    raw_all: list[bool] = []
    still_all: list[bool] = []
    for fault, (make, wanted) in LIGHT.items():
        raw, still = [], []
        for name, number in mains_of(part, quick):
            picture = make(data.portrait_of(name, 100, number), name, random)
            for seen, answers in ((picture, raw), (data.still_of(picture), still)):
                found = set(codes(seen)) & LIGHT_CODES
                answers.append(bool(found & wanted) if wanted else not found)
        raw_all += raw
        still_all += still
        yield share(f"light, stills: {fault}", still, 95 if wanted else 97)
    behind = [data.still_of(data.portrait_of(name, 100, number)) for name, number in data.BEFORE_BRIGHT]
    plain = [not set(codes(one)) & LIGHT_CODES for one in behind]
    yield share("light, stills: plain face before a real bright window or wall passed", plain, None)
    yield lost("light lost by the page's JPEG", raw_all, still_all)


def noise(part: str) -> Iterator[Figure]:
    """A tenth and a thirtieth of the light behind automatic gain, raw, as the page measures it; and no such noise."""
    random = np.random.default_rng(11)
    for name, dimmed in (("no low light", 1), ("1/10 light + auto gain", 10), ("1/30 light + auto gain", 30)):
        found = []
        for photo in names_of(part):
            picture = data.portrait_of(photo, 100)
            seen = picture if dimmed == 1 else _gained(picture, dimmed, random)
            sigma = noise_sigma(np.asarray(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY), np.uint8))
            measured = noise_measurement([sigma] if sigma is not None else [])
            outcome = judge_check(measured, PROFILE.checks["camera.noise"]).outcome
            found.append(outcome is (Outcome.PASS if dimmed == 1 else Outcome.WARN))
        yield share(f"light, raw: {name}", found, 97 if dimmed == 1 else 95)


def _gained(picture: Picture, dimmed: float, random: np.random.Generator) -> Picture:
    """Return the picture with so much less light, read with noise of one step, and brought up again."""
    dark = np.rint(picture / dimmed + random.normal(0, 1, picture.shape))
    return np.clip(dark * dimmed, 0, 255).astype(np.uint8)


def faces_of_all_tones() -> Iterator[Figure]:
    """No face may fail for its own brightness: every face of the set, its skin darkened, whatever is behind it."""
    fails, named = [], []
    for name in sorted(data.PEOPLE):
        picture = data.portrait_of(name, 100)
        for face_gain in (1.0, 0.75, 0.55):
            seen = data.still_of(_skin_times(picture, face_gain))
            measured = {m.check: m for m in picture_measurements([numbers_of(seen)] * 3)}
            results = [judge_check(measured[check], PROFILE.checks[check]) for check in CHECKS[:3]]
            fails.append(any(one.outcome is Outcome.FAIL for one in results))
            named.append(any(one.outcome is Outcome.WARN and one.advice in LIGHT_CODES for one in results))
    yield share("failed for a darker skin, stills", fails, None, at_most=0)
    yield share("light warned for a darker skin, stills", named, None)


def _skin_times(picture: Picture, gain: float) -> Picture:
    """Return the picture with the faces (an ellipse each) darker by `gain`, soft at the edge."""
    mask = np.zeros(picture.shape[:2], np.float32)
    for face in data.finder().find(picture):
        middle = (int(face.x + face.width / 2), int(face.y + face.height / 2))
        cv2.ellipse(mask, middle, (int(face.width * 0.55), int(face.height * 0.6)), 0, 0, 360, 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 4)[:, :, None]
    return np.clip(picture * (1 - mask * (1 - gain)), 0, 255).astype(np.uint8)


def _times(picture: Picture, factor: float, random: np.random.Generator, sigma: float = 2.0) -> Picture:
    values = picture * factor + random.normal(0, sigma, picture.shape[:2])[:, :, None]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _burnt(picture: Picture, random: np.random.Generator) -> Picture:
    """Return the picture so bright that the main face's middle luma reaches 250; a dark photograph needs more."""
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    main = min(data.finder().find(picture), key=lambda face: abs(face.x + face.width / 2 - 320))
    return _times(picture, 250.0 / max(20.0, face_light(luma, main)["luma"] or 20.0), random)


def _window(picture: Picture, name: str, factor: float, random: np.random.Generator) -> Picture:
    """Return the person before a burnt-out window: an ellipse around head and shoulders stays, the rest is light."""
    faces = [(face.x, face.y, face.width, face.height) for face in data.finder().find(picture)]
    mask = np.zeros(picture.shape[:2], np.float32)
    for x, y, width, height in faces:
        middle = (int(x + width / 2), int(y + height / 2))
        cv2.ellipse(mask, middle, (int(width * 0.75), int(height * 0.75)), 0, 0, 360, 1, -1)
        shoulders = (int(x - width), int(y + height * 1.1))
        cv2.rectangle(mask, shoulders, (int(x + 2 * width), picture.shape[0]), 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[:, :, None]
    lit = picture * factor * mask + (1 - mask) * np.maximum(picture, 252)
    return _times(np.asarray(lit), 1.0, random)


def _haze(picture: Picture, contrast: float, veil: float, random: np.random.Generator) -> Picture:
    return _times(cv2.GaussianBlur(picture, (0, 0), 1.5) * contrast + veil, 1.0, random, 1.0)


def _cap(_p: Picture, _n: str, r: np.random.Generator) -> Picture:
    return np.clip(np.abs(r.normal(2, 2, (360, 640, 3))), 0, 255).astype(np.uint8)


def _blue(_p: Picture, _n: str, _r: np.random.Generator) -> Picture:
    return np.full((360, 640, 3), (180, 40, 20), np.uint8)


MID_GREY = 118.0
"""Mean luma that automatic exposure aims at (18 % reflectance); some of the photographs are much darker as they are."""
DARK = frozenset({"camera.dark", "camera.face_dark", "camera.black"})
OVER = frozenset({"camera.over_exposed"})
BACKLIT = frozenset({"camera.backlit"})
LIGHT_CODES = DARK | OVER | BACKLIT | {"camera.haze", "camera.no_signal"}
LIGHT: dict[str, tuple[Callable[[Any, str, np.random.Generator], Picture], frozenset[str]]] = {
    "untouched": (lambda p, n, r: p, frozenset()),
    "lens covered": (_cap, frozenset({"camera.black"})),
    "no signal (blue)": (_blue, frozenset({"camera.no_signal"})),
    "light x 0.25": (lambda p, n, r: _times(p, 0.25, r), DARK),
    "light x 0.12": (lambda p, n, r: _times(p, 0.12, r), DARK),
    "light x 0.06": (lambda p, n, r: _times(p, 0.06, r), DARK | {"camera.no_signal"}),
    "window, face x 0.3": (lambda p, n, r: _window(p, n, 0.3, r), BACKLIT),
    "window, face x 0.55": (lambda p, n, r: _window(p, n, 0.55, r), BACKLIT),
    "gain x 2": (lambda p, n, r: _times(p, 2.0, r), OVER | BACKLIT),
    "gain x 2 of an ordinary exposure": (lambda p, n, r: _times(p, 2.0 * MID_GREY / p.mean(), r), OVER | BACKLIT),
    "face burnt out": (lambda p, n, r: _burnt(p, r), OVER | BACKLIT),
    "haze x 0.35 + 150": (lambda p, n, r: _haze(p, 0.35, 150, r), frozenset({"camera.haze"})),
}


# --- sharpness


def sharpness(part: str) -> Iterator[Figure]:
    random = np.random.default_rng(3)
    rows: list[tuple[bool, float]] = []
    for name in names_of(part):
        for size in (150, 60):
            if data.faces_of(name)[0].height < size * 0.6:
                continue  # enlarged so much it is blurred as it is
            picture = data.portrait_of(name, size)
            for sharp, make in BLURS:
                value = _sharpness_of(data.still_of(make(picture, size, random)))
                if value is not None:
                    rows.append((sharp, value))
    used = next(float(rule.when[0].limit) for rule in PROFILE.checks["camera.sharpness"].rules)
    yield Figure(f"sharp or blurred, balanced accuracy (of {len(rows)})", "", [_balanced(rows, used)], at_least=0.95)
    if part == "tune":
        limits = sorted({value for _, value in rows})
        best = max(limits, key=lambda limit: _balanced(rows, limit))
        yield Figure("best limit on this half", "", [best])


def _balanced(rows: list[tuple[bool, float]], limit: float) -> float:
    sharp = [value >= limit for is_sharp, value in rows if is_sharp]
    blurred = [value < limit for is_sharp, value in rows if not is_sharp]
    return float(np.mean(sharp) + np.mean(blurred)) / 2


def _sharpness_of(picture: Picture) -> float | None:
    faces = PictureAnalyser(data.finder()).numbers(picture, 0.0).faces
    return faces[0].sharpness if faces else None


def _soft(picture: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def _motion(picture: Picture, length: float) -> Picture:
    kernel = np.zeros((max(3, int(length) | 1),) * 2, np.float32)
    kernel[kernel.shape[0] // 2] = 1 / kernel.shape[0]
    return np.asarray(cv2.filter2D(picture, -1, kernel), np.uint8)


BLURS: tuple[tuple[bool, Callable[[Any, float, np.random.Generator], Picture]], ...] = (
    (True, lambda p, h, r: p),
    (True, lambda p, h, r: _times(p, 0.25, r, 1.0)),
    (True, lambda p, h, r: _times(p, 1.0, r, 8.0)),
    (False, lambda p, h, r: _soft(p, 0.05 * h)),
    (False, lambda p, h, r: _soft(p, 0.08 * h)),
    (False, lambda p, h, r: _times(_soft(p, 0.05 * h), 1.0, r, 8.0)),
    (False, lambda p, h, r: _times(_soft(p, 0.05 * h), 0.25, r, 1.0)),
    (False, lambda p, h, r: _motion(p, 0.15 * h)),
)


# --- cost and delay


def cost() -> Figure:
    """Processor time of one test's own worker for 20 s of stills, one person; the model's loading included."""
    stills = []
    for name in data.PORTRAITS:
        picture = data.placed(name, height_pct=30, x_pct=50, eye_pct=42)
        stills.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    began = time.process_time()
    analyser = PictureAnalyser(data.new_finder())
    for number in range(20 * STILLS_A_SECOND):
        analyser.numbers(decode_still(stills[number % len(stills)]), 500.0 * number)
    return Figure("picture's part of 20 s, worker", "CPU-s", [time.process_time() - began], at_most=1.0)


async def hint_delay(quick: bool) -> Figure:
    """From a still's arrival at the server to the hint that it decides, through a real worker and helper."""
    here = data.placed("astronaut.png", height_pct=30, x_pct=50, eye_pct=42)
    nobody = _nobody("", np.random.default_rng(1))
    delays: list[float] = []
    sent_s = 0.0

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "hint":
            delays.append(1000 * (time.perf_counter() - sent_s))

    async def keep(*_: Any) -> None:
        return None

    pool = WorkerPool(MediaSettings(), capacity=1, warm=1)
    await pool.start()
    worker = await pool.acquire()
    setup = Setup(
        kind=SELF_TEST, profile=PROFILE, expected_people=1, worker=worker, send=send, send_bytes=keep, keep=keep,
        keep_phone=keep, digits=[], lines=Lines(1), heavy=pool.heavy,
    )  # fmt: skip
    run = LiveTest(setup, {})
    following = asyncio.create_task(run.follow_worker())
    random = np.random.default_rng(2)
    for number in range(40 if quick else 120):
        seen = nobody if number // 8 % 2 else here
        live = np.clip(seen + random.normal(0, 1.5, seen.shape), 0, 255).astype(np.uint8)
        jpeg = cv2.imencode(".jpg", live, [cv2.IMWRITE_JPEG_QUALITY, 65])[1].tobytes()
        sent_s = time.perf_counter()
        await run.on_binary(BINARY.STILL, 500 * number, jpeg)
        await asyncio.sleep(0.5)
    following.cancel()
    await run.close()
    await worker.close()
    await pool.close()
    return Figure("from a still to the hint it decides", "ms", delays, at_most=700)


if __name__ == "__main__":
    from tests.bench.figures import table

    print(table("picture", asyncio.run(run(quick=False, part=sys.argv[1] if sys.argv[1:] else "report"))))
