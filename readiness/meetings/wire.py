"""The meetings of a file as bytes, from a confined process to the web process, which trusts none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from readiness.errors import InputError
from readiness.meetings.reading import read_file
from readiness.meetings.wanted import Bad, Wanted
from readiness.meetings.wishes import HostPlan, MeetingPlan, PersonPlan

__all__ = ["READ", "decoded", "read"]

READ = "readiness.meetings.wire:read"


def read(raw: bytes) -> bytes:
    """Return the result of `read_file` as bytes for `decoded`."""
    wanted, bad = read_file(raw)
    return json.dumps({"wanted": [_sent(one) for one in wanted], "bad": [asdict(one) for one in bad]}).encode()


def decoded(sent: bytes) -> tuple[list[Wanted], list[Bad]]:
    """Return the result that `read` sent. Raises InputError if the bytes have another form."""
    try:
        told = json.loads(sent)
        return [_wanted(one) for one in told["wanted"]], [_bad(one) for one in told["bad"]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InputError("import.unreadable") from None


def _sent(one: Wanted) -> dict[str, Any]:
    named = None if one.named is None else sorted(one.named)
    plan = {**asdict(one.plan), "starts": one.plan.starts.isoformat()}
    return {**asdict(one), "plan": plan, "named": named}


def _wanted(told: Mapping[str, Any]) -> Wanted:
    plan = told["plan"]
    names = ("title", "profile", "solution", "join_link", "support_phone", "key", "series", "version")
    rows = tuple(int(row) for row in told["rows"])
    if len(rows) < max(1, len(plan["people"])):
        raise ValueError(rows)
    return Wanted(
        MeetingPlan(
            starts=datetime.fromisoformat(plan["starts"]),
            minutes=int(plan["minutes"]),
            people=tuple(_person(one) for one in plan["people"]),
            hosts=tuple(HostPlan(**_texts(one, ("role", "label", "locale", "phone", "mail"))) for one in plan["hosts"]),
            **_texts(plan, names),
        ),
        rows,
        is_cancelled=bool(told["is_cancelled"]),
        named=None if told["named"] is None else frozenset(map(str, told["named"])),
        cancels_from=None if told["cancels_from"] is None else _instant(told["cancels_from"]),
        notes=tuple(_bad(one) for one in told["notes"]),
    )


def _instant(text: Any) -> str:
    """Return the beginning of a span: a moment or nothing."""
    return datetime.fromisoformat(text).isoformat() if text else ""


def _person(told: Mapping[str, Any]) -> PersonPlan:
    texts = _texts(told, ("role", "label", "locale", "phone", "mail"))
    return PersonPlan(**texts, together=int(told["together"]))


def _bad(told: Mapping[str, Any]) -> Bad:
    return Bad(int(told["row"]), **_texts(told, ("reason", "column", "found")))


def _texts(told: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: told[name] for name in names}
    for value in found.values():
        str.encode(value)  # no text, or text that no database takes
    return found
