"""Phone numbers as people of a language write them: the server's twin of ``phoneIn`` in the pages' ``i18n.js``."""

from __future__ import annotations

import re
from typing import Final

from reports.render.languages import TABLE

__all__ = ["as_typed", "phone_in"]

_SIGNS: Final = re.compile(r"[^+\d]")
_THREES: Final = "489"
"""First digits of the numbers that are written 480 16 317; all others are written in pairs."""
_NATIONAL_DIGITS: Final = 8
_NO_BREAK: Final = "\u00a0"


def as_typed(number: str) -> str:
    """Return `number` as it was typed, but never broken between its groups."""
    return number.replace(" ", _NO_BREAK)


def phone_in(language: str, number: str) -> str:
    """Return `number` for readers of `language`: without their own country's code, grouped, never broken.

    A number of another country, or of another form, keeps its own.
    """
    home = TABLE[language].home
    digits = _SIGNS.sub("", number)
    own = digits.removeprefix(home) if home else ""
    if len(own) != _NATIONAL_DIGITS or "+" in own:
        return as_typed(number)
    sizes = (3, 2, 3) if own[0] in _THREES else (2, 2, 2, 2)
    groups, at = [], 0
    for size in sizes:
        groups.append(own[at : at + size])
        at += size
    return _NO_BREAK.join(groups)
