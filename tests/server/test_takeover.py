"""One person, one test: another window or device says where it runs, takes it over, and the older page is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from readiness.server import owner
from readiness.server.app import make_app, make_services
from reports.kinds import LINE_BYTES
from reports.store import Store
from tests.actors import CLOCK
from tests.cast import make_cast, supporter
from tests.patience import PATIENCE_S, until_kept
from tests.security.support import HELLO, ended, next_of, redeem, started

DEVICES = {"camera": {"status": "present"}, "microphone": {"status": "present"}, "browser": {"missing": []}}


@pytest.fixture
async def cast(server):
    return await make_cast(server.store)


@pytest.fixture
async def elsewhere(server) -> AsyncIterator[str]:
    """Another process of the service, as far as memory goes: its own sockets and places, the same database."""
    settings = server.services.settings
    store = await Store.open(settings.database, migrate=False)
    runner = web.AppRunner(make_app(make_services(settings, store)), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def another_browser(base: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(base, cookie_jar=aiohttp.CookieJar(unsafe=True))


async def unfinished(http: aiohttp.ClientSession, session: str) -> dict | None:
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        assert answer.status == 200
        return (await answer.json())["unfinished"]


async def told(socket: aiohttp.ClientWebSocketResponse) -> dict:
    """What the server says goodbye with."""
    messages, _ = await ended(socket)
    return messages[-1]


async def final(socket: aiohttp.ClientWebSocketResponse, phase: str, data: dict) -> None:
    await socket.send_json({"type": "samples", "phase": phase, "kind": "final", "data": data, "final": True})


async def left_running(server, session_id: str, test: str, now: datetime, phases: dict | None = None) -> None:
    """What a dead process leaves: the test goes on, its first phase is done, and nobody gives a sign of life."""
    session = await server.store.session_by_id(session_id)
    since = now - timedelta(minutes=10)
    claim = (await server.store.claim_self_tests(session, since, now, resume=test))[test]
    await server.store.resume_self_test(test, session, since, now, claim=claim)
    for phase, data in (phases or {"devices": {}}).items():
        await server.store.save_phase(test, phase, data, now, claim=claim)


async def test_nothing_is_offered_before_a_test_and_after_its_answer(server, http, cast):
    """Only what was left in the middle can be gone on with."""
    session = await redeem(http, cast.anna_token)
    assert await unfinished(http, session) is None
    socket, _ = await started(http, session)
    await final(socket, "devices", DEVICES)
    await final(socket, "finish", {})
    await next_of(socket, "report")
    await socket.close()
    assert await unfinished(http, session) is None


async def test_a_second_window_of_the_same_link_goes_on_with_the_same_test(server, http, cast):
    """It is another session with the same cookies: it is told where the test runs, and the first one stops."""
    first = await redeem(http, cast.anna_token)
    socket, plan = await started(http, first)
    await final(socket, "devices", DEVICES)
    await until_kept(server.store, plan["test"], "devices")
    second = await redeem(http, cast.anna_token)
    assert second != first
    offered = await unfinished(http, second)
    assert offered == {"session": first, "test": plan["test"], "live": True, "here": True}
    newer, again = await started(http, offered["session"], resume=offered["test"])
    assert (again["test"], again["done"]) == (plan["test"], ["devices"])
    assert (await told(socket))["code"] == "replaced"
    await final(newer, "finish", {})
    report = (await next_of(newer, "report"))["report"]
    assert report["id"] == plan["test"]
    await newer.close()
    last = await server.store.latest_report(CLOCK, cast.anna.id)
    assert last.id == plan["test"], "the older page stored nothing over it"


async def test_it_is_taken_over_through_another_process_too(server, http, cast, elsewhere, monkeypatch):
    """The process of the older page sees it in the database, says so, and stores nothing."""
    monkeypatch.setattr(owner, "LOOK_S", 0.05)
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    await final(socket, "devices", DEVICES)
    await until_kept(server.store, plan["test"], "devices")
    async with aiohttp.ClientSession(elsewhere, cookie_jar=http.cookie_jar) as other:
        newer, again = await started(other, session, resume=plan["test"])
        assert again["done"] == ["devices"]
        assert (await told(socket))["code"] == "replaced"
        assert await server.store.latest_report(CLOCK, cast.anna.id) is None
        await final(newer, "finish", {})
        assert (await next_of(newer, "report"))["report"]["id"] == plan["test"]
        await newer.close()


LAST_WORDS = {
    "a phase": lambda older: final(older, "devices", DEVICES),
    "the end": lambda older: final(older, "finish", {}),
    "a goodbye": lambda older: older.send_json({"type": "bye"}),
    "nothing": lambda older: older.close(),
}


@pytest.mark.parametrize("words", LAST_WORDS)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_the_database_refuses_what_an_older_page_still_sends(
    server, http, cast, elsewhere, monkeypatch, caplog, words, moment
):
    """Before its process has looked: whatever it would store is refused, which the log says, and the page is told."""
    monkeypatch.setattr(owner, "LOOK_S", 10 * PATIENCE_S)
    caplog.set_level(logging.INFO, "readiness")
    session = await redeem(http, cast.anna_token)
    older, plan = await started(http, session)
    async with aiohttp.ClientSession(elsewhere, cookie_jar=http.cookie_jar) as other:
        newer, again = await started(other, session, resume=plan["test"])
        assert again["test"] == plan["test"]
        if moment == "before":
            await until_refused(older, words, caplog)
        await final(newer, "finish", {})
        report = (await next_of(newer, "report"))["report"]
        assert report["cause"] is None
        if moment == "after":
            await until_refused(older, words, caplog)
        await newer.close()
    support = supporter(cast.meeting.organisation_id)
    (line,) = await server.store.report_lines(support, 10)
    stored = await server.store.report_by_code(support, line.report.code)
    assert stored is not None
    assert (stored.id, stored.body) == (plan["test"], report)
    test = await server.store.self_test(plan["test"], session)
    assert test.state == "finished"
    assert "devices" not in test.phases


async def until_refused(older: aiohttp.ClientWebSocketResponse, words: str, caplog) -> None:
    """Let the older page say its last words: nobody answers them with a report, and who still listens is told."""
    await LAST_WORDS[words](older)
    messages = [] if older.closed else (await ended(older))[0]
    assert "report" not in {one["type"] for one in messages}
    if words in {"a phase", "the end"}:
        assert messages[-1] == {"type": "bye", "code": "replaced"}
    async with asyncio.timeout(PATIENCE_S):
        while not any(record.getMessage() == "selftest.taken_over" for record in caplog.records):
            await asyncio.sleep(0.02)


async def test_a_page_in_the_queue_is_told_when_another_one_comes(server, http, cast, elsewhere, monkeypatch):
    """It waits for a place to go on with a test that is another page's by now: it is told, and waits no longer."""
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    await socket.close()
    async with asyncio.timeout(PATIENCE_S):
        while (await server.store.self_test(plan["test"], session)).state == "running":
            await asyncio.sleep(0.02)
    monkeypatch.setattr(owner, "LOOK_S", 0.05)
    server.services.admission.pool.capacity = 0
    waiting = await http.ws_connect("/api/v1/session")
    await waiting.send_json({**HELLO, "session": session, "resume": plan["test"]})
    await next_of(waiting, "queued")
    async with aiohttp.ClientSession(elsewhere, cookie_jar=http.cookie_jar) as other:
        newer, again = await started(other, session, resume=plan["test"])
        assert again["test"] == plan["test"]
        assert (await told(waiting))["code"] == "replaced"
        assert server.services.admission.waiting == 0
        await newer.close()


async def test_a_test_whose_worker_died_can_be_finished(server, http, cast):
    """The report that it broke off stands only until the page goes on and finishes."""
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    await final(socket, "devices", DEVICES)
    await until_kept(server.store, plan["test"], "devices")
    for worker in list(server.services.admission.pool._live):
        worker.kill()
    broken = (await next_of(socket, "report"))["report"]
    assert broken["verdict"] == "incomplete"
    await ended(socket)
    newer, again = await started(http, session, resume=plan["test"])
    assert again["done"] == ["devices"]
    await final(newer, "finish", {})
    report = (await next_of(newer, "report"))["report"]
    await newer.close()
    last = await server.store.latest_report(CLOCK, cast.anna.id)
    assert (last.body, report["cause"]) == (report, None)
    assert (await server.store.self_test(plan["test"], session)).state == "finished"


async def test_a_test_whose_place_is_taken_is_kept_as_incomplete(server, http, cast, elsewhere):
    """Whoever begins anew keeps what the other had finished, wherever that one runs; the new answer is newer."""
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    await final(socket, "devices", DEVICES)
    await until_kept(server.store, plan["test"], "devices")
    async with aiohttp.ClientSession(elsewhere, cookie_jar=http.cookie_jar) as other:
        newer, own = await started(other, session)
        assert own["test"] != plan["test"]
        kept = await server.store.latest_report(CLOCK, cast.anna.id)
        assert (kept.self_test_id, kept.verdict) == (plan["test"], "incomplete")
        assert (kept.body["cause"], kept.body["ended_in"]) == ("disconnected", "picture")
        await final(newer, "finish", {})
        await next_of(newer, "report")
        await newer.close()
    assert (await server.store.latest_report(CLOCK, cast.anna.id)).id == own["test"]


async def test_another_device_is_told_and_begins_anew(server, http, cast, monkeypatch):
    """It cannot go on with what another camera showed; its own test ends the other, whose page is told."""
    monkeypatch.setattr(owner, "LOOK_S", 0.05)
    first = await redeem(http, cast.anna_token)
    socket, plan = await started(http, first)
    await final(socket, "devices", DEVICES)
    await until_kept(server.store, plan["test"], "devices")
    async with another_browser(str(http._base_url)) as phone:
        second = await redeem(phone, cast.anna_token)
        offered = await unfinished(phone, second)
        assert offered == {"session": first, "test": plan["test"], "live": True, "here": False}
        newer, own = await started(phone, second, resume=plan["test"])
        assert (own["test"] != plan["test"], own["done"]) == (True, [])
        assert (await told(socket))["code"] == "replaced"
        assert (await server.store.self_test(plan["test"], first)).state == "incomplete"
        assert (await unfinished(http, first))["test"] == own["test"], "now the first one is the other device"
        await newer.close()


async def test_a_test_that_was_left_is_offered_to_its_own_browser_for_ten_minutes(server, http, cast):
    """A dead process leaves it running: it is nobody's after 15 s. Nothing finished, nothing to go on with."""
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    await socket.close()
    while (test := await server.store.self_test(plan["test"], session)).state == "running":
        await asyncio.sleep(0.02)
    now = test.updated_at
    server.services.now = lambda: now + timedelta(seconds=60)
    assert await unfinished(http, session) is None
    await left_running(server, session, plan["test"], now)
    server.services.now = lambda: now + timedelta(seconds=5)
    assert (await unfinished(http, session))["live"]
    server.services.now = lambda: now + timedelta(seconds=60)
    assert await unfinished(http, session) == {"session": session, "test": plan["test"], "live": False, "here": True}
    async with another_browser(str(http._base_url)) as phone:
        assert await unfinished(phone, await redeem(phone, cast.anna_token)) is None
    server.services.now = lambda: now + timedelta(minutes=11)
    assert await unfinished(http, session) is None


@pytest.mark.parametrize(
    ("done", "spent_mb", "share"),
    [(["picture", "sound"], 5, 1.0), (["picture"], 2, 1.0), ([], 5, 0.5), (["picture", "sound"], 6, 0.8), ([], 12, 0)],
)
async def test_what_is_to_come_shares_the_bytes_that_are_left(server, http, cast, done, spent_mb, share):
    """Whole parts as long as there are bytes for all of them: those of finished parts are not taken from the rest."""
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    await socket.close()
    while (test := await server.store.self_test(plan["test"], session)).state == "running":
        await asyncio.sleep(0.02)
    phases = {name: {} for name in ("devices", *done)} | {"bytes": {"total": spent_mb * 1_000_000}}
    await left_running(server, session, plan["test"], test.updated_at, phases)
    socket, again = await started(http, session, resume=plan["test"])
    await socket.close()
    assert again["done"] == ["devices", *done]
    budgets = {one["name"]: one["budget_bytes"] for one in again["phases"]}
    assert budgets["uplink"] == pytest.approx(share * LINE_BYTES, abs=1)


async def test_of_two_people_neither_sees_the_others_test(server, http, cast):
    """Anna's test is nothing to Per, though both are in one browser."""
    anna, per = await redeem(http, cast.anna_token), await redeem(http, cast.per_token)
    socket, plan = await started(http, anna)
    await final(socket, "devices", DEVICES)
    await until_kept(server.store, plan["test"], "devices")
    assert await unfinished(http, per) is None
    other, own = await started(http, per, resume=plan["test"])
    assert own["test"] != plan["test"]
    await final(socket, "finish", {})
    assert (await next_of(socket, "report"))["report"]["id"] == plan["test"], "Anna's goes on undisturbed"
    await other.close()
    await socket.close()


async def test_the_older_page_is_told_before_the_newer_one_has_a_place(server, http, cast, monkeypatch):
    """With the last place taken by the very test that is taken over, nobody waits for ever."""
    monkeypatch.setattr(owner, "LOOK_S", 0.05)
    server.services.admission.pool.capacity = 1
    first = await redeem(http, cast.anna_token)
    socket, _ = await started(http, first)
    async with another_browser(str(http._base_url)) as phone:
        second = await redeem(phone, cast.anna_token)
        newer, _ = await started(phone, second)
        assert (await told(socket))["code"] == "replaced"
        await newer.close()
