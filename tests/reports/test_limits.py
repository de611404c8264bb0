"""An organisation's own limits: bounded, handed down, and what is kept of tests decides them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.measurement import Measurement
from reports.checks import FIGURES
from reports.kept_figures import KeptTest, kept_figures, read_kept
from reports.limits import LIMITS, MOVABLE, MovableLimit, limits_of, limits_phase, with_limits
from reports.model import Outcome, Verdict
from reports.phases import FinishedPhase
from reports.preview import judged_again, make_preview
from reports.profile import ProfileError, load_profile, parse_profile
from reports.verdict import judge, judge_check
from tests.server.test_board import phases

PROFILE = load_profile("consultation")
OURS = {name: one for name, one in MOVABLE.items() if one.profile == PROFILE.name}
DETAILS = {
    "worst_200ms_pct": st.sampled_from([None, 0.0, 60.0]), "events": st.sampled_from([None, 0, 5]),
    "processed": st.sampled_from([None, True, False]),
}  # fmt: skip

IN_TIME = {"server_lag_p99_ms": 1.0, "device_lag_p99_ms": 1.0}


def within(one: MovableLimit) -> st.SearchStrategy[float]:
    """A limit that somebody may set."""
    return st.floats(one.bounds.lowest, one.bounds.highest)


@st.composite
def measured(draw: st.DrawFn) -> tuple[MovableLimit, Measurement, float]:
    """A measurement about the limits of one check, and another limit."""
    one = draw(st.sampled_from(sorted(OURS.values(), key=lambda limit: limit.name)))
    limit = draw(within(one))
    anything = st.floats(one.bounds.lowest - 50, one.bounds.highest + 100)
    value = draw(st.one_of(st.just(limit), st.just(one.ours), within(one), anything))
    found = {name: draw(values) for name, values in DETAILS.items()}
    details = IN_TIME | {name: value for name, value in found.items() if value is not None}
    return one, Measurement(one.check, value, details=details), limit


@given(measured())
def test_what_is_kept_is_judged_as_the_measurement_itself(case: tuple[MovableLimit, Measurement, float]):
    """By any limit that may be set, whatever else is known of the line: else a look would tell what isn't so."""
    one, found, limit = case
    rule = PROFILE.checks[one.check]
    moved = rule.with_limit(one.outcome, limit)
    before = judge_check(found, rule)
    kept = read_kept(kept_figures("consultation", [before.to_json()]) or {})
    outcome, value = kept.outcomes[one.check], kept.values[one.check]
    assert judged_again(rule, outcome, value).partition(" ")[0] == before.outcome
    assert judged_again(moved, outcome, value).partition(" ")[0] == judge_check(found, moved).outcome


@pytest.mark.parametrize("name", sorted(MOVABLE))
def test_each_limit_can_be_shown_and_is_worse_on_the_side_that_is_said(name: str):
    """Its bounds are numbers that stand on the page as they are, and the words "above" and "below" are right."""
    one = MOVABLE[name]
    rule = next(
        rule for rule in load_profile(one.profile).checks[one.check].rules
        if rule.outcome is one.outcome and rule.when[0].limit == one.ours and len(rule.when) == 1
    )  # fmt: skip
    assert rule.when[0].op == one.figure.worse
    for limit in (one.bounds.lowest, one.bounds.highest, one.ours):
        assert one.figure.rounded(limit) == limit


@given(st.data())
def test_a_warning_never_comes_after_the_failure(data: st.DataObject):
    """Whatever an organisation sets: what fails by its limits warns by them too."""
    choices = {name: data.draw(within(one)) for name, one in OURS.items()}
    for name, rule in with_limits(PROFILE, limits_of(choices, PROFILE)).checks.items():
        warn, fail = rule.threshold(Outcome.WARN), rule.threshold(Outcome.FAIL)
        if rule.movable and warn is not None and fail is not None:
            assert warn == fail or FIGURES[name].is_worse(fail, warn)


def test_a_profile_has_its_own_limit_before_its_parents():
    """What is set for a consultation holds for a group, unless the group has its own; a look at sound has no camera."""
    choices = {
        "thresholds/consultation/network.rtt/fail": 220.0,
        "thresholds/consultation/camera.resolution/warn": 600.0,
        "thresholds/group/network.rtt/fail": 350.0,
        "figures_months": 6,
    }
    found = {name: limits_of(choices, load_profile(name)) for name in ("consultation", "group", "audio_only")}
    assert found["consultation"] == {"network.rtt/fail": 220.0, "camera.resolution/warn": 600.0}
    assert found["group"] == {"network.rtt/fail": 350.0, "camera.resolution/warn": 600.0}
    sound = with_limits(load_profile("audio_only"), found["audio_only"])
    assert "camera.resolution" not in sound.checks
    assert sound.checks["network.rtt"].threshold(Outcome.FAIL) == 220.0
    assert sound.checks["network.rtt"].threshold(Outcome.WARN) == 150.0


def test_what_is_out_of_bounds_by_now_is_none():
    """A limit that was set when the bounds were wider makes nothing pass; nor does one that is gone."""
    old = {"thresholds/consultation/network.rtt/fail": 4000.0, "thresholds/consultation/network.gone/fail": 1.0}
    assert limits_of(old, PROFILE) == {}
    assert limits_phase(old, PROFILE) == {}
    assert with_limits(PROFILE, {}) is PROFILE


def test_a_moved_limit_moves_every_rule_that_has_it_and_is_told():
    """Of loss two rules have it; the result says both numbers and that one is the organisation's own."""
    own = with_limits(PROFILE, {"network.loss_up/fail": 4.0})
    found = Measurement("network.loss_up", 3.5, details=IN_TIME | {"worst_200ms_pct": 60.0, "events": 3})
    before, after = (judge_check(found, one.checks["network.loss_up"]) for one in (PROFILE, own))
    assert (before.outcome, before.fail_threshold, before.has_own_limits) == (Outcome.FAIL, 3.0, False)
    assert (after.outcome, after.fail_threshold, after.has_own_limits) == (Outcome.WARN, 4.0, True)
    assert after.to_json()["own_limits"] is True
    assert type(after).from_json(after.to_json()) == after
    assert limits_phase({"thresholds/consultation/network.loss_up/fail": 4.0}, PROFILE) == {
        LIMITS: {"network.loss_up/fail": 4.0}
    }


@pytest.mark.parametrize(
    ("movable", "why"),
    [
        ("fail = [310, 400]", "out of its bounds"),
        ("warn = [100, 250]\nfail = [200, 400]", "may cross"),
        ("warn = [100, 301]", "may cross"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(movable: str, why: str):
    """At start, with the file and the check."""
    text = f"""extends = "consultation"
name = "odd"
version = "1"
[checks."network.rtt"]
level = "required"
area = "network"
responsible = "participant"
rules = [
  {{ when = ["value > 300"], outcome = "fail", advice = "network.slow_response" }},
  {{ when = ["value > 150"], outcome = "warn", advice = "network.slow_response" }},
]
source = "made up"
[checks."network.rtt".movable]
{movable}
source = "made up"
"""
    with pytest.raises(ProfileError, match=f"odd.toml: network.rtt: .*{why}"):
        parse_profile(text, where="odd.toml")


def test_a_limit_that_no_rule_has_alone_cannot_be_moved():
    """What is kept of old tests would not decide it."""
    text = """extends = "consultation"
name = "odd"
version = "1"
[checks."microphone.echo"]
level = "advisory"
area = "microphone"
responsible = "participant"
source = "made up"
rules = [{ when = ["value > -35", "heard == True"], outcome = "fail", advice = "microphone.echo" }]
movable = { fail = [-40, -30], source = "made up" }
"""
    with pytest.raises(ProfileError, match="by itself"):
        parse_profile(text, where="odd.toml")


@pytest.mark.parametrize(
    ("changed", "verdicts"),
    [
        ({}, ("ready_with_warnings", "ready_with_warnings")),
        ({"network__rtt": 250.0}, ("ready_with_warnings", "not_ready")),
        ({"network__rtt": 310.0}, ("not_ready", "not_ready")),
        ({"network__rtt": None}, ("incomplete", "incomplete")),
        ({"network__loss_up": None}, ("incomplete", "incomplete")),
        ({"camera__people": 0}, ("not_ready", "not_ready")),
    ],
)
def test_the_answer_of_a_whole_test_is_that_of_the_judge(changed: dict[str, Any], verdicts: tuple[str, str]):
    """Kept in parts, a test gets the verdict that the judge gives it, by our limits and by the organisation's own."""
    own = with_limits(PROFILE, {"network.rtt/fail": 220.0})
    found = {one.check: one for one in FinishedPhase.from_json(phases(**changed)["devices"]).measurements}
    sides = [judge(found, profile) for profile in (PROFILE, own)]
    assert tuple(one.verdict for one in sides) == verdicts
    kept = read_kept(kept_figures("consultation", [one.to_json() for one in sides[0].checks]) or {})
    told = make_preview([kept] * 10, PROFILE, own)
    assert told.verdicts is not None
    assert [told.verdicts.before, told.verdicts.after] == [{one: 10} for one in verdicts]


def test_a_short_list_of_tests_is_told_for_a_check_only_where_ten_had_it():
    """Of twelve tests nine had measured the line: nothing is told of it, only of the whole."""
    with_rtt = KeptTest(Verdict.READY, {"network.rtt": 120.0}, {"network.rtt": "pass"})
    without = KeptTest(Verdict.READY, {"network.rtt": None}, {"network.rtt": "skipped not_asked"})
    told = make_preview([with_rtt] * 9 + [without] * 3, PROFILE, with_limits(PROFILE, {"network.rtt/warn": 100.0}))
    assert told.checks == {"network.rtt": None}
    assert told.verdicts is not None
    assert told.verdicts.after == {"ready": 3, "ready_with_warnings": 9}


def test_of_a_profile_that_there_is_not_nothing_is_kept():
    """Nor of a check without an outcome."""
    assert kept_figures("gone", []) is None
    assert kept_figures("consultation", [{"id": "network.rtt"}, "odd"]) == {
        "profile": "consultation", "rest": "ready", "values": {}, "outcomes": {},
    }  # fmt: skip
