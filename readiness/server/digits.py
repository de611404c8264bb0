"""The spoken digits: which ones are played, and the choices offered to the person."""

from __future__ import annotations

from random import Random

__all__ = ["digit_tries"]

TRIES = 2
DIGITS = 3
CHOICES = 4
"""Choices per try; a lucky guess is one in four."""


def digit_tries(random: Random) -> list[tuple[list[int], list[list[int]]]]:
    """Return (spoken digits, choices in random order) for each try. Choices differ in at least two places."""
    return [_one_try(random) for _ in range(TRIES)]


def _one_try(random: Random) -> tuple[list[int], list[list[int]]]:
    choices: list[list[int]] = []
    while len(choices) < CHOICES:
        candidate = random.sample(range(10), DIGITS)
        if all(_differences(candidate, other) >= DIGITS - 1 for other in choices):
            choices.append(candidate)
    spoken = choices[0]
    random.shuffle(choices)
    return spoken, choices


def _differences(one: list[int], other: list[int]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))
