"""A look at other limits over a month of 5,000 tests: the page, at the server, on SQLite and PostgreSQL."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import sqlalchemy as sa

from readiness.server.settings_parts import PARTS
from reports.kept_figures import kept_figures
from reports.limits import MOVABLE
from reports.store import Store
from reports.store.participation import iso_week
from reports.store.records import new_id
from reports.store.tables import report, unlinked_report
from tests.bench.figures import Figure
from tests.bench.pages import opened
from tests.cast import make_cast
from tests.made import made_report
from tests.server.test_settings import SEEN
from tests.store.conftest import PostgresServer

TESTS, TO_COME, BATCH, LOOKS = 5_000, 1_000, 500, 40
"""Tests of a month, those of them whose meetings are still to come, and how often the page is asked for."""
BAR_MS = 300.0
"""Of a whole request on loopback, 95th of 100."""
PART = "limits_consultation"
ONE = {"choices/thresholds/consultation/network.rtt/fail": "220"}
ALL = {name: f"{MOVABLE[name.removeprefix('choices/')].bounds.lowest:g}" for name in (one.name for one in PARTS[PART])}


async def run(*, quick: bool = False) -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        figures += await _measured("SQLite", f"sqlite:///{folder}/r.db", Path(folder), quick=quick)
    server = PostgresServer()
    try:
        with tempfile.TemporaryDirectory() as folder:
            figures += await _measured("PostgreSQL", server.create(), Path(folder), quick=quick)
    finally:
        server.close()
    return figures


async def _measured(name: str, url: str, folder: Path, *, quick: bool) -> list[Figure]:
    number = TESTS // 10 if quick else TESTS
    figures = []
    async with opened(url, folder, "administrator") as desk:
        await _fill(desk.services.store, number)
        address, headers = f"/settings/{desk.session}/{PART}?lang=en", {"Cookie": desk.cookie, "Accept": "text/html"}
        async with desk.http.get(address, headers=headers) as answer:
            seen = SEEN.findall(await answer.text())[0]
        for said, changed in (("one limit", ONE), ("all limits", ALL)):
            form = {"seen": seen, "look": "yes", **changed}
            times = [await _look(desk.http, address, headers, form) for _ in range(LOOKS)]
            p95 = statistics.quantiles(times, n=20)[-1]
            figures.append(
                Figure(f"limits: a look at {said}, {number} tests, p95 of {LOOKS}, {name}", "ms", [p95], BAR_MS)
            )
    return figures


async def _look(http: aiohttp.ClientSession, address: str, headers: dict[str, str], form: dict[str, str]) -> float:
    began = time.perf_counter()
    async with http.post(address, data=form, headers=headers) as answer:
        page = await answer.text()
        if answer.status != 200 or 'class="look card"' not in page:
            raise RuntimeError(f"no look, but {answer.status}")
    return 1000 * (time.perf_counter() - began)


async def _fill(store: Store, number: int) -> None:
    """Store a month of tests: most of meetings that are over, the rest with their whole reports."""
    cast = await make_cast(store)
    made, random, now = await made_report(store), Random(1), datetime.now(tz=UTC)
    known: dict[str, Any] = {"organisation_id": cast.meeting.organisation_id, "verdict": "ready"}
    ids = [new_id() for _ in range(number)]
    to_come = number * TO_COME // TESTS
    for start in range(0, number, BATCH):
        over, ahead = [], []
        for place, name in enumerate(ids[start : start + BATCH], start):
            checks = [_varied(check, random) for check in made.body["checks"]]
            figures = kept_figures("consultation", checks)
            if place < to_come:
                body = {**made.body, "checks": checks}
                ahead.append(
                    {"id": name, "code": f"{place:06d}", "meeting_id": cast.meeting.id, "complete": True,
                     "other_device": False, "created_at": now - timedelta(days=place % 20), "valid_until": now,
                     "body": body, "figures": figures, **known}
                )  # fmt: skip
            else:
                kept = [{key: one for key, one in check.items() if key not in {"details", "level"}} for check in checks]
                over.append(
                    {"id": name, "week": iso_week(now - timedelta(days=place % 20)), "client_class": "",
                     "profile": "consultation", "checks": kept, "figures": figures, **known}
                )  # fmt: skip
        async with store._database.write() as connection:
            for table, rows in ((unlinked_report, over), (report, ahead)):
                if rows:
                    await connection.execute(sa.insert(table), rows)


def _varied(check: dict[str, Any], random: Random) -> dict[str, Any]:
    """Return a check with another value, as each test has its own."""
    value = check["value"]
    is_number = isinstance(value, float | int) and not isinstance(value, bool)
    return {**check, "value": round(value * random.lognormvariate(0, 0.5), 2)} if is_number else check
