"""Framing between web process and worker: two lengths, JSON, payload. Neither side trusts the other's lengths."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from typing import Any

__all__ = ["FAULT", "RESULT", "WRONG", "FrameError", "encode_frame", "read_frame"]

HEAD = struct.Struct("!II")
MAX_JSON_BYTES = 1024 * 1024
"""The largest message is the clock's rows: 900 rows, about 60 kB."""
MAX_PAYLOAD_BYTES = 512 * 1024
"""The largest payload is 15 s of 16 kHz sound for the shared helper; a still is at most 64 kB."""
RESULT, WRONG, FAULT = b"+", b"-", b"!"
"""First byte of a chore's answer: the result, an InputError as JSON, or the name of another error."""


class FrameError(Exception):
    """The other side sent something that no correct program would send."""


def encode_frame(message: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """Return `message` and `payload` as bytes. Raises FrameError if either is too long."""
    text = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > MAX_JSON_BYTES or len(payload) > MAX_PAYLOAD_BYTES:
        raise FrameError(f"frame of {len(text)} + {len(payload)} bytes is too long")
    return HEAD.pack(len(text), len(payload)) + text + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    """Read one message with its payload. Raises EOFError at the end of the stream, FrameError on a malformed frame."""
    try:
        text_bytes, payload_bytes = HEAD.unpack(await reader.readexactly(HEAD.size))
        if text_bytes > MAX_JSON_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
            raise FrameError(f"announced {text_bytes} + {payload_bytes} bytes")
        text = await reader.readexactly(text_bytes)
        payload = await reader.readexactly(payload_bytes)
    except asyncio.IncompleteReadError as error:
        raise EOFError("the other side is gone") from error
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FrameError("not JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise FrameError("a message is an object with an op")
    return message, payload
