"""Lines whose truth is known, and what our trials make of them in virtual time: shared by the tests and the bench."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.link.model import Bursts, Direction
from tests.link.virtual import PROFILES, TIERS, Outcome, run_ladder, true_tier

__all__ = ["SEEDS", "Case", "Line", "Run", "bottlenecks", "confusion", "good_lines", "lines", "play"]

SEEDS = (1, 2, 3)
NEAR = 0.06
"""Nobody can say which side of a need a line is on that is this near to it, as a share."""
BUCKETS = (0, 0, 0, 16_000, 64_000, 128_000)
RANKS = {tier.name: rank for rank, tier in enumerate(reversed(TIERS), start=1)}


@dataclass(frozen=True, slots=True)
class Line:
    """One direction of a line, and how long feedback takes on the other."""

    direction: Direction
    back_ms: float


@dataclass(frozen=True, slots=True)
class Case:
    """One run to make."""

    line: Line
    seed: int
    profile: str
    bursts: bool = False
    """As the page sends upwards: all tracks at once every 10 ms."""


@dataclass(frozen=True, slots=True)
class Run:
    """A case and what came of it."""

    case: Case
    outcome: Outcome

    @property
    def truth(self) -> str | None:
        return true_tier(self.case.line.direction.rate_mbps, PROFILES[self.case.profile])

    @property
    def is_right(self) -> bool:
        return self.outcome.tier == self.truth

    @property
    def is_better(self) -> bool:
        """Whether the line was said to be good for more than it is."""
        return RANKS.get(self.outcome.tier or "", 0) > RANKS.get(self.truth or "", 0)

    @property
    def is_short(self) -> bool:
        """Whether the line cannot carry the meeting."""
        return (self.case.line.direction.rate_mbps or 1e9) < PROFILES[self.case.profile]


def lines(count: int = 60, name: str = "grid") -> list[Line]:
    """`count` lines, the same ones for the same `name`: each property goes through its whole range once, by itself.

    Rates 0.2 to 50 Mbit/s, none near a need; round trips 10 to 600 ms; loss 0 to 5 %, every third line's in bursts;
    queues 20 to 1000 ms; jitter 0 to 30 ms; token buckets up to 128 kB.
    """
    source = random.Random(name)

    def spread() -> list[float]:
        shares = [(n + source.random()) / count for n in range(count)]
        source.shuffle(shares)
        return shares

    rows = zip(spread(), spread(), spread(), spread(), spread(), strict=True)
    return [_line(n, *row) for n, row in enumerate(rows)]


def _line(number: int, rate: float, trip: float, loss: float, queue: float, jitter: float) -> Line:
    rtt_ms = 10 * 60**trip
    loss_pct = max(0.0, 6.25 * loss - 1.25)
    direction = Direction(
        rate_mbps=_away(0.2 * 250**rate),
        queue_ms=20 * 50**queue,
        delay_ms=rtt_ms / 2,
        jitter_ms=max(0.0, 45 * jitter - 15),
        loss_pct=0.0 if number % 3 == 0 else loss_pct,
        burst=Bursts(into_pct=loss_pct / 100 * 12 / (1 - loss_pct / 100), out_pct=12) if number % 3 == 0 else None,
        bucket_bytes=BUCKETS[number % len(BUCKETS)],
    )
    return Line(direction, rtt_ms / 2)


def _away(rate_mbps: float) -> float:
    """Move a rate that is too near a need just far enough away from it."""
    for tier in TIERS:
        if abs(rate_mbps / tier.need_mbps - 1) < NEAR:
            return tier.need_mbps * (1.065 if rate_mbps > tier.need_mbps else 0.935)
    return rate_mbps


def bottlenecks(count: int = 40) -> list[Line]:
    """Lines below the first rate of 720p with queues that a trial can fill: their rate is to be measured."""
    source = random.Random("bottlenecks")
    return [
        Line(
            Direction(
                rate_mbps=0.3 * 6 ** ((n + 0.5) / count),
                queue_ms=source.choice((50, 100, 200, 500, 1000)),
                delay_ms=source.uniform(5, 150),
                jitter_ms=source.choice((0, 5, 15)),
                loss_pct=source.choice((0, 0, 1, 2)),
            ),
            back_ms=source.uniform(5, 150),
        )
        for n in range(count)
    ]


def good_lines(count: int = 10) -> list[Line]:
    """Lines that carry every profile at once."""
    return [Line(Direction(rate_mbps=10 + 9 * n, delay_ms=5 + 7 * n), 5 + 7 * n) for n in range(count)]


def play(cases: Iterable[Case]) -> list[Run]:
    """Run each case in virtual time."""
    return [
        Run(
            case,
            run_ladder(
                case.line.direction,
                case.seed,
                PROFILES[case.profile],
                back_ms=case.line.back_ms,
                bursts=case.bursts,
            ),
        )
        for case in cases
    ]


def confusion(runs: Sequence[Run]) -> str:
    """Return a table: a row for each true tier, a column for each tier that was said."""
    names = [*(tier.name for tier in TIERS), "none"]
    counts = Counter((run.truth or "none", run.outcome.tier or "none") for run in runs)
    head = "true \\ said".ljust(12) + "".join(name.rjust(8) for name in names)
    rows = [name.ljust(12) + "".join(str(counts[name, said] or "·").rjust(8) for said in names) for name in names]
    return "\n".join([head, *rows])
