"""Reads the body of a request, within a limit."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from readiness.errors import InputError
from readiness.server.protocol import strict_json
from readiness.server.strict import is_plain

__all__ = ["MAX_BODY_BYTES", "form_body", "json_body", "raw_body"]

MAX_BODY_BYTES = 4096
MOST_FIELDS = 20
"""Of a form."""
BODY_S = 10.0
"""Time limit; the largest body takes a second on a slow line."""


async def json_body(request: web.Request, most_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the request's JSON object, read as strictly as the socket's messages. Raises InputError."""
    if request.content_type != "application/json":
        raise InputError("request.not_json")
    raw = await raw_body(request, most_bytes)
    try:
        body = strict_json(raw)
    except ValueError:
        raise InputError("request.malformed") from None
    if not isinstance(body, dict):
        raise InputError("request.malformed")
    return body


async def form_body(request: web.Request, most_bytes: int = MAX_BODY_BYTES) -> dict[str, str]:
    """Return the fields of a form as browsers send it, in UTF-8, the first of each name; empty for any other body."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    raw = await raw_body(request, most_bytes)
    try:
        fields = parse_qs(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise InputError("request.malformed") from None
    if not all(is_plain(text) for name, values in fields.items() for text in (name, *values)):
        raise InputError("request.malformed")
    return {name: values[0] for name, values in fields.items()}


async def raw_body(request: web.Request, most_bytes: int) -> bytes:
    """Return the request's body. Raises InputError("request.too_large"), and TimeoutError if it is slow."""
    raw = bytearray()
    async with asyncio.timeout(BODY_S):
        async for piece in request.content.iter_any():
            raw += piece
            if len(raw) > most_bytes:
                raise InputError("request.too_large")
    return bytes(raw)
