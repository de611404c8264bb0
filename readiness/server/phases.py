"""From the finished phases of a test to its report: which check belongs to which phase, and how figures join.

Pure: a phase is kept as plain JSON, so that a test can go on through another process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from probes.measurement import Measurement, not_measured
from probes.network import throughput_measurement
from probes.path import PATHS
from probes.voice import voice_measurement
from readiness import __version__
from reports.model import CheckResult, Report, SkipReason
from reports.profile import Profile
from reports.solution import load_solution
from reports.verdict import judge

__all__ = [
    "BUDGETS",
    "CARRIED",
    "PHASES",
    "PHASE_CHECKS",
    "PRACTICAL",
    "RECHECK_PHASES",
    "Ending",
    "Phase",
    "died",
    "finished_phases",
    "left_out",
    "make_report",
    "phase_json",
]

Phase = Mapping[str, Any]

PHASES = (
    *("devices", "picture", "sound", "connect", "clock", "downlink", "uplink", "paths", "tcp_down", "tcp_up"),
    *("service", "speaker", "echo", "practical"),
)
"""In the order in which they usually end."""
RECHECK_PHASES = ("devices", "connect", "paths", "service")
"""What the short check of the meeting's morning looks at; the rest is carried over from the last whole test."""
CARRIED = "carried"
"""Where a short check keeps what it carries over, beside its own phases."""
PRACTICAL = ("private_room", "people", "company", "interpreter", "equipment", "phone")
"""Questions that a meeting may ask, in the order in which they are asked."""
PHASE_CHECKS: Mapping[str, tuple[str, ...]] = {
    "devices": ("browser.support", "camera.present", "camera.resolution", "microphone.present"),
    "picture": (
        "camera.light",
        "camera.cover",
        "camera.flicker",
        "camera.backlight",
        "camera.people",
        "camera.framing",
        "camera.sharpness",
        "camera.noise",
        "camera.frozen",
        "camera.frame_rate",
    ),
    "sound": (
        "microphone.level",
        "microphone.speech",
        "microphone.clipping",
        "microphone.noise",
        "microphone.dropouts",
        "microphone.hum",
        "microphone.bandwidth",
        "microphone.equipment",
    ),
    "speaker": ("speaker.heard",),
    "echo": ("microphone.echo",),
    "connect": ("network.path", "network.setup_time"),
    "paths": tuple(PATHS.values()),
    "clock": (
        "network.rtt",
        "network.jitter_up",
        "network.jitter_down",
        "network.loss_up",
        "network.loss_down",
    ),
    "downlink": ("network.throughput_down", "network.loss_down"),
    "uplink": ("network.throughput_up", "network.loss_up", "network.rtt_loaded"),
    "tcp_down": ("network.throughput_down",),
    "tcp_up": ("network.throughput_up",),
    "service": ("meeting_service.reachable",),
    "practical": tuple(f"practical.{question}" for question in PRACTICAL),
}
MEGABYTE = 1_000_000
BUDGETS: Mapping[str, tuple[float, int]] = {
    "devices": (120.0, 0),
    "picture": (60.0, 5 * MEGABYTE),
    "sound": (40.0, 2 * MEGABYTE),
    "connect": (15.0, MEGABYTE),
    "paths": (12.0, MEGABYTE),
    "clock": (60.0, MEGABYTE),
    "downlink": (40.0, 6 * MEGABYTE),
    "uplink": (40.0, 6 * MEGABYTE),
    "tcp_down": (5.0, 2 * MEGABYTE),
    "tcp_up": (5.0, 2 * MEGABYTE),
    "service": (12.0, 0),
    "speaker": (120.0, 0),
    "echo": (10.0, MEGABYTE),
    "practical": (300.0, 0),
}
"""Machine time (s) and bytes on the socket that a phase may take."""
NETWORK_PHASES = frozenset({"connect", "clock", "downlink", "uplink"})
"""They share one peer connection: a resumed test that lacks one of them needs a new one."""


NO_ECHO_DB = -100.0
"""What stands for no echo at all."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What a report needs besides the phases."""

    report_id: str
    code: str
    started_at: datetime
    now: datetime
    duration_s: float
    kind: str
    client: Mapping[str, str]
    bytes_up: int
    bytes_down: int
    server_cpu_s: float | None = None
    ended_in: str | None = None
    cause: str | None = None
    solution: str = "other"


def phase_json(
    measurements: Sequence[Measurement] = (),
    *,
    skipped: Mapping[str, SkipReason] | None = None,
    figures: Mapping[str, float | str | bool | None] | None = None,
    seconds: float = 0.0,
) -> dict[str, Any]:
    """Return a finished phase as it is stored."""
    return {
        "measurements": [measurement.to_json() for measurement in measurements],
        "skipped": {check: reason.value for check, reason in (skipped or {}).items()},
        "figures": dict(figures or {}),
        "seconds": round(seconds, 2),
    }


def died(phase: str, cause: str, *, seconds: float = 0.0) -> dict[str, Any]:
    """Return the phase whose step died: none of its checks has a value, and `cause` says why."""
    return phase_json([not_measured(check, cause) for check in PHASE_CHECKS[phase]], seconds=seconds)


def finished_phases(phases: Mapping[str, Phase]) -> list[str]:
    """Return the phases that a resumed test need not run again, or that a short check does not run at all."""
    done = [name for name in PHASES if name in phases]
    if CARRIED in phases:
        again = set() if {"connect", "paths"}.issubset(done) else {"connect", "paths"}
        return [name for name in PHASES if name not in RECHECK_PHASES or (name in done and name not in again)]
    if not NETWORK_PHASES.issubset(done):
        done = [name for name in done if name not in NETWORK_PHASES]
    return done


def make_report(phases: Mapping[str, Phase], profile: Profile, asked: Sequence[str], ending: Ending) -> Report:
    """Judge the finished `phases` and return the report. `asked` lists the practical questions of the meeting."""
    measured, skipped = _gather(phases, profile, asked, missing_cause=ending.cause or "not_reached")
    judgement = judge(measured, profile, skipped, _carried(phases))
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
        kind=ending.kind,
        profile=profile.name,
        profile_version=profile.version,
        software_version=__version__,
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


def _carried(phases: Mapping[str, Phase]) -> dict[str, CheckResult]:
    """Return what a short check takes over from the last whole test: all that it has not looked at itself."""
    fresh = {check for name, phase in PHASE_CHECKS.items() if name in phases for check in phase}
    found = [CheckResult.from_json(check) for check in phases.get(CARRIED, {}).get("checks", ())]
    return {check.id: check for check in found if check.id not in fresh}


def left_out(phases: Mapping[str, Phase]) -> str | None:
    """Return the first phase that this test had still to do."""
    due = RECHECK_PHASES if CARRIED in phases else PHASES
    return next((name for name in due if name not in phases), None)


def _not_tested(ending: Ending) -> tuple[str, ...]:
    """Return what no browser can try: the program that the meeting runs in on this class of device."""
    runs_in_program = ending.client.get("form") in load_solution(ending.solution).program_on
    return ("meeting_program",) if runs_in_program else ()


def _gather(
    phases: Mapping[str, Phase], profile: Profile, asked: Sequence[str], *, missing_cause: str
) -> tuple[dict[str, Measurement], dict[str, SkipReason]]:
    measured = {check: not_measured(check, missing_cause) for check in profile.checks}
    tried = {check for item in phases.get("paths", {}).get("measurements", ()) for check in [item["check"]]}
    skipped = {check: SkipReason.NOT_ASKED for check in PATHS.values() if check not in tried}
    for name in PHASES:
        phase = phases.get(name, {})
        for item in phase.get("measurements", ()):
            found = Measurement.from_json(item)
            known = measured.get(found.check)
            if found.value is not None or known is None or known.value is None:
                measured[found.check] = found
        skipped |= {check: SkipReason(reason) for check, reason in phase.get("skipped", {}).items()}
    if "service" not in phases:
        skipped[PHASE_CHECKS["service"][0]] = SkipReason.NOT_ASKED
    for question in PHASE_CHECKS["practical"]:
        if question.removeprefix("practical.") not in asked:
            skipped[question] = SkipReason.NOT_ASKED
    measured |= {m.check: m for m in _throughput(phases, measured)}
    measured |= _with_connection(
        measured, str(phases.get("connect", {}).get("figures", {}).get("connection") or "unknown")
    )
    measured |= _ended_devices(phases)
    measured |= _with_echo(measured, skipped)
    measured["media.voice"] = _voice(measured)
    return measured, skipped


def _voice(measured: Mapping[str, Measurement]) -> Measurement:
    """Return what a listener would think of the sound on this line."""

    def found(name: str) -> Measurement:
        return measured.get(f"network.{name}") or not_measured(f"network.{name}", "not_reached")

    losses, jitters = [found("loss_up"), found("loss_down")], [found("jitter_up"), found("jitter_down")]
    return voice_measurement(found("rtt"), losses, jitters)


def _with_connection(measured: Mapping[str, Measurement], connection: str) -> dict[str, Measurement]:
    """Return the rates with the kind of connection that the browser named (``wifi``, ``cellular``, ``unknown``)."""
    rates = [measured[name] for name in ("network.throughput_up", "network.throughput_down") if name in measured]
    return {m.check: replace(m, details={**m.details, "connection": connection}) for m in rates}


def _with_echo(measured: Mapping[str, Measurement], skipped: Mapping[str, SkipReason]) -> dict[str, Measurement]:
    """Return what the digits' return says of other checks: a second witness that they sounded, and use of a headset.

    ``echo_db`` is the lowest there is where nothing came back or nothing was played, and None where nobody knows.
    """
    echo = measured.get("microphone.echo") or not_measured("microphone.echo", "not_reached")
    heard = echo.metric("heard")
    echo_db = echo.value if heard is True else NO_ECHO_DB if heard is False or echo.check in skipped else None
    found = {}
    if (speaker := measured.get("speaker.heard")) is not None:
        sounded = echo.metric("sounded") is True
        found[speaker.check] = replace(speaker, details={**speaker.details, "microphone_heard": sounded})
    if (device := measured.get("microphone.equipment")) is not None and device.value is not None:
        found[device.check] = replace(device, details={**device.details, "echo_db": echo_db})
    return found


def _throughput(phases: Mapping[str, Phase], measured: Mapping[str, Measurement]) -> list[Measurement]:
    """Return what TCP proved of each direction that media could not be tried in."""
    found = []
    ways: tuple[tuple[Literal["up", "down"], str], ...] = (("up", "tcp_up"), ("down", "tcp_down"))
    for direction, phase in ways:
        figures = phases.get(phase, {}).get("figures", {})
        by_media = measured.get(f"network.throughput_{direction}")
        if not figures or (by_media and (by_media.value is not None or by_media.cause == "server_busy")):
            continue
        loss = measured.get(f"network.loss_{direction}")
        loss_pct = _number(loss.metric("value")) if loss else None
        found.append(throughput_measurement(direction, tcp_mbps=_number(figures.get("tcp_mbps")), loss_pct=loss_pct))
    return found


def _ended_devices(phases: Mapping[str, Phase]) -> dict[str, Measurement]:
    """A camera or microphone that went away during the test is not there, whatever the start said."""
    codes = phases.get("events", {}).get("codes", ())
    ended = {"camera_ended": "camera.present", "microphone_ended": "microphone.present"}
    return {check: Measurement(check=check, value="ended") for code, check in ended.items() if code in codes}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
