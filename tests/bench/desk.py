"""Support's desk at scale: 100,000 reports over two years, and a thousand cases taken at once, on both databases."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from readiness.access.contacts import ContactBox
from readiness.meetings.addresses import phone_hash
from reports.store import Store, tables
from reports.store.migrations import migrate
from reports.store.records import new_code, new_id
from tests.bench.figures import Figure
from tests.bench.meetings import AT_ONCE, ORGANISATION, timed
from tests.cast import supporter
from tests.store.conftest import PostgresServer

__all__ = ["run"]

REPORTS, QUICK_REPORTS = 100_000, 10_000
EACH = 4
YEARS_D = 730
WAITING = 1_000
"""Cases that are taken at once by two desks."""
TRIES, QUICK_TRIES = 30, 10
BAR_MS = 300.0
CHECKS = 12
"""Of a stored report: a third of a real one's, so that the file is not all that is measured."""
BOX = ContactBox("bench")


async def run(*, quick: bool) -> list[Figure]:
    """Return what the list, a search and one report take in the store, ms, and how many were taken twice."""
    count, tries = (QUICK_REPORTS, QUICK_TRIES) if quick else (REPORTS, TRIES)
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder:
        for name, url in (("SQLite", f"sqlite:///{folder}/desk.db"), ("PostgreSQL", "")):
            async with _opened(url) as (store, other):
                found += await _measured(name, store, other, count, tries)
    return found


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[tuple[Store, Store]]:
    """Two stores on one database of their own, as of two processes; without `url` on a PostgreSQL of their own."""
    server = None if url else PostgresServer()
    url = url or server.create()  # type: ignore[union-attr]
    await asyncio.to_thread(migrate, url)
    stores = await Store.open(url, time_limit_s=120.0), await Store.open(url, time_limit_s=120.0)
    try:
        yield stores
    finally:
        for store in stores:
            await store.close()
        if server is not None:
            server.close()


async def _measured(name: str, store: Store, other: Store, count: int, tries: int) -> list[Figure]:
    now, nora = datetime.now(tz=UTC).replace(microsecond=0), supporter(ORGANISATION.id)
    await store.ensure_organisation(ORGANISATION)
    code = await _fill(store, count, now)
    whose = phone_hash(BOX, _number(count // 2)) or b""
    report = await store.report_by_code(nora, code)
    assert report is not None
    assert report.participant_id is not None
    asked = {
        "work list": partial(store.desk, nora, now),
        "newest reports": partial(store.report_lines, nora, 21),
        "reports of a year ago": partial(store.report_lines, nora, 21, count // 2),
        "search by code": partial(store.report_by_code, nora, code),
        "search by number": partial(store.find_by_phone, nora, whose, now),
        "search by name": partial(store.find_by_label, nora, "anna 1", now),
        "one person": partial(store.desk_person, nora, report.participant_id, now),
        "what came before": partial(store.reports_before, nora, report, 20),
        "last in the series": partial(store.passed_in_series, nora, report),
    }
    found = []
    for what, call in asked.items():
        found += await timed(f"{name}, {count} reports: {what}", call, tries, BAR_MS)
    return [*found, Figure(f"{name}: taken twice, of {WAITING}", "", [await _doubles(store, other, now)], at_most=0)]


def _number(place: int) -> str:
    return f"+47{90_000_000 + place}"


async def _fill(store: Store, count: int, now: datetime) -> str:
    """Store meetings of two years up to tomorrow with a report for everybody; return the code of the last one."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {tables.meeting: [], tables.participant: [], tables.report: []}
    meetings = count // EACH
    for place in range(meetings):
        starts = now - timedelta(days=YEARS_D * (1 - place / meetings)) + timedelta(days=1)
        meeting = {"id": f"m{place}", "organisation_id": ORGANISATION.id, "title": "", "starts_at": starts}
        meeting |= {"ends_at": starts + timedelta(hours=1), "profile": "consultation", "practical": []}
        rows[tables.meeting].append(
            meeting | {"expected_people": 1, "state": "planned", "import_series": (place % 1000).to_bytes(32)}
        )
        for position in range(EACH):
            number = place * EACH + position
            person = {"id": f"p{number}", "meeting_id": f"m{place}", "role": "patient", "label": f"Anna {number}"}
            person |= {"locale": "nb", "position": position, "together": 1}
            rows[tables.participant].append(person | {"phone_hash": phone_hash(BOX, _number(number))})
            rows[tables.report].append(_report(number, f"m{place}", starts - timedelta(hours=20)))
    last = str(rows[tables.report][-1]["code"])
    for table, values in rows.items():
        for start in range(0, len(values), AT_ONCE):
            async with store._database.write() as connection:
                await connection.execute(sa.insert(table), values[start : start + AT_ONCE])
    return last


def _report(number: int, meeting: str, at: datetime) -> dict[str, Any]:
    checks = [{"id": f"network.{place}", "outcome": "pass", "value": 1.0, "details": {}} for place in range(CHECKS)]
    verdict = "not_ready" if number % EACH else "ready"
    return {
        "id": new_id(), "code": new_code(), "organisation_id": ORGANISATION.id, "meeting_id": meeting,
        "participant_id": f"p{number}", "verdict": verdict, "complete": True, "other_device": False,
        "created_at": at, "valid_until": at + timedelta(days=14), "body": {"checks": checks, "advice": []},
    }  # fmt: skip


async def _doubles(store: Store, other: Store, now: datetime) -> int:
    """Let two desks take a thousand cases as fast as they can; return how many were given out twice or not at all."""
    starts = now + timedelta(days=40)
    meeting = {"id": "crowd", "organisation_id": ORGANISATION.id, "title": "", "starts_at": starts, "practical": []}
    meeting |= {"ends_at": starts + timedelta(hours=1), "profile": "consultation", "expected_people": 1}
    people = [
        {"id": f"c{place}", "meeting_id": "crowd", "role": "patient", "label": "", "locale": "nb", "position": place}
        for place in range(WAITING)
    ]
    cases = [
        {"id": new_id(), "organisation_id": ORGANISATION.id, "meeting_id": "crowd", "opened_at": now}
        | {"participant_id": one["id"]}
        for one in people
    ]
    async with store._database.write() as connection:
        await connection.execute(sa.insert(tables.meeting).values(meeting))
        await connection.execute(sa.insert(tables.participant), people)
        await connection.execute(sa.insert(tables.support_case), cases)

    async def take_all(desk: Store, name: str) -> list[str]:
        taken = []
        while (person := await desk.take_next(replace(supporter(ORGANISATION.id), id=name), now)) is not None:
            taken.append(person)
        return taken

    halves = await asyncio.gather(take_all(store, "link:a"), take_all(other, "link:b"))
    taken = [person for half in halves for person in half if person.startswith("c")]
    return len(taken) - len(set(taken)) + WAITING - len(set(taken))
