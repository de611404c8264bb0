"""Others: how far a voice stands over people who talk around it, from what was heard while silence was asked for.

To the detector of speech many voices are one more person, so there is no pause to take the noise from. But the asked
silence holds nobody else, and even in its quietest moments many voices go on, where one person (a TV, or who talks too
early) leaves the room. So the quietest fifth of that silence stands for the noise. Pure figures, no limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from probes.estimates import mean, quantile

__all__ = ["OTHERS_S", "over_others_db"]

OTHERS_S: Final = 1.0
"""Speech in the asked silence from which on somebody else talks, s."""
MIN_WINDOWS: Final = 31
"""One second of asked silence, and of what came after it, before anything is said."""
QUIETEST: Final = 0.2
"""Share of the asked silence, the quietest, that even the voice of somebody who talks too early leaves free."""
BIAS_DB: Final = 3.0
"""Seven voices together are this much louder than their quietest fifth at the least (2.8 to 5.3 dB, tuning part)."""
SPEAKING: Final = 0.5
"""Share of the time after speech was asked for, the loudest, in which the person is taken to speak."""
LEAST_SHARE: Final = 1e-3
"""What is left of the power when the noise is taken out is at least this share of it: -30 dB."""


def over_others_db(silence: Sequence[float], asked: Sequence[float]) -> float | None:
    """Return how far what was asked for stands over the voices of the silence, dB; both are powers of windows.

    None before speech was asked for as long as silence was: until then the person may not have begun.
    """
    if len(silence) < MIN_WINDOWS or len(asked) < max(MIN_WINDOWS, len(silence)):
        return None
    noise = (quantile(silence, QUIETEST) or 0.0) * 10 ** (BIAS_DB / 10)
    loud = mean(sorted(asked)[int(len(asked) * (1 - SPEAKING)) :]) or 0.0
    if noise <= 0 or loud <= 0:
        return None
    return 10.0 * math.log10(max(loud - noise, LEAST_SHARE * loud) / noise)
