"""The clips for the browser tests show what they are meant to show: our own probes read them."""

from __future__ import annotations

import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from probes.camera import frozen_measurement, picture_measurements
from probes.faces import FaceFinder
from probes.measurement import Measurement
from probes.microphone import SoundAnalyser
from probes.picture import PictureAnalyser, decode_still
from probes.speech import SpeechDetector
from probes.stills import Still
from reports.profile import load_profile
from reports.verdict import judge_check
from tests.browser.faults import MICROPHONE_FAULTS, PICTURE_FAULTS, Fault
from tests.data.clips import CAMERAS, MICROPHONES, camera_clip, camera_frames, ffmpeg, microphone_clip, microphone_sound

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


def seen(name: str, finder: FaceFinder) -> dict[str, Measurement]:
    """Four stills as the page would send them, half a second apart."""
    analyser = PictureAnalyser(finder)
    stills: list[Still] = []
    for index, frame in enumerate(camera_frames(name, 16)):
        if index % 5 == 0:
            jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()
            assert len(jpeg) < 40_000
            stills.append(analyser.numbers(decode_still(jpeg), index * 100))
    return {found.check: found for found in [*picture_measurements(stills), frozen_measurement(stills)]}


def number(measurement: Measurement, name: str = "value") -> float:
    found = measurement.metric(name)
    assert isinstance(found, (int, float)), (measurement, name)
    return float(found)


def test_good_is_good(finder: FaceFinder) -> None:
    """One person, well lit, centred, face 30 % of the height, eyes above the middle, alive."""
    found = seen("good", finder)
    assert found["camera.people"].value == 1
    assert number(found["camera.framing"]) == pytest.approx(30, abs=1.5)
    assert abs(number(found["camera.framing"], "offset_x_pct")) < 3
    assert 25 < number(found["camera.framing"], "eye_line_pct") < 50
    assert number(found["camera.framing"], "top_margin") > 0.25
    assert abs(number(found["camera.backlight"])) < 1
    assert number(found["camera.backlight"], "face_luma") > 100
    assert number(found["camera.backlight"], "face_clipped_pct") < 5
    assert number(found["camera.light"], "luma_p95") > 150
    assert number(found["camera.light"], "luma_range") > 100
    assert number(found["camera.light"], "frame_clipped_pct") < 5
    assert found["camera.frozen"].value == 0


def test_black_is_black(finder: FaceFinder) -> None:
    """A covered lens."""
    light = seen("black", finder)["camera.light"]
    assert number(light, "luma_p99") < 20
    assert number(light, "luma_mean") < 10


def test_empty_room_is_lit_alive_and_empty(finder: FaceFinder) -> None:
    """Nobody, and nothing else wrong."""
    found = seen("empty_room", finder)
    assert found["camera.people"].value == 0
    assert number(found["camera.light"], "luma_p95") > 150
    assert found["camera.frozen"].value == 0


def test_backlit_is_backlit_and_nothing_else(finder: FaceFinder) -> None:
    """More than 3 stops between window and face; the frame as a whole is neither dark nor burnt out."""
    found = seen("backlit", finder)
    assert found["camera.people"].value == 1
    assert number(found["camera.backlight"]) > 3.5
    assert number(found["camera.backlight"], "background_luma") > 200
    assert number(found["camera.light"], "frame_clipped_pct") < 20
    assert number(found["camera.light"], "luma_p95") > 150


def test_frozen_is_good_but_frozen(finder: FaceFinder) -> None:
    """The same frame all the time."""
    found = seen("frozen", finder)
    assert found["camera.people"].value == 1
    assert found["camera.frozen"].value == 1.5


def test_dark_is_dark_but_not_black(finder: FaceFinder) -> None:
    """A quarter of the light: the face is still found, no window behind it."""
    found = seen("dark", finder)
    assert 25 < number(found["camera.light"], "luma_p95") < 80
    assert number(found["camera.light"], "luma_mean") > 15
    assert found["camera.people"].value == 1
    assert number(found["camera.backlight"]) < 1


def test_a_pair_is_two_in_good_light(finder: FaceFinder) -> None:
    """Two people beside each other, with nothing wrong but that they are two."""
    found = seen("pair", finder)
    assert found["camera.people"].value == 2
    assert number(found["camera.light"], "luma_p95") > 150
    assert abs(number(found["camera.backlight"])) < 1
    assert found["camera.frozen"].value == 0


def test_off_side_is_at_the_right_edge(finder: FaceFinder) -> None:
    """The centre of the face is 30 % right of the middle; size and height are fine."""
    framing = seen("off_side", finder)["camera.framing"]
    assert number(framing, "offset_x_pct") == pytest.approx(30, abs=2)
    assert number(framing) == pytest.approx(30, abs=1.5)


def test_far_is_far(finder: FaceFinder) -> None:
    """The face is there, under 10 % of the height."""
    found = seen("far", finder)
    assert found["camera.people"].value == 1
    assert 5 < number(found["camera.framing"]) < 9.5


def test_frames_are_the_same_every_time() -> None:
    """Seeds, not chance; and but for `frozen` no two frames of a clip are the same."""
    one, two = (list(camera_frames("good", 3)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(one[0], one[1])


def test_a_camera_clip_is_written_once_as_whole_frames(tmp_path: Path) -> None:
    """Three seconds of them in 4:2:0, as light as they were drawn; the second call finds the file."""
    path = camera_clip("frozen", tmp_path)
    header, *frames = path.read_bytes().split(b"FRAME\n")
    assert header.startswith(b"YUV4MPEG2 W640 H480 F20:1 ")
    assert b" C420jpeg " in header
    assert len(frames) == 60
    assert set(frames) == {frames[0]}, "a frozen clip must hold one frame, bit for bit"
    assert len(frames[0]) == 640 * 480 * 3 // 2
    luma = np.frombuffer(frames[0], np.uint8)[: 640 * 480].reshape(480, 640)
    drawn = cv2.cvtColor(next(camera_frames("frozen", 1)), cv2.COLOR_BGR2GRAY)
    assert np.mean(np.abs(luma.astype(int) - drawn)) < 1.5
    stamp = path.stat().st_mtime_ns
    assert camera_clip("frozen", tmp_path).stat().st_mtime_ns == stamp
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.fixture(scope="module")
def shared() -> SpeechDetector:
    return SpeechDetector()


def heard(name: str, detector: SpeechDetector) -> dict[str, Measurement]:
    detector.reset()
    sound = np.tile(microphone_sound(name), 2)
    pcm = ffmpeg(
        ["-f", "f64le", "-ar", "48000", "-ac", "1", "-i", "-", "-ar", "16000", "-f", "s16le", "-"], sound.tobytes()
    )
    analyser = SoundAnalyser(detector)
    for start in range(0, len(pcm), 6400):
        analyser.feed(pcm[start : start + 6400], start / 32)
    return {found.check: found for found in analyser.measurements({})}


@pytest.mark.parametrize("name", ["voice_good", "voice_good_en"])
def test_a_good_voice_is_good(name: str, shared: SpeechDetector) -> None:
    """Speech at -24 dBFS, quiet pauses, more than a second and a half of speech in each round."""
    found = heard(name, shared)
    assert number(found["microphone.level"]) == pytest.approx(-24, abs=1.5)
    assert number(found["microphone.level"], "digital_zero_pct") < 20
    assert number(found["microphone.speech"]) > 3
    assert number(found["microphone.noise"]) < -65
    assert number(found["microphone.noise"], "snr_db") > 40


def test_silence_is_digital(shared: SpeechDetector) -> None:
    """Every sample is zero."""
    found = heard("silence_zeros", shared)
    assert found["microphone.level"].metric("digital_zero_pct") == 100
    assert found["microphone.speech"].value == 0


def test_noise_only_has_no_speech(shared: SpeechDetector) -> None:
    """A live microphone in a quiet room where nobody speaks."""
    found = heard("noise_only", shared)
    assert found["microphone.speech"].value == 0
    assert number(found["microphone.level"], "digital_zero_pct") < 50
    assert -75 < number(found["microphone.noise"]) < -60


def test_quiet_is_too_quiet_but_speech(shared: SpeechDetector) -> None:
    """Under -40 dBFS, and still found."""
    found = heard("quiet", shared)
    assert number(found["microphone.level"]) == pytest.approx(-55, abs=1.5)
    assert number(found["microphone.speech"]) > 2


def test_noisy_has_a_high_noise_floor(shared: SpeechDetector) -> None:
    """Over -45 dBFS, with speech of the right level."""
    found = heard("noisy", shared)
    assert -45 < number(found["microphone.noise"]) < -35
    assert number(found["microphone.level"]) == pytest.approx(-24, abs=1.5)


def test_clipped_reaches_full_scale_in_runs() -> None:
    """At 48 kHz, many 20 ms frames hold three or more samples in a row at full scale."""
    sound = microphone_sound("clipped")
    full = np.abs(sound) >= 0.999
    runs = full[:-2] & full[1:-1] & full[2:]
    frames = runs[: len(runs) // 960 * 960].reshape(-1, 960).any(axis=1)
    assert frames.mean() > 0.05
    assert np.max(np.abs(microphone_sound("voice_good"))) < 0.9


def test_a_microphone_clip_is_48_khz_16_bit_mono(tmp_path: Path) -> None:
    """What Chromium's fake microphone takes; the pattern is speech and two seconds of pause."""
    with wave.open(str(microphone_clip("voice_good", tmp_path))) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (48_000, 2, 1)
        assert 3.5 < file.getnframes() / 48_000 < 5.5


IN_THE_PAGE = {
    *("camera.noise", "camera.resolution", "camera.frame_rate", "microphone.clipping", "microphone.dropouts"),
    "microphone.level",
}
"""Checks whose figures the page takes from the raw capture: these clips are walked in a real browser."""


@pytest.mark.parametrize("fault", [one for one in PICTURE_FAULTS if one.check not in IN_THE_PAGE], ids=lambda f: f.clip)
def test_a_camera_fault_is_judged_by_its_name(fault: Fault, finder: FaceFinder) -> None:
    """What the clip was made for is what the profile says of it."""
    result = judge_check(seen(fault.clip, finder)[fault.check], load_profile("consultation").checks[fault.check])
    assert result.advice == fault.advice, result


@pytest.mark.parametrize("name", ["hum", "telephone", "knocks", "muted", "faint", "loud", "dropouts", "no_pause"])
def test_a_microphone_clip_sounds_as_it_is_called(name: str, shared: SpeechDetector) -> None:
    """By the server's own figures; what only the raw capture shows is walked in a real browser."""
    found = heard(name, shared)
    speaks = number(found["microphone.speech"]) > 1.5
    assert speaks is (name not in {"knocks", "muted"})
    shown = {
        "hum": speaks and found["microphone.hum"].value != 0,
        "telephone": number(found["microphone.bandwidth"]) < 5000 if speaks else False,
        "faint": speaks and -45 < number(found["microphone.level"]) < -41,
        "loud": speaks and number(found["microphone.level"]) > -12,
    }
    assert shown.get(name, True), {check: one.value for check, one in found.items()}
    assert not any(wrong for other, wrong in shown.items() if other != name), shown


def test_every_clip_has_a_test() -> None:
    """A new clip without a check of what it shows is not a clip."""
    source = Path(__file__).read_text("utf-8")
    walked = {fault.clip for fault in [*PICTURE_FAULTS, *MICROPHONE_FAULTS]}
    assert all(f'"{name}"' in source or name in walked for name in [*CAMERAS, *MICROPHONES])
