"""Room acoustics: a sweep that a loudspeaker plays, found again in every microphone channel. Pure, numpy only.

The sweep is exponential (Farina 2000), 300 to 6,000 Hz in one second. What a microphone heard is divided by what was
played, frequency by frequency, which gives the impulse response of the path between the two; how far its highest point
stands over its median says whether the sweep is in there at all. Delays are told between channels of one recording:
when a sound card really began to play nobody knows to the millisecond.
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
"""Samples of a response each second; twice the band's upper end, though half of that would carry it."""
SWEEP_S: Final = 1.0
LISTEN_S: Final = 2.2
"""A recording of one sweep: the sweep itself, and 1.2 s for two buffers, a slow television and the room."""
BAND_HZ: Final = (300.0, 6000.0)
"""What the loudspeakers and microphones of meeting rooms carry, down to speakerphones of 16 kHz."""
FADE_S: Final = 0.02
"""A sweep that begins or ends at once clicks."""
EDGE_OCTAVES: Final = 0.15
"""Over so many octaves the band's ends fade out; a hard edge rings."""
EDGES_HZ: Final = (BAND_HZ[0], BAND_HZ[0] * 2**EDGE_OCTAVES, BAND_HZ[1] / 2**EDGE_OCTAVES, BAND_HZ[1])
"""Where the band begins, is whole, begins to fade, and ends."""
OCTAVES_HZ: Final = (500.0, 1000.0, 2000.0, 4000.0)
"""Middles of the octaves whose gain is told; the lowest and the highest whole ones in the band."""
HEARD_DB: Final = 15.0
"""So far the response's highest point stands over its median where the sweep is heard ..."""
SWEEPS: Final = 3
"""Recordings of one path that are joined."""
AGREE: Final = 2
AGREE_S: Final = 0.001
"""... and of the three responses at least two are highest there too, within this. Noise that comes and goes is often
over the first limit, but never at the same moment."""
LEAD_S: Final = 0.004
TAIL_S: Final = 0.3
"""What of the response belongs to the path: a room of 0.6 s has then fallen by 30 dB."""
FIRST: Final = 0.5
"""The first arrival has at least this share of the strongest one's amplitude: the direct way may be weaker ..."""
OVER_CHANCE: Final = 6.0
"""... but stands this far over the median, where chance would not put it."""
THIN: Final = 3
"""48 kHz to the 16 kHz that the hum finder takes."""
THIN_RATE_HZ: Final = RATE_HZ // THIN
WINDOW: Final = THIN_RATE_HZ // 10
"""Noise is told of the median 100 ms, so that a door that falls shut does not count."""
FULL_SCALE: Final = 0.999
RUN: Final = 3
"""So many samples at full scale in a row are clipped; one alone may be a peak."""
LEAST_DB: Final = -150.0

Mono = NDArray[np.float32]
Response = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Arrival:
    """What one channel heard of one loudspeaker."""

    stands_out_db: float
    """The response's highest point over its median."""
    delay_ms: float
    """From the recording's first sample to the first arrival: to be compared between channels only."""
    gain_db: float
    """Level of the sweep as received over that as played; without meaning where it was not heard."""
    octaves_db: tuple[float, ...]
    """The same in each of `OCTAVES_HZ`."""
    is_heard: bool
    """Whether the sweep is in the recordings."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """What one channel gives while nothing is played; -150 dB where it gives nothing."""

    is_zero: bool
    """Every sample is exactly 0: a microphone that is muted or not there, or one with a noise gate in a quiet room."""
    noise_dbfs: float
    """Above 80 Hz."""
    band_dbfs: float
    """In the sweep's band."""
    hum_db: float
    """How far the mains' harmonics stand out; 0 where there is no hum."""
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

    `heard` is one channel that begins with the first sample that was played, at full scale. A path without loss gives
    a response of gain 1. Raises ValueError for a recording that is shorter than the sweep.
    """
    if len(heard) < len(sweep()):
        raise ValueError("a recording shorter than the sweep")
    # Circular on purpose: the sweep ends before the recording does, and what lies before time 0 ends up behind it.
    # One-sided, the band needs no more samples than its upper end.
    count = len(heard) * RESPONSE_HZ // RATE_HZ
    kept = count // 2 + 1
    whole = np.zeros(count, np.complex64)
    whole[:kept] = 2.0 * np.fft.rfft(heard)[:kept] * _inverse(len(heard))[:kept]
    late = (len(heard) - len(sweep())) * RESPONSE_HZ // RATE_HZ + 1
    return np.asarray(np.fft.ifft(whole)[:late], np.complex64)


def arrival_of(responses: Sequence[Response]) -> Arrival:
    """Return what the responses of one path, all as long, say together. Raises ValueError where there are none.

    They are joined by their median, so that a door that falls shut in one of three does not count.
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
    """Return what one channel of at least 2.5 s gave while nothing was played."""
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
    """Return the share of samples that stand at full scale in runs of at least three, in percent."""
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
    """Return what a spectrum is multiplied with to divide the sweep out of it, inside the band."""
    spectrum = np.fft.rfft(sweep().astype(np.float64), length)
    window = _band(length)
    power = np.abs(spectrum) ** 2
    floor = 1e-3 * float(np.max(power))
    return np.asarray(window * np.conj(spectrum) / (power + floor * (1.0 - window)), np.complex64)


@cache
def _band(length: int) -> NDArray[np.float64]:
    """Return 1 inside the band and 0 outside, with edges that fade over a part of an octave inwards."""
    frequency = np.fft.rfftfreq(length, 1.0 / RATE_HZ)
    octave = np.log2(np.maximum(frequency, 1.0))
    low, high = np.log2(BAND_HZ[0]), np.log2(BAND_HZ[1])
    inwards = np.clip(np.minimum(octave - low, high - octave) / EDGE_OCTAVES, 0.0, 1.0)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * inwards))


def _middle(responses: Sequence[Response]) -> Response:
    """Return the median of real and of imaginary parts."""
    rows = [np.ascontiguousarray(one).view(np.float32) for one in responses]
    if len(rows) != SWEEPS:
        return np.asarray(np.median(rows, axis=0), np.float32).view(np.complex64)
    one, two, three = rows  # the same without sorting: half of a test's time went there
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three)).view(np.complex64)


def _first(envelope: NDArray[np.float64], limit: float) -> float:
    """Return where the first arrival over `limit` is highest, between samples by a parabola."""
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
    """Return the path's gain in the whole band and in each octave, dB, without what chance adds."""
    length = len(path)
    frequency = np.fft.fftfreq(length, 1.0 / RESPONSE_HZ)
    power = np.abs(np.fft.fft(path)) ** 2
    # Chance is spread over the band as the noise is: told from the median of the rest, which a second arrival of the
    # sweep does not lift. Of an envelope of noise the mean square is the median squared over ln 2.
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
    """Return the level of `sound` within the sweep's band: the median 100 ms."""
    count = RATE_HZ // 10
    frames = np.asarray(sound[: len(sound) // count * count], np.float64).reshape(-1, count)
    shape = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(count) / count)
    power = np.abs(np.fft.rfft(frames * shape, axis=1)) ** 2 * 2.0 / (count * float(np.sum(shape**2)))
    frequency = np.fft.rfftfreq(count, 1.0 / RATE_HZ)
    inside = (frequency >= BAND_HZ[0]) & (frequency <= BAND_HZ[1])
    return _db(float(np.median(np.sum(power[:, inside], axis=1))))


def _thinned(sound: Mono) -> Mono:
    """Return `sound` at 16 kHz, its upper end cut off first so that nothing folds down."""
    spectrum = np.fft.rfft(sound)
    count = len(sound) // THIN
    kept = spectrum[: count // 2 + 1].copy()
    edge = max(1, len(kept) // 40)
    kept[-edge:] *= np.linspace(1.0, 0.0, edge)
    return np.asarray(np.fft.irfft(kept, count) / THIN, np.float32)


def _db(power: float) -> float:
    return float(10.0 * np.log10(max(power, 10.0 ** (LEAST_DB / 10.0))))
