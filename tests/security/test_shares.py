"""What may be open at a time: sockets before they say who they are, event streams, bodies that drip (WEB-3, LOD-2)."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import aiohttp
import pytest

from readiness.access.links import api_token
from readiness.server import middleware, streams
from readiness.server import socket as session_socket
from readiness.server.app import make_app
from tests.cast import SUNNAAS, make_cast
from tests.patience import PATIENCE_S
from tests.security.support import redeem, started


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(session_socket, "MAX_NAMELESS_OF_PREFIX", 4)
    monkeypatch.setattr(session_socket, "MAX_NAMELESS", 6)


async def test_WEB_3_sockets_count_from_the_upgrade_on(server, http, few):
    """Silent sockets are refused beyond a few, by code and with a time to come back."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(http.ws_connect("/api/v1/session"))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect("/api/v1/session")
        assert refused.value.status == 429
        assert refused.value.headers["Retry-After"]
    async with asyncio.timeout(PATIENCE_S):
        while server.services.nameless:
            await asyncio.sleep(0.02)


async def test_WEB_3_a_flood_of_silent_sockets_does_not_keep_a_page_out(server, http, few, monkeypatch):
    """The oldest silent one makes room; a page that has said hello keeps its line."""
    monkeypatch.setattr(session_socket, "NAMELESS_S", 0.0)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    async with aiohttp.ClientSession(server.base) as stranger:
        silent = [await stranger.ws_connect("/api/v1/session") for _ in range(4)]
        socket, _ = await started(http, session)
        more = [await stranger.ws_connect("/api/v1/session") for _ in range(12)]
        assert len(server.services.nameless) <= 4
        for one in (*silent, *more[:8]):
            await one.receive()
            assert one.close_code != 1000
        assert not socket.closed
        for one in (socket, *silent, *more):
            await one.close()


async def test_event_streams_of_one_session_and_of_all_are_bounded(server, http, monkeypatch):
    """A sixth stream of one leader gets 429 and Retry-After, and the place of a closed one is free again."""
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.1)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.lars_token)
    path = f"/api/v1/boards/{session}/events"
    opened = [await http.get(path) for _ in range(5)]
    assert {stream.status for stream in opened} == {200}
    refused = await http.get(path)
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert (await http.get(f"/api/v1/boards/{session}")).status == 200, "the board itself can still be read"
    opened.pop().close()
    async with asyncio.timeout(PATIENCE_S):
        while server.services.streams[session] == 5:
            await asyncio.sleep(0.02)
    monkeypatch.setattr(streams, "MOST_STREAMS", 4)
    assert (await http.get(path)).status == 429
    for stream in opened:
        stream.close()


async def dripped(base: str, head: str) -> int:
    """Send a head that promises a body, and none of it. Returns the status, however long it takes."""
    parts = urlsplit(base)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write((head + f"\r\nHost: {parts.netloc}\r\nContent-Length: 100\r\n\r\n").encode())
    try:
        async with asyncio.timeout(PATIENCE_S):
            return int((await reader.readline()).split()[1])
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["events", "a/events", "mini/speedtest", "session"])
async def test_LOD_2_no_ending_of_an_address_takes_the_time_limit_off(server, monkeypatch, path):
    """Only the routes that stream are without one, whatever an address looks like."""
    monkeypatch.setattr(middleware, "BODY_TIMEOUT_S", 0.2)
    await make_cast(server.store)
    token = await api_token(server.store, SUNNAAS, server.services.now())
    head = f"PATCH /api/v1/meetings/{path.replace('/', '-')} HTTP/1.1\r\nContent-Type: application/json"
    assert await dripped(server.base, head + f"\r\nAuthorization: Bearer {token}") == 408


async def test_streams_are_the_routes_that_are_named_so(server):
    """These seven and no others are outside the common time limit; each has its own."""
    named = {
        (route.method, route.resource.canonical)
        for route in make_app(server.services).router.routes()
        if (route.name or "").startswith(middleware.STREAM)
    }
    assert {path for _, path in named} == {
        "/api/v1/session",
        "/api/v1/boards/{session}/events",
        "/api/v1/desks/{session}/events",
        "/api/v1/desks/{session}/follow/{following}/events",
        "/api/v1/sessions/{session}/follow/events",
        "/mini/speedtest/{name}",
        "/mini/speedtest/upload.php",
    }
