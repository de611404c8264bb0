"""A followed test on three processes of one service: test, page and desk each on another, over PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import sqlalchemy as sa

from readiness.server import streams
from readiness.server.followed import ALIVE
from reports.store import Store
from reports.store.follow_tables import following
from tests.browser.conftest import LiveServer
from tests.cast import make_cast
from tests.conftest import Server, served
from tests.patience import PATIENCE_S, until_kept
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


async def test_a_yes_does_not_outlive_a_server_that_was_killed(tmp_path: Path):
    """While the test ran its end was moved ahead; now nothing moves it, and after two minutes it is over."""
    server = LiveServer(tmp_path)
    await asyncio.to_thread(server.start)
    try:
        async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
            slug = server.drop_in.split("/o/")[1].split("/")[0]
            session = (await posted(http, f"/api/v1/organisations/{slug}/try"))["session"]
            socket, plan = await started(http, session)
            own = f"/api/v1/sessions/{session}/follow"
            await posted(http, own)
            async with stream(http, f"{own}/events") as page:
                await page.next("followed")
                await final(socket, "devices", DEVICES)
                store = await server.open_store()
                await until_kept(store, plan["test"], "devices")
                await until_alive(store)
            await asyncio.to_thread(server.kill)
        now = datetime.now(UTC)
        assert await store.end_followings_due(now) == 0, "the person may come back to another process"
        assert await store.end_followings_due(now + ALIVE) == 1
        await store.close()
    finally:
        await asyncio.to_thread(server.stop)


async def until_alive(store: Store) -> None:
    """Wait until whoever runs the test has said so: from then on the end is nearer than right after the yes."""
    ends = sa.select(following.c.until)
    async with asyncio.timeout(PATIENCE_S):
        while not any(row.until <= datetime.now(UTC) + ALIVE for row in await store._rows(ends)):
            await asyncio.sleep(0.1)
