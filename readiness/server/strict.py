"""Strict parsing of outside text: strict JSON, plain texts, and ids as in addresses."""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["ID", "is_id", "is_plain", "read_json"]

ID = r"[A-Za-z0-9_-]{1,64}"
"""Ids as in addresses and headers; nothing of ours has any other name."""
_ID = re.compile(ID)
EXACT_DIGITS = 15
"""Whole numbers of up to this many digits are the same in Python and JavaScript."""


def is_id(text: str) -> bool:
    """Whether `text` can be one of our ids."""
    return _ID.fullmatch(text) is not None


def is_plain(text: str) -> bool:
    """Whether every database can store `text`: it has no NUL and no lone surrogate."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def read_json(text: str) -> Any:
    """Return the value of the JSON `text`. Raises ValueError, or RecursionError if it is nested too deeply.

    Stricter than JSON: no duplicate names, no number beyond a double's range, no lone surrogate and no NUL, so that the
    checked value is what the sender meant and what every database can store.
    """
    value = json.loads(
        text, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_finite, object_pairs_hook=_once_each
    )
    spelled = json.dumps(value, ensure_ascii=False)
    spelled.encode("utf-8")
    if "\\u0000" in spelled:
        raise ValueError("NUL in a text")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond the range of a double")
    return value


def _whole(digits: str) -> float | int:
    """Return the number as in JavaScript: beyond 15 digits a double."""
    return int(digits) if len(digits) <= EXACT_DIGITS else _finite(digits)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members
