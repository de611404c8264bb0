"""A measured figure, its bar, and the table they stand in."""

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "as_json", "half_of", "rate", "table", "wilson"]


@dataclass(frozen=True)
class Figure:
    """Samples of one thing; with a bar, the worst sample is what counts."""

    name: str
    unit: str
    samples: Sequence[float]
    at_most: float | None = None
    at_least: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def worst(self) -> float:
        return min(self.samples) if self.at_least is not None else max(self.samples)

    @property
    def bar(self) -> str:
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else ""

    @property
    def verdict(self) -> str:
        """Return ok or NOT MET where there is a bar, by the worst sample; a figure without samples meets no bar."""
        if not self.samples:
            return "NOT MEASURED"
        if self.at_most is not None:
            return "ok" if self.worst <= self.at_most else "NOT MET"
        if self.at_least is not None:
            return "ok" if self.worst >= self.at_least else "NOT MET"
        return ""


def half_of(name: str) -> str:
    """Return "tune" or "report": which half the material of this name belongs to, always the same one."""
    return "tune" if hashlib.sha256(name.encode()).digest()[0] % 2 else "report"


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, 0 to 1 (Wilson 1927); nothing known is 0 to 1."""
    if not of:
        return 0.0, 1.0
    z, p = 1.96, hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(name: str, answers: Iterable[bool], *, at_most: float | None = None, at_least: float | None = None) -> Figure:
    """Return how many in a hundred, with the count and its interval in the name; no answers at all meet no bar."""
    known = list(answers)
    low, high = wilson(sum(known), len(known))
    label = f"{name} ({sum(known)} of {len(known)}, {100 * low:.1f}-{100 * high:.1f})"
    return Figure(label, "%", [100 * sum(known) / len(known)] if known else [], at_most, at_least)


def table(area: str, figures: Iterable[Figure]) -> str:
    """Return the figures of an area as lines of text."""
    rows = [(f"[{area}]", "median", "worst", "", "n", "bar", "")]
    for one in figures:
        numbers = (_short(one.median), _short(one.worst)) if one.samples else ("-", "-")
        rows.append((one.name, *numbers, one.unit, str(len(one.samples)), one.bar, one.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        left = row[0].ljust(widths[0])
        numbers = "  ".join(row[column].rjust(widths[column]) for column in (1, 2))
        rest = "  ".join(row[column].ljust(widths[column]) for column in (3, 4, 5, 6))
        lines.append(f"{left}  {numbers}  {rest}".rstrip())
    return "\n".join(lines)


def as_json(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Return the figures with what they come to."""
    return [
        {**asdict(one), "median": one.median if one.samples else None, "worst": one.worst if one.samples else None,
         "verdict": one.verdict}
        for one in figures
    ]  # fmt: skip


def _short(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
