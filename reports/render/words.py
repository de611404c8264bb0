"""A report's figures in words of a catalogue: the server's twin of the pages' ``figures.js`` and ``i18n.js``.

Both take direction and decimals from `reports.checks`, and both are tested against ``tests/data/figures.json``. There
are no texts here; `catalogue` is one of the flat catalogues (``web/locales``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final, TypeGuard

from reports.checks import FIGURES, JUDGED
from reports.model import Outcome
from reports.render.languages import TABLE

__all__ = ["Words"]

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_LIMITS: Final = {
    "<": ("limit.pass_least", "limit.fail_under"),
    ">": ("limit.pass_most", "limit.fail_over"),
    ">=": (None, "limit.fail_from"),
}
"""Texts for the limits of good and of too poor, by the way in which a figure is worse.

The only check of the last kind knows no figure that could be better, and so there are no words for one."""
_NO_BREAK: Final = "\u00a0"
_MINUS: Final = "\u2212"
_DECIMALS: Final = ((100, 0), (10, 1))
"""Decimals by size, and two below the smallest: for numbers without a check."""


class Words:
    """The words and numbers of one language. `common` are placeholders that every text may use, such as `phone`."""

    def __init__(self, catalogue: Mapping[str, str], language: str, **common: object) -> None:
        self.catalogue, self.language = catalogue, language
        self._common = common

    def t(self, key: str, **values: object) -> str:
        """Return the text of `key` with its placeholders filled; the key itself if there is none."""
        filled = self._common | values
        text = self.catalogue.get(key, key)
        return _PLACEHOLDER.sub(lambda match: str(filled.get(match[1], match[0])), text)

    def plural(self, key: str, number: int, /, **values: object) -> str:
        """Return the text of `key` for a count: the form of its plural category, else for others, else the only one.

        ``{count}`` is the number, unless `values` has it.
        """
        forms = (f"{key}#{TABLE[self.language].category(number)}", f"{key}#other")
        return self.t(next((form for form in forms if form in self.catalogue), key), **{"count": number, **values})

    def first(self, *keys: str, otherwise: str = "", **values: object) -> str:
        """Return the text of the first of `keys` that exists."""
        key = next((key for key in keys if key in self.catalogue), None)
        return self.t(key, **values) if key else otherwise

    def number(self, value: float, decimals: int | None = None) -> str:
        """Return a number in the language's form, with at most `decimals` (None: by its size)."""
        if decimals is None:
            decimals = next((places for least, places in _DECIMALS if abs(value) >= least), 2)
        text = f"{abs(value):,.{decimals}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        language = TABLE[self.language]
        text = text.translate({ord(","): language.group, ord("."): language.decimal})
        return f"{_MINUS}{text}" if value < 0 and text != "0" else text

    def amount(self, value: float, unit: str | None, decimals: int | None = None) -> str:
        """Return a number with its unit."""
        word, number = self.first(f"unit.{unit}") if unit else "", self.number(value, decimals)
        return f"{number}{_NO_BREAK}{word}" if word else number

    def value_of(self, check: Mapping[str, Any]) -> str:
        """Return a check's value in words, or why there is none."""
        value, details = check.get("value"), check.get("details") or {}
        if check.get("outcome") not in JUDGED or value is None:
            return self.first(f"cause.{check.get('cause')}", "value.none")
        if _is_unheard(check):
            return self.t("value.not_heard")
        if _is_number(value):
            return self.figure(check, value)
        device = details.get("device_class")
        said = [value, device if device != "unknown" else None]
        return ", ".join(self.first(f"value.{word}", otherwise=word) for word in said if isinstance(word, str))

    def figure(self, check: Mapping[str, Any], value: float) -> str:
        """Return a figure with its unit, rounded so that it stays on its side of each limit of the check."""
        figure = FIGURES.get(str(check.get("id")))
        if figure is None:
            return self.amount(value, check.get("unit"))
        limits = [limit for limit in (check.get("pass"), check.get("fail")) if _is_number(limit)]
        return self.amount(figure.rounded(value, limits), check.get("unit"), figure.decimals)

    def limits_of(self, check: Mapping[str, Any]) -> str:
        """Return the limits that explain a check's outcome; empty where there are none.

        A limit that the figure meets although the check was judged otherwise is left out: something else decided.
        """
        value, outcome = check.get("value"), check.get("outcome")
        check_id, unit = str(check.get("id")), check.get("unit")
        figure = FIGURES.get(check_id)
        if figure is None or outcome not in JUDGED or not _is_number(value) or _is_unheard(check):
            return ""
        (good_key, poor_key), good, poor = _LIMITS[figure.worse], check.get("pass"), check.get("fail")
        said = []
        if good_key and _is_number(good) and figure.is_worse(value, good) == (outcome != Outcome.PASS):
            said.append(self.t(good_key, value=self.limit(check_id, good, unit)))
        if _is_number(poor) and figure.is_worse(value, poor) == (outcome == Outcome.FAIL):
            said.append(self.t(poor_key, value=self.limit(check_id, poor, unit)))
        return " ".join(said)

    def limit(self, check_id: str, limit: float, unit: str | None = None) -> str:
        """Return a limit of this check, with as many decimals as its figure."""
        figure = FIGURES.get(check_id)
        return self.amount(figure.rounded(limit), unit, figure.decimals) if figure else self.amount(limit, unit)

    def moment(self, when: datetime, zone: tzinfo) -> str:
        """Return day and time in `zone`."""
        return self._date("time.at", when.astimezone(zone))

    def clock(self, when: datetime, zone: tzinfo) -> str:
        """Return the time of day in `zone`."""
        return self._clock(when.astimezone(zone))

    def day(self, when: datetime, zone: tzinfo) -> str:
        """Return weekday and date in `zone`."""
        return self._date("time.day_of", when.astimezone(zone))

    def _date(self, key: str, local: datetime) -> str:
        weekday, month = self.t(f"time.weekday_{local.isoweekday()}"), self.t(f"time.month_{local.month}")
        return self.t(key, weekday=weekday, day=local.day, month=month, time=self._clock(local))

    def _clock(self, local: datetime) -> str:
        return self.t("time.clock", hour=f"{local:%H}", minute=f"{local:%M}")


def _is_unheard(check: Mapping[str, Any]) -> bool:
    """Return whether no echo was heard: then the number is an upper bound, with nothing to compare."""
    return (check.get("details") or {}).get("heard") is False


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
