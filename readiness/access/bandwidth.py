"""Who may fill the line for a full speed test: a few at a time, so many bytes each, and never at a self-test's cost.

Kept in memory, per process, as in `readiness.access.limits`. A caller is a /32 or /64; behind one address two people
share their allowance.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from readiness.access.limits import MAX_PREFIXES, TokenBucket, prefix_of
from readiness.errors import LimitError, Unavailable

__all__ = ["CHUNK_BYTES", "Load", "SpeedGate", "Transfer"]

CHUNK_BYTES = 64 * 1024
"""Moved, paid for and paced at a time."""
MOST_MBPS = 200.0
"""All speed tests together. Far above any meeting's need, and less than this process can move beside self-tests."""
BURST_S = 0.1
"""How far ahead of that rate a start may run."""
MOST_RUNS = 2
"""Callers at a time: more would measure each other."""
MOST_TRANSFERS = 16
"""Of one caller at a time; speedtest-cli opens eight."""
IDLE_S = 5.0
"""A caller who has asked for nothing for so long has ended the run."""
WEIGHT = 4
"""Self-tests that a speed test takes the place of: 11 % of a core at the full rate, and a share of the line."""
CALLER_BYTES = 600e6
"""One whole run at the highest rate: 10 s each way, and something over."""
CALLER_BYTES_PER_S = 1e6
"""The allowance is back in ten minutes."""
ALL_BYTES = 3e9
ALL_BYTES_PER_S = 5e6
"""40 Mbit/s on average, whoever asks: a stranger can't run up a bill."""
LEAST_BYTES = 1e6
"""With less left a run is not begun: its figures would mean nothing."""
BUSY_RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """Self-tests now: running, waiting, and how many there is room for."""

    running: int
    waiting: int
    capacity: int


@dataclass(slots=True)
class _Run:
    """One caller's speed test."""

    last_at: float
    transfers: int = 0


class Transfer:
    """One body on its way, up or down."""

    def __init__(self, gate: SpeedGate, caller_bytes: TokenBucket) -> None:
        self._gate, self._caller_bytes = gate, caller_bytes

    async def may_move(self, size_bytes: int) -> bool:
        """Wait until `size_bytes` fit the common rate; False when the allowance is used up or a self-test needs us."""
        if not self._gate.has_room() or not self._gate.pay(self._caller_bytes, size_bytes):
            return False
        await self._gate.pace(size_bytes)
        return True


class SpeedGate:
    """The door to the speed test."""

    def __init__(self, load: Callable[[], Load], clock: Callable[[], float]) -> None:
        self._load, self._clock = load, clock
        bytes_per_s = MOST_MBPS * 1e6 / 8
        self._rate = TokenBucket(rate_per_s=bytes_per_s, burst=bytes_per_s * BURST_S, clock=clock)
        self._all = TokenBucket(rate_per_s=ALL_BYTES_PER_S, burst=ALL_BYTES, clock=clock)
        self._allowances: OrderedDict[str, TokenBucket] = OrderedDict()
        self._runs: dict[str, _Run] = {}

    @property
    def runs(self) -> int:
        """How many callers are testing now."""
        self._forget_idle()
        return len(self._runs)

    def look_in(self, address: str) -> None:
        """Begin a run, or go on with it. Raises LimitError (your allowance) or Unavailable (our other work)."""
        prefix = prefix_of(address)
        self._forget_idle()
        if not self.has_room(new=prefix not in self._runs):
            raise Unavailable("server.busy", "self-tests come first; try again soon", retry_after_s=BUSY_RETRY_S)
        if prefix not in self._runs and len(self._runs) >= MOST_RUNS:
            raise Unavailable("server.busy", "others measure their speed now", retry_after_s=BUSY_RETRY_S)
        for bucket, per_s in ((self._allowance(prefix), CALLER_BYTES_PER_S), (self._all, ALL_BYTES_PER_S)):
            if bucket.left < LEAST_BYTES:
                missing_s = (LEAST_BYTES - bucket.left) / per_s
                raise LimitError("rate.limited", "the speed test's bytes are used up", retry_after_s=missing_s)
        self._runs.setdefault(prefix, _Run(self._clock())).last_at = self._clock()

    @contextmanager
    def transfer(self, address: str) -> Iterator[Transfer]:
        """Count a body in and out. Raises as `look_in` does, and LimitError for too many at a time."""
        self.look_in(address)
        prefix = prefix_of(address)
        run = self._runs[prefix]
        if run.transfers >= MOST_TRANSFERS:
            raise LimitError("rate.limited", "too many transfers at a time", retry_after_s=1.0)
        run.transfers += 1
        try:
            yield Transfer(self, self._allowance(prefix))
        finally:
            run.transfers -= 1
            run.last_at = self._clock()

    def has_room(self, *, new: bool = False) -> bool:
        """Whether the speed tests of now, and a `new` one, leave the self-tests what they need."""
        load = self._load()
        if load.running + load.waiting == 0:
            return True
        runs = len(self._runs) + int(new)
        return load.waiting == 0 and load.running + WEIGHT * runs <= load.capacity

    def pay(self, caller_bytes: TokenBucket, size_bytes: int) -> bool:
        """Take `size_bytes` from the caller's allowance and from everybody's."""
        return caller_bytes.take(size_bytes) and self._all.take(size_bytes)

    async def pace(self, size_bytes: int) -> None:
        """Wait until `size_bytes` fit the common rate."""
        while not self._rate.take(size_bytes):  # noqa: ASYNC110 - the bucket has nothing to wait for
            await asyncio.sleep(size_bytes * 8 / (MOST_MBPS * 1e6))

    def _allowance(self, prefix: str) -> TokenBucket:
        full = TokenBucket(rate_per_s=CALLER_BYTES_PER_S, burst=CALLER_BYTES, clock=self._clock)
        bucket = self._allowances.setdefault(prefix, full)
        self._allowances.move_to_end(prefix)
        while len(self._allowances) > MAX_PREFIXES:
            self._allowances.popitem(last=False)
        return bucket

    def _forget_idle(self) -> None:
        now = self._clock()
        for prefix, run in list(self._runs.items()):
            if run.transfers == 0 and now - run.last_at >= IDLE_S:
                del self._runs[prefix]
