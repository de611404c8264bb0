"""What a link does to packets, in virtual time. Pure: no clock, no sockets; the same seed gives the same fates."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Bursts", "Channel", "Direction", "EmulatedLine", "Link"]

ROUNDING_S = 1e-9
"""Slack when a wait is compared with the depth of the queue: times are sums of binary fractions."""


@dataclass(frozen=True, slots=True)
class Bursts:
    """Loss in bursts after Gilbert and Elliott: a good state and a bad one, stepped once for each packet.

    A bad state lasts ``100 / out_pct`` packets in the mean; ``into_pct / (into_pct + out_pct)`` of all packets meet it.
    """

    into_pct: float
    """Chance that the bad state begins with this packet, %."""
    out_pct: float
    """Chance that the bad state has ended before this packet, %."""
    loss_pct: float = 100.0
    """Loss in the bad state, %; in the good state `Direction.loss_pct` holds."""

    def __post_init__(self) -> None:
        _between(0, 100, into_pct=self.into_pct, out_pct=self.out_pct, loss_pct=self.loss_pct)


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a link. The default carries everything at once."""

    rate_mbps: float | None = None
    """Rate of the bottleneck, IP heads included, Mbit/s; None is unlimited."""
    queue_ms: float = 200.0
    """Depth of the drop-tail queue: the longest that a packet waits and is sent, ms at `rate_mbps`."""
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Each packet takes 0 to this much longer, uniformly, ms; packets stay in order."""
    loss_pct: float = 0.0
    """Random loss before the queue, %."""
    burst: Bursts | None = None
    bucket_bytes: int = 0
    """Bytes that pass at once before the rate applies; refilled at the rate."""

    def __post_init__(self) -> None:
        _between(0, 100, loss_pct=self.loss_pct)
        _between(0, 1e6, queue_ms=self.queue_ms, delay_ms=self.delay_ms, jitter_ms=self.jitter_ms)
        _between(0, 1e12, bucket_bytes=self.bucket_bytes)
        if self.rate_mbps is not None and not self.rate_mbps > 0:
            raise ValueError(f"rate_mbps is {self.rate_mbps}; a link that carries nothing has loss_pct=100")

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Direction:
        """The direction that `Link.to_json` wrote."""
        burst = fields["burst"]
        return cls(**{**fields, "burst": Bursts(**burst) if burst else None})


@dataclass(frozen=True, slots=True)
class Link:
    """Both directions between a patient (client) and the server."""

    up: Direction = field(default_factory=Direction)
    """From the client to the server."""
    down: Direction = field(default_factory=Direction)
    """From the server to the client."""
    udp_blocked: bool = False
    tcp_blocked: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Link:
        """The link that `to_json` wrote."""
        ways = {way: Direction.from_json(fields[way]) for way in ("up", "down")}
        return cls(**{**fields, **ways})


class Channel:
    """One direction at work. Packets are offered in time order; what comes out is in the same order."""

    def __init__(self, direction: Direction, seed: int | str) -> None:
        self.packets = 0
        """Packets offered."""
        self.bytes = 0
        """Bytes offered."""
        self.lost_random = 0
        self.lost_queue = 0
        self._loss = random.Random(f"{seed}/loss")
        self._jitter = random.Random(f"{seed}/jitter")
        self._bad = False
        self._left_s = float("-inf")
        """When the last packet has left the queue."""
        self._out_s = float("-inf")
        """When the last packet comes out at the far end."""
        self._tokens = float(direction.bucket_bytes)
        """Bytes that could have passed at once at `_left_s`."""
        self._set(direction)

    def _set(self, direction: Direction) -> None:
        self.direction = direction
        rate = direction.rate_mbps
        self._bytes_per_s = rate * 1e6 / 8 if rate is not None else None
        self._queue_s = direction.queue_ms / 1e3 + ROUNDING_S
        self._delay_s = direction.delay_ms / 1e3
        self._jitter_s = direction.jitter_ms / 1e3
        self._good_loss = direction.loss_pct / 100
        self._into, self._out, self._bad_loss = 0.0, 1.0, 0.0
        if direction.burst:
            burst = direction.burst
            self._into, self._out, self._bad_loss = burst.into_pct / 100, burst.out_pct / 100, burst.loss_pct / 100
        self._lossless = not self._good_loss and not direction.burst

    def offer(self, now_s: float, size_bytes: int) -> float | None:
        """Return when a packet that arrives now comes out at the far end, s; None when it is dropped."""
        self.packets += 1
        self.bytes += size_bytes
        if not self._lossless and self._is_lost():
            self.lost_random += 1
            return None
        left_s = now_s
        if self._bytes_per_s is not None:
            start_s = max(now_s, self._left_s)
            bucket = self.direction.bucket_bytes
            tokens = min(bucket, self._tokens + (start_s - self._left_s) * self._bytes_per_s) if bucket else 0.0
            left_s = start_s + max(0.0, size_bytes - tokens) / self._bytes_per_s
            if left_s - now_s > self._queue_s and self._left_s > now_s:
                self.lost_queue += 1
                return None
            self._tokens = max(0.0, tokens - size_bytes)
        self._left_s = max(left_s, self._left_s)
        out_s = self._left_s + self._delay_s
        if self._jitter_s:
            out_s += self._jitter.random() * self._jitter_s
        self._out_s = max(out_s, self._out_s)
        return self._out_s

    def change(self, direction: Direction, now_s: float) -> None:
        """From `now_s` on the link is another. What it took in before keeps its time, and nothing overtakes it."""
        if self._bytes_per_s is not None and self._left_s < now_s:
            self._tokens = min(self.direction.bucket_bytes, self._tokens + (now_s - self._left_s) * self._bytes_per_s)
        self._left_s = max(self._left_s, now_s)
        if self.direction.bucket_bytes != direction.bucket_bytes:
            self._tokens = float(direction.bucket_bytes)
        if direction.burst is None:
            self._bad = False
        self._set(direction)

    def queue_ms(self, now_s: float) -> float:
        """How long what waits in the queue will take to leave it, ms."""
        return max(0.0, self._left_s - now_s) * 1e3

    def _is_lost(self) -> bool:
        if self._into:
            chance = self._loss.random()
            self._bad = chance >= self._out if self._bad else chance < self._into
        return self._loss.random() < (self._bad_loss if self._bad else self._good_loss)


class EmulatedLine:
    """A `readiness.client.media.Line`: both directions of a link at work."""

    def __init__(self, link: Link, seed: int = 1) -> None:
        self.up = Channel(link.up, seed).offer
        self.down = Channel(link.down, seed + 1).offer


def _between(lowest: float, highest: float, **values: float) -> None:
    for name, value in values.items():
        if not lowest <= value <= highest:
            raise ValueError(f"{name} is {value}, not from {lowest} to {highest}")
