"""Our own rate trials on a link in virtual time: the same judging code that a media worker runs, without a packet."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from probes.ladder import Ladder, Tier, rate_measurement
from probes.measurement import Measurement
from probes.trial import Quiet, TrialFigures, decide, examine, packet_bytes, quiet_line
from tests.link.model import Channel, Direction

__all__ = ["PROFILES", "TIERS", "Outcome", "run_ladder", "true_tier"]

TIERS = (
    Tier("1080p", 3.8), Tier("group", 2.6), Tier("720p", 1.5), Tier("360p", 0.65), Tier("audio", 0.1),
)  # fmt: skip
PROFILES = {"1080p": 3.8, "group": 2.6, "720p": 1.5, "audio": 0.1}
FACTOR = 1.25
IDLE_S, IDLE_BYTES, IDLE_EVERY_S = 1.5, 120, 0.01
LOOK_EVERY_S = 0.1
BURST_EVERY_S = 0.01
"""Upwards all tracks send at once, every 10 ms."""


@dataclass(slots=True)
class Outcome:
    """What one direction of a simulated line came to."""

    ladder: Ladder
    quiet: Quiet
    seconds: float
    """Until all was known."""
    said_s: float
    """Until the first trial was decided."""
    bytes: int
    sent: int = 0
    lost: int = 0
    trials: list[TrialFigures | None] = field(default_factory=list)

    @property
    def measurement(self) -> Measurement:
        return rate_measurement("down", self.ladder)

    @property
    def tier(self) -> str | None:
        finding = self.ladder.finding()
        return finding.tier if finding else None


def run_ladder(
    direction: Direction, seed: int, need_mbps: float, *, back_ms: float = 20.0, bursts: bool = False
) -> Outcome:
    """Run idle packets and then trials through the link; `back_ms` is how long feedback takes."""
    channel = Channel(direction, seed)
    now = 0.0
    sent, arrived = _send(channel, now, IDLE_S, IDLE_BYTES, IDLE_EVERY_S, 1)
    quiet = quiet_line(sent, arrived)
    now += IDLE_S + 0.3
    ladder = Ladder(TIERS, need_mbps=need_mbps, factor=FACTOR)
    outcome = Outcome(ladder, quiet, 0.0, 0.0, len(sent) * IDLE_BYTES, len(sent), sum(a is None for a in arrived))
    while (rung := ladder.rung) is not None:
        began = now
        now, figures, state, used = _trial(channel, now, rung, quiet, back_ms / 1e3, bursts=bursts)
        outcome.bytes += used
        outcome.trials.append(figures)
        ladder.add(figures, state)
        outcome.said_s = outcome.said_s or now
        now += max(0.3, (figures.queue_ms if figures else 1000.0) / 1e3 * 1.2)
        del began
    outcome.seconds = now
    return outcome


def _trial(channel, start, rung, quiet, back_s, *, bursts):
    size = packet_bytes(rung.rate_mbps)
    every = size * 8 / (rung.rate_mbps * 1e6)
    group = max(1, round(BURST_EVERY_S / every)) if bursts else 1
    sent: list[float] = []
    arrived: list[float | None] = []
    end = start
    while True:
        until = end + LOOK_EVERY_S
        more = _send(channel, end, until - end, size, every * group, group)
        sent += more[0]
        arrived += more[1]
        end = start + len(sent) * every
        known = [(s, a) for s, a in zip(sent, arrived, strict=True) if a is not None and a <= (end - back_s) * 1e3]
        horizon = known[-1][0] if known else -math.inf
        count = sum(s <= horizon for s in sent)
        figures = examine(rung.rate_mbps, sent[:count], arrived[:count], size, quiet=quiet) if count > 1 else None
        state = decide(figures, rung.need_mbps, since_start_s=end - start, carried_s=rung.carried_s)
        if state != "open":
            return end, figures, state, len(sent) * size


def _send(channel, start, span, size, every, group):
    sent, arrived = [], []
    for index in range(max(1, round(span / every))):
        for _ in range(group):
            at = start + index * every
            out = channel.offer(at, size)
            sent.append(at * 1e3)
            arrived.append(None if out is None else out * 1e3)
    return sent, arrived


def true_tier(rate_mbps: float | None, need_mbps: float) -> str | None:
    """The highest tier, up to the profile's own, that a line of this rate carries."""
    return next(
        (tier.name for tier in TIERS if tier.need_mbps <= need_mbps and (rate_mbps or 1e9) >= tier.need_mbps), None
    )
