"""Camera: stills are decoded with care, and their numbers become measurements with known values."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from probes.camera import frame_rate_measurement, frozen_measurement, picture_measurements
from probes.faces import Face, FaceFinder
from probes.light import face_light, frame_light, noise_sigma, red_clipped_pct
from probes.measurement import Measurement
from probes.picture import PictureAnalyser, decode_still
from probes.stills import FaceFigures, Still
from tests.data.pictures import astronaut

Picture = NDArray[np.uint8]


def jpeg(picture: Picture, quality: int = 70, *extra: int) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, *extra])[1].tobytes()


def portrait() -> Picture:
    return astronaut()[:480].copy()


def by_check(stills: list[Still], expected_people: int = 1) -> dict[str, Measurement]:
    return {found.check: found for found in picture_measurements(stills, expected_people)}


def a_face(**numbers: Any) -> FaceFigures:
    return FaceFigures.from_json(
        {
            "x_pct": 40.0,
            "y_pct": 20.0,
            "width_pct": 20.0,
            "height_pct": 30.0,
            "score": 0.9,
            "luma": 120.0,
            "bright_luma": 160.0,
            "clothes_luma": 90.0,
            "background_luma": 150.0,
            "ev_stops": 0.7,
            "clipped_pct": 0.0,
            "red_clipped_pct": 0.0,
            "top_margin": 0.66,
            "eye_line_pct": 32.0,
            "bottom_margin": 1.6,
            "side_margin": 2.0,
            "sharpness": 2.6,
            **numbers,
        }
    )


BANDS = {"bands_pct": 3.0, "bands_evener_pct": 1.0}


def a_still(t_ms: float = 0, diff: float | None = 1.0, faces: list[FaceFigures] | None = None, **numbers: Any) -> Still:
    percentiles = ("luma_p1", "luma_p5", "luma_p50", "luma_p95", "luma_p99", "luma_p999")
    luma = dict.fromkeys((*percentiles, "luma_std", "luma_range"), 80.0)
    light = {"luma_mean": 110.0, "frame_clipped_pct": 0.0, "noise_sigma": 1.0, "covered_pct": 0.0, **BANDS, **luma}
    found = Still.from_json({"t_ms": t_ms, "diff_luma": diff, **light, **numbers})
    return found.with_faces([a_face()] if faces is None else faces)


# --- decoding


def test_a_still_of_ours_decodes_to_the_picture_it_was() -> None:
    """A 640x480 JPEG comes back in its size and, but for the codec, in its colours."""
    picture = cv2.GaussianBlur(cv2.resize(portrait(), (640, 480)), (0, 0), 2)
    back = decode_still(jpeg(np.asarray(picture, np.uint8), 85))
    assert back.shape == (480, 640, 3)
    assert float(np.mean(np.abs(back.astype(int) - picture))) < 3


def test_a_progressive_still_is_taken() -> None:
    """Some browsers may encode progressively."""
    assert decode_still(jpeg(portrait(), 60, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)).shape == (480, 512, 3)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(50), b"\xff\xd8\xff" + bytes(100) + b"\xff\xd9"],
    ids=["empty", "two bytes", "gif", "png", "no frame"],
)
def test_what_is_no_jpeg_is_refused(data: bytes) -> None:
    """ValueError and nothing else."""
    with pytest.raises(ValueError, match="still"):
        decode_still(data)


def test_a_still_over_the_byte_limit_is_refused() -> None:
    """64 000 bytes pass as far as the limit goes, one more does not."""
    data = jpeg(portrait(), 40)
    filler = b"\xff\xfe" + (60_000 - len(data)).to_bytes(2, "big")
    padded = data[:2] + filler + bytes(60_000 - len(data) - 2) + data[2:]
    assert decode_still(padded).shape == (480, 512, 3)
    with pytest.raises(ValueError, match="too large"):
        decode_still(data[:2] + bytes(64_001 - len(data)) + data[2:])


@pytest.mark.parametrize("size", [(1281, 64), (64, 1281), (63, 640), (640, 8)])
def test_unsuitable_sizes_are_refused(size: tuple[int, int]) -> None:
    """Longer than 1280 px or shorter than 64."""
    with pytest.raises(ValueError, match="size"):
        decode_still(jpeg(np.zeros((size[1], size[0], 3), np.uint8)))


def test_the_largest_and_the_smallest_size_are_taken() -> None:
    """1280 and 64 px are inside."""
    assert decode_still(jpeg(np.zeros((64, 1280, 3), np.uint8))).shape == (64, 1280, 3)


def test_a_header_that_asks_for_a_huge_picture_is_refused_before_decoding() -> None:
    """A few bytes cannot make the server allocate 65 535 x 65 535 px."""
    data = bytearray(jpeg(np.zeros((64, 64, 3), np.uint8)))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(ValueError, match="size"):
        decode_still(bytes(data))


def test_a_still_cut_short_is_refused() -> None:
    """Half a picture is not judged."""
    with pytest.raises(ValueError, match="whole"):
        decode_still(jpeg(portrait())[:-100])


def test_a_still_with_hundreds_of_scans_is_refused() -> None:
    """Progressive scans cost a pass each; no camera page sends that many."""
    data = jpeg(portrait(), 30)
    with pytest.raises(ValueError, match="scans"):
        decode_still(data[:-2] + b"\xff\xda\x00\x02" * 200 + data[-2:])


def test_orientation_in_the_metadata_does_not_turn_the_picture() -> None:
    """The page draws upright pictures; a hostile EXIF block must not change the size that was checked."""
    exif = bytes.fromhex("45786966000049492a000800000001001201030001000000060000000000000000000000")
    data = jpeg(np.zeros((64, 128, 3), np.uint8))
    turned = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    assert decode_still(turned).shape == (64, 128, 3)


@cache
def good_still() -> bytes:
    """Made once, by the first test that asks."""
    return jpeg(np.asarray(cv2.resize(portrait(), (128, 96)), np.uint8), 60)


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 4000), st.integers(0, 255))
def test_spoilt_stills_raise_value_error_only(tail: bytes, place: int, value: int) -> None:
    """Whatever byte is turned and whatever stands inside, the answer is a picture or ValueError."""
    data = bytearray(good_still())
    data[place % len(data)] = value
    for candidate in (bytes(data), b"\xff\xd8\xff" + tail + b"\xff\xd9"):
        try:
            picture = decode_still(candidate)
        except ValueError:
            continue
        assert picture.ndim == 3


# --- light


def test_frame_light_of_a_ramp_is_known() -> None:
    """Every level once a row: the percentiles are the levels themselves."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), (100, 1))
    found = frame_light(ramp)
    assert found["luma_mean"] == pytest.approx(127.5)
    assert found["luma_std"] == pytest.approx(73.9, abs=0.01)
    assert (found["luma_p1"], found["luma_p50"], found["luma_p99"], found["luma_p999"]) == (2, 127, 253, 255)
    assert found["luma_range"] == found["luma_p95"] - found["luma_p5"]
    assert found["frame_clipped_pct"] == pytest.approx(100 * 6 / 256)


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_flat_frame_has_no_spread(level: int) -> None:
    """No signal reads as spread 0 and its own level."""
    found = frame_light(np.full((64, 64), level, np.uint8))
    assert (found["luma_std"], found["luma_range"], found["luma_mean"]) == (0, 0, level)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 6.0])
def test_noise_sigma_finds_the_noise_that_was_added(sigma: float) -> None:
    """Gaussian noise on a wall, within a tenth; a window in the picture changes nothing."""
    wall = np.full((480, 640), 120.0) + np.random.default_rng(1).normal(0, sigma, (480, 640))
    wall[:100, :200] = 255
    assert noise_sigma(np.clip(np.rint(wall), 0, 255).astype(np.uint8)) == pytest.approx(sigma, rel=0.12)


def test_noise_sigma_of_black_or_tiny_is_unknown() -> None:
    """A black picture hides its noise; a tiny one has no block."""
    assert noise_sigma(np.zeros((480, 640), np.uint8)) is None
    assert noise_sigma(np.full((30, 640), 100, np.uint8)) is None


def lit(face_luma: int, background: int, face: Face) -> Picture:
    luma = np.full((400, 400), background, np.uint8)
    luma[int(face.y) : int(face.y + face.height), int(face.x) : int(face.x + face.width)] = face_luma
    return luma


FACE = Face(160, 160, 80, 100, 0.9, ((185.0, 200.0), (215.0, 200.0)))


def test_stops_between_background_and_face_are_known() -> None:
    """Light goes with the power 2.2 of luma: 200 behind 100 is 2.2 stops."""
    found = face_light(lit(100, 200, FACE), FACE)
    known = {"luma": 100, "bright_luma": 100, "background_luma": 200, "ev_stops": pytest.approx(2.2), "clipped_pct": 0}
    assert found == {**known, "clothes_luma": 200}


def test_equal_light_is_no_stops_and_burnt_skin_is_counted() -> None:
    """A face as bright as the wall: 0 stops; skin at 245 and over is clipped."""
    found = face_light(lit(245, 245, FACE), FACE)
    assert found["ev_stops"] == 0
    assert found["clipped_pct"] == 100


def test_a_burnt_mask_is_no_burnt_skin() -> None:
    """White cloth over mouth and chin may burn out; the skin above it does not. Burnt above and below is burnt."""
    picture = lit(150, 120, FACE)
    x, y, width, height = (int(side) for side in (FACE.x, FACE.y, FACE.width, FACE.height))
    picture[y + int(0.52 * height) : y + height, x : x + width] = 255
    assert face_light(picture, FACE)["clipped_pct"] == 0
    picture[y : y + height, x : x + width // 2] = 255
    assert face_light(picture, FACE)["clipped_pct"] == pytest.approx(50, abs=4)


def test_red_that_is_burnt_out_is_counted_above_and_below() -> None:
    """From 250 on, of the half that has less of it; a face of a few pixels says nothing."""
    red = lit(249, 120, FACE)
    x, y, width, height = (int(side) for side in (FACE.x, FACE.y, FACE.width, FACE.height))
    assert red_clipped_pct(red, FACE) == 0
    red[y : y + height // 2, x : x + width] = 250
    assert red_clipped_pct(red, FACE) == pytest.approx(0, abs=4)
    red[y : y + height, x : x + width // 2] = 250
    assert red_clipped_pct(red, FACE) == pytest.approx(50, abs=4)
    assert red_clipped_pct(red, Face(x, y, 4.0, 4.0, 0.9, ())) is None


def test_a_black_face_does_not_divide_by_zero() -> None:
    """Luma 0 counts as 1: many stops, but a number."""
    stops = face_light(lit(0, 255, FACE), FACE)["ev_stops"]
    assert stops is not None
    assert math.isfinite(stops)


def test_the_bright_parts_of_a_face_are_neither_its_middle_nor_a_shine() -> None:
    """A mask over half of the face and a shine on a twentieth leave the figure at the skin's."""
    picture = lit(150, 200, FACE)
    x, y, width, height = (int(side) for side in (FACE.x, FACE.y, FACE.width, FACE.height))
    picture[y + height // 2 : y + height, x : x + width] = 30
    picture[y + int(0.2 * height) : y + int(0.26 * height), x : x + int(0.6 * width)] = 250
    found = face_light(picture, FACE)
    assert found["bright_luma"] == 150
    assert found["luma"] is not None
    assert found["luma"] < 150


def test_clothes_are_what_is_bright_below_the_neck() -> None:
    """A white shirt between dark lapels counts, the wall beside the shoulders does not; without clothes no figure."""
    picture = lit(60, 200, FACE)
    bottom = int(FACE.y + FACE.height)
    picture[bottom:, 100:300] = 20
    picture[bottom:, 180:220] = 170
    assert face_light(picture, FACE)["clothes_luma"] == 170
    assert face_light(picture[: bottom + 20], FACE)["clothes_luma"] is None


@pytest.mark.parametrize(("width_px", "clothes"), [(1, 170), (4, 245)])
def test_a_window_beside_narrow_shoulders_is_no_cloth(width_px: int, clothes: float) -> None:
    """A fourteenth of the region burnt out is the window behind: the clothes are not known then. A line is none."""
    picture = lit(60, 200, FACE)
    bottom = int(FACE.y + FACE.height)
    picture[bottom:, 100:300] = 20
    picture[bottom:, 180:220] = 170
    picture[bottom:, 172 : 172 + width_px] = 255
    assert face_light(picture, FACE)["clothes_luma"] == clothes


def test_a_face_that_fills_the_frame_is_compared_with_the_brightest_of_the_frame() -> None:
    """No background beside it: an even frame is 0 stops, and a strip of window in a corner is seen all the same."""
    close = Face(-10, -10, 420, 420, 0.9, ((100.0, 100.0), (300.0, 100.0)))
    even = np.full((400, 400), 90, np.uint8)
    assert face_light(even, close)["ev_stops"] == 0
    even[:60, :180] = 250
    found = face_light(even, close)
    assert (found["luma"], found["background_luma"]) == (90, 250)


@pytest.mark.parametrize(
    "face", [Face(500, 500, 50, 50, 0.9, ()), Face(10, 10, 3, 3, 0.9, ()), Face(-90, 0, 50, 50, 0.9, ())]
)
def test_a_face_without_skin_in_the_frame_has_no_light(face: Face) -> None:
    """Outside or too small: unknown, never a number out of nothing."""
    assert set(face_light(np.full((100, 100), 90, np.uint8), face).values()) == {None}


# --- looking


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


def test_numbers_of_a_real_portrait(finder: FaceFinder) -> None:
    """One face with place, light and eye line; the first still has nothing to be compared with."""
    found = PictureAnalyser(finder).numbers(portrait(), 40)
    assert (found.t_ms, found.width_px, found.height_px, found.diff_luma) == (40, 512, 480, None)
    (face,) = found.faces
    assert face.height_pct == pytest.approx(100 * 113 / 480, abs=2)
    assert face.eye_line_pct == pytest.approx(100 * 102 / 480, abs=1)
    assert face.top_margin == pytest.approx(63 / 113, abs=0.05)
    assert face.ev_stops is not None
    assert abs(face.ev_stops) < 1


def test_the_change_between_stills_is_measured(finder: FaceFinder) -> None:
    """The same still gives exactly 0, one brightened by 3 gives 3, a turned one cannot be compared."""
    analyser = PictureAnalyser(finder)
    grey = np.full((96, 128, 3), 100, np.uint8)
    changes = [analyser.numbers(picture, 0).diff_luma for picture in (grey, grey, grey + 3, grey.swapaxes(0, 1).copy())]
    assert changes == [None, 0, 3, None]


# --- measuring


def test_metrics_have_the_names_of_the_profile() -> None:
    """The profile's rules ask for these and find them."""
    found = by_check([a_still()])
    light = ("luma_p99", "luma_p999", "luma_mean", "luma_std", "luma_p95", "luma_range", "luma_p1", "faces")
    light += ("frame_clipped_pct", "face_bright_luma")
    wanted = {
        "camera.light": light,
        "camera.backlight": (
            "value",
            "background_luma",
            "face_luma",
            "face_bright_luma",
            "clothes_luma",
            "face_clipped_pct",
            "face_red_clipped_pct",
            "frame_clipped_pct",
        ),
        "camera.people": ("value", "missing_people", "edge_people", "rotation_deg"),
        "camera.framing": (
            "value",
            "top_margin",
            "offset_x_pct",
            "eye_line_pct",
            "bottom_margin",
            "largest_pct",
            "expected_people",
        ),
        "camera.sharpness": ("value",),
        "camera.cover": ("value", "faces"),
        "camera.flicker": ("value", "evener_pct"),
    }
    assert list(found) == list(wanted)
    assert all(found[check].metric(name) is not None for check, names in wanted.items() for name in names)


def test_figures_are_medians_over_the_stills() -> None:
    """One still in which someone walks past the lamp changes nothing."""
    stills = [
        a_still(luma_p95=value, faces=[a_face(height_pct=height)]) for value, height in ((200, 30), (210, 31), (3, 90))
    ]
    found = by_check(stills)
    assert found["camera.light"].metric("luma_p95") == 200
    assert found["camera.framing"].value == 31
    assert found["camera.framing"].samples == 3


def test_offset_counts_to_the_right_of_the_raw_frame() -> None:
    """A face in the middle is 0; one whose centre stands at 80 % is +30, at 20 % is -30."""
    assert by_check([a_still()])["camera.framing"].metric("offset_x_pct") == 0
    assert by_check([a_still(faces=[a_face(x_pct=70.0)])])["camera.framing"].metric("offset_x_pct") == 30
    assert by_check([a_still(faces=[a_face(x_pct=10.0)])])["camera.framing"].metric("offset_x_pct") == -30


def test_framing_looks_at_the_largest_face() -> None:
    """A face in a picture on the wall does not decide the framing."""
    still = a_still(faces=[a_face(height_pct=8.0, width_pct=5.0), a_face(height_pct=33.0)])
    assert by_check([still])["camera.framing"].value == 33


@pytest.mark.parametrize(
    ("counts", "people"), [([1, 1, 0], 1), ([0, 0, 1], 0), ([0, 1], 0), ([2, 2, 1], 2), ([1, 0, 1, 0], 0)]
)
def test_people_are_counted_by_the_lower_median(counts: list[int], people: int) -> None:
    """Who is seen half of the time does not count as seen."""
    stills = [a_still(faces=[a_face()] * count) for count in counts]
    assert by_check(stills)["camera.people"].value == people


@pytest.mark.parametrize(("expected", "missing"), [(1, 0), (2, 0), (3, 1), (0, 0)])
def test_missing_people_are_never_negative(expected: int, missing: int) -> None:
    """Two are seen."""
    found = by_check([a_still(faces=[a_face()] * 2)], expected)["camera.people"]
    assert found.metric("missing_people") == missing


def test_the_place_in_a_turned_picture_is_not_judged() -> None:
    """The face is counted and its light judged; what is above or left nobody knows before it stands upright."""
    found = by_check([a_still(rotation_deg=90)] * 3)
    assert (found["camera.people"].value, found["camera.people"].metric("rotation_deg")) == (1, 90)
    assert found["camera.backlight"].value == 0.7
    assert (found["camera.framing"].value, found["camera.framing"].cause) == (None, "turned")


def test_without_a_face_there_is_no_backlight_and_no_framing() -> None:
    """They are missing for that reason; light and people have their figures."""
    found = by_check([a_still(faces=[])] * 3)
    assert found["camera.people"].value == 0
    assert found["camera.light"].value == 110
    assert found["camera.backlight"].cause == found["camera.framing"].cause == "no_face"


def test_without_stills_nothing_is_measured() -> None:
    """An empty step has no figures, and says so in every check."""
    found = picture_measurements([])
    assert len(found) == 7
    assert all(measurement.value is None and measurement.cause == "step_died" for measurement in found)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["faces", "luma_mean", "t_ms", "diff_luma"]),
            st.none()
            | st.floats()
            | st.lists(
                st.dictionaries(
                    st.sampled_from(["height_pct", "x_pct", "width_pct", "ev_stops"]),
                    st.none() | st.floats() | st.text(),
                )
            ),
            max_size=4,
        ),
        max_size=6,
    )
)
@example([{"t_ms": -1.7e308}, {"t_ms": 1.7e308, "diff_luma": 0.0}] * 4)
@example([{"faces": [{"height_pct": -1.7e308}, {}]}, {"faces": [{"height_pct": 1.7e308}]}])
def test_holes_and_nan_in_the_numbers_never_raise(sent: list[dict[str, Any]]) -> None:
    """Figures that are missing or no numbers are left out; no result is NaN."""
    stills = [Still.from_json(one) for one in sent]
    for found in [*picture_measurements(stills), frozen_measurement(stills)]:
        assert found.metric("value") == found.value
        assert found.value is not None or found.cause


# --- frozen


def test_a_frozen_camera_is_frozen_for_as_long_as_it_was() -> None:
    """Five stills half a second apart without a change: 2 s."""
    stills = [a_still(500 * i, None if i == 0 else 0.0) for i in range(5)]
    found = frozen_measurement(stills)
    assert (found.value, found.unit, found.metric("span_s")) == (2.0, "s", 2.0)


def test_the_longest_span_counts_and_any_change_ends_it() -> None:
    """Still, change, still, still: 1 s, not 1.5."""
    changes = [None, 0.0, 0.5, 0.0, 0.009, 0.01]
    assert frozen_measurement([a_still(500 * i, change) for i, change in enumerate(changes)]).value == 1.0


def test_a_still_that_cannot_be_compared_ends_a_span() -> None:
    """A turned phone is not a frozen one."""
    assert frozen_measurement([a_still(500 * i, c) for i, c in enumerate([None, 0.0, None, 0.0, 0.0])]).value == 1.0


@pytest.mark.parametrize("times", [[], [0], [0, 1000, 2000], [0, 400, 800, 1200], [0, 0, 0, 0], [3000, 2000, 1000, 0]])
def test_too_few_stills_say_nothing_about_freezing(times: list[int]) -> None:
    """Fewer than 4, or less than 1.5 s, or a clock that runs backwards."""
    found = frozen_measurement([a_still(t, 0.0) for t in times])
    assert (found.value, found.cause) == (None, "too_few_samples")


# --- frame rate


@pytest.mark.parametrize("fps", [4.0, 15.0, 30.0, 60.0])
def test_a_steady_camera_has_its_frame_rate(fps: float) -> None:
    """Two seconds of frames at equal distances, no freeze."""
    found = frame_rate_measurement([1000 * i / fps for i in range(int(2 * fps) + 1)])
    assert found.value == pytest.approx(fps)
    assert found.metric("freeze_count") == 0
    assert found.metric("longest_gap_ms") == pytest.approx(1000 / fps)
    assert (found.low, found.high) == pytest.approx((fps, fps))


def test_a_gap_is_a_freeze_and_leaves_the_rate_alone() -> None:
    """30 fps with half a second missing: still 30 fps, one freeze, the gap is told."""
    times = [33.0 * i for i in range(40)] + [33.0 * 39 + 500 + 33.0 * i for i in range(40)]
    found = frame_rate_measurement(times)
    assert found.value == pytest.approx(1000 / 33)
    assert found.metric("freeze_count") == 1
    assert found.metric("longest_gap_ms") == 500


@pytest.mark.parametrize(("gap", "freezes"), [(184.0, 0), (190.0, 1)])
def test_a_freeze_begins_150_ms_over_the_mean(gap: float, freezes: int) -> None:
    """At 30 fps the mean plus 150 ms decides, which the gap itself lifts a little."""
    times = [100 / 3 * i for i in range(60)]
    times += [times[-1] + gap + 100 / 3 * i for i in range(60)]
    assert frame_rate_measurement(times).metric("freeze_count") == freezes


@pytest.mark.parametrize("times", [[], [0], [0, 5000], [0, 30, 60, 90], [7.0] * 50, [math.nan, 0, math.inf]])
def test_too_few_timestamps_are_no_rate(times: list[float]) -> None:
    """Fewer than three different ones, or less than a second."""
    found = frame_rate_measurement(times)
    assert (found.value, found.cause) == (None, "too_few_samples")


def test_order_and_repeats_do_not_matter() -> None:
    """Timestamps may come twice and in any order."""
    times = [100.0 * i for i in range(20)]
    assert frame_rate_measurement([*reversed(times), *times]).value == 10


# --- imports


def test_what_the_web_process_needs_loads_no_heavy_library() -> None:
    """Measuring from numbers needs neither numpy, cv2 nor onnxruntime."""
    modules = "probes.camera, probes.devices, probes.speaker, probes.network, probes.feedback"
    code = f"import sys, {modules}; print({{'numpy', 'cv2', 'onnxruntime'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150)
    assert done.stdout.strip() == "set()"
