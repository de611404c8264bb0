"""Last check of JSON before it is stored: refuses fields that identify a device, an address or a person.

The schema of the session socket keeps them out already; this one is for the day when somebody adds one there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .errors import ForbiddenField

__all__ = ["FORBIDDEN_FIELDS", "guard"]

FORBIDDEN_FIELDS: Final = frozenset(
    {"address", "candidate", "deviceid", "devicelabel", "email", "groupid", "ip", "ipaddress", "label", "phone", "sdp"}
    | {"token", "useragent"}
)
"""Names in lower case without underscores, as `guard` compares them."""
_MOST_DEPTH: Final = 16
"""Levels of nesting; a report has 5."""


def guard(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return `value` as a plain dictionary. Raises `ForbiddenField` for a name that may not be stored."""
    _look(value, 0)
    return dict(value)


def _look(value: object, depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise ForbiddenField("nested too deeply")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if str(name).replace("_", "").lower() in FORBIDDEN_FIELDS:
                raise ForbiddenField(str(name))
            _look(inner, depth + 1)
    elif isinstance(value, list | tuple):
        for inner in value:
            _look(inner, depth + 1)
