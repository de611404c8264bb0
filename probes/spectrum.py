"""Spectrum of the microphone: energy in bands, mains hum, and the highest frequency of the voice.

Takes a stream of 16 kHz sound and keeps figures only. Hum is measured in sound downsampled to 1 kHz, in which no speech
can be understood. Numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "Hum", "HumFinder", "bandwidth_hz", "window_bands"]

RATE_HZ: Final = 16_000
BAND_HZ: Final = 500
BANDS: Final = RATE_HZ // 2 // BAND_HZ
"""Bands of 500 Hz up to 8 kHz."""
VOICE_HZ: Final = (300.0, 3400.0)
"""Band of speech and of the noise that masks it, without hum below and the resampler's edge above."""

THIN: Final = 16
THIN_HZ: Final = RATE_HZ // THIN
"""1 kHz holds six harmonics of 60 Hz."""
TAPS: Final = 257
SEGMENT: Final = 4 * THIN_HZ
"""4 s: a resolution of 0.25 Hz separates a line from noise."""
SHORTEST: Final = 5 * THIN_HZ // 2
"""2.5 s are enough if there is no more sound: lines are 0.4 Hz wide then."""
HOP: Final = SEGMENT // 2
MAINS_HZ: Final = (50.0, 60.0)
HARMONICS: Final = 6
PROMINENT_DB: Final = 12.0
"""A harmonic counts if it stands this far above the median of its surroundings."""
LINE_HZ: Final = 0.75
"""Half the width of a line: the Hann window's main lobe plus the drift of the mains."""
NEAR_HZ: Final = 15.0
"""How far the surroundings of a line extend."""
GUARD_HZ: Final = 2.0
VOICED: Final = slice(320, 1600)
"""Bins of 80-400 Hz: the less voice a segment has there, the more it counts, because hum continues in the pauses."""

DROP_DB: Final = 40.0
"""A band this far below the middle of the voice (300-3000 Hz) holds no audible voice."""
NOISE_BANDS: Final = 3
"""This many bands of noise above the voice, none lower than `DROP_DB`, show that the link carries them."""
HEARD_HZ: Final = 80.0
"""Offset and rumble below this do not count as noise: no loudspeaker reproduces them."""
OVER_NOISE_DB: Final = 4.0
"""A band holds voice if it is this far above the same band in the pauses."""

Samples = NDArray[np.float32]
Bands = NDArray[np.float64]


def window_bands(window: Samples) -> tuple[float, float, Bands]:
    """Return (power above 80 Hz, power within 300-3400 Hz, powers of the 16 bands of 500 Hz) of one window."""
    shape = _hann(len(window))
    spectrum = np.abs(np.fft.rfft(window * shape)) ** 2 * 2.0 / (len(window) * float(np.sum(shape**2)))
    frequency = np.fft.rfftfreq(len(window), 1.0 / RATE_HZ)
    voice = (frequency >= VOICE_HZ[0]) & (frequency <= VOICE_HZ[1])
    bands = spectrum[: len(window) // 2].reshape(BANDS, -1).sum(axis=1)
    return float(np.sum(spectrum[frequency > HEARD_HZ])), float(np.sum(spectrum[voice])), bands


def bandwidth_hz(speech: Bands | None, pause: Bands | None) -> tuple[float | None, bool]:
    """Return (upper end of the voice in Hz, whether the pauses' own noise comes through well above it).

    Takes the mean band powers of speech and of pauses (None: no pauses). A link that carries noise that high is not
    like a telephone: there noise masks the upper end of the voice.
    """
    if speech is None:
        return None, False
    noise = pause if pause is not None else np.zeros(BANDS)
    middle = _db(float(np.mean(speech[1:6])))
    voice = [
        index
        for index in range(BANDS)
        if _db(float(speech[index])) > middle - DROP_DB
        and _db(float(speech[index])) > _db(float(noise[index])) + OVER_NOISE_DB
    ]
    if not voice:
        return None, False
    above = [band for band in noise[max(voice) + 1 :] if _db(float(band)) > middle - DROP_DB]
    return float((max(voice) + 1) * BAND_HZ), len(above) >= NOISE_BANDS


@dataclass(frozen=True, slots=True)
class Hum:
    """Mains hum: the average prominence of its harmonics (dB), their number, the mains frequency, and the level."""

    prominence_db: float
    harmonics: int
    mains_hz: float
    level_dbfs: float


class HumFinder:
    """Averages the spectrum of sound downsampled to 1 kHz, in half-overlapping segments of 4 s (Welch)."""

    def __init__(self) -> None:
        step = (np.arange(TAPS) - TAPS // 2) / THIN
        taps = np.sinc(step * 0.84) * np.blackman(TAPS)
        self._taps = taps / np.sum(taps)
        self._history: NDArray[np.float64] = np.zeros(TAPS - 1)
        self._thin: NDArray[np.float64] = np.zeros(0)
        self._sum: NDArray[np.float64] = np.zeros(SEGMENT // 2 + 1)
        self._weight = 0.0
        self._phase = 0
        self.segments = 0

    def feed(self, samples: Samples) -> None:
        """Take mono sound at 16 kHz, in pieces of any size."""
        if not samples.size:
            return
        joined = np.concatenate([self._history, samples])
        low = np.convolve(joined, self._taps, "valid")
        self._history = joined[len(joined) - TAPS + 1 :]
        self._thin = np.concatenate([self._thin, low[self._phase :: THIN]])
        self._phase = (self._phase - len(low)) % THIN
        while len(self._thin) >= SEGMENT:
            self._add(self._thin[:SEGMENT])
            self._thin = self._thin[HOP:]

    def _add(self, segment: NDArray[np.float64]) -> None:
        power = _power(segment)
        weight = 1.0 / (float(np.sum(power[VOICED])) + 1e-12)
        self._sum += power * weight
        self._weight += weight
        self.segments += 1

    def hum(self) -> Hum | None:
        """Return the hum found so far (prominence 0 if there is none), or None before there are 2.5 s of sound."""
        if not self.segments and len(self._thin) < SHORTEST:
            return None
        power = self._sum / self._weight if self.segments else _power(self._thin)
        found = [_hum(power, mains) for mains in MAINS_HZ]
        return max(found, key=lambda hum: hum.prominence_db * hum.harmonics)


def _power(segment: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power of each bin of 0.25 Hz; bins add up to the mean power of a whole segment."""
    shape = _hann(len(segment))
    return np.abs(np.fft.rfft(segment * shape, SEGMENT)) ** 2 * 2.0 / (SEGMENT * float(np.sum(shape**2)))


def _hum(power: NDArray[np.float64], mains: float) -> Hum:
    frequency = np.arange(len(power)) * THIN_HZ / SEGMENT
    stands_out, level = [], 0.0
    for harmonic in range(1, HARMONICS + 1):
        away = np.abs(frequency - harmonic * mains)
        line = power[away <= LINE_HZ]
        around = float(np.median(power[(away > GUARD_HZ) & (away < NEAR_HZ)]))
        over = _db(float(np.max(line))) - _db(around)
        if over > PROMINENT_DB:
            stands_out.append(over)
            level += float(np.sum(line))
    if len(stands_out) < 2:  # noqa: PLR2004 - one line alone is a tone, not the mains
        return Hum(0.0, len(stands_out), mains, _db(level))
    return Hum(float(np.mean(stands_out)), len(stands_out), mains, _db(level))


def mean_bands(rows: Sequence[Bands]) -> Bands | None:
    """Return the mean of the windows' band powers, or None if there are no windows."""
    return np.asarray(np.mean(rows, axis=0)) if rows else None


def _hann(count: int) -> NDArray[np.float64]:
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(count) / count)


def _db(power: float) -> float:
    return float(10.0 * np.log10(max(float(power), 1e-15)))
