"""What a room's agent sends, as it is stored: strict, corrected by our clock, without anything that names a thing."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from readiness.errors import InputError
from readiness.server.openapi import checked
from reports.room_course import corrected
from reports.room_reading import ReadingError, read_moment, read_room_check
from reports.store.room_records import NewResult

__all__ = ["AGENT", "read_result"]

AGENT: Final = re.compile(r"readiness/[0-9][0-9A-Za-z.+-]{0,31}")
_BOOT_BYTES: Final = 8
LONGEST_AGE_S: Final = 400 * 86400.0
"""A result that waited for longer than any spool keeps it."""


def read_result(body: dict[str, Any], now: datetime) -> NewResult:
    """Return the result in `body`. Raises InputError with the place of what is wrong."""
    told = checked("RoomResult", body)
    try:
        return _read(told, now)
    except ReadingError as error:
        raise InputError("request.malformed", field=str(error)) from None


def _read(told: Mapping[str, Any], now: datetime) -> NewResult:
    started, ended, sent = (read_moment(told[name], name) for name in ("started_at", "ended_at", "sent_at"))
    planned = None if told.get("planned_at") is None else read_moment(told["planned_at"], "planned_at")
    age_s = told.get("monotonic_age_s")
    if age_s is not None and not (math.isfinite(age_s) and 0 <= age_s <= LONGEST_AGE_S):
        raise ReadingError("monotonic_age_s")
    moments = corrected(started, ended, sent, age_s, now)
    check = None if told["check"] is None else read_room_check(told["check"])
    not_checked = told.get("not_checked")
    if (check is None) == (not_checked is None):
        raise ReadingError("not_checked")
    since = told.get("in_use_since") or None
    more: dict[str, Any] = {
        "agent": told["agent"],
        "key_store": told["key_store"],
        "dropped": dict(told["dropped"]),
        "in_use_since": None if since is None else read_moment(since, "in_use_since").isoformat(),
    }
    return NewResult(
        id=told["id"],
        digest=hashlib.sha256(_without_sending(told)).digest(),
        verdict=None if check is None else check.pop("verdict"),
        not_checked=not_checked,
        reason=told["reason"],
        planned_at=planned,
        started_at=moments.started_at,
        ended_at=moments.ended_at,
        clock_off_s=moments.clock_off_s,
        boot=hashlib.sha256(told["boot_id"].encode()).hexdigest()[: 2 * _BOOT_BYTES],
        body={**(check or {"findings": [], "checks": []}), **more},
    )


def _without_sending(told: Mapping[str, Any]) -> bytes:
    """Return what two posts of one result have in common: when it was sent, and its age then, are each post's own."""
    kept = {name: value for name, value in told.items() if name not in {"sent_at", "monotonic_age_s", "dropped"}}
    return json.dumps(kept, sort_keys=True).encode()
