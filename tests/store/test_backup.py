"""DUR-6, DUR-2: a backup made while others write, put back on an empty host; and a log that a power cut tore."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from reports.store import Store
from reports.store.records import new_code
from reports.store.tables import report, unlinked_report
from tests.store import cast
from tests.store.conftest import PostgresServer

pytestmark = pytest.mark.asyncio
WRITERS, BEFORE = 3, 12
"""Pages that send reports during the backup, and reports that were acknowledged before it."""


async def hashes(store: Store) -> dict[str, str]:
    """Id and hash of every stored report."""
    rows = await store._rows(sa.select(report.c.id, report.c.body))
    return {row.id: cast.body_digest(row.body) for row in rows}


@pytest.fixture
def keeper(url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Keeper:
    """Backups of the test's own database."""
    is_sqlite = url.startswith("sqlite")
    return Keeper(url, tmp_path, None if is_sqlite else request.getfixturevalue("postgres"))


@dataclass
class Keeper:
    """Backs up and puts back as operations.md says: SQLite's backup command, page by page, or pg_dump."""

    url: str
    folder: Path
    postgres: PostgresServer | None

    @property
    def copy(self) -> Path:
        return self.folder / "backup"

    def back_up(self) -> None:
        """Make a backup of what is there now."""
        if self.postgres is not None:
            self.postgres.run("pg_dump", f"--dbname={self.url}", f"--file={self.copy}")
            return
        with (
            contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as source,
            contextlib.closing(sqlite3.connect(self.copy)) as copy,
        ):
            source.backup(copy, pages=5, sleep=0.001)

    def put_back(self) -> str:
        """Restore into an empty folder, or an empty database; return its address."""
        if self.postgres is None:
            (self.folder / "empty").mkdir()
            return f"sqlite:///{self.copy.rename(self.folder / 'empty' / 'readiness.sqlite3')}"
        url = self.postgres.create()
        strict = ("--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1")
        self.postgres.run("psql", *strict, f"--dbname={url}", f"--file={self.copy}")
        return url


async def test_DUR_6_a_backup_made_while_others_write_restores(store: Store, keeper: Keeper) -> None:
    """All that was acknowledged before it began is in it, unchanged; the rest is whole or absent, and it can go on."""
    before = {(await store.save_report(cast.CLOCK, cast.report())).id for _ in range(BEFORE)}
    is_over = asyncio.Event()

    async def write() -> int:
        written = 0
        while not (is_over.is_set() and written):
            await store.save_report(cast.CLOCK, cast.report(body={**cast.BODY, "padding": os.urandom(4000).hex()}))
            written += 1
        return written

    writing = [asyncio.create_task(write()) for _ in range(WRITERS)]
    try:
        await asyncio.to_thread(keeper.back_up)
    finally:
        is_over.set()
        await asyncio.gather(*writing)
    restored = await Store.open(await asyncio.to_thread(keeper.put_back))
    try:
        there, here = await hashes(restored), await hashes(store)
        assert before <= set(there)
        assert there.items() <= here.items()
        assert len(people := await store.participants(cast.CLOCK, "meeting-anna")) == 3
        assert await restored.participants(cast.CLOCK, "meeting-anna") == people
        made = cast.report()
        assert await restored.save_report(cast.CLOCK, made) == made
    finally:
        await restored.close()


async def test_DUR_6_what_was_forgotten_is_forgotten_again(store: Store, keeper: Keeper) -> None:
    """A backup brings back names and reports; the purge that runs before a server answers takes them out again."""
    await store.save_report(cast.CLOCK, cast.report())
    await asyncio.to_thread(keeper.back_up)
    a_day_later = cast.ENDS + timedelta(hours=25)
    await store.purge(a_day_later)
    restored = await Store.open(await asyncio.to_thread(keeper.put_back))
    try:
        assert len(await hashes(restored)) == 1
        await restored.purge(a_day_later)
        for one in (store, restored):
            assert await hashes(one) == {}
            assert {person.label for person in await one.participants(cast.CLOCK, "meeting-anna")} == {""}
            assert len(await one._rows(sa.select(unlinked_report.c.id))) == 1
    finally:
        await restored.close()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_DUR_2_a_log_torn_after_what_was_acknowledged_loses_nothing_of_it(
    store: Store, url: str, tmp_path: Path
) -> None:
    """Cut anywhere behind the last acknowledged commit, or with rubbish there, as when the power goes while it writes.

    That the bytes up to there are on the disk is ``synchronous=FULL``, which `test_sqlite_is_opened_durably` looks at.
    """
    path = Path(url.removeprefix("sqlite:///"))
    log = path.with_name(path.name + "-wal")
    main = path.read_bytes()
    acknowledged: list[tuple[str, int]] = []
    for _ in range(8):
        made = await store.save_report(cast.CLOCK, cast.report(code=new_code()))
        acknowledged.append((made.id, log.stat().st_size))
    assert path.read_bytes() == main, "nothing went into the file itself yet"
    whole, places = log.read_bytes(), random.Random(20261129)
    for number, (_, size) in enumerate(acknowledged[:-1], start=1):
        for rubbish in (b"", places.randbytes(700)):
            cut = places.randrange(size, acknowledged[number][1])
            torn = tmp_path / f"torn-{number}-{len(rubbish)}.db"
            torn.write_bytes(main)
            torn.with_name(torn.name + "-wal").write_bytes(whole[:cut] + rubbish)
            with contextlib.closing(sqlite3.connect(torn)) as opened:
                assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                found = [row[0] for row in opened.execute("SELECT id FROM report ORDER BY number")]
            assert found == [report_id for report_id, _ in acknowledged[:number]]
