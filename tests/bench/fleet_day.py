"""2,000 rooms that post hourly for a whole day: 48,000 results as fast as they go, and what they take on disk.

The day is simulated: each result says when its check was, the server is one process on its own, and its clients are
another. Both share the machine's cores, so that a post in a real day, one each 1.8 s, is faster.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from reports.store import Store
from tests.bench.figures import Figure
from tests.bench.fleet import BAR_MS, BROKEN_OF, QUICK_ROOMS, ROOMS, enrolled
from tests.browser.conftest import LiveServer
from tests.cast import SUNNAAS
from tests.fleet import BROKEN, result, room_check

__all__ = ["run"]

HOURS, QUICK_HOURS = 24, 2
AT_ONCE = 3
MOST_S = 480.0
"""What is not posted by then is left out, and the figure says how much was."""


async def run(*, quick: bool) -> list[Figure]:
    """Return posts, losses and growth."""
    rooms, hours = (QUICK_ROOMS, QUICK_HOURS) if quick else (ROOMS, HOURS)
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as name:
        server = LiveServer(Path(name), settings={"READINESS_LOG_LEVEL": "warning"})
        await asyncio.to_thread(server.start)
        try:
            store = await server.open_store()
            try:
                keys = await _enrolled(store, rooms)
            finally:
                await store.close()
            before = _size(server)
            began = time.perf_counter()
            took_ms = await _day(server.base, keys, hours)
            seconds = time.perf_counter() - began
            stored = _count(server)
            grown = _size(server) - before
        finally:
            await asyncio.to_thread(server.stop)
    ordered = sorted(took_ms)
    posts = len(took_ms)
    return [
        Figure(f"posts of {rooms} rooms, {posts / rooms:.1f} hours of a day, a second", "", [posts / seconds]),
        Figure("  a post, median", "ms", [statistics.median(took_ms)]),
        Figure("  a post, p95", "ms", [ordered[int(0.95 * (posts - 1))]], at_most=BAR_MS),
        Figure(f"  of {posts} lost or twice", "", [abs(posts - stored)], at_most=0),
        Figure("  database and journal, grown", "MB", [grown / 1e6]),
        Figure("  for a result", "kB", [grown / 1e3 / max(1, posts)]),
    ]


async def _enrolled(store: Store, rooms: int) -> list[str]:
    await store.ensure_organisation(SUNNAAS)
    return [await enrolled(store, number) for number in range(rooms)]


async def _day(base: str, keys: list[str], hours: int) -> list[float]:
    """Post hour by hour, every room once in each, a few at once, and return what each post took, ms."""
    bodies = {broken: json.dumps(room_check(**(BROKEN if broken else {}))) for broken in (False, True)}
    midnight = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours + 1)
    todo = _posts(keys, hours, midnight, bodies)
    end = time.perf_counter() + MOST_S
    took_ms: list[float] = []

    async def work(http: aiohttp.ClientSession) -> None:
        while time.perf_counter() < end and (one := next(todo, None)) is not None:
            key, body = one
            began = time.perf_counter()
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            async with http.post("/api/rooms/results", data=body, headers=headers) as answer:
                assert answer.status == 201, await answer.text()
            took_ms.append(1e3 * (time.perf_counter() - began))

    async with aiohttp.ClientSession(base) as http:
        await asyncio.gather(*(work(http) for _ in range(AT_ONCE)))
    return took_ms


def _posts(keys: list[str], hours: int, first: datetime, bodies: dict[bool, str]) -> Iterator[tuple[str, bytes]]:
    """Yield key and body of each post; a check is written out once, for reading it is the server's work."""
    for hour in range(hours):
        for number, key in enumerate(keys):
            ended = first + timedelta(hours=hour, seconds=3600 * number / len(keys))
            is_broken = number % BROKEN_OF == 0 and hour % 8 == 5
            body = result(ended, check={}, boot_id=f"boot-of-room-{number}") | {"check": "CHECK"}
            yield key, json.dumps(body).replace('"CHECK"', bodies[is_broken]).encode()


def _count(server: LiveServer) -> int:
    with sqlite3.connect(f"file:{server.database}?mode=ro", uri=True) as database:
        (count,) = database.execute("SELECT count(*) FROM room_result").fetchone()
    return int(count)


def _size(server: LiveServer) -> int:
    return sum(one.stat().st_size for one in server.database.parent.glob(f"{server.database.name}*"))
