"""Echo: how much of the loudspeaker's sound comes back through the microphone, and how late.

We look for the known sound of the digits in the microphone's by regularised deconvolution of the two spectra, as in
transfer-function measurement (H1 estimator, Bendat and Piersol). The part of the response before anything can have
arrived shows how much of it is chance. Pure, numpy only, and no sound is kept. Levels are dB relative to the played
sound, so -46 is an echo loss of 46 dB (3GPP TS 26.132 section 8.7.1 asks for at least that).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from probes.estimates import finite
from probes.measurement import Measurement, not_measured

__all__ = ["LONGEST_S", "RATE_HZ", "Echo", "echo_measurement", "echo_of", "from_onset"]

RATE_HZ: Final = 16_000
LONGEST_S: Final = 8.0
"""Longest sound that is analysed, s."""
LONGEST_DELAY_S: Final = 0.8
"""Longest delay from the page's output through a wireless loudspeaker and back, s; anything later is not our echo."""
TAIL_S: Final = 0.3
"""How much of the response counts after the first arrival, s: 30 dB of decay in a room with 0.6 s of reverberation."""
LEAD_S: Final = 0.004
"""The response begins this long before the first arrival: the width of the filter."""
BAND_HZ: Final = (200.0, 6500.0)
"""Band in which digits have sound and the mains has none."""
REGULARISED: Final = (0.003, 0.03, 0.3, 3.0)
"""Share of the played sound's mean power that is added to each bin, because bins without any power tell nothing.
Little regularisation gives a sharp response, much a response that stands out of more noise. We take the sharpest
response that stands out."""
SMOOTH_S: Final = 0.001
STRONG: Final = 5.0
"""With a single digit, the amplitude of the strongest arrival must exceed everything before an arrival is possible
by this factor ..."""
ALONE: Final = 3.0
"""... and everything elsewhere, later too, by this one: a voice or a barking dog arrives again and again."""
BEFORE: Final = 2.0
ELSEWHERE: Final = 1.5
"""The same two factors when all digits agree."""
AROUND_S: Final = 0.012
""""Elsewhere" means more than this before the strongest arrival, s, or beyond its tail."""
AGREE: Final = 2
"""Fewest digits whose strongest arrivals must coincide: only the played sound comes back with one delay."""
TOGETHER_S: Final = 0.015
"""All digits must agree within this, s, because each digit's strongest arrival may be another reflection ..."""
CLOSE_S: Final = 0.004
"""... or `AGREE` of them within this; a person who repeats the digits aloud matches one delay twice now and then."""
ALONE_LEAD_S: Final = 0.15
ALONE_SHARE: Final = (0.03,)
COMMON: Final = 2.3
"""... or the product of all digits' responses exceeds everything elsewhere by this factor (amplitude). Other sound
arrives at a different moment in each response, which keeps the product small. One false echo of 780 exceeded it (own
rooms, tuning part)."""
COMMON_SHARE: Final = (0.3,)
"""Regularisation of these responses: after an echo canceller a single digit's response is mostly noise."""
EARLY_S: Final = 0.05
""""Elsewhere" begins this long before the strongest moment here: reflections within 50 ms belong to the direct sound
(ISO 3382-1, early energy), and any of them may be the strongest."""
FIRST: Final = 0.25
"""The first arrival is the earliest with this share of the strongest amplitude: the direct path may be weaker ..."""
SIDE_LOBE: Final = 1.5
"""... and this far over a side lobe of the strongest one ..."""
OVER_CHANCE: Final = 3.0
"""... and this far over chance."""
CLEAR: Final = 4.0
"""When the delay is known, an echo counts as heard from this many times the energy of chance."""
LEAST_DB: Final = -100.0
CERTAIN: Final = 50.0
"""An echo of this many times the energy of chance would have been heard (own rooms, tuning part)."""
ONSET: Final = 0.02
"""A digit begins at the first sample above this, on the page as here, so that decoders' padding does not matter."""

Samples = NDArray[np.float32] | NDArray[np.float64]
Spectrum = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Echo:
    """The echo of the played sound."""

    level_db: float
    """Energy of the echo relative to the played sound, dB; an upper bound if no echo was heard."""
    delay_ms: float | None
    """From playing to the first arrival, ms; None if no echo was heard."""

    @property
    def is_heard(self) -> bool:
        """Whether the microphone heard the played sound."""
        return self.delay_ms is not None


def from_onset(sound: Samples) -> NDArray[np.float64]:
    """Return `sound` from its first audible sample on; empty if it has none."""
    loud = np.flatnonzero(np.abs(sound) > ONSET)
    return np.asarray(sound[loud[0] :] if loud.size else sound[:0], np.float64)


def echo_of(heard: Samples, played: Samples, delay_ms: float | None = None) -> Echo | None:
    """Return the echo of `played` in `heard`, both 16 kHz mono from the same moment on; None if nothing was played.

    `heard` should continue for `LONGEST_DELAY_S` after the end of `played`. With `delay_ms` the echo is known to exist,
    and only its level is measured.
    """
    known = None if delay_ms is None else round(delay_ms * RATE_HZ / 1000)
    last: _Look | None = None
    for last in _looks(heard, played):
        if (found := last.echo(known)) is not None:
            return found
    return last.none() if last else None


class _Look:
    """The response from played to heard sound, with one strength of regularisation."""

    def __init__(self, cross: Spectrum, source: Spectrum, weight: NDArray[np.float64], share: float) -> None:
        self._source, self._weight, self._share = source, weight, share
        power = weight * np.abs(source) ** 2
        self._plain = power + share * float(np.sum(power) / np.sum(weight))
        self._power = power
        self._response = np.fft.irfft(cross / self._plain)
        reach = int(LONGEST_DELAY_S * RATE_HZ)
        self.later, self.before = self._response[:reach], self._response[-reach:]
        self._after = self._response[: 2 * reach]

    @functools.cached_property
    def strongest(self) -> int:
        """The sample of the strongest arrival."""
        return int(np.argmax(_envelope(self.later)))

    def stands_out(self, over_before: float, over_elsewhere: float) -> bool:
        """Whether the strongest arrival exceeds by these factors all before an arrival is possible, and elsewhere."""
        after = _envelope(self._after)
        peak = float(after[self.strongest])
        lead, ring = int(AROUND_S * RATE_HZ), int(TAIL_S * RATE_HZ)
        elsewhere = np.concatenate([after[: max(0, self.strongest - lead)], after[self.strongest + ring :]])
        return peak > over_before * float(np.max(_envelope(self.before))) and peak > over_elsewhere * float(
            np.max(elsewhere)
        )

    def course(self) -> NDArray[np.float64]:
        """Return the response's energy over time, with mean 1, from `LONGEST_DELAY_S` before an arrival is possible."""
        width = int(CLOSE_S * RATE_HZ)
        energy = np.convolve(np.concatenate([self.before, self._after]) ** 2, np.ones(width) / width, "same")
        return np.asarray(energy / max(float(np.mean(energy)), 1e-30) + 1e-12)

    def arrival(self) -> int:
        """Return the sample of the first arrival, which may be weaker than the strongest."""
        return _first(self.later, self.before, np.fft.irfft(self._power / self._plain), self.strongest)

    def echo(self, known: int | None = None) -> Echo | None:
        """Return the echo that arrives at sample `known`, or one that stands out; None if there is none."""
        if known is None and not self.stands_out(STRONG, ALONE):
            return None
        arrival = self.arrival() if known is None else known
        tail = int((LEAD_S + TAIL_S) * RATE_HZ)
        start = max(0, arrival - int(LEAD_S * RATE_HZ))
        energy, chance = self._energy(self._response[start : start + tail]), self._chance(start, tail)
        if energy < CLEAR * chance:
            return None
        return Echo(_db(max(energy - chance, 0.1 * energy) / self._whole), 1000.0 * arrival / RATE_HZ)

    def none(self) -> Echo:
        """Return an echo that was not heard, with an upper bound of its level."""
        tail = int((LEAD_S + TAIL_S) * RATE_HZ)
        others = [self.before[:tail], self.before[tail : 2 * tail]]
        others += [self._after[begin : begin + tail] for begin in range(0, len(self._after) - tail, tail)]
        return Echo(_db(CERTAIN * max(map(self._energy, others)) / self._whole), None)

    def _chance(self, start: int, tail: int) -> float:
        """Return the energy that a part of the response has by chance, estimated before any arrival and long after."""
        parts = [self.before[:tail], self.before[tail : 2 * tail]]
        late = self._response[start + 2 * tail : start + 3 * tail]
        return max(min(map(self._energy, parts)), self._energy(late))

    @functools.cached_property
    def _whole(self) -> float:
        """The result for a perfect copy of the sound, by which levels are corrected for the regularisation."""
        return float(np.sum(self._weight * np.abs(self._source * self._power / self._plain) ** 2))

    def _energy(self, part: Samples) -> float:
        """Return the energy of the played sound filtered by `part` of the response."""
        through = np.fft.rfft(part, 2 * (len(self._source) - 1))
        return float(np.sum(self._weight * np.abs(through * self._source) ** 2))


def _looks(heard: Samples, played: Samples, shares: Sequence[float] = REGULARISED) -> Iterator[_Look]:
    """Yield the responses, the sharpest first; none if nothing was played."""
    count = min(len(heard), len(played))
    size = 1 << max(1, (count + int(3 * LONGEST_DELAY_S * RATE_HZ)) - 1).bit_length()
    weight = _band(size)
    source = np.fft.rfft(np.asarray(played[:count], np.float64), size)
    back = np.fft.rfft(np.asarray(heard[:count], np.float64), size)
    if count == 0 or not np.sum(weight * np.abs(source) ** 2) > 0.0:
        return
    for share in shares:
        yield _Look(weight * np.conj(source) * back, source, weight, share)


def echo_measurement(
    heard: Samples, digits: Sequence[Samples], starts_ms: Sequence[Any], gain_db: float = 0.0
) -> Measurement:
    """Return ``microphone.echo``: the echo of the spoken `digits`, dB relative to the played sound.

    `starts_ms` holds the time at which each digit's onset was played, ms after the first sample of `heard`. An echo
    canceller learns from the first digit, so the level and ``heard`` come from the other digits, if there are any;
    ``sounded`` says whether the microphone heard any digit at all, and ``first_db`` is the level of the first one.
    If no echo was heard, the value is an upper bound.
    """
    starts = finite(starts_ms)
    words = [from_onset(digit) for digit in digits]
    fits = len(starts) == len(words) > 0 and all(0.0 <= start < LONGEST_S * 1000 for start in starts)
    if not fits or not len(heard):
        return not_measured("microphone.echo", "too_few_samples", "db")
    sound = np.asarray(heard[: int(LONGEST_S * RATE_HZ)], np.float64)
    if not np.any(sound):
        return not_measured("microphone.echo", "no_value", "db")
    trial = _Trial(sound, words, starts, 10.0 ** (gain_db / 20.0))
    second = int(starts[1] * RATE_HZ / 1000) if len(words) > 1 else 0
    first = trial.first(second or len(sound))
    delay_ms = trial.delay_ms()
    learned = trial.learned(second, delay_ms)
    if learned is None or first is None:
        return not_measured("microphone.echo", "too_few_samples", "db")
    details = {
        "heard": learned.is_heard,
        "sounded": delay_ms is not None or first.is_heard,
        "delay_ms": first.delay_ms if delay_ms is None else delay_ms,
        "first_db": first.level_db,
    }
    return Measurement("microphone.echo", learned.level_db, "db", samples=len(words), details=details)


class _Trial:
    """The sound recorded while the digits played, and ways to analyse it."""

    def __init__(
        self, heard: Samples, words: Sequence[NDArray[np.float64]], starts_ms: Sequence[float], gain: float
    ) -> None:
        self._heard, self._words = heard, words
        self._begins = [round(start * RATE_HZ / 1000) for start in starts_ms]
        self._played = _line(len(heard), words, starts_ms, gain)

    def delay_ms(self) -> float | None:
        """Return the delay of the echo on which the digits agree, ms; None if they do not."""
        for look in _looks(self._heard, self._played):
            if not look.stands_out(BEFORE, ELSEWHERE):
                continue
            apart_s = sorted(abs(each - look.strongest) / RATE_HZ for each in self._alone)
            if apart_s[-1] <= TOGETHER_S or apart_s[min(AGREE, len(apart_s)) - 1] <= CLOSE_S:
                return 1000.0 * look.arrival() / RATE_HZ
        return self._common_ms() if len(self._words) > AGREE else None

    def _common_ms(self) -> float | None:
        """Return the first delay with a large product of all digits' responses, ms; None if none stands out."""
        looks = [look for heard, played in self._each() for look in _looks(heard, played, COMMON_SHARE)]
        if len(looks) < len(self._words):
            return None
        both = np.exp(np.mean([np.log(look.course()) for look in looks], axis=0))
        reach, early = int(LONGEST_DELAY_S * RATE_HZ), int(EARLY_S * RATE_HZ)
        strongest = int(np.argmax(both[reach : 2 * reach])) + reach
        elsewhere = np.concatenate([both[: strongest - early], both[strongest + int(TAIL_S * RATE_HZ) :]])
        if float(both[strongest]) < COMMON**2 * float(np.max(elsewhere)):
            return None
        begin = max(reach, strongest - early)
        return 1000.0 * (begin - reach + int(np.argmax(both[begin:] > both[strongest] / COMMON))) / RATE_HZ

    def first(self, end: int) -> Echo | None:
        """Return the echo of the first digit alone, before a canceller has learned."""
        return echo_of(self._heard[:end], self._played[:end])

    def learned(self, second: int, delay_ms: float | None) -> Echo | None:
        """Return the echo from sample `second` on, at `delay_ms`; without a delay none counts as heard."""
        if delay_ms is not None:
            return echo_of(self._heard[second:], self._played[second:], delay_ms)
        look = next(_looks(self._heard[second:], self._played[second:]), None)
        return look.none() if look else None

    @functools.cached_property
    def _alone(self) -> list[int]:
        """The strongest arrival of each digit, searched for as if there were no others."""
        each = (_looks(heard, played, ALONE_SHARE) for heard, played in self._each())
        return [look.strongest for looks in each for look in looks]

    def _each(self) -> Iterator[tuple[Samples, Samples]]:
        """Yield, for each digit, the sound heard around it and the digit alone as played there."""
        for begin, word in zip(self._begins, self._words, strict=True):
            start, end = max(0, begin - int(ALONE_LEAD_S * RATE_HZ)), begin + len(word)
            heard = self._heard[start : end + int(LONGEST_DELAY_S * RATE_HZ)]
            played = np.zeros(len(heard))
            part = self._played[begin:end][: max(0, len(heard) - begin + start)]
            played[begin - start : begin - start + len(part)] = part
            yield heard, played


def _line(count: int, words: Sequence[NDArray[np.float64]], starts_ms: Sequence[float], gain: float) -> Samples:
    """Return the played sound on the microphone's time axis."""
    line = np.zeros(count)
    for word, start_ms in zip(words, starts_ms, strict=True):
        begin = round(start_ms * RATE_HZ / 1000)
        part = word[: max(0, count - begin)]
        line[begin : begin + len(part)] += gain * part
    return line


def _first(later: Samples, before: Samples, copy: Samples, strongest: int) -> int:
    """Return the sample at which the response begins, at the strongest arrival or before it.

    `copy` is the response to a perfect copy: voices repeat at their pitch, so the strongest arrival has side lobes
    before it that are not arrivals.
    """
    after, chance = _envelope(later), float(np.max(_envelope(before)))
    lobes = _widest(_envelope(np.roll(copy, strongest)))[: strongest + 1]
    least = float(after[strongest]) * np.minimum(1.0, np.maximum(FIRST, SIDE_LOBE * lobes / lobes[strongest]))
    least = np.minimum(np.maximum(least, OVER_CHANCE * chance), after[strongest])
    begin = int(np.flatnonzero(after[: strongest + 1] >= least)[0])
    # The rising edge of a smoothed arrival: its own peak is within the smoothing's width.
    width = int(SMOOTH_S * RATE_HZ)
    return begin + int(np.argmax(np.abs(later[begin : begin + width])))


def _envelope(response: Samples) -> NDArray[np.float64]:
    width = int(SMOOTH_S * RATE_HZ)
    return np.asarray(np.sqrt(np.convolve(response**2, np.ones(width) / width, "same")))


def _widest(envelope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each sample, the largest value within the smoothing's width."""
    width = int(SMOOTH_S * RATE_HZ)
    return np.asarray(np.max([np.roll(envelope, shift) for shift in range(-width, width + 1, 4)], axis=0))


def _band(size: int) -> NDArray[np.float64]:
    """Return the weight of each bin: 1 within the band, with soft edges of 100 Hz."""
    frequency = np.fft.rfftfreq(size, 1.0 / RATE_HZ)
    low, high = BAND_HZ
    rise = np.clip((frequency - low) / 100.0 + 0.5, 0.0, 1.0)
    return np.asarray(rise * np.clip((high - frequency) / 100.0 + 0.5, 0.0, 1.0))


def _db(ratio: float) -> float:
    return max(LEAST_DB, 10.0 * math.log10(ratio)) if ratio > 0 else LEAST_DB
