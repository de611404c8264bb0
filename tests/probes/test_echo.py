"""Echo: what comes back of known sound is found with its level and delay, and nothing is found where nothing came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from probes.echo import RATE_HZ, echo_measurement, echo_of, from_onset
from probes.measurement import Measurement
from readiness.media.digits import spoken_digit
from reports.model import Outcome
from reports.profile import load_profile
from reports.verdict import judge_check

Sound = NDArray[np.float64]
WORDS = [spoken_digit("nb", digit) for digit in (3, 7, 1)]
STARTS_MS = (150.0, 1050.0, 1950.0)
COUNT = 4 * RATE_HZ


def noise(dbfs: float, seed: int = 1) -> Sound:
    return np.random.default_rng(seed).standard_normal(COUNT) * 10 ** (dbfs / 20)


def line(gain_db: float = 0.0) -> Sound:
    """What is played, as the page plays it."""
    sound = np.zeros(COUNT)
    for word, start in zip(WORDS, STARTS_MS, strict=True):
        part, begin = from_onset(word), round(start * RATE_HZ / 1000)
        sound[begin : begin + len(part)] += part
    return sound * 10 ** (gain_db / 20)


def room(sound: Sound, delay_ms: float, level_db: float, rings_s: float = 0.08) -> Sound:
    """`sound` after a direct way and a tail that dies away; white in the band, so that the level is what is asked."""
    taps = np.random.default_rng(5).standard_normal(int(0.25 * RATE_HZ))
    taps *= 0.3 * np.exp(-np.arange(len(taps)) / (rings_s * RATE_HZ))
    taps[0] = 1.0
    heard = np.convolve(sound, taps)[:COUNT]
    heard *= 10 ** (level_db / 20) * np.sqrt(np.sum(sound**2) / np.sum(heard**2))
    shift = round(delay_ms * RATE_HZ / 1000)
    return np.concatenate([np.zeros(shift), heard])[:COUNT]


@pytest.mark.parametrize(("delay_ms", "level_db"), [(12.0, -6.0), (180.0, -20.0), (420.0, -35.0)])
def test_an_echo_has_its_level_and_its_delay(delay_ms: float, level_db: float) -> None:
    """Within 3 dB and 5 ms, from a laptop's own loudspeaker to a wireless one."""
    found = echo_measurement(room(line(), delay_ms, level_db) + noise(-65), WORDS, STARTS_MS)
    assert found.metric("heard") is True
    assert found.value == pytest.approx(level_db, abs=3)
    assert found.metric("delay_ms") == pytest.approx(delay_ms, abs=5)


def test_the_level_is_relative_to_what_was_played() -> None:
    """Played 6 dB louder and heard 6 dB louder is the same echo."""
    found = echo_measurement(room(line(6.0), 60, -20) + noise(-65), WORDS, STARTS_MS, gain_db=6.0)
    assert found.value == pytest.approx(-20, abs=1)


def test_an_echo_canceller_that_has_learned_counts() -> None:
    """The first digit comes back loud, the others far less: the level is theirs, and the first is told beside it."""
    sound = room(line(), 60, -12)
    sound[int(STARTS_MS[1] / 1000 * RATE_HZ) :] *= 10 ** (-25 / 20)
    found = echo_measurement(sound + noise(-75), WORDS, STARTS_MS)
    assert found.value == pytest.approx(-37, abs=3)
    assert float(found.metric("first_db") or 0) > -20


def left_by_a_canceller(sound: Sound, seed: int) -> Sound:
    """Six bands in ten gone for 20 ms at a time, the phases of the others disturbed."""
    random, made = np.random.default_rng(seed), np.zeros(len(sound))
    window = np.sqrt(np.hanning(641)[:-1])
    for begin in range(0, len(sound) - 640, 320):
        spectrum = np.fft.rfft(sound[begin : begin + 640] * window)
        kept = np.repeat(random.random(21) < 0.4, 16)[: len(spectrum)]
        disturbed = kept * np.exp(1j * random.normal(0, 0.6, len(spectrum)))
        made[begin : begin + 640] += np.fft.irfft(spectrum * disturbed, 640) * window
    return made


@pytest.mark.parametrize("seed", range(8))
def test_what_a_canceller_leaves_of_a_room_is_an_echo(seed: int) -> None:
    """Each digit arrives strongest by another reflection; the echo is what all of them hold at one moment."""
    random = np.random.default_rng(seed)
    taps = 0.3 * random.standard_normal(int(0.4 * RATE_HZ)) * np.exp(-np.arange(int(0.4 * RATE_HZ)) / (0.06 * RATE_HZ))
    taps[0] = 0.3
    back = np.convolve(line(), taps)[:COUNT]
    back *= 10 ** (-20 / 20) * np.sqrt(np.sum(line() ** 2) / np.sum(back**2))
    late = np.concatenate([np.zeros(round(0.06 * RATE_HZ)), back])[:COUNT]
    found = echo_measurement(left_by_a_canceller(late, seed) + noise(-75, seed), WORDS, STARTS_MS)
    assert found.metric("heard") is True
    assert found.metric("delay_ms") == pytest.approx(60, abs=15)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_echo_whose_time_is_known_needs_less_to_be_heard(seed: int) -> None:
    """Noise that hides an echo from who has to look for it; where it is known to be there its level is still told."""
    hidden = room(line(), 60, -30) + noise(-38, seed)
    found = echo_of(hidden, line(), 60.0)
    assert found is not None
    assert found.is_heard
    assert found.level_db == pytest.approx(-30, abs=3)
    for sound, known_ms in ((hidden, None), (noise(-38, seed), 60.0)):
        other = echo_of(sound, line(), known_ms)
        assert other is not None
        assert not other.is_heard


@pytest.mark.parametrize("reaction_ms", [50, 200])
def test_who_says_each_digit_after_it_is_no_echo(reaction_ms: int) -> None:
    """Another voice says the same digits, as late after each as after the others."""
    heard = noise(-70)
    for digit, word, start in zip((3, 7, 1), WORDS, STARTS_MS, strict=True):
        said = spoken_digit("nn", digit)
        begin = round((start + reaction_ms) / 1000 * RATE_HZ) + len(word)
        heard[begin : begin + len(said)] += 0.5 * said[: max(0, COUNT - begin)]
    assert echo_measurement(heard, WORDS, STARTS_MS).metric("heard") is False


@pytest.mark.parametrize("seed", range(6))
def test_without_an_echo_none_is_heard(seed: int) -> None:
    """Headphones: noise alone, or somebody talking, is no echo, and that is a pass."""
    heard = noise(-50, seed)
    word = spoken_digit("en", seed)
    heard[RATE_HZ : RATE_HZ + len(word)] += word * 0.5
    found = echo_measurement(heard, WORDS, STARTS_MS)
    assert (found.metric("heard"), found.metric("delay_ms")) == (False, None)
    assert judge_check(found, load_profile("consultation").checks["microphone.echo"]).outcome is Outcome.PASS


def test_a_loud_return_is_told_as_echo() -> None:
    """Under 46 dB of loss is a warning, under 35 a failure, and an unknown is neither."""
    rule = load_profile("consultation").checks["microphone.echo"]
    told = [judge_check(_echo(level), rule).outcome for level in (-20.0, -40.0, -50.0)]
    assert told == [Outcome.FAIL, Outcome.WARN, Outcome.PASS]
    unknown = Measurement("microphone.echo", -20.0, "db")
    assert judge_check(unknown, rule).outcome is Outcome.NOT_MEASURED


def _echo(level_db: float) -> Measurement:
    return Measurement("microphone.echo", level_db, "db", details={"heard": True})


@pytest.mark.parametrize(
    ("words", "starts"), [([], ()), (WORDS, (1.0,)), (WORDS, (-5.0, 0.0, 1.0)), (WORDS, (0.0, 1.0, 9e9))]
)
def test_what_makes_no_sense_is_not_measured(words: list[Sound], starts: tuple[float, ...]) -> None:
    """No digits, or times that fit none."""
    assert echo_measurement(noise(-60), words, starts).cause == "too_few_samples"


def test_silence_on_either_side_says_nothing() -> None:
    """Nothing played: nothing can come back. A dead microphone: nobody knows, least of all a pass."""
    assert echo_of(noise(-60), np.zeros(COUNT)) is None
    assert echo_measurement(np.zeros(COUNT), WORDS, STARTS_MS).cause == "no_value"
    assert echo_measurement(np.zeros(0), WORDS, STARTS_MS).cause == "too_few_samples"


@settings(max_examples=15, deadline=None)
@given(st.floats() | st.none() | st.text(max_size=3), st.integers(1, 20_000))
def test_hostile_times_never_raise(start: object, count: int) -> None:
    """Any start and any length give a number or none."""
    found = echo_measurement(noise(-60)[:count], WORDS[:1], [start])
    assert found.metric("value") == found.value


def test_a_digit_begins_where_its_sound_does() -> None:
    """The lead that an MP3 decoder adds does not count; the same digit has the same beginning."""
    word = spoken_digit("nb", 4)
    assert len(from_onset(word)) < len(word)
    assert np.array_equal(from_onset(np.concatenate([np.zeros(500, np.float32), word])), from_onset(word))
    with pytest.raises(ValueError, match="digit"):
        spoken_digit("de", 4)
