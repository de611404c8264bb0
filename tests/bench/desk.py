"""Support's desk at scale: 100,000 reports over two years, and a thousand cases taken at once, on both databases."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from readiness.access.contacts import ContactBox
from readiness.meetings.addresses import phone_hash
from reports.series import pack
from reports.store import Store, StoredReport, tables
from reports.store.errors import StoreUnavailable
from reports.store.records import new_code, new_id
from reports.store.room_tables import meeting_room
from tests.bench.figures import Figure
from tests.bench.pages import Desk, Question, asked, opened
from tests.cast import SUNNAAS, supporter
from tests.fleet import RITA, room
from tests.made import BLOCKED, made_report
from tests.series import made_series
from tests.store.conftest import PostgresServer

__all__ = ["run"]

REPORTS, QUICK_REPORTS = 100_000, 10_000
EACH = 4
YEARS_D = 730
WAITING = 1_000
"""Cases that are taken at once by two desks."""
TRIES, QUICK_TRIES = 100, 20
BAR_MS = 300.0
AT_ONCE = 2_000
WHOLE, CHECKS = 5_000, 8
"""The newest reports are as large as real ones; older ones have some checks, so that they are made in a minute."""
GOOD, BAD = "ready", "not_ready"


async def run(*, quick: bool) -> list[Figure]:
    """Return what the list, a search and one report take at the server, ms, and how many were taken twice."""
    count, tries = (QUICK_REPORTS, QUICK_TRIES) if quick else (REPORTS, TRIES)
    found: list[Figure] = []
    server = PostgresServer()
    try:
        for name in ("SQLite", "PostgreSQL"):
            with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder:
                url = f"sqlite:///{folder}/desk.db" if name == "SQLite" else server.create()
                async with opened(url, Path(folder)) as desk:
                    found += await _measured(f"{name}, {count} reports", url, desk, count, tries)
    finally:
        server.close()
    return found


async def _measured(name: str, url: str, desk: Desk, count: int, tries: int) -> list[Figure]:
    now, store = datetime.now(tz=UTC).replace(microsecond=0), desk.services.store
    codes = await _fill(store, desk.services.contacts, count, now)
    newest = codes[-tries:]
    home, seek = "/support/{session}", "/support/{session}/find"
    asked_for: dict[str, list[Question]] = {
        "work list": [Question(home, expects='id="lines"')] * tries,
        "a page of old reports": [Question(f"{home}?before={count // 2 + at}") for at in range(tries)],
        "search by code": [Question(seek, {"q": code}, code) for code in newest],
        "search by number": [Question(seek, {"q": _number(count - 1 - at)}, "person=") for at in range(tries)],
        "search by name": [Question(seek, {"q": f"Anna {count - 1 - at}"}, "person=") for at in range(tries)],
        "one report": [Question(f"{home}?code={code}", expects=code) for code in newest],
    }
    found: list[Figure] = []
    for what, questions in asked_for.items():
        found += await asked(desk, f"{name}: {what}", questions, BAR_MS)
    other = await Store.open(url, time_limit_s=120.0)
    try:
        twice = await _doubles(store, other, now)
    finally:
        await other.close()
    return [*found, Figure(f"{name}: taken twice, of {WAITING}", "", [twice], at_most=0)]


def _number(place: int) -> str:
    return f"+47{90_000_000 + place}"


async def _fill(store: Store, box: ContactBox, count: int, now: datetime) -> list[str]:
    """Store meetings of two years up to tomorrow with a report for everybody; return the reports' codes in order."""
    made = {GOOD: await made_report(store), BAD: await made_report(store, **BLOCKED)}
    rooms = [room(f"Room {at}") for at in range(30)]
    thin = {one.verdict: {**one.body, "checks": one.body["checks"][:CHECKS]} for one in made.values()}
    series, codes = pack(made_series(bad=True)), list({new_code(): None for _ in range(count + 100)})[:count]
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        table: [] for table in (tables.meeting, meeting_room, tables.participant, tables.report)
    }
    for one in rooms:
        await store.add_room(RITA, one)
    meetings = count // EACH
    for place in range(meetings):
        starts = now - timedelta(days=YEARS_D * (1 - place / meetings)) + timedelta(days=1)
        rows[tables.meeting].append(_meeting(f"m{place}", starts) | {"import_series": (place % 1000).to_bytes(32)})
        rows[meeting_room].append({"meeting_id": f"m{place}", "room_id": rooms[place % len(rooms)].id})
        for number in range(place * EACH, (place + 1) * EACH):
            person = _person(f"p{number}", f"m{place}", f"Anna {number}", number % EACH)
            rows[tables.participant].append(person | {"phone_hash": phone_hash(box, _number(number))})
            about = made[BAD if number % EACH else GOOD]
            rows[tables.report].append(_report(number, codes[number], about, series, starts - timedelta(hours=20)))
            if number < count - WHOLE:
                rows[tables.report][-1] |= {"body": thin[about.verdict], "series": None}
    for table, values in rows.items():
        await _insert(store, table, values)
    return codes


async def _insert(store: Store, table: sa.Table, values: list[dict[str, Any]]) -> None:
    for start in range(0, len(values), AT_ONCE):
        async with store._database.write() as connection:
            await connection.execute(sa.insert(table), values[start : start + AT_ONCE])


def _meeting(name: str, starts: datetime) -> dict[str, Any]:
    return {
        "id": name, "organisation_id": SUNNAAS.id, "title": "", "starts_at": starts,
        "ends_at": starts + timedelta(hours=1), "profile": "consultation", "practical": [], "expected_people": 1,
        "state": "planned", "import_series": None,
    }  # fmt: skip


def _person(name: str, meeting: str, label: str, position: int) -> dict[str, Any]:
    return {
        "id": name, "meeting_id": meeting, "role": "patient", "label": label, "locale": "nb", "position": position,
        "together": 1,
    }  # fmt: skip


def _report(number: int, code: str, like: StoredReport, series: bytes, at: datetime) -> dict[str, Any]:
    return {
        "id": new_id(), "code": code, "organisation_id": SUNNAAS.id, "meeting_id": f"m{number // EACH}",
        "participant_id": f"p{number}", "verdict": like.verdict, "complete": True, "other_device": False,
        "created_at": at, "valid_until": at + timedelta(days=14), "body": like.body, "series": series,
    }  # fmt: skip


async def _doubles(store: Store, other: Store, now: datetime) -> int:
    """Let two desks take a thousand cases as fast as they can; return how many were given out twice or not at all."""
    starts = now + timedelta(days=40)
    people = [_person(f"c{place}", "crowd", "", place) for place in range(WAITING)]
    cases = [
        {"id": new_id(), "organisation_id": SUNNAAS.id, "meeting_id": "crowd", "opened_at": now}
        | {"participant_id": one["id"]}
        for one in people
    ]
    async with store._database.write() as connection:
        await connection.execute(sa.insert(tables.meeting).values(_meeting("crowd", starts)))
        await connection.execute(sa.insert(tables.participant), people)
        await connection.execute(sa.insert(tables.support_case), cases)

    async def take_all(one: Store, name: str) -> list[str]:
        taken: list[str] = []
        while True:
            try:
                person = await one.take_next(replace(supporter(SUNNAAS.id), id=name), now)
            except StoreUnavailable:
                continue  # SQLite's lock is not fair between two processes: press again
            if person is None:
                return taken
            taken.append(person)

    halves = await asyncio.gather(take_all(store, "link:a"), take_all(other, "link:b"))
    taken = [person for half in halves for person in half if person.startswith("c")]
    return len(taken) - len(set(taken)) + WAITING - len(set(taken))
