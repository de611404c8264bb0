"""Limits that count failures, not use: a whole hospital may come from one address.

Counts are in memory, per process, in a bounded table: an attacker gains at most one budget per process.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable

from readiness.errors import LimitError

__all__ = ["FailureLimiter", "PrefixBuckets", "TokenBucket", "prefix_of"]

WINDOW_S = 60.0
FAILURES_PER_PREFIX = 20
"""Most failed links per /32 or /64 in a minute; a person mistyping a paper link stays far below."""
FAILURES_GLOBAL = 200
CODES_GLOBAL = 50
"""Most wrong typed codes in a minute, from everywhere: codes have 50 bits, not 256 (LNK-6)."""
CODES_RESERVE = 10
"""Part of these reserved for addresses without a wrong code in the last hour, so that guessers don't lock out
others."""
INNOCENT_AFTER_S = 3600.0
BEGINNINGS_BURST, BEGINNINGS_PER_S = 60.0, 0.2
"""Drop-in tests per /32 or /64: a course of sixty people at once, then twelve a minute."""
MAX_PREFIXES = 10_000


def prefix_of(address: str) -> str:
    """Return the /32 (IPv4) or /64 (IPv6) of `address`; the text itself if it is not an address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


class FailureLimiter:
    """Counts failures per prefix and in total over the last minute."""

    def __init__(self, clock: Callable[[], float], most: int = FAILURES_GLOBAL, *, reserve: int = 0) -> None:
        self._clock, self._most, self._reserve = clock, most, reserve
        self._last_of: OrderedDict[str, float] = OrderedDict()
        """When each prefix last failed, within the last hour."""
        self._spare: deque[float] = deque()
        self._by_prefix: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def failed(self, address: str) -> None:
        """Count a failure from `address`. Raises LimitError if it is one too many.

        If there were too many failures in total, an address without one in the last hour draws on the reserve.
        """
        now, prefix = self._clock(), prefix_of(address)
        mine = self._by_prefix.setdefault(prefix, deque())
        self._by_prefix.move_to_end(prefix)
        while len(self._by_prefix) > MAX_PREFIXES:
            self._by_prefix.popitem(last=False)
        common = self._all
        _refuse(mine, FAILURES_PER_PREFIX, now)
        if self._reserve and _is_full(self._all, self._most, now) and self._is_innocent(prefix, now):
            _refuse(self._spare, self._reserve, now)
            common = self._spare
        else:
            _refuse(self._all, self._most, now)
        mine.append(now)
        common.append(now)
        self._last_of[prefix] = now
        self._last_of.move_to_end(prefix)
        while len(self._last_of) > MAX_PREFIXES:
            self._last_of.popitem(last=False)

    def forgive(self, address: str) -> None:
        """Remove the newest failure of `address`: guesses are counted before the look-up."""
        prefix = prefix_of(address)
        mine = self._by_prefix.get(prefix)
        at = mine.pop() if mine else None
        for times in (self._all, self._spare):
            if at is not None and at in times:
                times.remove(at)
                break
        if not mine:
            self._last_of.pop(prefix, None)

    def _is_innocent(self, prefix: str, now: float) -> bool:
        last = self._last_of.get(prefix)
        return last is None or last <= now - INNOCENT_AFTER_S


def _is_full(times: deque[float], most: int, now: float) -> bool:
    while times and times[0] <= now - WINDOW_S:
        times.popleft()
    return len(times) >= most


def _refuse(times: deque[float], most: int, now: float) -> None:
    if _is_full(times, most, now):
        raise LimitError("rate.limited", retry_after_s=max(1.0, times[0] + WINDOW_S - now))


class TokenBucket:
    """`rate_per_s` on average, `burst` at once."""

    def __init__(self, *, rate_per_s: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._tokens, self._at = burst, clock()

    @property
    def left(self) -> float:
        """Return the number of tokens left."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate_per_s)
        self._at = now
        return self._tokens

    def take(self, cost: float = 1.0) -> bool:
        """Take `cost` if that much is left, and return whether it was."""
        if self.left < cost:
            return False
        self._tokens -= cost
        return True


class PrefixBuckets:
    """A `TokenBucket` for each prefix, in a bounded table."""

    def __init__(
        self, clock: Callable[[], float], *, rate_per_s: float = BEGINNINGS_PER_S, burst: float = BEGINNINGS_BURST
    ) -> None:
        self._clock, self._rate_per_s, self._burst = clock, rate_per_s, burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: str) -> None:
        """Take a token of `address`. Raises LimitError if none is left."""
        self.take_of(prefix_of(address))

    def take_of(self, prefix: str) -> None:
        """Take a token of `prefix`, which may be any name. Raises LimitError if none is left."""
        fresh = TokenBucket(rate_per_s=self._rate_per_s, burst=self._burst, clock=self._clock)
        bucket = self._buckets.setdefault(prefix, fresh)
        self._buckets.move_to_end(prefix)
        while len(self._buckets) > MAX_PREFIXES:
            self._buckets.popitem(last=False)
        if not bucket.take():
            raise LimitError("rate.limited", retry_after_s=1.0 / self._rate_per_s)
