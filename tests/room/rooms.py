"""Meeting rooms made of arrays: loudspeakers, air, microphones and noise, with the faults that rooms have.

Written after the software room that PipeWire makes (a convolver for each path); here it costs no sound card.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from probes.acoustics import RATE_HZ
from probes.loop import LoopFigures, Recording, listen

Sound = NDArray[np.floating]
NOWHERE = -np.inf
LATENCY_MS = 180.0
"""Of the card's buffers: nobody knows it beforehand."""


def air(delay_ms: float, gain_db: float, seed: int, *, rt60_s: float = 0.4, tail_db: float = -14.0) -> Sound:
    """Impulse response of one path: direct sound, then an exponential tail."""
    rng, count = np.random.default_rng(seed), RATE_HZ // 2
    response = np.zeros(count)
    whole, part = divmod(delay_ms * RATE_HZ / 1000, 1)
    first = int(whole)
    response[first], response[first + 1] = 1 - part, part
    time_s = np.arange(count - first - 96) / RATE_HZ
    tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / rt60_s)
    response[first + 96 :] += tail * 10 ** (tail_db / 20) / np.sqrt((tail**2).sum())
    return (response * 10 ** (gain_db / 20)).astype(np.float32)


def convolved(sound: Sound, response: Sound) -> Sound:
    """`sound` as it arrives over a path, as long as it was."""
    length = len(sound) + len(response)
    return np.fft.irfft(np.fft.rfft(sound, length) * np.fft.rfft(response, length), length)[: len(sound)]


def pink(rng: np.random.Generator, count: int) -> Sound:
    """Noise as ventilation makes it, of RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20.0))
    noise = np.fft.irfft(spectrum, count)
    return noise / np.std(noise)


def dull(sound: Sound, edge_hz: float = 2000.0) -> Sound:
    """`sound` through a cloth: 18 dB an octave from `edge_hz` on."""
    spectrum = np.fft.rfft(sound)
    frequency = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    return np.fft.irfft(spectrum / np.maximum(1.0, frequency / edge_hz) ** 3, len(sound))


@dataclass
class Room:
    """A card in a room: two loudspeakers, two microphones, and a reference channel at the end if wanted."""

    seed: int = 1
    gains_db: NDArray[np.float64] = field(default_factory=lambda: np.full((2, 2), -20.0))
    """Of each loudspeaker in each microphone; -inf where there is no way."""
    noise_dbfs: float = -65.0
    volume_db: float = 0.0
    zero: frozenset[int] = frozenset()
    """Channels without a signal."""
    is_gated: bool = False
    """The microphones give exact zeros while nothing is played, as speakerphones do."""
    covered: frozenset[int] = frozenset()
    """Microphones under a cloth."""
    hum_dbfs: float | None = None
    amplified_db: float = 0.0
    """Gain of the microphones, after which they clip."""
    has_reference: bool = False
    plays: bool = True
    noise_comes_and_goes: bool = False
    flagged: int = 0
    """Recordings that still come with a flag in the middle."""
    always_flagged: bool = False
    played: list[float] = field(default_factory=list)
    """Peaks of what was played, in order."""

    def __post_init__(self) -> None:
        self._ways: dict[tuple[int, int, int], NDArray[np.complexfloating]] = {}
        self._rng = np.random.default_rng(self.seed + 1000)
        self._pool = np.tile(pink(self._rng, 1 << 18).astype(np.float32), 2)
        self._air = [
            [air(LATENCY_MS + 5.0 + 2.5 * channel + 1.0 * speaker, 0.0, 100 * self.seed + 10 * speaker + channel)
             for channel in range(2)] for speaker in range(2)
        ]  # fmt: skip

    @property
    def speakers(self) -> int:
        return 2

    @property
    def channels(self) -> int:
        return 2 + self.has_reference

    def play(self, sound: NDArray[np.float32]) -> Recording:
        self.played.append(float(np.max(np.abs(sound))))
        out = sound * np.float32(self.plays)
        length = len(out) + RATE_HZ // 2
        spectra = [np.fft.rfft(out[:, speaker], length) if np.any(out[:, speaker]) else None for speaker in range(2)]
        heard = np.zeros((len(sound), self.channels), np.float32)
        is_shut = self.is_gated and not np.any(out)
        for channel in set() if is_shut else set(range(2)) - self.zero:
            heard[:, channel] = self._at(channel, spectra, length, len(out))
        if self.has_reference:
            late = round(LATENCY_MS * RATE_HZ / 1000)
            heard[late:, 2] = out[:-late].sum(axis=1)
        flags = (len(sound) // 2,) if self.flagged or self.always_flagged else ()
        self.flagged = max(0, self.flagged - 1)
        return Recording(heard, flags)

    def _at(self, channel: int, spectra: list, length: int, count: int) -> Sound:
        heard = self._noise(count)
        ways = 0.0
        for speaker, spectrum in enumerate(spectra):
            gain_db = self.gains_db[speaker, channel] + self.volume_db
            if np.isfinite(gain_db) and spectrum is not None:
                ways = ways + spectrum * self._way(speaker, channel, length) * np.float32(10 ** (gain_db / 20))
        if not np.isscalar(ways):
            heard += np.fft.irfft(ways, length)[:count]
        if channel in self.covered:
            heard = dull(heard)
        if self.hum_dbfs is not None:
            time_s = np.arange(count) / RATE_HZ
            heard += sum(np.sin(2 * np.pi * 50 * n * time_s) for n in (1, 2, 3)) * 10 ** (self.hum_dbfs / 20)
        return np.clip(heard * 10 ** (self.amplified_db / 20), -1.0, 1.0)

    def _way(self, speaker: int, channel: int, length: int) -> NDArray[np.complexfloating]:
        key = (speaker, channel, length)
        if key not in self._ways:
            self._ways[key] = np.fft.rfft(self._air[speaker][channel], length)
        return self._ways[key]

    def _noise(self, count: int) -> Sound:
        begin = int(self._rng.integers(1 << 18))
        noise = self._pool[begin : begin + count] * np.float32(10 ** (self.noise_dbfs / 20))
        if self.noise_comes_and_goes:
            noise *= np.interp(np.arange(count), np.linspace(0, count, 12), self._rng.uniform(0.2, 2.0, 12))
        return noise


@dataclass
class Speakerphone(Room):
    """A room whose device takes the loudspeaker's sound out of its microphones: by 40 dB after a while, or at once."""

    converges_s: float | None = 1.0
    """None: nothing of it ever leaks."""

    def _at(self, channel: int, spectra: list, length: int, count: int) -> Sound:
        quiet = super()._at(channel, [None] * len(spectra), length, count)
        if self.converges_s is None:
            return quiet
        noise, self.noise_dbfs = self.noise_dbfs, -300.0
        loop = super()._at(channel, spectra, length, count)
        self.noise_dbfs = noise
        begun = np.flatnonzero(np.abs(loop) > 1e-7)
        since_s = np.clip((np.arange(count) - (begun[0] if len(begun) else count)) / RATE_HZ, 0.0, None)
        return quiet + loop * 10 ** (-2.0 * np.minimum(1.0, since_s / self.converges_s))


HEARD: dict[str, LoopFigures] = {}
"""What was heard in a room with a fault: several rows differ only in what else is known."""


def faulty(seed: int, **fault) -> LoopFigures:
    key = f"{seed} {fault}"
    if key not in HEARD:
        HEARD[key] = listen(Room(seed, **fault), reference=2 if fault.get("has_reference") else None)
    return HEARD[key]


def gains(**by_path: float):
    """-20 dB everywhere but for paths such as ``s0m1``."""
    found = np.full((2, 2), -20.0)
    for name, gain in by_path.items():
        found[int(name[1]), int(name[3])] = gain
    return found


SILENT = np.full((2, 2), NOWHERE)


@cache
def furniture(size: tuple[int, int]) -> NDArray[np.uint8]:
    across = np.linspace(40, 190, size[0])[None, :, None] + np.zeros((size[1], 1, 3))
    across[:, :: size[0] // 8] = 230
    return across.astype(np.uint8)


def lively(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A room with furniture and the noise of a sensor, in every picture another one."""
    return furniture(size) + np.random.default_rng(number).integers(0, 16, (size[1], size[0], 3), np.uint8)
