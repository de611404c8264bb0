"""Hearing: finds speech that the detector alone misses: quiet, whispered, or in high voices.

Silero is less sure of quiet speech, so what it is given is brought up to an ordinary level first, by 20 dB at the most;
and of voices over 280 Hz and of whispers, which have no pitch. While that detector alone heard nobody clearly, a second
one gets the same sound slowed down; and once something was heard, also with a pitch: its loudness goes up and down 125
times a second, as a throat would make it. Noise stays noise by that, for it does not change as syllables do. Own
measurement; figures are in ``readiness/docs/sound.md``. Keeps no more sound than one window.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Detector", "Hearing"]

WINDOW_SAMPLES: Final = 512
LOUD: Final = 0.1
"""RMS to which quiet sound is amplified: -20 dBFS."""
MOST_GAIN: Final = 10.0
"""20 dB; more would amplify the noise of a quiet room to the level of speech."""
FADING: Final = 0.997
"""Decay of the loudest level so far with each window: by half in 7 s."""
SLOWED: Final = 1.25
"""A voice of 350 Hz becomes one of 280 Hz."""
PITCH_SAMPLES: Final = 128
"""Period of 125 Hz in the slowed sound; a slowed window has five."""
PITCH_POWER: Final = 3
"""Narrowness of the pulses, as a power of a raised cosine: with 1 whispers gain less, with 6 noise gains too."""
HALF_TAPS: Final = 16
"""Samples on either side that an interpolated sample is made of."""

Samples = NDArray[np.float32]


class Detector(Protocol):
    """Gives one speech probability per 512 samples at 16 kHz, such as `probes.speech.SpeechDetector`."""

    def feed(self, samples: Samples, /) -> list[float]:
        """Take samples; return a probability for each window that is full."""


class Hearing:
    """One stream of windows through one detector, or two."""

    def __init__(self, detector: Detector, slowed: Detector | None = None) -> None:
        self._detector = detector
        self._slowed = slowed
        self._loudest = 0.0
        self._last = 0.0
        self.alone = 0.0
        """The first detector's own probability for the newest window."""
        self._before = np.zeros(2 * HALF_TAPS, np.float32)
        self._between = _interpolation()
        self._pitch = _pulses()

    def probability(self, window: Samples, *, listen_again: bool, with_pitch: bool = False) -> float:
        """Return the probability of speech in one window; `listen_again` asks the second detector too.

        `with_pitch` adds a pitch to the second one's sound. That helps animals as much as whispers, so it is only for
        sound in which some speech was found without it.
        """
        self._loudest = max(self._loudest * FADING, float(np.sqrt(np.mean(window**2))))
        gain = min(MOST_GAIN, max(1.0, LOUD / max(self._loudest, 1e-6)))
        louder = np.clip(window * np.float32(gain), -1.0, 1.0)
        found = self.alone = self._detector.feed(louder)[-1]
        if self._slowed is not None and listen_again:
            slow = self._between @ np.concatenate([self._before, louder])
            if with_pitch:
                slow = np.clip(slow * self._pitch, -1.0, 1.0)
            self._last = max(self._slowed.feed(slow), default=self._last)
            found = max(found, self._last)
        self._before = louder[-2 * HALF_TAPS :]
        return found


@cache
def _pulses() -> Samples:
    """Return the pulses that a slowed window is multiplied by; they keep its power."""
    turn = 2.0 * np.pi * np.arange(round(WINDOW_SAMPLES * SLOWED)) / PITCH_SAMPLES
    pulses = (1.0 + np.cos(turn)) ** PITCH_POWER
    return np.asarray(pulses / np.sqrt(np.mean(pulses**2)), np.float32)


@cache
def _interpolation() -> Samples:
    """Return windowed sincs that make `SLOWED` times as many samples of a window and the samples before it.

    Cached, like the pulses: making them takes longer than hearing many windows. Shared, so never written to.
    """
    places = HALF_TAPS + np.arange(round(WINDOW_SAMPLES * SLOWED)) / SLOWED
    away = np.arange(WINDOW_SAMPLES + 2 * HALF_TAPS)[None, :] - places[:, None]
    taps = np.sinc(away) * (0.5 + 0.5 * np.cos(np.pi * np.clip(away / HALF_TAPS, -1, 1)))
    return np.asarray(taps, np.float32)
