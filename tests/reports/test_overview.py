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
    assert left == 0 or (told == {} and not sum(cells.values(), Cell(0)).is_told())
    assert all(side == 0 or side >= LEAST for one in told.values() for side in (one.hits, one.number - one.hits))
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
    assert last_month(date(2026, 12, 8)) == "2026-11"
    assert last_month(date(2026, 12, 7)) == "2026-10", "answers of its last Sunday come in for a week"
    assert months_back("2026-01", 1) == "2025-12"


def counted(number: int, **changed: object) -> Counted:
    """So many who tested in time and were ready at once."""
    values: dict = {
        "week": "2026-W45", "profile": "consultation", "solution": "teams", "client_class": "Chrome/Android/phone",
        "tested": "in_time", "first_verdict": "ready", "last_verdict": "ready", "cause": "", "solved_min": None,
        "unit": "", "room": "",
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
    heard = [
        Heard(30, "patient", "ready", 5, 4),
        Heard(10, "patient", "ready", 2, 1),
        Heard(50, "leader", "not_ready", 1, 5),
    ]
    found = make_overview(groups, heard)
    shares = {name: (one.hits, one.number) for name in ("in_time", "first_try", "right", "solved")
              if (one := getattr(found, name)) is not None}  # fmt: skip
    assert shares == {"in_time": (84, 100), "first_try": (60, 84), "right": (30, 40), "solved": (None, None)}
    assert found.causes == {OTHERS: 24}, "four are not told, nor the twenty beside them"
    assert found.solved_within == {}, "its sum of 24 would be the four who were never ready"
    assert {name: one.number for name, one in found.in_time_by["solution"].items()} == {"teams": 84, "zoom": 16}
    assert "browser" not in found.in_time_by
    assert make_overview([counted(9)], []).in_time is None


def test_one_who_never_tested_is_not_the_difference_of_two_tables():
    """Eleven of twelve in a week: the week is not told, nor the twelve; one and nine missing look alike."""
    never = {"tested": "never", "first_verdict": None, "last_verdict": None, "client_class": ""}
    other = [counted(30, week="2026-W46"), counted(15, week="2026-W46", **never)]
    found = make_overview([counted(11), counted(1, **never), *other], [])
    assert {name: one.number for name, one in found.in_time_by["week"].items()} == {OTHERS: 57}
    few = [make_overview([counted(50), counted(missing, **never)], []) for missing in (1, 9)]
    assert few[0] == few[1]
    assert few[0].in_time is not None
    assert (few[0].in_time.number, few[0].in_time.share, few[0].in_time.high) == (None, None, 1.0)
    assert not any(few[0].in_time_by.values())
    failing = {"first_verdict": "not_ready", "cause": "camera.present"}
    wrong = make_overview([counted(9), counted(20, **failing)], [])
    assert (wrong.causes, wrong.solved) == ({}, None), "29 in time less 20 with a cause would be nine"


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25), st.integers(0, 25)), min_size=1, max_size=4))
def test_no_two_numbers_of_a_month_differ_by_few_of_one_kind(weeks: list[tuple[int, int, int]]):
    """Never, failed and ready by week: what of each is known of the month, as number or difference, is none or ten."""
    groups = []
    for at, (never, failed, ready) in enumerate(weeks):
        week = f"2026-W{45 + at}"
        groups += [counted(never, week=week, tested="never", first_verdict=None), counted(ready, week=week)]
        groups.append(counted(failed, week=week, first_verdict="not_ready", cause="network.path"))
    found = make_overview(groups, [])
    invited, tested = found.in_time, found.first_try
    known = {"never": None, "tested": None, "ready": None, "failed": sum(found.causes.values()) or None}
    if invited is not None and invited.number is not None:
        known |= {"tested": invited.hits, "never": invited.number - invited.hits}
    if tested is not None and tested.number is not None:
        known |= {"tested": tested.number, "ready": tested.hits, "failed": tested.number - tested.hits}
    if known["tested"] is not None and known["failed"] is not None:
        known["ready"] = known["tested"] - known["failed"]
    assert all(one is None or one == 0 or one >= LEAST for one in known.values()), known
    for table, whole in ((found.in_time_by["week"], known["tested"]), (found.first_try_by["week"], known["ready"])):
        assert not table or sum(one.hits for one in table.values()) == whole
