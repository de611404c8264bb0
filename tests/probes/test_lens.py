"""A lens partly covered and bands of a flickering lamp: found in made stills, and not where a room looks like them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from probes.banding import BandLook
from probes.camera import picture_measurements
from probes.cover import lens_cover
from probes.faces import FaceFinder
from probes.lens import cover_measurement, flicker_measurement
from probes.picture import PictureAnalyser
from probes.stills import Still
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge_check
from tests.data.pictures import astronaut

Picture = NDArray[np.uint8]
FINDER = FaceFinder()
PROFILE = load_profile("consultation")
SIDES = ("left", "right", "top", "bottom")


def portrait(x_pct: float = 50.0, size: tuple[int, int] = (640, 480)) -> Picture:
    """Return the astronaut (NASA, public domain), her face 29 % high."""
    scale = 0.29 * size[1] / 113.0
    move = np.array([[scale, 0, x_pct / 100 * size[0] - 223 * scale], [0, scale, 0.4 * size[1] - 102 * scale]])
    return np.asarray(cv2.warpAffine(astronaut(), move, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


def sent(light: NDArray[np.float64], seed: int = 1) -> Picture:
    """Return the still that a camera with a little noise makes of this light, 0 to 1, and sends as a JPEG."""
    noise = np.random.default_rng(seed).normal(0, 1.2, light.shape[:2])[:, :, None]
    shown = np.clip(light, 0, 1).astype(np.float32) ** np.float32(1 / 2.2)
    luma = np.clip(255 * shown + noise, 0, 255).astype(np.uint8)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, 65])[1], 1), np.uint8)


LIGHT = (np.arange(256) / 255.0) ** 2.2
"""Of each value of a picture."""


def light_of(picture: Picture) -> NDArray[np.float64]:
    return LIGHT[picture]


def shares(shape: tuple[int, ...], side: str) -> NDArray[np.float64]:
    """Return how far each pixel lies from a side, share of the way to the other."""
    down, across = np.mgrid[: shape[0], : shape[1]] / np.array(shape[:2])[:, None, None]
    return {"left": across, "right": 1 - across, "top": down, "bottom": 1 - down}[side]


def bands_of(picture: Picture, look: BandLook | None = None) -> dict[str, float]:
    """Return the figures of bands in a picture, its largest face found as in the product."""
    face = FINDER.find(picture)[0]
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    return (look or BandLook()).numbers(luma, (face.x, face.y, face.width, face.height))


def covered(
    picture: Picture,
    side: str,
    depth: float,
    *,
    soft: float = 0.02,
    colour: tuple[float, float, float] = (0.001, 0.001, 0.001),
) -> Picture:
    """Return the picture with one side covered so deep, the edge as soft as this share of the way."""
    clear = 1 / (1 + np.exp(-np.clip((shares(picture.shape, side) - depth) / soft * 1.7, -40, 40)))[:, :, None]
    return sent(light_of(picture) * clear + np.array(colour) * (1 - clear))


def outcome_of(measurement: Any) -> tuple[Outcome, str | None]:
    found = judge_check(measurement, PROFILE.checks[measurement.check])
    return found.outcome, found.advice


def bands(
    picture: Picture, strength: float, cycles: float, *, turned: bool = False, phase: float = 1.0
) -> NDArray[np.float64]:
    """Return the light of the picture with bands that take `strength` of it where they are darkest."""
    way = np.arange(picture.shape[1 if turned else 0]) / picture.shape[1 if turned else 0]
    lamp = 1 - strength * (0.5 + 0.5 * np.sin(2 * np.pi * cycles * way + phase))
    return light_of(picture) * (lamp[None, :, None] if turned else lamp[:, None, None])


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("depth", "soft"), [(0.5, 0.003), (0.5, 0.05), (0.33, 0.03), (0.27, 0.015)])
def test_a_covered_side_is_found_with_its_depth(side: str, depth: float, soft: float) -> None:
    """Black from each side, half, a third, a good quarter; sharp and soft edge: a warning where a face is left."""
    found = lens_cover(covered(portrait(), side, depth, soft=soft))
    assert found["covered_side"] == side
    assert found["covered_pct"] == pytest.approx(100 * depth, abs=6 + 250 * soft)
    assert outcome_of(cover_measurement([Still.from_json(found)] * 3, 1)) == (Outcome.WARN, "camera.covered")


def test_a_cover_that_leaves_no_face_fails_and_stands_for_nobody() -> None:
    """The face is under the cover: required fail, and `camera.people` is told after it."""
    numbers = PictureAnalyser(FINDER).numbers(covered(portrait(), "top", 0.75), 0.0)
    assert numbers.faces == ()
    assert outcome_of(cover_measurement([numbers] * 3, 0)) == (Outcome.FAIL, "camera.covered")
    assert "camera.cover" in PROFILE.checks["camera.people"].after


def test_light_through_a_finger_is_a_cover() -> None:
    """Even red with a soft edge, from the left."""
    found = lens_cover(covered(portrait(), "left", 0.5, soft=0.05, colour=(0.012, 0.016, 0.2)))
    assert (found["covered_side"], found["covered_pct"] > 25) == ("left", True)


@pytest.mark.parametrize("side", SIDES)
def test_light_through_a_finger_is_a_cover_before_a_dark_room_too(side: str) -> None:
    """What is not covered is darker than the finger: its colour tells. All in that red is a red room, and no cover."""
    red = (0.012, 0.016, 0.2)
    dark = np.asarray(255 * (light_of(portrait()) / 12) ** (1 / 2.2), np.uint8)
    found = lens_cover(covered(dark, side, 0.5, soft=0.05, colour=red))
    assert (found["covered_side"], found["covered_pct"]) == (side, pytest.approx(48, abs=10))
    room = np.broadcast_to(np.array(red), dark.shape).copy()
    room[150:330, 200:440] *= 0.4
    assert lens_cover(sent(room))["covered_pct"] == 0


def before(colour: int, soft: float = 1.0) -> Picture:
    """Return a lit head and shoulders before something of one even colour."""
    picture = np.full((480, 640, 3), colour, np.uint8)
    mask = person_mask()
    inside = cv2.GaussianBlur(mask, (0, 0), soft)[:, :, None] / 255.0
    return np.asarray(picture * (1 - inside) + portrait() * inside, np.uint8)


def test_a_black_room_dark_clothes_and_bars_are_no_cover() -> None:
    """Night behind a lit person, a black pullover, a bright wall, letterbox and pillarbox bars: nothing is said."""
    night, wall = before(4), before(210)
    clothes = wall.copy()
    cv2.ellipse(clothes, (320, 560), (300, 200), 0, 0, 360, (9, 9, 9), -1)
    letterbox, pillarbox = portrait(), portrait()
    letterbox[:90] = letterbox[-90:] = 0
    pillarbox[:, :110] = pillarbox[:, -110:] = 0
    for picture in (portrait(), night, wall, clothes, letterbox, pillarbox):
        assert lens_cover(sent(light_of(picture)))["covered_pct"] == 0


@pytest.mark.parametrize("wide", [1.6, 2.2])
@pytest.mark.parametrize("fall", [90, 140])
def test_black_clothes_near_an_upright_phone_are_no_cover(wide: float, fall: int) -> None:
    """A black hijab or pullover fills all below the chin; it is higher at the neck than at the shoulders."""
    picture = portrait(size=(360, 640))
    half = int(180 * wide)
    edge = [(180 - half, 420 + fall), (130, 400), (230, 400), (180 + half, 420 + fall), (180 + half, 700)]
    clothes = np.array([*edge, (180 - half, 700)], np.int32)
    cv2.fillPoly(picture, [clothes], (15, 15, 15), cv2.LINE_AA)
    assert lens_cover(sent(light_of(picture)))["covered_pct"] == 0


@pytest.mark.parametrize(("broad", "room"), [(1.3, 0.004), (1.4, 0.0005), (1.4, 0.004)])
def test_a_face_lit_by_its_screen_in_a_dark_room_is_no_cover(broad: float, room: float) -> None:
    """An upright phone, hair and shoulders as wide as the picture: beside the head the room is as black as above it."""
    picture, mask = portrait(size=(360, 640)), np.zeros((640, 360), np.uint8)
    high = 0.29 * 640
    cv2.ellipse(mask, (180, 269), (int(0.55 * high * broad), int(0.8 * high)), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, (180, 640), (int(1.3 * high * broad), int(1.1 * high)), 0, 0, 360, 255, -1)
    inside = cv2.GaussianBlur(mask, (0, 0), 2)[:, :, None] / 255.0
    look = PictureAnalyser(FINDER)
    assert look.numbers(sent(light_of(picture) * inside + room * (1 - inside)), 0.0).covered_pct == 0
    assert look.numbers(covered(picture, "top", 0.3), 500.0).covered_side == "top"


def test_a_black_picture_is_black_and_not_covered() -> None:
    """Nothing is seen beyond the cover: that is `camera.light`'s."""
    assert lens_cover(np.full((480, 640, 3), 3, np.uint8)) == {"covered_pct": 0.0, "covered_side": ""}


WIDE, UPRIGHT = (640, 480), (480, 640)


@pytest.mark.parametrize(("size", "turned"), [(WIDE, False), (WIDE, True), (UPRIGHT, True)])
@pytest.mark.parametrize("cycles", [2.5, 4.0, 7.0])
def test_bands_of_light_are_told_in_one_still(cycles: float, size: tuple[int, int], turned: bool) -> None:
    """Rows and, on phones held upright, columns; a lamp that takes four fifths of the light."""
    picture = sent(bands(portrait(size=size), 0.8, cycles, turned=turned))
    found = bands_of(picture)
    assert outcome_of(flicker_measurement([Still.from_json(found)] * 3)) == (Outcome.WARN, "camera.flicker")
    assert found["bands_pct"] == pytest.approx(80, abs=22)


@pytest.mark.parametrize(("cycles", "turned"), [(2.5, False), (4.0, False), (6.0, False), (4.0, True), (6.0, True)])
@pytest.mark.parametrize("size", [WIDE, UPRIGHT])
def test_bands_of_two_fifths_of_the_light_are_told_in_one_still(
    cycles: float, turned: bool, size: tuple[int, int]
) -> None:
    """Weaker than the drawing of face, hair and flag, but the same over all of them."""
    picture = sent(bands(portrait(size=size), 0.4, cycles, turned=turned))
    found = bands_of(picture)
    assert outcome_of(flicker_measurement([Still.from_json(found)] * 3)) == (Outcome.WARN, "camera.flicker")
    assert found["bands_pct"] == pytest.approx(40, abs=15)


@pytest.mark.parametrize("turned", [False, True])
def test_shade_that_rises_and_falls_once_is_no_band(turned: bool) -> None:
    """A lamp above, a dark corner below: light that changes slowly over the whole picture is a room's own."""
    way = np.linspace(0, 1, 640 if turned else 480)
    for shade in (0.4 + 0.6 * way, 0.4 + 0.6 * np.sin(np.pi * way), 1 - 0.6 * np.sin(np.pi * way)):
        lamp = shade[None, :, None] if turned else shade[:, None, None]
        found = bands_of(sent(light_of(portrait()) * lamp))
        assert outcome_of(flicker_measurement([Still.from_json(found)] * 3)) == (Outcome.PASS, None)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("nearest", [0.35, 0.6])
@pytest.mark.parametrize("alone", [False, True])
def test_light_from_one_side_is_no_band(nearest: float, alone: bool, turned: bool) -> None:
    """A window beside somebody grades the wall by its distance, with or without the person; two long waves fit that."""
    count = 640 if turned else 480
    grade = 1.3 * (nearest / np.linspace(nearest, nearest + 1, count)) ** 2
    lamp = grade[None, :, None] if turned else grade[:, None, None]
    light = light_of(portrait())
    mask = person_mask()
    lit = np.where(mask[:, :, None] > 0, light, np.broadcast_to(0.7 * lamp, light.shape)) if alone else light * lamp
    found = bands_of(sent(lit))
    assert outcome_of(flicker_measurement([Still.from_json(found)] * 3)) == (Outcome.PASS, None)


def test_weak_bands_that_move_are_told_from_two_stills() -> None:
    """What the room shows cancels out; the same room lit evenly says nothing."""
    look, even = BandLook(), BandLook()
    for number in range(3):
        moving = sent(bands(portrait(), 0.4, 3.0, phase=2.1 * number), seed=number)
        weak = bands_of(moving, look)
        calm = bands_of(sent(light_of(portrait()), seed=number), even)
    assert outcome_of(flicker_measurement([Still.from_json(weak)] * 3)) == (Outcome.WARN, "camera.flicker")
    assert outcome_of(flicker_measurement([Still.from_json(calm)] * 3)) == (Outcome.PASS, None)


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("stripes", [5, 7, 9, 11, 15])
def test_blinds_and_shelves_behind_somebody_are_no_bands(stripes: int, across: bool) -> None:
    """Stripes of the room end where somebody sits before them, are flat in between, and do not move."""
    room = portrait()
    rows = (np.arange(480)[:, None] if across else np.arange(640)[None, :]) * stripes // (480 if across else 640)
    wall = np.broadcast_to(np.where(rows % 2, 70, 190)[:, :, None], room.shape).astype(np.uint8)
    mask = person_mask()
    picture = np.where(mask[:, :, None] > 0, room, wall)
    look = BandLook()
    numbers = [bands_of(sent(light_of(picture), seed=n), look) for n in range(3)]
    assert outcome_of(flicker_measurement([Still.from_json(one) for one in numbers])) == (Outcome.PASS, None)


@pytest.mark.parametrize("folds", [3.5, 5.0, 8.0, 11.0])
@pytest.mark.parametrize("deep", [0.35, 0.6])
def test_a_curtain_behind_somebody_is_no_band(folds: float, deep: float) -> None:
    """Folds light and dark as bands are, all over the wall, end where somebody sits before them."""
    wave = 1 - deep * np.abs(np.cos(np.pi * folds * np.arange(640) / 640))
    curtain = np.broadcast_to(0.35 * wave[None, :, None], (480, 640, 3))
    inside = person_mask()[:, :, None]
    before_it = np.where(inside > 0, light_of(portrait()), curtain)
    look = BandLook()
    numbers = [bands_of(sent(before_it, seed=n), look) for n in range(3)]
    assert outcome_of(flicker_measurement([Still.from_json(one) for one in numbers])) == (Outcome.PASS, None)
    alone = BandLook().numbers(cv2.cvtColor(sent(curtain), cv2.COLOR_BGR2GRAY), None)
    assert outcome_of(flicker_measurement([Still.from_json(alone)] * 3)) == (Outcome.PASS, None)


@pytest.mark.parametrize("folds", [3.5, 5.0, 8.0, 11.0])
@pytest.mark.parametrize("even", [True, False])
def test_a_curtain_as_even_as_bands_is_none_in_a_wide_picture(folds: float, even: bool) -> None:
    """A first still alone may not tell it; a second one does, for columns of a wide picture have to move then."""
    turns = folds * np.arange(640) / 640
    wave = 0.5 + 0.5 * np.sin(np.pi * turns) if even else np.abs(np.cos(np.pi * turns))
    curtain = 0.35 * (1 - 0.6 * wave)[None, :, None]
    light, look = np.where(person_mask()[:, :, None] > 0, light_of(portrait()), curtain), BandLook()
    numbers = [bands_of(sent(light, seed=number), look) for number in range(3)]
    assert outcome_of(flicker_measurement([Still.from_json(one) for one in numbers])) == (Outcome.PASS, None)


@pytest.mark.parametrize("folds", [3.5, 5.0, 7.0])
@pytest.mark.parametrize("even", [True, False])
def test_a_curtain_behind_a_hand_held_phone_is_no_band(folds: float, even: bool) -> None:
    """The whole picture moves between two stills, and the curtain's folds with it; the person has none."""
    turns = folds * np.arange(640) / 640
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * turns) if even else np.abs(np.cos(np.pi * turns))
    curtain = 0.35 * (1 - 0.6 * wave)[None, :, None]
    light, look = np.where(person_mask()[:, :, None] > 0, light_of(portrait()), curtain), BandLook()
    numbers = [bands_of(sent(np.roll(light, -8 * number, 1), seed=number), look) for number in range(4)]
    assert outcome_of(flicker_measurement([Still.from_json(one) for one in numbers[1:]])) == (Outcome.PASS, None)


def test_columns_of_bands_in_a_wide_picture_are_told_where_they_move() -> None:
    """From a phone whose stream is cut to a wide picture; where the same bands stand nothing is told."""
    for step, outcome in ((2.1, Outcome.WARN), (0.0, Outcome.PASS)):
        look = BandLook()
        lit = (bands(portrait(), 0.4, 3.0, turned=True, phase=1.0 + step * number) for number in range(3))
        numbers = [bands_of(sent(light, seed=number), look) for number, light in enumerate(lit)]
        assert outcome_of(flicker_measurement([Still.from_json(one) for one in numbers]))[0] is outcome


@pytest.mark.parametrize(("size", "fold"), [((360, 640), 0.2), ((360, 640), 0.3), ((480, 640), 0.4), ((640, 360), 0.3)])
def test_a_shawls_folds_are_no_band(fold: float, size: tuple[int, int]) -> None:
    """They are on the person, head to chest, and end beside the person."""
    picture = portrait(size=size)
    face = FINDER.find(picture)[0]
    middle = (int(face.x + face.width / 2), int(face.y + face.height / 2))
    cloth = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(cloth, middle, (int(0.85 * face.width), int(0.85 * face.height)), 0, 0, 360, 1, -1)
    cv2.rectangle(cloth, (int(face.x - 0.6 * face.width), middle[1]), (int(face.x + 1.6 * face.width), size[1]), 1, -1)
    cv2.ellipse(cloth, middle, (int(0.46 * face.width), int(0.5 * face.height)), 0, 0, 360, 0, -1)
    soft = cv2.GaussianBlur(cloth, (0, 0), 2)[:, :, None]
    folds = 0.3 * (1 + 0.3 * np.sin(np.arange(size[0]) / (fold * face.width)))[None, :, None]
    light, look = light_of(picture) * (1 - soft) + folds * soft, BandLook()
    numbers = [bands_of(sent(light, seed=number), look) for number in range(3)]
    assert outcome_of(flicker_measurement([Still.from_json(one) for one in numbers])) == (Outcome.PASS, None)


def person_mask() -> Picture:
    """Return 255 where the head and shoulders of `portrait` are."""
    mask = np.zeros((480, 640), np.uint8)
    cv2.ellipse(mask, (320, 210), (85, 115), 0, 0, 360, 255, -1)
    cv2.ellipse(mask, (320, 520), (230, 190), 0, 0, 360, 255, -1)
    return mask


def test_a_picture_without_light_or_drawing_has_no_bands() -> None:
    """Black, white and even grey: nothing to follow, no division by nothing."""
    for luma in (0, 255, 120):
        found = BandLook().numbers(np.full((360, 640), luma, np.uint8), (280.0, 100.0, 80.0, 110.0))
        assert found["bands_evener_pct"] < 3 or found["bands_pct"] < 20


def test_what_was_not_looked_at_is_not_measured() -> None:
    """Stills without the figures are no pass."""
    for measurement in (cover_measurement([Still()], 1), flicker_measurement([Still()])):
        assert measurement.value is None
        assert judge_check(measurement, PROFILE.checks[measurement.check]).outcome is Outcome.NOT_MEASURED


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 135])
def test_motion_blurs_in_whatever_direction(degrees: float) -> None:
    """A seventh of the face's height along one line, on the axes and between them; the same face at rest is sharp."""
    length = 0.14 * 0.29 * 480
    kernel = np.zeros((25, 25), np.float32)
    step = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))]) * length / 2 * 64
    ends = [tuple(round(float(12 * 64 + way * one)) for one in step) for way in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 6)
    moved = cv2.filter2D(light_of(portrait()), -1, kernel / kernel.sum())
    assert advice_of(sent(np.asarray(moved)))["camera.sharpness"] == "camera.blurred"
    assert advice_of(sent(light_of(portrait())))["camera.sharpness"] is None


def test_little_light_is_told_when_the_camera_smoothed_its_noise_away() -> None:
    """A 64th of the light, a quarter of the gain, a bilateral filter: dark; made up for and smoothed: fine."""
    random = np.random.default_rng(3)

    def smoothed(gain: float) -> Picture:
        electrons = random.poisson(light_of(portrait()) * 8000 / 64) + random.normal(0, 4, (480, 640, 3))
        luma = (255 * np.clip(electrons * gain / 8000, 0, 1) ** (1 / 2.2)).astype(np.uint8)
        return sent(light_of(np.asarray(cv2.bilateralFilter(luma, 7, 40, 5), np.uint8)))

    assert advice_of(smoothed(16.0))["camera.light"] == "camera.dark"
    assert advice_of(smoothed(64.0))["camera.light"] is None


def advice_of(picture: Picture) -> dict[str, str | None]:
    numbers = PictureAnalyser(FINDER).numbers(picture, 0.0)
    return {
        one.check: judge_check(one, PROFILE.checks[one.check]).advice for one in picture_measurements([numbers] * 3)
    }
