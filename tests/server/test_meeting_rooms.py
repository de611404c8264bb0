"""A room that a meeting is in: named by the organiser, a row on the leader's board and in the summary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from readiness.access.actors import clock_of
from readiness.access.links import Links, api_token
from readiness.access.rooms import enrol, give_code
from readiness.meetings.board_pdf import board_sheet
from readiness.meetings.outbox import OutboxRunner
from readiness.server.board import day_of, sheet_of
from readiness.settings import load_settings
from readiness.texts import catalogue
from reports.store.records import Outgoing, new_id
from tests.cast import SUNNAAS
from tests.fleet import AGENT, BROKEN, RITA, result, room, room_check
from tests.meetings.receivers import mailbox
from tests.security.support import redeem


async def test_a_room_by_name_is_on_the_board_and_in_the_summary(server, http):
    """With its newest check and its age, on paper too; nothing can be tapped of it; its PC hears of the times only."""
    store, contacts, now = server.store, server.services.contacts, server.services.now()
    await store.ensure_organisation(SUNNAAS)
    await store.add_room(RITA, room())
    opened = await enrol(
        store, contacts, await give_code(store, contacts, RITA, room().id, now), now, agent=AGENT, system="linux"
    )
    assert opened is not None
    program = {"Authorization": f"Bearer {await api_token(store, SUNNAAS, now)}"}
    wish = {
        "starts_at": (now + timedelta(hours=3)).isoformat(), "minutes": 30, "rooms": ["Fjorden"],
        "participants": [{"role": "patient", "label": "Anna"}],
        "hosts": [{"role": "leader", "label": "Lars", "mail": "lars@sykehus.example"}],
    }  # fmt: skip
    async with http.post("/api/v1/meetings", json=wish | {"rooms": ["Viken"]}, headers=program) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == {
            "code": "room.not_found",
            "message": "room.not_found",
            "field": "rooms.0",
        }
    async with http.post("/api/v1/meetings", json=wish, headers=program) as answer:
        made = await answer.json()
    assert [(one["name"], one["state"]) for one in made["rooms"]] == [("Fjorden", "not_tested")]
    clock = clock_of("sunnaas")
    meeting, host = await store.meeting(clock, made["id"]), (await store.hosts(clock, made["id"]))[0]
    assert meeting is not None
    link = (await Links(store, contacts, SUNNAAS, server.base, now).of(meeting, host)).link
    session = await redeem(http, link.rpartition("#")[2])

    async def row():
        async with http.get(f"/api/v1/boards/{session}") as answer:
            (found,) = [one for one in (await answer.json())["participants"] if one.get("room")]
            return found

    assert (await row())["state"] == "not_tested"
    key = {"Authorization": f"Bearer {opened[1]}"}
    for minutes in (20, 10):
        body = result(datetime.now(UTC) - timedelta(minutes=minutes), check=room_check(**BROKEN))
        async with http.post("/api/rooms/results", json=body, headers=key) as answer:
            assert answer.status == 201
    told = await row()
    assert (told["label"], told["state"], told["responsible"]) == ("Fjorden, B", "not_ready", "room_host")
    age = datetime.now(UTC) - datetime.fromisoformat(told["tested_at"])
    assert timedelta(minutes=9) < age
    leader = await store.session_by_id(session)
    assert leader is not None
    day = await day_of(server.services, leader)
    (printed,) = board_sheet(await sheet_of(server.services, leader, day, day.own, "en")).data["meetings"]
    line = printed["rows"][-2]  # the last is the leader
    assert (line["label"], line["role"], line["tone"]) == ("Fjorden, B", "Meeting room", "bad")
    assert line["todo"] == catalogue("en")["leader.room.not_ready"]
    assert line["tested"]
    async with http.get("/api/rooms/settings", headers=key) as answer:
        assert [set(one) for one in (await answer.json())["meetings"]] == [{"starts_at", "ends_at"}]
    async with mailbox() as box:
        settings = load_settings({
            "READINESS_DATA_DIR": str(server.services.settings.data_dir), "READINESS_SMTP_URL": box.url,
            "READINESS_MAIL_FROM": "v@ready.example", "READINESS_PUBLIC_URL": "https://video.example",
        })  # fmt: skip
        summary = Outgoing(
            new_id(), "sunnaas", made["id"], None, host.id, "summary", "mail", None, now, now + timedelta(hours=1)
        )
        await store.queue([summary])
        later = now + timedelta(hours=1, seconds=1)
        runner = OutboxRunner(store, contacts, settings, now=lambda: later, base_url=lambda: "https://video.example")
        await runner.send_due()
        (mail,) = [one for one in box.mails if one["To"] == "lars@sykehus.example"]
        assert "Møterom" in mail.get_body(("plain",)).get_content()
    async with http.patch(f"/api/v1/meetings/{made['id']}", json={"rooms": []}, headers=program) as answer:
        assert (await answer.json())["rooms"] == []
