"""Board events: a change wakes its watchers in every process within a second, and none is lost with a connection."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from reports.store import Store, Watcher, notify
from tests.actors import add_meeting
from tests.patience import PATIENCE_S
from tests.store import cast

pytestmark = pytest.mark.asyncio


async def woken(watcher: Watcher, limit_s: float = PATIENCE_S) -> bool:
    """Whether an event comes within the limit."""
    try:
        async with asyncio.timeout(limit_s):
            await anext(watcher)
    except TimeoutError:
        return False
    return True


async def test_every_change_of_a_board_wakes_its_watchers_only(store: Store) -> None:
    """A run that starts or ends, a report that comes or goes, a link that is revoked; another meeting sleeps on."""
    await add_meeting(store, cast.meeting(id="m2"), [])
    await store.add_invitation(cast.invitation(), cast.digest("token"))
    async with store.watch("meeting-anna") as watcher, store.watch("m2") as other:
        assert not await woken(watcher, 0.05)
        await store.start_self_test(cast.self_test())
        assert await woken(watcher)
        await store.end_self_test("test-anna", claim=1)
        assert await woken(watcher)
        saved = await store.save_report(cast.CLOCK, cast.report())
        assert await woken(watcher)
        await store.save_report(cast.CLOCK, saved)
        assert not await woken(watcher, 0.05)
        await store.delete_report(cast.ANNA, saved.id, "session-anna")
        assert await woken(watcher)
        await store.revoke_invitation("link-anna", cast.NOW)
        assert await woken(watcher)
        assert not await woken(other, 0.05)


async def test_a_burst_is_one_look(store: Store) -> None:
    """Ten reports between two looks are one event."""
    async with store.watch("meeting-anna") as watcher:
        for _ in range(10):
            await store.save_report(cast.CLOCK, cast.report())
        assert await woken(watcher)
        assert not await woken(watcher, 0.05)


async def test_watching_ends_with_the_store(url: str) -> None:
    """Nobody waits for ever on a server that shuts down."""
    store = await Store.open(url)
    async with store.watch("meeting-anna") as watcher:
        waiting = asyncio.create_task(_count(watcher))
        await asyncio.sleep(0.05)
        await store.close()
        assert await asyncio.wait_for(waiting, PATIENCE_S) == 0


async def _count(watcher: Watcher) -> int:
    return len([event async for event in watcher])


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_change_crosses_processes_at_once(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report through one process wakes the watchers of another, after its commit, 20 times of 20: told, not found."""
    monkeypatch.setattr(notify, "_HEARTBEAT_S", 10 * PATIENCE_S)
    other = await Store.open(url)
    async with other.watch("meeting-anna") as watcher:
        for _ in range(20):
            saved = await store.save_report(cast.CLOCK, cast.report())
            assert await woken(watcher)
            assert (await other.board(cast.CLOCK, "meeting-anna"))[1].report == saved
    await other.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_nothing_is_lost_with_the_listening_connection(store: Store, url: str) -> None:
    """Cut off, the watcher is woken when it is back, and hears what comes after."""
    other = await Store.open(url)
    async with other.watch("meeting-anna") as watcher:
        assert not await woken(watcher, 0.05)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await store.save_report(cast.CLOCK, cast.report())
        assert await woken(watcher)
        while await woken(watcher, 1.0):
            pass
        await store.save_report(cast.CLOCK, cast.report())
        assert await woken(watcher)
    await other.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_all_watchers_share_one_connection(store: Store, url: str) -> None:
    """A hundred open boards cost the database one connection."""
    async with store.watch("meeting-anna"), store.watch("m2"), store.watch("m3"):
        with psycopg.connect(url) as admin:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'readiness-listen'"
            found = admin.execute(query + " AND datname = current_database()").fetchone()
    assert found == (1,)
