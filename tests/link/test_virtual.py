"""What our trials say of lines whose truth is known: a third of the grid of `python -m tests.bench --area network`."""

from __future__ import annotations

import pytest

from tests.link.grid import SEEDS, Case, Run, bottlenecks, confusion, good_lines, lines, play
from tests.link.model import Direction
from tests.link.virtual import PROFILES, run_ladder

MB = 1e6
BOTH_WAYS = 2
QUICK_EVERY = 3
"""Odd, so that both kinds of sending are in it."""


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> list[Run]:
    """Each of 60 lines once for each profile, every other one in the page's bursts; in a quick run every third line."""
    every = QUICK_EVERY if request.config.getoption("quick") else 1
    return play(
        Case(line, SEEDS[n % len(SEEDS)], profile, bursts=n % 2 == 1)
        for n, line in list(enumerate(lines()))[::every]
        for profile in PROFILES
    )


def test_the_grid_is_as_wide_as_it_says() -> None:
    """Each property reaches both its ends, and the same grid comes out every time."""
    grid = lines()
    assert grid == lines()
    directions = [line.direction for line in grid]
    rates = [one.rate_mbps or 0 for one in directions]
    assert min(rates) < 0.22
    assert max(rates) > 45
    assert min(one.queue_ms for one in directions) < 25
    assert max(one.queue_ms for one in directions) > 900
    assert min(2 * one.delay_ms for one in directions) < 11
    assert max(2 * one.delay_ms for one in directions) > 550
    assert max(one.jitter_ms for one in directions) > 28
    assert max(one.loss_pct for one in directions) > 4.5
    assert sum(one.burst is not None for one in directions) == 20
    assert max(one.bucket_bytes for one in directions) == 128_000


def test_tiers_are_right_and_hardly_ever_too_good(runs: list[Run]) -> None:
    """At least 97 % right, at most 1 % better than true."""
    assert sum(run.is_right for run in runs) >= 0.97 * len(runs), confusion(runs)
    assert sum(run.is_better for run in runs) <= 0.01 * len(runs), confusion(runs)


def test_a_line_that_cannot_carry_the_meeting_is_said_soon(runs: list[Run]) -> None:
    """Within 5 s, the idle run included: nobody's thin line is filled for longer than it takes to know."""
    short = [run for run in runs if run.is_short]
    assert len(short) > 0.21 * len(runs)
    slowest = max(short, key=lambda run: run.outcome.said_s)
    assert slowest.outcome.said_s <= 5, slowest.case


def test_a_bottleneck_is_measured() -> None:
    """Within 6 % in at least 38 of 40 lines below the first rate with queues of 50 ms or more."""
    found = play(Case(line, 5, "720p", bursts=n % 2 == 1) for n, line in enumerate(bottlenecks()))
    errors = [float(run.outcome.measurement.value or 0) / (run.case.line.direction.rate_mbps or 1) - 1 for run in found]
    assert len(errors) == 40
    assert sum(abs(error) <= 0.06 for error in errors) >= 38, [round(error, 3) for error in errors]


@pytest.mark.parametrize(("profile", "most_mb"), [("720p", 2), ("group", 4), ("1080p", 4), ("audio", 0.5)])
def test_a_good_line_costs_little(profile: str, most_mb: float) -> None:
    """Both ways together; and a good line is said to be good."""
    for run in play(Case(line, 1, profile) for line in good_lines(3)):
        assert run.outcome.tier == profile
        assert BOTH_WAYS * run.outcome.bytes <= most_mb * MB


def test_a_dead_line_is_no_line() -> None:
    """Everything lost: not measured, and not a rate of nought."""
    outcome = run_ladder(Direction(loss_pct=100), 1, 1.5)
    assert outcome.measurement.cause == "nothing_arrived"
    assert outcome.tier is None
