"""The network's behaviour over time, thinned to what a chart can show. Times in ms from the first run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from probes.network import ClockRow
from readiness.media.loopback import perf_ms
from reports.series import SERIES_SCHEMA

__all__ = ["Series"]

BIN_MS = 50.0
"""Each bin keeps its worst delay and the sum of its losses; the report thins further."""
RATE_BIN_MS = 100.0
"""In shorter bins single packets of a slow line would look like a rate."""

Way = Literal["up", "down"]
_Run = tuple[list[float], list[float | None], int]


class Series:
    """Collects runs; `to_json` puts them on one time axis."""

    def __init__(self) -> None:
        self._phases: list[dict[str, Any]] = []
        self._runs: dict[Way, list[_Run]] = {"up": [], "down": []}
        self._pings: list[ClockRow] = []

    def begin(self, phase: str) -> None:
        """Note that a run of `phase` begins now."""
        self._phases.append({"name": phase, "from_ms": time.perf_counter() * 1e3, "to_ms": None})

    def end(self, phase: str) -> None:
        """Note that the latest run of `phase` is over."""
        for known in reversed(self._phases):
            if known["name"] == phase and known["to_ms"] is None:
                known["to_ms"] = time.perf_counter() * 1e3
                return

    def add_run(self, way: Way, sent_ms: Sequence[float], arrived_ms: Sequence[float | None], wire_bytes: int) -> None:
        """Add a run's packets, each time by the clock of its own side."""
        self._runs[way].append((list(sent_ms), list(arrived_ms), wire_bytes))

    def add_pings(self, rows: Sequence[ClockRow]) -> None:
        """Add the answered pings."""
        self._pings = list(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the series as it is stored with the report."""
        start = self._phases[0]["from_ms"] if self._phases else 0.0
        phases = [
            {"name": one["name"], "from_ms": round(one["from_ms"] - start), "to_ms": round(one["to_ms"] - start)}
            for one in self._phases
            if one["to_ms"] is not None
        ]
        found: dict[str, Any] = {"schema": SERIES_SCHEMA, "phases": phases}
        pings = [(perf_ms(row.t2_us) - start, trip) for row in self._pings if (trip := row.rtt_ms) is not None]
        found["rtt_ms"] = _worst(pings)
        ways: tuple[Way, ...] = ("up", "down")
        for way in ways:
            found |= self._direction(way, start)
        return {name: row for name, row in found.items() if row or name.startswith("lost_")}

    def _direction(self, way: Way, start: float) -> dict[str, Any]:
        """Return delays, rates and losses of one direction. The fastest packet aligns the clocks: its delay is 0."""
        runs = self._runs[way]
        delays = [a - s for sent, arrived, _ in runs for s, a in zip(sent, arrived, strict=True) if a is not None]
        if not delays:
            return {}
        least = min(delays)
        ours = start if way == "up" else start + least  # arrivals upwards are by our clock, downwards by the browser's
        extra, lost, arrivals, offers = [], [], [], []
        for sent, arrived, wire_bytes in runs:
            for s, a in zip(sent, arrived, strict=True):
                leaves = s + least - ours
                offers.append((leaves, wire_bytes))
                if a is None:
                    lost.append((leaves, 1.0))
                    continue
                extra.append((a - ours, a - s - least))
                arrivals.append((a - ours, wire_bytes))
        return {
            f"delay_{way}_ms": _worst(extra),
            f"lost_{way}": _sums(lost, BIN_MS),
            f"rate_{way}_mbps": [[t, _mbps(total)] for t, total in _sums(arrivals, RATE_BIN_MS)],
            f"sent_{way}_mbps": [[t, _mbps(total)] for t, total in _sums(offers, RATE_BIN_MS)],
        }


def _mbps(bytes_in_bin: float) -> float:
    return round(bytes_in_bin * 8 / 1000 / RATE_BIN_MS, 3)


def _worst(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Return the largest value of each bin, at its own time."""
    bins: dict[int, tuple[float, float]] = {}
    for at, value in points:
        index = int(at // BIN_MS)
        if index not in bins or value > bins[index][1]:
            bins[index] = (at, value)
    return [[round(at), round(value, 2)] for _, (at, value) in sorted(bins.items())]


def _sums(points: Sequence[tuple[float, float]], bin_ms: float) -> list[list[float]]:
    """Return the sum of each bin, at its middle."""
    bins: dict[int, float] = {}
    for at, value in points:
        index = int(at // bin_ms)
        bins[index] = bins.get(index, 0.0) + value
    return [[round((index + 0.5) * bin_ms), value] for index, value in sorted(bins.items())]
