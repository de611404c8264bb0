"""The body of a request, read with a limit."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from readiness.errors import InputError

__all__ = ["MAX_BODY_BYTES", "json_body", "raw_body"]

MAX_BODY_BYTES = 4096


async def json_body(request: web.Request, most_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the request's JSON object, or raise InputError."""
    if request.content_type != "application/json":
        raise InputError("request.not_json")
    raw = await raw_body(request, most_bytes)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise InputError("request.malformed") from None
    if not isinstance(body, dict):
        raise InputError("request.malformed")
    return body


async def raw_body(request: web.Request, most_bytes: int) -> bytes:
    """Return the request's body, or raise InputError("request.too_large")."""
    raw = bytearray()
    async for piece in request.content.iter_any():
        raw += piece
        if len(raw) > most_bytes:
            raise InputError("request.too_large")
    return bytes(raw)
