"""TCP headroom on the session's own socket, with an early stop: it can only prove "at least this much".

Down, the server sends and the page counts; up, the page sends and the server counts. Both stop as soon as the probe
rate is proven, so that a good line costs a megabyte at most.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence

from probes.network import tcp_headroom
from readiness.server.protocol import BINARY

__all__ = ["Downstream", "Upstream", "least_bytes"]

CHUNK_BYTES = 16 * 1024
HEAD_BYTES = 16
MAX_BYTES = 1_000_000
"""Enough for either direction: far more than a second at the probe rate."""
MOST_BYTES = 2 * MAX_BYTES
"""Limit after a first megabyte that arrived all at once, which after a pause proves no rate."""
LEAST_S = 0.6
"""Just above the shortest span for a rate."""
ENOUGH_S = 0.8
ENOUGH_BYTES = 256 * 1024
"""With both, at the probe rate, the rate is proven: the page's `PROOF_MS` and `PROOF_BYTES`."""
SEND_AHEAD = 4.0
"""Both ways are paced to this many times the probe rate: enough to prove it without filling the line's queue."""
MARGIN = 1.5
"""Bytes that a trial is given at least, in multiples of what a line at the probe rate needs for its proof."""


def least_bytes(probe_mbps: float) -> int:
    """Return the fewest bytes with which a trial can prove the probe rate."""
    return int(MARGIN * max(ENOUGH_BYTES, probe_mbps * 1e6 / 8 * ENOUGH_S))


class Downstream:
    """Sends random bytes until told to stop, or until the time or the bytes are used up."""

    LONGEST_S = 2.5

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send
        self._stopped = asyncio.Event()
        self.bytes_sent = 0

    async def run(self, probe_mbps: float, left_bytes: int = MAX_BYTES) -> None:
        """Send for at most 2.5 s, 1 MB and `left_bytes` at four times `probe_mbps`, or slower where these are few."""
        most_bytes = min(MAX_BYTES, left_bytes)
        head = bytes([BINARY.HEADROOM_DOWN]) + bytes(HEAD_BYTES - 1)
        body = os.urandom(CHUNK_BYTES - HEAD_BYTES)
        started = time.monotonic()
        bytes_per_s = min(probe_mbps * 1e6 / 8 * SEND_AHEAD, most_bytes / ENOUGH_S)
        while not self._stopped.is_set() and self.bytes_sent + CHUNK_BYTES <= most_bytes:
            elapsed = time.monotonic() - started
            if elapsed > self.LONGEST_S:
                break
            await self._send(head + body)
            self.bytes_sent += CHUNK_BYTES
            await asyncio.sleep(max(0.0, self.bytes_sent / bytes_per_s - (time.monotonic() - started)))

    def stop(self) -> None:
        """End early, because the page has seen enough."""
        self._stopped.set()

    def rate_mbps(self, points: Sequence[Sequence[float]]) -> float | None:
        """Return the rate that the page's `points` (t_ms, bytes so far) prove, Mbit/s; None if they prove nothing.

        More bytes than were sent prove nothing either.
        """
        if not points or points[-1][1] > self.bytes_sent:
            return None
        return tcp_headroom([(float(t_ms), int(total)) for t_ms, total in points])


class Upstream:
    """Counts the bytes that arrive."""

    LONGEST_S = 2.5

    def __init__(self, probe_mbps: float, left_bytes: int = MOST_BYTES) -> None:
        self._probe_mbps = probe_mbps
        self.most_bytes = max(0, min(MOST_BYTES, left_bytes))
        """Most bytes that may arrive."""
        self._points: list[tuple[float, int]] = []
        self._total = 0
        self._started: float | None = None
        self.is_over = False

    def arrived(self, size_bytes: int, now_s: float) -> bool:
        """Count `size_bytes` at `now_s` (monotonic). Returns True, once, when there is enough to stop."""
        if self.is_over:
            return False
        self._started = now_s if self._started is None else self._started
        self._total += size_bytes
        self._points.append(((now_s - self._started) * 1000, self._total))
        elapsed = now_s - self._started
        proven = elapsed >= ENOUGH_S and self._total >= ENOUGH_BYTES and (self.rate_mbps or 0.0) >= self._probe_mbps
        spent = self._total >= MAX_BYTES and elapsed >= LEAST_S
        self.is_over = proven or spent or self._total >= self.most_bytes or elapsed >= self.LONGEST_S
        return self.is_over

    @property
    def rate_mbps(self) -> float | None:
        """Return the rate of arrival, Mbit/s, or None while it is unknown."""
        return tcp_headroom(self._points)
