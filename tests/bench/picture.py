"""How well the picture is judged: people, framing, light, the page's own stills, sharpness. Real faces, made faults.

``python -m tests.bench.picture [--quick]`` prints the table. Sharpness: the limit was set on the photographs with an
even number and the figures come from the odd ones. Limits of light and framing were set on other data, but for three
that were mended on these photographs (haze 90, burnt-out frame 45 %, chin 0.05): take those as an upper bound.
Places are judged apart from light, because some of the portraits are backlit as they are. What was missing:
photographs of more skin tones (most of the 70 faces are light or medium; six photographs show dark skin), masks, real
bad light instead of made light. "Gain x 2" of a dark photograph is a photograph of ordinary light: nothing to name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import skimage.data

from probes.camera import PictureAnalyser, picture_measurements
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge
from tests.bench import picture_data as data
from tests.bench.picture_data import Picture

PROFILE = load_profile("consultation")
SIZES_PX = (80, 60, 40, 30, 24)
CHECKS = ("camera.light", "camera.backlight", "camera.people", "camera.framing")
PLACEMENTS = 20


class Figure(NamedTuple):
    """One line of the table."""

    name: str
    measured: float
    bar: float
    at_least: bool
    unit: str
    data: str

    @property
    def met(self) -> bool:
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


def run(*, quick: bool = False) -> list[Figure]:
    """Return every figure; `quick` takes a quarter of the placements and two sizes."""
    data.fetch()
    return [*people(quick), *framing(quick), *turned(quick), *light(quick), *sharpness(quick)]


def codes(picture: Picture, *, expected: int = 1, code_of: str | None = None) -> list[str]:
    """Return the advice that the profile gives for this picture alone, most important first."""
    numbers = PictureAnalyser(data.finder()).numbers(picture, 0.0)
    measured = {found.check: found for found in picture_measurements([numbers] * 3, expected)}
    results = judge({name: measured[name] for name in CHECKS}, PROFILE)
    found = [check for check in results.checks if check.id in CHECKS and check.outcome in {Outcome.FAIL, Outcome.WARN}]
    found.sort(key=lambda check: (check.outcome is not Outcome.FAIL, CHECKS.index(check.id)))
    return [str(check.advice) for check in found]


# --- people


def people(quick: bool) -> Iterator[Figure]:
    groups: list[tuple[Callable[[float], Picture], int]] = [
        (lambda px, name=name: data.group(name, px), count) for name, count in data.PEOPLE.items() if count > 1
    ]
    groups += [(lambda px, names=names: data.pair(names, px), 2) for names in data.PAIRS]
    right = more = total = passed = 0
    for size in SIZES_PX if not quick else (80, 24):
        for make, count in groups:
            picture = make(size)
            found = _count(picture, count)
            right, more, total = right + (found == count), more + (found > count), total + 1
            passed += _count(picture, count + 1) > count
    what = f"{len(groups)} photographs (16 of groups, 6 pairs of portraits) x {SIZES_PX} px"
    yield Figure("people counted right", 100 * right / total, 95, True, "%", what)
    yield Figure("one or more too many", 100 * more / total, 5, False, "%", what)
    yield Figure("passed with one person missing", 100 * passed / total, 5, False, "%", what)


def _count(picture: Picture, expected: int) -> int:
    numbers = PictureAnalyser(data.finder()).numbers(picture, 0.0)
    return int(picture_measurements([numbers], expected)[2].value or 0)


# --- framing


def framing(quick: bool) -> Iterator[Figure]:
    random = np.random.default_rng(20_261_122)
    times = PLACEMENTS // 4 if quick else PLACEMENTS
    totals: dict[str, list[bool]] = {"raw": [], "still": []}
    good: dict[str, list[bool]] = {"raw": [], "still": []}
    for fault, (make, wanted, expected) in FAULTS.items():
        named: list[bool] = []
        for name in data.PORTRAITS:
            for _ in range(times):
                picture = make(name, random)
                for kind, seen in (("raw", picture), ("still", data.still_of(picture))):
                    found = codes(seen, expected=expected)
                    places = _about_place(found)
                    answer = bool(places) and places[0] in wanted if wanted else not places
                    (totals if wanted else good)[kind].append(answer)
                    if kind == "still":
                        named.append(answer)
        share = 100 * float(np.mean(named))
        yield Figure(f"  {fault}", share, 95 if wanted else 97, True, "%", f"{len(named)} stills of 5 faces")
    for kind, bar in (("raw", 0.0), ("still", 1.0)):
        yield Figure(f"framing fault named, {kind}", 100 * float(np.mean(totals[kind])), 95, True, "%", "all faults")
        yield Figure(f"good framing passed, {kind}", 100 * float(np.mean(good[kind])), 97, True, "%", "good placements")
        if bar:
            lost = 100 * float(np.mean(totals["raw"]) - np.mean(totals["still"]))
            yield Figure("framing lost by the page's JPEG", lost, bar, False, "points", "all faults")


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
    "too far": (lambda n, r: _at(r, n, (6, 16)), frozenset({"camera.too_far"}), 1),
    "too close": (lambda n, r: _at(r, n, (50, 72)), frozenset({"camera.too_close"}), 1),
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
    yield Figure("turned camera named", 100 * float(np.mean(named)), 95, True, "%", f"{len(named)} stills, 3 turns")
    yield Figure("upright not called turned", 100 * float(np.mean(upright)), 97, True, "%", f"{len(upright)} stills")


# --- light


def light(quick: bool) -> Iterator[Figure]:
    names = list(data.PEOPLE)[:: 3 if quick else 1]
    random = np.random.default_rng(7)
    raw_all: list[bool] = []
    still_all: list[bool] = []
    for fault, (make, wanted) in LIGHT.items():
        raw, still = [], []
        for name in [name for name in names if fault != "untouched" or name not in data.WINDOW_BEHIND]:
            picture = make(data.portrait_of(name, 100), name, random)
            for seen, answers in ((picture, raw), (data.still_of(picture), still)):
                found = set(codes(seen)) & LIGHT_CODES
                answers.append(bool(found & wanted) if wanted else not found)
        raw_all += raw
        still_all += still
        yield Figure(f"light: {fault}", 100 * float(np.mean(still)), 95 if wanted else 97, True, "%",
                     f"{len(still)} stills; raw {100 * float(np.mean(raw)):.0f} %")  # fmt: skip
    windows = [bool(set(codes(data.still_of(data.portrait_of(n, 100)))) & BACKLIT) for n in data.WINDOW_BEHIND]
    yield Figure("light: real windows behind", 100 * float(np.mean(windows)), 95, True, "%", f"{len(windows)} stills")
    lost = 100 * (float(np.mean(raw_all)) - float(np.mean(still_all)))
    yield Figure("light lost by the page's JPEG", lost, 1, False, "points", "all of light")


def _times(picture: Picture, factor: float, random: np.random.Generator, sigma: float = 2.0) -> Picture:
    values = picture * factor + random.normal(0, sigma, picture.shape[:2])[:, :, None]
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _burnt(picture: Picture, random: np.random.Generator) -> Picture:
    """Return the picture so bright that the main face's middle luma reaches 250; a dark photograph needs more."""
    faces = PictureAnalyser(data.finder()).numbers(picture, 0.0)["faces"]
    return _times(picture, 250.0 / max(20.0, faces[0]["luma"] or 20.0), random)


def _window(picture: Picture, name: str, factor: float, random: np.random.Generator) -> Picture:
    """Return the person in front of a bright window: an ellipse around head and shoulders stays, the rest is light."""
    faces = [(face.x, face.y, face.width, face.height) for face in data.finder().find(picture)]
    mask = np.zeros(picture.shape[:2], np.float32)
    for x, y, width, height in faces:
        middle = (int(x + width / 2), int(y + height / 2))
        cv2.ellipse(mask, middle, (int(width * 0.75), int(height * 0.75)), 0, 0, 360, 1, -1)
        shoulders = (int(x - width), int(y + height * 1.1))
        cv2.rectangle(mask, shoulders, (int(x + 2 * width), picture.shape[0]), 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 3)[:, :, None]
    lit = picture * factor * mask + (1 - mask) * np.maximum(picture, 225)
    return _times(np.asarray(lit), 1.0, random)


def _haze(picture: Picture, contrast: float, veil: float, random: np.random.Generator) -> Picture:
    return _times(cv2.GaussianBlur(picture, (0, 0), 1.5) * contrast + veil, 1.0, random, 1.0)


def _cap(_p: Picture, _n: str, r: np.random.Generator) -> Picture:
    return np.clip(np.abs(r.normal(2, 2, (360, 640, 3))), 0, 255).astype(np.uint8)


def _blue(_p: Picture, _n: str, _r: np.random.Generator) -> Picture:
    return np.full((360, 640, 3), (180, 40, 20), np.uint8)


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
    "face burnt out": (lambda p, n, r: _burnt(p, r), OVER | BACKLIT),
    "haze x 0.35 + 150": (lambda p, n, r: _haze(p, 0.35, 150, r), frozenset({"camera.haze"})),
}


# --- sharpness


def sharpness(quick: bool) -> Iterator[Figure]:
    del quick
    random = np.random.default_rng(3)
    rows: list[tuple[int, bool, float]] = []
    skin: list[float] = []
    for number, name in enumerate(sorted(data.PEOPLE)):
        for size in (150, 60):
            if data.faces_of(name)[0].height < size * 0.6:
                continue
            picture = data.portrait_of(name, size)
            for sharp, make in BLURS:
                value = _sharpness_of(data.still_of(make(picture, size, random)))
                if value is not None:
                    rows.append((number, sharp, value))
    tune = [(sharp, value) for number, sharp, value in rows if number % 2 == 0]
    limits = sorted({value for _, value in tune})
    best = max(limits, key=lambda limit: _balanced(tune, limit))
    report = [(sharp, value) for number, sharp, value in rows if number % 2]
    used = next(float(rule.when[0].limit) for rule in PROFILE.checks["camera.sharpness"].rules)
    del skin
    yield Figure("sharp or blurred, balanced accuracy", _balanced(report, used), 0.95, True, "",
                 f"{len(report)} stills of the odd photographs at the profile's {used}; best on the even: {best:.2f} "
                 f"({_balanced(tune, best):.3f})")  # fmt: skip


def _balanced(rows: list[tuple[bool, float]], limit: float) -> float:
    sharp = [value >= limit for is_sharp, value in rows if is_sharp]
    blurred = [value < limit for is_sharp, value in rows if not is_sharp]
    return float(np.mean(sharp) + np.mean(blurred)) / 2


def _sharpness_of(picture: Picture) -> float | None:
    faces = PictureAnalyser(data.finder()).numbers(picture, 0.0)["faces"]
    return faces[0]["sharpness"] if faces else None


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


def main(arguments: list[str]) -> int:
    """Print the table; 1 where a bar is not met."""
    figures = run(quick="--quick" in arguments)
    for figure in figures:
        mark = "ok" if figure.met else "NOT MET"
        sign = ">=" if figure.at_least else "<="
        print(f"{figure.name:38} {figure.measured:7.2f} {figure.unit:6} {sign} {figure.bar:<6} {mark:8} {figure.data}")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
