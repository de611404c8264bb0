"""2,000 rooms that post what they found: how long a post takes, what a result costs on disk, what pages then take.

A simulated day is shortened: the rooms post as many results as asked for, as evenly as an hour's posts are spread, but
faster, so that what is found holds for the slower real thing.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web

from readiness.access.links import room_link
from readiness.access.tokens import hash_token, new_token
from readiness.server.services import Services
from reports.store import Store
from tests.bench.figures import Figure
from tests.bench.meetings import serving
from tests.cast import SUNNAAS
from tests.fleet import AGENT, BROKEN, RITA, result, room, room_check

__all__ = ["BAR_MS", "BROKEN_OF", "QUICK_ROOMS", "ROOMS", "enrolled", "run"]

ROOMS, QUICK_ROOMS = 2_000, 200
ROUNDS, QUICK_ROUNDS = 1, 2
A_SECOND = 8.0
"""Posts; 2,000 rooms that post hourly make 0.6, and all within a spread of 20 minutes 1.7."""
BROKEN_OF = 50
"""One room in so many has lost its microphone."""
BAR_MS = 200.0
TRIES = 5


async def run(*, quick: bool) -> list[Figure]:
    """Return posts, growth and pages of a server in the same process as its clients."""
    rooms, rounds = (QUICK_ROOMS, QUICK_ROUNDS) if quick else (ROOMS, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder:
        async with serving(Path(folder)) as services, _reached(services) as http:
            await services.store.ensure_organisation(SUNNAAS)
            keys = [await enrolled(services.store, number) for number in range(rooms)]
            before = _size(Path(folder))
            took_ms = [ms for number in range(rounds) for ms in await _round(http, keys, rounds - number)]
            grown = (_size(Path(folder)) - before) / max(1, len(took_ms))
            stored = sum([len(await services.store.room_results(RITA, f"r{one}", _long_ago())) for one in range(rooms)])
            ordered = sorted(took_ms)
            p95 = ordered[int(0.95 * (len(ordered) - 1))]
            pages = [await _page_ms(http, services, path) for path in ("", "/wall", "/room/r0")]
            return [
                Figure(f"post of a result, {rooms} rooms, median", "ms", [statistics.median(took_ms)]),
                Figure(f"post of a result, {rooms} rooms, p95", "ms", [p95], at_most=BAR_MS),
                Figure(f"results lost of {len(took_ms)}", "", [len(took_ms) - stored], at_most=0),
                Figure("growth of the database for a result, with its journal", "kB", [grown / 1e3]),
                Figure("list of rooms", "ms", pages[0]),
                Figure("display on the wall", "ms", pages[1]),
                Figure("page of one room", "ms", pages[2]),
            ]


@asynccontextmanager
async def _reached(services: Services) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve `services` on loopback; a jar that keeps cookies of addresses."""
    from readiness.server.app import make_app, make_runner

    runner = make_runner(make_app(services))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}", cookie_jar=jar) as http:
        try:
            yield http
        finally:
            await runner.cleanup()


async def enrolled(store: Store, number: int) -> str:
    """Add a room with its key, as an enrolment leaves both."""
    await store.add_room(RITA, room(f"Room {number:04}", id=f"r{number}", building=f"Building {number % 20}"))
    code, key = hash_token(f"code {number}"), new_token()
    await store.add_room_code(RITA, f"r{number}", code, datetime.now(UTC))
    await store.enrol_room(code, hash_token(key), datetime.now(UTC), agent=AGENT, system="linux")
    return key


async def _round(http: aiohttp.ClientSession, keys: list[str], ago: int) -> list[float]:
    """Let every room post once, evenly spread, and return what each post took, ms."""
    began, posts = time.perf_counter(), []
    for number, key in enumerate(keys):
        await asyncio.sleep(max(0.0, began + number / A_SECOND - time.perf_counter()))
        posts.append(asyncio.create_task(_post(http, key, ago, is_broken=number % BROKEN_OF == 0)))
    return list(await asyncio.gather(*posts))


async def _post(http: aiohttp.ClientSession, key: str, ago: int, *, is_broken: bool) -> float:
    ended = datetime.now(UTC) - timedelta(hours=ago)
    body = result(ended, check=room_check(**(BROKEN if is_broken else {})))
    began = time.perf_counter()
    async with http.post("/api/rooms/results", json=body, headers={"Authorization": f"Bearer {key}"}) as answer:
        assert answer.status == 201, await answer.text()
    return 1e3 * (time.perf_counter() - began)


async def _page_ms(http: aiohttp.ClientSession, services: Services, path: str) -> list[float]:
    token = (await room_link(services.store, SUNNAAS, "", services.now())).rpartition("#")[2]
    body = {"organisation": SUNNAAS.slug, "token": token}
    async with http.post("/api/v1/links/redeem", json=body) as answer:
        session = (await answer.json())["session"]
    found = []
    for _ in range(TRIES):
        began = time.perf_counter()
        async with http.get(f"/rooms/{session}{path}") as answer:
            assert answer.status == 200
            await answer.read()
        found.append(1e3 * (time.perf_counter() - began))
    return found


def _long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(days=2)


def _size(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.glob("readiness.sqlite3*"))
