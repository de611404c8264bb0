"""The full speed test: Ookla's "Speedtest Mini" routes, which an unmodified ``speedtest-cli --mini`` speaks.

The self-test page uses the same routes. Bodies are random bytes, made once; uploads are counted, never kept. Limits on
callers, bytes and time are in `readiness.access.bandwidth`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any
from xml.sax.saxutils import quoteattr

from aiohttp import web

from readiness.access.bandwidth import CHUNK_BYTES, Transfer
from readiness.errors import AccessError, ReadinessError, TooLarge
from readiness.server.services import SERVICES, Services, caller, session_of
from reports.kinds import TESTERS

__all__ = ["BODIES", "routes"]

routes = web.RouteTableDef()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODIES = "/mini/speedtest/"
"""Routes with bodies, which have a time limit of their own."""
LONGEST_S = 17.0
"""Time limit of one body; a line that is too slow for it has shown its speed."""
MAX_UPLOAD_BYTES = 8 * 1024 * 1024
"""Just above the largest that speedtest-cli sends."""
INVITED = frozenset({"participant"})
"""Kinds of session that come from an invitation, unlike a test that anybody may begin."""
SIZES_BYTES = {
    350: 245_388, 500: 505_544, 750: 1_118_012, 1000: 1_986_284, 1500: 4_468_241, 2000: 7_907_740, 2500: 12_407_926,
    3000: 17_816_816, 3500: 24_262_167, 4000: 31_625_365,
}  # fmt: skip
"""Bytes of ``random<N>x<N>.jpg`` as on Ookla's own servers."""
DOWNLOAD_S = UPLOAD_S = 8
"""How long a stock client measures each way with the settings that we send."""
CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<settings>
<client ip={address} lat="0" lon="0" isp="Readiness" isprating="0" rating="0" ispdlavg="0" ispulavg="0" country=""/>
<server-config threadcount="4" ignoreids="" notonmap="" forcepingid="" preferredserverid=""/>
<download testlength="{download_s}" initialtest="250K" mintestsize="250K" threadsperurl="4"/>
<upload testlength="{upload_s}" ratio="5" initialtest="0" mintestsize="32K" threads="2" maxchunksize="512K"
 maxchunkcount="50" threadsperurl="4"/>
</settings>
"""
"""``speedtest-config.php``: speedtest-cli asks www.speedtest.net for it even to measure another server."""
WHO = web.RequestKey("speedtest.who", dict[str, Any])
"""The caller, as `SpeedGate` needs it."""
NOISE = os.urandom(4 * CHUNK_BYTES)
"""The bytes to send, repeated: nothing on the way can compress them by much."""


def _guarded(handler: Handler) -> Handler:
    """Answer strangers as if nothing were here, and others in plain words if there is no speed test now."""

    @functools.wraps(handler)
    async def inner(request: web.Request) -> web.StreamResponse:
        request[WHO] = await _who(request)
        try:
            return await handler(request)
        except ReadinessError as error:
            if error.retry_after_s is None:
                raise
            body = {"error": {"code": error.code, "message": error.message}}
            headers = {"Retry-After": str(max(1, round(error.retry_after_s)))}
            return web.json_response(body, status=error.status, headers=headers)

    return inner


@routes.get("/speedtest-config.php")
@_guarded
async def config(request: web.Request) -> web.Response:
    """Return the settings that a stock client requests first, through ``http_proxy``, with the caller's own address."""
    _look_in(request)
    text = CONFIG.format(address=quoteattr(caller(request).address), download_s=int(DOWNLOAD_S), upload_s=int(UPLOAD_S))
    return web.Response(text=text, content_type="text/xml")


@routes.get("/mini")
@routes.get("/mini/")
@_guarded
async def mini(request: web.Request) -> web.Response:
    """Tell a client that there is a Speedtest Mini here, and which upload it supports."""
    _look_in(request)
    return web.Response(text='upload_extension: "php"\n')


@routes.get(BODIES + "{name}", allow_head=False, name="stream.download")
@_guarded
async def download(request: web.Request) -> web.StreamResponse:
    """Serve ``latency.txt`` for the round trip, ``upload.php`` for clients that look for it, ``random<N>x<N>.jpg``."""
    name = request.match_info["name"]
    if name == "latency.txt":
        _look_in(request)
        return web.Response(text="test=test\n")
    if name == "upload.php":
        return web.Response(text="size=0\n")
    match = re.fullmatch(r"random(\d{3,4})x\1\.jpg", name)
    if match is None or int(match[1]) not in SIZES_BYTES:
        raise AccessError("page.not_found")
    with _services(request).speed.transfer(**request[WHO]) as transfer:
        return await _send(request, transfer, SIZES_BYTES[int(match[1])])


@routes.post(BODIES + "upload.php", name="stream.upload")
@_guarded
async def upload(request: web.Request) -> web.Response:
    """Read a body and return its size. Answers a body that is cut off with 429 or 413."""
    if (request.content_length or 0) > MAX_UPLOAD_BYTES:
        raise TooLarge("request.too_large")
    with _services(request).speed.transfer(**request[WHO]) as transfer:
        async with asyncio.timeout(LONGEST_S):
            total = await _count(request, transfer)
    return web.Response(text=f"size={total}")


async def _send(request: web.Request, transfer: Transfer, size_bytes: int) -> web.StreamResponse:
    """Send `size_bytes`, or fewer if time or allowance ends; the client counts what arrived."""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    sent = 0
    try:
        async with asyncio.timeout(LONGEST_S):
            await response.prepare(request)
            while sent < size_bytes:
                size = min(CHUNK_BYTES, size_bytes - sent)
                if not await transfer.may_move(size):
                    break
                at = sent % len(NOISE)
                await response.write(memoryview(NOISE)[at : at + size])
                sent += size
    except ConnectionError:
        pass  # stock clients hang up when their time is over
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()  # a client that does not read would otherwise hold the connection for ever
    return response


async def _count(request: web.Request, transfer: Transfer) -> int:
    """Return the number of bytes that arrived, up to the end or until the client hung up."""
    total = 0
    with contextlib.suppress(ConnectionError):
        while piece := await request.content.read(CHUNK_BYTES):
            total += len(piece)
            if total > MAX_UPLOAD_BYTES:
                raise TooLarge("request.too_large")
            if not await transfer.may_move(len(piece)):
                _look_in(request)
                break
    return total


async def _who(request: web.Request) -> dict[str, Any]:
    """Return the invited person whose session asks, else the address as a guest's.

    Admits whom the setting allows: everybody, or those with a self-test of their own; never other sites' pages.
    """
    settings = _services(request).settings
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        raise AccessError("page.not_found")
    if settings.speedtest == "off":
        raise AccessError("page.not_found")
    guest = {"caller": caller(request).address, "guest": True}
    try:
        session = await session_of(request, request.query.get("session", ""), kinds=TESTERS)
    except AccessError:
        if not settings.speedtest_for_all:
            raise
        return guest
    return {"caller": f"person {session.participant_id}", "guest": False} if session.kind in INVITED else guest


def _look_in(request: web.Request) -> None:
    _services(request).speed.look_in(**request[WHO])


def _services(request: web.Request) -> Services:
    return request.app[SERVICES]
