"""Two machines behind a load balancer: a page goes on at B while A still lives and holds its half-open socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from readiness.access.actors import clock_of
from reports.store import Store, StoredReport
from tests.cast import supporter
from tests.integration.participant import Participant, participant
from tests.integration.relay import Relay, relaying
from tests.integration.support import ServerProcess, serving
from tests.made import phases
from tests.patience import PATIENCE_S
from tests.store.conftest import PostgresServer

SECRET = "one-secret-key-for-both-machines-of-the-service"
NOTICES = ("at once", "as it says hello", "once it goes on", "as it finishes", "once it has finished")
"""When A learns that the socket is dead, by what the page does at B meanwhile: the link is reset, nobody waits 20 s."""
ROUNDS_CUT_OFF = 2
"""How often A loses its database too: each takes longer, since A tries again and again."""


@dataclass
class Machines:
    """Two servers, each on its own way to one PostgreSQL, and what stands before them."""

    a: ServerProcess
    b: ServerProcess
    door: Relay
    """The load balancer; pages know its address only."""
    database_of_a: Relay
    store: Store

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.door.port}"

    def told(self, event: str) -> int:
        """How often A has logged an event."""
        return self.a.log.count(event)

    async def reports_of(self, test: str) -> list[StoredReport]:
        """The reports of one test, the newest first."""
        organisation = await self.store.organisation("demo")
        assert organisation is not None
        found = await self.store.report_lines(supporter(organisation.id), 20)
        return [one.report for one in found if one.report.self_test_id == test]


@contextlib.asynccontextmanager
async def beside(starting: contextlib.AbstractContextManager[ServerProcess]) -> AsyncIterator[ServerProcess]:
    """Start and stop a server in a thread: it needs the relay, which runs in this loop, meanwhile."""
    server = await asyncio.to_thread(starting.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


@contextlib.asynccontextmanager
async def machines(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Machines]:
    """Both servers running, A in front."""
    url = postgres.create()
    parsed = make_url(url)
    way = f"{parsed.query['host']}/.s.PGSQL.5432"
    async with relaying(way) as database, relaying(0) as door:
        there = parsed.set(host="127.0.0.1", port=database.port, query={}).render_as_string(hide_password=False)
        async with (
            beside(serving(tmp_path / "a", "--demo", DATABASE_URL=there, SECRET_KEY=SECRET)) as a,
            beside(serving(tmp_path / "b", DATABASE_URL=url, SECRET_KEY=SECRET)) as b,
        ):
            door.target = a.port
            store = await Store.open(url)
            try:
                yield Machines(a, b, door, database, store)
            finally:
                await store.close()


async def measured(on: Machines, anna: Participant) -> None:
    """Begin at A, and leave in the store what a good test finds: all that is missing is the answer."""
    await anna.begin()
    claim = await on.store.claim_of(anna.test)
    assert claim == 1
    await on.store.save_phase(anna.test, "devices", phases()["devices"], datetime.now(tz=UTC), claim=claim)


async def finish_at_b(on: Machines, anna: Participant, notices: str) -> dict:
    """The line to A dies without a word, the page goes on at B, and A notices while it does or afterwards."""
    on.door.hold()
    on.door.target = on.b.port
    if notices == "at once":
        on.door.cut_held()
    if notices == "as it says hello":
        asyncio.get_running_loop().call_later(0.01, on.door.cut_held)
    plan = await anna.begin(resume=anna.test)
    assert plan["done"] == ["devices"]
    if notices == "once it goes on":
        on.door.cut_held()
    if notices == "as it finishes":
        asyncio.get_running_loop().call_later(0.01, on.door.cut_held)
    report = await anna.finish()
    on.door.cut_held()
    return report


async def until_a_let_go(on: Machines, test: str, told_before: int) -> None:
    """Wait until A has come to its end with this test: it stored that the line broke, or it was refused."""
    async with asyncio.timeout(PATIENCE_S):
        while on.told("selftest.taken_over") == told_before:
            if any(one.verdict == "incomplete" for one in await on.reports_of(test)):
                return
            await asyncio.sleep(0.05)


async def assert_stands(on: Machines, anna: Participant, report: dict) -> None:
    """The finished report is the newest, for the page, for the leader, and in the store."""
    assert (report["id"], report["verdict"]) == (anna.test, "ready")
    last = await anna.last_report()
    assert last is not None
    assert (last["id"], last["verdict"]) == (anna.test, "ready")
    newest = (await on.reports_of(anna.test))[0]
    assert (newest.id, newest.verdict) == (anna.test, "ready")
    test = await on.store.self_test(anna.test, anna.session)
    assert test is not None
    assert test.state == "finished"
    assert newest.meeting_id is not None
    board = await on.store.board(clock_of(newest.organisation_id), newest.meeting_id)
    (row,) = [one for one in board if one.participant.id == newest.participant_id]
    assert row.report is not None
    assert (replace(row.report, body=newest.body), row.running) == (newest, False), "a board has less of the body"


async def go_on_elsewhere(on: Machines, notices: str) -> None:
    """One round: A reaches the database all the time, and notices its dead socket at a moment of its own."""
    told_before = on.told("selftest.taken_over")
    on.door.target = on.a.port
    async with participant(on.base, on.a.links["selftest_url"]) as anna:
        await measured(on, anna)
        report = await finish_at_b(on, anna, notices)
        await until_a_let_go(on, anna.test, told_before)
        await assert_stands(on, anna, report)


async def go_on_while_a_is_cut_off(on: Machines) -> None:
    """One round: A loses the page and its database together, and gets the database back after B has finished."""
    told_before = on.told("selftest.taken_over")
    on.door.target = on.a.port
    async with participant(on.base, on.a.links["selftest_url"]) as anna:
        await measured(on, anna)
        broken_before = on.told("selftest.broken")
        on.database_of_a.is_refusing = True
        on.database_of_a.cut()
        try:
            report = await finish_at_b(on, anna, "once it has finished")
            async with asyncio.timeout(PATIENCE_S):
                while on.told("selftest.broken") == broken_before:
                    await asyncio.sleep(0.05)
        finally:
            on.database_of_a.is_refusing = False
        await until_a_let_go(on, anna.test, told_before)
        await assert_stands(on, anna, report)


@pytest.mark.slow
async def test_what_was_finished_at_b_stands_whenever_a_notices(tmp_path, postgres):
    """A lives and notices its dead socket before, while or after the page finishes at B: "ready" stands."""
    async with machines(tmp_path, postgres) as on:
        for notices in NOTICES:
            await go_on_elsewhere(on, notices)
        assert "socket.failed" not in on.a.log + on.b.log
        assert "Traceback" not in on.a.log + on.b.log


@pytest.mark.slow
async def test_what_was_finished_at_b_stands_when_a_comes_back_to_the_database(tmp_path, postgres):
    """A was cut off from page and database, and could not know: what it stores late is refused, and logged."""
    async with machines(tmp_path, postgres) as on:
        for _ in range(ROUNDS_CUT_OFF):
            await go_on_while_a_is_cut_off(on)
        assert on.told("selftest.taken_over") == ROUNDS_CUT_OFF
        assert "socket.failed" not in on.a.log + on.b.log
        assert "Traceback" not in on.b.log
