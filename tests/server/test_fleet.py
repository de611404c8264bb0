"""Fleets of rooms: who else is told of changes, by signed posts and by mail, and what programs read."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import hmac
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from readiness.access.links import fleet_token, room_link
from readiness.access.rooms import enrol, give_code
from readiness.meetings import room_notices
from readiness.meetings.room_notices import RoomNotices, signature
from readiness.settings import load_settings
from reports.store.room_records import RoomHook
from tests.cast import SUNNAAS
from tests.fleet import AGENT, BROKEN, RITA, result, room, room_check
from tests.meetings.receivers import mailbox
from tests.patience import PATIENCE_S
from tests.security.support import redeem

EVIL = "=cmd|' /C calc'!A0"
SECRET = "the hook's secret"
TELL = RoomNotices.run
"""The real one: `by_hand` puts one that waits in its place."""


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """The server's own teller waits, so that each test tells at moments of its own."""

    async def wait(_teller: RoomNotices) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(RoomNotices, "run", wait)


@pytest.fixture
async def key(server):
    """The key of a room whose name is a formula, and whose contact gets mail."""
    store, contacts = server.store, server.services.contacts
    await store.ensure_organisation(SUNNAAS)
    await store.add_room(RITA, room(EVIL, id="r1", contact=contacts.close("rom@sykehus.example")))
    code = await give_code(store, contacts, RITA, "r1", server.services.now())
    opened = await enrol(store, contacts, code, server.services.now(), agent=AGENT, system="linux")
    assert opened is not None
    return {"Authorization": f"Bearer {opened[1]}"}


async def post(http, key, minutes: int, **changed) -> None:
    body = result(datetime.now(UTC) - timedelta(minutes=minutes), check=room_check(**changed))
    async with http.post("/api/rooms/results", json=body, headers=key) as answer:
        assert answer.status == 201


def notices(server, **settings: str) -> RoomNotices:
    """What tells, an hour from now, so that what was tried once is due again."""
    chosen = load_settings({"READINESS_DATA_DIR": str(server.services.settings.data_dir), **settings})
    later = datetime.now(UTC) + timedelta(hours=1)
    return RoomNotices(server.store, server.services.contacts, chosen, now=lambda: later)


@contextlib.asynccontextmanager
async def hook(server, take) -> AsyncIterator[None]:
    """A hook of Sunnaas on loopback, which `take` answers."""
    app = web.Application()
    app.router.add_post("/rooms", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/rooms"
        close = server.services.contacts.close
        await server.store.add_room_hook(RITA, RoomHook("h1", "sunnaas", close(url), close(SECRET), datetime.now(UTC)))
        yield
    finally:
        await runner.cleanup()


async def test_a_hook_hears_every_event_signed_and_again_after_a_failure(server, http, key):
    """The number says in which order, the signature covers time and body, and a redirect is no answer."""
    heard, statuses = [], [500, 302]

    async def take(request: web.Request) -> web.Response:
        heard.append((dict(request.headers), await request.read()))
        return web.Response(status=statuses.pop(0) if statuses else 204)

    async with hook(server, take):
        await post(http, key, 20, **BROKEN)
        tries = [notices(server) for _ in range(3)]
        for hours, one in enumerate(tries):
            later = datetime.now(UTC) + timedelta(hours=1 + hours)
            one._now = lambda later=later: later
            await one.send_due()
    assert len(heard) == 3
    for headers, body in heard:
        told = json.loads(body)
        assert (told["kind"], told["sequence"], told["findings"][0]) == ("fail", 2, "room.microphone_missing")
        assert headers["Readiness-Event"] == "r1:2"
        at = headers["Readiness-Signature"].partition(",")[0].removeprefix("t=")
        wanted = hmac.new(SECRET.encode(), f"{at}.".encode() + body, "sha256").hexdigest()
        assert headers["Readiness-Signature"] == f"t={at},v1={wanted}" == signature(SECRET, int(at), body)
    assert await server.store.claim_room_notices(datetime.now(UTC) + timedelta(days=1), 10, 1.0) == []


async def test_the_contact_is_written_to_at_an_alarm_and_when_it_is_over(server, http, key):
    """Not at a first failure; what is wrong, what to do and who can, in the organisation's language."""
    async with mailbox() as box:
        teller = notices(server, READINESS_SMTP_URL=box.url, READINESS_MAIL_FROM="rom@ready.example")
        await post(http, key, 30, **BROKEN)
        assert await teller.send_due() == 0
        await post(http, key, 20, **BROKEN)
        assert await teller.send_due() == 1
        await post(http, key, 10)
        assert await teller.send_due() == 1
        alarm, over = box.mails
        assert "Alarm" in alarm["Subject"]
        said = alarm.get_content()
        assert "Mikrofonen er ikke koblet til" in said
        assert "Den som har ansvar for rommet" in said
        assert "klart igjen" in over["Subject"]


async def test_silence_is_noticed_by_the_plan(server, http, key):
    """Two planned checks without a result are unknown, once; the room's own zone and days count."""
    await post(http, key, 0)
    teller = notices(server)
    assert await teller.note_silence() == 0
    later = datetime.now(UTC) + timedelta(days=6)
    teller._now = lambda: later
    assert await teller.note_silence() == 1
    assert await teller.note_silence() == 0


async def test_programs_and_spreadsheets_read_state_and_history(server, http, key):
    """JSON, CSV in which no cell is a formula (INJ-1), and metrics whose labels break out of nothing."""
    for minutes in (30, 20):
        await post(http, key, minutes, **BROKEN)
    token = await fleet_token(server.store, SUNNAAS, server.services.now())
    bearer = {"Authorization": f"Bearer {token}"}
    async with http.get("/api/v1/rooms", headers=bearer) as answer:
        (told,) = (await answer.json())["rooms"]
    assert (told["state"], told["alarm"], told["finding"]) == ("not_ready", True, "room.microphone_missing")
    async with http.get("/api/v1/rooms?format=csv", headers=bearer) as answer:
        (row,) = csv.DictReader(io.StringIO(await answer.text()))
    assert row["name"] == f"'{EVIL}"
    async with http.get("/api/v1/rooms/r1/history", headers=bearer) as answer:
        history = await answer.json()
    assert [one["verdict"] for one in history["results"]] == ["not_ready", "not_ready"]
    assert [one["kind"] for one in history["events"]] == ["alarm", "fail", "enrolled"]
    async with http.get("/api/v1/rooms/r1/history?format=csv", headers=bearer) as answer:
        assert len(list(csv.reader(io.StringIO(await answer.text())))) == 3
    async with http.get("/api/v1/rooms/metrics", headers=bearer) as answer:
        metrics = await answer.text()
    assert 'readiness_rooms{state="not_ready"} 1\n' in metrics
    assert f'readiness_room_alarm{{id="r1",building="B",name="{EVIL}"}} 1\n' in metrics
    for path, status in (("?format=xml", 400), ("/r1/history?since=today", 400), ("/none/history", 404)):
        async with http.get(f"/api/v1/rooms{path}", headers=bearer) as answer:
            assert answer.status == status, path
    async with http.post("/api/rooms/results", json={}, headers=bearer) as answer:
        assert answer.status == 401, "what reads the fleet posts nothing"


async def test_a_managers_link_outlasts_a_day_for_the_display_on_the_wall(server, http, key):
    """Its session reads the same interface, and ends with the link."""
    link = await room_link(server.store, SUNNAAS, server.base, server.services.now())
    session = await redeem(http, link.rpartition("#")[2])
    start = datetime.now(UTC)
    for days, status in ((0, 200), (80, 200), (91, 404)):
        server.services.now = lambda days=days: start + timedelta(days=days)
        async with http.get(f"/rooms/{session}/wall") as answer:
            assert answer.status == status, days
            if status == 200:
                assert "=cmd|&#39; /C calc&#39;!A0" in await answer.text()


async def test_a_manager_changes_the_room_on_its_page(server, http, key):
    """What is wrong is said and nothing typed is lost; what is right reaches the room's PC with its next question."""
    link = await room_link(server.store, SUNNAAS, server.base, server.services.now())
    page = f"/rooms/{await redeem(http, link.rpartition('#')[2])}/room/r1"
    typed = {
        "name": "Viken", "building": "C", "zone": "2", "contact": "rom@sykehus.example", "days": "all", "at": "05:30",
        "often": "two", "work_from": "07:00", "work_to": "15:00", "quiet_from": "19:00", "quiet_to": "07:00",
        "cancels_own_echo": "yes",
    }  # fmt: skip
    async with http.post(f"{page}/edit", data=typed | {"work_to": "06:00"}) as answer:
        said = await answer.text()
        assert answer.status == 400
        assert "08:00" in said
        assert 'value="Viken"' in said
    async with http.post(f"{page}/edit", data=typed) as answer:
        said = await answer.text()
        assert answer.status == 200
        assert 'id="saved"' in said
        assert 'value="rom@sykehus.example"' in said
    async with http.get("/api/rooms/settings", headers=key) as answer:
        told = await answer.json()
    assert (told["room"]["name"], told["settings"]["cron"]) == ("Viken", "30 5-14/2 * * *")
    assert told["settings"]["cancels_own_echo"] is True
    await server.store.add_room(RITA, room("Fjorden", id="r2"))
    async with http.post(f"{page}/edit", data=typed | {"name": "Fjorden"}) as answer:
        assert answer.status == 400
        assert 'value="Fjorden"' in await answer.text()


async def test_news_is_told_at_once_and_what_failed_again_at_a_later_look(server, http, key, monkeypatch):
    """News wakes the teller; a hook that answered with a fault is asked again at a look after its time."""
    heard, statuses = asyncio.Queue(), [500]

    async def take(request: web.Request) -> web.Response:
        heard.put_nowait(json.loads(await request.read())["kind"])
        return web.Response(status=statuses.pop(0) if statuses else 204)

    monkeypatch.setattr(room_notices, "POLL_S", 3600.0)
    telling = notices(server)
    running = asyncio.create_task(TELL(telling))
    try:
        async with hook(server, take), asyncio.timeout(PATIENCE_S):
            await post(http, key, 20, **BROKEN)
            assert await heard.get() == "fail"
            await post(http, key, 10)
            assert await heard.get() == "recovery"
            later = datetime.now(UTC) + timedelta(hours=3)
            telling._now = lambda: later
            server.store.noticed.set()
            assert await heard.get() == "fail"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
