"""A report's figures as words of a catalogue: the server's twin of the page's own ``figures.js`` and ``i18n.js``.

No text stands here; `catalogue` is one of the flat catalogues (``web/locales``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final, TypeGuard

__all__ = ["Words"]

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_MORE_IS_BETTER: Final = frozenset({"camera.people", "camera.sharpness", "microphone.bandwidth", "microphone.quality"})
"""Checks with one limit only, where less is worse; of two limits the higher one tells."""
_NO_BREAK: Final = "\u00a0"
_MINUS: Final = "\u2212"
_DECIMALS: Final = ((100, 0), (10, 1))
"""From this size on so many decimals; two below: a limit of 1.88 Mbit/s is not one of 1.9."""


class Words:
    """The words and numbers of one language. `common` are placeholders that every text may use, such as `phone`."""

    def __init__(self, catalogue: Mapping[str, str], language: str, **common: object) -> None:
        self.catalogue, self.language = catalogue, language
        self._common = common

    def t(self, key: str, **values: object) -> str:
        """Return the text of `key`, its placeholders filled; the key itself where there is none."""
        filled = self._common | values
        text = self.catalogue.get(key, key)
        return _PLACEHOLDER.sub(lambda match: str(filled.get(match[1], match[0])), text)

    def first(self, *keys: str, otherwise: str = "", **values: object) -> str:
        """Return the text of the first of `keys` that there is."""
        key = next((key for key in keys if key in self.catalogue), None)
        return self.t(key, **values) if key else otherwise

    def number(self, value: float, decimals: int | None = None) -> str:
        """Return a number as the language writes it, with at most `decimals` (None: as many as its size calls for)."""
        if decimals is None:
            decimals = next((places for least, places in _DECIMALS if abs(value) >= least), 2)
        text = f"{abs(value):,.{decimals}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        if self.language != "en":
            text = text.replace(",", _NO_BREAK).replace(".", ",")
        return f"{_MINUS}{text}" if value < 0 and text != "0" else text

    def amount(self, value: float, unit: str | None) -> str:
        """Return a number with its unit."""
        word = self.first(f"unit.{unit}") if unit else ""
        return f"{self.number(value)}{_NO_BREAK}{word}" if word else self.number(value)

    def value_of(self, check: Mapping[str, Any]) -> str:
        """Return what a check measured, or why it did not."""
        value = check.get("value")
        if isinstance(value, str):
            return self.first(f"value.{value}", otherwise=value)
        if not _is_number(value):
            return self.first(f"cause.{check.get('cause')}", "value.none")
        return self.amount(value, check.get("unit"))

    def limits_of(self, check: Mapping[str, Any]) -> str:
        """Return by which limits a check was judged; empty where it has none in numbers."""
        good, poor, unit = check.get("pass"), check.get("fail"), check.get("unit")
        more = good > poor if _is_number(good) and _is_number(poor) else check.get("id") in _MORE_IS_BETTER
        said = []
        if _is_number(good):
            said.append(self.t("limit.pass_least" if more else "limit.pass_most", value=self.amount(good, unit)))
        if _is_number(poor):
            said.append(self.t("limit.fail_under" if more else "limit.fail_over", value=self.amount(poor, unit)))
        return " ".join(said)

    def moment(self, when: datetime, zone: tzinfo) -> str:
        """Return day and time in `zone`."""
        return self._date("time.at", when.astimezone(zone))

    def day(self, when: datetime, zone: tzinfo) -> str:
        """Return weekday and date in `zone`."""
        return self._date("time.day_of", when.astimezone(zone))

    def _date(self, key: str, local: datetime) -> str:
        weekday, month = self.t(f"time.weekday_{local.isoweekday()}"), self.t(f"time.month_{local.month}")
        return self.t(key, weekday=weekday, day=local.day, month=month, time=f"{local:%H:%M}")


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
