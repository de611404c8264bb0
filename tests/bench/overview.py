"""The overview over two years of 100,000 participants: the page of a month, at the server, on SQLite and PostgreSQL."""

from __future__ import annotations

import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from readiness.server.app import make_app, make_runner, make_services
from readiness.settings import load_settings
from reports.overview import last_month, months_back
from reports.store import Store
from reports.store.participation import SOLVED_STEPS_MIN, iso_week
from reports.store.records import new_id
from reports.store.tables import feedback, participation
from tests.bench.figures import Figure
from tests.cast import SUNNAAS, signed_in
from tests.store.conftest import PostgresServer

PEOPLE, WEEKS, MONTHS, BATCH = 100_000, 104, 12, 5000
BAR_MS = 300.0
"""At the server, 95th of 100."""


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
    settings = load_settings({"READINESS_DATA_DIR": str(folder), "READINESS_DATABASE_URL": url})
    store = await Store.open(url, migrate=True)
    await store.ensure_organisation(SUNNAAS)
    now = datetime.now(tz=UTC)
    await _fill(store, now, PEOPLE // 10 if quick else PEOPLE)
    session, secret = await signed_in(store, SUNNAAS.id, now, ("support",), name="sven")
    app = make_app(make_services(settings, store))
    app.cleanup_ctx.clear()
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    first: list[float] = []
    times: list[float] = []
    spent: list[float] = []
    newest = last_month(now.date())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
        for turn in range(3 if quick else 10):
            for back in range(MONTHS):
                began, used = time.perf_counter(), time.process_time()
                path = f"/overview/{session}?month={months_back(newest, back)}"
                async with http.get(path, headers={"Cookie": f"rd-{session}={secret}"}) as answer:
                    text = await answer.text()
                if answer.status != 200 or 'class="bar"' not in text:
                    raise RuntimeError(f"no overview: {answer.status}")
                (times if turn else first).append(1000 * (time.perf_counter() - began))
                if turn:
                    spent.append(1000 * (time.process_time() - used))
    await runner.cleanup()
    await store.close()
    first.pop(0)  # reads templates
    p95 = statistics.quantiles(times, n=20)[-1]
    return [
        Figure(f"{name}: a month's page, the first time in an hour", "ms", first),
        Figure(f"{name}: a month's page, p95 of {len(times)}", "ms", [p95], at_most=BAR_MS),
        Figure(f"{name}: a month's page", "ms", times),
        Figure(f"{name}: a month's page, CPU of the server", "ms", spent),
    ]


async def _fill(store: Store, now: datetime, people: int) -> None:
    """Two years of a hospital, evenly, from a seed."""
    random, rows, said = Random(20261130), [], []
    for at in range(people):
        tested = random.choices(("in_time", "late", "never"), (80, 5, 15))[0]
        first = random.choices(("ready", "ready_with_warnings", "not_ready", "incomplete"), (60, 20, 15, 5))[0]
        is_failed = tested != "never" and first in {"not_ready", "incomplete"}
        rows.append({
            "id": new_id(), "organisation_id": SUNNAAS.id, "week": iso_week(now - timedelta(weeks=at % WEEKS)),
            "profile": random.choice(("consultation", "group", "audio_only")),
            "unit": random.choice(UNITS), "room": random.choice(ROOMS),
            "solution": random.choice(("teams", "zoom", "whereby", "nhn_join", "other")), "tested": tested,
            "client_class": "" if tested == "never" else random.choice(CLIENTS),
            "first_verdict": None if tested == "never" else first,
            "last_verdict": None if tested == "never" else "ready",
            "cause": random.choice(CAUSES) if is_failed else "",
            "solved_min": random.choice(SOLVED_STEPS_MIN) if is_failed and random.random() < 0.7 else None,
        })  # fmt: skip
        if at % 5 == 0:
            said.append({
                "id": new_id(), "organisation_id": SUNNAAS.id, "role": "patient", "profile": "consultation",
                "solution": "teams", "verdict": "ready", "score": random.choice((5, 5, 4, 4, 3, 2)), "problem": "",
                "satisfied": random.choice((5, 4, 3)), "week": rows[-1]["week"],
            })  # fmt: skip
    for table, values in ((participation, rows), (feedback, said)):
        for start in range(0, len(values), BATCH):
            async with store._database.write() as connection:
                await connection.execute(sa.insert(table), values[start : start + BATCH])


CLIENTS = tuple(
    f"{browser}/{system}" for browser in ("Chrome", "Safari", "Edge", "Firefox")
    for system in ("Android/phone", "iOS/phone", "Windows/computer", "macOS/computer", "iPadOS/tablet")
)  # fmt: skip
UNITS, ROOMS = [f"Unit {at}" for at in range(40)], ["", *(f"Room {at}" for at in range(60))]
CAUSES = ("network.path", "camera.present", "microphone.level", "network.loss_up", "speaker.heard", "microphone.echo")
