"""What a staff page takes at the server: wall time and processor, asked over HTTP with the audit log on."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from aiohttp import web

from readiness.server.app import make_app, make_runner, make_services
from readiness.server.services import Services
from readiness.settings import load_settings
from reports.store import Store
from reports.store.records import StaffRole
from tests.bench.figures import Figure
from tests.cast import SUNNAAS, signed_in

__all__ = ["Desk", "Question", "asked", "opened"]

WARM = 3
"""Answers that are not counted: templates are read, connections opened."""
MOST_CPU_MS = 100.0
"""Of our own per request. A third of the bar, so that it holds while two others want the processor too."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request; with a form it is posted, and its answer leads on."""

    path: str
    form: dict[str, str] | None = None
    expects: str = ""
    """Part of the answer, or of where it leads."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A running server with somebody of the staff signed in."""

    http: aiohttp.ClientSession
    services: Services
    session: str
    cookie: str

    async def ask(self, what: Question) -> None:
        """Ask once. Raises RuntimeError where the answer is another one than expected."""
        path, headers = what.path.replace("{session}", self.session), {"Cookie": self.cookie, "Accept": "text/html"}
        method = "GET" if what.form is None else "POST"
        async with self.http.request(method, path, data=what.form, headers=headers, allow_redirects=False) as answer:
            said = await answer.text() if what.form is None else answer.headers.get("Location", "")
            if answer.status != (200 if what.form is None else 303) or what.expects not in said:
                raise RuntimeError(f"{path}: {answer.status}, {said[:200]}")


@asynccontextmanager
async def opened(url: str, folder: Path, role: StaffRole = "support") -> AsyncIterator[Desk]:
    """Serve the database `url`; one organisation, and Sven of its staff."""
    settings = load_settings({"READINESS_DATA_DIR": str(folder), "READINESS_DATABASE_URL": url})
    store = await Store.open(url, migrate=True, time_limit_s=120.0)
    await store.ensure_organisation(SUNNAAS)
    services = make_services(settings, store)
    app = make_app(services)
    app.cleanup_ctx.clear()  # nothing that the clock does is measured
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    session, secret = await signed_in(store, SUNNAAS.id, datetime.now(tz=UTC), (role,), name="sven")
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
            yield Desk(http, services, session, f"rd-{session}={secret}")
    finally:
        await runner.cleanup()
        await store.close()


async def asked(desk: Desk, name: str, questions: list[Question], bar_ms: float) -> list[Figure]:
    """Return the 95th percentile of the wall time and the processor time, ms, with how busy the machine was."""
    times: list[float] = []
    spent: list[float] = []
    for question in questions[:WARM]:
        await desk.ask(question)
    for question in questions:
        began, used = time.perf_counter(), time.process_time()
        await desk.ask(question)
        times.append(1000 * (time.perf_counter() - began))
        spent.append(1000 * (time.process_time() - used))
    p95 = statistics.quantiles(times, n=20)[-1]
    return [
        Figure(f"{name}: p95 of {len(times)}, load {os.getloadavg()[0]:.0f}", "ms", [p95], at_most=bar_ms),
        Figure(f"{name}: our CPU, server and client", "ms", [statistics.median(spent)], at_most=MOST_CPU_MS),
    ]
