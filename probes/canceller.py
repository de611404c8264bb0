"""Whether a device takes the loudspeaker's sound out of its own microphones, told with somebody who listens and claps.

Speakerphones and video bars do, and then a healthy room looks deaf. Only a person can tell them from a loudspeaker that
is off: the tone was heard in the room, the microphone hears a clap, and yet the tone is not in the recording, or fades
within it as the canceller learns. Plain figures; numpy for the clap alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from probes.acoustics import RATE_HZ
from probes.estimates import median
from probes.loop import LoopFigures
from probes.room_sound import treble_db

__all__ = ["CLAP_DB", "clap_db", "is_taken_out"]

FADES_DB: Final = -24.0
"""Treble against body of a tone that rises for a second, if the canceller learns within that second. The loudspeaker of
a made room under a cloth has -20."""
CLAP_DB: Final = 20.0
"""A clap in the room is at least this far over its noise; footsteps and a chair are not."""
MOMENT_S: Final = 0.01
SKIPPED_S: Final = 0.3
"""The beginning of a stream, where buffers fill."""


def is_taken_out(figures: LoopFigures) -> bool:
    """Return whether no microphone hears the tone, or it fades while it is played."""
    heard = [path for path in figures.of_microphones() if path.is_heard]
    middle = median([treble_db(path) for path in heard])
    return middle is None or middle <= FADES_DB


def clap_db(sound: NDArray[np.float32]) -> float:
    """Return the loudest hundredth of a second of frames x channels over the usual one, dB, in the best channel.

    0 for silence: a microphone that gives exact zeros between sounds is judged by what it gives then.
    """
    count = round(MOMENT_S * RATE_HZ)
    begin = round(SKIPPED_S * RATE_HZ)
    whole = sound[begin : begin + (len(sound) - begin) // count * count].reshape(-1, count, sound.shape[1])
    power = np.mean(whole.astype(np.float64) ** 2, axis=1)
    if not len(power) or not np.any(power):
        return 0.0
    floor = np.maximum(np.median(power, axis=0), 1e-12)
    return float(10.0 * np.log10(np.max(power.max(axis=0) / floor)))
