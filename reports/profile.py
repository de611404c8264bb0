"""Profiles: the needs of one kind of meeting, read from TOML and strictly validated.

A profile is data: every threshold is in the file, with its unit and source. A malformed file is an error at start,
never a check that silently passes.
"""

from __future__ import annotations

import math
import operator
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from probes.ladder import Tier
from probes.measurement import Measurement
from reports.model import Level, Outcome, Responsible, SkipReason
from reports.solution import load_solution

__all__ = [
    "COMPARED",
    "Bounds",
    "CheckRule",
    "Condition",
    "Profile",
    "ProfileError",
    "Rule",
    "load_profile",
    "parse_profile",
    "profile_names",
]

PROFILE_FOLDER = Path(__file__).parent / "profiles"
_CONDITION = re.compile(r"^(?P<metric>[a-z][a-z0-9_]*) (?P<op><=|>=|==|<|>) (?P<limit>\S+)$")
NO_LINE: Mapping[str, float] = {"throughput_mbps": 0.0, "probe_factor": 1.0}
"""What a profile needs that judges nothing of a line."""
COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
AREAS = frozenset({"browser", "camera", "microphone", "speaker", "network", "practical", "device", "service"})


class ProfileError(ValueError):
    """A profile file has invalid content; the message names file, check and rule."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``metric op limit``, for example ``value > 300``."""

    metric: str
    op: str
    limit: float | str | bool

    def holds(self, measurement: Measurement) -> bool | None:
        """Return whether it holds, or None if the metric is missing."""
        found = measurement.metric(self.metric)
        if found is None or isinstance(found, str) != isinstance(self.limit, str):
            return None
        if self.op == "==":
            return found == self.limit
        if isinstance(found, str | bool) or isinstance(self.limit, str | bool):
            return None
        return COMPARED[self.op](float(found), float(self.limit))


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that together lead to an outcome and an advice code."""

    when: tuple[Condition, ...]
    outcome: Outcome
    advice: str
    responsible: Responsible | None = None
    slack: float = 0.0
    """How far a figure must return beyond the first condition's limit before a hint disappears."""

    def lenient(self) -> Rule:
        """Return the rule with its first limit moved by `slack`, so that it holds a little longer."""
        first = self.when[0]
        if not self.slack or isinstance(first.limit, str | bool):
            return self
        moved = first.limit + (self.slack if first.op.startswith("<") else -self.slack)
        return replace(self, when=(replace(first, limit=moved), *self.when[1:]), slack=0.0)

    def holds(self, measurement: Measurement) -> bool | None:
        """Return True or False if certain, None if a missing metric could decide it."""
        answers = [condition.holds(measurement) for condition in self.when]
        if False in answers:
            return False
        if None in answers:
            return None
        return True


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far an organisation may move a limit."""

    lowest: float
    highest: float

    def hold(self, limit: float) -> bool:
        """Return whether a limit may be set to this."""
        return self.lowest <= limit <= self.highest


@dataclass(frozen=True, slots=True)
class CheckRule:
    """How one check is judged."""

    id: str
    level: Level
    area: str
    responsible: Responsible
    rules: tuple[Rule, ...]
    after: tuple[str, ...]
    """Checks whose failure explains this one: its advice is then left out."""
    source: str
    busy: Condition | None = None
    """If it holds our own server was late, and anything but a pass says nothing about the participant."""
    device_busy: Condition | None = None
    """If it holds the participant's device was late or its page hidden: not measured either."""
    movable: Mapping[Outcome, Bounds] = field(default_factory=dict)
    """Limits of the main value that an organisation may set itself."""
    has_own_limits: bool = False
    """Whether an organisation has set one."""

    def threshold(self, outcome: Outcome) -> float | None:
        """Return the limit of the main value for `outcome`; None if there are two, or if the value is a word."""
        first = [rule.when[0] for rule in self.rules if rule.outcome is outcome and rule.when[0].metric == "value"]
        limits = [float(condition.limit) for condition in first if not isinstance(condition.limit, str)]
        below = {condition.op.startswith("<") for condition in first}
        if not limits or len(below) != 1:
            return None
        return max(limits) if True in below else min(limits)

    def with_limit(self, outcome: Outcome, limit: float) -> CheckRule:
        """Return the rule with another limit for `outcome`, in every rule that has it."""
        known = self.threshold(outcome)
        rules = [
            replace(rule, when=(replace(rule.when[0], limit=limit), *rule.when[1:]))
            if rule.outcome is outcome and rule.when[0].metric == "value" and rule.when[0].limit == known
            else rule
            for rule in self.rules
        ]
        return replace(self, rules=tuple(rules), has_own_limits=True)


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of meeting."""

    name: str
    version: str
    valid_days: float
    need_mbps: float
    probe_factor: float
    """Factor above the need at which the line is tried first, for a margin."""
    tiers: tuple[Tier, ...]
    """Qualities that a line may be good enough for, the most demanding first."""
    expected_people: int
    accommodations: frozenset[SkipReason]
    practical: tuple[str, ...]
    checks: Mapping[str, CheckRule]
    parents: tuple[str, ...] = ()
    """The profiles that it extends, the nearest first."""

    @property
    def probe_mbps(self) -> float:
        """The rate that is tried first, Mbit/s each way."""
        return self.need_mbps * self.probe_factor

    def advice_codes(self) -> frozenset[str]:
        """Return every advice code that a rule of this profile can give."""
        return frozenset(rule.advice for check in self.checks.values() for rule in check.rules)


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the packaged profiles."""
    return tuple(sorted(path.stem for path in PROFILE_FOLDER.glob("*.toml")))


@cache
def load_profile(name: str, solution: str = "other") -> Profile:
    """Read the profile called `name` from the packaged folder, with the needs of a video `solution`.

    Raises ProfileError, SolutionError.
    """
    if name not in profile_names():
        raise ProfileError(f"there is no profile {name!r}; there are: {', '.join(profile_names())}")
    path = PROFILE_FOLDER / f"{name}.toml"
    need_mbps = load_solution(solution).need_mbps.get(name)
    return parse_profile(path.read_text(encoding="utf-8"), where=path.name, need_mbps=need_mbps)


def parse_profile(text: str, *, where: str, need_mbps: float | None = None) -> Profile:
    """Return the profile written in `text` (TOML). Raises ProfileError that names `where`.

    ``extends`` names a packaged profile: the file overrides it check by check, and a check that is ``false`` is
    removed. `need_mbps` replaces the file's own need, and the tier of that need. A file without ``need`` asks nothing
    of a line: its rules cannot name one.
    """
    try:
        data = _whole(tomllib.loads(text))
        needed = data.get("need", NO_LINE)
        own_need = float(needed["throughput_mbps"])
        need = own_need if need_mbps is None else need_mbps
        factor = float(needed["probe_factor"])
        tiers = {name: need if float(mbps) == own_need else float(mbps) for name, mbps in _tiers(data).items()}
        names = {"need": need, "probe": need * factor}
        return Profile(
            name=data["name"],
            version=data["version"],
            valid_days=float(data["valid_days"]),
            need_mbps=need,
            probe_factor=factor,
            tiers=tuple(Tier(name, mbps) for name, mbps in tiers.items()),
            expected_people=int(data["expected_people"]),
            accommodations=frozenset(SkipReason(item) for item in data["accommodations"]),
            practical=tuple(data["practical"]),
            checks={key: _check(key, value, names) for key, value in data["checks"].items()},
            parents=tuple(data.get("parents", ())),
        )
    except ProfileError as error:
        raise ProfileError(f"{where}: {error}") from None
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ProfileError(f"{where}: {type(error).__name__} {error}") from error


def _tiers(data: Mapping[str, Any]) -> Mapping[str, Any]:
    tiers: Mapping[str, Any] = data["tiers"] if "need" in data else {}
    return tiers


def _whole(data: dict[str, Any]) -> dict[str, Any]:
    """Return `data` completed from the profile that it extends."""
    if "extends" not in data:
        return data
    path = PROFILE_FOLDER / f"{data['extends']}.toml"
    if not path.is_file():
        raise ProfileError(f"extends {data['extends']!r}, which there is not")
    base = _whole(tomllib.loads(path.read_text(encoding="utf-8")))
    checks = {**base["checks"], **data.get("checks", {})}
    kept = {key: value for key, value in checks.items() if value is not False}
    for check in kept.values():
        check["after"] = [name for name in check.get("after", ()) if name in kept]
    return {**base, **data, "checks": kept, "parents": [data["extends"], *base.get("parents", ())]}


_Names = Mapping[str, float]
"""Limits that rules may name: ``need`` and ``probe``, Mbit/s."""


def _check(key: str, data: Mapping[str, Any], names: _Names) -> CheckRule:
    if data["area"] not in AREAS:
        raise ProfileError(f"{key}: unknown area {data['area']!r}")
    if not data["source"].strip():
        raise ProfileError(f"{key}: a threshold without a source")
    rule = CheckRule(
        id=key,
        level=Level(data["level"]),
        area=data["area"],
        responsible=Responsible(data["responsible"]),
        rules=tuple(_rule(key, rule, names) for rule in data["rules"]),
        after=tuple(data.get("after", ())),
        source=data["source"],
        busy=_condition(key, data["busy"], names) if "busy" in data else None,
        device_busy=_condition(key, data["device_busy"], names) if "device_busy" in data else None,
    )
    return replace(rule, movable=_movable(rule, data["movable"])) if "movable" in data else rule


def _movable(rule: CheckRule, data: Mapping[str, Any]) -> dict[Outcome, Bounds]:
    """Return the limits that may be moved. Raises ProfileError for one that no rule has alone, or that may cross."""
    if not data["source"].strip():
        raise ProfileError(f"{rule.id}: bounds without a source")
    movable = {Outcome(name): Bounds(*map(float, span)) for name, span in data.items() if name != "source"}
    for outcome, bounds in movable.items():
        limit = rule.threshold(outcome)
        alone = [one.when[0] for one in rule.rules if one.outcome is outcome and len(one.when) == 1]
        if limit is None or limit not in [one.limit for one in alone if one.metric == "value"]:
            raise ProfileError(f"{rule.id}: no rule has the {outcome} limit by itself")
        if not bounds.hold(limit):
            raise ProfileError(f"{rule.id}: the {outcome} limit is out of its bounds")
    spans = [_span(rule, movable, outcome) for outcome in (Outcome.WARN, Outcome.FAIL)]
    (warn, fail), is_below = spans, rule.rules[0].when[0].op.startswith("<")
    if warn and fail and (fail.highest > warn.lowest if is_below else warn.highest > fail.lowest):
        raise ProfileError(f"{rule.id}: its limits may cross")
    return movable


def _span(rule: CheckRule, movable: Mapping[Outcome, Bounds], outcome: Outcome) -> Bounds | None:
    """Return where a limit may be: its bounds, where it is, or None where there is none."""
    limit = rule.threshold(outcome)
    return movable.get(outcome) or (None if limit is None else Bounds(limit, limit))


def _rule(key: str, data: Mapping[str, Any], names: _Names) -> Rule:
    outcome = Outcome(data["outcome"])
    if outcome not in {Outcome.WARN, Outcome.FAIL}:
        raise ProfileError(f"{key}: a rule leads to warn or fail, not {outcome}")
    if not data["when"]:
        raise ProfileError(f"{key}: a rule without a condition")
    responsible = data.get("responsible")
    return Rule(
        when=tuple(_condition(key, text, names) for text in data["when"]),
        outcome=outcome,
        advice=data["advice"],
        responsible=Responsible(responsible) if responsible else None,
        slack=_slack(key, data.get("slack", 0)),
    )


def _slack(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ProfileError(f"{key}: a slack is a number, not {value!r}")
    return float(value)


def _condition(key: str, text: str, names: _Names) -> Condition:
    match = _CONDITION.match(text)
    if not match:
        raise ProfileError(f"{key}: cannot read the condition {text!r}")
    limit = names.get(match["limit"]) or _limit(match["limit"])
    if isinstance(limit, str | bool) and match["op"] != "==":
        raise ProfileError(f"{key}: {text!r} compares a word by size")
    return Condition(metric=match["metric"], op=match["op"], limit=limit)


def _limit(text: str) -> float | str | bool:
    if text in {"True", "False"}:
        return text == "True"
    try:
        return float(text)
    except ValueError:
        return text
