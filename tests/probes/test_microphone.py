"""Microphone: levels that are known come out as known, and speech is told from noise on real sound."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from probes.measurement import Measurement
from probes.microphone import FLOOR_DBFS, SoundAnalyser
from probes.speech import SAMPLE_RATE_HZ, WINDOW_SAMPLES, SpeechDetector
from tests.data.clips import active_power, spoken

Sound = NDArray[np.float64]


class Script:
    """A detector that says what it is told, one probability per 512 samples."""

    def __init__(self, *probabilities: float) -> None:
        self.left = list(probabilities)
        self.samples = 0

    def feed(self, samples: NDArray[np.float32]) -> list[float]:
        self.samples += len(samples)
        full, self.samples = divmod(self.samples, WINDOW_SAMPLES)
        return [self.left.pop(0) for _ in range(full)]


def pcm(sound: Sound) -> bytes:
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2").tobytes()


def heard(analyser: SoundAnalyser, sound: Sound, piece: int = 3200) -> dict[str, Any]:
    live: dict[str, Any] = {}
    for start in range(0, len(sound), piece):
        live = analyser.feed(pcm(sound[start : start + piece]), start / 16)
    return live


def by_check(analyser: SoundAnalyser, raw: dict[str, Any] | None = None) -> dict[str, Measurement]:
    return {found.check: found for found in analyser.measurements(raw or {})}


def sine(amplitude: float, windows: int) -> Sound:
    return amplitude * np.sin(2 * np.pi * 1000 * np.arange(windows * WINDOW_SAMPLES) / SAMPLE_RATE_HZ)


def noise(dbfs: float, seconds: float, seed: int = 1) -> Sound:
    return np.random.default_rng(seed).standard_normal(int(seconds * SAMPLE_RATE_HZ)) * 10 ** (dbfs / 20)


@functools.cache
def sentence(dbfs: float) -> Sound:
    sound = spoken("Jeg leser denne setningen høyt, så dere kan høre meg.", "nb", SAMPLE_RATE_HZ, words_per_minute=150)
    return np.asarray(sound / np.sqrt(active_power(sound, SAMPLE_RATE_HZ)) * 10 ** (dbfs / 20))


def block(**figures: float) -> list[float]:
    return list(
        ({"t_ms": 0, "rms_dbfs": -30, "peak_dbfs": -12, "zero_pct": 0, "clipped_frames_pct": 0} | figures).values()
    )


# --- levels


@pytest.mark.parametrize(("amplitude", "dbfs"), [(1.0, -3.01), (0.5, -9.03), (0.1, -23.01), (0.001, -63.01)])
def test_a_sine_has_its_level(amplitude: float, dbfs: float) -> None:
    """A full-scale sine reads -3.01 dBFS, and half of it 6.02 dB less."""
    analyser = SoundAnalyser(Script(*[0.9] * 40))
    live = heard(analyser, sine(amplitude, 40))
    assert by_check(analyser)["microphone.level"].value == pytest.approx(dbfs, abs=0.05)
    assert live["level_dbfs"] == pytest.approx(dbfs, abs=0.1)


def test_only_speech_counts_for_the_level_and_only_pauses_for_the_noise() -> None:
    """30 windows of speech at -23 dBFS and 60 of pause at -60: each figure has its own part."""
    analyser = SoundAnalyser(Script(*[0.9] * 30, *[0.05] * 60))
    heard(analyser, np.concatenate([sine(0.1, 30), noise(-60, 60 * 0.032)]))
    found = by_check(analyser)
    assert found["microphone.level"].value == pytest.approx(-23, abs=0.1)
    assert found["microphone.noise"].value == pytest.approx(-60, abs=0.5)
    assert found["microphone.noise"].metric("snr_db") == pytest.approx(
        37 + 4.1, abs=0.6
    )  # 4.1 dB: of white noise only so much lies in 300-3400 Hz
    assert found["microphone.speech"].value == pytest.approx(30 * 0.032)


def test_a_pause_begins_well_after_speech() -> None:
    """Windows within 96 ms of anything else are no pause: with 3 on either side of 7, one is left, which is too few."""
    analyser = SoundAnalyser(Script(*[0.9] * 20, *[0.05] * 7, *[0.9] * 20))
    heard(analyser, noise(-50, 47 * 0.032))
    assert by_check(analyser)["microphone.noise"].cause == "no_pause"


def test_what_is_neither_speech_nor_pause_counts_as_neither() -> None:
    """Probabilities between 0.2 and 0.25 are left out on both sides, limits included."""
    analyser = SoundAnalyser(Script(*[0.2] * 30, *[0.25] * 30))
    heard(analyser, noise(-40, 60 * 0.032))
    found = by_check(analyser)
    assert found["microphone.speech"].value == 0
    assert found["microphone.noise"].cause == "no_pause"
    assert found["microphone.level"].cause == "no_speech"


def test_a_word_that_nothing_took_for_speech_makes_no_voice_too_quiet() -> None:
    """Five of sixty quiet windows hold the voice: the level knows the room's noise, understanding counts them in."""
    sound = np.concatenate([sine(0.03, 30), noise(-65, 60 * 0.032)])
    sound[60 * WINDOW_SAMPLES : 65 * WINDOW_SAMPLES] = sine(0.03, 5)
    analyser = SoundAnalyser(Script(*[0.9] * 30, *[0.05] * 60))
    heard(analyser, sound)
    found = by_check(analyser)
    assert found["microphone.level"].metric("snr_db") == pytest.approx(65 + 4.1 - 33.5, abs=0.6)
    assert found["microphone.speech"].metric("snr_db") < 15


def test_a_cough_in_the_pause_is_no_noise_floor() -> None:
    """One loud window of forty leaves the floor where it was."""
    sound = noise(-60, 40 * 0.032)
    sound[20 * WINDOW_SAMPLES : 21 * WINDOW_SAMPLES] = sine(0.3, 1)
    analyser = SoundAnalyser(Script(*[0.05] * 40))
    heard(analyser, sound)
    assert by_check(analyser)["microphone.noise"].value == pytest.approx(-60, abs=0.5)


def test_a_device_that_starts_late_does_not_make_the_room_quiet() -> None:
    """Exact zeros before the first sound are not the noise floor."""
    analyser = SoundAnalyser(Script(*[0.05] * 80))
    heard(analyser, np.concatenate([np.zeros(40 * WINDOW_SAMPLES), noise(-50, 40 * 0.032)]))
    assert by_check(analyser)["microphone.noise"].value == pytest.approx(-50, abs=0.5)


def test_a_muted_microphone_is_all_zeros_at_the_floor() -> None:
    """No level, 100 % zeros, and the noise reads the lowest figure there is, not minus infinity."""
    analyser = SoundAnalyser(Script(*[0.01] * 62))
    live = heard(analyser, np.zeros(62 * WINDOW_SAMPLES))
    found = by_check(analyser)
    assert live["level_dbfs"] == FLOOR_DBFS
    assert (found["microphone.level"].value, found["microphone.level"].cause) == (None, "no_speech")
    assert found["microphone.level"].metric("digital_zero_pct") == 100
    assert found["microphone.noise"].value == FLOOR_DBFS


# --- the stream


def test_pieces_of_any_size_give_the_same_figures() -> None:
    """Sound arrives in whatever pieces the network makes of it."""
    sound = np.concatenate([sine(0.1, 30), noise(-60, 1.5)])
    results = []
    for piece in (160, 511, 3200, 15_999):
        analyser = SoundAnalyser(Script(*[0.9] * 30, *[0.05] * 60))
        heard(analyser, sound, piece)
        results.append(analyser.measurements({}))
    assert all(found == results[0] for found in results)


@pytest.mark.parametrize("data", [b"\x00", bytes(32_002), bytes(3201)])
def test_half_samples_and_floods_are_refused(data: bytes) -> None:
    """ValueError, and the analyser goes on as if nothing had come."""
    analyser = SoundAnalyser(Script())
    with pytest.raises(ValueError, match="sound"):
        analyser.feed(data, 0)
    assert analyser.feed(b"", 0) == {
        "t_ms": 0,
        "speech_s": 0,
        "level_dbfs": FLOOR_DBFS,
        "speaking": False,
        "quiet_s": 0,
        "pause_s": 0,
        "silence_speech_s": 0,
    }


def test_speaking_follows_the_last_windows() -> None:
    """Three speech windows of the last six are speaking; a fifth of a second of pause ends it."""
    analyser = SoundAnalyser(Script(*[0.1] * 6, *[0.9] * 3, *[0.1] * 6))
    states = [analyser.feed(pcm(sine(0.1, 1)), 0)["speaking"] for _ in range(15)]
    assert states == [False] * 8 + [True] * 4 + [False] * 3


def test_two_minutes_are_remembered_and_no_more() -> None:
    """A page that never stops sending cannot fill the memory."""
    analyser = SoundAnalyser(Script(*[0.9] * 4000))
    for _ in range(134):
        analyser.feed(bytes(2 * WINDOW_SAMPLES * 29), 0)
    assert by_check(analyser)["microphone.speech"].samples == 3750


def test_marks_tell_how_long_silence_was_asked_for() -> None:
    """The asked silence is told beside the noise; unknown steps are refused."""
    analyser = SoundAnalyser(Script(*[0.05] * 40))
    analyser.mark("silence_start", 100)
    analyser.mark("silence_end", 3100)
    heard(analyser, noise(-60, 40 * 0.032))
    assert by_check(analyser)["microphone.noise"].metric("asked_silence_s") == 3
    with pytest.raises(ValueError, match="step"):
        analyser.mark("lunch", 0)


# --- what the page says


def test_the_pages_raw_figures_decide_zeros_peak_and_clipping() -> None:
    """Mean of the shares, the highest peak, over all blocks."""
    raw = {
        "blocks": [block(zero_pct=100, clipped_frames_pct=0), block(zero_pct=0, clipped_frames_pct=40, peak_dbfs=-0.1)],
        "processed": False,
    }
    found = by_check(SoundAnalyser(Script()), raw)
    assert found["microphone.level"].metric("digital_zero_pct") == 50
    assert found["microphone.level"].metric("peak_dbfs") == -0.1
    assert (found["microphone.clipping"].value, found["microphone.clipping"].samples) == (20, 2)


@pytest.mark.parametrize(("raw", "processed"), [({}, True), ({"processed": None}, True), ({"processed": False}, False)])
def test_processing_counts_as_on_unless_the_page_says_off(raw: dict[str, Any], processed: bool) -> None:
    """Figures that the browser may have touched up never fail anyone by themselves."""
    analyser = SoundAnalyser(Script(*[0.05] * 40))
    heard(analyser, noise(-60, 40 * 0.032))
    found = by_check(analyser, raw)
    assert found["microphone.level"].metric("processed") is processed
    assert found["microphone.noise"].metric("processed") is processed


def test_without_raw_figures_the_stream_tells_zeros_and_peak_and_clipping_is_unknown() -> None:
    """16 kHz PCM cannot show clipping, so it is not measured."""
    analyser = SoundAnalyser(Script(*[0.9] * 40))
    heard(analyser, sine(0.5, 40))
    found = by_check(analyser)
    assert found["microphone.level"].metric("peak_dbfs") == pytest.approx(-6.02, abs=0.05)
    assert found["microphone.clipping"].cause == "too_few_samples"


def test_nothing_at_all_is_not_measured() -> None:
    """No sound and no figures: eight causes and not one number."""
    found = SoundAnalyser(Script()).measurements({})
    assert [measurement.check for measurement in found] == [
        "microphone.level",
        "microphone.speech",
        "microphone.noise",
        "microphone.clipping",
        "microphone.dropouts",
        "microphone.hum",
        "microphone.bandwidth",
        "microphone.equipment",
    ]
    assert all((measurement.value, measurement.cause) == (None, "too_few_samples") for measurement in found)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["blocks", "processed", "sample_rate_hz", "muted", "device_class"]),
        st.none()
        | st.text(max_size=5)
        | st.integers()
        | st.lists(st.lists(st.floats() | st.integers() | st.none(), max_size=8), max_size=9),
    )
)
def test_hostile_figures_never_raise_and_never_become_nan(raw: dict[str, Any]) -> None:
    """Blocks that are no five sensible numbers are left out."""
    for found in SoundAnalyser(Script()).measurements(raw):
        assert found.metric("value") == found.value
        assert all(found.metric(name) == value for name, value in found.details.items())


# --- real sound


@pytest.fixture(scope="module")
def shared() -> SpeechDetector:
    return SpeechDetector()


@pytest.fixture
def detector(shared: SpeechDetector) -> SpeechDetector:
    shared.reset()
    return shared


@pytest.mark.parametrize("dbfs", [-20.0, -26.0, -45.0, -60.0])
def test_speech_is_found_at_any_level_and_has_that_level(detector: SpeechDetector, dbfs: float) -> None:
    """A sentence between pauses, loud or far too quiet: most of it is found, its level holds within 1.5 dB."""
    analyser = SoundAnalyser(detector)
    pause = np.zeros(2 * SAMPLE_RATE_HZ)
    sound = np.concatenate([pause, sentence(dbfs), pause])
    heard(analyser, sound + noise(dbfs - 30, len(sound) / SAMPLE_RATE_HZ))
    found = by_check(analyser)
    length = len(sentence(dbfs)) / SAMPLE_RATE_HZ
    assert 0.6 * length < float(found["microphone.speech"].value or 0) <= length + 0.2
    assert found["microphone.level"].value == pytest.approx(dbfs, abs=1.5)
    assert found["microphone.noise"].value == pytest.approx(dbfs - 30, abs=1)
    assert found["microphone.noise"].metric("snr_db") == pytest.approx(32.4, abs=1)


@pytest.mark.parametrize("kind", ["white", "hum", "clicks", "silence"])
def test_noise_is_not_speech(detector: SpeechDetector, kind: str) -> None:
    """Four seconds without a voice hold none."""
    count = 4 * SAMPLE_RATE_HZ
    time = np.arange(count) / SAMPLE_RATE_HZ
    sounds = {
        "white": noise(-40, 4),
        "hum": 0.05 * np.sin(2 * np.pi * 50 * time) + 0.03 * np.sin(2 * np.pi * 150 * time) + noise(-65, 4),
        "clicks": noise(-70, 4) + 0.4 * (np.arange(count) % 4000 < 6),
        "silence": np.zeros(count),
    }
    analyser = SoundAnalyser(detector)
    heard(analyser, sounds[kind])
    assert by_check(analyser)["microphone.speech"].value == pytest.approx(0, abs=0.1)


def test_the_detector_counts_windows_across_calls(detector: SpeechDetector) -> None:
    """One probability per 512 samples, whatever the pieces, each between 0 and 1."""
    sound = sentence(-26.0).astype(np.float32)[: 40 * WINDOW_SAMPLES + 100]
    pieces = [found for start in range(0, len(sound), 300) for found in detector.feed(sound[start : start + 300])]
    detector.reset()
    whole = detector.feed(sound)
    assert len(pieces) == 40
    assert pieces == pytest.approx(whole, abs=1e-4)
    assert all(0 <= found <= 1 for found in whole)


def test_broken_samples_do_not_poison_the_detector(detector: SpeechDetector) -> None:
    """After NaN and infinity the detector still answers with numbers, and still finds speech."""
    detector.feed(np.array([math.nan, math.inf, -math.inf] * 400, np.float32))
    found = detector.feed(sentence(-26.0).astype(np.float32))
    assert all(math.isfinite(probability) for probability in found)
    assert max(found) > 0.9


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=4000))
def test_any_bytes_are_sound_or_refused(data: bytes) -> None:
    """Whole samples are taken, others raise ValueError."""
    analyser = SoundAnalyser(Script(*[0.5] * 10))
    if len(data) % 2:
        with pytest.raises(ValueError, match="sound"):
            analyser.feed(data, 0)
    else:
        assert math.isfinite(analyser.feed(data, 0)["level_dbfs"])
