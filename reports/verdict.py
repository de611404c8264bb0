"""Verdicts: turn measurements into outcomes and one answer. Pure; never reads a clock, a socket or a setting.

A check none of whose rules holds passes only where every rule could be decided: what was not measured is never
a pass. The verdict is decided in this order: a required fail gives ``not_ready``; a required check without a value,
or one that was declined, gives ``incomplete``; any other blemish gives ``ready_with_warnings``; else ``ready``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from probes.measurement import Measurement, not_measured
from reports.model import ACCOMMODATIONS, CheckResult, Level, Outcome, SkipReason, Verdict
from reports.profile import CheckRule, Condition, Profile, Rule

__all__ = ["Judgement", "judge", "judge_check", "verdict_of", "worst_verdict"]

_SEVERITY = {Outcome.WARN: 1, Outcome.FAIL: 2}
NOT_MEASURED_ADVICE = {
    "camera": "camera.not_measured",
    "microphone": "microphone.not_measured",
    "speaker": "speaker.not_measured",
    "network": "network.not_measured",
}
"""What a person is told when a check of this area has no value."""
CAUSE_ADVICE = {
    "no_pause": "microphone.no_pause",
    "picture_hidden": "camera.picture_hidden",
    "sound_blocked": "microphone.sound_blocked",
    "sound_refused": "microphone.sound_refused",
    "sound_stopped": "microphone.sound_stopped",
    "socket_blocked": "network.socket_blocked",
}
"""What a person is told of a check without a value for this cause, also where the check is advisory.

Where a browser or a network is in the way, to test again would give the same."""
OUR_FAULT = frozenset({"server_busy", "worker_died", "worker_frozen", "worker_limit", "shutting_down"})
"""Causes that are never the participant's."""
EXPLAINED = frozenset({"no_camera", "no_microphone", "no_face", "no_speech", "browser_cannot"})
"""Causes that another check's finding already explains."""
MEASURED_BY = {"RTCPeerConnection": "network.", "AudioWorkletNode": "microphone."}
"""Interfaces of a browser (W3C), and the beginning of the checks that can only be made with them."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every check with its outcome, the verdict, and the advice codes, most important first."""

    verdict: Verdict
    complete: bool
    checks: tuple[CheckResult, ...]
    advice: tuple[str, ...]


def judge(
    measured: Mapping[str, Measurement],
    profile: Profile,
    skipped: Mapping[str, SkipReason] | None = None,
    carried: Mapping[str, CheckResult] | None = None,
) -> Judgement:
    """Judge `measured` (by check id) by `profile`; `skipped` says which checks were not run, and why.

    A check that is neither measured nor skipped is ``not_measured`` with cause ``not_reached``. One that is `carried`
    over from an earlier report stands as it was judged then.
    """
    skipped, carried = skipped or {}, carried or {}
    measured = _within_reach(measured)
    results: dict[str, CheckResult] = {}
    for check_id, rule in profile.checks.items():
        if check_id in carried:
            results[check_id] = carried[check_id]
        elif check_id in skipped:
            results[check_id] = _skipped(rule, skipped[check_id], profile)
        else:
            results[check_id] = judge_check(measured.get(check_id) or not_measured(check_id, "not_reached"), rule)
    checks = tuple(results.values())
    return Judgement(
        verdict=verdict_of(checks),
        complete=not any(_leaves_open(check) for check in checks),
        checks=checks,
        advice=tuple(_advice(results, profile)),
    )


def _within_reach(measured: Mapping[str, Measurement]) -> dict[str, Measurement]:
    """Return `measured` without findings that this browser could not make: they speak of it, not of line or sound.

    What came over TCP needs no such interface, and that a device opened is told by another.
    """
    support = measured.get("browser.support")
    missing = str(support.metric("missing") or "").split(", ") if support else []
    areas = tuple(MEASURED_BY[name] for name in missing if name in MEASURED_BY)
    return {
        name: one
        if not name.startswith(areas) or name == "microphone.present" or one.metric("method") == "tcp"
        else not_measured(name, "browser_cannot", one.unit)
        for name, one in measured.items()
    }


def judge_check(measurement: Measurement, check: CheckRule) -> CheckResult:
    """Return the outcome of one check: the worst rule that holds, unless a worse one cannot be decided.

    A late server or device is named as the cause where it can explain what was found, or that there was too little.
    """
    late = (("server_busy", check.busy), ("device_busy", check.device_busy))
    holding = [rule for rule in check.rules if rule.holds(measurement) is True]
    undecided = [rule for rule in check.rules if rule.holds(measurement) is None]
    worst = max(holding, key=lambda rule: _SEVERITY[rule.outcome], default=None)
    unknown = max((_SEVERITY[rule.outcome] for rule in undecided), default=0)
    missing = measurement.metric("value") is None
    if worst and _SEVERITY[worst.outcome] >= unknown:
        for cause, busy in late:
            if _is_late(measurement, busy, worst):
                return replace(_result(measurement, check, Outcome.NOT_MEASURED, None), cause=cause)
        return _result(measurement, check, worst.outcome, worst)
    if missing or unknown:
        cause = measurement.cause or "no_value"
        if cause == "too_few_samples":
            cause = next((name for name, busy in late if busy and busy.holds(measurement) is True), cause)
        return replace(_result(measurement, check, Outcome.NOT_MEASURED, None), cause=cause)
    return _result(measurement, check, Outcome.PASS, None)


def _is_late(measurement: Measurement, busy: Condition | None, rule: Rule) -> bool:
    """Whether a late server or device can explain `rule`. Lateness only makes figures worse, so a pass stays a pass.

    Where the lateness itself is unknown a failure stands, and a warning, the better of the two, does not.
    """
    if busy is None:
        return False
    was_late = busy.holds(measurement)
    return was_late is True or (was_late is None and rule.outcome is Outcome.WARN)


def verdict_of(checks: Iterable[CheckResult]) -> Verdict:
    """Return the verdict for judged checks, in the order the module's docstring gives."""
    weighed = [check for check in checks if check.level is not Level.INFORMATION]
    required = [check for check in weighed if check.level is Level.REQUIRED]
    if any(check.outcome is Outcome.FAIL for check in required):
        return Verdict.NOT_READY
    if any(_leaves_open(check) for check in required):
        return Verdict.INCOMPLETE
    if any(_is_blemish(check) for check in weighed):
        return Verdict.READY_WITH_WARNINGS
    return Verdict.READY


def worst_verdict(verdicts: Iterable[str | None]) -> str | None:
    """Return the worst of several people's verdicts; None where there are none, or somebody has none."""
    order = [verdict.value for verdict in Verdict]
    found = list(verdicts)
    if not found or any(verdict not in order for verdict in found):
        return None
    return min((str(verdict) for verdict in found), key=order.index)


def _leaves_open(check: CheckResult) -> bool:
    """A required check without an answer leaves the test incomplete."""
    if check.level is not Level.REQUIRED:
        return False
    declined = check.outcome is Outcome.SKIPPED and check.cause == SkipReason.DECLINED
    return check.outcome is Outcome.NOT_MEASURED or declined


def _is_blemish(check: CheckResult) -> bool:
    """Whether a check stands in the way of a plain "ready"; a skip that was not asked for does not."""
    if check.outcome is Outcome.SKIPPED:
        return check.cause != SkipReason.NOT_ASKED
    return check.outcome is not Outcome.PASS


def _skipped(check: CheckRule, reason: SkipReason, profile: Profile) -> CheckResult:
    """An accommodation that the profile does not allow counts as declined."""
    if reason in ACCOMMODATIONS and reason not in profile.accommodations:
        reason = SkipReason.DECLINED
    return CheckResult(id=check.id, outcome=Outcome.SKIPPED, level=check.level, cause=reason.value)


def _result(measurement: Measurement, check: CheckRule, outcome: Outcome, rule: Rule | None) -> CheckResult:
    cause = measurement.cause
    responsible = (rule.responsible or check.responsible) if rule else None
    return CheckResult(
        id=check.id,
        outcome=outcome,
        level=check.level,
        value=measurement.metric("value"),
        unit=measurement.unit,
        low=measurement.low,
        high=measurement.high,
        samples=measurement.samples,
        pass_threshold=check.threshold(Outcome.WARN),
        fail_threshold=check.threshold(Outcome.FAIL),
        advice=rule.advice if rule else None,
        cause=cause,
        responsible=responsible,
        details={name: measurement.metric(name) for name in measurement.details},
        has_own_limits=check.has_own_limits,
    )


def _advice(results: Mapping[str, CheckResult], profile: Profile) -> list[str]:
    """Return advice codes: failures first, in the profile's order, without those another finding explains."""
    ordered = sorted(results.values(), key=_urgency)
    codes: list[str] = []
    for check in ordered:
        code = _code(check, profile)
        if code and code not in codes and not _is_explained(check, results, profile):
            codes.append(code)
    return codes


def _urgency(check: CheckResult) -> int:
    """Sort key: required failures, other failures, gaps that are our own doing, other gaps, warnings."""
    if check.outcome is Outcome.FAIL:
        return 0 if check.level is Level.REQUIRED else 1
    if check.outcome is Outcome.NOT_MEASURED and check.cause in OUR_FAULT:
        return 2
    return 3 if check.outcome is Outcome.NOT_MEASURED or _leaves_open(check) else 4


def _code(check: CheckResult, profile: Profile) -> str | None:
    if check.level is Level.INFORMATION:
        return None
    if check.outcome in {Outcome.WARN, Outcome.FAIL}:
        return check.advice
    if check.outcome is Outcome.SKIPPED and check.cause == SkipReason.NO_SOUND:
        return "speaker.no_sound"
    if _leaves_open(check):
        if check.cause in OUR_FAULT:
            return "service.fault"
        return CAUSE_ADVICE.get(check.cause or "") or NOT_MEASURED_ADVICE.get(profile.checks[check.id].area)
    return CAUSE_ADVICE.get(check.cause or "") if check.outcome is Outcome.NOT_MEASURED else None


def _is_explained(check: CheckResult, results: Mapping[str, CheckResult], profile: Profile) -> bool:
    if check.outcome is Outcome.NOT_MEASURED and check.cause in EXPLAINED:
        return True
    explains = {Outcome.FAIL} if check.outcome is Outcome.FAIL else {Outcome.FAIL, Outcome.NOT_MEASURED}
    return any(results[name].outcome in explains for name in profile.checks[check.id].after if name in results)
