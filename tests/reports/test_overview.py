"""Sums that single nobody out, also by differences; shares with an interval; months that do not overlap."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.overview import Counted, Heard, last_month, make_overview, months_back, weeks_of
from reports.sums import LEAST, OTHERS, Cell, folded, wilson


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(0, 40), max_size=8))
def test_nobody_is_told_of_alone_nor_by_a_difference(numbers: dict[str, int]):
    """Every group that is told has ten, and so has whatever is left of the total when all that is told is taken off."""
    cells = {name: Cell(number, number // 2) for name, number in numbers.items()}
    told, total = folded(cells), sum(numbers.values())
    assert all(one.number >= LEAST for one in told.values())
    left = total - sum(one.number for one in told.values())
    assert left == 0 or (told == {} and total < LEAST)
    assert list(told)[-1:] == [OTHERS] or OTHERS not in told
    for name, one in told.items():
        assert name == OTHERS or one == cells[name]


def test_one_small_group_takes_the_next_with_it():
    """12 and 3 of 40: without the 12 the 3 would be what is missing."""
    cells = {"teams": Cell(25), "zoom": Cell(12), "other": Cell(3)}
    assert folded(cells) == {"teams": Cell(25), OTHERS: Cell(15)}
    assert folded({"teams": Cell(25), "zoom": Cell(12)}) == {"teams": Cell(25), "zoom": Cell(12)}
    assert folded({"teams": Cell(9)}) == {}


@pytest.mark.parametrize(
    ("hits", "number", "low", "high"), [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)]
)
def test_the_interval_is_wilsons(hits: int, number: int, low: float, high: float):
    """The published example 81 of 263, and the ends, where the plain interval says nothing."""
    assert wilson(hits, number) == pytest.approx((low, high), abs=5e-4)


def test_months_are_whole_weeks_and_none_is_in_two():
    """For ten years each week is in exactly one month; the newest month is over with its people counted."""
    month, weeks = "2024-01", []
    for at in range(120):
        first, last = weeks_of(months_back(month, -at))
        day = date.fromisocalendar(int(first[:4]), int(first[6:]), 4)
        while (named := "{:04d}-W{:02d}".format(*day.isocalendar()[:2])) <= last:
            weeks.append(named)
            day += timedelta(weeks=1)
    assert len(weeks) == len(set(weeks)) == 522
    assert weeks_of("2026-11") == ("2026-W45", "2026-W48")
    assert last_month(date(2026, 11, 30)) == "2026-10"
    assert last_month(date(2026, 12, 2)) == "2026-11"
    assert last_month(date(2026, 12, 1)) == "2026-10"
    assert months_back("2026-01", 1) == "2025-12"


def counted(number: int, **changed: object) -> Counted:
    """So many who tested in time and were ready at once."""
    values: dict = {
        "week": "2026-W45", "profile": "consultation", "solution": "teams", "client_class": "Chrome/Android/phone",
        "tested": "in_time", "first_verdict": "ready", "last_verdict": "ready", "cause": "", "solved_min": None,
    }  # fmt: skip
    return Counted(number, **values | changed)


def test_each_share_has_its_own_denominator():
    """In time of the invited, ready at first of those who tested, right of those who answered, solved of the failed."""
    failed = {"first_verdict": "not_ready", "cause": "network.path"}
    groups = [
        counted(60),
        counted(20, **failed, solved_min=15),
        counted(4, **failed | {"cause": "camera.present", "last_verdict": "not_ready"}),
        counted(6, tested="late", solution="zoom"),
        counted(10, tested="never", first_verdict=None, last_verdict=None, client_class="", solution="zoom"),
    ]
    heard = [Heard(30, "teams", "ready", 5), Heard(10, "teams", "ready", 2), Heard(50, "teams", "not_ready", 1)]
    found = make_overview(groups, heard)
    shares = {name: (one.hits, one.number) for name in ("in_time", "first_try", "right", "solved")
              if (one := getattr(found, name)) is not None}  # fmt: skip
    assert shares == {"in_time": (84, 100), "first_try": (66, 90), "right": (30, 40), "solved": (20, 24)}
    assert found.causes == {OTHERS: 24}, "four are not told, nor the twenty beside them"
    assert found.solved_within == {"15": 20}
    assert {name: one.number for name, one in found.in_time_by["solution"].items()} == {"teams": 84, "zoom": 16}
    assert "browser" not in found.in_time_by
    assert make_overview([counted(9)], []).in_time is None
