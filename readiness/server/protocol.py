"""The session socket's messages: one schema (``web/shared/protocol.json``), checked here and by the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from readiness.errors import InputError
from readiness.texts import WEB_FOLDER

__all__ = ["BINARY", "FROM_CLIENT", "VERSION", "check_outgoing", "parse_message", "schema", "split_binary"]

VERSION = 1
FROM_CLIENT = frozenset({"hello", "offer", "samples", "bye"})
EXACT_DIGITS = 15
"""Any whole number of so many digits is the same in Python and in JavaScript."""
STAMP_BYTES = 5
"""Kind (1) and time stamp (4, big-endian, ms) in front of a still or a piece of sound."""


class BINARY:
    """First byte of a binary message."""

    STILL = 0x01
    SOUND = 0x02
    HEADROOM_DOWN = 0x10
    HEADROOM_UP = 0x11


@cache
def schema() -> Mapping[str, Any]:
    """Return the schema as it stands in the file."""
    loaded: dict[str, Any] = json.loads((WEB_FOLDER / "shared" / "protocol.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema()["$defs"]})


def parse_message(text: str) -> dict[str, Any]:
    """Return a client's message. Raises InputError("protocol.invalid") with the place of the first fault.

    Stricter than JSON: no name twice, no number beyond a double's range, no half of a character and no NUL, so that
    what is checked here is what the page meant and what every database keeps.
    """
    try:
        message = json.loads(
            text, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_finite, object_pairs_hook=_once_each
        )
        _refuse_odd_characters(message)
    except (ValueError, RecursionError):
        raise InputError("protocol.invalid", "not JSON") from None
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str) or kind not in FROM_CLIENT:
        raise InputError("protocol.invalid", "unknown type")
    _check(kind, message)
    if kind == "samples":
        _check_data(message)
    return dict(message)


def check_outgoing(message: Mapping[str, Any]) -> None:
    """Raise InputError where our own message breaks the schema: a fault of ours, found by the tests."""
    _check(str(message["type"]), message)


def split_binary(payload: bytes) -> tuple[int, int, bytes]:
    """Return (kind, t_ms, rest) of a still or a piece of sound. Raises InputError when it is too short."""
    if len(payload) <= STAMP_BYTES:
        raise InputError("protocol.invalid", "binary message too short")
    return payload[0], int.from_bytes(payload[1:STAMP_BYTES], "big"), payload[STAMP_BYTES:]


def _check_data(message: Mapping[str, Any]) -> None:
    phase, kind = message["phase"], message["kind"]
    name = f"{kind}.data" if kind in {"event", "died", "start"} else f"{phase}.{kind}.data"
    if name not in schema()["$defs"]:
        raise InputError("protocol.invalid", f"no {kind} in phase {phase}")
    if (kind in {"final", "died"}) != bool(message.get("final")):
        raise InputError("protocol.invalid", "final goes with kind final or died")
    _check(name, message["data"])


def _check(name: str, value: object) -> None:
    try:
        fault = next(iter(_validator(name).iter_errors(value)), None)
    except RecursionError:
        raise InputError("protocol.invalid", "nested too deep") from None
    if fault is not None:
        place = "/".join(str(part) for part in fault.absolute_path) or "."
        raise InputError("protocol.invalid", f"{name} at {place}: {fault.validator}"[:200])


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


def _refuse_odd_characters(message: object) -> None:
    """Raise ValueError for NUL and for half a surrogate pair anywhere: not every database keeps them."""
    spelled = json.dumps(message, ensure_ascii=False)
    spelled.encode("utf-8")
    if "\\u0000" in spelled:
        raise ValueError("NUL in a text")
