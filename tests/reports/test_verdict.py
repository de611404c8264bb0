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
from reports.profile import PROFILE_FOLDER, CheckRule, Condition, Profile, ProfileError, load_profile, parse_profile
from reports.verdict import judge, judge_check

PROFILE = load_profile("consultation")
PROFILES = {path.stem: load_profile(path.stem) for path in sorted(PROFILE_FOLDER.glob("*.toml"))}
RANK = {Verdict.NOT_READY: 0, Verdict.INCOMPLETE: 0, Verdict.READY_WITH_WARNINGS: 1, Verdict.READY: 2}


def measurement_passing(rule: CheckRule) -> Measurement:
    """Return a measurement that passes every rule of a check, found from the rules themselves."""
    value: float | str = 0.0
    details: dict[str, float | str | bool] = {}
    for one in rule.rules:
        for condition in one.when:
            good = _beyond(condition)
            if condition.metric == "value":
                value = good if not isinstance(good, float) or not isinstance(value, float) else _tighter(rule, "value")
            else:
                details[condition.metric] = good if not isinstance(good, float) else _tighter(rule, condition.metric)
    for busy in (rule.busy, rule.device_busy):
        if busy is not None:
            details[busy.metric] = 1.0
    return Measurement(rule.id, value, samples=10, details=details)


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


def all_good(profile: Profile) -> dict[str, Measurement]:
    """A set of measurements without a fault."""
    return {check_id: measurement_passing(rule) for check_id, rule in profile.checks.items()}


GOOD = all_good(PROFILE)
ON_TIME = {"server_lag_p99_ms": 1.0, "device_lag_p99_ms": 1.0}
ALL_GOOD = {name: all_good(profile) for name, profile in PROFILES.items()}


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


@pytest.mark.parametrize("name", PROFILES)
def test_everything_good_is_ready(name):
    """A set of passing measurements is `ready`, complete, and needs no advice."""
    result = judge(ALL_GOOD[name], PROFILES[name])
    assert [c for c in result.checks if c.outcome is not Outcome.PASS] == []
    assert (result.verdict, result.complete, result.advice) == (Verdict.READY, True, ())


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_measured_is_incomplete(name):
    """An empty test is incomplete, never ready."""
    result = judge({}, PROFILES[name])
    assert result.verdict is Verdict.INCOMPLETE
    assert result.complete is False


WORDS = ["nothing", "missing", "NotAllowedError", "none", "tcp-only", "relay-tcp", "no", "line", "sender", "rtp", "tcp"]
MOVED = st.floats(-1000, 1000) | st.booleans() | st.sampled_from([*WORDS, "cellular"])


@st.composite
def measured_sets(draw, good: Mapping[str, Measurement]) -> Mapping[str, Measurement]:
    """Good sets with some figures moved anywhere."""
    found = dict(good)
    for check_id in draw(st.sets(st.sampled_from(sorted(good)), max_size=4)):
        moved = {name: draw(st.just(value) | MOVED) for name, value in found[check_id].details.items()}
        value = draw(st.floats(-1000, 1000) | st.floats(0, 6) | st.sampled_from(WORDS))
        found[check_id] = replace(found[check_id], value=value, details=moved)
    return found


LOSSES = ["gone", "no_value", "nan", "nan_details", "no_details"]


@pytest.mark.parametrize("name", PROFILES)
@given(data=st.data())
@settings(max_examples=250, deadline=None)
def test_losing_or_spoiling_a_measurement_never_improves_the_verdict(name, data):
    """Missing data is never good news, for any profile, any check and any way of losing it."""
    profile, good = PROFILES[name], ALL_GOOD[name]
    measured = data.draw(measured_sets(good))
    weighed = sorted(check for check in good if profile.checks[check].level is not Level.INFORMATION)
    check_id, how = data.draw(st.sampled_from(weighed)), data.draw(st.sampled_from(LOSSES))
    full = judge(measured, profile).verdict
    spoilt = spoil(measured[check_id], how)
    rest = {key: value for key, value in measured.items() if key != check_id}
    less = judge(rest if spoilt is None else {**rest, check_id: spoilt}, profile).verdict
    assert RANK[less] <= RANK[full]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("way", ["up", "down"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_losing_one_detail_of_a_rate_or_a_loss_never_improves_it(name, way, data):
    """Method, limit, loss, bursts, connection and both sides' lateness, each lost by itself."""
    profile, good = PROFILES[name], ALL_GOOD[name]
    check_id = data.draw(st.sampled_from([f"network.throughput_{way}", f"network.loss_{way}"]))
    details = {
        "limit": data.draw(st.sampled_from(["line", "sender", "none"])),
        "method": data.draw(st.sampled_from(["rtp", "tcp"])),
        "connection": data.draw(st.sampled_from(["cellular", "wifi", "unknown"])),
        "server_lag_p99_ms": data.draw(st.sampled_from([1.0, 80.0])),
        "device_lag_p99_ms": data.draw(st.sampled_from([1.0, 80.0])),
        **{
            metric: data.draw(st.sampled_from([0.0, 0.6, 5.0, 50.0]))
            for metric in ("loss_pct", "worst_200ms_pct", "events")
        },
    }
    found = replace(good[check_id], value=data.draw(st.floats(0, 6)), details=details)
    full = judge({**good, check_id: found}, profile).verdict
    lost = data.draw(st.sets(st.sampled_from(sorted(details)), min_size=1))
    fewer = replace(found, details={key: value for key, value in details.items() if key not in lost})
    assert RANK[judge({**good, check_id: fewer}, profile).verdict] <= RANK[full]


@pytest.mark.parametrize("name", PROFILES)
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_losing_several_never_improves_either(name, data):
    """The same for several at a time."""
    profile, good = PROFILES[name], ALL_GOOD[name]
    measured = data.draw(measured_sets(good))
    lost = data.draw(st.sets(st.sampled_from(sorted(good)), max_size=6))
    full = judge(measured, profile).verdict
    weighed = {check_id for check_id in lost if profile.checks[check_id].level is not Level.INFORMATION}
    less = judge({key: value for key, value in measured.items() if key not in weighed}, profile).verdict
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
    assert judge(rest, PROFILE, {"speaker.heard": SkipReason.DECLINED}).advice[0] == "speaker.not_measured"
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
    [
        (150.0, Outcome.PASS),
        (150.1, Outcome.WARN),
        (300.0, Outcome.WARN),
        (300.1, Outcome.FAIL),
        (None, Outcome.NOT_MEASURED),
        (math.inf, Outcome.NOT_MEASURED),
    ],
)
def test_the_limits_of_the_round_trip_are_inclusive(value, outcome):
    """At the limit still counts as the better outcome; no number is not measured."""
    found = Measurement("network.rtt", value, "ms", details=ON_TIME)
    assert judge_check(found, PROFILE.checks["network.rtt"]).outcome is outcome


def test_advice_leaves_out_what_another_finding_explains():
    """A muted microphone is told once, not also as missing speech and noise."""
    muted = {
        **GOOD,
        "microphone.level": Measurement(
            "microphone.level", None, cause="no_speech", details={"digital_zero_pct": 100.0, "processed": False}
        ),
        "microphone.speech": Measurement("microphone.speech", 0.0, "s"),
        "microphone.noise": not_measured("microphone.noise", "no_pause"),
        "microphone.clipping": not_measured("microphone.clipping", "no_speech"),
    }
    assert judge(muted, PROFILE).advice == ("microphone.blocked",)


def test_a_gap_in_the_sound_has_words():
    """Noise that could not be measured for want of a pause keeps nobody from the meeting, and is told."""
    found = judge({**GOOD, "microphone.noise": not_measured("microphone.noise", "no_pause")}, PROFILE)
    assert (found.verdict, found.advice) == (Verdict.READY_WITH_WARNINGS, ("microphone.no_pause",))


@pytest.mark.parametrize(
    ("level", "snr_db", "outcome", "advice"),
    [
        (-33.0, 30.0, Outcome.PASS, None),
        (-33.0, 15.0, Outcome.WARN, "microphone.too_quiet"),
        (-33.0, None, Outcome.WARN, "microphone.too_quiet"),
        (-42.0, 30.0, Outcome.WARN, "microphone.too_quiet"),
        (-42.0, 10.0, Outcome.FAIL, "microphone.too_quiet"),
        (-50.0, 30.0, Outcome.FAIL, "microphone.too_quiet"),
        (-20.0, None, Outcome.PASS, None),
    ],
)
def test_a_low_level_is_judged_with_the_noise(level, snr_db, outcome, advice):
    """A meeting's gain control brings up clean quiet speech; noise comes up with it."""
    details = {
        "digital_zero_pct": 0.0,
        "processed": False,
        "muted": False,
        "snr_db": snr_db,
        "snr_known": snr_db is not None,
    }
    found = judge_check(
        Measurement("microphone.level", level, "dbfs", details=details), PROFILE.checks["microphone.level"]
    )
    assert (found.outcome, found.advice) == (outcome, advice)


@pytest.mark.parametrize(
    ("details", "outcome", "advice"),
    [
        ({"snr_db": 1.0}, Outcome.FAIL, "microphone.drowned"),
        ({"snr_db": 8.0}, Outcome.PASS, None),
        ({"snr_db": None, "snr_known": False}, Outcome.PASS, None),
        ({"silence_speech_s": 2.0}, Outcome.WARN, "microphone.others_talk"),
    ],
)
def test_speech_is_judged_with_what_is_around_it(details, outcome, advice):
    """Nobody understands a voice under the noise; speech in the asked silence may be a television."""
    usual = {"floor_dbfs": -65.0, "rise_db": 30.0, "silence_speech_s": 0.0, "snr_db": 30.0, "snr_known": True}
    found = judge_check(
        Measurement("microphone.speech", 3.0, "s", details=usual | details), PROFILE.checks["microphone.speech"]
    )
    assert (found.outcome, found.advice) == (outcome, advice)


def test_a_missing_camera_is_told_once():
    """No camera: one piece of advice, not one for each check of the picture."""
    without = {key: value for key, value in GOOD.items() if not key.startswith("camera.")}
    without["camera.present"] = Measurement("camera.present", "NotFoundError")
    without |= {
        c: not_measured(c, "no_camera") for c in PROFILE.checks if c.startswith("camera.") and c != "camera.present"
    }
    result = judge(without, PROFILE)
    assert result.advice == ("camera.not_found",)
    assert result.verdict is Verdict.NOT_READY


def test_our_own_fault_is_told_as_ours():
    """A dead worker is never the participant's failure."""
    found = {**GOOD, "network.rtt": not_measured("network.rtt", "server_busy", "ms")}
    result = judge(found, PROFILE)
    assert result.verdict is Verdict.INCOMPLETE
    assert result.advice == ("service.fault",)
    gap = judge({**found, "camera.light": not_measured("camera.light", "too_few_samples")}, PROFILE)
    assert gap.advice[0] == "service.fault", "ours comes before gaps of the person's"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('level = "required"', 'level = "vital"', "vital"),
        ('"value > 300"', '"value >> 300"', "cannot read"),
        ('"value > 300"', '"value > slow"', "by size"),
        ('area = "network"', 'area = "web"', "unknown area"),
        ("throughput_mbps = 1.5", "throughput = 1.5", "throughput_mbps"),
        ("slack = 0.3", 'slack = "much"', "slack"),
    ],
)
def test_a_malformed_profile_is_refused(old, new, complaint):
    """A profile with a typing error stops the server; it never lets a check pass silently."""
    text = (PROFILE_FOLDER / "consultation.toml").read_text().replace(old, new, 1)
    with pytest.raises(ProfileError, match=complaint):
        parse_profile(text, where="trial.toml")


@pytest.mark.parametrize(
    ("late", "cause"), [("server_lag_p99_ms", "server_busy"), ("device_lag_p99_ms", "device_busy")]
)
def test_lateness_of_a_machine_is_never_the_lines_failure(late, cause):
    """A slow round trip beside a late server or a late device is not measured; a quick one stays a pass."""
    check = PROFILE.checks["network.rtt"]
    details = {**ON_TIME, late: 80.0}
    slow = judge_check(Measurement("network.rtt", 500.0, "ms", details=details), check)
    assert (slow.outcome, slow.cause) == (Outcome.NOT_MEASURED, cause)
    assert judge_check(Measurement("network.rtt", 50.0, "ms", details=details), check).outcome is Outcome.PASS
    assert judge_check(Measurement("network.rtt", 500.0, "ms", details=ON_TIME), check).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("details", "cause"),
    [
        ({"server_lag_p99_ms": 13.0, "device_lag_p99_ms": 206.0}, "device_busy"),
        ({"server_lag_p99_ms": 80.0, "device_lag_p99_ms": 206.0}, "server_busy"),
        (ON_TIME, "too_few_samples"),
        ({}, "too_few_samples"),
    ],
)
def test_who_was_late_is_told_where_it_left_too_few_samples(details, cause):
    """The person can mend what the cause says; "too few" names nothing to mend."""
    few = replace(not_measured("network.rtt", "too_few_samples", "ms"), details=details)
    found = judge_check(few, PROFILE.checks["network.rtt"])
    assert (found.outcome, found.cause) == (Outcome.NOT_MEASURED, cause)


def test_no_other_cause_becomes_lateness():
    """That no media came at all is no matter of a late machine."""
    details = {"server_lag_p99_ms": 80.0, "device_lag_p99_ms": 206.0}
    gone = replace(not_measured("network.rtt", "no_media", "ms"), details=details)
    assert judge_check(gone, PROFILE.checks["network.rtt"]).cause == "no_media"


@pytest.mark.parametrize(
    "check_id", ["network.loss_up", "network.loss_down", "network.throughput_up", "network.throughput_down"]
)
def test_a_device_that_stands_still_says_nothing_of_its_line(check_id):
    """Losses and a low rate beside a device that was 0.2 s late are not measured; at 0.1 s they count."""
    check = PROFILE.checks[check_id]
    details: dict[str, float | str | bool] = {
        "limit": "line",
        "method": "rtp",
        "connection": "wifi",
        "worst_200ms_pct": 50.0,
    }
    value = 9.0 if check_id.startswith("network.loss") else 0.1
    for late_ms, outcome in ((200.0, Outcome.NOT_MEASURED), (100.0, Outcome.FAIL)):
        lateness = {"server_lag_p99_ms": 1.0, "device_lag_p99_ms": late_ms}
        found = judge_check(Measurement(check_id, value, details=details | lateness), check)
        assert found.outcome is outcome, late_ms


def test_both_late_is_our_fault_first():
    """What we can mend is told before what the participant can."""
    details = dict.fromkeys(ON_TIME, 80.0)
    found = judge_check(Measurement("network.rtt", 500.0, "ms", details=details), PROFILE.checks["network.rtt"])
    assert (found.outcome, found.cause) == (Outcome.NOT_MEASURED, "server_busy")


def test_unknown_lateness_lets_a_failure_stand_and_a_warning_not():
    """Whoever loses the lateness never comes out better for it."""
    check = PROFILE.checks["network.rtt"]
    for details in ({}, {"server_lag_p99_ms": 1.0}, {"device_lag_p99_ms": 1.0}):
        for value, outcome in ((500.0, Outcome.FAIL), (200.0, Outcome.NOT_MEASURED), (100.0, Outcome.PASS)):
            found = judge_check(Measurement("network.rtt", value, "ms", details=details), check)
            assert found.outcome is outcome, (details, value)


def rate(value: float, **details: object) -> tuple[Outcome, str | None]:
    """What 720p makes of a rate up."""
    full = {"limit": "line", "method": "rtp", "connection": "wifi", **ON_TIME, **details}
    found = Measurement("network.throughput_up", value, "mbps", details=full)
    judged = judge_check(found, PROFILE.checks["network.throughput_up"])
    return judged.outcome, judged.advice


@pytest.mark.parametrize(
    ("value", "details", "wanted"),
    [
        (1.875, {"limit": "none"}, (Outcome.PASS, None)),
        (1.6, {}, (Outcome.WARN, "network.tight")),
        (1.0, {}, (Outcome.FAIL, "network.too_thin")),
        (1.0, {"connection": "cellular"}, (Outcome.FAIL, "network.mobile_thin")),
        (1.0, {"connection": "unknown"}, (Outcome.FAIL, "network.too_thin")),
        (1.0, {"limit": "sender"}, (Outcome.WARN, "device.sender_limited")),
        (1.7, {"limit": "sender"}, (Outcome.PASS, None)),
        (1.0, {"method": "tcp", "loss_pct": 0.1}, (Outcome.FAIL, "network.too_thin")),
        (1.0, {"method": "tcp", "loss_pct": 2.0}, (Outcome.WARN, "network.losing")),
        (1.0, {"method": "tcp"}, (Outcome.NOT_MEASURED, None)),
        (1.0, {"server_lag_p99_ms": 80.0}, (Outcome.NOT_MEASURED, None)),
    ],
)
def test_a_thin_rate_is_told_by_what_made_it(value, details, wanted):
    """The line, a mobile network, the device that sent, loss that slowed TCP, or our own lateness."""
    assert rate(value, **details) == wanted


@pytest.mark.parametrize(
    ("value", "worst", "events", "wanted"),
    [
        (0.5, 0.0, 3, (Outcome.PASS, None)),
        (2.0, 5.0, 6, (Outcome.WARN, "network.losing")),
        (2.0, 40.0, 6, (Outcome.WARN, "network.weak_wifi")),
        (4.0, 5.0, 9, (Outcome.FAIL, "network.losing")),
        (4.0, 40.0, 9, (Outcome.FAIL, "network.weak_wifi")),
        (0.5, 40.0, 1, (Outcome.PASS, None)),
        (0.5, 40.0, 2, (Outcome.WARN, "network.weak_wifi")),
    ],
)
def test_loss_in_bursts_is_a_weak_radio(value, worst, events, wanted):
    """A quarter of 200 ms, more than once, is told as weak Wi-Fi; single losses all over are not."""
    details = {"worst_200ms_pct": worst, "events": events, **ON_TIME}
    found = Measurement("network.loss_down", value, "pct", details=details)
    judged = judge_check(found, PROFILE.checks["network.loss_down"])
    assert (judged.outcome, judged.advice) == wanted


def test_profiles_differ_where_they_say_and_nowhere_else():
    """A profile that extends another has its checks and limits, but for what it says itself."""
    assert set(PROFILES) >= {"consultation", "group", "full_hd", "audio_only"}
    needs = {name: (profile.need_mbps, profile.probe_mbps) for name, profile in PROFILES.items()}
    assert needs["consultation"] == (1.5, 1.875)
    assert needs["group"] == (2.6, 3.25)
    assert needs["full_hd"] == (3.8, 4.75)
    assert needs["audio_only"] == (0.1, 0.125)
    for name, profile in PROFILES.items():
        assert profile.name == name
        assert profile.tiers == PROFILE.tiers
        assert [tier.need_mbps for tier in profile.tiers] == sorted(
            (tier.need_mbps for tier in profile.tiers), reverse=True
        )
        assert profile.need_mbps in {tier.need_mbps for tier in profile.tiers}
    for name in ("group", "full_hd"):
        assert set(PROFILES[name].checks) == set(PROFILE.checks)
        limits = PROFILES[name].checks["network.throughput_down"]
        assert limits.threshold(Outcome.FAIL) == PROFILES[name].need_mbps
        assert limits.threshold(Outcome.WARN) == PROFILES[name].probe_mbps
        assert PROFILES[name].checks["network.rtt"] == PROFILE.checks["network.rtt"]


def test_a_meeting_by_sound_asks_for_no_camera():
    """No check of the camera counts, and none is waited for."""
    profile = PROFILES["audio_only"]
    assert not [check for check in profile.checks if check.startswith("camera.")]
    assert {check for check in PROFILE.checks if not check.startswith("camera.")} == set(profile.checks)
    assert all(set(rule.after) <= set(profile.checks) for rule in profile.checks.values())
    blind = {**ALL_GOOD["audio_only"], "camera.present": Measurement("camera.present", "NotFoundError")}
    assert judge(blind, profile).verdict is Verdict.READY
    assert judge(blind, PROFILE).verdict is Verdict.NOT_READY


def test_a_profile_may_change_one_check_and_keep_the_rest():
    """`extends` takes the place of whole checks, and `false` leaves one out, also where others come after it."""
    text = """
extends = "consultation"
name = "trial"
version = "1"
[checks]
"network.path" = false
[checks."network.setup_time"]
level = "advisory"
area = "network"
responsible = "local_it"
rules = [{ when = ["value > 9000"], outcome = "fail", advice = "network.slow_setup" }]
source = "a trial"
"""
    profile = parse_profile(text, where="trial.toml")
    assert "network.path" not in profile.checks
    assert profile.checks["network.rtt"].after == ()
    assert profile.checks["network.setup_time"].threshold(Outcome.FAIL) == 9000
    assert profile.need_mbps == PROFILE.need_mbps
    assert "network.path" in load_profile("consultation").checks, "the base is left as it was"
    with pytest.raises(ProfileError, match="which there is not"):
        parse_profile('extends = "nothing"\nname = "x"\nversion = "1"', where="trial.toml")


def test_the_report_names_the_limits():
    """Where a figure has one good side the report tells where warning and failing begin; with two sides it does not."""
    limits = {
        name: (PROFILE.checks[name].threshold(Outcome.WARN), PROFILE.checks[name].threshold(Outcome.FAIL))
        for name in ("network.rtt", "network.throughput_up", "camera.framing", "camera.light", "camera.present")
    }
    assert limits == {
        "network.rtt": (150.0, 300.0),
        "network.throughput_up": (1.875, 1.5),
        "camera.framing": (18.0, 10.0),
        "camera.light": (None, None),
        "camera.present": (None, None),
    }


def test_every_threshold_has_a_source():
    """No number without where it comes from."""
    assert all(check.source for check in PROFILE.checks.values())


def _browser_without(*names: str) -> Measurement:
    return Measurement("browser.support", "missing", details={"missing": ", ".join(names) or None})


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_network_is_not_blamed_for_the_browser(profile: Profile):
    """Without RTCPeerConnection no way for media was tried: one finding, the browser's; TCP's own figures stand."""
    rates = {"method": "tcp", "limit": "line", "loss_pct": 0.0}
    measured = {
        "browser.support": _browser_without("RTCPeerConnection"),
        "network.path": Measurement("network.path", "none"),
        "network.path_direct": Measurement("network.path_direct", "blocked"),
        "network.path_relay_tls": Measurement("network.path_relay_tls", "blocked"),
        "network.throughput_up": Measurement("network.throughput_up", 0.01, "Mbit/s", details=rates),
        "network.throughput_down": Measurement("network.throughput_down", 0.01, "Mbit/s", details=rates),
    }
    judged = judge(measured, profile)
    found = {check.id: check for check in judged.checks}
    assert judged.verdict is Verdict.NOT_READY
    assert judged.advice[0] == "browser.unsupported"
    assert found["network.path"].outcome is found["network.path_direct"].outcome is Outcome.NOT_MEASURED
    assert found["network.path"].cause == "browser_cannot"
    assert not {"network.blocked", "network.way_closed", "network.not_measured"} & set(judged.advice)
    assert found["network.throughput_up"].outcome is Outcome.FAIL, "what was measured over TCP is the line's"
    able = judge(measured | {"browser.support": Measurement("browser.support", "supported")}, profile)
    assert "network.blocked" in able.advice


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_what_a_browser_lacks_never_improves_a_verdict(data):
    """Whatever else was measured, a browser that lacks something is never readier than one that does not."""
    passing = {check: measurement_passing(rule) for check, rule in PROFILE.checks.items()}
    lost = data.draw(st.sets(st.sampled_from(sorted(set(passing) - {"browser.support"})), max_size=5))
    measured = {check: one for check, one in passing.items() if check not in lost}
    names = data.draw(st.lists(st.sampled_from(["RTCPeerConnection", "AudioWorkletNode", "MediaStream"]), min_size=1))
    lacking = judge(measured | {"browser.support": _browser_without(*names)}, PROFILE)
    assert RANK[lacking.verdict] <= RANK[judge(measured, PROFILE).verdict]
    assert lacking.verdict is Verdict.NOT_READY


def test_an_app_without_camera_gets_one_card():
    """No getUserMedia: browser, camera and microphone say the same once."""
    measured = {
        "browser.support": Measurement("browser.support", "no_capture", details={"missing": "getUserMedia"}),
        "camera.present": Measurement("camera.present", "unsupported"),
        "microphone.present": Measurement("microphone.present", "unsupported"),
    }
    advice = judge(measured, PROFILE).advice
    assert advice[0] == "browser.no_capture"
    assert not {"browser.unsupported", "camera.not_measured", "microphone.not_measured"} & set(advice)
