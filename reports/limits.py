"""Limits of checks that an organisation has set itself, in place of the profile's. Pure.

They stand among its choices as ``thresholds/<profile>/<check>/<outcome>``. What is set for a profile holds for those
that extend it too, unless they have their own. A test keeps the limits with which it began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from reports.checks import FIGURES, Figure
from reports.model import Outcome
from reports.profile import Bounds, CheckRule, Profile, load_profile, profile_names

__all__ = ["LIMITS", "MOVABLE", "MovableLimit", "limits_of", "limits_phase", "movable_of", "with_limits"]

LIMITS: Final = "limits"
"""Name under which a test stores the organisation's own limits with which it began."""
_ROOT: Final = "thresholds"


@dataclass(frozen=True, slots=True)
class MovableLimit:
    """One limit that an organisation may set."""

    profile: str
    check: str
    outcome: Outcome
    bounds: Bounds
    ours: float
    """The product's."""

    @property
    def name(self) -> str:
        """Return its name among an organisation's choices."""
        return f"{_ROOT}/{self.profile}/{self.key}"

    @property
    def figure(self) -> Figure:
        """Return how it is shown."""
        return FIGURES[self.check]

    @property
    def key(self) -> str:
        """Return its name without the profile: ``network.rtt/fail``."""
        return f"{self.check}/{self.outcome.value}"


def movable_of(profile: Profile) -> Iterator[MovableLimit]:
    """Yield the limits of a profile that may be set, check by check, each check's warning first."""
    for check, rule in profile.checks.items():
        for outcome in (Outcome.WARN, Outcome.FAIL):
            limit = rule.threshold(outcome)
            if outcome in rule.movable and limit is not None:
                yield MovableLimit(profile.name, check, outcome, rule.movable[outcome], limit)


MOVABLE: Final[Mapping[str, MovableLimit]] = {
    one.name: one for name in profile_names() for one in movable_of(load_profile(name))
}
"""Every limit that an organisation may set, by its name."""


def limits_of(choices: Mapping[str, Any], profile: Profile) -> dict[str, float]:
    """Return an organisation's own limits for this profile, by check and outcome such as ``network.rtt/fail``.

    A limit outside today's bounds, set when they were wider, is ignored.
    """
    found = {}
    for name in reversed((profile.name, *profile.parents)):
        for key, value in choices.items():
            one = MOVABLE.get(key)
            if one is not None and one.profile == name and one.bounds.hold(value):
                found[one.key] = float(value)
    return found


def limits_phase(choices: Mapping[str, Any], profile: Profile) -> dict[str, dict[str, float]]:
    """Return what a test stores as it begins: its limits, or nothing where the profile's hold."""
    found = limits_of(choices, profile)
    return {LIMITS: found} if found else {}


def with_limits(profile: Profile, limits: Mapping[str, float]) -> Profile:
    """Return the profile with these limits in place of its own; limits of checks it does not have are ignored."""
    checks: dict[str, CheckRule] = dict(profile.checks)
    for name, limit in limits.items():
        check, _, outcome = name.rpartition("/")
        if check in checks:
            checks[check] = checks[check].with_limit(Outcome(outcome), limit)
    return replace(profile, checks=checks) if limits else profile
