"""DUR-2, DUR-3: a database that cannot write now is one error, leaves nothing half done, and passes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from reports.store import Store, StoreUnavailable
from reports.store.engine import database_url
from tests.patience import PATIENCE_S
from tests.store import cast

pytestmark = pytest.mark.asyncio
SQLITE_ONLY = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
POSTGRES_ONLY = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


@SQLITE_ONLY
async def test_sqlite_is_opened_durably(store: Store) -> None:
    """WAL, full synchronisation, foreign keys, waiting for locks, deleted content overwritten; on every connection."""
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000, "secure_delete": 1}
    async with store._database.read() as first, store._database.read() as second:
        for connection in (first, second):
            for name, value in expected.items():
                assert (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() == value


@POSTGRES_ONLY
async def test_postgresql_acknowledges_after_the_disk(store: Store) -> None:
    """Whatever the server's default: our commits wait for it, our statements do not wait for ever."""
    async with store._database.read() as connection:
        for name, value in {"synchronous_commit": "on", "lock_timeout": "5s", "statement_timeout": "10s"}.items():
            assert (await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() == value


@SQLITE_ONLY
async def test_a_full_disk_is_unavailable_and_leaves_no_part_of_a_report(store: Store) -> None:
    """Neither the report nor the end of its run is stored; with space again the same report goes in."""
    await store.start_self_test(cast.self_test())
    big = cast.report(self_test_id="test-anna", body={"series": "x" * 2_000_000})
    engine = store._database._engine.sync_engine

    def no_space(connection: sa.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    sa.event.listen(engine, "begin", no_space)
    with pytest.raises(StoreUnavailable):
        await store.save_report(cast.CLOCK, big, claim=1)
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") is None
    found = await store.self_test("test-anna", "session-anna")
    assert found is not None
    assert found.state == "running"
    sa.event.remove(engine, "begin", no_space)
    await store.close()
    again = await Store.open(str(store._database.url))
    assert await again.save_report(cast.CLOCK, big, claim=1) == big
    await again.close()


async def test_a_lock_held_too_long_is_unavailable_and_passes(store: Store, url: str) -> None:
    """Another program holds the write lock: the caller hears within its limit, and writes when the lock is gone."""
    impatient = await Store.open(url, lock_timeout_s=0.2, time_limit_s=10 * PATIENCE_S)
    made = cast.report()
    with locked(url):
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreUnavailable):
                await impatient.save_report(cast.CLOCK, made)
    assert await impatient.save_report(cast.CLOCK, made) == made
    await impatient.close()


async def test_a_transaction_that_takes_too_long_is_given_up(store: Store, url: str) -> None:
    """The limit of the whole transaction counts the waiting; afterwards no lock and no connection is left behind."""
    impatient = await Store.open(url, lock_timeout_s=2.0, time_limit_s=0.3)
    made = cast.report()
    with locked(url):
        results = await asyncio.gather(
            *(impatient.save_report(cast.CLOCK, made) for _ in range(8)), return_exceptions=True
        )
        assert {type(result) for result in results} == {StoreUnavailable}
    await asyncio.sleep(0.1)
    patient = await Store.open(url)
    assert await patient.save_report(cast.CLOCK, made) == made
    await patient.close()
    await impatient.close()


class locked:
    """Hold a table's write lock from outside; SQLite has one for all."""

    def __init__(self, url: str, table: str = "report") -> None:
        self._connection: sqlite3.Connection | psycopg.Connection
        if url.startswith("sqlite"):
            self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            self._connection.execute("BEGIN IMMEDIATE")
        else:
            self._connection = psycopg.connect(url)
            self._connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_error: object) -> None:
        self._connection.rollback()
        self._connection.close()


@SQLITE_ONLY
async def test_writers_that_read_first_wait_for_each_other(store: Store, url: str) -> None:
    """Two processes on one file: without the lock taken at the start the second would fail half-way."""
    other = await Store.open(url)

    async def count_up(opened: Store) -> None:
        for _ in range(10):
            async with opened._database.write() as connection:
                found = (await connection.exec_driver_sql("SELECT max(position) FROM participant")).scalar_one()
                await asyncio.sleep(0.001)
                await connection.exec_driver_sql(
                    "UPDATE participant SET position = ? WHERE id = 'meeting-anna-kari'", (found + 1,)
                )

    await asyncio.gather(count_up(store), count_up(other))
    kari = await store.participant(cast.CLOCK, "meeting-anna-kari")
    assert kari is not None
    assert kari.position == 22
    await other.close()


@SQLITE_ONLY
async def test_a_cancelled_save_holds_no_lock(store: Store, url: str) -> None:
    """A page that goes away in the middle of its request leaves the database to the others."""
    for delay_ms in range(12):
        task = asyncio.create_task(store.save_report(cast.CLOCK, cast.report()))
        await asyncio.sleep(delay_ms / 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_S):  # twelve saves may still be on their way to a busy disk
        made = cast.report()
        assert await store.save_report(cast.CLOCK, made) == made


@SQLITE_ONLY
async def test_a_save_cancelled_while_it_opens_its_connection_leaves_none_open(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver's thread opens it all the same; then it is closed, at the latest before the store is."""
    opened = await Store.open(url)
    await opened._database._engine.dispose()
    counted = Counted(monkeypatch)
    task = asyncio.create_task(opened.save_report(cast.CLOCK, cast.report()))
    assert await asyncio.to_thread(counted.opening.wait, PATIENCE_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    counted.may_open.set()
    await opened.close()
    assert (counted.opened, counted.closed) == (1, 1)


@SQLITE_ONLY
async def test_every_connection_is_closed_whenever_its_save_is_cancelled(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the start of a save to its end, some tenths of a millisecond later each time."""
    counted = Counted(monkeypatch)
    counted.may_open.set()
    for moments in range(40):
        opened = await Store.open(url)
        task = asyncio.create_task(opened.save_report(cast.CLOCK, cast.report()))
        for _ in range(moments):
            if not task.done():
                await asyncio.wait({task}, timeout=0.0003)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await opened.close()
    assert counted.opened
    assert counted.closed == counted.opened


class Counted:
    """Count the connections that a driver opens and closes, and let none be opened before it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opening, self.may_open = threading.Event(), threading.Event()
        self.opened = self.closed = 0
        counted = self

        class Connection(sqlite3.Connection):
            is_open = True

            def close(self) -> None:
                super().close()
                counted.closed += self.is_open
                self.is_open = False

        connect = sqlite3.connect

        def counting(*arguments: Any, **options: Any) -> sqlite3.Connection:
            self.opening.set()
            self.may_open.wait(PATIENCE_S)
            connection = connect(*arguments, **options, factory=Connection)
            self.opened += 1
            return connection

        monkeypatch.setattr(sqlite3, "connect", counting)


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Opening says so at once, whether a host or a folder is missing."""
    for url in (f"postgresql://nobody@/none?host={tmp_path}", f"sqlite:///{tmp_path}/none/readiness.db"):
        with pytest.raises(StoreUnavailable):
            await Store.open(url)


@pytest.mark.parametrize("refused", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/readiness"])
async def test_a_database_we_do_not_promise_anything_on_is_refused(refused: str) -> None:
    """Memory forgets what was acknowledged, and on other databases nothing was tested."""
    with pytest.raises(ValueError, match="database"):
        database_url(refused)
