"""Support follows a test: nothing before the person says yes; steps, figures and hints after it; nothing after no."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import aiohttp
import pytest

from readiness.server import streams
from readiness.server.followed import ALIVE, FOLLOWED_AFTER, message_of
from readiness.texts import catalogue
from reports.assembly import Ending, make_report
from reports.kinds import SELF_TEST, profile_of
from reports.render.follow import hints_of
from reports.store.follow_records import line_of_follow
from reports.store.passing import written
from tests.cast import CANARY_LABEL, make_cast, supporter
from tests.patience import PATIENCE_S, until_kept
from tests.security.support import next_of, redeem, started
from tests.server.test_board import FIGURES, GOOD, phases
from tests.server.test_desk import opened, sent, shown
from tests.server.test_takeover import DEVICES, another_browser, final

EN = catalogue("en")


class Stream:
    """A stream of server-sent events, and everything that came."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer, self.came = answer, []

    async def next(self, name: str, wanted=lambda _: True) -> dict:
        """The next event of this name that is wanted."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                line = await self._answer.content.readline()
                assert line, f"the stream ended before {name!r}"
                if not line.startswith(b"event: "):
                    continue
                found = json.loads((await self._answer.content.readline()).removeprefix(b"data: "))
                self.came.append((line.decode()[7:].strip(), found))
                if self.came[-1][0] == name and wanted(found):
                    return found


@contextlib.asynccontextmanager
async def stream(http: aiohttp.ClientSession, path: str) -> AsyncIterator[Stream]:
    """An open stream."""
    async with http.get(path) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield Stream(answer)


async def posted(http: aiohttp.ClientSession, path: str, status: int = 200, method: str = "POST", **body) -> dict:
    """Send JSON, and return the answer."""
    async with http.request(method, path, json=body) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


@pytest.fixture
async def scene(server, http, monkeypatch) -> AsyncIterator[SimpleNamespace]:
    """Anna's page, and Nora's desk in another browser; looks are often."""
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.2)
    cast = await make_cast(server.store)
    anna = await redeem(http, cast.anna_token)
    async with another_browser(server.base) as nora:
        desk = await opened(server, nora)
        yield SimpleNamespace(
            cast=cast, anna=anna, own=f"/api/v1/sessions/{anna}/follow", nora=nora, desk=desk,
            person=f"/support/{desk}/person/{cast.anna.id}",
        )  # fmt: skip


async def one_followed(server) -> str:
    """The id of the one who lets support follow."""
    (one,) = await server.store.followings(supporter("sunnaas"), server.services.now())
    return one.id


async def test_without_the_tap_nothing_reaches_support(server, http, scene, monkeypatch):
    """A whole step of a test passes without one message, on the desk and between processes; after the tap they come."""
    passed = []
    real = server.store.pass_on

    async def noted(topic, message):
        passed.append(message)
        await real(topic, message)

    monkeypatch.setattr(server.store, "pass_on", noted)
    async with stream(scene.nora, f"/api/v1/desks/{scene.desk}/events?lang=en") as desk:
        await desk.next("desk")
        socket, plan = await started(http, scene.anna)
        await final(socket, "devices", DEVICES)
        await until_kept(server.store, plan["test"], "devices")
        assert passed == []
        assert [told["followed"] for name, told in desk.came if name == "desk"] == [[]] * len(desk.came)
        page = await shown(scene.nora, scene.desk, person=scene.cast.anna.id)
        assert 'data-follow="' not in page
        async with scene.nora.get(f"/api/v1/desks/{scene.desk}/follow/{'a' * 22}/events") as answer:
            assert answer.status == 404
        async with http.get(f"{scene.own}/events") as answer:
            assert answer.status == 204
        assert await posted(http, scene.own, method="GET") == {"followed": False, "code": ""}
        code = (await posted(http, scene.own))["code"]
        assert await posted(http, scene.own, method="GET") == {"followed": True, "code": code}
        told = await desk.next("desk", lambda found: found["followed"])
        assert told["followed"][0]["person"] == scene.cast.anna.id
        assert CANARY_LABEL not in json.dumps(told)
        async with asyncio.timeout(PATIENCE_S):
            while not passed:
                await asyncio.sleep(0.01)
    await socket.close()


async def test_support_sees_steps_and_figures_and_sends_a_hint_until_the_person_stops(server, http, scene):
    """Judged checks in words, the hint on the page, "shown" on the desk; no detail, no name; after "stop" nothing."""
    socket, _ = await started(http, scene.anna)
    code = (await posted(http, scene.own))["code"]
    await sent(scene.nora, f"{scene.person}/take")
    page = await shown(scene.nora, scene.desk, person=scene.cast.anna.id)
    follow = f"/api/v1/desks/{scene.desk}/follow/{await one_followed(server)}"
    assert follow in page
    assert (await sent(scene.nora, f"/support/{scene.desk}/find", q=code.lower())).endswith(follow.rpartition("/")[2])
    async with stream(scene.nora, f"{follow}/events?lang=en") as desk, stream(http, f"{scene.own}/events") as own:
        assert (await own.next("followed"))["code"] == code
        denied = {**DEVICES, "camera": {"status": "NotAllowedError"}}
        await final(socket, "devices", denied)
        seen = await desk.next("test", lambda found: found["checks"])
        assert seen["checks"][0]["name"] == EN["check.camera.present"]
        assert seen["advice"][0] == {"code": "camera.denied", "title": EN["advice.camera.denied.title"]}
        assert seen["step"] == "Now: " + EN["support.part.devices"]
        hint = (await posted(scene.nora, f"{follow}/hint?lang=en", code="camera.denied"))["hint"]
        assert await own.next("hint") == {"id": hint, "code": "camera.denied"}
        await posted(http, f"{scene.own}/shown", hint=hint)
        assert await desk.next("shown") == {"hint": hint}
        await posted(scene.nora, f"{follow}/hint", 429, code="camera.dark")
        await posted(scene.nora, f"{follow}/hint", 400, code="anything else")
        await posted(http, scene.own, method="DELETE")
        assert await desk.next("ended") == {}
        assert await own.next("ended") == {}
        assert CANARY_LABEL not in json.dumps(desk.came)
    await posted(scene.nora, f"{follow}/hint", 404, code="camera.dark")
    async with scene.nora.get(f"{follow}/events") as answer:
        assert answer.status == 404
    await socket.close()


async def test_who_comes_late_sees_the_whole_and_a_test_that_ends_lets_go(server, http, scene):
    """A desk that opens in the middle is told at once; the answer's address comes, and minutes later it is over."""
    await posted(http, scene.own)
    following = await one_followed(server)
    follow = f"/api/v1/desks/{scene.desk}/follow/{following}/events?lang=en"
    socket, plan = await started(http, scene.anna)
    await final(socket, "devices", DEVICES)
    await until_kept(server.store, plan["test"], "devices")
    async with stream(scene.nora, follow) as desk:
        seen = await desk.next("test", lambda found: found["done"])
        assert {one["name"] for one in seen["checks"]} >= {EN["check.camera.present"], EN["check.microphone.present"]}
        (one,) = await server.store.followings(supporter("sunnaas"), server.services.now())
        assert server.services.now() < one.until <= server.services.now() + ALIVE
        await socket.send_json({"type": "samples", "phase": "finish", "kind": "final", "data": {}, "final": True})
        report = (await next_of(socket, "report"))["report"]
        assert f"code={report['code']}" in (await desk.next("over"))["href"]
        (one,) = await server.store.followings(supporter("sunnaas"), server.services.now())
        assert one.until <= server.services.now() + FOLLOWED_AFTER
        now = server.services.now() + FOLLOWED_AFTER + timedelta(seconds=1)
        server.services.now = lambda: now
        assert await desk.next("ended") == {}
    assert await server.store.end_followings_due(now) == 1


async def test_it_ends_with_the_persons_link_and_with_the_desks(server, http, scene):
    """A closed link of either ends what it had open, within seconds."""
    await posted(http, scene.own)
    follow = f"/api/v1/desks/{scene.desk}/follow/{await one_followed(server)}"
    async with stream(scene.nora, f"{follow}/events") as desk, stream(http, f"{scene.own}/events") as own:
        await own.next("followed")
        await server.store.revoke_invitation(scene.cast.anna_invitation.id, server.services.now())
        assert await own.next("ended") == {}
        assert await desk.next("ended") == {}
    async with another_browser(server.base) as per:
        path = f"/api/v1/sessions/{await redeem(per, scene.cast.per_token)}/follow"
        await posted(per, path)
        async with stream(scene.nora, f"{follow.rpartition('/')[0]}/{await one_followed(server)}/events") as desk:
            await server.store.revoke_links("sunnaas", "support", server.services.now())
            assert await desk.next("closed") == {}


async def test_much_to_tell_keeps_no_closed_link_open(server, http, scene):
    """Each stream looks at its session by the clock, also where messages come without a pause."""
    await posted(http, scene.own)
    following = await one_followed(server)
    follow = f"/api/v1/desks/{scene.desk}/follow/{following}"

    async def talk() -> None:
        while True:
            await server.store.pass_on(line_of_follow(following), {"type": "shown", "id": "a" * 22})
            await asyncio.sleep(streams.EVENT_KEEPALIVE_S / 20)

    talking = asyncio.create_task(talk())
    try:
        async with stream(scene.nora, f"{follow}/events") as desk, stream(http, f"{scene.own}/events") as own:
            await desk.next("shown")
            await server.store.revoke_links("sunnaas", "support", server.services.now())
            assert await desk.next("closed") == {}
            await server.store.revoke_invitation(scene.cast.anna_invitation.id, server.services.now())
            assert await own.next("ended") == {}
    finally:
        talking.cancel()


async def test_the_page_knows_whether_anybody_looks(server, http, scene):
    """Not from the yes on, but from when a desk follows, until it does no more; a page that comes late hears it too."""
    await posted(http, scene.own)
    follow = f"/api/v1/desks/{scene.desk}/follow/{await one_followed(server)}"
    async with stream(http, f"{scene.own}/events") as own:
        await own.next("followed")
        async with stream(scene.nora, f"{follow}/events"):
            assert await own.next("watched") == {"watched": True}
            async with stream(http, f"{scene.own}/events") as late:
                assert await late.next("watched") == {"watched": True}
        assert await own.next("watched") == {"watched": False}
        assert [name for name, _ in own.came] == ["followed", "watched", "watched"]


async def test_a_guest_is_found_by_the_code_alone(server, http, scene):
    """Without a meeting there is no case: the code leads to a page of its own, and stands in the list."""
    async with another_browser(server.base) as guest:
        session = (await posted(guest, "/api/v1/organisations/sunnaas/try"))["session"]
        code = (await posted(guest, f"/api/v1/sessions/{session}/follow"))["code"]
        where = await sent(scene.nora, f"/support/{scene.desk}/find", q=code)
        following = await one_followed(server)
        assert where == f"/support/{scene.desk}?lang=en&follow={following}"
        page = await shown(scene.nora, scene.desk, follow=following)
        assert code in page
        assert EN["support.no_meeting"] in page
        assert code in await shown(scene.nora, scene.desk)
        await posted(guest, f"/api/v1/sessions/{session}/follow", method="DELETE")
        async with scene.nora.get(f"/support/{scene.desk}?follow={following}") as answer:
            assert answer.status == 404


async def test_support_reads_out_a_code_that_opens_the_persons_page(server, http, scene):
    """Only in a case of one's own; typed on the page for codes it opens the very same person's test."""
    act = f"{scene.person}/code"
    assert (await sent(scene.nora, act)).endswith("said=not_yours")
    await sent(scene.nora, f"{scene.person}/take")
    async with scene.nora.post(act, data={"lang": "en"}) as answer:
        page = await answer.text()
    typed = page.partition('id="typed-code"')[2].partition('<strong class="code" translate="no">')[2].partition("<")[0]
    assert "/o/sunnaas/code" in page
    async with another_browser(server.base) as phone:
        body = {"organisation": "sunnaas", "code": typed}
        session = (await posted(phone, "/api/v1/links/redeem", **body))["session"]
    found = await server.store.session_by_id(session)
    assert found is not None
    assert found.participant_id == scene.cast.anna.id


def test_a_whole_test_with_every_fault_fits_into_one_message():
    """All checks failed, with their longest figures: less than a notice of the database holds."""
    now, found = datetime.now(tz=UTC), phases(**{one.replace(".", "__"): None for one in (*GOOD, *FIGURES)})
    profile = profile_of(None)
    ending = Ending(
        kind=SELF_TEST, report_id="", code="", started_at=now, now=now, duration_s=0.0, client={}, bytes_up=0,
        bytes_down=0, software_version="",
    )  # fmt: skip
    report = make_report(found, profile, (), ending)
    told = message_of("uplink", [phase.name for phase in SELF_TEST.phases], "camera.denied", report.checks)
    assert len(told["checks"]) > 30
    assert written(told)
    assert not [one for one in told["checks"] if "details" in one]


def test_every_hint_has_words_and_none_is_only_ours():
    """What support can choose stands in every catalogue, with what to do; faults of the service are not among them."""
    for language in ("nb", "nn", "en"):
        texts = catalogue(language)
        assert hints_of(texts) == hints_of(EN)
        assert all(f"advice.{code}.do" in texts for code in hints_of(texts))
    assert "service.fault" not in hints_of(EN)
    assert len(hints_of(EN)) > 60
