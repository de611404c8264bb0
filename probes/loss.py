"""Loss: how much, how certain, and in what pattern.

A sequential probability ratio test (Wald 1945) says when enough packets were seen to decide between "at most 1 %" and
"at least 3 %", with an error of 5 % each way. Losses come in bursts, so a run of lost packets counts as one event.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from probes.estimates import wilson_interval
from probes.measurement import Measurement, Number, not_measured

__all__ = ["LossRun", "decide_loss", "loss_measurement", "runs_of_loss"]

ACCEPTABLE: Final = 0.01
"""Share of packets that counts as low: Microsoft Teams' limit."""
UNACCEPTABLE: Final = 0.03
"""Share of packets that counts as high: Whereby's limit."""
ERROR: Final = 0.05
"""Probability of an error of either kind."""
BURST_MS: Final = 200.0
"""Microsoft Teams judges bursts in windows of 200 ms."""
MIN_PACKETS: Final = 50
"""Fewest packets for a figure; even without loss, up to 7 % is still possible then."""
MIN_BURST_PACKETS: Final = 10
"""Fewest packets in 200 ms for a share of loss."""


@dataclass(frozen=True, slots=True)
class LossRun:
    """Packets of one run in sending order."""

    sent: int
    received: int
    """Packets received, by the receiver's own count."""
    times_ms: Sequence[float] = ()
    """Send times of the packets whose fate is known."""
    missing: Sequence[bool] = ()
    """Which of those packets were lost."""

    @property
    def lost(self) -> int:
        """Packets that did not arrive; 0 if the receiver counts more than were sent."""
        return max(0, self.sent - self.received)

    @property
    def events(self) -> int:
        """Runs of lost packets. If no packet of known fate is missing, each lost one counts as a run."""
        found = runs_of_loss(self.missing)
        return min(self.lost, found or self.lost)


def runs_of_loss(missing: Sequence[bool]) -> int:
    """Return the number of runs of lost packets."""
    return sum(now and not before for before, now in zip((False, *missing), missing, strict=False))


def decide_loss(runs: Sequence[LossRun]) -> Literal["low", "high", "open"]:
    """Return whether the loss is certainly low, certainly high, or still open."""
    packets = sum(run.sent for run in runs)
    events = min(sum(run.events for run in runs), packets)
    score = events * math.log(UNACCEPTABLE / ACCEPTABLE) + (packets - events) * math.log(
        (1 - UNACCEPTABLE) / (1 - ACCEPTABLE)
    )
    bound = math.log((1 - ERROR) / ERROR)
    return "high" if score >= bound else "low" if score <= -bound else "open"


def loss_measurement(direction: Literal["up", "down"], runs: Sequence[LossRun]) -> Measurement:
    """Return network.loss_up or network.loss_down in percent, with its interval and the pattern of losses."""
    check = f"network.loss_{direction}"
    sent, lost = sum(run.sent for run in runs), sum(run.lost for run in runs)
    interval = wilson_interval(lost, sent)
    if sent < MIN_PACKETS or interval is None:
        return not_measured(check, "too_few_samples", "pct")
    details: dict[str, Number | str | bool | None] = {
        "lost": lost,
        "events": sum(run.events for run in runs),
        "longest_burst_ms": max(_longest_ms(run) for run in runs),
        "worst_200ms_pct": max(_worst_pct(run) for run in runs),
        "decided": decide_loss(runs),
    }
    low, high = (100.0 * end for end in interval)
    return Measurement(check, 100.0 * lost / sent, "pct", low=low, high=high, samples=sent, details=details)


def _longest_ms(run: LossRun) -> float:
    """Return the longest time between two packets that arrived with losses between them, ms."""
    longest, last, gap = 0.0, None, False
    for at, missing in zip(run.times_ms, run.missing, strict=True):
        if missing:
            gap = True
            continue
        if gap and last is not None:
            longest = max(longest, at - last)
        last, gap = at, False
    return longest


def _worst_pct(run: LossRun) -> float:
    """Return the largest share of loss in any 200 ms with ten packets or more and two losses, percent."""
    worst, start, lost = 0.0, 0, 0
    for end, (at, missing) in enumerate(zip(run.times_ms, run.missing, strict=True)):
        lost += missing
        while run.times_ms[start] < at - BURST_MS:
            lost -= run.missing[start]
            start += 1
        count = end - start + 1
        if count >= MIN_BURST_PACKETS and lost > 1:
            worst = max(worst, 100.0 * lost / count)
    return worst
