"""Faults of the whole picture, made on strangers: lens partly covered, bands of a lamp, denoised low light, motion.

``python -m tests.bench.truth faults``. Limits were set on 42 photographs of page templates, face-detector packages and
`picture_data`; the figures are those of the half "report" without them (`SET_ON`), each person in one cut, through
the page's JPEG. What no rule may fire on is here too: the same stills untouched, blinds over the whole wall, light from
one side, a hand-held phone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from probes.camera import picture_measurements
from probes.faces import Face
from probes.picture import PictureAnalyser
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge
from tests.bench import picture_data as data
from tests.bench import strangers
from tests.bench.figures import Figure, rate
from tests.bench.picture_data import Picture
from tests.bench.strangers import FULL_WELL, GAMMA, READ_NOISE, light_of

PROFILE = load_profile("consultation")
SIZES = ((640, 360), (640, 480), (360, 640))
SIDES = ("left", "right", "top", "bottom")
BLACKS = (0.0, 0.0005, 0.003, 0.006)
"""Light that a black cover sends into the lens, linear, share of white."""
SET_ON = {
    "761a68",
    "517e88",
    "813003",
    "a124b6",
    "516829",
    "5323ab",
    "69fc1c",
    "2008_002506.jpg",
    "sample4.jpg",
    "sample6.jpg",
    "astronaut.png",
    "obama.jpg",
    "obama3.jpg",
}
"""Photographs of the half "report" that limits of these rules were set on: they report nothing."""
QUICK = 4
"""One in so many people."""

Light = NDArray[np.float64]
Make = Callable[[Light, Face, np.random.Generator], Light]
Cut = tuple[Picture, Face, np.random.Generator]


async def run(*, quick: bool) -> list[Figure]:
    """Return the figures of the half "report"."""
    strangers.fetch()
    return list(faults(people("report")[:: QUICK if quick else 1]))


def people(half: str) -> list[strangers.Person]:
    """Return the people of one half, without those of "report" that limits were set on."""
    every = (*strangers.people(), *strangers.more_people())
    return [one for one in every if one.half == half and (half == "tune" or one.name not in SET_ON)]


def faults(chosen: list[strangers.Person]) -> Iterator[Figure]:
    """Yield for each fault how often its advice was given, and how often it was where there is no such fault."""
    cuts = [made for person in chosen if (made := _cut(person))]
    new = {"camera.covered", "camera.flicker", "camera.blurred", "camera.dark"}
    said = [codes([_sent(light_of(picture), random)]) for picture, _, random in cuts]
    for code in sorted(new):
        yield rate(f"untouched, called {code}", [code in one for one in said], at_most=1)
    for name, make, wanted in FAULTS:
        found = [
            wanted & codes([_sent(make(light_of(picture), face, random), random)]) for picture, face, random in cuts
        ]
        yield rate(f"found: {name}", [bool(one) for one in found], at_least=90)
    for name, gain in (("1/64 of the light, gain 16, denoised", 16.0),):
        answers = [
            bool(
                {"camera.dark", "camera.noisy_light"}
                & codes([_sent(light_of(p), r, light_share=gain**-1 / 4, gain=gain, smooth=True)])
            )
            for p, _, r in cuts
        ]
        yield rate(f"found: {name}", answers, at_least=90)
    yield rate("found: bands 0.4 that move", [_moving(p, r, 0.4) for p, _, r in cuts], at_least=90)
    yield rate("hand-held, even light, called camera.flicker", [_moving(p, r, 0.0) for p, _, r in cuts], at_most=1)
    yield rate("blinds on the whole wall, called camera.flicker", [_blinds(*one) for one in cuts], at_most=1)
    across = [_moving(p, r, 0.4, columns=_is_wide(p)) for p, _, r in cuts]
    yield rate("found: bands 0.4 across the long side that move", across, at_least=90)
    yield from _standing(cuts)
    stand = [codes(_single(_banded(light_of(p), r, 0.4, r.uniform(1.5, 7), True), r)) for p, _, r in cuts]
    yield rate("found: bands 0.4, columns, one still", ["camera.flicker" in one for one in stand], at_least=90)
    for name, make in PLACES:
        told = ["camera.flicker" in codes(_live(make(*one), one[2])) for one in cuts]
        yield rate(f"{name}, called camera.flicker", told, at_most=1)
    folds = ["camera.flicker" in codes([_sent(_curtain(*one), one[2])]) for one in cuts]
    yield rate("curtain with folds, one still, called camera.flicker", folds, at_most=1)


def _standing(cuts: list[Cut]) -> Iterator[Figure]:
    """Yield for bands along the long side that lie still, as a sensor draws them, how often they are found."""
    for strength in (0.4, 0.8):
        made = [(_banded(light_of(p), r, strength, r.uniform(1.5, 7), not _is_wide(p)), r) for p, _, r in cuts]
        one, live = ([("camera.flicker" in codes(show(*each))) for each in made] for show in (_single, _live))
        upright = [found for found, (picture, _, _) in zip(one, cuts, strict=True) if not _is_wide(picture)]
        yield rate(f"found: bands {strength}, columns of an upright phone, one still", upright, at_least=90)
        yield rate(f"found: bands {strength} along the long side, three stills", live, at_least=90)


def _is_wide(picture: Picture) -> bool:
    return picture.shape[1] > picture.shape[0]


def _single(light: Light, random: np.random.Generator) -> list[Picture]:
    return [_sent(light, random)]


def _cut(person: strangers.Person) -> Cut | None:
    seed = int(hashlib.sha256(f"{person.name}{person.face}".encode()).hexdigest()[:8], 16)
    random = np.random.default_rng(seed)
    picture = strangers.cut(person, float(random.uniform(22, 44)), SIZES[seed % len(SIZES)])
    face = strangers.main_face(picture)
    return (picture, face, random) if face else None


def _sent(
    light: Light, random: np.random.Generator, *, light_share: float = 1.0, gain: float = 1.0, smooth: bool = False
) -> Picture:
    """Return the still that a small sensor makes of this light at this gain, denoised as webcams do or not."""
    electrons = random.poisson(np.clip(light, 0, None) * FULL_WELL * light_share)
    read = electrons + random.normal(0, READ_NOISE, light.shape)
    picture = (255 * np.clip(read * gain / FULL_WELL, 0, 1) ** (1 / GAMMA)).astype(np.uint8)
    return data.still_of(np.asarray(cv2.bilateralFilter(picture, 7, 40, 5) if smooth else picture, np.uint8))


def _live(light: Light, random: np.random.Generator) -> list[Picture]:
    """Return three stills of the same light, as the page sends them: each with its own noise."""
    return [_sent(light, random) for _ in range(3)]


def codes(stills: list[Picture]) -> set[str]:
    """Return the advice that the profile gives for these stills, the last three of them where there are more."""
    look = PictureAnalyser(data.finder())
    numbers = [look.numbers(still, 500.0 * number) for number, still in enumerate(stills)]
    measured = {one.check: one for one in picture_measurements((numbers * 3)[-3:])}
    found = judge(measured, PROFILE).checks
    return {str(one.advice) for one in found if one.outcome in {Outcome.FAIL, Outcome.WARN}}


def _covered(light: Light, random: np.random.Generator, depth: float, soft: float, colour: Any = None) -> Light:
    height, width = light.shape[:2]
    down, across = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    inwards = {"left": across, "right": 1 - across, "top": down, "bottom": 1 - down}[str(random.choice(SIDES))]
    clear = 1 / (1 + np.exp(-np.clip(1.7 * (inwards - depth) / soft, -40, 40)))[:, :, None]
    return light * clear + np.array(colour if colour is not None else [float(random.choice(BLACKS))] * 3) * (1 - clear)


def _banded(light: Light, random: np.random.Generator, strength: float, cycles: float, columns: bool) -> Light:
    count = light.shape[1 if columns else 0]
    phase = random.uniform(0, 2 * np.pi)
    lamp = 1 - strength * (0.5 + 0.5 * np.sin(2 * np.pi * cycles * np.arange(count) / count + phase))
    return light * (lamp[None, :, None] if columns else lamp[:, None, None])


def _moved(light: Light, face: Face, random: np.random.Generator, share: float, degrees: float | None = None) -> Light:
    """Return the light blurred along one line, `share` of the face's height long; any direction where none is given."""
    length = share * face.height
    size = int(np.ceil(length)) | 1
    angle = np.deg2rad(random.uniform(0, 180) if degrees is None else degrees)
    kernel = np.zeros((size + 2, size + 2), np.float32)
    middle = (size + 1) / 2
    ends = [(middle + way * length / 2 * np.cos(angle), middle + way * length / 2 * np.sin(angle)) for way in (-1, 1)]
    points = [tuple(round(64 * one) for one in end) for end in ends]
    cv2.line(kernel, points[0], points[1], 1.0, 1, cv2.LINE_AA, 6)
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT), np.float64)


def _moving(picture: Picture, random: np.random.Generator, strength: float, *, columns: bool | None = None) -> bool:
    cycles, either = float(random.uniform(1.5, 6)), bool(random.integers(2))
    columns = either if columns is None else columns
    stills = []
    for _ in range(4):
        shift = tuple(int(one) for one in random.integers(-4, 5, 2))
        light = np.roll(light_of(picture), shift, (0, 1)) * random.uniform(0.8, 1.0)
        stills.append(_sent(_banded(light, random, strength, cycles, columns), random))
    return "camera.flicker" in codes(stills)


def _blinds(picture: Picture, face: Face, random: np.random.Generator) -> bool:
    height, width = picture.shape[:2]
    stripes = int(random.integers(5, 16))
    rows = np.arange(height)[:, None] * stripes // height
    columns = np.arange(width)[None, :] * stripes // width
    dark = np.broadcast_to((rows if random.integers(2) else columns) % 2, (height, width))[:, :, None]
    wall = np.where(dark, 0.06, 0.5)
    return "camera.flicker" in codes([_sent(_before(picture, face, wall), random)])


def _before(picture: Picture, face: Face, wall: Any) -> Light:
    """Return the light of the person before a wall of this light."""
    inside = strangers.outline(picture, face)
    return light_of(picture) * inside + wall * (1 - inside)


def _lit_from_side(picture: Picture, face: Face, random: np.random.Generator) -> Light:
    """Return the light that a window or lamp at one side gives all: by the square of the distance from it."""
    nearest = random.uniform(0.3, 0.8)
    share = (nearest / np.linspace(nearest, nearest + 1, picture.shape[1])) ** 2
    return light_of(picture) * 1.3 * (share if random.integers(2) else share[::-1])[None, :, None]


def _graded_wall(picture: Picture, face: Face, random: np.random.Generator) -> Light:
    """Return the person, lit as before, before a wall that is up to seven times as light at one side."""
    grade = np.linspace(0.1, random.uniform(0.3, 0.7), picture.shape[1])
    return _before(picture, face, (grade if random.integers(2) else grade[::-1])[None, :, None])


def _curtain(picture: Picture, face: Face, random: np.random.Generator) -> Light:
    """Return the person before a curtain of four to eleven uneven folds, half as light in between."""
    edges = np.sort(np.concatenate([[0, 1], random.uniform(0, 1, int(random.integers(4, 12)))]))
    across = np.linspace(0, 1, picture.shape[1], endpoint=False)
    fold = np.searchsorted(edges, across, "right") - 1
    inwards = (across - edges[fold]) / np.maximum(edges[fold + 1] - edges[fold], 1e-3)
    return _before(picture, face, 0.35 * (0.55 + 0.45 * np.sin(np.pi * inwards))[None, :, None])


FAULTS: tuple[tuple[str, Make, set[str]], ...] = (
    ("half covered, sharp edge", lambda li, _, r: _covered(li, r, 0.5, 0.003), {"camera.covered"}),
    ("half covered, soft edge", lambda li, _, r: _covered(li, r, 0.5, 0.05), {"camera.covered"}),
    ("a third covered", lambda li, _, r: _covered(li, r, 0.33, 0.03), {"camera.covered"}),
    ("a finger lit from behind", lambda li, _, r: _covered(li, r, 0.5, 0.05, (0.012, 0.016, 0.2)), {"camera.covered"}),
    ("bands 0.8, rows", lambda li, _, r: _banded(li, r, 0.8, r.uniform(1.5, 7), False), {"camera.flicker"}),
    ("bands 0.8, columns", lambda li, _, r: _banded(li, r, 0.8, r.uniform(1.5, 7), True), {"camera.flicker"}),
    ("bands 0.4, one still", lambda li, _, r: _banded(li, r, 0.4, r.uniform(1.5, 7), False), {"camera.flicker"}),
    ("motion 0.14, any direction", lambda li, f, r: _moved(li, f, r, 0.14), {"camera.blurred"}),
    ("motion 0.14, diagonal", lambda li, f, r: _moved(li, f, r, 0.14, 45), {"camera.blurred"}),
)
"""Name, how it is made, and the advice that names it."""

PLACES: tuple[tuple[str, Callable[[Picture, Face, np.random.Generator], Light]], ...] = (
    ("light from one side", _lit_from_side),
    ("wall graded to one side", _graded_wall),
    ("curtain with folds", _curtain),
)
"""Places without a lamp that flickers."""
