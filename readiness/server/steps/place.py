"""A live test's place among the lines that this machine can time at once."""

from __future__ import annotations

import asyncio

from readiness.server.admission import Lines

__all__ = ["Place"]

MAX_HOLD_S = 90.0
"""Longest a stalled page may hold its place."""


class Place:
    """Taken once for all network phases; given back when every direction is finished, or after `MAX_HOLD_S`."""

    def __init__(self, lines: Lines, *, invited: bool) -> None:
        self._lines, self._invited = lines, invited
        self._place: asyncio.Task[bool] | None = None
        self._ends: asyncio.TimerHandle | None = None
        self._loading: set[str] = set()

    async def take(self) -> None:
        """Wait for the place; returns at once if it is already taken."""
        if self._place is None:
            self._place = asyncio.create_task(self._lines.acquire(invited=self._invited))
            self._ends = asyncio.get_running_loop().call_later(MAX_HOLD_S, self.give_back)
        await asyncio.wait({self._place})

    def load(self, phase: str) -> None:
        """Note that `phase` loads the line from now on."""
        self._loading.add(phase)

    def unload(self, phase: str) -> None:
        """Note that `phase` is finished; after the last one give the place back."""
        self._loading.discard(phase)
        if not self._loading:
            self.give_back()

    def give_back(self) -> None:
        """Give the place back, or stop waiting for it. Does nothing without one."""
        place, self._place = self._place, None
        if self._ends is not None:
            self._ends.cancel()
        if place is None:
            return
        if place.done() and not place.cancelled():
            self._lines.release(invited=self._invited)
        place.cancel()
