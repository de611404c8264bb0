"""Reads what a room's agent sends, strictly: closed lists of checks, findings, causes and words, and numbers. Pure.

Nothing that a device, a person or a place could be called gets through: what is not on a list is refused or left out.
The verdict is the room's own and is not judged again; one that contradicts its checks is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from reports.kinds import ROOM_LINE
from reports.model import Level, Outcome, Responsible, SkipReason, Verdict
from reports.profile import Profile
from reports.rooms import room_profile

__all__ = ["CAUSES", "MOST_CHECKS", "ReadingError", "read_moment", "read_room_check"]

SCHEMA: Final = "readiness.room_check/1"
MOST_CHECKS: Final = 80
MOST_FINDINGS: Final = 40
CAUSES: Final = frozenset(
    {"in_use", "device_busy", "too_noisy", "hung", "step_died", "no_channel", "other_device", "not_installed"}
    | {"no_camera", "no_microphone", "no_sound", "no_speech", "no_value", "too_few_samples", "no_pause", "not_played"}
    | {"not_reached", "unreachable", "disconnected", "interrupted", "late", "loss", "own_line", "nothing_arrived"}
    | {"no_media", "no_feedback", "server_busy", "server_died", "shutting_down", "socket_blocked", "worker_died"}
    | {"worker_frozen", "worker_limit", "no_speedtest", "not_asked", "declined", "echo_cancelled"}
    | {"no_time", "too_dark", "no_agreement", "people"}
)
"""Why something has no value, of all that a room can say."""
WORDS: Final = frozenset(
    {"present", "not_found", "ambiguous", "failed", "no_frames", "signal", "heard", "unheard", "mains", "battery"}
    | {
        "same",
        "moved",
        "covered",
        "learning",
        "connected",
        "none",
        "wired",
        "wireless",
        "reached",
        "udp",
        "tcp",
        "other",
    }
)
"""Values that are words, besides those that a profile has a rule for."""
UNITS: Final = frozenset(
    {"ms", "pct", "mbps", "dbfs", "db", "fps", "s", "px", "luma", "stops", "mos", "hz", "h", "min", "c", "gb"}
)
SIZES: Final = frozenset(
    {"width_px", "height_px", "channels", "played_dbfs", "over_noise_db", "speaker_pct", "lag_ms"}
    | {"window", "hour", "days", "of_days"}
)
"""Details besides those that a rule asks for."""
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]{0,31}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class ReadingError(ValueError):
    """What was sent is none of what a room sends; `args[0]` says where."""


@cache
def _profiles() -> tuple[Profile, ...]:
    return room_profile(), ROOM_LINE.profile_of(None)


@cache
def _checks() -> frozenset[str]:
    return frozenset(room_profile().checks) | frozenset(ROOM_LINE.profile_of(None).checks)


@cache
def _advice() -> frozenset[str]:
    found = set()
    for profile in _profiles():
        for name in _checks() & set(profile.checks):
            found |= {rule.advice for rule in profile.checks[name].rules if rule.advice}
    return frozenset(found)


@cache
def _conditions() -> tuple[frozenset[str], frozenset[str]]:
    """Return the words and the names of details that the rules know."""
    words, names = set(WORDS), set(SIZES)
    for profile in _profiles():
        for name in _checks() & set(profile.checks):
            for condition in (one for rule in profile.checks[name].rules for one in rule.when):
                names.add(condition.metric)
                words |= {condition.limit} if isinstance(condition.limit, str) else set()
    return frozenset(words), frozenset(names)


def read_room_check(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return verdict, findings and figures of a check. Raises ReadingError with the place of what is wrong."""
    if told.get("schema") != SCHEMA:
        raise ReadingError("check.schema")
    verdict = _one_of(told, "verdict", [one.value for one in Verdict], "check")
    complete = told.get("complete")
    if not isinstance(complete, bool):
        raise ReadingError("check.complete")
    checks = [_check(one, f"check.checks.{at}") for at, one in enumerate(_list(told, "checks", MOST_CHECKS))]
    names = [one["id"] for one in checks]
    if len(set(names)) != len(names) or not checks:
        raise ReadingError("check.checks")
    found = [_finding(one, f"check.findings.{at}") for at, one in enumerate(_list(told, "findings", MOST_FINDINGS))]
    required = {one["outcome"] for one in checks if one["level"] == Level.REQUIRED.value}
    if verdict.startswith("ready") and required & {"fail", "not_measured"}:
        raise ReadingError("check.verdict")
    if verdict == Verdict.NOT_READY.value and "fail" not in {one["outcome"] for one in checks}:
        raise ReadingError("check.verdict")
    return {
        "verdict": verdict,
        "complete": complete,
        "profile": _matching(told, "profile", _NAME, "check"),
        "profile_version": _matching(told, "profile_version", _VERSION, "check"),
        "software_version": _matching(told, "software_version", _VERSION, "check"),
        "findings": found,
        "checks": checks,
    }


def read_moment(value: Any, where: str) -> datetime:
    """Return the moment that ISO 8601 in UTC names. Raises ReadingError."""
    if not isinstance(value, str) or len(value) > 40 or not value.endswith("Z"):  # noqa: PLR2004
        raise ReadingError(where)
    try:
        found = datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ReadingError(where) from None
    if not 2000 <= found.year <= 2200:  # noqa: PLR2004
        raise ReadingError(where)
    return found


def _check(told: Any, where: str) -> dict[str, Any]:
    """Return what is kept of a check: outcome and figures; details only if a rule asks for them."""
    if not isinstance(told, Mapping):
        raise ReadingError(where)
    words, _ = _conditions()
    value = told.get("value")
    if isinstance(value, str):
        if value not in words:
            raise ReadingError(f"{where}.value")
    else:
        value = _number(told, "value", where)
    return {
        "id": _one_of(told, "id", _checks(), where),
        "outcome": _one_of(told, "outcome", [one.value for one in Outcome], where),
        "level": _one_of(told, "level", [one.value for one in Level], where),
        "value": value,
        "unit": None if told.get("unit") is None else _one_of(told, "unit", UNITS, where),
        **{name: _number(told, name, where) for name in ("low", "high", "pass", "fail")},
        "advice": None if told.get("advice") is None else _one_of(told, "advice", _advice(), where),
        "cause": None if told.get("cause") is None else _one_of(told, "cause", _causes(), where),
        "responsible": _responsible(told, where),
        "details": _details(told.get("details"), where),
    }


@cache
def _causes() -> frozenset[str]:
    return CAUSES | {one.value for one in SkipReason}


def _details(told: Any, where: str) -> dict[str, Any]:
    if told is None:
        return {}
    if not isinstance(told, Mapping):
        raise ReadingError(f"{where}.details")
    _, names = _conditions()
    return {name: _number(told, name, f"{where}.details") for name in sorted(names & set(told)) if name != "value"}


def _finding(told: Any, where: str) -> dict[str, Any]:
    if not isinstance(told, Mapping):
        raise ReadingError(where)
    codes = _advice() | {f"cause.{one}" for one in _causes()}
    return {
        "check": _one_of(told, "check", _checks(), where),
        "outcome": _one_of(told, "outcome", [one.value for one in Outcome], where),
        "code": _one_of(told, "code", codes, where),
        "responsible": _responsible(told, where),
    }


def _responsible(told: Mapping[str, Any], where: str) -> str | None:
    if told.get("responsible") is None:
        return None
    return _one_of(told, "responsible", [one.value for one in Responsible], where)


def _one_of(told: Mapping[str, Any], name: str, known: Sequence[str] | frozenset[str], where: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or value not in known:
        raise ReadingError(f"{where}.{name}")
    return value


def _matching(told: Mapping[str, Any], name: str, form: re.Pattern[str], where: str) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ReadingError(f"{where}.{name}")
    return value


def _number(told: Mapping[str, Any], name: str, where: str) -> float | int | None:
    value = told.get(name)
    if value is None:
        return None
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e15:  # noqa: PLR2004
        if isinstance(value, str) and name != "value":
            return None  # numbers of channels as a text, such as "1 3": told by the finding already
        raise ReadingError(f"{where}.{name}")
    return value


def _list(told: Mapping[str, Any], name: str, most: int) -> list[Any]:
    value = told.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise ReadingError(f"check.{name}")
    return value
