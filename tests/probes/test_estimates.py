"""Medians, quantiles and intervals: known values, and nothing in gives nothing out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.estimates import finite, mean, median, pair, quantile, quantile_interval, wilson_interval

NUMBERS = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=60)


def test_nothing_gives_none_never_nan() -> None:
    """Of no values there is no mean, median, quantile or interval."""
    found: list[object] = [mean([]), median([]), quantile([], 0.5), quantile_interval([], 0.5), wilson_interval(0, 0)]
    assert found == [None] * 5


def test_finite_keeps_only_real_numbers() -> None:
    """Booleans, text, None, NaN, infinities and numbers beyond a float are not figures."""
    assert finite([1, 2.5, True, "3", None, math.nan, math.inf, 10**400]) == [1.0, 2.5]


def test_pair_needs_both() -> None:
    """Half a pair is none."""
    assert pair(1, 2.0) == (1.0, 2.0)
    assert pair(1, None) is pair(math.nan, 1) is None


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.5, 2.5), (1, 4), (0.95, 3.85), (-1, 1), (2, 4)])
def test_quantile_interpolates(share: float, expected: float) -> None:
    """Between two samples the quantile lies on the line between them; shares outside 0 to 1 are the ends."""
    assert quantile([4, 1, 3, 2], share) == pytest.approx(expected)


@given(NUMBERS, st.floats(0, 1))
def test_the_interval_holds_samples_in_order_around_the_quantile(values: list[float], share: float) -> None:
    """Low <= quantile <= high, and both ends are samples."""
    found, interval = quantile(values, share), quantile_interval(values, share)
    assert found is not None
    assert interval is not None
    low, high = interval
    assert low in values
    assert high in values
    assert low <= high
    assert low - 1e-6 * abs(low) <= found <= high + 1e-6 * abs(high)


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 300, 0.0, 0.01264), (3, 300, 0.00341, 0.02898), (10, 10, 0.72246, 1.0), (5, 10, 0.23659, 0.76341)],
)
def test_wilson_matches_the_book(hits: int, trials: int, low: float, high: float) -> None:
    """Values by the closed formula; 0 of 300 still leaves 1.3 % possible."""
    assert wilson_interval(hits, trials) == pytest.approx((low, high), abs=2e-5)


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_wilson_contains_the_share(hits: int, trials: int) -> None:
    """The interval lies in 0 to 1 and holds the share; impossible counts have none."""
    interval = wilson_interval(hits, trials)
    if hits > trials:
        assert interval is None
    else:
        assert interval is not None
        assert 0 <= interval[0] <= hits / trials <= interval[1] <= 1
