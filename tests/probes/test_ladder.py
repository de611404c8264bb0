"""Which rate comes next and what the trials together say: downwards only, and no better than what was proven."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.ladder import MAX_RUNGS, Ladder, Tier, rate_measurement
from probes.trial import State, TrialFigures
from tests.link.virtual import PROFILES, TIERS

FACTOR = 1.25


def figures(
    asked: float, *, offered: float | None = None, capacity: float | None = None, arrived: float | None = None,
    half: float = 0.02, lost: int = 0,
) -> TrialFigures:  # fmt: skip
    """A trial's figures, without those that don't matter here."""
    low, high = (None, None) if capacity is None else (capacity * (1 - half), capacity * (1 + half))
    return TrialFigures(
        asked_mbps=asked, offered_mbps=offered or asked,
        arrived_mbps=arrived if arrived is not None else capacity or asked,
        capacity_mbps=capacity, low_mbps=low, high_mbps=high, known=500, lost=lost, elapsed_ms=3000, extra_p95_ms=12,
        queue_ms=80 if capacity else 1,
    )  # fmt: skip


def climbed(line_mbps: float, need_mbps: float) -> Ladder:
    """All trials of a line that carries exactly so much."""
    ladder = Ladder(TIERS, need_mbps=need_mbps, factor=FACTOR)
    while (rung := ladder.rung) is not None:
        if rung.rate_mbps <= line_mbps:
            ladder.add(figures(rung.rate_mbps), "carried")
        else:
            ladder.add(figures(rung.rate_mbps, capacity=line_mbps), "short")
    return ladder


def test_it_starts_at_the_need_with_room_and_ends_where_that_is_carried() -> None:
    """One trial on a good line: at least what was tried, of the profile's own tier, limited by nothing."""
    ladder = Ladder(TIERS, need_mbps=1.5, factor=FACTOR)
    assert ladder.rung is not None
    assert (ladder.rung.rate_mbps, ladder.rung.need_mbps, ladder.rung.tier) == (1.875, 1.5, "720p")
    ladder.add(figures(1.875), "carried")
    assert ladder.rung is None
    found = ladder.finding()
    assert found is not None
    assert (found.value_mbps, found.low_mbps, found.high_mbps) == (1.875, 1.875, None)
    assert (found.tier, found.limit) == ("720p", "none")


def test_below_the_room_the_need_itself_is_tried() -> None:
    """1.6 Mbit/s: too little for 1.875, and 1.5 is proven by a trial of its own."""
    ladder = climbed(1.6, 1.5)
    assert [rung.rate_mbps for rung, _, _ in ladder.results] == [1.875, 1.5]
    found = ladder.finding()
    assert found is not None
    assert (found.tier, found.limit, found.value_mbps) == ("720p", "line", 1.6)


def test_a_line_measured_a_little_below_a_need_is_tried_there() -> None:
    """A measurement errs by some percent: 1.46 for 1.5 deserves a trial, 1.3 does not."""
    for capacity, tried in ((1.46, 1.5), (1.3, 0.65 * FACTOR)):
        ladder = Ladder(TIERS, need_mbps=1.5, factor=FACTOR)
        ladder.add(figures(1.875, capacity=capacity), "short")
        assert ladder.rung is not None
        assert ladder.rung.rate_mbps == pytest.approx(tried)


def test_a_far_too_thin_line_goes_down_to_sound() -> None:
    """0.3 Mbit/s: neither 720p nor 360p is tried, sound is."""
    ladder = climbed(0.3, 1.5)
    assert [rung.tier for rung, _, _ in ladder.results] == ["720p", "audio"]
    found = ladder.finding()
    assert found is not None
    assert (found.tier, found.limit) == ("audio", "line")
    assert found.value_mbps == pytest.approx(0.3)


def test_a_line_for_nothing_at_all_has_its_rate_and_no_tier() -> None:
    """50 kbit/s: measured, and good for nothing."""
    found = climbed(0.05, 1.5).finding()
    assert found is not None
    assert (found.value_mbps, found.tier, found.limit) == (0.05, None, "line")


def test_a_sender_that_could_not_send_is_not_the_line() -> None:
    """The page offered 1.2 of 1.875 and all of it arrived: at least 1.2, and the sender was the limit."""
    ladder = Ladder(TIERS, need_mbps=1.5, factor=FACTOR)
    ladder.add(figures(1.875, offered=1.2), "carried")
    found = ladder.finding()
    assert found is not None
    assert (found.value_mbps, found.low_mbps, found.tier, found.limit) == (1.2, 1.2, "360p", "sender")


def test_a_sender_a_little_slow_is_good_enough() -> None:
    """A browser's frames come at 99 a second, not 100."""
    ladder = Ladder(TIERS, need_mbps=1.5, factor=FACTOR)
    ladder.add(figures(1.875, offered=1.85), "carried")
    found = ladder.finding()
    assert found is not None
    assert (found.value_mbps, found.tier, found.limit) == (1.875, "720p", "none")


def test_nothing_arrived_is_not_a_rate_of_nought() -> None:
    """No figures at all: not measured, with its cause."""
    ladder = Ladder(TIERS, need_mbps=1.5, factor=FACTOR)
    while ladder.rung is not None:
        ladder.add(None, "short")
    assert ladder.finding() is None
    found = rate_measurement("up", ladder)
    assert (found.check, found.value, found.cause, found.unit) == (
        "network.throughput_up",
        None,
        "nothing_arrived",
        "mbps",
    )


def test_what_arrived_counts_where_no_queue_was_seen() -> None:
    """A trial that lost a third without a queue: what arrived is the line's rate."""
    ladder = Ladder(TIERS, need_mbps=0.1, factor=FACTOR)
    ladder.add(figures(0.125, arrived=0.08), "short")
    while ladder.rung is not None:
        ladder.add(figures(ladder.rung.rate_mbps, arrived=0.08), "short")
    found = ladder.finding()
    assert found is not None
    assert (found.value_mbps, found.tier) == (0.08, None)


def test_a_trial_too_many_is_refused() -> None:
    """After the last rung nothing is added."""
    ladder = climbed(50, 1.5)
    with pytest.raises(ValueError, match="no trial"):
        ladder.add(figures(1.0), "carried")


def test_the_measurement_says_how_it_was_found() -> None:
    """Tier, limit, method, what was asked, the deepest queue of all trials, and how many there were."""
    found = rate_measurement("down", climbed(1.0, 1.5))
    assert (found.check, found.unit, found.samples) == ("network.throughput_down", "mbps", 1000)
    assert found.value == pytest.approx(1.0)
    details = {
        name: found.metric(name) for name in ("tier", "limit", "method", "asked_mbps", "queue_ms", "trials", "lost_pct")
    }
    assert details == {
        "tier": "360p", "limit": "line", "method": "rtp", "asked_mbps": 1.875, "queue_ms": 80, "trials": 2,
        "lost_pct": 0,
    }  # fmt: skip
    assert rate_measurement("down", climbed(0.05, 1.5)).metric("tier") == "none"


@given(st.floats(0.01, 100), st.sampled_from(sorted(PROFILES.values())))
def test_any_line_gets_its_own_tier(line_mbps: float, need_mbps: float) -> None:
    """With trials that tell the truth the tier is exactly the highest that the line carries, in at most four trials."""
    ladder = climbed(line_mbps, need_mbps)
    found = ladder.finding()
    assert found is not None
    carried = [tier for tier in TIERS if tier.need_mbps <= min(need_mbps, line_mbps)]
    assert found.tier == (carried[0].name if carried else None)
    assert 1 <= len(ladder.results) <= MAX_RUNGS
    rates = [rung.rate_mbps for rung, _, _ in ladder.results]
    assert rates == sorted(set(rates), reverse=True), "downwards only, and nothing twice"
    assert found.value_mbps <= max(line_mbps, 1e-9) * 1.0001 or found.limit == "none"


RESULTS = st.tuples(
    st.none() | st.builds(
        figures, st.floats(0, 100), offered=st.none() | st.floats(0.01, 100), capacity=st.none() | st.floats(0, 100),
        arrived=st.floats(0, 100), half=st.floats(0, 1), lost=st.integers(0, 500),
    ),
    st.sampled_from(["carried", "short"]),
)  # fmt: skip


@given(st.lists(RESULTS, min_size=MAX_RUNGS, max_size=MAX_RUNGS), st.sampled_from(sorted(PROFILES.values())))
def test_any_outcomes_end_and_give_a_measurement(
    outcomes: list[tuple[TrialFigures | None, State]], need_mbps: float
) -> None:
    """Never more than four trials, never a tier above the profile's, never a figure that is none."""
    ladder = Ladder(TIERS, need_mbps=need_mbps, factor=FACTOR)
    for found, state in outcomes:
        if ladder.rung is None:
            break
        ladder.add(found, state)
    assert ladder.rung is None
    measured = rate_measurement("up", ladder)
    assert measured.value is None or (isinstance(measured.value, float) and math.isfinite(measured.value))
    names = {tier.name: tier.need_mbps for tier in TIERS}
    assert names.get(str(measured.metric("tier")), 0.0) <= need_mbps


def test_without_tiers_the_need_alone_is_tried() -> None:
    """A profile may name no tiers at all."""
    ladder = Ladder((Tier("big", 9.0),), need_mbps=1.5, factor=FACTOR)
    ladder.add(figures(1.875, capacity=1.0), "short")
    assert ladder.rung is None
    found = ladder.finding()
    assert found is not None
    assert (found.value_mbps, found.tier) == (1.0, None)
