"""Others: how far a voice stands above people talking around it, judged by the sound while silence was asked for.

The speech detector takes many voices for one more person, so there are no pauses to read the noise from. But in the
requested silence only the others talk. Many voices fill even its quietest moments, while a single one (a TV, or a
person who starts too early) leaves gaps. So the quietest fifth of that silence stands for the noise. Pure figures, no
limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from probes.estimates import mean, quantile

__all__ = ["OTHERS_S", "over_others_db"]

OTHERS_S: Final = 1.0
"""Speech during the requested silence from which on somebody else is talking, s."""
MIN_WINDOWS: Final = 31
"""One second of requested silence, and one after it, before there is a result."""
QUIETEST: Final = 0.2
"""Quietest share of the requested silence, which even a person who starts too early leaves free."""
BIAS_DB: Final = 3.0
"""Seven voices together are at least this much louder than their quietest fifth (2.8 to 5.3 dB, tuning part)."""
SPEAKING: Final = 0.5
"""Loudest share of the time after speech was asked for, in which we assume that the person speaks."""
LEAST_SHARE: Final = 1e-3
"""Least share of the power that is left after subtracting the noise: -30 dB."""


def over_others_db(silence: Sequence[float], asked: Sequence[float]) -> float | None:
    """Return how far the requested speech stands above the voices in the silence, dB; both are powers of windows.

    None until speech has been asked for as long as silence was: until then the person may not have begun.
    """
    if len(silence) < MIN_WINDOWS or len(asked) < max(MIN_WINDOWS, len(silence)):
        return None
    noise = (quantile(silence, QUIETEST) or 0.0) * 10 ** (BIAS_DB / 10)
    loud = mean(sorted(asked)[int(len(asked) * (1 - SPEAKING)) :]) or 0.0
    if noise <= 0 or loud <= 0:
        return None
    return 10.0 * math.log10(max(loud - noise, LEAST_SHARE * loud) / noise)
