"""The parts of a report: outcomes, verdicts, judged checks, and the report itself (schema readiness.report/1).

Plain values. Nothing here reads a clock, a socket or a setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

__all__ = [
    "READY_VERDICTS",
    "CheckResult",
    "Level",
    "Outcome",
    "Report",
    "Responsible",
    "SkipReason",
    "Verdict",
    "rfc3339",
]

REPORT_SCHEMA = "readiness.report/1"


class Outcome(StrEnum):
    """Result of one check."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    WARN = "warn"
    FAIL = "fail"
    NOT_MEASURED = "not_measured"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """Result of the whole test, in order of decision."""

    NOT_READY = "not_ready"
    INCOMPLETE = "incomplete"
    READY_WITH_WARNINGS = "ready_with_warnings"
    READY = "ready"


READY_VERDICTS: Final = frozenset({Verdict.READY, Verdict.READY_WITH_WARNINGS})
"""Verdicts with which a person can take part as is."""


class Level(StrEnum):
    """Weight of a check in a profile."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    INFORMATION = "information"


class Responsible(StrEnum):
    """Who can act on it."""

    PARTICIPANT = "participant"
    LOCAL_IT = "local_it"
    SERVICE = "service"
    ROOM_HOST = "room_host"
    """Whoever looks after a meeting room: can plug in, switch on, open a shutter."""


class SkipReason(StrEnum):
    """Why a check was not run."""

    NOT_ASKED = "not_asked"
    """The meeting does not need it; no effect."""
    NO_SOUND = "no_sound"
    """Accommodation: takes part without sound. At best ready with warnings."""
    NO_CAMERA = "no_camera"
    """Accommodation: takes part without picture. At best ready with warnings."""
    DECLINED = "declined"
    """The person declined. On a required check the verdict is incomplete."""
    ECHO_CANCELLED = "echo_cancelled"
    """A room's device takes its own sound out of the microphone's. At best ready with warnings."""


ACCOMMODATIONS = frozenset({SkipReason.NO_SOUND, SkipReason.NO_CAMERA})


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One judged check."""

    id: str
    outcome: Outcome
    level: Level
    value: float | int | str | None = None
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    pass_threshold: float | None = None
    fail_threshold: float | None = None
    advice: str | None = None
    cause: str | None = None
    responsible: Responsible | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    measured_at: datetime | None = None
    """When it was measured, if carried over from an earlier report; None means in this test."""
    has_own_limits: bool = False
    """Whether a limit by which it was judged was the organisation's own."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CheckResult:
        """Read back what `to_json` wrote. Raises KeyError or ValueError for anything else."""
        responsible, measured_at = data.get("responsible"), data.get("measured_at")
        return cls(
            id=data["id"],
            outcome=Outcome(data["outcome"]),
            level=Level(data["level"]),
            value=data.get("value"),
            unit=data.get("unit"),
            low=data.get("low"),
            high=data.get("high"),
            samples=int(data.get("samples") or 0),
            pass_threshold=data.get("pass"),
            fail_threshold=data.get("fail"),
            advice=data.get("advice"),
            cause=data.get("cause"),
            responsible=Responsible(responsible) if responsible else None,
            details=dict(data.get("details") or {}),
            measured_at=datetime.fromisoformat(measured_at) if measured_at else None,
            has_own_limits=bool(data.get("own_limits")),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the check as in the report's JSON."""
        return {
            "id": self.id,
            "outcome": self.outcome.value,
            "level": self.level.value,
            "value": self.value,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "samples": self.samples,
            "pass": self.pass_threshold,
            "fail": self.fail_threshold,
            "advice": self.advice,
            "cause": self.cause,
            "responsible": self.responsible.value if self.responsible else None,
            "details": dict(self.details),
            "measured_at": rfc3339(self.measured_at) if self.measured_at else None,
            "own_limits": self.has_own_limits,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one self-test."""

    id: str
    code: str
    verdict: Verdict
    complete: bool
    started_at: datetime
    duration_s: float
    machine_s: float
    bytes_up: int
    bytes_down: int
    kind: str
    profile: str
    profile_version: str
    software_version: str
    client: Mapping[str, str]
    checks: Sequence[CheckResult]
    advice: Sequence[str]
    valid_until: datetime
    other_device: bool = False
    ended_in: str | None = None
    """The phase in which an incomplete test ended."""
    cause: str | None = None
    """Why an incomplete test ended: disconnected, worker_died, shutting_down ..."""
    events: Sequence[str] = ()
    server_cpu_s: float | None = None
    mode: str = "full"
    """full, or recheck: devices and path only, with all other checks carried over from the last whole test."""
    solution: str = "other"
    """The video solution by whose needs it was judged."""
    not_tested: Sequence[str] = ()
    """Parts that no browser can test: meeting_program if the meeting runs in its own program on this device."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as documented in ``readiness/docs/protocol.md``."""
        return {
            "schema": REPORT_SCHEMA,
            "id": self.id,
            "code": self.code,
            "verdict": self.verdict.value,
            "complete": self.complete,
            "started_at": rfc3339(self.started_at),
            "duration_s": round(self.duration_s, 1),
            "machine_s": round(self.machine_s, 1),
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "kind": self.kind,
            "profile": self.profile,
            "profile_version": self.profile_version,
            "software_version": self.software_version,
            "client": dict(self.client),
            "checks": [check.to_json() for check in self.checks],
            "advice": list(self.advice),
            "valid_until": rfc3339(self.valid_until),
            "other_device": self.other_device,
            "ended_in": self.ended_in,
            "cause": self.cause,
            "events": list(self.events),
            "server_cpu_s": self.server_cpu_s,
            "mode": self.mode,
            "solution": self.solution,
            "not_tested": list(self.not_tested),
        }


def rfc3339(moment: datetime) -> str:
    """Return `moment` (timezone-aware) as RFC 3339 UTC with a Z, to the second."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place in a report")
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
