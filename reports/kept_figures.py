"""What is kept of a test to see how it would have been judged by other limits: some numbers, and nobody's. Pure.

Only the checks whose limits may be moved, each with its outcome and value, and the verdict of all the others together:
a twentieth of the report's size, so that a month of tests is read in one go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reports.checks import JUDGED
from reports.limits import MOVABLE
from reports.model import CheckResult, Level, Outcome
from reports.profile import load_profile, profile_names
from reports.verdict import verdict_of

__all__ = ["KeptTest", "kept_figures", "read_kept"]

_CHECKS = frozenset(one.check for one in MOVABLE.values())
_OUTCOMES = frozenset(one.value for one in Outcome)


@dataclass(frozen=True, slots=True)
class KeptTest:
    """One test: the verdict of the checks whose limits stand, and value and outcome of each of the others."""

    rest: str
    values: Mapping[str, float | None]
    outcomes: Mapping[str, str]
    """Such as ``warn`` or, with the cause, ``not_measured server_busy``."""


def kept_figures(profile: str, checks: Iterable[Any]) -> dict[str, Any] | None:
    """Return the figures of a test as plain JSON, from its report's checks; None where there is no such profile.

    Flat, with nothing but texts and numbers: thousands of them are read at once.
    """
    if profile not in profile_names():
        return None
    found = [check for check in checks if isinstance(check, Mapping) and check.get("outcome") in _OUTCOMES]
    moved = {str(check["id"]): check for check in found if check.get("id") in _CHECKS}
    others = [_result(profile, check) for check in found if check.get("id") not in _CHECKS]
    return {
        "profile": profile,
        "rest": verdict_of(others).value,
        "values": {name: one.get("value") for name, one in moved.items()},
        "outcomes": {name: _said(one) for name, one in moved.items()},
    }


def read_kept(figures: Mapping[str, Any]) -> KeptTest:
    """Read back what `kept_figures` returned."""
    return KeptTest(figures["rest"], figures["values"], figures["outcomes"])


def _said(check: Mapping[str, Any]) -> str:
    """Return a check's outcome; where there is none from a measurement also why."""
    outcome, cause = str(check["outcome"]), check.get("cause")
    return outcome if outcome in JUDGED or not cause else f"{outcome} {cause}"


def _result(profile: str, check: Mapping[str, Any]) -> CheckResult:
    """Return a check's outcome with its weight: figures of long ago are kept without it, and it is the profile's."""
    rule = load_profile(profile).checks.get(str(check.get("id")))
    level = rule.level if rule else Level.INFORMATION
    return CheckResult(str(check.get("id")), Outcome(check["outcome"]), level, cause=check.get("cause"))
