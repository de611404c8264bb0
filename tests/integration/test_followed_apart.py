"""A followed test on three processes of one service: test, page and desk each on another, over PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from readiness.server import streams
from tests.cast import make_cast
from tests.conftest import Server, served
from tests.security.support import redeem, started
from tests.server.test_desk import opened
from tests.server.test_followed import one_followed, posted, stream
from tests.server.test_takeover import DEVICES, final
from tests.store.conftest import PostgresServer

SECRET = "one-secret-key-for-all-processes-of-the-service"


@contextlib.asynccontextmanager
async def process(tmp_path: Path, migrated_file: Path, name: str, url: str) -> AsyncIterator[Server]:
    """One process, as far as memory goes: its own sockets and listeners, the same database."""
    (tmp_path / name).mkdir()
    settings = {"READINESS_DATABASE_URL": url, "READINESS_SECRET_KEY": SECRET}
    async with served(tmp_path / name, migrated_file, **settings) as server:
        yield server


async def test_figures_hints_and_the_end_cross_processes(
    tmp_path: Path, migrated_file: Path, postgres: PostgresServer, monkeypatch
):
    """Each step of one on another; a desk on a process that has no watcher yet hears the very first figure."""
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.5)
    url = postgres.create()
    async with (
        process(tmp_path, migrated_file, "test", url) as first,
        process(tmp_path, migrated_file, "page", url) as second,
        process(tmp_path, migrated_file, "desk", url) as third,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), base_url=first.base) as http,
        aiohttp.ClientSession(second.base, cookie_jar=http.cookie_jar) as page,
        aiohttp.ClientSession(third.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as nora,
    ):
        cast = await make_cast(first.store)
        anna, desk = await redeem(http, cast.anna_token), await opened(third, nora)
        own = f"/api/v1/sessions/{anna}/follow"
        socket, _ = await started(http, anna)
        await posted(page, own)
        follow = f"/api/v1/desks/{desk}/follow/{await one_followed(third)}"
        async with (
            stream(nora, f"{follow}/events?lang=en") as seen,
            stream(page, f"{own}/events") as shown,
        ):
            await shown.next("followed")
            await seen.next("test")
            await final(socket, "devices", DEVICES)
            await seen.next("test", lambda found: found["checks"])
            hint = (await posted(nora, f"{follow}/hint", code="camera.dark"))["hint"]
            assert await shown.next("hint") == {"id": hint, "code": "camera.dark"}
            await posted(http, f"{own}/shown", hint=hint)
            assert await seen.next("shown") == {"hint": hint}
            await posted(http, own, method="DELETE")
            assert await shown.next("ended") == {}
            assert await seen.next("ended") == {}
        await socket.close()
