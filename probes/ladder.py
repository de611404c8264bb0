"""Chooses the next rate to try and sums up the trials: one tier down on failure, never up.

Pure. Used for both directions, by the media worker and by tests that simulate a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from probes.measurement import Measurement, Number, not_measured
from probes.trial import CARRIED_S, State, TrialFigures

__all__ = ["SENT_ENOUGH", "Ladder", "RateFinding", "Rung", "Tier", "rate_measurement"]

MAX_RUNGS: Final = 4
"""Most trials of one direction: on the slowest lines a person has waited long enough by then."""
CONFIRM_S: Final = 2.0
"""Factor to a lower rate after a failure, when any burst allowance of the line is used up."""
CLOSE: Final = 1.03
"""A line measured within this share below a need is tried at the need itself."""
SENT_ENOUGH: Final = 0.93
"""A sender that offered less than this share of the requested rate was itself the limit."""

Limit = Literal["none", "line", "sender"]


@dataclass(frozen=True, slots=True)
class Tier:
    """A quality of meeting: a name such as ``720p`` and its need each way, Mbit/s, sound included."""

    name: str
    need_mbps: float


@dataclass(frozen=True, slots=True)
class Rung:
    """One trial to run."""

    rate_mbps: float
    need_mbps: float
    """Need of the tier in question."""
    carried_s: float
    tier: str


@dataclass(frozen=True, slots=True)
class RateFinding:
    """Result of the trials of one direction."""

    value_mbps: float
    """The highest proven rate, or the line's measured rate if that is lower."""
    low_mbps: float
    high_mbps: float | None
    """None: at least `value_mbps`."""
    tier: str | None
    """The highest tier, up to the profile's own, whose need the line carries."""
    limit: Limit
    """What limited the rate: nothing, the line, or the sender itself."""


class Ladder:
    """Starts at the profile's need plus a margin; goes down towards the rate that the line carried."""

    def __init__(self, tiers: Sequence[Tier], *, need_mbps: float, factor: float) -> None:
        self.results: list[tuple[Rung, TrialFigures | None, State]] = []
        self._tiers = sorted((tier for tier in tiers if tier.need_mbps <= need_mbps), key=lambda tier: -tier.need_mbps)
        self._factor = factor
        name = self._tiers[0].name if self._tiers else ""
        self._next: Rung | None = Rung(need_mbps * factor, need_mbps, CARRIED_S, name)
        self._measured: TrialFigures | None = None
        self._carried: tuple[Rung, TrialFigures] | None = None

    @property
    def rung(self) -> Rung | None:
        """The next trial to run, or None when the result is known."""
        return self._next

    def add(self, figures: TrialFigures | None, state: State) -> None:
        """Add the outcome of the trial that `rung` named."""
        rung = self._next
        if rung is None:
            raise ValueError("no trial was asked for")
        self.results.append((rung, figures, state))
        if state == "carried":
            self._carried = (rung, figures) if figures is not None else None
            self._next = None
            return
        if figures is not None and figures.capacity_mbps is not None:
            self._measured = figures
        self._next = self._below(rung, figures) if len(self.results) < MAX_RUNGS else None

    def finding(self) -> RateFinding | None:
        """Return the result so far, or None if no packet of any trial arrived."""
        if self._carried is not None:
            return self._carried_finding(*self._carried)
        seen = [figures for _, figures, _ in self.results if figures is not None]
        if not seen:
            return None
        last = self._measured or seen[-1]
        return RateFinding(last.carried_mbps, last.low_mbps or 0.0, last.high_mbps, None, "line")

    def _carried_finding(self, rung: Rung, figures: TrialFigures) -> RateFinding:
        proven = min(rung.rate_mbps, figures.offered_mbps)
        if self._measured is None:
            if figures.offered_mbps < SENT_ENOUGH * rung.rate_mbps:
                return RateFinding(figures.offered_mbps, figures.offered_mbps, None, self._tier(proven), "sender")
            return RateFinding(rung.rate_mbps, rung.rate_mbps, None, rung.tier, "none")
        measured = self._measured
        value = max(proven, measured.capacity_mbps or 0.0)
        return RateFinding(
            value, max(proven, measured.low_mbps or 0.0), max(value, measured.high_mbps or 0.0), rung.tier, "line"
        )

    def _tier(self, rate_mbps: float) -> str | None:
        return next((tier.name for tier in self._tiers if tier.need_mbps <= rate_mbps), None)

    def _below(self, rung: Rung, figures: TrialFigures | None) -> Rung | None:
        capacity = figures.carried_mbps if figures is not None else 0.0
        tried = {one.rate_mbps for one, _, _ in self.results}
        for tier in self._tiers:
            if tier.need_mbps > min(rung.need_mbps, capacity * CLOSE):
                continue
            lower = tier.need_mbps < rung.need_mbps
            roomy = lower and tier.need_mbps * self._factor * CLOSE <= capacity
            rate = tier.need_mbps * (self._factor if roomy else 1.0)
            if rate not in tried:
                return Rung(rate, tier.need_mbps, CONFIRM_S, tier.name)
        return None


def rate_measurement(direction: Literal["up", "down"], ladder: Ladder) -> Measurement:
    """Return network.throughput_up or _down in Mbit/s from the finished `ladder`."""
    check = f"network.throughput_{direction}"
    finding = ladder.finding()
    if finding is None:
        return not_measured(check, "nothing_arrived", "mbps")
    figures = [one for _, one, _ in ladder.results if one is not None]
    details: dict[str, Number | str | bool | None] = {
        "tier": finding.tier or "none",
        "limit": finding.limit,
        "method": "rtp",
        "asked_mbps": ladder.results[0][0].rate_mbps,
        "queue_ms": max(one.queue_ms for one in figures),
        "extra_delay_p95_ms": figures[-1].extra_p95_ms,
        "trials": len(ladder.results),
        "lost_pct": 100.0 * sum(one.lost for one in figures) / sum(one.known for one in figures),
    }
    return Measurement(
        check,
        finding.value_mbps,
        "mbps",
        low=finding.low_mbps,
        high=finding.high_mbps,
        samples=sum(one.known for one in figures),
        details=details,
    )
