"""Limits full speed tests: a few callers at a time, a byte allowance each, and never at a self-test's expense.

The state is in memory, per process, as in `readiness.access.limits`. An invited person is a caller from any address.
Everybody else is a guest, whose caller is the /32 or /64; nothing that guests do can keep the invited out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from readiness.access.limits import MAX_PREFIXES, TokenBucket, prefix_of
from readiness.errors import LimitError, Unavailable

__all__ = ["CHUNK_BYTES", "WEIGHT", "Load", "SpeedGate", "Transfer"]

CHUNK_BYTES = 64 * 1024
"""Bytes that are moved, charged and paced at a time."""
MOST_MBPS = 200.0
"""Rate of all speed tests together: far above any meeting's need, but less than we can move beside self-tests."""
BURST_S = 0.1
"""Burst allowed above that rate at the start."""
MOST_RUNS = 2
"""Most callers at a time: more would measure each other. The invited take these places from guests."""
MOST_TRANSFERS = 16
"""Most connections of one caller; speedtest-cli opens eight."""
IDLE_S = 5.0
"""Idle time after which a caller's run is over."""
WEIGHT = 4
"""Self-tests that a speed test displaces: it uses 11 % of a core at the full rate, and a share of the line."""
CALLER_BYTES = 600e6
"""One whole run at the highest rate, 10 s each way, plus a margin."""
CALLER_BYTES_PER_S = 1e6
"""The allowance is restored within ten minutes."""
ALL_BYTES = 3e9
ALL_BYTES_PER_S = 5e6
"""40 Mbit/s on average over all callers, so that a stranger can't run up a bill."""
GUESTS_SHARE = 0.75
"""Guests' part of all bytes; the rest, more than one run, is reserved for the invited."""
LEAST_BYTES = 1e6
"""Least allowance to begin a run: with less its figures would mean nothing."""
BUSY_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """The present self-tests: running, waiting, and capacity. Both numbers include guests'."""

    running: int
    waiting: int
    capacity: int
    guests_running: int = 0
    guests_waiting: int = 0


@dataclass(slots=True)
class _Run:
    """One caller's speed test."""

    last_at: float
    transfers: int = 0


_Key = tuple[bool, str]
"""A caller: whether it is a guest, and the person or network prefix."""


def _key(caller: str, *, guest: bool) -> _Key:
    return guest, prefix_of(caller)  # a person's id is not an address and stays as it is


class Transfer:
    """One body in transfer, up or down."""

    def __init__(self, gate: SpeedGate, caller_bytes: TokenBucket, *, guest: bool) -> None:
        self._gate, self._caller_bytes, self._guest = gate, caller_bytes, guest

    async def may_move(self, size_bytes: int) -> bool:
        """Wait until `size_bytes` fit the common rate.

        Returns False if the allowance is used up, a self-test needs us, or this is a guest while an invited person
        measures.
        """
        if not self._gate.has_room(guest=self._guest):
            return False
        if not self._gate.pay(self._caller_bytes, size_bytes, guest=self._guest):
            return False
        await self._gate.pace(size_bytes)
        return True


class SpeedGate:
    """Admits callers to the speed test."""

    def __init__(self, load: Callable[[], Load], clock: Callable[[], float]) -> None:
        self._load, self._clock = load, clock
        bytes_per_s = MOST_MBPS * 1e6 / 8
        self._rate = TokenBucket(rate_per_s=bytes_per_s, burst=bytes_per_s * BURST_S, clock=clock)
        self._all = TokenBucket(rate_per_s=ALL_BYTES_PER_S, burst=ALL_BYTES, clock=clock)
        self._guests = TokenBucket(
            rate_per_s=GUESTS_SHARE * ALL_BYTES_PER_S, burst=GUESTS_SHARE * ALL_BYTES, clock=clock
        )
        self._allowances: dict[bool, OrderedDict[_Key, TokenBucket]] = {True: OrderedDict(), False: OrderedDict()}
        """Separate tables for guests and invited, so that no guest can push an invited person out."""
        self._runs: dict[_Key, _Run] = {}

    @property
    def runs(self) -> int:
        """Number of callers that are testing now."""
        self._forget_idle()
        return len(self._runs)

    @property
    def invited_runs(self) -> int:
        """Number of invited people who are testing now."""
        self._forget_idle()
        return self._count(guest=False)

    def look_in(self, caller: str, *, guest: bool = False) -> None:
        """Begin or continue a run. Raises LimitError (the caller's allowance) or Unavailable (our other work).

        `caller` is an address, or the invited person.
        """
        key = _key(caller, guest=guest)
        self._forget_idle()
        is_new = key not in self._runs
        if not self._has_place(key) or self._gives_way(guest=guest):
            raise Unavailable("server.busy", "others measure their speed now", retry_after_s=BUSY_RETRY_S)
        if not self.has_room(new=is_new, guest=guest):
            raise Unavailable("server.busy", "self-tests come first; try again soon", retry_after_s=BUSY_RETRY_S)
        buckets = [(self._allowance(key), CALLER_BYTES_PER_S), (self._all, ALL_BYTES_PER_S)]
        if guest:
            buckets.append((self._guests, GUESTS_SHARE * ALL_BYTES_PER_S))
        for bucket, per_s in buckets:
            if bucket.left < LEAST_BYTES:
                missing_s = (LEAST_BYTES - bucket.left) / per_s
                raise LimitError("rate.limited", "the speed test's bytes are used up", retry_after_s=missing_s)
        self._runs.setdefault(key, _Run(self._clock())).last_at = self._clock()

    @contextmanager
    def transfer(self, caller: str, *, guest: bool = False) -> Iterator[Transfer]:
        """Count a body in and out. Raises the errors of `look_in`, and LimitError for too many at a time."""
        self.look_in(caller, guest=guest)
        key = _key(caller, guest=guest)
        run = self._runs[key]
        if run.transfers >= MOST_TRANSFERS:
            raise LimitError("rate.limited", "too many transfers at a time", retry_after_s=1.0)
        run.transfers += 1
        try:
            yield Transfer(self, self._allowance(key), guest=guest)
        finally:
            run.transfers -= 1
            run.last_at = self._clock()

    def has_room(self, *, new: bool = False, guest: bool = False) -> bool:
        """Whether the present speed tests, and a `new` one, leave the self-tests what they need.

        For an invited person only the self-tests and speed tests of the invited count, because guests give way.
        """
        if self._gives_way(guest=guest):
            return False
        load = self._load()
        running, waiting, runs = load.running, load.waiting, len(self._runs)
        if not guest:
            running, waiting = running - load.guests_running, waiting - load.guests_waiting
            runs = self._count(guest=False)
        if running + waiting == 0:
            return True
        return waiting == 0 and running + WEIGHT * (runs + int(new)) <= load.capacity

    def pay(self, caller_bytes: TokenBucket, size_bytes: int, *, guest: bool = False) -> bool:
        """Charge `size_bytes` to the caller's allowance and the common one, and a guest's also to the guests' share."""
        if guest and not self._guests.take(size_bytes):
            return False
        return caller_bytes.take(size_bytes) and self._all.take(size_bytes)

    async def pace(self, size_bytes: int) -> None:
        """Wait until `size_bytes` fit the common rate."""
        while not self._rate.take(size_bytes):  # noqa: ASYNC110 - the bucket has nothing to wait for
            await asyncio.sleep(size_bytes * 8 / (MOST_MBPS * 1e6))

    def _gives_way(self, *, guest: bool) -> bool:
        """Whether this is a guest while an invited person measures, whose result it would lower."""
        return guest and any(run.transfers for (is_guest, _), run in self._runs.items() if not is_guest)

    def _has_place(self, key: _Key) -> bool:
        """Whether a caller has or can get a place; guests get, in order, those that no invited person has."""
        alike = [one for one in self._runs if one[0] is key[0]]
        places = MOST_RUNS - self._count(guest=False) if key[0] else MOST_RUNS
        return (alike.index(key) if key in alike else len(alike)) < places

    def _count(self, *, guest: bool) -> int:
        return sum(one[0] is guest for one in self._runs)

    def _allowance(self, key: _Key) -> TokenBucket:
        full = TokenBucket(rate_per_s=CALLER_BYTES_PER_S, burst=CALLER_BYTES, clock=self._clock)
        allowances = self._allowances[key[0]]
        bucket = allowances.setdefault(key, full)
        allowances.move_to_end(key)
        while len(allowances) > MAX_PREFIXES:
            allowances.popitem(last=False)
        return bucket

    def _forget_idle(self) -> None:
        now = self._clock()
        for key, run in list(self._runs.items()):
            if run.transfers == 0 and now - run.last_at >= IDLE_S:
                del self._runs[key]
