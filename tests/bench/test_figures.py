"""The bench never prints "ok" for a figure that misses its bar or was not measured."""

from __future__ import annotations

from tests.bench.figures import Figure, as_json, table


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
