"""What support said of reports, check by check: where a limit is too strict, or lets too much pass. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Calibration", "CheckSaid", "Said", "make_calibration"]

FALSE_ALARM: Final = "false_alarm"
_AREAS: Final[Mapping[str, tuple[str, ...]]] = {
    "missed_sound": ("microphone", "speaker"),
    "missed_picture": ("camera",),
    "missed_line": ("network",),
}
"""Whose checks passed in a report that missed something; of ``missed_other`` nobody knows which."""


@dataclass(frozen=True, slots=True)
class Said:
    """A report that support judged: as what, and its checks as stored."""

    judged: str
    checks: Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class CheckSaid:
    """One check: its figures in false alarms that it raised, and in reports that missed what it should have found."""

    check: str
    unit: str = ""
    limits: Counter[tuple[Any, Any]] = field(default_factory=Counter)
    """By which values for pass and fail it was judged, and how often."""
    false_alarms: list[Any] = field(default_factory=list)
    missed: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was said of all reports, and the checks that it is about, most often named first."""

    reports: int
    judged: Mapping[str, int]
    checks: Sequence[CheckSaid]


def make_calibration(reports: int, said: Iterable[Said]) -> Calibration:
    """Return what was said of so many reports, check by check."""
    found: dict[str, CheckSaid] = {}
    judged: dict[str, int] = defaultdict(int)
    for one in said:
        judged[one.judged] += 1
        for check in one.checks:
            _add(found, one.judged, check)
    order = sorted(found.values(), key=lambda one: (-len(one.false_alarms) - len(one.missed), one.check))
    return Calibration(reports, dict(sorted(judged.items())), order)


def _add(found: dict[str, CheckSaid], judged: str, check: Mapping[str, Any]) -> None:
    """Add a check if it is part of what was said; a practical question has no limit, and its answer is nobody's."""
    name, outcome = str(check.get("id", "")), check.get("outcome")
    is_alarm = judged == FALSE_ALARM and outcome in {"fail", "warn"} and not name.startswith("practical.")
    is_missed = outcome == "pass" and name.split(".", maxsplit=1)[0] in _AREAS.get(judged, ())
    if not is_alarm and not is_missed:
        return
    one = found.setdefault(name, CheckSaid(name, str(check.get("unit") or "")))
    one.limits[check.get("pass"), check.get("fail")] += 1
    (one.false_alarms if is_alarm else one.missed).append(check.get("value"))
