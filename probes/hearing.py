"""Hearing: speech found also where the detector alone does not: quiet or whispered, and in high voices.

Silero is less sure of quiet speech, so what it is given is brought up to an ordinary level first, by 20 dB at the most;
and of voices over 280 Hz and of whispers, which have no pitch. While nobody was heard clearly yet, a second detector
gets the same sound slowed down; and once something was heard, also with a pitch: its loudness goes up and down 125
times a second, as a throat would make it. Noise stays noise by that, for it does not change as syllables do. Own
measurement; figures are in ``readiness/docs/sound.md``. Keeps no more sound than one window.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Detector", "Hearing"]

WINDOW_SAMPLES: Final = 512
LOUD: Final = 0.1
"""RMS that quiet sound is brought up to: -20 dBFS."""
MOST_GAIN: Final = 10.0
"""20 dB; more would bring up the noise of a quiet room to where speech is."""
FADING: Final = 0.997
"""How the loudest window so far is forgotten, for each window: by half in 7 s."""
SLOWED: Final = 1.25
"""A voice of 350 Hz becomes one of 280 Hz."""
PITCH_SAMPLES: Final = 128
"""125 Hz, where the slowed sound is; a slowed window holds five of them."""
PITCH_POWER: Final = 3
"""How narrow the pulses are, a power of a raised cosine: with 1 whispers gain less, with 6 noise is taken for them."""
HALF_TAPS: Final = 16
"""Samples on either side that a sample between two others is made of."""

Samples = NDArray[np.float32]


class Detector(Protocol):
    """Anything that gives one speech probability per 512 samples at 16 kHz, such as `probes.speech.SpeechDetector`."""

    def feed(self, samples: Samples, /) -> list[float]:
        """Take samples, return a probability for each window that became full."""


class Hearing:
    """One stream of windows through one detector, or two."""

    def __init__(self, detector: Detector, slowed: Detector | None = None) -> None:
        self._detector = detector
        self._slowed = slowed
        self._loudest = 0.0
        self._last = 0.0
        self._before = np.zeros(2 * HALF_TAPS, np.float32)
        self._between = _interpolation()
        self._pitch = _pulses()

    def probability(self, window: Samples, *, listen_again: bool, with_pitch: bool = False) -> float:
        """Return how probable speech is in one window; `listen_again` asks the second detector too.

        `with_pitch` gives that one the sound with a pitch put on it. Animals gain by that as whispers do, so it is for
        where some speech was found without.
        """
        self._loudest = max(self._loudest * FADING, float(np.sqrt(np.mean(window**2))))
        gain = min(MOST_GAIN, max(1.0, LOUD / max(self._loudest, 1e-6)))
        louder = np.clip(window * np.float32(gain), -1.0, 1.0)
        found = self._detector.feed(louder)[-1]
        if self._slowed is not None and listen_again:
            slow = self._between @ np.concatenate([self._before, louder])
            if with_pitch:
                slow = np.clip(slow * self._pitch, -1.0, 1.0)
            self._last = max(self._slowed.feed(slow), default=self._last)
            found = max(found, self._last)
        self._before = louder[-2 * HALF_TAPS :]
        return found


def _pulses() -> Samples:
    """Return what a slowed window is multiplied by: pulses that leave the power as it is."""
    turn = 2.0 * np.pi * np.arange(round(WINDOW_SAMPLES * SLOWED)) / PITCH_SAMPLES
    pulses = (1.0 + np.cos(turn)) ** PITCH_POWER
    return np.asarray(pulses / np.sqrt(np.mean(pulses**2)), np.float32)


def _interpolation() -> Samples:
    """Return what makes `SLOWED` times as many samples of a window and the samples before it: a windowed sinc each."""
    places = HALF_TAPS + np.arange(round(WINDOW_SAMPLES * SLOWED)) / SLOWED
    away = np.arange(WINDOW_SAMPLES + 2 * HALF_TAPS)[None, :] - places[:, None]
    taps = np.sinc(away) * (0.5 + 0.5 * np.cos(np.pi * np.clip(away / HALF_TAPS, -1, 1)))
    return np.asarray(taps, np.float32)
