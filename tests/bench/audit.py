"""What the audit log costs: a change and a look with it and without, and how fast it is verified, on both databases."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from reports.store import Store
from reports.store.audit import Keys
from reports.store.trail import Deed, open_trail
from tests.bench.figures import Figure
from tests.store import cast
from tests.store.conftest import PostgresServer

KEYS = Keys(b"c" * 32, b"m" * 32)
TURNS, ENTRIES, AT_ONCE = 300, 50_000, 1000
ANNA = "meeting-anna-anna"


async def run(*, quick: bool = False) -> list[Figure]:
    folder = tempfile.mkdtemp()
    server = PostgresServer()
    try:
        figures = await _measured("SQLite", f"sqlite:///{Path(folder) / 'r.db'}", quick=quick)
        return figures + await _measured("PostgreSQL", server.create(), quick=quick)
    finally:
        server.close()
        shutil.rmtree(folder)


async def _measured(name: str, url: str, *, quick: bool) -> list[Figure]:
    store = await Store.open(url, migrate=True)
    await cast.fill(store)
    turns = TURNS // 10 if quick else TURNS

    async def change() -> None:
        await store.set_practical(cast.ANNA, ANNA, phone_encrypted=b"sealed")

    async def look() -> None:
        if store._database.audit is not None:
            store._database.audit.recent.clear()
        await store.board(cast.LARS, "meeting-anna")

    figures = []
    for logs in (False, True):
        if logs:
            store.keep_audit(KEYS)
        for what, act in (("change", change), ("look", look)):
            figures.append(Figure(f"{name}: a {what}{', logged' if logs else ''}", "ms", await _times(act, turns)))
    for _ in range((ENTRIES // 10 if quick else ENTRIES) // AT_ONCE):
        with open_trail("bench") as trail:
            trail.pending = [
                Deed("org-sunnaas", "support", "link:x", "report.find", "report:y") for _ in range(AT_ONCE)
            ]
            await store.keep_trail()
    began = time.perf_counter()
    check = await store.verify_audit()
    rate = check.head.seq / (time.perf_counter() - began)
    await store.close()
    return [*figures, Figure(f"{name}: entries verified in a second, of {check.head.seq}", "", [rate])]


async def _times(act: Callable[[], Awaitable[None]], turns: int) -> list[float]:
    times = []
    for _ in range(turns):
        began = time.perf_counter()
        await act()
        times.append(1000 * (time.perf_counter() - began))
    return [statistics.median(times)]
