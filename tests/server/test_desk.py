"""Support's desk over HTTP: take, help, end; find who calls; and what nobody else sees of it."""

from __future__ import annotations

import asyncio
import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
import sqlalchemy as sa

from readiness.access.rooms import enrol, give_code
from readiness.meetings.addresses import Reach, phone_hash, seal_reach
from readiness.server import streams
from readiness.texts import LANGUAGES, catalogue
from reports.store.records import Host, new_id
from reports.store.room_tables import room as room_table
from tests.actors import leader, otto, participant
from tests.cast import CANARY_LABEL, make_cast, supporter
from tests.fleet import AGENT, BROKEN, RITA, result, room, room_check
from tests.made import BLOCKED, made_report, support_link
from tests.patience import PATIENCE_S
from tests.server.test_board import phases, reported
from tests.server.test_links import redeem

NUMBER, GIVEN, LEADS = "+4790000001", "+4790000002", "+4790000003"


@pytest.fixture
async def desk(server, http) -> SimpleNamespace:
    """Anna failed her test and has two numbers, Lars leads and has one; Nora has support's page open."""
    cast = await make_cast(server.store)
    store, box = server.store, server.services.contacts
    starts = server.services.now() + timedelta(hours=1)
    times = {"starts_at": starts, "ends_at": starts + timedelta(hours=1)}
    await store.change_meeting(otto("sunnaas"), cast.meeting.id, times)
    reach = {"reach": seal_reach(box, Reach(phone=NUMBER)), "phone_hash": phone_hash(box, NUMBER)}
    await store.change_participant(otto("sunnaas"), cast.meeting.id, cast.anna.id, reach)
    await store.set_practical(
        participant(cast.anna.id), cast.anna.id, phone_encrypted=box.close(GIVEN), phone_hash=phone_hash(box, GIVEN)
    )
    lars = Host(new_id(), cast.meeting.id, "leader", "Lars", "nb", seal_reach(box, Reach(phone=LEADS)))
    await store.add_host(otto("sunnaas"), cast.meeting.id, replace(lars, phone_hash=phone_hash(box, LEADS)))
    await reported(server, cast, cast.anna, phases(camera__present="NotAllowedError"))
    return SimpleNamespace(cast=cast, session=await opened(server, http), person=cast.anna.id)


async def opened(server, http) -> str:
    """An open page of support, by a link of its own."""
    return (await (await redeem(http, await support_link(server.store)))[2].json())["session"]


async def shown(http, session: str, lang: str = "en", **query: str) -> str:
    """A page of the desk as its reader sees it."""
    async with http.get(f"/support/{session}", params={"lang": lang, **query}) as answer:
        assert answer.status == 200, await answer.text()
        return html.unescape(await answer.text()).replace("\u00a0", " ")


async def sent(http, path: str, **form: str) -> str:
    """Send a form, and return where it leads."""
    async with http.post(path, data={"lang": "en", **form}, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]


async def test_a_case_from_the_list_to_solved(server, http, desk):
    """Take next, read the cause, see whom to call, note, and end it; the leader sees that support has it."""
    text = await shown(http, desk.session)
    assert "This page may not use the camera" in text
    assert text.count('class="line"') == 1
    where = await sent(http, f"/support/{desk.session}/next")
    assert where == f"/support/{desk.session}?lang=en&person={desk.person}"
    text = await shown(http, desk.session, person=desk.person)
    for words in (
        f"tel:{GIVEN}", f"tel:{NUMBER}", f"tel:{LEADS}", CANARY_LABEL, "First seen in this test",
        "There is no good test to compare with.", "The caller can do this.",
    ):  # fmt: skip
        assert words in text, words
    act = f"/support/{desk.session}/person/{desk.person}"
    assert (await sent(http, f"{act}/note", text="Ringer <b>tilbake</b>")).endswith("said=noted")
    assert "Ringer <b>tilbake</b>" in await shown(http, desk.session, person=desk.person)
    (case,) = await server.store.cases_of(leader("sunnaas"), desk.cast.meeting.id)
    assert case.taken_at is not None
    assert (await sent(http, f"{act}/done", how="anything")).endswith("said=how")
    assert (await sent(http, f"{act}/done", how="setting")) == f"/support/{desk.session}?lang=en&said=done"
    text = await shown(http, desk.session, said="done")
    assert catalogue("en")["support.said.done"] in text
    assert catalogue("en")["support.nobody"] in text
    assert (await sent(http, f"/support/{desk.session}/next")).endswith("said=nobody")


async def test_only_who_has_a_case_sees_name_and_numbers_and_acts(server, http, desk):
    """Before it is taken, and for a colleague: role and time alone. Taken over it is the colleague's."""
    other = await opened(server, http)
    secrets = (CANARY_LABEL, NUMBER, GIVEN, LEADS)
    act = f"/support/{other}/person/{desk.person}"
    for path, form in (("done", {"how": "setting"}), ("back", {}), ("resend", {})):
        assert (await sent(http, f"{act}/{path}", **form)).endswith(f"person={desk.person}&said=not_yours"), path
    await sent(http, f"/support/{desk.session}/next")
    for session, sees in ((other, False), (desk.session, True)):
        text = await shown(http, session, person=desk.person)
        assert [secret in text for secret in secrets] == [sees] * 4
        assert not [secret for secret in secrets if secret in await shown(http, session)]
    assert (await sent(http, f"{act}/take")).endswith(f"person={desk.person}&said=taken")
    over = re.search(r'name="over" value="([^"]+)"', await shown(http, other, person=desk.person))
    assert over
    assert (await sent(http, f"{act}/take", over=over[1])).endswith(f"person={desk.person}")
    assert CANARY_LABEL in await shown(http, other, person=desk.person)
    assert CANARY_LABEL not in await shown(http, desk.session, person=desk.person)
    assert (await sent(http, f"{act}/take".replace(desk.person, "nobody"))).endswith("said=gone")


async def test_of_a_cancelled_meeting_no_link_and_no_code_is_given(server, http, desk):
    """Its cases are closed; the page that is still open says so, and what to do instead."""
    await sent(http, f"/support/{desk.session}/next")
    await server.store.cancel_meeting(otto("sunnaas"), desk.cast.meeting.id, server.services.now())
    act = f"/support/{desk.session}/person/{desk.person}"
    for path in ("code", "resend"):
        assert (await sent(http, f"{act}/{path}")).endswith(f"person={desk.person}&said=cancelled"), path
    page = await shown(http, desk.session, person=desk.person, said="cancelled")
    assert catalogue("en")["support.said.cancelled"] in page


async def test_who_calls_is_found_and_nothing_typed_stands_in_an_address(server, http, desk, caplog):
    """By code however it is read, by each number, by a part of the name; what is not found is said and kept."""
    made, find = await made_report(server.store), f"/support/{desk.session}/find"
    me = f"/support/{desk.session}?lang=en&person={desk.person}"
    assert (
        await sent(http, find, q=" ".join(made.code.lower()))
    ) == f"/support/{desk.session}?lang=en&code={made.code}"
    room = {"label": "9000 0009"}
    await server.store.change_participant(otto("sunnaas"), desk.cast.meeting.id, desk.cast.per.id, room)
    assert (await sent(http, find, q="9000 0009")) == f"/support/{desk.session}?lang=en&person={desk.cast.per.id}"
    for typed in (NUMBER, "90 00 00 01", "4790000001", "0047 900 00 002", CANARY_LABEL[2:8].upper()):
        assert await sent(http, find, q=typed) == me, typed
    many = await sent(http, find, q=LEADS)
    assert set(many.partition("who=")[2].split(".")) == {desk.person, desk.cast.per.id}
    who = many.partition("who=")[2]
    text = await shown(http, desk.session, who=who)
    assert CANARY_LABEL in text
    assert f"?lang=nb&who={who}" in text, "another language keeps who was found"
    for typed in ("Nobody Whatever", "+4799999999", "x", "<b>bold"):
        async with http.post(find, data={"q": typed}) as answer:
            page = html.unescape(await answer.text())
            assert answer.status == 404, typed
            assert catalogue("nb")["support.problem.nothing"] in page
            assert f'value="{typed}"' in page
    async with http.get("/support/call", params={"number": NUMBER}, allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"/support/{desk.session}?person={desk.person}"
    async with http.get("/support/call", params={"number": "+4799999999"}) as answer:
        assert answer.status == 404
        assert catalogue("nb")["support.problem.number"] in html.unescape(await answer.text())
    async with aiohttp.ClientSession(server.base) as stranger, stranger.get(f"/support/call?number={NUMBER}") as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "session.not_valid"
    assert not [one for one in (NUMBER[3:], CANARY_LABEL) if one in caplog.text]


async def test_the_link_goes_out_again_by_sms(server, http, desk):
    """Once in two minutes, to a mobile number; where no SMS can be sent, that is said."""
    await sent(http, f"/support/{desk.session}/next")
    act = f"/support/{desk.session}/person/{desk.person}/resend"
    assert (await sent(http, act)).endswith("said=no_sms")
    server.services.settings = replace(server.services.settings, sms_url="http://127.0.0.1:9/sms")
    assert [(await sent(http, act)).rpartition("=")[2] for _ in range(2)] == ["sent", "too_soon"]
    (message,) = [
        one for one in await server.store.outgoing_of(leader("sunnaas"), desk.cast.meeting.id) if one.channel == "sms"
    ]
    assert (message.kind, message.participant_id) == ("invitation", desk.person)


async def test_an_open_page_hears_of_news_and_of_the_end_of_its_session(server, http, desk, monkeypatch):
    """What the list holds at first, after somebody took from it, and nothing once the link is closed."""
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.2)

    async def heard(answer: aiohttp.ClientResponse, name: str) -> dict:
        async with asyncio.timeout(PATIENCE_S):
            while (line := await answer.content.readline()) != f"event: {name}\n".encode():
                assert line, "the stream ended"
            return json.loads((await answer.content.readline()).removeprefix(b"data: "))

    async with http.get(f"/api/v1/desks/{desk.session}/events?lang=en") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        told = await heard(answer, "desk")
        (line,) = told["lines"]
        assert (line["id"], line["waits"], told["waiting"]) == (desk.person, True, 1)
        await sent(http, f"/support/{desk.session}/next")
        while (told := await heard(answer, "desk"))["waiting"]:
            pass
        assert told["lines"][0]["state"].startswith("You took this")
        assert CANARY_LABEL not in json.dumps(told)
        await server.store.revoke_links("sunnaas", "support", server.services.now())
        assert await heard(answer, "closed") == {}


async def test_a_report_says_since_when_and_what_changed(server, http, desk):
    """Against the same person's last good test: device, browser and figures; the same once more says that too."""
    cast, person = desk.cast, desk.cast.per
    for found in ({}, BLOCKED, BLOCKED):
        await reported(server, cast, person, phases(**found))
    text = re.sub(r"<[^>]+>", "", await shown(http, desk.session, person=person.id))
    assert "The same in the last 2 tests, since" in text
    changed = text.partition("What has changed")[2]
    assert "Since the last good test" in changed
    for words in ("Not allowed", "Only web pages get through", "Delay: 48.1 (Good) →became 213 (Could be better)"):
        assert words in changed, words
    assert "Hum" not in changed.partition("Earlier tests")[0], "0 before and 0 now"
    newest = await server.store.report_of_person(supporter("sunnaas"), person.id)
    for said, pressed in (("false_alarm", 1), ("missed_sound", 1), ("missed_sound", 0)):
        where = f"/support/{desk.session}/report/{newest.id}/judged"
        assert (await sent(http, where, judged=said, code=newest.code)).endswith("said=judged")
        page = await shown(http, desk.session, code=newest.code)
        assert page.count('aria-pressed="true"') == pressed


async def test_a_report_names_the_meetings_room_and_what_changed_in_it(server, http, desk):
    """The microphone was pulled since the room last passed; as long as nothing differs, that is said; ready says so."""
    store, box, now = server.store, server.services.contacts, server.services.now()
    await store.add_room(RITA, room())
    await store.set_meeting_rooms(otto("sunnaas"), desk.cast.meeting.id, [room().id])
    code = await give_code(store, box, RITA, room().id, now)
    enrolled = await enrol(store, box, code, now, agent=AGENT, system="linux")
    assert enrolled is not None

    async def told(minutes: int, **found: str) -> str:
        body = result(now - timedelta(minutes=minutes), check=room_check(**found))
        key = {"Authorization": f"Bearer {enrolled[1]}"}
        async with http.post("/api/rooms/results", json=body, headers=key) as answer:
            assert answer.status == 201
        text = re.sub(r"<[^>]+>", " ", await shown(http, desk.session, person=desk.person))
        return text.partition("The meeting room Fjorden")[2].partition("Picture and sound")[0]

    assert catalogue("en")["room.state.ready"] in await told(40)
    broken = await told(20, **BROKEN)
    assert "Last passed" in broken
    assert "Microphone: Good before, Must be fixed now" in broken
    assert "Last passed" not in await told(10)


async def test_rooms_with_an_alarm_stand_below(server, http, desk):
    """By name and building, with what was found."""
    await server.store.add_room(RITA, room())
    async with server.store._database.write() as connection:
        await connection.execute(sa.update(room_table).values(alarm_at=server.services.now(), state="not_ready"))
    text = await shown(http, desk.session)
    assert catalogue("en")["support.rooms"] in text
    assert room().name in text


async def test_no_key_of_the_catalogue_is_left_over(server, http, desk):
    """The list, a case, a search and every answer of a form are words in every language."""
    await sent(http, f"/support/{desk.session}/next")
    for language in LANGUAGES:
        for query in ({}, {"person": desk.person}, {"who": desk.person}, {"show": "mine"}):
            visible = re.sub(r"<[^>]*>", " ", await shown(http, desk.session, language, **query))
            left = re.findall(r"\b(?:support|staff|role|room|outcome|check)\.[a-z_]+(?:\.[a-z_]+)*\b", visible)
            assert left == []
            assert not re.search(r"\{\w+\}|\bNone\b", visible)
    texts = (Path(__file__).parents[2] / "readiness/server/desk_view.py").read_text(encoding="utf-8")
    said = re.search(r"SAID: Final = frozenset\((.*?)\n\)", texts, re.DOTALL)
    assert said
    for name in re.findall(r'"(\w+)"', said[1]):
        assert f"support.said.{name}" in catalogue("nb"), name


async def test_a_note_that_is_too_long_is_said_and_nothing_typed_is_lost(http, desk):
    """501 characters come back in the field with what is wrong; 500 are kept."""
    await sent(http, f"/support/{desk.session}/next")
    path = f"/support/{desk.session}/person/{desk.person}/note"
    async with http.post(f"{path}?lang=en", data={"text": "å" * 501, "lang": "en"}) as answer:
        page = html.unescape(await answer.text())
        assert answer.status == 400
        assert "å" * 501 in page
        assert catalogue("en")["support.note_long"] in page
    assert (await sent(http, path, text="å" * 500)).endswith("said=noted")
    assert (await sent(http, path, text="  ")).endswith("said=empty")


async def test_a_note_in_a_case_that_is_no_longer_ones_own_stays_in_the_field(server, http, desk):
    """Taken over by a colleague meanwhile: 409 with the words and the text, which goes along when it is taken back."""
    other = await opened(server, http)
    act = f"/support/{desk.session}/person/{desk.person}"
    await sent(http, f"/support/{desk.session}/next")
    over = re.search(r'name="over" value="([^"]+)"', await shown(http, other, person=desk.person))
    assert over
    await sent(http, f"/support/{other}/person/{desk.person}/take", over=over[1])
    typed = "Ringer tilbake\nkl. 10"
    async with http.post(f"{act}/note?lang=en", data={"text": typed, "lang": "en"}) as answer:
        page = html.unescape(await answer.text())
        assert answer.status == 409
    assert f">{typed}</textarea>" in page
    assert catalogue("en")["support.said.not_yours"] in page
    assert CANARY_LABEL not in page
    assert f'name="text" value="{typed}"' in page
    over = re.search(r'name="over" value="([^"]+)"', page)
    assert over
    async with http.post(f"{act}/take?lang=en", data={"text": typed, "lang": "en", "over": "staff:old"}) as answer:
        page = html.unescape(await answer.text())
        assert answer.status == 409
        assert f">{typed}</textarea>" in page
        assert catalogue("en")["support.said.taken"] in page
    async with http.post(f"{act}/take?lang=en", data={"text": typed, "lang": "en", "over": over[1]}) as answer:
        page = html.unescape(await answer.text())
        assert answer.status == 200
        assert f">{typed}</textarea>" in page
        assert CANARY_LABEL in page
    assert (await sent(http, f"{act}/note", text=typed)).endswith("said=noted")
