"""Admission: above the measured capacity a participant waits in a visible queue, first come first served."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence

from readiness.media.pool import MediaWorker, PoolFull, WorkerPool

__all__ = ["Admission"]

POLL_S = 0.5
TELL_S = 2.0
TYPICAL_TEST_S = 45.0
"""How long a self-test takes, s; only the estimate in the queue rests on it."""
LONGEST_QUEUE = 200
LINES_PER_CORE = 2
"""A line takes a tenth of a core for five seconds; its stamps suffer long before the core is full."""


class Admission:
    """The door to the media workers."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.lines = asyncio.Semaphore(LINES_PER_CORE * (os.cpu_count() or 1))
        """Lines that are measured at once: the others wait some seconds, while their people answer a question."""
        self._waiting: list[object] = []

    @property
    def waiting(self) -> int:
        """How many wait in the queue."""
        return len(self._waiting)

    async def admit(
        self, addresses: Sequence[tuple[str, str]], tell: Callable[[int, float], Awaitable[None]]
    ) -> MediaWorker:
        """Return a worker of one's own, bound to `addresses` (public, local).

        While there is none, `tell(place, eta_s)` is called every 2 s. Raises PoolFull when even the queue is full.
        """
        if len(self._waiting) >= LONGEST_QUEUE:
            raise PoolFull
        ticket = object()
        self._waiting.append(ticket)
        told_ago = TELL_S
        try:
            while True:
                place = self._waiting.index(ticket)
                if place == 0:
                    try:
                        return await self.pool.acquire(addresses=addresses)
                    except PoolFull:
                        pass
                if told_ago >= TELL_S:
                    told_ago = 0.0
                    await tell(place + 1, self._eta_s(place))
                await asyncio.sleep(POLL_S)
                told_ago += POLL_S
        finally:
            self._waiting.remove(ticket)

    def _eta_s(self, place: int) -> float:
        return round((place + 1) * TYPICAL_TEST_S / max(1, self.pool.capacity))
