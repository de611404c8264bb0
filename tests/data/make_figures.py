"""Make ``figures.json``, every check's figure near its limits, in words: ``python -m tests.data.make_figures``.

The file is read by pytest and by Node's tests, so that the page and the server tell every figure in the same words. It
is made of the server's words: read what a change of the code changes in it before you commit it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from readiness.texts import LANGUAGES, catalogue
from reports.checks import FIGURES, Figure, figures_json
from reports.model import Outcome
from reports.profile import load_profile, profile_names
from reports.render.words import Words
from reports.solution import solution_names

__all__ = ["FIXTURE", "all_limits", "cases", "judged_by_limits", "main", "told"]

FIXTURE: Final = Path(__file__).parent / "figures.json"
PLAIN: Final = (-0.04, -12.345, 99.96, 1234.5)
"""Values that every check is told with: nearly nothing, a minus sign, nearly three digits, thousands."""
WORDS: Final = (
    {"id": "network.path", "outcome": "pass", "value": "udp"},
    {"id": "network.path", "outcome": "fail", "value": "a-code-of-later"},
    {"id": "camera.present", "outcome": "pass", "value": "present", "details": {"device_class": "webcam"}},
    {"id": "camera.present", "outcome": "pass", "value": "present", "details": {"device_class": "unknown"}},
    {"id": "microphone.equipment", "outcome": "pass", "value": "unknown"},
    {"id": "practical.phone", "outcome": "skipped", "value": None, "cause": "not_asked"},
    {"id": "a.check_of_before", "outcome": "warn", "value": 3.14159, "unit": "ms", "pass": 1, "fail": 9},
    {"id": "microphone.echo", "outcome": "pass", "value": -50, "unit": "db", "pass": -46, "details": {"heard": False}},
    {"id": "network.rtt", "outcome": "warn", "value": float(2**40), "unit": "ms", "pass": 150.0, "fail": 300.0},
)  # fmt: skip
"""Checks that come to a word, that were not run, or that the table does not know."""


def all_limits() -> dict[str, list[tuple[float | None, float | None]]]:
    """Return the limits (good, too poor) that each check has in any profile, with any video solution."""
    profiles = [load_profile(name, solution) for name in profile_names() for solution in solution_names()]
    found: dict[str, list[tuple[float | None, float | None]]] = {check: [] for check in FIGURES}
    for profile in profiles:
        for check, limits in found.items():
            if rule := profile.checks.get(check):
                pair = (rule.threshold(Outcome.WARN), rule.threshold(Outcome.FAIL))
                limits += [] if pair in limits else [pair]
    return found


def judged_by_limits(figure: Figure, value: float, good: float | None, poor: float | None) -> str:
    """Return the outcome of `value` where nothing but the limits decides."""
    if poor is not None and figure.is_worse(value, poor):
        return "fail"
    return "warn" if good is not None and figure.is_worse(value, good) else "pass"


def cases() -> Iterator[dict[str, Any]]:
    """Return every check that the file tells: near its limits, judged by more than them, and not judged at all."""
    for check, pairs in all_limits().items():
        figure = FIGURES[check]
        for number, (good, poor) in enumerate(pairs):
            found = {"id": check, "unit": figure.unit, "pass": good, "fail": poor}
            for value in sorted({*_near(figure, good), *_near(figure, poor), *(() if number else PLAIN)}):
                yield {**found, "value": value, "outcome": judged_by_limits(figure, value, good, poor)}
        yield from ({**found, "value": 12.345, "outcome": one} for one in ("pass", "warn", "fail"))
        yield {**found, "value": 12.345, "outcome": "not_measured", "cause": "server_busy"}
        yield {**found, "value": None, "outcome": "not_measured", "cause": "step_died"}
    yield from WORDS


def _near(figure: Figure, limit: float | None) -> list[float]:
    if limit is None:
        return []
    near = 0.4 * 10**-figure.decimals
    return [limit - near, math.nextafter(limit, -math.inf), limit, math.nextafter(limit, math.inf), limit + near]


def told(check: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return a check's value and limits in the server's words, by language."""
    every = {language: Words(catalogue(language), language) for language in LANGUAGES}
    return {language: [words.value_of(check), words.limits_of(check)] for language, words in every.items()}


def main() -> None:
    """Write the file, one case a line."""
    lines = [json.dumps({"check": check, "words": told(check)}, ensure_ascii=False) for check in cases()]
    table = json.dumps(figures_json())
    body = ",\n  ".join(dict.fromkeys(lines))
    FIXTURE.write_text(f'{{\n "figures": {table},\n "cases": [\n  {body}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
