"""Faults of the picture on a real face (the astronaut, NASA, public domain): each is seen, the good picture is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from probes.camera import noise_measurement, picture_measurements, wants_second_look, with_second_look
from probes.centerface import SecondFinder
from probes.face_search import TURN_EVERY, FaceLook
from probes.faces import Face, FaceFinder
from probes.picture import PictureAnalyser, face_rows
from probes.sharpness import face_sharpness
from probes.stills import Still
from reports.model import CheckResult, Outcome
from reports.profile import load_profile
from reports.verdict import judge, judge_check
from tests.data.pictures import astronaut

Picture = NDArray[np.uint8]
FINDER = FaceFinder()
PROFILE = load_profile("consultation")
FACE_HEIGHT, FACE_X, EYE_Y = 113.0, 223.0, 102.0
"""Box height, middle and eye line of the face in the portrait, px."""


def portrait(*, height_pct: float = 30, x_pct: float = 50, eye_pct: float = 40) -> Picture:
    """Return a 640 x 480 frame with the face at this size and place."""
    scale = height_pct / 100 * 480 / FACE_HEIGHT
    move = np.array([[scale, 0, x_pct * 6.4 - FACE_X * scale], [0, scale, eye_pct * 4.8 - EYE_Y * scale]])
    return np.asarray(cv2.warpAffine(astronaut(), move, (640, 480), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def codes(picture: Picture, expected: int = 1) -> dict[str, str | None]:
    return codes_of(PictureAnalyser(FINDER).numbers(picture, 0.0), expected)


def codes_of(numbers: Still, expected: int = 1) -> dict[str, str | None]:
    found = picture_measurements([numbers] * 3, expected)
    return {one.check: judge_check(one, PROFILE.checks[one.check]).advice for one in found}


def judge_all(numbers: Still) -> list[CheckResult]:
    found = picture_measurements([numbers] * 3)
    return [judge_check(one, PROFILE.checks[one.check]) for one in found]


def test_a_well_placed_face_gives_no_advice() -> None:
    """No fault is named where there is none."""
    assert set(codes(portrait()).values()) == {None}


@pytest.mark.parametrize(
    ("place", "advice"),
    [
        ({"height_pct": 12}, "camera.too_far"),
        ({"height_pct": 66, "eye_pct": 48}, "camera.too_close"),
        ({"height_pct": 66, "eye_pct": 20}, "camera.too_close"),
        ({"x_pct": 25}, "camera.move_left"),
        ({"x_pct": 75}, "camera.move_right"),
        ({"eye_pct": 7}, "camera.head_cut"),
        ({"eye_pct": 92}, "camera.chin_cut"),
        ({"eye_pct": 74, "height_pct": 25}, "camera.tilt_down"),
        ({"eye_pct": 15, "height_pct": 20}, "camera.tilt_up"),
    ],
)
def test_each_fault_of_framing_has_its_advice(place: dict[str, float], advice: str) -> None:
    """Size, place, cut head and cut chin, eye line; left and right are the person's own."""
    assert codes(portrait(**place))["camera.framing"] == advice


def test_a_missing_person_and_one_at_the_edge_are_told() -> None:
    """One of two is too few; half a face beyond the expected one is somebody at the edge."""
    assert codes(portrait(), expected=2)["camera.people"] == "camera.fewer_people"
    both = portrait(x_pct=45)
    both[:, -110:] = portrait(x_pct=98)[:, -110:]
    found = codes(both)
    assert found["camera.people"] == "camera.someone_at_edge"
    assert found["camera.framing"] is None


@pytest.mark.parametrize("height_pct", [46, 52, 57])
def test_a_laptop_on_the_lap_is_not_too_close(height_pct: float) -> None:
    """Half of the frame is usual before a laptop; nothing of the head is lost there."""
    assert codes(portrait(height_pct=height_pct, eye_pct=45))["camera.framing"] is None


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_in_a_turned_picture_is_seen_and_the_turn_is_advice(turns: int) -> None:
    """Sideways and upside down, a camera on its side or somebody who lies: seen, warned, never failed; in its place."""
    picture = np.ascontiguousarray(np.rot90(portrait(x_pct=38, eye_pct=44), turns))
    look = FaceLook(FINDER)
    assert len(look.find(picture)) == 1
    assert look.rotation_deg == 90 * turns
    numbers = PictureAnalyser(FINDER).numbers(picture, 0.0)
    judged = {check.id: check for check in judge_all(numbers)}
    assert (judged["camera.people"].outcome, judged["camera.people"].advice) == (Outcome.WARN, "camera.rotated")
    assert not {check.outcome for check in judged.values()} & {Outcome.FAIL}
    (there,), (upright,) = (
        numbers.faces,
        PictureAnalyser(FINDER).numbers(portrait(x_pct=38, eye_pct=44), 0.0).faces,
    )
    corners = (
        there.x_pct,
        there.y_pct,
        there.x_pct + there.width_pct,
        there.y_pct + there.height_pct,
    )
    x0, y0 = upright.x_pct, upright.y_pct
    x1, y1 = x0 + upright.width_pct, y0 + upright.height_pct
    wanted = {
        1: (y0, 100 - x1, y1, 100 - x0),
        2: (100 - x1, 100 - y1, 100 - x0, 100 - y0),
        3: (100 - y1, x0, 100 - y0, x1),
    }
    assert corners == pytest.approx(wanted[turns], abs=1.5)
    assert there.bright_luma == pytest.approx(upright.bright_luma, abs=6)
    assert len(look.find(portrait())) == 1
    assert look.rotation_deg == 0


def test_a_turned_picture_stays_turned_until_nobody_is_seen_that_way() -> None:
    """Between the turned looks the turn that was found is kept, and given up with the face."""
    picture = np.ascontiguousarray(np.rot90(portrait(), 1))
    look = FaceLook(FINDER)
    assert [len(look.find(picture)) for _ in range(TURN_EVERY + 1)] == [1] * (TURN_EVERY + 1)
    assert look.rotation_deg == 90
    assert look.find(np.full_like(picture, 90)) == []
    assert look.rotation_deg == 0


@pytest.mark.parametrize("degrees", [-60, -45, -30, 30, 45, 60])
def test_a_head_laid_aside_is_seen_where_it_is(degrees: float) -> None:
    """Somebody who leans on an arm or lies on the side: never "nobody", at most the question whether they lie."""
    upright = portrait(height_pct=32, eye_pct=45)
    (there,) = FINDER.find(upright)
    middle = (there.x + there.width / 2, there.y + there.height / 2)
    move = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    picture = np.asarray(cv2.warpAffine(upright, move, (640, 480), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    look = PictureAnalyser(FINDER)
    for _ in range(TURN_EVERY + 1):
        numbers = look.numbers(picture, 0.0)
        (face,) = numbers.faces
        assert (face.x_pct + face.width_pct / 2) * 6.4 == pytest.approx(middle[0], abs=25)
        assert (face.y_pct + face.height_pct / 2) * 4.8 == pytest.approx(middle[1], abs=25)
        assert not {check.outcome for check in judge_all(numbers)} & {Outcome.FAIL}


@pytest.mark.parametrize("lean_deg", [-45.0, 45.0])
def test_who_is_seen_only_in_a_leaned_picture_keeps_the_place(lean_deg: float) -> None:
    """A finder that sees faces on the larger, turned picture alone: their boxes come back to where they are."""

    class OnlyLeaned:
        def find(self, bgr: Picture) -> list[Face]:
            red = np.argwhere(bgr[:, :, 2] > 200)
            if bgr.shape[0] != bgr.shape[1] or not len(red):
                return []
            y, x = red.mean(axis=0)
            marks = tuple((float(x), float(y)) for _ in range(5))
            return [Face(float(x) - 60, float(y) - 60, 120.0, 120.0, 0.8, marks)]

    finder: Any = OnlyLeaned()
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[95:106, 445:456, 2] = 255
    look = FaceLook(finder)
    for _ in range(3):
        (face,) = look.find(picture)
        assert (face.x + 60, face.y + 60) == pytest.approx((450, 100), abs=1.5)
        assert face.landmarks[0] == pytest.approx((450, 100), abs=1.5)
    assert look.rotation_deg == 0
    assert look.find(np.zeros_like(picture)) == []


def test_an_empty_room_is_not_turned_and_is_searched_only_now_and_then() -> None:
    """Nobody stays nobody, and the five turned looks are not taken at every still."""

    class Counting:
        looks = 0

        def find(self, bgr: Picture) -> list[Face]:
            self.looks += 1
            return []

    finder: Any = Counting()
    look = FaceLook(finder)
    for _ in range(2 * TURN_EVERY):
        assert look.find(np.zeros((480, 640, 3), np.uint8)) == []
    assert look.rotation_deg == 0
    assert finder.looks == 2 * TURN_EVERY + 2 * (3 + 2)
    assert codes(np.full((480, 640, 3), 90, np.uint8))["camera.people"] == "camera.nobody"


def test_the_second_look_finds_what_the_first_loses() -> None:
    """Two faces of 30 px behind masks: the surer detector finds both at their places, and the still takes them."""
    masked = portrait(height_pct=30)
    masked[195:250, 270:370] = (200, 180, 160)
    face = cv2.resize(masked, (136, 102), interpolation=cv2.INTER_AREA)
    small = np.full((360, 640, 3), 120, np.uint8)
    small[100:202, 60:196] = face
    small[100:202, 360:496] = face
    first = PictureAnalyser(FINDER).numbers(small, 0.0)
    assert len(first.faces) < 2
    assert wants_second_look(first, 2)
    both = with_second_look(first, face_rows(small, SecondFinder().find(small)))
    assert sorted(round((one.x_pct + one.width_pct / 2) * 6.4, -1) for one in both.faces) == [130, 430]
    assert codes_of(both, 2)["camera.people"] is None


def test_the_second_look_is_for_pictures_where_somebody_is_missing() -> None:
    """Not where all are seen, nor in a black or a turned picture; and it never takes a face away."""
    seen = PictureAnalyser(FINDER).numbers(portrait(), 0.0)
    assert [wants_second_look(seen, people) for people in (1, 2)] == [False, True]
    for other in ({"luma_p99": 12}, {"rotation_deg": 90}, {"luma_p99": None}):
        assert not wants_second_look(replace(seen, faces=(), **other), 1)
    assert with_second_look(seen, []) == seen
    with pytest.raises(ValueError, match="height x width x 3"):
        SecondFinder().find(np.zeros((10, 10), np.uint8))


@pytest.mark.parametrize(
    ("light", "advice"),
    [({"luma_p95": 60.0}, "camera.dark"), ({"frame_clipped_pct": 35.0}, "camera.over_exposed"), ({}, None)],
)
def test_light_that_hides_a_face_is_told_instead_of_nobody(light: dict[str, float], advice: str | None) -> None:
    """Nobody in a dim or a dazzling picture is a matter of light; a face in the same light is not failed for it."""
    seen = replace(PictureAnalyser(FINDER).numbers(portrait(), 0.0), **light)
    found = {m.check: m for m in picture_measurements([seen.with_faces(())] * 3)}
    judged = judge(found, PROFILE)
    assert (advice or "camera.nobody") in judged.advice
    assert ("camera.nobody" in judged.advice) is (advice is None)
    assert not {check.outcome for check in judge_all(seen)} & {Outcome.FAIL}


@pytest.mark.parametrize("gain", [0.8, 0.6, 0.45])
def test_a_dark_face_in_good_light_is_not_failed(gain: float) -> None:
    """Only the skin is darker: no check of the picture fails, whatever the face's own brightness."""
    picture = portrait().astype(np.float64)
    (face,) = FINDER.find(portrait())
    mask = np.zeros(picture.shape[:2], np.float32)
    middle = (int(face.x + face.width / 2), int(face.y + face.height / 2))
    cv2.ellipse(mask, middle, (int(face.width * 0.55), int(face.height * 0.6)), 0, 0, 360, 1, -1)
    darker = (picture * (1 - mask[:, :, None] * (1 - gain))).astype(np.uint8)
    numbers = PictureAnalyser(FINDER).numbers(darker, 0.0)
    assert numbers.faces[0].luma < 1.1 * gain * 187
    assert not {check.outcome for check in judge_all(numbers)} & {Outcome.FAIL}


def lit(picture: Picture, skin_stops: float = 0, behind_luma: float | None = None, person_stops: float = 0) -> Picture:
    """Return the portrait with skin that reflects less, before a plain bright background, the person in less light."""
    light = (picture / 255.0) ** 2.2
    (face,) = FINDER.find(picture)
    skin, person = np.zeros(picture.shape[:2], np.float32), np.zeros(picture.shape[:2], np.float32)
    middle = (int(face.x + face.width / 2), int(face.y + face.height / 2))
    cv2.ellipse(skin, middle, (int(face.width * 0.55), int(face.height * 0.6)), 0, 0, 360, 1, -1)
    cv2.ellipse(person, middle, (int(face.width * 0.75), int(face.height * 0.75)), 0, 0, 360, 1, -1)
    cv2.rectangle(
        person, (int(face.x - face.width), int(face.y + face.height * 1.1)), (int(face.x + 2 * face.width), 480), 1, -1
    )
    light *= (1 - skin * (1 - 2.0**-skin_stops))[:, :, None] * 2.0**-person_stops
    if behind_luma is not None:
        inside = cv2.GaussianBlur(person, (0, 0), 2)[:, :, None]
        light = light * inside + (behind_luma / 255) ** 2.2 * (1 - inside)
    return np.asarray(255 * np.clip(light, 0, 1) ** (1 / 2.2), np.uint8)


@pytest.mark.parametrize("skin_stops", [0, 0.8, 1.6])
@pytest.mark.parametrize("behind_luma", [190, 225, 255])
def test_skin_of_any_tone_before_a_white_wall_is_no_fault(skin_stops: float, behind_luma: float) -> None:
    """The wall is far brighter than dark skin in the same light; the face is plainly seen, and nothing is told."""
    found = codes(lit(portrait(), skin_stops, behind_luma))
    assert {found["camera.backlight"], found["camera.light"]} == {None}


@pytest.mark.parametrize("behind_luma", [190, 225])
def test_the_darkest_skin_over_lit_clothes_is_no_backlight(behind_luma: float) -> None:
    """A face that is dark even in its bright parts is not lost as long as the light reaches the shirt below it.

    The same face and shirt in three stops less light are lost, and told.
    """
    picture = lit(portrait(), 3.6, behind_luma)
    (face,) = FINDER.find(portrait())
    top, left, right = (int(face.y + 1.2 * face.height), int(face.x - face.width), int(face.x + 2 * face.width))
    picture[top:, left:right] = 200
    assert PictureAnalyser(FINDER).numbers(picture, 0.0).faces[0].bright_luma < 75
    assert {codes(picture)[check] for check in ("camera.backlight", "camera.light")} == {None}
    picture[top:, left:right] = round(200 * 2 ** (-3 / 2.2))
    assert codes(picture)["camera.backlight"] == "camera.backlit"


@pytest.mark.parametrize(
    ("clothes", "advice"), [(180, None), (round(255 * 2 ** (-2 / 2.2)), "camera.backlit"), (255, "camera.backlit")]
)
@pytest.mark.parametrize("skin_stops", [2.6, 4.2])
def test_dark_skin_over_lit_clothes_before_a_burnt_out_wall_is_no_backlight(
    skin_stops: float, clothes: int, advice: str | None
) -> None:
    """In luma it is a face before a window. But the window leaves even a white shirt two stops under in the shade.

    What is burnt out below the face is no shirt: the window beside narrow shoulders.
    """
    picture = lit(portrait(), skin_stops, 255)
    (face,) = FINDER.find(portrait())
    top, left, right = (int(face.y + 1.2 * face.height), int(face.x - face.width), int(face.x + 2 * face.width))
    picture[top:, left:right] = clothes
    assert codes(picture)["camera.backlight"] == advice


def test_skin_that_burns_out_in_red_alone_is_burnt() -> None:
    """Warm skin: all over the face red is at its end, luma is still under white. The same skin in its light is fine."""
    picture = lit(portrait(), 0, 120).astype(np.float64)
    (face,) = FINDER.find(portrait())
    skin = np.zeros(picture.shape[:2], np.float32)
    middle = (int(face.x + face.width / 2), int(face.y + face.height / 2))
    cv2.ellipse(skin, middle, (int(face.width * 0.55), int(face.height * 0.6)), 0, 0, 360, 1, -1)
    luma = cv2.cvtColor(picture.astype(np.uint8), cv2.COLOR_BGR2GRAY)[:, :, None] / 255.0
    for white, advice in ((np.array([150, 215, 330]), "camera.over_exposed"), (np.array([110, 160, 245]), None)):
        warm = np.where(skin[:, :, None] > 0, np.clip(luma**0.3 * white, 0, 255), picture).astype(np.uint8)
        numbers = PictureAnalyser(FINDER).numbers(warm, 0.0).faces[0]
        assert (numbers.clipped_pct or 0) < 8
        assert codes(warm)["camera.backlight"] == advice


def test_a_white_wall_that_is_not_burnt_out_is_no_window() -> None:
    """Dark skin before 247 is before a wall in the same light; the same face before 255 may be before a window."""
    picture = lit(portrait(), 2.6, 247)
    (face,) = FINDER.find(portrait())
    seen = PictureAnalyser(FINDER).numbers(picture, 0.0).faces[0]
    assert 75 < (seen.bright_luma or 0) < 125
    assert 245 <= (seen.background_luma or 0) < 250
    assert (seen.ev_stops or 0) > 2
    assert {codes(picture)[check] for check in ("camera.backlight", "camera.light")} == {None}
    window = lit(portrait(), 2.6, 255)
    window[int(face.y + 1.2 * face.height) :, int(face.x - face.width) : int(face.x + 2 * face.width)] = 90
    assert codes(window)["camera.backlight"] == "camera.backlit"


@pytest.mark.parametrize(("clothes", "advice"), [(40, "camera.face_dark"), (150, None), (255, "camera.face_dark")])
def test_the_darkest_skin_over_lit_clothes_is_no_dark_face(clothes: int, advice: str | None) -> None:
    """Before a dim wall too the shirt tells that the light reaches the face; what is burnt out is no shirt."""
    picture = lit(portrait(), 4.6, 90)
    (face,) = FINDER.find(portrait())
    top, left, right = (int(face.y + 1.2 * face.height), int(face.x - face.width), int(face.x + 2 * face.width))
    picture[top:, left:right] = clothes
    assert 45 < (PictureAnalyser(FINDER).numbers(picture, 0.0).faces[0].bright_luma or 0) < 55
    assert codes(picture)["camera.backlight"] == advice


def test_a_dim_picture_with_its_highlights_is_not_a_camera_at_its_end() -> None:
    """A quarter of the light is dark; where a thousandth shines as it should the photograph is only of a dim place."""
    picture = lit(portrait(), 0, None, 0)
    dim = np.asarray(255 * ((picture / 255.0) ** 2.2 / 4) ** (1 / 2.2), np.uint8)
    assert codes(dim)["camera.light"] == "camera.dark"
    dim[10:30, 10:40] = 190
    assert 600 / dim[:, :, 0].size < 0.01
    assert codes(dim)["camera.light"] is None


@pytest.mark.parametrize(
    ("face", "advice"),
    [
        ({"clipped_pct": 10.0, "luma": 215.0}, "camera.over_exposed"),
        ({"clipped_pct": 10.0, "luma": 190.0}, None),
        ({"clipped_pct": 6.0, "luma": 215.0}, None),
        ({"red_clipped_pct": 60.0, "luma": 200.0}, "camera.over_exposed"),
        ({"red_clipped_pct": 60.0, "luma": 160.0}, None),
        ({"red_clipped_pct": 30.0, "luma": 200.0}, None),
    ],
)
def test_a_face_that_is_mostly_white_needs_less_of_it_burnt_out(face: dict[str, float], advice: str | None) -> None:
    """Skin burns out in red first and then reads 205 to 225: a tenth at white above and below is enough there.

    Most of it burnt out in red is enough by itself, but for a face in red light, which stays darker.
    """
    numbers = PictureAnalyser(FINDER).numbers(portrait(), 0.0)
    assert codes_of(numbers.with_faces([replace(numbers.faces[0], **face)]))["camera.backlight"] == advice


def test_a_dark_mask_before_a_white_wall_is_no_backlight() -> None:
    """Half of the face is black cloth, and its bright parts are as bright as before."""
    picture = lit(portrait(), 0, 225)
    (face,) = FINDER.find(picture)
    top = int(face.y + 0.55 * face.height)
    picture[top : int(face.y + 1.05 * face.height), int(face.x) : int(face.x + face.width)] = (35, 28, 26)
    numbers = PictureAnalyser(FINDER).numbers(picture, 0.0)
    if not numbers.faces:
        numbers = with_second_look(numbers, face_rows(picture, SecondFinder().find(picture)))
    assert codes_of(numbers)["camera.backlight"] is None


@pytest.mark.parametrize(("stops", "outcome"), [(2.2, Outcome.WARN), (3, Outcome.WARN), (4.2, Outcome.FAIL)])
def test_a_face_in_the_shade_before_a_window_is_backlit(stops: float, outcome: Outcome) -> None:
    """Two stops less on the face warn, four fail; the window is as bright as the picture gets."""
    picture = lit(portrait(), 0, 255, person_stops=stops)
    judged = {check.id: check for check in judge_all(PictureAnalyser(FINDER).numbers(picture, 0.0))}
    assert judged["camera.backlight"].advice == "camera.backlit"
    assert judged["camera.backlight"].outcome in {outcome, Outcome.FAIL}


def test_a_white_wall_is_not_over_exposed_and_a_burnt_face_is() -> None:
    """Nearly all of the frame at white is a matter of taste as long as the face has its drawing."""
    white = codes(lit(portrait(height_pct=25), 0, 255))
    assert {white["camera.light"], white["camera.backlight"]} == {None}
    burnt = np.clip(portrait(height_pct=25).astype(np.float32) * 1.6, 0, 255).astype(np.uint8)
    assert codes(burnt)["camera.backlight"] == "camera.over_exposed"


def test_a_lit_face_in_a_dark_room_is_not_too_dark() -> None:
    """A black wall behind a face in good light is no fault; the same face in a quarter of the light is."""
    picture = lit(portrait(height_pct=18), 0, 12)
    (face,) = FINDER.find(picture)
    picture[int(face.y + 1.15 * face.height) :] //= 8
    assert np.percentile(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 95) < 90
    assert codes(picture)["camera.light"] is None
    assert codes(np.asarray(picture * 0.25, np.uint8))["camera.light"] == "camera.dark"


@pytest.mark.parametrize("veil", [None, 150])
def test_a_white_bed_is_no_haze(veil: int | None) -> None:
    """Pillow and sheet fill the picture with white, and the eyes stay dark; under a veil they do not."""
    picture = portrait(height_pct=36)
    (face,) = FINDER.find(picture)
    inside = np.zeros(picture.shape[:2], np.float32)
    middle = (int(face.x + face.width / 2), int(face.y + face.height * 0.55))
    cv2.ellipse(inside, middle, (int(face.width * 0.55), int(face.height * 0.55)), 0, 0, 360, 1, -1)
    inside = cv2.GaussianBlur(inside, (0, 0), 2)[:, :, None]
    folds = 228 + 12 * np.sin(np.arange(640) / 45)[None, :, None]
    bed = np.asarray(picture * inside + folds * (1 - inside), np.uint8)
    if veil:
        bed = np.asarray(bed * 0.35 + veil, np.uint8)
    assert codes(bed)["camera.light"] == ("camera.haze" if veil else None)


@pytest.mark.parametrize("spoil", ["dark", "noisy"])
def test_darkness_and_noise_are_not_blur(spoil: str) -> None:
    """The figure stays on its side of the limit, sharp and blurred, whatever the light."""
    picture = portrait(height_pct=30).astype(np.float64)
    soft = cv2.GaussianBlur(picture, (0, 0), 0.04 * 144)
    noise = np.random.default_rng(1).normal(0, 8 if spoil == "noisy" else 0.3, picture.shape[:2])[:, :, None]
    gain = 0.35 if spoil == "dark" else 1.0
    sharp, blurred = (np.clip(one * gain + noise, 0, 255).astype(np.uint8) for one in (picture, soft))
    assert codes(sharp)["camera.sharpness"] is None
    assert codes(blurred)["camera.sharpness"] == "camera.blurred"


def test_a_small_face_has_no_sharpness() -> None:
    """Under 40 px the lens cannot be told from the distance."""
    luma = np.full((200, 200), 100, np.uint8)
    assert face_sharpness(luma, Face(50, 50, 30, 39, 0.9, ())) is None
    assert face_sharpness(luma, Face(50, 50, 30, 40, 0.9, ())) == 0.0


def test_noise_of_the_raw_picture_warns_of_low_light_and_its_absence_is_not_measured() -> None:
    """A noisy raw picture is a dark room behind automatic gain; a page that cannot read its pixels proves nothing."""
    judged = [
        judge_check(noise_measurement(noise), PROFILE.checks["camera.noise"])
        for noise in ([], [2.0, 3.0], [9.0, 11.0, 2.0])
    ]
    assert [one.outcome.value for one in judged] == ["not_measured", "pass", "warn"]
    assert judged[2].advice == "camera.noisy_light"


def test_where_faces_were_is_kept_as_numbers() -> None:
    """Percent of the frame, for a drawing; one entry a face."""
    numbers = PictureAnalyser(FINDER).numbers(portrait(), 0.0)
    places = picture_measurements([numbers])[2].metric("places")
    assert isinstance(places, str)
    x, y, width, height = (int(side) for side in places.split())
    assert abs(x + width / 2 - 50) < 3
    assert abs(height - 30) < 3
    assert 15 < y < 35
