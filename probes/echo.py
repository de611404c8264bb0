"""Echo: how much of what the loudspeaker plays comes back through the microphone, and how late.

The known sound of the digits is looked for in the microphone's by regularised deconvolution of the two spectra, as in
transfer-function measurement (H1 estimator, Bendat and Piersol); the part of the response before anything can have
arrived tells how much of it is chance. Pure, numpy only, and no sound is kept. Levels are dB relative to what was
played, so -46 is an echo loss of 46 dB (3GPP TS 26.132 section 8.7.1 asks for at least that).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from probes.estimates import finite
from probes.measurement import Measurement, not_measured

__all__ = ["LONGEST_S", "RATE_HZ", "Echo", "echo_measurement", "echo_of", "from_onset"]

RATE_HZ: Final = 16_000
LONGEST_S: Final = 8.0
"""Longest sound that is looked at, s."""
LONGEST_DELAY_S: Final = 0.8
"""From the page's sound output over a wireless loudspeaker and back, s; more is no echo of ours."""
TAIL_S: Final = 0.3
"""How much of the response counts after its first arrival, s: 30 dB of a room that rings for 0.6 s."""
LEAD_S: Final = 0.004
"""The response begins this much before its first arrival: the filter's own width."""
BAND_HZ: Final = (200.0, 6500.0)
"""Where digits have sound and the mains has none."""
REGULARISED: Final = (0.003, 0.03, 0.3, 3.0)
"""Share of the mean power of what was played that is added to each bin: bins where it holds nothing tell nothing.
Little gives a sharp response, much one that stands out of more noise; the sharpest that stands out is taken."""
SMOOTH_S: Final = 0.001
STRONG: Final = 5.0
"""The strongest arrival stands this far (amplitude) over the largest chance one before anything can have arrived."""
FIRST: Final = 0.25
"""The first arrival is the earliest with this share of the strongest one's amplitude: the direct way may be weaker."""
SIDE_LOBE: Final = 1.5
"""... and this far over a side lobe of the strongest one ..."""
OVER_CHANCE: Final = 3.0
"""... and this far over chance."""
CLEAR: Final = 4.0
"""Where its delay is known, an echo is heard that has this many times the energy of chance."""
LEAST_DB: Final = -100.0
CERTAIN: Final = 50.0
"""Where nothing was heard, an echo of this many times the energy of chance would have been (own rooms, tuning part)."""
ONSET: Final = 0.02
"""A digit begins with the first sample over this, on the page as here, so that decoders' leads do not matter."""

Samples = NDArray[np.float32] | NDArray[np.float64]
Spectrum = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Echo:
    """What came back of what was played."""

    level_db: float
    """Energy of what came back over that of what was played, dB; where nothing was heard, what it is under for sure."""
    delay_ms: float | None
    """From playing to the first arrival, ms; None where nothing was heard."""

    @property
    def is_heard(self) -> bool:
        """Whether the microphone heard what was played."""
        return self.delay_ms is not None


def from_onset(sound: Samples) -> NDArray[np.float64]:
    """Return `sound` from its first audible sample on; empty where there is none."""
    loud = np.flatnonzero(np.abs(sound) > ONSET)
    return np.asarray(sound[loud[0] :] if loud.size else sound[:0], np.float64)


def echo_of(heard: Samples, played: Samples, delay_ms: float | None = None) -> Echo | None:
    """Return the echo of `played` in `heard`, both 16 kHz mono from the same moment on; None where nothing was played.

    `heard` should go on for `LONGEST_DELAY_S` after the end of what was played. With `delay_ms` the echo is known to be
    there, and only its level is asked for.
    """
    count = min(len(heard), len(played))
    size = 1 << max(1, (count + int(2 * LONGEST_DELAY_S * RATE_HZ))).bit_length()
    weight = _band(size)
    source = np.fft.rfft(np.asarray(played[:count], np.float64), size)
    back = np.fft.rfft(np.asarray(heard[:count], np.float64), size)
    power = weight * np.abs(source) ** 2
    if count == 0 or not np.sum(power) > 0.0:
        return None
    found = Echo(LEAST_DB, None)
    for share in REGULARISED:
        found = _echo(weight * np.conj(source) * back, source, weight, share, delay_ms)
        if found.is_heard:
            break
    return found


def _echo(cross: Spectrum, source: Spectrum, weight: NDArray[np.float64], share: float, delay_ms: float | None) -> Echo:
    """Return the echo with one strength of regularisation, from the cross spectrum of what was played and heard."""
    power = weight * np.abs(source) ** 2
    plain = power + share * float(np.sum(power) / np.sum(weight))
    response = np.fft.irfft(cross / plain)
    reach, tail = int(LONGEST_DELAY_S * RATE_HZ), int((LEAD_S + TAIL_S) * RATE_HZ)
    later, before = response[:reach], response[-reach:]
    chance = min(_energy(part, source, weight) for part in (before[:tail], before[tail : 2 * tail]))
    # What a perfect copy of the sound would have come to, so that regularising takes nothing from the level.
    whole = float(np.sum(weight * np.abs(source * power / plain) ** 2))
    known = None if delay_ms is None else round(delay_ms * RATE_HZ / 1000)
    arrival = _arrival(later, before, np.fft.irfft(power / plain)) if known is None else known
    if arrival is None:
        return Echo(_db(CERTAIN * chance / whole), None)
    start = max(0, arrival - int(LEAD_S * RATE_HZ))
    energy = _energy(later[start : start + tail], source, weight)
    if known is not None and energy < CLEAR * chance:
        return Echo(_db(CERTAIN * chance / whole), None)
    return Echo(_db(max(energy - chance, 0.1 * energy) / whole), 1000.0 * arrival / RATE_HZ)


def echo_measurement(
    heard: Samples, digits: Sequence[Samples], starts_ms: Sequence[Any], gain_db: float = 0.0
) -> Measurement:
    """Return ``microphone.echo``: what came back of the spoken `digits`, dB relative to what was played.

    `starts_ms` says when each digit's onset was played, ms after the first sample of `heard`. An echo canceller learns
    from the first digit, so the level, and whether an echo is ``heard``, are those of the others where there are any;
    ``sounded`` says that the microphone heard any of it at all, and ``first_db`` how loud the first one came back.
    """
    starts = finite(starts_ms)
    words = [from_onset(digit) for digit in digits]
    fits = len(starts) == len(words) > 0 and all(0.0 <= start < LONGEST_S * 1000 for start in starts)
    if not fits or not len(heard):
        return not_measured("microphone.echo", "too_few_samples", "db")
    gain = 10.0 ** (gain_db / 20.0)
    sound = np.asarray(heard[: int(LONGEST_S * RATE_HZ)], np.float64)
    played = _line(len(sound), words, starts, gain)
    if not np.any(sound):
        return not_measured("microphone.echo", "no_value", "db")
    second = int(starts[1] * RATE_HZ / 1000) if len(words) > 1 else 0
    looks = [echo_of(sound, played), echo_of(sound[:second], played[:second])] if second else [echo_of(sound, played)]
    delay_ms = next((look.delay_ms for look in looks if look and look.is_heard), None)
    learned = echo_of(sound[second:], played[second:], delay_ms)
    first = looks[-1]
    if learned is None or first is None:
        return not_measured("microphone.echo", "too_few_samples", "db")
    details = {
        "heard": learned.is_heard,
        "sounded": learned.is_heard or delay_ms is not None,
        "delay_ms": learned.delay_ms if delay_ms is None else delay_ms,
        "first_db": first.level_db,
    }
    return Measurement("microphone.echo", learned.level_db, "db", samples=len(words), details=details)


def _line(count: int, words: Sequence[NDArray[np.float64]], starts_ms: Sequence[float], gain: float) -> Samples:
    """Return what was played, on the microphone's line of time."""
    line = np.zeros(count)
    for word, start_ms in zip(words, starts_ms, strict=True):
        begin = round(start_ms * RATE_HZ / 1000)
        part = word[: max(0, count - begin)]
        line[begin : begin + len(part)] += gain * part
    return line


def _arrival(later: Samples, before: Samples, copy: Samples) -> int | None:
    """Return the sample at which the response begins, or None where nothing stands out of chance.

    `copy` is the response that a perfect copy would give: voices repeat themselves with their pitch, so the strongest
    arrival has side lobes before it that are no arrivals of their own.
    """
    after, chance = _envelope(later), float(np.max(_envelope(before)))
    strongest = int(np.argmax(after))
    if not after[strongest] > STRONG * chance:
        return None
    lobes = _widest(_envelope(np.roll(copy, strongest)))[: strongest + 1]
    least = float(after[strongest]) * np.minimum(1.0, np.maximum(FIRST, SIDE_LOBE * lobes / lobes[strongest]))
    begin = int(np.flatnonzero(after[: strongest + 1] >= np.maximum(least, OVER_CHANCE * chance))[0])
    # The rising edge of a smoothed arrival: its own peak is within the smoothing's width.
    width = int(SMOOTH_S * RATE_HZ)
    return begin + int(np.argmax(np.abs(later[begin : begin + width])))


def _envelope(response: Samples) -> NDArray[np.float64]:
    width = int(SMOOTH_S * RATE_HZ)
    return np.asarray(np.sqrt(np.convolve(response**2, np.ones(width) / width, "same")))


def _widest(envelope: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest value within the smoothing's width of each."""
    width = int(SMOOTH_S * RATE_HZ)
    return np.asarray(np.max([np.roll(envelope, shift) for shift in range(-width, width + 1, 4)], axis=0))


def _energy(response: Samples, spectrum: Spectrum, weight: NDArray[np.float64]) -> float:
    """Return the energy of what was played after it went through `response`."""
    through = np.fft.rfft(response, 2 * (len(spectrum) - 1))
    return float(np.sum(weight * np.abs(through * spectrum) ** 2))


def _band(size: int) -> NDArray[np.float64]:
    """Return the weight of each bin: 1 within the band, with soft edges of 100 Hz."""
    frequency = np.fft.rfftfreq(size, 1.0 / RATE_HZ)
    low, high = BAND_HZ
    rise = np.clip((frequency - low) / 100.0 + 0.5, 0.0, 1.0)
    return np.asarray(rise * np.clip((high - frequency) / 100.0 + 0.5, 0.0, 1.0))


def _db(ratio: float) -> float:
    return max(LEAST_DB, 10.0 * math.log10(ratio)) if ratio > 0 else LEAST_DB
