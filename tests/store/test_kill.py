"""DUR-1, DUR-4: whatever dies, what was acknowledged is there, exactly once and unchanged."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection

import pytest
import pytest_asyncio
import sqlalchemy as sa

from reports.store import Store, StoreUnavailable
from reports.store.migrations import migrate
from reports.store.tables import report, self_test
from tests.patience import PATIENCE_S
from tests.store import cast
from tests.store.conftest import PostgresServer
from tests.store.test_migrations import check_whole

SUBMISSIONS = 120
LONGEST_LIFE_S = 0.4
"""A child is killed at a moment drawn up to this after its database is open."""


def test_every_acknowledged_report_survives_kill_9(url: str) -> None:
    """Children submit and are killed at random moments; each id they were told of is stored once, with its hash."""
    asyncio.run(fill(url))
    acknowledged: dict[str, str] = {}
    unanswered: list[str] = []
    moments = random.Random(20261123)
    kills = 0
    while len(acknowledged) < SUBMISSIONS:
        kills += 1
        told, unanswered = run_and_kill(url, kills, unanswered, moments.uniform(0.0, LONGEST_LIFE_S))
        acknowledged |= told
    assert kills >= 3
    stored = asyncio.run(read_back(url))
    assert len(stored) == len({report_id for report_id, _, _ in stored})
    found = {report_id: body_hash for report_id, body_hash, _ in stored}
    assert {report_id: found.get(report_id) for report_id in acknowledged} == acknowledged
    assert {state for _, _, state in stored} == {"finished"}
    check_whole(url)


async def fill(url: str) -> None:
    """The cast."""
    store = await Store.open(url)
    await cast.fill(store)
    await store.close()


def run_and_kill(url: str, child: int, again: list[str], life_s: float) -> tuple[dict[str, str], list[str]]:
    """Let one child submit for a while; return what was acknowledged, and what it began without hearing an answer.

    `again` is what the children before it left unanswered: it tries those first, as a page would.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.cast"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=cast.submit_until_killed, args=(url, child, again, theirs))
    process.start()
    theirs.close()
    assert ours.poll(PATIENCE_S)
    ours.recv()
    time.sleep(life_s)
    if process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE_S)
    told = list(received(ours))
    acknowledged = {report_id: body_hash for report_id, body_hash in told if body_hash is not None}
    begun = again + [report_id for report_id, body_hash in told if body_hash is None]
    return acknowledged, [report_id for report_id in begun if report_id not in acknowledged]


def received(pipe: Connection) -> list[tuple[str, str | None]]:
    """Everything that was written before the kill."""
    found = []
    try:
        while pipe.poll(0):
            found.append(pipe.recv())
    except EOFError:
        pass
    finally:
        pipe.close()
    return found


async def read_back(url: str) -> list[tuple[str, str, str]]:
    """Id, hash of the body, and state of the run, of every stored report."""
    store = await Store.open(url)
    query = sa.select(report.c.id, report.c.body, self_test.c.state)
    rows = await store._rows(query.join(self_test, self_test.c.id == report.c.self_test_id))
    await store.close()
    return [(row.id, cast.body_digest(row.body), row.state) for row in rows]


@pytest_asyncio.fixture
async def own_server() -> AsyncIterator[PostgresServer]:
    """A PostgreSQL this test may crash."""
    server = await asyncio.to_thread(PostgresServer)
    yield server
    await asyncio.to_thread(server.close)


@pytest.mark.asyncio
async def test_a_database_that_crashes_is_unavailable_and_then_itself_again(own_server: PostgresServer) -> None:
    """DUR-4: every call during the crash is `StoreUnavailable`, nothing acknowledged is lost, watchers come back."""
    url = await asyncio.to_thread(own_server.create)
    await asyncio.to_thread(migrate, url)
    store = await Store.open(url)
    await cast.fill(store)
    acknowledged: list[str] = []
    refused = 0
    async with store.watch("meeting-anna") as watcher:
        crash = asyncio.create_task(asyncio.to_thread(own_server.crash))
        while not (crash.done() and refused >= 3):
            await asyncio.sleep(0)  # a refused connection fails without waiting for anything
            try:
                acknowledged.append((await store.save_report(cast.CLOCK, cast.report())).id)
            except StoreUnavailable:
                refused += 1
        await crash
        with pytest.raises(StoreUnavailable):
            await store.board(cast.CLOCK, "meeting-anna")
        await asyncio.to_thread(own_server.start)
        while True:
            try:
                acknowledged.append((await store.save_report(cast.CLOCK, cast.report())).id)
                break
            except StoreUnavailable:
                await asyncio.sleep(0.1)
        async with asyncio.timeout(PATIENCE_S):
            await anext(watcher)
    stored = {row.id for row in await store._rows(sa.select(report.c.id))}
    assert set(acknowledged) <= stored
    await store.close()
