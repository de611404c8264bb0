"""The session socket's messages: one schema (``web/shared/protocol.json``), checked here and by the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from readiness.errors import InputError
from readiness.server.strict import read_json
from readiness.texts import WEB_FOLDER

__all__ = [
    "BINARY", "FINISH", "FROM_CLIENT", "VERSION", "known_client", "parse_message", "schema", "split_binary",
    "strict_json",
]  # fmt: skip

VERSION = 1
FROM_CLIENT = frozenset({"hello", "offer", "samples", "bye"})
FINISH = "finish"
"""Takes the place of a phase in the page's last message, which asks for the report."""
BROWSERS = frozenset({"App", "Samsung", "Edge", "Opera", "Firefox", "Chrome", "Chromium", "Safari", "WebKit"})
SYSTEMS = frozenset({"iOS", "Android", "Windows", "ChromeOS", "macOS", "Linux"})
"""Names that a page may report for its browser and operating system (`platform.js`)."""
STAMP_BYTES = 5
"""Header of a still or a piece of sound: kind (1 byte) and time stamp (4 bytes, big-endian, ms)."""


class BINARY:
    """First byte of a binary message."""

    STILL = 0x01
    SOUND = 0x02
    HEADROOM_DOWN = 0x10
    HEADROOM_UP = 0x11
    STAMPED = frozenset({STILL, SOUND})
    """Kinds from the page with a time stamp."""


@cache
def schema() -> Mapping[str, Any]:
    """Return the schema as in the file."""
    loaded: dict[str, Any] = json.loads((WEB_FOLDER / "shared" / "protocol.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema()["$defs"]})


def parse_message(text: str) -> dict[str, Any]:
    """Return a client's message. Raises InputError("protocol.invalid") with the location of the first fault.

    The checked value is exactly what the page meant and every database can store: see `strict_json`.
    """
    try:
        message = strict_json(text)
    except ValueError:
        raise InputError("protocol.invalid", "not JSON") from None
    kind = message.get("type") if isinstance(message, dict) else None
    if not isinstance(kind, str) or kind not in FROM_CLIENT:
        raise InputError("protocol.invalid", "unknown type")
    _check(kind, message)
    if kind == "samples":
        _check_data(message)
    return dict(message)


def known_client(client: Mapping[str, str]) -> dict[str, str]:
    """Return the part of a client's self-description to store: known names, else "unknown"; no free text."""
    name, _, version = client.get("browser", "").partition(" ")
    kept = {"kind": client["kind"]}
    if "browser" in client:
        kept["browser"] = f"{name} {version}".strip() if name in BROWSERS else "unknown"
    if "os" in client:
        kept["os"] = client["os"] if client["os"] in SYSTEMS else "unknown"
    if "form" in client:
        kept["form"] = client["form"]
    return kept


def strict_json(text: str | bytes) -> Any:
    """Return the value of UTF-8 JSON, parsed by `read_json`. Raises ValueError."""
    try:
        return read_json(text if isinstance(text, str) else text.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None


def split_binary(payload: bytes) -> tuple[int, int, bytes]:
    """Return (kind, t_ms, rest) of a still or a piece of sound. Raises InputError if it is too short."""
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
