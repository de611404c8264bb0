"""The level of a test's sound over time, with speech marked, for a drawing. No sound can be recovered from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

__all__ = ["MAX_POINTS", "sound_curve"]

MAX_POINTS: Final = 100
"""Most points: 0.1 to 0.4 s each, so coarse that a report stays small and no word can be guessed."""
LEAST_WINDOWS: Final = 4
"""Fewest windows per point: 0.13 s."""
LOWEST_DB: Final = 99


def sound_curve(windows: Sequence[tuple[float, bool]]) -> dict[str, str]:
    """Return ``level_curve`` and ``speech_curve`` of windows of (level in dBFS, is speech).

    ``level_curve`` holds, for each point, two digits: whole dB under full scale (99 is 99 or more). ``speech_curve``
    holds 1 where more than half of the point is speech, else 0.
    """
    size = max(LEAST_WINDOWS, math.ceil(len(windows) / MAX_POINTS))
    points = [windows[start : start + size] for start in range(0, len(windows), size)]
    levels = [min(LOWEST_DB, max(0, round(-max(level for level, _ in point)))) for point in points]
    speech = ["1" if 2 * sum(said for _, said in point) > len(point) else "0" for point in points]
    return {"level_curve": "".join(f"{level:02d}" for level in levels), "speech_curve": "".join(speech)}
