"""Faults of sound: hum, a telephone's band, gaps and clipping are found, and sound without them is left alone."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from probes.measurement import Measurement
from probes.microphone import SoundAnalyser
from probes.raw_sound import clipping_measurement, dropout_measurement, equipment_measurement, raw_figures
from probes.sound_curve import MAX_POINTS, sound_curve
from probes.spectrum import BANDS, HumFinder, bandwidth_hz, window_bands
from probes.speech import SAMPLE_RATE_HZ, SpeechDetector
from tests.data.clips import active_power, spoken

Sound = NDArray[np.float64]


def time(seconds: float) -> Sound:
    return np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def noise(dbfs: float, seconds: float, seed: int = 3) -> Sound:
    return np.random.default_rng(seed).standard_normal(int(seconds * SAMPLE_RATE_HZ)) * 10 ** (dbfs / 20)


@functools.cache
def sentences() -> Sound:
    """Two seconds of pause, then speech at -26 dBFS."""
    text = "Hei! Jeg sitter klar, og nå prøver jeg lyden før møtet. Sju svarte ski står stille."
    sound = spoken(text, "nb", SAMPLE_RATE_HZ, words_per_minute=150)
    return np.concatenate([np.zeros(2 * SAMPLE_RATE_HZ), sound / np.sqrt(active_power(sound, SAMPLE_RATE_HZ)) * 0.05])


def hum_of(sound: Sound, piece: int = 3200):
    finder = HumFinder()
    for start in range(0, len(sound), piece):
        finder.feed(sound[start : start + piece].astype(np.float32))
    return finder.hum()


def mains(hz: float, dbfs: float, seconds: float) -> Sound:
    shape = sum(share * np.sin(2 * np.pi * hz * k * time(seconds)) for k, share in ((1, 1.0), (2, 0.5), (3, 0.6)))
    return np.asarray(shape / np.sqrt(np.mean(np.asarray(shape) ** 2)) * 10 ** (dbfs / 20))


# --- hum


@pytest.mark.parametrize("hz", [50, 60])
def test_hum_under_speech_is_found_with_its_mains_and_level(hz: int) -> None:
    """Mains hum 20 dB under the voice: the right mains, its level within 1.5 dB."""
    speech = sentences()
    found = hum_of(speech + mains(hz, -46, len(speech) / SAMPLE_RATE_HZ) + noise(-75, len(speech) / SAMPLE_RATE_HZ))
    assert found is not None
    assert found.prominence_db > 12
    assert found.mains_hz == hz
    assert found.level_dbfs == pytest.approx(-46, abs=1.5)


@pytest.mark.parametrize("seed", range(8))
def test_noise_and_speech_do_not_hum(seed: int) -> None:
    """White noise, and speech in it, have no harmonics of the mains."""
    speech = sentences()
    for sound in (noise(-40, 8, seed), speech + noise(-55, len(speech) / SAMPLE_RATE_HZ, seed)):
        found = hum_of(sound)
        assert found is not None
        assert found.prominence_db == 0


def test_one_tone_is_not_the_mains() -> None:
    """A single tone at 100 Hz, as a fan may give, is no hum of the mains."""
    found = hum_of(0.02 * np.sin(2 * np.pi * 100 * time(8)) + noise(-60, 8))
    assert found is not None
    assert found.prominence_db == 0


def test_hum_takes_two_and_a_half_seconds() -> None:
    """Less says nothing; three seconds tell hum from no hum, so that a quick person is measured too."""
    assert hum_of(mains(50, -40, 2.4)) is None
    found, clean = hum_of(mains(50, -40, 3) + noise(-60, 3)), hum_of(noise(-40, 3))
    assert found is not None
    assert clean is not None
    assert (found.mains_hz, found.prominence_db > 12, clean.prominence_db) == (50, True, 0)
    assert found.level_dbfs == pytest.approx(-40, abs=1.5)


def test_hum_is_the_same_in_pieces_of_any_size() -> None:
    """The network decides the pieces, not the figure."""
    sound = mains(50, -40, 6) + noise(-60, 6)
    whole, small = hum_of(sound, len(sound)), hum_of(sound, 511)
    assert whole is not None
    assert small is not None
    assert small.prominence_db == pytest.approx(whole.prominence_db, abs=1e-6)


# --- bandwidth


def test_bands_add_up_to_the_power() -> None:
    """White noise: the bands hold all of its power, the voice's band 3100 of 8000 Hz of it."""
    windows = noise(-20, 4).astype(np.float32).reshape(-1, 500)[:, :]
    heard, voice, bands = zip(*(window_bands(window[:480]) for window in windows), strict=True)
    assert len(bands[0]) == BANDS
    assert np.mean(heard) == pytest.approx(0.01 * (8000 - 80) / 8000, rel=0.1)
    assert np.mean(np.sum(bands, axis=1)) == pytest.approx(0.01, rel=0.1)
    assert np.mean(voice) == pytest.approx(0.01 * 3100 / 8000, rel=0.1)


def test_a_telephone_and_a_good_microphone_are_told_apart() -> None:
    """The same sentence up to 3.5 kHz reads under 5 kHz, up to 8 kHz at least 7 kHz."""
    detector = SpeechDetector()
    speech = sentences()
    spectrum = np.fft.rfft(speech)
    spectrum[np.fft.rfftfreq(len(speech), 1 / SAMPLE_RATE_HZ) > 3500] = 0
    found = []
    for sound in (np.fft.irfft(spectrum, len(speech)), speech):
        detector.reset()
        analyser = SoundAnalyser(detector)
        pcm = np.rint((sound + noise(-75, len(sound) / SAMPLE_RATE_HZ)[: len(sound)]) * 32767).astype("<i2").tobytes()
        for start in range(0, len(pcm), 6400):
            analyser.feed(pcm[start : start + 6400], start / 32)
        found.append({each.check: each for each in analyser.measurements({})}["microphone.bandwidth"].value)
    assert isinstance(found[0], float)
    assert isinstance(found[1], float)
    assert found[0] < 5000
    assert found[1] >= 7000


def test_no_speech_has_no_bandwidth() -> None:
    """None where nothing was said, and where all bands are empty."""
    assert bandwidth_hz(None, None) == (None, False)
    assert bandwidth_hz(np.zeros(BANDS), np.ones(BANDS)) == (None, False)


# --- raw capture


def block(*, peak: float = -12.0, zero: float = 0.0, clipped: float = 0.0, dropouts: int = 0, flat: float = 0.0):
    return [0, -30.0, peak, zero, clipped, dropouts, flat]


def test_dropouts_are_told_per_minute() -> None:
    """Five gaps in ten seconds are thirty a minute."""
    raw = {"blocks": [block(dropouts=int(index < 5)) for index in range(100)]}
    found = dropout_measurement(raw_figures(raw))
    assert (found.value, found.unit, found.metric("dropouts")) == (30, "per_min", 5)


def test_an_older_page_does_not_tell_of_dropouts() -> None:
    """Blocks of five figures leave dropouts not measured; clipping is as it was."""
    raw = raw_figures({"blocks": [block(clipped=20)[:5] for _ in range(50)]})
    assert dropout_measurement(raw).cause == "too_few_samples"
    assert clipping_measurement(raw).value == 20


def test_sound_that_was_clipped_and_turned_down_is_clipped() -> None:
    """Several blocks that are flat at the same, highest peak are a ceiling, whatever its level."""
    ceiling = [block(peak=-9.0, flat=40) for _ in range(10)]
    others = [block(peak=-20.0, flat=20) for _ in range(90)]
    assert clipping_measurement(raw_figures({"blocks": ceiling + others})).value == 4


def test_the_loudest_moment_of_clean_sound_is_no_ceiling() -> None:
    """One or two flat blocks at the top may be chance, and silence has no ceiling."""
    lucky = [block(peak=-9.0, flat=20), block(peak=-9.1, flat=20), *(block(peak=-20.0, flat=20) for _ in range(98))]
    assert clipping_measurement(raw_figures({"blocks": lucky})).value == 0
    silent = [block(peak=-60.0, flat=100) for _ in range(100)]
    assert clipping_measurement(raw_figures({"blocks": silent})).value == 0


@given(st.lists(st.lists(st.floats() | st.integers() | st.none(), min_size=5, max_size=7), max_size=20))
def test_hostile_blocks_give_finite_figures(blocks: list[list[float | int | None]]) -> None:
    """Whatever the page sends, a figure is finite or missing."""
    raw = raw_figures({"blocks": blocks})
    for found in (clipping_measurement(raw), dropout_measurement(raw)):
        assert found.value is None or (isinstance(found.value, (int, float)) and math.isfinite(found.value))


# --- equipment and the drawing


@pytest.mark.parametrize(("device", "headset"), [("headset", True), ("bluetooth_headset", True), ("webcam", False)])
def test_the_class_of_the_microphone_is_told_and_never_a_name(device: str, headset: bool) -> None:
    """What the page reduced the label to, and whether that sits at the mouth."""
    found = equipment_measurement({"device_class": device}, -60.0, 20.0)
    assert (found.value, found.metric("headset")) == (device, headset)
    assert equipment_measurement({}, None, None).cause == "too_few_samples"


@given(st.lists(st.tuples(st.floats(-100, 20), st.booleans()), max_size=4000))
def test_the_curve_is_short_and_only_digits(windows: list[tuple[float, bool]]) -> None:
    """At most a hundred points: two digits of level and one of speech each."""
    curve = sound_curve(windows)
    assert len(curve["speech_curve"]) <= MAX_POINTS
    assert len(curve["level_curve"]) == 2 * len(curve["speech_curve"])
    assert set(curve["level_curve"] + curve["speech_curve"]) <= set("0123456789")


def speech_of(rise: float, floor: float) -> Measurement:
    return Measurement("microphone.speech", 0.0, "s", details={"rise_db": rise, "floor_dbfs": floor})


@pytest.mark.parametrize(
    ("rise", "floor", "advice"),
    [(0.0, -95.0, "microphone.muted"), (20.0, -60.0, "microphone.wrong_device"), (1.0, -60.0, "microphone.no_speech")],
)
def test_a_mute_another_microphone_and_nobody_speaking_are_told_apart(rise: float, floor: float, advice: str) -> None:
    """Silence under any room, sound that is not speech, and a room where nothing happens: three different remedies."""
    from reports.profile import load_profile
    from reports.verdict import judge_check

    assert (
        judge_check(speech_of(rise, floor), load_profile("consultation").checks["microphone.speech"]).advice == advice
    )
