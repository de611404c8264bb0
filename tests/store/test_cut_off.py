"""DUR-4: a network that stops between the store and PostgreSQL, and a pool that is used up; both pass by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
import sqlalchemy as sa

from reports.store import Store, StoredReport, StoreUnavailable
from reports.store.engine import GIVE_UP_S, POOL_SIZE
from reports.store.tables import report
from tests.patience import PATIENCE_S
from tests.store import cast

pytestmark = pytest.mark.asyncio
OVERFLOW = 10
"""What SQLAlchemy's pool opens beyond its size."""
CALLERS, LIMIT_S = 8, 0.5


class Cable:
    """Passes bytes between clients and a server's Unix socket, until it is pulled: then they stand still, unclosed."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._plugged = asyncio.Event()
        self._plugged.set()
        self._passing: set[asyncio.Task[None]] = set()

    def pull(self) -> None:
        self._plugged.clear()

    def plug(self) -> None:
        self._plugged.set()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        there, back = await asyncio.open_unix_connection(self._target)
        for pair in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pass(*pair))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                await self._plugged.wait()
                writer.write(piece)
        except OSError:
            return
        finally:
            writer.close()

    async def close(self) -> None:
        for task in (passing := [*self._passing]):
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


@pytest_asyncio.fixture
async def cable(url: str, tmp_path: Path) -> AsyncIterator[Cable]:
    """A cable to the test's PostgreSQL; its other end is in `tmp_path`."""
    found = Cable(parse_qs(urlsplit(url).query)["host"][0] + "/.s.PGSQL.5432")
    server = await asyncio.start_unix_server(found.take, tmp_path / ".s.PGSQL.5432")
    try:
        yield found
    finally:
        server.close()
        await found.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("stands_still", [False, True])
async def test_DUR_4_a_network_that_is_cut_loses_nothing_acknowledged(
    store: Store, url: str, cable: Cable, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, stands_still: bool
) -> None:
    """While it is cut every caller hears soon after the limit; afterwards the same reports go in, each of them once.

    Also where the process stands still meanwhile, so that both of the store's limits pass unseen.
    """
    away = await Store.open(
        url.split("?", maxsplit=1)[0] + f"?host={tmp_path}", lock_timeout_s=LIMIT_S, time_limit_s=LIMIT_S
    )
    try:
        acknowledged = [await away.save_report(cast.CLOCK, cast.report()) for _ in range(CALLERS)]
        cable.pull()
        made = [cast.report() for _ in range(CALLERS)]
        async with asyncio.timeout(PATIENCE_S):
            saving = asyncio.gather(*(away.save_report(cast.CLOCK, one) for one in made), return_exceptions=True)
            if stands_still:
                await asyncio.sleep(LIMIT_S / 2)
                time.sleep(LIMIT_S + GIVE_UP_S)  # as a busy machine lets a whole process wait
            said = await saving
        assert {type(one) for one in said} == {StoreUnavailable}
        told = [record.getMessage() for record in caplog.records if record.name.startswith("psycopg")]
        assert told, "a statement was under way"
        assert all("interrupted" in one for one in told), "the driver was not left to try for ten seconds"
        cable.plug()
        async with asyncio.timeout(PATIENCE_S):
            acknowledged += [await until_stored(away, one) for one in made]
        stored = [row.id for row in await store._rows(sa.select(report.c.id))]
        assert sorted(stored) == sorted(one.id for one in acknowledged)
    finally:
        cable.plug()
        await away.close()


async def until_stored(store: Store, made: StoredReport) -> StoredReport:
    """Try until it is acknowledged, as a page does."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            return await store.save_report(cast.CLOCK, made)
        await asyncio.sleep(0.05)


async def test_DUR_4_a_pool_that_is_used_up_is_unavailable_and_passes(store: Store, url: str) -> None:
    """With every connection taken a caller hears within the limit; as soon as one is free, it is served."""
    busy = await Store.open(url, time_limit_s=LIMIT_S)
    made = cast.report()
    done = asyncio.Event()

    async def hold() -> None:
        async with busy._database._engine.connect() as connection:
            await connection.execute(sa.select(report.c.id).limit(1))
            await done.wait()

    held = [asyncio.create_task(hold()) for _ in range(POOL_SIZE + OVERFLOW)]
    try:
        while busy._database._engine.pool.checkedout() < POOL_SIZE + OVERFLOW:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(StoreUnavailable):
                await busy.latest_report(cast.CLOCK, "meeting-anna-anna")
            done.set()
            await asyncio.gather(*held)
            assert await until_stored(busy, made) == made
    finally:
        done.set()
        await asyncio.gather(*held)
        await busy.close()
