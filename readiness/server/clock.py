"""Detects jumps of the time of day: an apparently lost hour may be a clock that was set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

__all__ = ["JUMP_S", "TimeOfDay"]

JUMP_S: Final = 30.0
"""A difference above this is neither slewing nor a leap second: the clock was set."""


class TimeOfDay:
    """Compares the time of day with the monotonic clock between calls."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now, self._monotonic = now, monotonic
        self._before = (now(), monotonic())

    def jumped_s(self) -> float:
        """Return by how many s the clock was set since the last call, positive if forward; 0 below `JUMP_S`."""
        before, before_s = self._before
        now, now_s = self._before = (self._now(), self._monotonic())
        jump_s = (now - before).total_seconds() - (now_s - before_s)
        return jump_s if abs(jump_s) > JUMP_S else 0.0
