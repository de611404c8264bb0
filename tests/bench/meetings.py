"""Planning at scale: 5,000 meetings with 20,000 participants, and what each page then takes at the server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from readiness.access.tokens import hash_token, new_token
from readiness.server.app import make_app, make_runner, make_services
from readiness.server.services import Services
from readiness.settings import load_settings
from reports.store import Store, tables
from reports.store.records import Organisation, new_code, new_id
from tests.bench.figures import Figure
from tests.cast import SUNNAAS

__all__ = ["PAGES", "Place", "fill", "opened", "run", "serving", "timed"]

MEETINGS, QUICK_MEETINGS = 5_000, 1_000
EACH = 4
"""Participants of a meeting."""
A_DAY = 20
"""Meetings that start on one day."""
LED = 6
"""Of them led by the same person."""
TRIES, QUICK_TRIES = 30, 10
BAR_MS = 200.0
AT_ONCE = 1000
NOON = f"Etc/GMT{datetime.now(tz=UTC).hour - 12:+d}"
"""Where it is noon (west is +): meetings in an hour are today's, whenever this runs."""
ORGANISATION = replace(SUNNAAS, id="sunnaas", time_zone=NOON)
PAGES: Mapping[str, str] = {
    "organiser: list of meetings": "/api/v1/meetings",
    "organiser: search": "/api/v1/meetings?search=Anna%2012",
    "organiser: one meeting": "/api/v1/meetings/{meeting}",
    "organiser: page": "/plan/{otto}",
    "organiser: how meetings went": "/plan/{otto}/figures",
    "leader: board of the day": "/api/v1/boards/{lars}",
    "leader: page": "/board/{lars}",
    "participant: session": "/api/v1/sessions/{anna}",
    "participant: page": "/t/{anna}",
    "support: page": "/support/{nora}",
}


@dataclass
class Place:
    """A running server, and who has which page of it open."""

    http: aiohttp.ClientSession
    services: Services
    names: Mapping[str, str]

    async def ask(self, path: str) -> bytes:
        """Return the answer to a GET of `path`, with names in braces filled in."""
        for name, value in self.names.items():
            path = path.replace(f"{{{name}}}", value)
        headers = {"Readiness-Session": self.names["otto"]} if path.startswith("/api/v1/meetings") else {}
        async with self.http.get(path, headers=headers) as answer:
            body = await answer.read()
            assert answer.status == 200, (path, answer.status, body[:200])
            return body


async def run(*, quick: bool) -> list[Figure]:
    """Return what each page takes at the client of a server in the same process, ms."""
    count, tries = (QUICK_MEETINGS, QUICK_TRIES) if quick else (MEETINGS, TRIES)
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder:
        async with serving(Path(folder)) as services:
            began = time.perf_counter()
            await fill(services.store, count)
            filled_s = time.perf_counter() - began
            async with opened(services) as place:
                found = [Figure(f"{count} meetings stored", "s", [filled_s])]
                for name, path in PAGES.items():
                    found += await timed(name, partial(place.ask, path), tries)
                due = partial(services.store.meetings_starting, (services.now(), services.now() + timedelta(days=3)))
                return found + await timed("meetings to remind of", due, tries)


async def timed(name: str, what: Callable[[], Awaitable[object]], tries: int, bar_ms: float = BAR_MS) -> list[Figure]:
    """Return how long `what` takes, and how much of our processor: on a busy machine only the latter says anything."""
    times, spent = [], []
    for _ in range(tries):
        began, used = time.perf_counter(), time.process_time()
        await what()
        times.append(1000 * (time.perf_counter() - began))
        spent.append(1000 * (time.process_time() - used))
    return [Figure(name, "ms", times, at_most=bar_ms), Figure(f"{name}, CPU", "ms", spent)]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Services]:
    """A server's parts on an embedded database of its own."""
    settings = load_settings({"READINESS_DATA_DIR": str(folder), "READINESS_CAPACITY": "1"})
    store = await Store.open(settings.database, migrate=True)
    await store.ensure_organisation(ORGANISATION)
    try:
        yield make_services(settings, store)
    finally:
        await store.close()


@asynccontextmanager
async def opened(services: Services) -> AsyncIterator[Place]:
    """Serve, and open a page each for organiser, leader, support and the first participant of today."""
    runner = make_runner(_without_chores(services))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        names = {"meeting": "meeting-0"}
        for name, token in {"anna": "anna", "lars": "lars", "otto": "otto", "nora": "nora"}.items():
            body = {"organisation": ORGANISATION.slug, "token": token}
            async with http.post("/api/v1/links/redeem", json=body) as answer:
                names[name] = (await answer.json())["session"]
        yield Place(http, services, names)
    await runner.cleanup()


def _without_chores(services: Services) -> web.Application:
    """The application without workers and chores, which would only disturb the figures."""
    app = make_app(services)
    app.cleanup_ctx.clear()
    return app


async def fill(store: Store, count: int, organisation: Organisation = ORGANISATION) -> None:
    """Store `count` meetings, `A_DAY` on each day from today on, the first in an hour; with people, links, messages.

    Every other participant of the first two weeks has tested; every participant has answered once how it went.
    """
    now = datetime.now(tz=UTC).replace(microsecond=0)
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        table: []
        for table in (
            tables.meeting, tables.participant, tables.host, tables.invitation, tables.report, tables.outbox,
            tables.feedback,
        )
    }  # fmt: skip
    for number in range(count):
        _meeting(rows, number, now + timedelta(days=number // A_DAY, hours=1, minutes=number % A_DAY), organisation)
    for name, kind in (("otto", "organiser"), ("nora", "support")):
        rows[tables.invitation].append(_link(kind, None, organisation, now + timedelta(days=30), token=name))
    for table, values in rows.items():
        for start in range(0, len(values), AT_ONCE):
            async with store._database.write() as connection:
                await connection.execute(sa.insert(table), values[start : start + AT_ONCE])


def _meeting(rows: dict[sa.Table, list[dict[str, Any]]], number: int, starts: datetime, of: Organisation) -> None:
    """Add one meeting with its people to `rows`."""
    meeting_id, ends = f"meeting-{number}", starts + timedelta(minutes=45)
    until = ends + timedelta(days=7)
    rows[tables.meeting].append(
        {
            "id": meeting_id, "organisation_id": of.id, "title": f"Kontroll {number}", "starts_at": starts,
            "ends_at": ends, "profile": "consultation", "practical": ["people"], "expected_people": 1,
            "solution": "whereby", "support_phone": "", "state": "planned", "sequence": 0, "reminders": [2880, 180],
        }
    )  # fmt: skip
    person_hash = hash_token("lars") if number % A_DAY < LED else hash_token(str(number))
    host = f"host-{number}"
    rows[tables.host].append(
        {
            "id": host, "meeting_id": meeting_id, "role": "leader", "label": "Lars", "locale": "nb",
            "reach": None, "person_hash": person_hash,
        }
    )  # fmt: skip
    token = "lars" if number == 0 else None
    rows[tables.invitation].append(_link("leader", meeting_id, of, until, host=host, token=token))
    for position in range(EACH):
        person = f"person-{number}-{position}"
        first = number == 0 and position == 0
        rows[tables.participant].append(
            {
                "id": person, "meeting_id": meeting_id, "role": "patient", "label": f"Anna {number}", "locale": "nb",
                "position": position, "together": 1,
            }
        )  # fmt: skip
        rows[tables.invitation].append(
            _link("participant", meeting_id, of, until, person=person, token="anna" if first else None)
        )
        rows[tables.outbox].append(
            {
                "id": new_id(), "organisation_id": of.id, "meeting_id": meeting_id, "participant_id": person,
                "kind": "invitation", "channel": "mail", "data": {}, "state": "sent", "created_at": starts,
                "due_at": starts, "attempts": 1, "sent_at": starts,
            }
        )  # fmt: skip
        rows[tables.feedback].append(
            {
                "id": new_id(), "organisation_id": of.id, "meeting_id": meeting_id, "participant_id": person,
                "role": "patient", "profile": "consultation", "solution": "whereby", "verdict": "ready",
                "score": 1 + number % 5, "problem": "", "week": f"2026-W{1 + number % 50:02d}",
            }
        )  # fmt: skip
        if position % 2 == 0 and number < 14 * A_DAY:
            rows[tables.report].append(_report(meeting_id, person, of, starts - timedelta(days=1)))


def _link(
    kind: str,
    meeting: str | None,
    of: Organisation,
    until: datetime,
    *,
    person: str | None = None,
    host: str | None = None,
    token: str | None = None,
) -> dict[str, Any]:
    return {
        "id": new_id(), "organisation_id": of.id, "kind": kind, "meeting_id": meeting, "participant_id": person,
        "token_hash": hash_token(token or new_token()), "expires_at": until, "host_id": host,
    }  # fmt: skip


def _report(meeting: str, person: str, of: Organisation, at: datetime) -> dict[str, Any]:
    """A report as large as a real one."""
    checks = [
        {"id": f"network.{place}", "outcome": "pass", "level": "required", "value": 1.0, "details": {"x" * 20: 1.0}}
        for place in range(40)
    ]
    body = {"verdict": "ready", "profile": "consultation", "checks": checks, "advice": [], "client": {"form": "phone"}}
    return {
        "id": new_id(), "code": new_code(), "organisation_id": of.id, "meeting_id": meeting, "participant_id": person,
        "verdict": "ready", "complete": True, "other_device": False, "created_at": at,
        "valid_until": at + timedelta(days=14), "body": body,
    }  # fmt: skip
