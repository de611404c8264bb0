"""Hearing: quiet speech is brought up for the detector, and hard voices are heard once more, slowed down."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.hearing import Hearing
from probes.microphone import FLOOR_DBFS, SoundAnalyser
from probes.speech import SAMPLE_RATE_HZ, WINDOW_SAMPLES, SpeechDetector
from tests.probes.test_microphone import Script, by_check, heard, noise, pcm, sentence, sine


class Level:
    """Keeps the level of what it is given, and says a probability of its own."""

    def __init__(self, probability: float) -> None:
        self.probability = probability
        self.rms: list[float] = []

    def feed(self, samples: NDArray[np.float32]) -> list[float]:
        self.rms.append(float(np.sqrt(np.mean(samples**2))))
        return [self.probability]


def window(dbfs: float) -> NDArray[np.float32]:
    return sine(10 ** (dbfs / 20) * np.sqrt(2), 1).astype(np.float32)


@pytest.mark.parametrize(
    ("dbfs", "given"), [(-10.0, -10.0), (-20.0, -20.0), (-30.0, -20.0), (-40.0, -20.0), (-70.0, -50.0)]
)
def test_quiet_sound_is_brought_up_by_20_db_at_most(dbfs: float, given: float) -> None:
    """To -20 dBFS; what is louder stays as it is."""
    detector = Level(0.5)
    Hearing(detector).probability(window(dbfs), listen_again=False)
    assert 20 * np.log10(detector.rms[0]) == pytest.approx(given, abs=0.1)


def test_the_second_detector_is_asked_only_where_it_is_wanted() -> None:
    """The surer of the two counts."""
    first, second = Level(0.1), Level(0.8)
    hearing = Hearing(first, second)
    assert hearing.probability(window(-30), listen_again=False) == 0.1
    assert second.rms == []
    assert hearing.probability(window(-30), listen_again=True) == 0.8


def test_the_second_detector_rests_once_somebody_was_heard() -> None:
    """It listens from the question on, until there were 1.2 s of speech."""
    second = Level(0.0)
    analyser = SoundAnalyser(Script(*[0.05] * 20, *[0.9] * 100), second)
    heard(analyser, noise(-40, 20 * 0.032), 512)
    assert second.rms == []
    analyser.mark("speech_start", 640)
    heard(analyser, noise(-40, 100 * 0.032), 512)
    assert len(second.rms) == 38


def test_the_second_detector_goes_on_where_only_it_hears_the_voice() -> None:
    """A whisper that the first one takes for a pause: all of it is speech, and none of it becomes the noise."""
    analyser = SoundAnalyser(Script(*[0.05] * 200), Level(0.8))
    heard(analyser, noise(-70, 60 * 0.032), 512)
    analyser.mark("speech_start", 60 * 32)
    heard(analyser, noise(-35, 100 * 0.032), 512)
    found = by_check(analyser)
    assert found["microphone.speech"].value == pytest.approx(100 * 0.032, abs=0.05)
    assert float(found["microphone.noise"].metric("snr_db") or 0) > 25


class Whole(Level):
    """Keeps all that it is given."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.sound: list[NDArray[np.float32]] = []

    def feed(self, samples: NDArray[np.float32]) -> list[float]:
        self.sound.append(samples.copy())
        return super().feed(samples)


def test_a_sound_with_a_pitch_has_it_whatever_it_was() -> None:
    """Noise of 4 s in windows: without it no beat stands out; with it one of 125 Hz does, as loud as it was."""
    plain, pitched = Whole(), Whole()
    for with_pitch, second in ((False, plain), (True, pitched)):
        hearing = Hearing(Level(0.0), second)
        sound = noise(-25, 4).astype(np.float32)
        for start in range(0, len(sound) - WINDOW_SAMPLES, WINDOW_SAMPLES):
            hearing.probability(sound[start : start + WINDOW_SAMPLES], listen_again=True, with_pitch=with_pitch)

    def beat_db(whole: Whole) -> float:
        heard_again = np.concatenate(whole.sound)
        power = np.abs(np.fft.rfft(heard_again**2 - np.mean(heard_again**2)))
        at = round(125 * len(heard_again) / SAMPLE_RATE_HZ)
        return float(20 * np.log10(np.max(power[at - 2 : at + 3]) / np.median(power)))

    assert beat_db(plain) < 15
    assert beat_db(pitched) > 35
    assert np.mean(pitched.rms) == pytest.approx(np.mean(plain.rms), rel=0.1)


def test_a_pitch_is_put_on_only_once_something_was_heard() -> None:
    """The first three windows of speech are found without; what sounds like an animal stays one."""
    second = Whole()
    analyser = SoundAnalyser(Script(*[0.05] * 20, *[0.9] * 100), second)
    analyser.mark("speech_start", 0)
    heard(analyser, 0.2 + np.zeros(60 * 512), 512)
    is_even = [float(np.ptp(window[64:-64])) < 0.05 for window in second.sound]
    assert is_even[2:23] == [True] * 21
    assert is_even[23:] == [False] * (len(is_even) - 23)
    assert len(is_even) > 40


@pytest.mark.parametrize("dbfs", [-42.0, -60.0])
def test_faint_speech_is_found(dbfs: float) -> None:
    """Most of a sentence 30 dB over its noise, however faint: that it is faint is told by its level."""
    detector = SpeechDetector()
    analyser = SoundAnalyser(detector, detector.twin())
    analyser.mark("speech_start", 0)
    sound = sentence(dbfs)
    heard(analyser, sound + noise(dbfs - 30, 60)[: len(sound)])
    assert float(by_check(analyser)["microphone.speech"].value or 0) > 0.7 * len(sound) / SAMPLE_RATE_HZ


@pytest.mark.parametrize("kind", ["white", "keys", "hiss", "silence"])
def test_a_quiet_room_is_not_speech_however_far_it_is_brought_up(kind: str) -> None:
    """Eight seconds without a voice, heard by both detectors, hold none."""
    count = 8 * SAMPLE_RATE_HZ
    sounds = {
        "white": noise(-66, 8),
        "keys": noise(-75, 8) + 0.05 * (np.arange(count) % 5000 < 8),
        "hiss": np.diff(noise(-60, 8), append=0.0),
        "silence": np.zeros(count),
    }
    detector = SpeechDetector()
    analyser = SoundAnalyser(detector, detector.twin())
    analyser.mark("speech_start", 0)
    heard(analyser, sounds[kind])
    assert float(by_check(analyser)["microphone.speech"].value or 0) < 0.2


# --- pauses


def test_a_noise_gate_is_a_quiet_room() -> None:
    """Exact zeros between words and hardly anything else: the pauses are as quiet as others hear them."""
    analyser = SoundAnalyser(Script(*[0.05] * 60, *[0.9] * 40, *[0.05] * 30))
    speech = sine(0.1, 40)
    heard(analyser, np.concatenate([np.zeros(60 * WINDOW_SAMPLES), speech, np.zeros(30 * WINDOW_SAMPLES)]))
    found = by_check(analyser)["microphone.noise"]
    assert (found.value, found.cause) == (FLOOR_DBFS, None)
    assert float(found.metric("snr_db") or 0) > 60


def test_a_fan_that_was_turned_off_is_gone() -> None:
    """Only the newest 4 s of pause make the noise floor."""
    analyser = SoundAnalyser(Script(*[0.05] * 260))
    heard(analyser, np.concatenate([noise(-40, 120 * 0.032), noise(-65, 140 * 0.032)]))
    assert by_check(analyser)["microphone.noise"].value == pytest.approx(-65, abs=0.5)


def test_an_offset_and_rumble_are_no_noise() -> None:
    """Nobody's loudspeaker gives back what lies under 80 Hz."""
    time = np.arange(80 * WINDOW_SAMPLES) / SAMPLE_RATE_HZ
    analyser = SoundAnalyser(Script(*[0.05] * 80))
    heard(analyser, noise(-70, 80 * 0.032) + 0.05 + 0.02 * np.sin(2 * np.pi * 15 * time))
    assert float(by_check(analyser)["microphone.noise"].value or 0) < -60


def test_speech_in_the_newest_asked_silence_is_told() -> None:
    """Others who talk; silence that is asked for once more counts anew."""
    analyser = SoundAnalyser(Script(*[0.9] * 40, *[0.05] * 40, *[0.05] * 40))
    analyser.mark("silence_start", 0)
    live = heard(analyser, noise(-40, 40 * 0.032))
    assert live["silence_speech_s"] == pytest.approx(1.28)
    analyser.mark("silence_end", 1280)
    heard(analyser, noise(-60, 40 * 0.032))
    assert by_check(analyser)["microphone.speech"].metric("silence_speech_s") == pytest.approx(1.28)
    analyser.mark("silence_start", 2560)
    heard(analyser, noise(-60, 40 * 0.032))
    assert by_check(analyser)["microphone.speech"].metric("silence_speech_s") == 0


def test_the_live_figures_are_those_of_the_verdict() -> None:
    """Level, speech, noise and bandwidth while one speaks are what is measured in the end."""
    analyser = SoundAnalyser(Script(*[0.05] * 40, *[0.9] * 40))
    heard(analyser, np.concatenate([noise(-60, 40 * 0.032), sine(0.1, 40)]))
    end = by_check(analyser)
    assert all(one == end[one.check] for one in analyser.so_far())
    assert [one.check for one in analyser.so_far()] == [
        "microphone.level",
        "microphone.speech",
        "microphone.noise",
        "microphone.bandwidth",
    ]


def test_noise_above_the_voice_is_no_telephone() -> None:
    """Where the pauses' own noise comes through high up, the link carries it: the voice only ends in it."""
    count = 40 * WINDOW_SAMPLES
    voice = sum(0.02 * np.sin(2 * np.pi * hz * np.arange(count) / SAMPLE_RATE_HZ) for hz in range(300, 3300, 170))
    for hiss, hidden in ((-58.0, True), (-90.0, False)):
        analyser = SoundAnalyser(Script(*[0.05] * 40, *[0.9] * 40))
        heard(analyser, np.concatenate([np.zeros(count), voice]) + noise(hiss, 80 * 0.032))
        found = by_check(analyser)["microphone.bandwidth"]
        assert float(found.value or 0) < 5000
        assert found.metric("noise_reaches_higher") is hidden
    assert pcm(voice)
