"""Limits that count failures, not use: a whole hospital may come from one address.

Kept in memory, per process, in a bounded table: an attacker gains at most one budget per process.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable

from readiness.errors import LimitError

__all__ = ["FailureLimiter", "TokenBucket", "prefix_of"]

WINDOW_S = 60.0
FAILURES_PER_PREFIX = 20
"""Failed links from one /32 or /64 in a minute: a person mistyping a paper link stays far below."""
FAILURES_GLOBAL = 200
CODES_GLOBAL = 50
"""Wrong typed codes in a minute, from everywhere: they have 50 bits, not 256 (LNK-6)."""
MAX_PREFIXES = 10_000


def prefix_of(address: str) -> str:
    """Return the /32 (IPv4) or /64 (IPv6) that `address` belongs to; the text itself where it is no address."""
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
    """Counts failures per prefix and in all over the last minute."""

    def __init__(self, clock: Callable[[], float], most: int = FAILURES_GLOBAL) -> None:
        self._clock, self._most = clock, most
        self._by_prefix: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def failed(self, address: str) -> None:
        """Count a failure from `address`. Raises LimitError where it is one too many."""
        now = self._clock()
        mine = self._by_prefix.setdefault(prefix_of(address), deque())
        self._by_prefix.move_to_end(prefix_of(address))
        while len(self._by_prefix) > MAX_PREFIXES:
            self._by_prefix.popitem(last=False)
        for times, limit in ((mine, FAILURES_PER_PREFIX), (self._all, self._most)):
            while times and times[0] <= now - WINDOW_S:
                times.popleft()
            if len(times) >= limit:
                raise LimitError("rate.limited", retry_after_s=max(1.0, times[0] + WINDOW_S - now))
        mine.append(now)
        self._all.append(now)

    def forgive(self, address: str) -> None:
        """Take back the newest count of `address`: what could be guessed is counted before anybody looks."""
        for times in (self._by_prefix.get(prefix_of(address)), self._all):
            if times:
                times.pop()


class TokenBucket:
    """`rate_per_s` on average, `burst` at once."""

    def __init__(self, *, rate_per_s: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate_per_s, self._burst, self._clock = rate_per_s, burst, clock
        self._tokens, self._at = burst, clock()

    @property
    def left(self) -> float:
        """What could be taken now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate_per_s)
        self._at = now
        return self._tokens

    def take(self, cost: float = 1.0) -> bool:
        """Return whether `cost` was left, and take it."""
        if self.left < cost:
            return False
        self._tokens -= cost
        return True
