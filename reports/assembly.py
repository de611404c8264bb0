"""Builds a test's report from its finished phases: combines figures of several phases and finds what is still to do.

Pure: finished phases are the plain JSON that the store keeps. The same mapping holds ``events``, ``elapsed``,
``series``, `LIMITS` and `CARRIED` under names of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from probes.measurement import Measurement, not_measured
from probes.network import throughput_measurement
from probes.voice import voice_measurement
from reports.limits import LIMITS, with_limits
from reports.model import CheckResult, Report, SkipReason
from reports.phases import FinishedPhase, TestKind
from reports.profile import Profile
from reports.readers import PEOPLE_SAID
from reports.solution import load_solution
from reports.verdict import judge

__all__ = ["CARRIED", "Ending", "Phases", "finished_phases", "left_out", "make_report"]

Phases = Mapping[str, Mapping[str, Any]]
"""The stored parts of a test, by name of the phase."""

CARRIED = "carried"
"""Name under which a short check stores the results it carries over."""
NO_ECHO_DB = -100.0
"""The level that means no echo at all."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Data for a report besides the phases."""

    kind: TestKind
    report_id: str
    code: str
    started_at: datetime
    now: datetime
    duration_s: float
    client: Mapping[str, str]
    bytes_up: int
    bytes_down: int
    software_version: str
    server_cpu_s: float | None = None
    ended_in: str | None = None
    cause: str | None = None
    solution: str = "other"


def finished_phases(kind: TestKind, phases: Phases) -> list[str]:
    """Return the phases that a resumed test need not run again, or that a short check does not run at all."""
    course = kind.course(is_short=CARRIED in phases)
    done = {name for name in course.phases if name in phases}
    again = set() if course.together <= done else course.together
    left = [name for name in course.phases if name not in done or name in again]
    return [name for name in kind.whole.phases if name not in left]


def make_report(phases: Phases, profile: Profile, asked: Sequence[str], ending: Ending) -> Report:
    """Judge the finished `phases` and return the report. `asked` lists the practical questions of the meeting.

    The organisation's own limits with which the test began go before those of `profile`.
    """
    profile = with_limits(profile, phases.get(LIMITS, {}))
    finished = {name: FinishedPhase.from_json(phases[name]) for name in ending.kind.whole.phases if name in phases}
    measured, skipped = _gather(ending, finished, profile, asked)
    measured |= _ended_devices(phases)
    measured |= _with_echo(measured, skipped)
    measured["media.voice"] = _voice(measured)
    judgement = judge(measured, profile, skipped, _carried(ending.kind, phases))
    events = phases.get("events", {})
    valid_until = ending.now + timedelta(days=profile.valid_days)
    if CARRIED in phases:
        valid_until = min(valid_until, datetime.fromisoformat(phases[CARRIED]["valid_until"]))
    return Report(
        id=ending.report_id,
        code=ending.code,
        verdict=judgement.verdict,
        complete=judgement.complete and ending.cause is None,
        started_at=ending.started_at,
        duration_s=ending.duration_s,
        machine_s=sum(float(phase.get("seconds") or 0.0) for phase in phases.values()),
        bytes_up=ending.bytes_up,
        bytes_down=ending.bytes_down,
        kind=ending.kind.name,
        profile=profile.name,
        profile_version=profile.version,
        software_version=ending.software_version,
        client=ending.client,
        checks=judgement.checks,
        advice=judgement.advice,
        valid_until=valid_until,
        other_device=bool(phases.get("devices", {}).get("figures", {}).get("other_device")),
        ended_in=ending.ended_in,
        cause=ending.cause,
        events=tuple(events.get("codes", ())),
        server_cpu_s=ending.server_cpu_s,
        mode="recheck" if CARRIED in phases else "full",
        solution=ending.solution,
        not_tested=_not_tested(ending),
    )


def _carried(kind: TestKind, phases: Phases) -> dict[str, CheckResult]:
    """Return the results that a short check carries over from the last whole test: all it has not measured itself."""
    fresh = {check for phase in kind.phases if phase.name in phases for check in phase.checks}
    carried = [CheckResult.from_json(check) for check in phases.get(CARRIED, {}).get("checks", ())]
    return {check.id: check for check in carried if check.id not in fresh}


def left_out(kind: TestKind, phases: Phases) -> str | None:
    """Return the first phase that this test has not finished, or None."""
    due = kind.course(is_short=CARRIED in phases).phases
    return next((name for name in due if name not in phases), None)


def _not_tested(ending: Ending) -> tuple[str, ...]:
    """Return the parts that no browser can test: the meeting's own program on this class of device."""
    runs_in_program = ending.client.get("form") in load_solution(ending.solution).program_on
    return ("meeting_program",) if runs_in_program else ()


def _gather(
    ending: Ending, finished: Mapping[str, FinishedPhase], profile: Profile, asked: Sequence[str]
) -> tuple[dict[str, Measurement], dict[str, SkipReason]]:
    """Return each check's measurement, preferring later ones with a value, and the skipped checks."""
    measured = {check: not_measured(check, ending.cause or "not_reached") for check in profile.checks}
    skipped = _not_tried(ending.kind, finished)
    for phase in finished.values():
        for found in phase.measurements:
            known = measured.get(found.check)
            if found.value is not None or known is None or known.value is None:
                measured[found.check] = found
        skipped |= phase.skipped
    skipped |= _not_asked(ending.kind, asked)
    if (said := _people_said(finished)) and said.check in profile.checks and measured[said.check].value is None:
        measured[said.check] = said
        skipped.pop(said.check, None)
    measured |= {m.check: m for m in _throughput(finished, measured)}
    connection = finished["connect"].figures.get("connection") if "connect" in finished else None
    measured |= _with_connection(measured, str(connection or "unknown"))
    return measured, skipped


def _not_tried(kind: TestKind, finished: Mapping[str, FinishedPhase]) -> dict[str, SkipReason]:
    """Return the checks of optional phases that were not tried."""
    optional = [phase for phase in kind.phases if phase.is_optional]
    tried = {m.check for phase in optional if phase.name in finished for m in finished[phase.name].measurements}
    return {check: SkipReason.NOT_ASKED for phase in optional for check in phase.checks if check not in tried}


def _not_asked(kind: TestKind, asked: Sequence[str]) -> dict[str, SkipReason]:
    """Return the questions that this occasion does not ask, as skipped checks."""
    questions = [check for phase in kind.phases if phase.is_asked for check in phase.checks]
    return {check: SkipReason.NOT_ASKED for check in questions if check.partition(".")[2] not in asked}


def _people_said(finished: Mapping[str, FinishedPhase]) -> Measurement | None:
    """Return how many the person said they are. Every test asks that beside the picture, whatever the meeting asks."""
    said = finished["picture"].figures.get(PEOPLE_SAID) if "picture" in finished else None
    return Measurement("practical.people", said, samples=1) if isinstance(said, int) else None


def _voice(measured: Mapping[str, Measurement]) -> Measurement:
    """Return the estimated quality of the voice on this line."""

    def found(name: str) -> Measurement:
        return measured.get(f"network.{name}") or not_measured(f"network.{name}", "not_reached")

    losses, jitters = [found("loss_up"), found("loss_down")], [found("jitter_up"), found("jitter_down")]
    return voice_measurement(found("rtt"), losses, jitters)


def _with_connection(measured: Mapping[str, Measurement], connection: str) -> dict[str, Measurement]:
    """Add the kind of connection that the browser named (``wifi``, ``cellular``, ``unknown``) to the rates."""
    rates = [measured[name] for name in ("network.throughput_up", "network.throughput_down") if name in measured]
    return {m.check: replace(m, details={**m.details, "connection": connection}) for m in rates}


def _with_echo(measured: Mapping[str, Measurement], skipped: Mapping[str, SkipReason]) -> dict[str, Measurement]:
    """Add what the echo of the digits tells about other checks: that they were audible, and that a headset is in use.

    ``echo_db`` is `NO_ECHO_DB` if nothing came back or nothing was played, and None if that is unknown.
    """
    echo = measured.get("microphone.echo") or not_measured("microphone.echo", "not_reached")
    heard = echo.metric("heard")
    echo_db = echo.value if heard is True else NO_ECHO_DB if heard is False or echo.check in skipped else None
    changed = {}
    if (speaker := measured.get("speaker.heard")) is not None:
        sounded = echo.metric("sounded") is True
        changed[speaker.check] = replace(speaker, details={**speaker.details, "microphone_heard": sounded})
    if (device := measured.get("microphone.equipment")) is not None and device.value is not None:
        changed[device.check] = replace(device, details={**device.details, "echo_db": echo_db})
    return changed


def _throughput(finished: Mapping[str, FinishedPhase], measured: Mapping[str, Measurement]) -> list[Measurement]:
    """Return the rate that TCP proved in each direction where media could not be tried."""
    measurements = []
    ways: tuple[tuple[Literal["up", "down"], str], ...] = (("up", "tcp_up"), ("down", "tcp_down"))
    for direction, phase in ways:
        figures = finished[phase].figures if phase in finished else {}
        by_media = measured.get(f"network.throughput_{direction}")
        if not figures or (by_media and (by_media.value is not None or by_media.cause == "server_busy")):
            continue
        loss = measured.get(f"network.loss_{direction}")
        loss_pct = _number(loss.metric("value")) if loss else None
        cause = str(figures.get("cause", "too_few_samples"))
        tcp_mbps = _number(figures.get("tcp_mbps"))
        measurements.append(throughput_measurement(direction, tcp_mbps=tcp_mbps, loss_pct=loss_pct, cause=cause))
    return measurements


def _ended_devices(phases: Phases) -> dict[str, Measurement]:
    """Return a camera or microphone that went away during the test as not present, whatever it was at the start."""
    codes = phases.get("events", {}).get("codes", ())
    ended = {"camera_ended": "camera.present", "microphone_ended": "microphone.present"}
    return {check: Measurement(check=check, value="ended") for code, check in ended.items() if code in codes}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
