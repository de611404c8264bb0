"""What the tests of the web side share: raw requests, sessions of the cast, and a look at the whole database."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests.patience import PATIENCE_S

HELLO = {"type": "hello", "version": 1, "client": {"kind": "browser", "browser": "Chrome 142"}, "locale": "nb"}


AUDIT = 'INSERT INTO "audit_'
"""Who looked at what is logged; nothing that was looked at changes by that."""


def dump_digest(folder: Path) -> str:
    """A hash of everything the embedded database holds."""
    with sqlite3.connect(f"file:{folder / 'readiness.sqlite3'}?mode=ro", uri=True) as connection:
        text = "\n".join(one for one in connection.iterdump() if not one.startswith(AUDIT))
    connection.close()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


async def raw(base: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send `request` byte for byte; no client tidies its path. Returns status, headers in lower case and body."""
    parts = urlsplit(base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status_line.split(" ")[1]), headers, body


async def raw_get(base: str, target: str, *, method: str = "GET", extra: str = "") -> tuple[int, dict[str, str], bytes]:
    """Ask for `target` exactly as written."""
    host = urlsplit(base).netloc
    request = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{extra}\r\n"
    return await raw(base, request.encode("latin-1"))


async def redeem(http: aiohttp.ClientSession, token: str, **kwargs) -> str:
    """Open a link and return the session's public id; its cookie is in the client's jar."""
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}, **kwargs) as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.json())["session"]


async def next_of(socket: aiohttp.ClientWebSocketResponse, *types: str, within_s: float = PATIENCE_S) -> dict:
    """Return the next message of one of `types`; others are passed over. Fails when the socket ends first."""
    async with asyncio.timeout(within_s):
        while True:
            received = await socket.receive()
            assert received.type is aiohttp.WSMsgType.TEXT, f"ended with {received.type!r} {received.data!r}"
            message = json.loads(received.data)
            if message["type"] in types:
                return message


async def ended(
    socket: aiohttp.ClientWebSocketResponse, *, within_s: float = PATIENCE_S
) -> tuple[list[dict], int | None]:
    """Read to the end. Returns the JSON messages, but for signs of life, and the close code."""
    messages = []
    async with asyncio.timeout(within_s):
        while (received := await socket.receive()).type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
            if received.type is aiohttp.WSMsgType.TEXT:
                messages.append(json.loads(received.data))
    return [message for message in messages if message["type"] != "alive"], socket.close_code


async def started(http: aiohttp.ClientSession, session: str, **hello) -> tuple[aiohttp.ClientWebSocketResponse, dict]:
    """Open the session socket and say hello. Returns it with its plan."""
    socket = await http.ws_connect("/api/v1/session", max_msg_size=0)
    await socket.send_json({**HELLO, "session": session, **hello})
    return socket, await next_of(socket, "plan")
