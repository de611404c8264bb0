"""Rooms for the sound benchmark: the response from a loudspeaker to a microphone, by the image-source method.

Allen and Berkley, "Image method for efficiently simulating small-room acoustics", 1979: a rectangular room, the same
absorption on every wall from Sabine's formula, fractional delays by a windowed sinc. Numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROOMS", "Room", "at_distance", "response", "through"]

SOUND_M_S: Final = 343.0
RATE_HZ: Final = 16_000
HALF_TAPS: Final = 20

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Room:
    """A rectangular room, its reverberation time and how far the microphone is from the loudspeaker."""

    size_m: tuple[float, float, float]
    rt60_s: float
    distance_m: float

    @property
    def delay_ms(self) -> float:
        """The direct way, ms."""
        return 1000.0 * self.distance_m / SOUND_M_S


ROOMS: Final = (
    Room((4.0, 3.0, 2.5), 0.3, 0.3),
    Room((4.0, 3.0, 2.5), 0.3, 1.0),
    Room((5.0, 4.0, 2.6), 0.4, 0.5),
    Room((5.0, 4.0, 2.6), 0.5, 2.0),
    Room((6.0, 4.5, 2.8), 0.6, 1.0),
    Room((6.0, 4.5, 2.8), 0.6, 3.0),
    Room((7.0, 5.0, 3.0), 0.8, 2.0),
)
"""A laptop on a desk to a meeting room with the microphone across the table."""


def response(room: Room, random: np.random.Generator) -> Sound:
    """Return the impulse response at 16 kHz, as long as the room rings down by 60 dB; energy 1."""
    size = np.array(room.size_m)
    source, microphone = _places(room, random)
    reflect = np.sqrt(1.0 - min(0.95, _absorption(size, room.rt60_s)))
    length = int(RATE_HZ * (room.rt60_s + 0.1))
    reach = np.ceil(room.rt60_s * SOUND_M_S / (2 * size)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-most, most + 1) for most in reach), indexing="ij"), -1).reshape(-1, 3)
    made = np.zeros(length + 4 * HALF_TAPS)
    for side in np.ndindex(2, 2, 2):
        flip = np.array(side)
        image = (1 - 2 * flip) * source + 2 * grid * size
        distance = np.linalg.norm(image - microphone, axis=1)
        bounces = np.sum(np.abs(grid - flip) + np.abs(grid), axis=1)
        _add(made, distance * RATE_HZ / SOUND_M_S, reflect**bounces / np.maximum(distance, 0.1), length)
    return np.asarray(made / np.sqrt(np.sum(made**2)))


def at_distance(sound: Sound, room: Room, random: np.random.Generator) -> Sound:
    """Return `sound` as a microphone at the room's distance hears it, as strong as it was."""
    heard = through(sound, response(room, random))
    return np.asarray(heard * np.sqrt(np.mean(sound**2) / np.mean(heard**2)))


def through(sound: Sound, taps: Sound) -> Sound:
    """Return `sound` after the response `taps`, as long as it was."""
    size = 1 << (len(sound) + len(taps)).bit_length()
    return np.asarray(np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(taps, size), size)[: len(sound)])


def _places(room: Room, random: np.random.Generator) -> tuple[Sound, Sound]:
    """Return where the loudspeaker and the microphone stand: at least 0.4 m from every wall."""
    size = np.array(room.size_m)
    for _ in range(1000):
        source = random.uniform(0.4, size - 0.4)
        angle, tilt = random.uniform(0, 2 * np.pi), random.uniform(-0.2, 0.2)
        way = np.array([np.cos(angle) * np.cos(tilt), np.sin(angle) * np.cos(tilt), np.sin(tilt)])
        microphone = source + room.distance_m * way
        if np.all(microphone > 0.4) and np.all(microphone < size - 0.4):
            return source, microphone
    raise ValueError("the room is too small for this distance")


def _absorption(size: Sound, rt60_s: float) -> float:
    x, y, z = size
    return float(0.161 * x * y * z / (rt60_s * 2 * (x * y + y * z + x * z)))


def _add(made: Sound, delay: Sound, gain: Sound, length: int) -> None:
    kept = (delay < length) & (gain > 1e-5)
    delay, gain = delay[kept], gain[kept]
    whole = np.round(delay).astype(int)
    steps = np.arange(-HALF_TAPS, HALF_TAPS + 1)
    away = steps[None, :] - (delay - whole)[:, None]
    taps = np.sinc(away) * (0.5 + 0.5 * np.cos(np.pi * away / (HALF_TAPS + 1)))
    places = whole[:, None] + steps[None, :]
    inside = places >= 0
    np.add.at(made, places[inside], (gain[:, None] * taps)[inside])
