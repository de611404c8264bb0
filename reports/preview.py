"""How tests of the last weeks would have been judged by other limits. Pure.

What was not measured stays that way: it never passes. Of fewer than `LEAST` tests nothing is told. Only what the value
decides is judged again; where another figure had decided, its outcome stands, as those of other checks do. One case is
told as worse than it would have been: a test that passed while a server or device was late, which a stricter limit
would have left unmeasured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reports.checks import JUDGED
from reports.kept_figures import KeptTest
from reports.model import CheckResult, Level, Outcome, Verdict
from reports.profile import COMPARED, CheckRule, Profile
from reports.sums import LEAST
from reports.verdict import verdict_of

__all__ = ["Preview", "Shares", "judged_again", "make_preview"]

_ORDER: Final[Mapping[str, int]] = {verdict.value: place for place, verdict in enumerate(Verdict)}
_SEVERITY: Final[Mapping[str, int]] = {"pass": 0, "warn": 1, "fail": 2}
_Compare = Callable[[float, float], bool]


@dataclass(frozen=True, slots=True)
class Shares:
    """How many tests had each result, before a change and after it."""

    number: int
    before: Mapping[str, int]
    after: Mapping[str, int]

    def percents(self, result: str) -> tuple[int, int]:
        """Return the shares of a result in whole per cent, before and after."""
        before, after = (round(100 * side.get(result, 0) / self.number) for side in (self.before, self.after))
        return before, after


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change of limits would have changed in one profile's tests."""

    profile: str
    number: int = 0
    """How many tests; nothing is told of fewer than `LEAST`."""
    checks: Mapping[str, Shares | None] = field(default_factory=dict)
    """By check, for those whose limits change; None where fewer than `LEAST` tests had it."""
    verdicts: Shares | None = None


def make_preview(tests: Sequence[KeptTest], before: Profile, after: Profile) -> Preview:
    """Return what the tests of one profile would have come to by the limits of `after` instead of `before`."""
    if len(tests) < LEAST:
        return Preview(before.name)
    changed = [name for name, rule in after.checks.items() if rule.rules != before.checks[name].rules]
    sides = [{name: _Again(profile.checks[name]) for name in changed} for profile in (before, after)]
    weigh = _Weigh(before)
    pairs: dict[str, list[tuple[str, str]]] = {name: [] for name in changed}
    verdicts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for test in tests:
        stays = weigh.worst(test.rest, {name: one for name, one in test.outcomes.items() if name not in pairs})
        had = [name for name in changed if name in test.outcomes]
        old, new = ({name: side[name].judge(test.outcomes[name], test.values[name]) for name in had} for side in sides)
        for name in had:
            pairs[name].append((old[name], new[name]))
        for count, found in zip(verdicts, (old, new), strict=True):
            count[weigh.worst(stays, found)] += 1
    checks = {name: _shares(found) for name, found in pairs.items()}
    return Preview(before.name, len(tests), checks, Shares(len(tests), *verdicts))


def judged_again(rule: CheckRule, outcome: str, value: object) -> str:
    """Return the outcome of a check with this value, which was judged as `outcome` before, by `rule`."""
    return _Again(rule).judge(outcome, value)


class _Again:
    """Judges one check by its value alone, as fast as a month of tests needs."""

    def __init__(self, rule: CheckRule) -> None:
        self._sure: list[tuple[int, str, _Compare, float]] = []
        self._open: list[tuple[str, _Compare | None, float]] = []
        for one in rule.rules:
            first, result = one.when[0], one.outcome.value
            if first.metric != "value" or isinstance(first.limit, str | bool):
                self._open.append((result, None, 0.0))
            elif len(one.when) == 1:
                self._sure.append((_SEVERITY[result], result, COMPARED[first.op], float(first.limit)))
            else:
                self._open.append((result, COMPARED[first.op], float(first.limit)))

    def judge(self, outcome: str, value: object) -> str:
        if outcome not in JUDGED or isinstance(value, bool) or not isinstance(value, int | float):
            return outcome
        worst, reached = 0, Outcome.PASS.value
        for severity, result, compare, limit in self._sure:
            if severity > worst and compare(value, limit):
                worst, reached = severity, result
        if _SEVERITY[outcome] > worst:
            for result, may_hold, limit in self._open:
                if result == outcome and (may_hold is None or may_hold(value, limit)):
                    return outcome
        return reached


class _Weigh:
    """Finds the worst verdict; remembers the one that each outcome of a check gives by itself."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[tuple[str, str], Verdict] = {}

    def worst(self, verdict: str, outcomes: Mapping[str, str]) -> str:
        """Return the worst of a verdict and those that each of these checks alone would give."""
        for pair in outcomes.items():
            one = self._known.get(pair) or self._verdict(*pair)
            if _ORDER[one] < _ORDER[verdict]:
                verdict = one
        return verdict

    def _verdict(self, name: str, said: str) -> Verdict:
        outcome, _, cause = said.partition(" ")
        rule = self._profile.checks.get(name)
        level = rule.level if rule else Level.INFORMATION
        self._known[name, said] = verdict_of([CheckResult(name, Outcome(outcome), level, cause=cause or None)])
        return self._known[name, said]


def _shares(pairs: Sequence[tuple[str, str]]) -> Shares | None:
    """Return how many had each outcome before and after, of those that were to be measured."""
    named = [[said.partition(" ")[0] for said in pair] for pair in pairs]
    measured = [pair for pair in named if pair[0] != Outcome.SKIPPED]
    if len(measured) < LEAST:
        return None
    before, after = (Counter(pair[place] for pair in measured) for place in (0, 1))
    return Shares(len(measured), before, after)
