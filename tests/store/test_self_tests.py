"""Runs and their phases: a reconnect, to any process, finds what is finished."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from reports.store import Conflict, ForbiddenField, Gone, Store
from tests.store import cast

pytestmark = pytest.mark.asyncio
MINUTE = timedelta(minutes=1)


async def test_a_reconnect_to_another_process_finds_the_finished_phases(store: Store, url: str) -> None:
    """What a phase found is on disk when `save_phase` returns; another process reads it."""
    await store.start_self_test(cast.self_test())
    await store.save_phase("test-anna", "devices", {"camera": {"status": "present"}}, cast.NOW + MINUTE, claim=1)
    await store.save_phase(
        "test-anna", "picture", {"light": 0.1 + 0.2, "odd": "\x00\ud800 æ"}, cast.NOW + 2 * MINUTE, claim=1
    )
    other = await Store.open(url)
    found = await other.self_test("test-anna", "session-anna")
    assert found == cast.self_test(
        updated_at=cast.NOW + 2 * MINUTE,
        phases={
            "devices": {"camera": {"status": "present"}},
            "picture": {"light": 0.1 + 0.2, "odd": "\x00\ud800 æ"},
        },
    )
    assert await other.self_test("test-anna", "session-drop-in") is None
    await other.close()


async def test_a_phase_that_is_run_again_replaces_the_first_run(store: Store, url: str) -> None:
    """One row for each phase, also when two processes save it at the same moment."""
    await store.start_self_test(cast.self_test())
    other = await Store.open(url)
    for number in range(5):
        await asyncio.gather(
            store.save_phase("test-anna", "clock", {"rtt_ms": number}, cast.NOW, claim=1),
            other.save_phase("test-anna", "clock", {"rtt_ms": number}, cast.NOW, claim=1),
        )
    found = await store.self_test("test-anna", "session-anna")
    assert found is not None
    assert found.phases == {"clock": {"rtt_ms": 4}}
    await other.close()


async def test_nothing_is_stored_for_a_run_that_is_gone(store: Store) -> None:
    """A phase without its run, a run without its session, and a second run under one id are refused."""
    with pytest.raises(Gone):
        await store.save_phase("none", "clock", {}, cast.NOW, claim=1)
    with pytest.raises(Gone):
        await store.touch_self_test("none", cast.NOW, claim=1)
    with pytest.raises(Gone):
        await store.start_self_test(cast.self_test(session_id="none"))
    await store.start_self_test(cast.self_test())
    with pytest.raises(Conflict):
        await store.start_self_test(cast.self_test())
    with pytest.raises(Gone):
        await store.end_self_test("none", claim=1)
    assert await store.claim_of("none") is None


async def test_a_run_its_process_left_behind_is_found_once(store: Store, url: str) -> None:
    """DUR-1: after a crash the run is ended by exactly one of the processes that find it."""
    await store.start_self_test(cast.self_test())
    await store.start_self_test(cast.self_test(id="alive", updated_at=cast.NOW + 5 * MINUTE))
    before = cast.NOW + MINUTE
    assert [test.id for test in await store.stale_self_tests(before)] == ["test-anna"]
    other = await Store.open(url)
    (stale,) = await store.stale_self_tests(before)
    claims = await asyncio.gather(store.claim_left_over(stale, before), other.claim_left_over(stale, before))
    assert sorted(claims, key=str) == [2, None]
    assert await store.stale_self_tests(before) == [replace(stale, claim=2)], "who took it and died leaves it behind"
    await store.end_self_test("test-anna", claim=2)
    assert await store.stale_self_tests(before) == []
    await other.close()


async def test_a_run_that_came_back_is_not_ended(store: Store) -> None:
    """Somebody thought for long, then went on: the run stays theirs."""
    await store.start_self_test(cast.self_test())
    (stale,) = await store.stale_self_tests(cast.NOW + MINUTE)
    await store.touch_self_test("test-anna", cast.NOW + 5 * MINUTE, claim=1)
    before = cast.NOW + MINUTE
    assert await store.claim_left_over(stale, before) is None
    assert await store.stale_self_tests(before) == []
    await store.save_phase("test-anna", "clock", {}, cast.NOW + 5 * MINUTE, claim=1)


async def test_a_field_that_identifies_is_refused(store: Store) -> None:
    """PRV-1: however deep it hides, in a client, a phase or a report."""
    await store.start_self_test(cast.self_test())
    for name in ("deviceId", "group_id", "userAgent", "ip", "phone", "sdp", "label"):
        with pytest.raises(ForbiddenField, match=name):
            await store.start_self_test(cast.self_test(id="t2", client={name: "x"}))
        with pytest.raises(ForbiddenField, match=name):
            await store.save_phase("test-anna", "devices", {"cameras": [{"a": {name: "x"}}]}, cast.NOW, claim=1)
        with pytest.raises(ForbiddenField, match=name):
            await store.save_report(cast.CLOCK, cast.report(body={"client": {name: "x"}}))
    found = await store.self_test("test-anna", "session-anna")
    assert found is not None
    assert found.phases == {}
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") is None
