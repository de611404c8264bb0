"""Plain statistics shared by all probes: medians, quantiles and their 95 % intervals.

No numpy, no opinions. Input without a usable number gives None, never NaN.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

__all__ = ["finite", "mean", "median", "pair", "quantile", "quantile_interval", "wilson_interval"]

Z95 = 1.959963984540054
"""Two-sided 95 % point of the normal distribution."""


LARGEST = 1e300
"""Larger numbers are ignored: their sums and differences could overflow."""


def finite(values: Iterable[object]) -> list[float]:
    """Return the finite real numbers among `values`; drop booleans, text, NaN, infinities and the like."""
    numbers: list[float] = []
    for value in values:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                continue
            if abs(number) <= LARGEST:
                numbers.append(number)
    return numbers


def pair(first: object, second: object) -> tuple[float, float] | None:
    """Return both as numbers, or None if either is not a finite real number."""
    numbers = finite((first, second))
    return (numbers[0], numbers[1]) if len(numbers) > 1 else None


def mean(values: Sequence[float]) -> float | None:
    """Return the arithmetic mean, or None if there are no values."""
    return math.fsum(values) / len(values) if values else None


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the quantile at `share` (0 to 1) by linear interpolation, or None if there are no values."""
    if not values:
        return None
    ordered = sorted(values)
    position = min(max(share, 0.0), 1.0) * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(values: Sequence[float]) -> float | None:
    """Return the median, or None if there are no values."""
    return quantile(values, 0.5)


def quantile_interval(values: Sequence[float], share: float) -> tuple[float, float] | None:
    """Return a 95 % interval of the quantile at `share`, by order statistics (normal approximation of the ranks).

    It assumes nothing about the distribution; with few samples it widens to the whole range.
    """
    if not values:
        return None
    ordered = sorted(values)
    count = len(ordered)
    share = min(max(share, 0.0), 1.0)
    centre = (count - 1) * share
    half = Z95 * math.sqrt(count * share * (1.0 - share))
    return ordered[max(0, math.floor(centre - half))], ordered[min(count - 1, math.ceil(centre + half))]


def wilson_interval(hits: int, trials: int) -> tuple[float, float] | None:
    """Return the 95 % Wilson score interval of a share, 0 to 1, or None without trials (Wilson 1927)."""
    if trials <= 0 or hits < 0 or hits > trials:
        return None
    share = hits / trials
    spread = Z95 * math.sqrt(share * (1.0 - share) / trials + Z95**2 / (4.0 * trials**2))
    centre = share + Z95**2 / (2.0 * trials)
    scale = 1.0 + Z95**2 / trials
    low = 0.0 if hits == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if hits == trials else min(1.0, (centre + spread) / scale)
    return low, high
