"""What differs between a report and an earlier good one. Pure: it judges nothing anew and knows no words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.checks import JUDGED
from reports.model import Outcome

__all__ = ["Change", "changes", "streak"]

CLIENT: Final = ("form", "os", "browser")
"""The device itself, most telling first; the browser with its major version, as it is stored."""
MOVED: Final = 0.25
"""A figure that moved by less than a quarter is no news, however narrow its interval."""
BOTH_ENDS: Final = 4
"""Of two intervals."""
_RANK: Final = {outcome: rank for rank, outcome in enumerate((Outcome.PASS, Outcome.WARN, Outcome.FAIL))}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was: a field of the device, a device's class, or a check."""

    kind: str
    """client, equipment or check"""
    name: str
    """Which field of the device, or the check's id."""
    before: Any
    """A word for the first two kinds, the check as stored for the third."""
    now: Any


def changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Change]:
    """Return what changed from the report body `before` to `now`: device, equipment, then checks, worsened ones first.

    A figure counts if its intervals do not overlap and it moved by a quarter, or if it is judged otherwise.
    """
    client, earlier = now.get("client") or {}, before.get("client") or {}
    found = [
        Change("client", name, earlier[name], client[name])
        for name in CLIENT
        if client.get(name) and earlier.get(name) and client[name] != earlier[name]
    ]
    known = {str(check.get("id")): check for check in before.get("checks", ())}
    pairs = [(known[str(check.get("id"))], check) for check in now.get("checks", ()) if str(check.get("id")) in known]
    for was, check in pairs:
        old, new = _device(was), _device(check)
        if old and new and old != new:
            found.append(Change("equipment", str(check["id"]), old, new))
    differing = [(was, check) for was, check in pairs if _differs(was, check)]
    differing.sort(key=lambda pair: _got_worse(*pair), reverse=True)
    return found + [Change("check", str(check["id"]), was, check) for was, check in differing]


def streak(about: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of the report bodies `earlier`, the newest first, had the trouble of `about` without a break."""
    advice = about.get("advice") or ()
    if not advice:
        return 0
    for count, body in enumerate(earlier):
        if advice[0] not in (body.get("advice") or ()):
            return count
    return len(earlier)


def _device(check: Mapping[str, Any]) -> str | None:
    named = (check.get("details") or {}).get("device_class")
    return named if isinstance(named, str) and named != "unknown" else None


def _differs(was: Mapping[str, Any], check: Mapping[str, Any]) -> bool:
    if str(check.get("id", "")).startswith("practical."):
        return False
    if was.get("outcome") != check.get("outcome"):
        return {was.get("outcome"), check.get("outcome")} <= JUDGED or check.get("outcome") == Outcome.NOT_MEASURED
    if check.get("outcome") not in JUDGED:
        return False
    old, new = was.get("value"), check.get("value")
    if isinstance(old, str) or isinstance(new, str):
        return old != new
    return _is_number(old) and _is_number(new) and _moved(was, check)


def _moved(was: Mapping[str, Any], check: Mapping[str, Any]) -> bool:
    """Return whether a figure moved by a quarter, and out of its uncertainty where both have one."""
    old, new = float(was["value"]), float(check["value"])
    ends = [float(one[end]) for one in (was, check) for end in ("low", "high") if _is_number(one.get(end))]
    if len(ends) == BOTH_ENDS and ends[2] <= ends[1] and ends[0] <= ends[3]:
        return False
    return new != old and abs(new - old) >= MOVED * max(abs(old), abs(new))


def _got_worse(was: Mapping[str, Any], check: Mapping[str, Any]) -> int:
    return _RANK.get(check["outcome"], len(_RANK)) - _RANK.get(was["outcome"], len(_RANK))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
