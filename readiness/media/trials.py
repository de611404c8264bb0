"""State of the network part of one test: a trial, a direction, and how late our own process was meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from probes.ladder import SENT_ENOUGH, Ladder, Rung
from probes.loss import LossRun
from probes.trial import Quiet, State, TrialFigures
from readiness.media.lag import LagMonitor, run_wait_s

__all__ = ["TCP_IS_NO_HELP", "Allowance", "Direction", "Late", "Trial", "Way", "per_packet"]

Way = Literal["up", "down"]
WAITED: Final = 0.2
"""Share of the time that our main thread may wait for a processor."""
TCP_IS_NO_HELP: Final = frozenset({"server_busy"})
"""Causes of a missing rate after which TCP is not tried: it would say no more."""
BESIDE_BYTES_PER_S: Final = 8_000
"""What pings, their answers and reports of packets take beside a trial (measured: 2,000, and 20 pings a second)."""


@dataclass(slots=True)
class Late:
    """Watches how late this process is during a run."""

    lag: LagMonitor
    began_s: float = field(default_factory=time.perf_counter)
    waited_s: float = field(default_factory=run_wait_s)

    def figures(self, limit_ms: float) -> tuple[float, bool]:
        """Return (99th percentile of the lag in ms, whether we were late)."""
        now = time.perf_counter()
        p99 = self.lag.p99_ms(self.began_s, now) or 0.0
        waited = (run_wait_s() - self.waited_s) / max(now - self.began_s, 0.001)
        return round(p99, 2), p99 > limit_ms or waited > WAITED


@dataclass(slots=True)
class Trial:
    """One finished trial."""

    figures: TrialFigures | None
    state: State
    loss: LossRun
    late: bool
    window_us: tuple[float, float]

    def is_ours(self, way: Way, rung: Rung) -> bool:
        """Whether our own lateness explains the result: the line fell short, or we sent too little downwards."""
        if self.state != "carried":
            return self.late
        return way == "down" and self.figures is not None and self.figures.offered_mbps < SENT_ENOUGH * rung.rate_mbps


@dataclass(slots=True)
class Direction:
    """What is known about one direction so far."""

    quiet: Quiet = field(default_factory=Quiet)
    idle: tuple[list[float], list[float | None]] = field(default_factory=lambda: ([], []))
    ladder: Ladder | None = None
    losses: list[LossRun] = field(default_factory=list)
    is_loss_cut: bool = False
    """Whether its loss stays undecided because no bytes are left."""
    busy: bool = False
    lag_p99_ms: float = 0.0
    cause: str = "not_reached"
    """Why there is no rate, if there is none."""


class Allowance:
    """The bytes that the line may cost, both ways together: those on the wire, and those booked for running trials."""

    def __init__(self, wire_bytes: Callable[[], int]) -> None:
        self.most_bytes = 0
        self._wire_bytes = wire_bytes
        self._booked: dict[Way, int] = {}

    @property
    def used_bytes(self) -> int:
        """What is used or booked so far."""
        return self._wire_bytes() + sum(self._booked.values())

    def book(self, way: Way, rate_mbps: float, longest_s: float) -> bool:
        """Return whether a trial at this rate, for so long, stays within the allowance, and book it if it does."""
        need_bytes = int((rate_mbps * 1e6 / 8 + BESIDE_BYTES_PER_S) * longest_s)
        if self.used_bytes + need_bytes > self.most_bytes:
            return False
        self._booked[way] = need_bytes
        return True

    def clear(self, way: Way) -> None:
        """Forget the booking of a trial that is over."""
        self._booked.pop(way, None)


def per_packet(everything: int, wire_bytes: int, packets: int) -> float:
    """Return the wire bytes per probe packet, with its share of pings, reports and answers."""
    return everything / packets if packets and everything > wire_bytes * packets else float(wire_bytes)
