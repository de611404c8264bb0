"""Two tables of the same people tell of few together: which groups are told beside each other, and which are not."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import example, given
from hypothesis import strategies as st

from reports.overview import Counted, Heard, make_overview
from reports.sums import LEAST, OTHERS, Cell, folded, told_of
from tests.reports.test_overview import counted


def unit_and_room(number: int, unit: str, room: str, **changed: object) -> Counted:
    return counted(number, unit=unit, room=room, **changed)


def test_a_unit_that_uses_one_room_does_not_tell_who_else_was_in_it():
    """25 in the room less the unit's 20 would be five of other units; ten or none may be known."""
    for others, told in ((5, False), (10, True), (0, True)):
        groups = [unit_and_room(20, "Hand", "Fjorden"), unit_and_room(others, "Foot", "Fjorden")]
        groups += [unit_and_room(30, "Foot", "Viken"), unit_and_room(30, "Head", "Viken")]
        found = make_overview(groups, [])
        for tables in (found.in_time_by, found.first_try_by):
            both = {"Hand", "Fjorden"} & (tables["unit"].keys() | tables["room"].keys())
            assert (both == {"Hand", "Fjorden"}) is told, (others, tables)
            assert {sum(one.number or 0 for one in table.values()) for table in tables.values() if table} == {
                80 + others
            }


def test_a_unit_with_two_rooms_does_not_tell_who_else_was_in_them():
    """15 and 18 in its rooms less the unit's 30 would be three of other units."""
    for others, told in ((3, False), (10, True), (0, True)):
        groups = [unit_and_room(15, "Hand", "Fjorden"), unit_and_room(15, "Hand", "Viken")]
        groups += [unit_and_room(others, "Foot", "Viken")] if others else []
        groups += [unit_and_room(30, "Foot", "Bukta"), unit_and_room(30, "Head", "Bukta")]
        for tables in (make_overview(groups, []).in_time_by, make_overview(groups, []).first_try_by):
            both = {"Hand", "Fjorden", "Viken"} <= tables["unit"].keys() | tables["room"].keys()
            assert both is told, (others, tables)


def test_both_measures_of_one_unit_are_told_as_one():
    """Of B three tested: A's 15 in the one table, and A and B's 18 in the other one, would say so."""
    never = {"tested": "never", "first_verdict": None, "client_class": ""}
    failed = {"first_verdict": "not_ready", "cause": "camera.present"}
    groups = [
        counted(15, unit="A"),
        counted(20, unit="A", **never),
        counted(3, unit="B"),
        counted(20, unit="C", **failed),
    ]
    found = make_overview(groups, [])
    in_time = {name: one.hits for name, one in found.in_time_by["unit"].items()}
    first_try = {name: one.number for name, one in found.first_try_by["unit"].items()}
    assert in_time, "something is told"
    assert first_try, "something is told"
    assert (in_time.get("A"), first_try.get(OTHERS)) != (15, 18)
    for told, other in ((in_time, first_try), (first_try, in_time)):
        folded_there = {"A", "B", "C"} - other.keys()
        inside = sum(number or 0 for name, number in told.items() if name in folded_there)
        left = (other.get(OTHERS) or 0) - inside
        assert left == 0 or left >= LEAST, (in_time, first_try)


READY, FAILED = st.sampled_from((0, 3, 10, 15, 25)), st.sampled_from((0, 2, 12))


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("wxyz"), READY, FAILED), max_size=9))
@example([("A", "w", 15, 0), ("A", "x", 15, 0), ("B", "x", 3, 0), ("B", "y", 25, 0), ("C", "y", 25, 0)])
def test_whole_groups_within_another_leave_nobody_or_ten(rows: list[tuple[str, str, int, int]]):
    """Whatever units lie in a room, or rooms in a unit's: people, those ready and those not."""
    groups = list(chain.from_iterable(
        (unit_and_room(ready, unit, room), unit_and_room(failed, unit, room, first_verdict="not_ready", cause="x"))
        for unit, room, ready, failed in rows
    ))  # fmt: skip
    groups = [one for one in groups if one.number]
    tables = make_overview(groups, []).first_try_by
    for inner, outer in (("unit", "room"), ("room", "unit")):
        lies_in = {
            group: {getattr(person, outer) for person in groups if getattr(person, inner) == group}
            for group in tables[inner] if group != OTHERS
        }  # fmt: skip
        for holders in lies_in.values():
            if not holders <= tables[outer].keys():
                continue
            whole = [tables[outer][name] for name in holders]
            inside = [tables[inner][group] for group, met in lies_in.items() if met <= holders]
            for some in chain.from_iterable(combinations(inside, size) for size in range(1, len(inside) + 1)):
                number = sum(one.number or 0 for one in whole) - sum(one.number or 0 for one in some)
                hits = sum(one.hits or 0 for one in whole) - sum(one.hits or 0 for one in some)
                assert all(left == 0 or left >= LEAST for left in (number, hits, number - hits)), (rows, tables)


def test_one_hidden_group_is_not_all_that_is_left():
    """A group that must not be told is not told as the only one of the others either."""
    cells = {"Hand": Cell(20), "Foot": Cell(30), "Head": Cell(40)}
    assert folded(cells, hidden=["Hand"]) == {"Head": Cell(40), OTHERS: Cell(50)}
    cells_of_shares = [Cell(30, 20), Cell(12, 10), Cell(3, 3), Cell(20, 10)]
    assert told_of(cells_of_shares) == [True, False, False, False], "13 of 15 alone would be two who were not"


def test_satisfied_are_participants_who_said_so():
    """Leaders and those who did not answer that question are no part of the share."""
    heard = [Heard(30, "patient", "ready", 5, 5), Heard(10, "relative", None, 3, 2), Heard(20, "leader", "ready", 5, 1)]
    found = make_overview([], [*heard, Heard(50, "patient", "ready", 5, None)]).satisfied
    assert found is not None
    assert (found.hits, found.number) == (30, 40)


def test_how_many_answered_after_another_verdict_is_no_difference_of_two_pages():
    """All who answered are told by unit: 40 of 43 told "ready" would be three who were not."""
    for others, told in ((0, True), (3, False), (10, True)):
        heard = [Heard(30, "patient", "ready", 5, None), Heard(10, "patient", "ready", 2, None)]
        found = make_overview([], [*heard, Heard(others, "leader", None, 5, None)]).right
        assert found is not None
        assert ((found.hits, found.number) == (30, 40)) is told, others
        if not told:
            assert (found.hits, found.number, found.share) == (None, None, None)
            assert (round(found.low, 9), round(found.high, 9)) == (0.55, 0.9), "Wilson's 0.598 to 0.858, in steps"
