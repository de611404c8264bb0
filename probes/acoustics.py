"""Room acoustics: finds the sweep of a loudspeaker in every microphone channel. Pure, numpy only.

The sweep is exponential (Farina 2000), 300 to 6,000 Hz in one second. The recording divided by the sweep, frequency by
frequency, is the impulse response of the path between the two; its peak over its median shows whether the sweep is in
there at all. Delays are compared between channels of one recording only, because nobody knows to the millisecond when a
sound card really began to play.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from probes.spectrum import HumFinder, window_bands

__all__ = [
    "HEARD_DB",
    "LISTEN_S",
    "OCTAVES_HZ",
    "RATE_HZ",
    "SWEEPS",
    "Arrival",
    "Quiet",
    "arrival_of",
    "clipped_pct",
    "quiet_of",
    "response_of",
    "sweep",
]

RATE_HZ: Final = 48_000
RESPONSE_HZ: Final = 12_000
"""Sample rate of a response: twice the band's upper end. It is analytic, so half would do."""
SWEEP_S: Final = 1.0
LISTEN_S: Final = 2.2
"""Length of a recording: the sweep, and 1.2 s for two buffers, a slow television and the room."""
BAND_HZ: Final = (300.0, 6000.0)
"""Band of loudspeakers and microphones in meeting rooms, down to speakerphones with 16 kHz."""
FADE_S: Final = 0.02
"""Fade at both ends; without it the sweep clicks."""
EDGE_OCTAVES: Final = 0.15
"""Width of the band's edges, octaves; a hard edge rings."""
EDGES_HZ: Final = (BAND_HZ[0], BAND_HZ[0] * 2**EDGE_OCTAVES, BAND_HZ[1] / 2**EDGE_OCTAVES, BAND_HZ[1])
"""Frequencies at which the band begins, is full, begins to fade, and ends."""
OCTAVES_HZ: Final = (500.0, 1000.0, 2000.0, 4000.0)
"""Centres of the octaves with a gain of their own, from the lowest to the highest whole one in the band."""
HEARD_DB: Final = 15.0
"""Least peak of the response over its median if the sweep is heard ..."""
SWEEPS: Final = 3
"""Recordings of one path that are combined."""
AGREE: Final = 2
AGREE_S: Final = 0.001
"""... and at least two of the three responses peak there too, within this time. Intermittent noise often passes the
first limit, but never at the same moment."""
LEAD_S: Final = 0.004
TAIL_S: Final = 0.3
"""Part of the response that belongs to the path; a room with a reverberation of 0.6 s has then fallen by 30 dB."""
FIRST: Final = 0.5
"""Least amplitude of the first arrival, as a share of the strongest: the direct path may be weaker ..."""
OVER_CHANCE: Final = 6.0
"""... and least amplitude over the median, beyond chance."""
THIN: Final = 3
"""From 48 kHz to 16 kHz for the hum finder."""
THIN_RATE_HZ: Final = RATE_HZ // THIN
WINDOW: Final = THIN_RATE_HZ // 10
"""Noise is the median of 100 ms windows, so that a slamming door does not count."""
FULL_SCALE: Final = 0.999
RUN: Final = 3
"""Samples in a row at full scale that count as clipped; a single one may be a peak."""
LEAST_DB: Final = -150.0

Mono = NDArray[np.float32]
Response = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Arrival:
    """The sweep of one loudspeaker in one channel."""

    stands_out_db: float
    """Peak of the response over its median."""
    delay_ms: float
    """From the recording's first sample to the first arrival; comparable between channels only."""
    gain_db: float
    """Level of the received sweep over the played one; meaningless if it was not heard."""
    octaves_db: tuple[float, ...]
    """The same in each of `OCTAVES_HZ`."""
    is_heard: bool
    """Whether the sweep is in the recordings."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """One channel while nothing is played; -150 dB means silence."""

    is_zero: bool
    """Every sample is exactly 0: the microphone is muted or missing, or has a noise gate in a quiet room."""
    noise_dbfs: float
    """Noise above 80 Hz."""
    band_dbfs: float
    """Noise in the sweep's band."""
    hum_db: float
    """Level of the mains' harmonics over the noise; 0 without hum."""
    hum_dbfs: float


@cache
def sweep() -> Mono:
    """Return the sweep at full scale, faded at both ends."""
    count = round(SWEEP_S * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    growth = np.log(BAND_HZ[1] / BAND_HZ[0])
    phase = 2.0 * np.pi * BAND_HZ[0] * SWEEP_S / growth * (np.exp(time_s / SWEEP_S * growth) - 1.0)
    sound = np.sin(phase)
    fade = round(FADE_S * RATE_HZ)
    slope = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    sound[:fade] *= slope
    sound[-fade:] *= slope[::-1]
    found: Mono = sound.astype(np.float32)
    found.setflags(write=False)
    return found


def response_of(heard: Mono) -> Response:
    """Return the path's impulse response as an analytic signal, within the sweep's band.

    `heard` is one channel from the first played sample on; the sweep was played at full scale. A path without loss
    has a response of gain 1. Raises ValueError for a recording shorter than the sweep.
    """
    if len(heard) < len(sweep()):
        raise ValueError("a recording shorter than the sweep")
    # Circular on purpose: the sweep ends before the recording, and anything before time 0 wraps around to its end.
    # The one-sided band needs no more samples than its upper end.
    count = len(heard) * RESPONSE_HZ // RATE_HZ
    kept = count // 2 + 1
    whole = np.zeros(count, np.complex64)
    whole[:kept] = 2.0 * np.fft.rfft(heard)[:kept] * _inverse(len(heard))[:kept]
    late = (len(heard) - len(sweep())) * RESPONSE_HZ // RATE_HZ + 1
    return np.asarray(np.fft.ifft(whole)[:late], np.complex64)


def arrival_of(responses: Sequence[Response]) -> Arrival:
    """Return the result of several responses of one path, of equal length. Raises ValueError without any.

    They are combined by their median, so that a slamming door in one of three does not count.
    """
    joined = responses[0] if len(responses) == 1 else _middle(responses)
    envelope = np.abs(joined)
    at = int(np.argmax(envelope))
    peak, middle = float(envelope[at]), float(np.median(envelope))
    if peak <= 0.0:
        return Arrival(0.0, 0.0, LEAST_DB, tuple(LEAST_DB for _ in OCTAVES_HZ), is_heard=False)
    first = _first(envelope, min(max(FIRST * peak, OVER_CHANCE * middle), peak))
    begin = max(0, int(first) - round(LEAD_S * RESPONSE_HZ))
    path = joined[begin : begin + round((LEAD_S + TAIL_S) * RESPONSE_HZ)]
    gain, octaves = _gains(path, np.concatenate([joined[:begin], joined[begin + len(path) :]]))
    stands_out_db = 20.0 * float(np.log10(peak / middle)) if middle > 0.0 else -LEAST_DB
    agreeing = sum(abs(int(np.argmax(np.abs(one))) - at) <= AGREE_S * RESPONSE_HZ for one in responses)
    return Arrival(
        stands_out_db=stands_out_db,
        delay_ms=1000.0 * first / RESPONSE_HZ,
        gain_db=gain,
        octaves_db=octaves,
        is_heard=stands_out_db >= HEARD_DB and agreeing >= min(AGREE, len(responses)),
    )


def quiet_of(sound: Mono) -> Quiet:
    """Return the figures of one channel, at least 2.5 s long, while nothing was played."""
    if not np.any(sound):
        return Quiet(is_zero=True, noise_dbfs=LEAST_DB, band_dbfs=LEAST_DB, hum_db=0.0, hum_dbfs=LEAST_DB)
    thin = _thinned(sound)
    windows = [thin[start : start + WINDOW] for start in range(0, len(thin) - WINDOW + 1, WINDOW)]
    noise = float(np.median([window_bands(window)[0] for window in windows]))
    finder = HumFinder()
    finder.feed(thin)
    hum = finder.hum()
    return Quiet(
        is_zero=False,
        noise_dbfs=_db(noise),
        band_dbfs=_band_dbfs(sound),
        hum_db=hum.prominence_db if hum else 0.0,
        hum_dbfs=hum.level_dbfs if hum and hum.prominence_db else LEAST_DB,
    )


def clipped_pct(sound: Mono) -> float:
    """Return the share of samples at full scale in runs of at least three, in percent."""
    full = np.abs(sound) >= FULL_SCALE
    runs = full.copy()
    for shift in range(1, RUN):
        runs[: len(runs) - shift] &= full[shift:]
        runs[len(runs) - shift :] = False
    inside = runs.copy()
    for shift in range(1, RUN):
        inside[shift:] |= runs[: len(runs) - shift]
    return 100.0 * float(np.mean(inside)) if len(sound) else 0.0


@cache
def _inverse(length: int) -> NDArray[np.complex64]:
    """Return the factors that divide the sweep out of a spectrum, inside the band."""
    spectrum = np.fft.rfft(sweep().astype(np.float64), length)
    window = _band(length)
    power = np.abs(spectrum) ** 2
    floor = 1e-3 * float(np.max(power))
    return np.asarray(window * np.conj(spectrum) / (power + floor * (1.0 - window)), np.complex64)


@cache
def _band(length: int) -> NDArray[np.float64]:
    """Return 1 inside the band and 0 outside, with edges that fade inwards over a part of an octave."""
    frequency = np.fft.rfftfreq(length, 1.0 / RATE_HZ)
    octave = np.log2(np.maximum(frequency, 1.0))
    low, high = np.log2(BAND_HZ[0]), np.log2(BAND_HZ[1])
    inwards = np.clip(np.minimum(octave - low, high - octave) / EDGE_OCTAVES, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * inwards))


def _middle(responses: Sequence[Response]) -> Response:
    """Return the median of the real and of the imaginary parts."""
    rows = [np.ascontiguousarray(one).view(np.float32) for one in responses]
    if len(rows) != SWEEPS:
        return np.asarray(np.median(rows, axis=0), np.float32).view(np.complex64)
    one, two, three = rows  # the same without sorting, which took half of a test's time
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three)).view(np.complex64)


def _first(envelope: NDArray[np.float64], limit: float) -> float:
    """Return the peak of the first arrival over `limit`, interpolated by a parabola."""
    start = int(np.argmax(envelope >= limit))
    top = start
    while top + 1 < len(envelope) and envelope[top + 1] > envelope[top]:
        top += 1
    if not 0 < top < len(envelope) - 1:
        return float(top)
    before, at, after = (float(envelope[top + step]) for step in (-1, 0, 1))
    bend = before - 2.0 * at + after
    return top + (0.5 * (before - after) / bend if bend else 0.0)


def _gains(path: Response, outside: Response) -> tuple[float, tuple[float, ...]]:
    """Return the path's gain in the band and in each octave, dB, less the noise's share."""
    length = len(path)
    frequency = np.fft.fftfreq(length, 1.0 / RESPONSE_HZ)
    power = np.abs(np.fft.fft(path)) ** 2
    # The noise's share comes from the median of the rest, which a second arrival of the sweep does not raise. For an
    # envelope of noise the mean square is the median squared over ln 2.
    chance = float(np.median(np.abs(outside))) ** 2 / np.log(2.0) if len(outside) else 0.0
    inside = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    weight = np.interp(np.log2(np.maximum(frequency, 1.0)), np.log2(EDGES_HZ), (0.0, 1.0, 1.0, 0.0)) ** 2
    per_bin = chance * length * length / max(1, int(np.sum(inside)))

    def gain_db(bins: NDArray[np.bool_]) -> float:
        energy = float(np.sum(power[bins])) - per_bin * int(np.sum(bins))
        flat = 4.0 * float(np.sum(weight[bins]))
        return _db(energy / flat) if flat > 0.0 else LEAST_DB

    halves = [(frequency >= middle / 2**0.5) & (frequency < middle * 2**0.5) for middle in OCTAVES_HZ]
    return gain_db(inside), tuple(gain_db(half) for half in halves)


def _band_dbfs(sound: Mono) -> float:
    """Return the level of `sound` within the sweep's band, as the median of 100 ms windows."""
    count = RATE_HZ // 10
    frames = np.asarray(sound[: len(sound) // count * count], np.float64).reshape(-1, count)
    shape = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(count) / count)
    power = np.abs(np.fft.rfft(frames * shape, axis=1)) ** 2 * 2.0 / (count * float(np.sum(shape**2)))
    frequency = np.fft.rfftfreq(count, 1.0 / RATE_HZ)
    inside = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    return _db(float(np.median(np.sum(power[:, inside], axis=1))))


def _thinned(sound: Mono) -> Mono:
    """Return `sound` at 16 kHz, low-passed first against aliasing."""
    spectrum = np.fft.rfft(sound)
    count = len(sound) // THIN
    kept = spectrum[: count // 2 + 1].copy()
    edge = max(1, len(kept) // 40)
    kept[-edge:] *= np.linspace(1.0, 0.0, edge)
    return np.asarray(np.fft.irfft(kept, count) / THIN, np.float32)


def _db(power: float) -> float:
    return float(10.0 * np.log10(max(power, 10.0 ** (LEAST_DB / 10.0))))
