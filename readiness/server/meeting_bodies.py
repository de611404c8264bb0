"""What a body wishes of a meeting, in the names of `MeetingPlan` and `Change`. Its schema was checked before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from readiness.errors import InputError
from readiness.meetings.values import local_moment
from readiness.typed import read_iso
from reports.store.records import Organisation

__all__ = ["wish_of"]

AS_GIVEN = (
    "minutes",
    "title",
    "profile",
    "solution",
    "join_link",
    "join_shown",
    "join_from",
    "support_phone",
    "clinic_phone",
    "contact",
    "assessed_by",
    "agenda_sent",
    "companion",
    "unit",
    "expected_people",
)
"""Fields of a meeting that are the same in a body and in a wish."""


def wish_of(body: Mapping[str, Any], organisation: Organisation) -> dict[str, Any]:
    """Return the fields of a meeting that `body` gives, as `MeetingPlan` and `Change` name them."""
    wish: dict[str, Any] = {}
    if "starts_at" in body or "local_start" in body:
        wish["starts"] = _starts(body, ZoneInfo(organisation.time_zone))
    wish |= {name: body[name] for name in AS_GIVEN if name in body}
    for name in ("reminders", "practical"):
        if name in body:
            wish[name] = tuple(body[name])
    return wish


def _starts(body: Mapping[str, Any], zone: ZoneInfo) -> datetime:
    """Return when the meeting starts, by ``starts_at`` or ``local_start``; where both are given they must agree."""
    found = {name: _moment_of(body, name) for name in ("starts_at", "local_start") if name in body}
    moments = {local_moment(one, zone).astimezone(UTC) for one in found.values()} if len(found) > 1 else set()
    if len(moments) > 1:
        raise InputError("meeting.times_differ", field="local_start")
    return next(iter(found.values()))


def _moment_of(body: Mapping[str, Any], name: str) -> datetime:
    """Return the time that a field names: ``starts_at`` has an offset, ``local_start`` has none."""
    try:
        moment = read_iso(body[name])
    except InputError as error:
        raise InputError(error.code, field=name) from None
    if (moment.tzinfo is not None) != (name == "starts_at"):
        raise InputError("meeting.no_such_time", field=name)
    return moment
