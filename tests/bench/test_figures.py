"""The bench never prints "ok" for a figure that misses its bar or was not measured."""

from __future__ import annotations

from tests.bench.figures import Figure, as_json, half_of, rate, table, wilson


def test_the_worst_sample_decides():
    """A median within the bar does not hide a run beyond it."""
    assert Figure("x", "s", [1, 2, 44.9], at_most=45).verdict == "ok"
    assert Figure("x", "s", [1, 2, 45.1], at_most=45).verdict == "NOT MET"
    assert Figure("x", "1/s", [9, 20], at_least=10).verdict == "NOT MET"
    assert Figure("x", "s", [1]).verdict == ""


def test_what_was_not_measured_is_not_ok():
    """No samples, no bar met."""
    nothing = Figure("x", "s", [], at_most=45)
    assert nothing.verdict == "NOT MEASURED"
    assert "NOT MEASURED" in table("area", [nothing])
    assert as_json([nothing])[0]["verdict"] == "NOT MEASURED"


def test_a_share_has_its_interval_and_no_answers_meet_no_bar():
    """Wilson's interval of 3 in 14 is 7.6 to 47.6 % (textbook values); none of none is not measured."""
    low, high = wilson(3, 14)
    assert (round(100 * low, 1), round(100 * high, 1)) == (7.6, 47.6)
    assert wilson(0, 0) == (0.0, 1.0)
    found = rate("x", [True] * 3 + [False] * 11, at_most=20)
    assert found.verdict == "NOT MET"
    assert found.name == "x (3 of 14, 7.6-47.6)"
    assert rate("x", [], at_most=20).verdict == "NOT MEASURED"


def test_a_name_belongs_to_one_half_for_ever():
    """The split follows from the name alone, and both halves have their share."""
    halves = [half_of(f"photo{number}.jpg") for number in range(200)]
    assert halves == [half_of(f"photo{number}.jpg") for number in range(200)]
    assert 70 < halves.count("tune") < 130
