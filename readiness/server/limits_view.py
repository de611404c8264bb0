"""What the page of settings shows of an organisation's own limits, and of what others would have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from readiness.meetings.own_settings import LONGEST_LIMIT
from reports.kept_figures import KeptTest
from reports.limits import MOVABLE, MovableLimit, limits_of, with_limits
from reports.model import Outcome, Verdict
from reports.preview import Preview, Shares, make_preview
from reports.profile import load_profile, profile_names
from reports.render.words import Words
from reports.store.records import Organisation
from reports.sums import LEAST

__all__ = ["LimitsView", "previews"]

_RESULTS: Final = (Outcome.FAIL, Outcome.WARN, Outcome.NOT_MEASURED)
_BELOW: Final = "<"


def previews(before: Organisation, after: Organisation, tests: Mapping[str, Sequence[KeptTest]]) -> list[Preview]:
    """Return what a change of limits would have changed, for each profile that it reaches."""
    found = []
    for name in profile_names():
        ours = load_profile(name)
        old, new = (with_limits(ours, limits_of(one.choices, ours)) for one in (before, after))
        if old != new:
            found.append(make_preview(tests.get(name, ()), old, new))
    return found


class LimitsView:
    """Tells one organisation's limits in one reader's words."""

    def __init__(self, organisation: Organisation, words: Words) -> None:
        self._organisation, self._words = organisation, words

    def title(self, one: MovableLimit) -> str:
        """Return what a limit is called anywhere: with its profile."""
        return f"{self._profile(one.profile)}: {self._name(one)}"

    def said(self, one: MovableLimit, value: float | None) -> str:
        """Return a limit in words; one that is not set is ours."""
        return self._words.t("settings.empty") if value is None else self._amount(one, value)

    def typed(self, one: MovableLimit, value: float | None) -> str:
        """Return what somebody would have typed for it, with the comma or the point of their language."""
        return "" if value is None else self._words.number(value, one.figure.decimals)

    def span(self, one: MovableLimit) -> dict[str, str]:
        """Return how far the limit may be moved, in words."""
        bounds = one.bounds
        return {"lowest": self._amount(one, bounds.lowest), "highest": self._amount(one, bounds.highest)}

    def field(self, one: MovableLimit) -> dict[str, Any]:
        """Return what is special about the field of a limit: what holds now, what ours is, and how far it goes."""
        profile = load_profile(one.profile)
        now = limits_of(self._organisation.choices, profile).get(one.key, one.ours)
        told = {"now": self._amount(one, now), "ours": self._amount(one, one.ours), **self.span(one)}
        return {
            "id": one.name.replace("/", "-").replace(".", "-"),
            "label": self._name(one),
            "help": self._words.t("settings.help.limit", **told),
            "longest": LONGEST_LIMIT,
        }

    def summary(self, profile: str) -> str:
        """Return how many limits of a profile are the organisation's own."""
        own = [name for name in self._organisation.choices if name in MOVABLE and MOVABLE[name].profile == profile]
        return self._words.plural("settings.limits.own", len(own)) if own else self._words.t("settings.limits.ours")

    def look(self, made: Sequence[Preview], since: date, mark: str) -> dict[str, Any]:
        """Return what a change would have changed, as tables."""
        return {"mark": mark, "since": self._since(since), "profiles": [self._preview(one) for one in made]}

    def _since(self, since: date) -> str:
        words = self._words
        return words.t("settings.look.since", day=since.day, month=words.t(f"time.month_{since.month}"))

    def _preview(self, one: Preview) -> dict[str, Any]:
        t, title = self._words.t, self._profile(one.profile)
        if one.verdicts is None:
            return {"title": title, "said": t("settings.look.few", least=LEAST), "groups": []}
        before, after = self._percents(one.verdicts, Verdict.NOT_READY)
        said = t("settings.look.of", number=one.number, before=before, after=after)
        checks = [self._check(name, shares) for name, shares in one.checks.items()]
        whole = self._group(t("settings.look.whole"), one.verdicts, "verdict.{}.short", Verdict)
        return {"title": title, "said": said, "groups": [*checks, whole]}

    def _check(self, name: str, shares: Shares | None) -> dict[str, Any]:
        check = self._words.t(f"check.{name}")
        if shares is None:
            return {"title": check, "few": self._words.t("settings.look.few", least=LEAST), "rows": []}
        return self._group(check, shares, "outcome.{}", _RESULTS)

    def _group(self, title: str, shares: Shares, key: str, results: Any) -> dict[str, Any]:
        named = self._words.plural("settings.look.tests", shares.number, name=title)
        return {"title": named, "few": "", "rows": list(self._rows(shares, key, results))}

    def _rows(self, shares: Shares, key: str, results: Any) -> Iterator[dict[str, str]]:
        for result in results:
            before, after = self._percents(shares, result.value)
            yield {"name": self._words.t(key.format(result.value)), "before": before, "after": after}

    def _percents(self, shares: Shares, result: str) -> tuple[str, str]:
        before, after = shares.percents(result)
        return self._words.amount(before, "pct", 0), self._words.amount(after, "pct", 0)

    def _profile(self, name: str) -> str:
        return self._words.t(f"plan.profile.{name}")

    def _name(self, one: MovableLimit) -> str:
        way = "below" if one.figure.worse == _BELOW else "above"
        limit = self._words.t(f"settings.limit.{one.outcome.value}.{way}")
        return f"{self._words.t(f'check.{one.check}')}: {limit}"

    def _amount(self, one: MovableLimit, value: float) -> str:
        return self._words.limit(one.check, value, one.figure.unit)
