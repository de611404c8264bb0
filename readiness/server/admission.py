"""Admission: beyond the measured capacity people wait in a visible queue, and so do lines that are to be measured.

In both queues people with an invitation come first and have a share of their own: anybody may try the test without an
invitation, but must not keep a patient out.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from readiness.media.pool import MediaWorker, PoolFull, WorkerPool

__all__ = ["Admission", "Lines"]

POLL_S = 0.5
TELL_S = 2.0
TYPICAL_TEST_S = 45.0
"""Duration of a self-test, s; used only for the estimate in the queue."""
LONGEST_QUEUE = 200
"""Most invited people who may wait at one process."""
LONGEST_GUEST_QUEUE = 100
LONGEST_PREFIX_QUEUE = 25
"""Most people who may wait without an invitation: in all, and per /32 or /64, so that no address fills the queue."""
GUESTS_PER_PREFIX = 3
"""Most tests without an invitation at a time per /32 or /64; others from there wait."""
KEPT_SHARE = 4
"""One place in this many, and at least one of two, is reserved for the invited."""
LINES_PER_CORE = 2
"""A line takes a tenth of a core for five seconds, but its time stamps suffer long before the core is full."""


def _for_guests(places: int) -> int:
    """Return how many of `places` people without an invitation may take; a single place is open to them."""
    return places if places <= 1 else places - max(1, places // KEPT_SHARE)


class Lines:
    """The lines that this machine can time at once; others wait while their people answer a question."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._invited, self._guests = 0, 0
        self._waiting: dict[bool, list[asyncio.Future[None]]] = {True: [], False: []}

    @property
    def free(self) -> int:
        """How many more lines could be measured now."""
        return self.places - self._invited - self._guests

    async def acquire(self, *, invited: bool = True) -> bool:
        """Wait for a place. The invited come first, and the last places are reserved for them."""
        if not self._waiting[True] and self._take(invited=invited):
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiting[invited].append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release(invited=invited)
            else:
                self._waiting[invited].remove(turn)
            raise
        return True

    def release(self, *, invited: bool = True) -> None:
        """Return a place, which goes to the next in line."""
        if invited:
            self._invited -= 1
        else:
            self._guests -= 1
        for kind in (True, False):
            waiting = self._waiting[kind]
            while waiting and self._take(invited=kind):
                waiting.pop(0).set_result(None)

    def _take(self, *, invited: bool) -> bool:
        if self.free <= 0 or (not invited and self._guests >= _for_guests(self.places)):
            return False
        if invited:
            self._invited += 1
        else:
            self._guests += 1
        return True


@dataclass(eq=False, slots=True)
class _Ticket:
    """A person who waits; `prefix` is the network of a person without an invitation."""

    prefix: str | None
    starting: bool = False


class Admission:
    """The door to the media workers."""

    def __init__(self, pool: WorkerPool, *, processes: int = 1) -> None:
        self.pool = pool
        self.lines = Lines(LINES_PER_CORE * (os.cpu_count() or 1))
        self.guests_per_prefix = max(1, GUESTS_PER_PREFIX // processes)
        self.spoken_for: Callable[[], int] = lambda: 0
        """Places occupied by other work for the invited, where guests cannot begin."""
        self._invited: list[_Ticket] = []
        self._guests: list[_Ticket] = []
        self._running: dict[MediaWorker, str] = {}
        """Workers of people without an invitation, with their network prefix."""

    @property
    def waiting(self) -> int:
        """Number of people in the queue."""
        return len(self._invited) + len(self._guests)

    @property
    def waiting_guests(self) -> int:
        """Number of people in the queue without an invitation."""
        return len(self._guests)

    @property
    def running_guests(self) -> int:
        """Number of running tests without an invitation."""
        return sum(not worker.ended for worker in self._running)

    async def admit(
        self,
        addresses: Sequence[tuple[str, str]],
        tell: Callable[[int, float], Awaitable[None]],
        *,
        guest: str | None = None,
    ) -> MediaWorker:
        """Return a worker for the caller alone, bound to `addresses` (public, local).

        `guest` is the network prefix of a person without an invitation. While the caller waits, `tell(place, eta_s)` is
        called every 2 s. Raises PoolFull if the queue is full too.
        """
        self._refuse_full(guest)
        ticket = _Ticket(guest)
        queue = self._invited if guest is None else self._guests
        queue.append(ticket)
        told_ago = TELL_S
        try:
            while True:
                if self._is_next(ticket):
                    try:
                        return await self._start(ticket, addresses)
                    except PoolFull:
                        pass
                if told_ago >= TELL_S:
                    told_ago = 0.0
                    before = queue[: queue.index(ticket)] + ([] if guest is None else self._invited)
                    place = sum(not one.starting for one in before)
                    await tell(place + 1, self._eta_s(place))
                await asyncio.sleep(POLL_S)
                told_ago += POLL_S
        finally:
            queue.remove(ticket)

    def _refuse_full(self, guest: str | None) -> None:
        if guest is None:
            if len(self._invited) >= LONGEST_QUEUE:
                raise PoolFull
            return
        from_there = sum(ticket.prefix == guest for ticket in self._guests)
        if len(self._guests) >= LONGEST_GUEST_QUEUE or from_there >= LONGEST_PREFIX_QUEUE:
            raise PoolFull

    def _is_next(self, ticket: _Ticket) -> bool:
        """Whether a free place goes to this ticket: the first invited one, else the first guest who may take it."""
        invited = next((one for one in self._invited if not one.starting), None)
        if ticket.prefix is None or invited is not None:
            return invited is ticket
        running = self._running_guests()
        if running.total() + self.spoken_for() >= _for_guests(self.pool.capacity):
            return False
        waiting = (one for one in self._guests if not one.starting)
        return next((one for one in waiting if running[one.prefix or ""] < self.guests_per_prefix), None) is ticket

    def _running_guests(self) -> Counter[str]:
        """Return the number of running tests without an invitation, by network prefix."""
        for worker in [one for one in self._running if one.ended]:
            del self._running[worker]
        return Counter([*self._running.values(), *(one.prefix or "" for one in self._guests if one.starting)])

    async def _start(self, ticket: _Ticket, addresses: Sequence[tuple[str, str]]) -> MediaWorker:
        ticket.starting = True
        try:
            worker = await self.pool.acquire(addresses=addresses)
        finally:
            ticket.starting = False
        if ticket.prefix is not None:
            self._running[worker] = ticket.prefix
        return worker

    def _eta_s(self, place: int) -> float:
        return round((place + 1) * TYPICAL_TEST_S / max(1, self.pool.capacity))
