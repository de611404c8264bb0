"""Sound quality: near and far are told apart on real sentences, and short or silent sound is not rated."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.quality import NEEDED_SAMPLES, quality_measurement, sound_quality
from probes.speech import SAMPLE_RATE_HZ
from tests.data.clips import active_power, spoken

Sound = NDArray[np.float64]


@functools.cache
def sentences() -> Sound:
    """Ten seconds of speech at -26 dBFS, with a room's quiet under it."""
    text = "Hello! I am ready, and now I am testing my sound before the meeting. "
    sound = np.resize(spoken(text * 2, "en-gb", SAMPLE_RATE_HZ, words_per_minute=150), 10 * SAMPLE_RATE_HZ)
    sound = sound / np.sqrt(active_power(sound, SAMPLE_RATE_HZ)) * 0.05
    return np.asarray(sound + np.random.default_rng(1).standard_normal(len(sound)) * 10 ** (-70 / 20))


def pcm(sound: Sound) -> bytes:
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2").tobytes()


def test_far_away_rates_lower_than_near_and_quiet_rates_the_same() -> None:
    """Nothing but the ring of a room (0.8 s) takes a point at least; 20 dB less level takes hardly anything."""
    count = SAMPLE_RATE_HZ
    rings = np.random.default_rng(2).standard_normal(count) * 10 ** (-3 * np.arange(count) / (0.8 * count))
    size = 1 << (len(sentences()) + count).bit_length()
    far = np.fft.irfft(np.fft.rfft(sentences(), size) * np.fft.rfft(rings, size))[: len(sentences())]
    far *= np.sqrt(np.mean(sentences() ** 2) / np.mean(far**2))
    near, away, quiet = (sound_quality(pcm(sound)) for sound in (sentences(), far, 0.1 * sentences()))
    assert near is not None
    assert away is not None
    assert quiet is not None
    assert near["overall_mos"] - away["overall_mos"] > 1.0
    assert away["overall_mos"] < 2.4
    assert quiet["overall_mos"] == pytest.approx(near["overall_mos"], abs=0.2)


def test_little_sound_and_little_speech_are_not_rated() -> None:
    """Under 9 s, silence, noise, and half samples."""
    assert sound_quality(pcm(sentences()[: NEEDED_SAMPLES - 1])) is None
    assert sound_quality(bytes(2 * NEEDED_SAMPLES)) is None
    assert sound_quality(pcm(np.random.default_rng(3).standard_normal(NEEDED_SAMPLES) * 0.01)) is None
    with pytest.raises(ValueError, match="samples"):
        sound_quality(b"odd")


def test_the_score_is_a_figure_of_five_with_its_parts() -> None:
    """What the report keeps; nothing where nothing was rated."""
    found = quality_measurement({"signal_mos": 3.456, "background_mos": 4.0, "overall_mos": 3.1234})
    assert (found.value, found.unit, found.metric("signal_mos")) == (3.12, "mos", 3.46)
    assert quality_measurement(None).cause == "too_few_samples"
