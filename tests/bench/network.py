"""The network measurement: what it says of lines whose truth is known, how soon, and for how many bytes."""

from __future__ import annotations

import asyncio
import sys

from tests.bench.figures import Figure
from tests.link.grid import SEEDS, Case, Run, bottlenecks, confusion, good_lines, lines, play
from tests.link.virtual import PROFILES

__all__ = ["run"]

MOST_MB = {"720p": 2.0, "group": 4.0, "1080p": 4.0, "audio": None}
"""Both ways together, on a line that carries everything, MB."""
MB = 1e6


async def run(*, quick: bool) -> list[Figure]:
    """Return the figures of the network part; each source of truth is a function of its own."""
    return await asyncio.to_thread(virtual, quick=quick)


def virtual(*, quick: bool) -> list[Figure]:
    """Return what the trials come to in virtual time, without a packet; print who was taken for what."""
    seeds = SEEDS[:1] if quick else SEEDS
    runs = play(
        Case(line, seed, profile, bursts=(n + seed) % 2 == 1)
        for n, line in enumerate(lines())
        for seed in seeds
        for profile in PROFILES
    )
    print(f"{confusion(runs)}\n", file=sys.stderr)
    return [*tiers(runs), *rates(5 if quick else 40), *costs(3 if quick else 10)]


def tiers(runs: list[Run]) -> list[Figure]:
    """Return how often the tier was right, and how soon a line too thin for the meeting was said to be."""
    count = len(runs)
    return [
        Figure("virtual: tier right", "%", [100 * sum(one.is_right for one in runs) / count], at_least=97.0),
        Figure("virtual: tier better than true", "%", [100 * sum(one.is_better for one in runs) / count], at_most=1.0),
        Figure("virtual: too thin said after", "s", [one.outcome.said_s for one in runs if one.is_short], at_most=5.0),
        Figure("virtual: all known after", "s", [one.outcome.seconds for one in runs]),
    ]


def rates(seeds: int) -> list[Figure]:
    """Return how near the measured rate of a bottleneck is, and in how many of 40 runs it is within 6 %."""
    samples = [bottleneck_errors(seed) for seed in range(1, seeds + 1)]
    near = [float(sum(error <= 6.0 for error in errors)) for errors in samples]
    return [
        Figure("virtual: bottleneck rate off by", "%", [error for errors in samples for error in errors]),
        Figure("virtual: of 40 bottlenecks within 6 %", "", near, at_least=38),
    ]


def bottleneck_errors(seed: int) -> list[float]:
    """Return by how much each of 40 bottlenecks was misjudged, %."""
    found = play(Case(line, seed, "720p", bursts=(n + seed) % 2 == 1) for n, line in enumerate(bottlenecks()))
    return [
        abs(100 * (float(one.outcome.measurement.value or 0) / (one.case.line.direction.rate_mbps or 1) - 1))
        for one in found
    ]


def costs(count: int) -> list[Figure]:
    """Return what a good line is made to carry for each profile, both ways together."""
    found = []
    for profile, most_mb in MOST_MB.items():
        runs = play(Case(line, 1, profile) for line in good_lines(count))
        used = [2 * one.outcome.bytes / MB for one in runs]
        found.append(Figure(f"virtual: bytes on a good line, {profile}", "MB", used, at_most=most_mb))
    return found
