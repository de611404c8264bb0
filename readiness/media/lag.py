"""Measures how late our own event loop runs: evidence that a poor figure is the server's fault."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from pathlib import Path

__all__ = ["LagMonitor"]

INTERVAL_S = 0.025
_KEPT = 72_000
"""Samples kept: half an hour at 40 a second."""


class LagMonitor:
    """Sleeps `INTERVAL_S` at a time and records by how many ms each sleep overran."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    async def run(self) -> None:
        """Run for ever; cancel to stop."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(INTERVAL_S)
            now = time.perf_counter()
            lag_ms = max(0.0, (now - began - INTERVAL_S) * 1e3)
            self._samples.append((now, lag_ms))

    def p99_ms(self, since_s: float = 0.0, until_s: float = float("inf")) -> float | None:
        """Return the 99th percentile of the lag in a window of `time.perf_counter`, ms, or None without samples."""
        lags = sorted(lag for at, lag in self._samples if since_s <= at <= until_s)
        return lags[min(len(lags) - 1, int(0.99 * len(lags)))] if lags else None


def run_wait_s() -> float:
    """Return how long this process's main thread has waited for a processor so far, s; 0 if the system can't say."""
    try:
        return int(Path("/proc/self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
