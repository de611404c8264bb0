"""The reflector of the clock channel: pings in, pongs out, a log of both. Pure; the caller brings the clock.

Wire format, network byte order. Ping, 24 bytes: u8 kind 1, u8 tag, u16 0, u32 seq, u64 t1_us, u64 0.
Pong, 40 bytes: u8 kind 2, u8 tag, u16 0, u32 seq, u64 t1_us, u64 t2_us, u64 t3_us, u32 server_seq, u32 0.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from readiness.media.limits import MAX_CLOCK_MESSAGE_BYTES, MAX_PINGS, MAX_PINGS_PER_S, MAX_PONGS_PER_S

__all__ = ["ClockEcho", "PingRow", "TokenBucket"]

PING = struct.Struct("!BBHIQQ")
PONG = struct.Struct("!BBHIQQQII")
_PING_KIND = 1
_PONG_KIND = 2


class TokenBucket:
    """At most `rate` events a second, `burst` of them at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate_per_us = rate / 1e6
        self._burst = burst
        self._tokens = burst
        self._at_us: int | None = None

    def take(self, now_us: int) -> bool:
        """Return whether one more event may happen now."""
        if self._at_us is not None:
            self._tokens = min(self._burst, self._tokens + (now_us - self._at_us) * self._rate_per_us)
        self._at_us = now_us
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


@dataclass(frozen=True, slots=True)
class PingRow:
    """One ping as the server saw it; times in µs by the worker's own clock."""

    seq: int
    tag: int
    t1_us: int
    t2_us: int
    t3_us: int | None
    """When the pong left, or None if none was sent."""


class ClockEcho:
    """Answers pings within the limits and logs each of them."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.rows: list[PingRow] = []
        self.ignored = 0
        """Messages ignored because they were not a ping, too long, too frequent or repeated."""
        self._now_us = now_us
        self._seen: set[int] = set()
        self._sent = 0
        self._pings = TokenBucket(MAX_PINGS_PER_S, MAX_PINGS_PER_S / 2)
        self._pongs = TokenBucket(MAX_PONGS_PER_S, 10)

    def answer(self, message: object, *, arrived_us: int, can_send: bool) -> bytes | None:
        """Return the pong for `message`, or None if it gets no answer."""
        if not isinstance(message, bytes) or len(message) > MAX_CLOCK_MESSAGE_BYTES or len(message) != PING.size:
            self.ignored += 1
            return None
        kind, tag, _, seq, t1_us, _ = PING.unpack(message)
        known = seq in self._seen or len(self.rows) >= MAX_PINGS
        if kind != _PING_KIND or known or not self._pings.take(self._now_us()):
            self.ignored += 1
            return None
        self._seen.add(seq)
        if not can_send or not self._pongs.take(self._now_us()):
            self.rows.append(PingRow(seq, tag, t1_us, arrived_us, None))
            return None
        left_us = self._now_us()
        self.rows.append(PingRow(seq, tag, t1_us, arrived_us, left_us))
        pong = PONG.pack(_PONG_KIND, tag, 0, seq, t1_us, arrived_us, left_us, self._sent, 0)
        self._sent += 1
        return pong
