"""Whether the time of day goes on as it should: what was told an hour ago may be a clock that was set."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

__all__ = ["JUMP_S", "TimeOfDay"]

JUMP_S: Final = 30.0
"""More than this between two looks is no slewing and no leap second: somebody or something set the clock."""


class TimeOfDay:
    """Compares the time of day with the monotonic clock, from one look to the next."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now, self._monotonic = now, monotonic
        self._before = (now(), monotonic())

    def jumped_s(self) -> float:
        """Return by how much the clock was set since the last look: positive is forward; 0 for less than `JUMP_S`."""
        before, before_s = self._before
        now, now_s = self._before = (self._now(), self._monotonic())
        jump_s = (now - before).total_seconds() - (now_s - before_s)
        return jump_s if abs(jump_s) > JUMP_S else 0.0
