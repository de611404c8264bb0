"""Echo on strangers: who answers, a dog or a looped clip is none; what comes back is found, with its level.

Speakers, animals and rooms are those of `echo_data`; limits were set on its part `tune`, this is part `report`.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np

from probes.measurement import Measurement
from tests.bench.echo_data import (
    FALSE_KINDS,
    REAL_KINDS,
    Trial,
    first_only,
    nothing_comes_back,
    something_comes_back,
)
from tests.bench.figures import Figure, rate

__all__ = ["run"]

TRIALS, QUICK_TRIALS = 80, 12
FALSE_PCT: Final = 1.0
FOUND_PCT: Final = 97.0
LEVEL_DB: Final = 3.0
"""Mean error of the level of an echo that is found."""
TOLD_DB: Final = -46.0
LEVELS_DB: Final = (-10.0, -20.0, -30.0, -40.0)
FIRST_DB: Final = -20.0


async def run(*, quick: bool, part: str = "report") -> list[Figure]:
    """Return shares of `part`, each kind without a bar of its own, and all of them with it."""
    count = QUICK_TRIALS if quick else TRIALS
    return [*_false(part, count), *_real(part, count), *_hard(part, count)]


def _false(part: str, count: int) -> list[Figure]:
    figures, sounded, told = [], [], []
    for kind in FALSE_KINDS:
        trials = [_trial(part, kind, number) for number in range(count)]
        found = [trial.measured(nothing_comes_back(trial, kind)) for trial in trials]
        mine = [one.metric("sounded") is True for one in found]
        sounded += mine
        told += [_heard(one) and float(one.value or 0.0) > TOLD_DB for one in found]
        figures.append(rate(f"echo: {kind}: taken for the digits", mine))
    return [
        rate("echo told where there is none, all kinds", told, at_most=FALSE_PCT),
        rate('"the digits sounded" where none came back, all kinds', sounded, at_most=FALSE_PCT),
        *figures,
    ]


def _real(part: str, count: int) -> list[Figure]:
    figures, all_found, errors = [], [], []
    for kind in REAL_KINDS:
        found = []
        for number in range(count):
            trial = _trial(part, kind, number)
            level_db = float(trial.random.choice(LEVELS_DB))
            one = trial.measured(something_comes_back(trial, kind, level_db))
            found.append(_heard(one))
            errors += [abs(float(one.value or 0.0) - level_db)] if _heard(one) else []
        all_found += found
        figures.append(rate(f"echo: {kind}: found, -10 to -40 dB", found))
    return [
        rate("real echo found, all kinds", all_found, at_least=FOUND_PCT),
        Figure("echo level, mean error", "dB", [float(np.mean(errors))], at_most=LEVEL_DB),
        *figures,
    ]


def _hard(part: str, count: int) -> list[Figure]:
    """Return what has no bar: a canceller that learns at once, and an echo under the person's own voice."""
    first = []
    for number in range(count):
        trial = _trial(part, "first only", number)
        first.append(trial.measured(first_only(trial, FIRST_DB)).metric("sounded") is True)
    figures = [rate("echo of the first digit alone: heard that it sounded", first)]
    for level_db in LEVELS_DB[::2]:
        found, wrong = [], []
        for number in range(count // 2):
            trial = _trial(part, f"double talk {level_db}", number)
            both = something_comes_back(trial, "linear", level_db) + nothing_comes_back(trial, "talks throughout")
            one = trial.measured(both)
            found.append(_heard(one))
            error = float(one.value or 0.0) - level_db
            wrong.append(abs(error) > 2 * LEVEL_DB if _heard(one) else error < 0)
        figures.append(rate(f"echo of {level_db:.0f} dB under the person's voice: found", found))
        figures.append(rate("... level wrong by over 6 dB, or over what it is under for sure", wrong))
    return figures


def _heard(one: Measurement) -> bool:
    return one.metric("heard") is True


def _trial(part: str, kind: str, number: int) -> Trial:
    return Trial(np.random.default_rng([number, *kind.encode(), *part.encode()]), part)


if __name__ == "__main__":
    import asyncio

    from tests.bench.figures import table

    print(table("truth", asyncio.run(run(quick="--quick" in sys.argv))))
