"""Text as everything behind it can take it: strict JSON, plain texts, and ids as they stand in addresses."""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["ID", "is_id", "is_plain", "read_json"]

ID = r"[A-Za-z0-9_-]{1,64}"
"""Ids as they stand in addresses and headers; anything else names nothing of ours."""
_ID = re.compile(ID)
EXACT_DIGITS = 15
"""Any whole number of so many digits is the same in Python and in JavaScript."""


def is_id(text: str) -> bool:
    """Whether `text` may be an id of ours."""
    return _ID.fullmatch(text) is not None


def is_plain(text: str) -> bool:
    """Whether every database keeps `text`: no NUL, and no half of a character."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def read_json(text: str) -> Any:
    """Return what `text` says. Raises ValueError, or RecursionError where it is nested too deep.

    Stricter than JSON: no name twice, no number beyond a double's range, no half of a character and no NUL, so that
    what is checked here is what was meant and what every database keeps.
    """
    found = json.loads(
        text, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_finite, object_pairs_hook=_once_each
    )
    spelled = json.dumps(found, ensure_ascii=False)
    spelled.encode("utf-8")
    if "\\u0000" in spelled:
        raise ValueError("NUL in a text")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond the range of a double")
    return value


def _whole(digits: str) -> float | int:
    """Return the number as JavaScript has it too: beyond 15 digits a double."""
    return int(digits) if len(digits) <= EXACT_DIGITS else _finite(digits)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
