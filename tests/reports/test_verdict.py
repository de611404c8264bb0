"""Verdicts: the order of outcomes, and that missing data is never good news."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.measurement import Measurement, not_measured
from reports.model import Level, Outcome, SkipReason, Verdict
from reports.profile import Condition, ProfileError, load_profile, parse_profile
from reports.verdict import judge, judge_check

PROFILE = load_profile("consultation")
RANK = {Verdict.NOT_READY: 0, Verdict.INCOMPLETE: 0, Verdict.READY_WITH_WARNINGS: 1, Verdict.READY: 2}


def measurement_passing(check_id: str) -> Measurement:
    """Return a measurement that passes every rule of a check, found from the rules themselves."""
    rule = PROFILE.checks[check_id]
    value: float | str = 0.0
    details: dict[str, float | str | bool] = {}
    for one in rule.rules:
        for condition in one.when:
            good = _beyond(condition)
            if condition.metric == "value":
                value = good if not isinstance(good, float) or not isinstance(value, float) else _tighter(rule, "value")
            else:
                details[condition.metric] = (
                    good if not isinstance(good, float) else _tighter(rule, condition.metric)
                )
    return Measurement(check_id, value, samples=10, details=details)


def _beyond(condition: Condition) -> float | str | bool:
    if isinstance(condition.limit, bool):
        return not condition.limit
    if isinstance(condition.limit, str):
        return "fine"
    return condition.limit


def _tighter(rule, metric: str) -> float:
    """Return a figure on the good side of every numeric condition on `metric`."""
    lower = [c.limit for r in rule.rules for c in r.when if c.metric == metric and c.op in {"<", "<="}]
    upper = [c.limit for r in rule.rules for c in r.when if c.metric == metric and c.op in {">", ">="}]
    if lower and upper and max(lower) > min(upper):
        return max(lower)
    if lower:
        return max(lower) + 0.001
    return min(upper) - 0.001 if upper else 1.0


GOOD = {check_id: measurement_passing(check_id) for check_id in PROFILE.checks}


def spoil(found: Measurement, how: str) -> Measurement | None:
    """Return `found` without what it said: gone, without value, NaN, or without its details."""
    if how == "gone":
        return None
    if how == "no_value":
        return not_measured(found.check, "step_died")
    if how == "nan":
        return replace(found, value=math.nan)
    if how == "nan_details":
        return replace(found, details=dict.fromkeys(found.details, math.nan))
    return replace(found, details={})


def test_everything_good_is_ready():
    """A set of passing measurements is `ready`, complete, and needs no advice."""
    result = judge(GOOD, PROFILE)
    assert [c for c in result.checks if c.outcome is not Outcome.PASS] == []
    assert (result.verdict, result.complete, result.advice) == (Verdict.READY, True, ())


def test_nothing_measured_is_incomplete():
    """An empty test is incomplete, never ready."""
    result = judge({}, PROFILE)
    assert result.verdict is Verdict.INCOMPLETE
    assert result.complete is False


@st.composite
def measured_sets(draw) -> Mapping[str, Measurement]:
    """Good sets with some figures moved anywhere."""
    found = dict(GOOD)
    for check_id in draw(st.sets(st.sampled_from(sorted(GOOD)), max_size=4)):
        metric_values = st.one_of(
            st.floats(-1000, 1000),
            st.sampled_from(["nothing", "missing", "NotAllowedError", "none", "tcp-only", "relay-tcp", "no"]),
        )
        moved = {name: draw(st.one_of(st.just(value), st.floats(-1000, 1000), st.booleans()))
                 for name, value in found[check_id].details.items()}
        found[check_id] = replace(found[check_id], value=draw(metric_values), details=moved)
    return found


@given(
    measured_sets(),
    st.sampled_from(sorted(GOOD)),
    st.sampled_from(["gone", "no_value", "nan", "nan_details", "no_details"]),
)
@settings(max_examples=600, deadline=None)
def test_losing_or_spoiling_a_measurement_never_improves_the_verdict(measured, check_id, how):
    """Missing data is never good news, for any check and any way of losing it."""
    if PROFILE.checks[check_id].level is Level.INFORMATION:
        return
    full = judge(measured, PROFILE).verdict
    spoilt = spoil(measured[check_id], how)
    rest = {key: value for key, value in measured.items() if key != check_id}
    less = judge(rest if spoilt is None else {**rest, check_id: spoilt}, PROFILE).verdict
    assert RANK[less] <= RANK[full]


@given(measured_sets(), st.sets(st.sampled_from(sorted(GOOD)), max_size=6))
@settings(max_examples=200, deadline=None)
def test_losing_several_never_improves_either(measured, lost):
    """The same for several at a time."""
    full = judge(measured, PROFILE).verdict
    weighed = {check_id for check_id in lost if PROFILE.checks[check_id].level is not Level.INFORMATION}
    less = judge({key: value for key, value in measured.items() if key not in weighed}, PROFILE).verdict
    assert RANK[less] <= RANK[full]


def test_a_required_fail_decides_whatever_is_missing():
    """One required failure gives not_ready, and `complete` says that the rest is missing."""
    result = judge({"network.rtt": Measurement("network.rtt", 900.0, "ms")}, PROFILE)
    assert (result.verdict, result.complete) == (Verdict.NOT_READY, False)


def test_an_advisory_fail_only_warns():
    """A check that is not required can't make anybody not ready."""
    result = judge({**GOOD, "microphone.noise": replace(GOOD["microphone.noise"], value=-30.0)}, PROFILE)
    assert result.verdict is Verdict.READY_WITH_WARNINGS


def test_no_sound_is_an_accommodation_and_a_refusal_is_not():
    """Taking part without sound is at best ready with warnings; declining a required check leaves it incomplete."""
    rest = {key: value for key, value in GOOD.items() if key != "speaker.heard"}
    without = judge(rest, PROFILE, {"speaker.heard": SkipReason.NO_SOUND})
    assert without.verdict is Verdict.READY_WITH_WARNINGS
    assert "speaker.no_sound" in without.advice
    assert judge(rest, PROFILE, {"speaker.heard": SkipReason.DECLINED}).verdict is Verdict.INCOMPLETE
    strict = replace(PROFILE, accommodations=frozenset())
    assert judge(rest, strict, {"speaker.heard": SkipReason.NO_SOUND}).verdict is Verdict.INCOMPLETE


def test_a_question_nobody_asked_has_no_effect():
    """`not_asked` leaves a ready test ready."""
    rest = {key: value for key, value in GOOD.items() if not key.startswith("practical.")}
    skipped = {key: SkipReason.NOT_ASKED for key in GOOD if key.startswith("practical.")}
    assert judge(rest, PROFILE, skipped).verdict is Verdict.READY


def test_a_warning_does_not_hide_a_failure_that_could_not_be_ruled_out():
    """A worse rule that can't be decided wins over a milder one that holds."""
    found = replace(GOOD["network.throughput_up"], value=1.0, details={})
    result = judge_check(found, PROFILE.checks["network.throughput_up"])
    assert result.outcome is Outcome.NOT_MEASURED


@pytest.mark.parametrize(
    ("value", "outcome"),
    [(150.0, Outcome.PASS), (150.1, Outcome.WARN), (300.0, Outcome.WARN), (300.1, Outcome.FAIL), (None, Outcome.NOT_MEASURED),
     (math.inf, Outcome.NOT_MEASURED)],
)
def test_the_limits_of_the_round_trip_are_inclusive(value, outcome):
    """At the limit still counts as the better outcome; no number is not measured."""
    assert judge_check(Measurement("network.rtt", value, "ms"), PROFILE.checks["network.rtt"]).outcome is outcome


def test_advice_leaves_out_what_another_finding_explains():
    """A muted microphone is told once, not also as missing speech and noise."""
    muted = {
        **GOOD,
        "microphone.level": Measurement("microphone.level", None, cause="no_speech",
                                        details={"digital_zero_pct": 100.0, "processed": False}),
        "microphone.speech": Measurement("microphone.speech", 0.0, "s"),
        "microphone.noise": not_measured("microphone.noise", "no_pause"),
        "microphone.clipping": not_measured("microphone.clipping", "no_speech"),
    }
    assert judge(muted, PROFILE).advice == ("microphone.blocked",)


def test_a_missing_camera_is_told_once():
    """No camera: one piece of advice, not one for each check of the picture."""
    without = {key: value for key, value in GOOD.items() if not key.startswith("camera.")}
    without["camera.present"] = Measurement("camera.present", "NotFoundError")
    without |= {c: not_measured(c, "no_camera") for c in PROFILE.checks if c.startswith("camera.") and c != "camera.present"}
    result = judge(without, PROFILE)
    assert result.advice == ("camera.not_found",)
    assert result.verdict is Verdict.NOT_READY


def test_our_own_fault_is_told_as_ours():
    """A dead worker is never the participant's failure."""
    found = {**GOOD, "network.rtt": not_measured("network.rtt", "server_busy", "ms")}
    result = judge(found, PROFILE)
    assert result.verdict is Verdict.INCOMPLETE
    assert result.advice == ("service.fault",)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('level = "required"', 'level = "vital"', "vital"),
        ('"value > 300"', '"value >> 300"', "cannot read"),
        ('"value > 300"', '"value > slow"', "by size"),
        ('area = "network"', 'area = "web"', "unknown area"),
        ("throughput_mbps = 1.5", "throughput = 1.5", "throughput_mbps"),
    ],
)
def test_a_malformed_profile_is_refused(old, new, complaint):
    """A profile with a typing error stops the server; it never lets a check pass silently."""
    from reports.profile import PROFILE_FOLDER

    text = (PROFILE_FOLDER / "consultation.toml").read_text().replace(old, new, 1)
    with pytest.raises(ProfileError, match=complaint):
        parse_profile(text, where="trial.toml")


def test_every_threshold_has_a_source():
    """No number without where it comes from."""
    assert all(check.source for check in PROFILE.checks.values())
