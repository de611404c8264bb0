"""The session socket of the client, against a server that reads every message as ours does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from readiness.client import person, session
from readiness.client.errors import ClientError, ClosedError, NoAnswerError, RefusedError
from readiness.client.media import MediaPeer
from readiness.client.service import Service
from readiness.client.session import SessionSocket
from readiness.media.limits import Budget
from readiness.media.loopback import Loopback
from readiness.server.protocol import BINARY, parse_message, split_binary

ROOM = {"kind": "room"}
REPORT = {"schema": "readiness.report/1", "id": "t1", "verdict": "ready", "checks": []}
SILENT = {"devices", "picture", "sound", "speaker", "practical"}
"""Phases without a media connection."""
SCRIPT = person.Script(
    devices={"camera": {"status": "present"}, "microphone": {"status": "present"}, "browser": {"missing": []}},
    still=b"jpeg", voice=bytes(6400 * 20), quiet=bytes(6400), stills=3, still_every_s=0.0, silence_s=0.0, speech_s=0.2,
    thinking_s=0.0, answers={"people": 1},
)  # fmt: skip


class Server:
    """Plans what it is told to, and keeps what it hears."""

    def __init__(self) -> None:
        self.plan: dict[str, Any] = {
            "type": "plan", "test": "t1", "phases": [{"name": name} for name in sorted(SILENT)], "done": [],
            "digits": [[1, 2, 3]], "probe": {"up_tracks": 1},
        }  # fmt: skip
        self.before_plan: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.binary: list[tuple[int, int, bytes]] = []
        self.media = Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda *_: None)

    def kinds(self, phase: str) -> list[str]:
        return [one["kind"] for one in self.messages if one.get("phase") == phase]

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        async for message in answer:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.binary.append(split_binary(message.data))
                continue
            read = parse_message(message.data)
            self.messages.append(read)
            await self.react(answer, read)
        return answer

    async def react(self, answer: web.WebSocketResponse, read: dict[str, Any]) -> None:
        if read["type"] == "hello":
            for one in (*self.before_plan, self.plan):
                await answer.send_json(one)
        elif read["type"] == "offer":
            await answer.send_json({"type": "answer", "sdp": await self.media.answer(read["sdp"])})
        elif read["phase"] == "finish":
            await answer.send_json({"type": "report", "report": REPORT})
        elif (read["phase"], read["kind"]) == ("clock", "start"):
            await answer.send_json({"type": "error", "code": "server.draining", "fatal": True})
            await answer.close()

    async def redeem(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["token"] == "old":
            error = {"error": {"code": "link.not_valid", "message": "no"}}
            return web.json_response(error, status=404)
        if body["token"] == "many":
            return web.Response(status=503, headers={"Retry-After": "7"}, text="<h1>busy</h1>")
        return web.json_response({"session": f"{body['organisation']}-{body['token']}", "kind": "participant"})


@contextlib.asynccontextmanager
async def answering(server: Server) -> AsyncIterator[Service]:
    """The server on a free port, and a client's view of it."""
    app = web.Application()
    app.router.add_get("/api/v1/session", server.socket)
    app.router.add_post("/api/v1/links/redeem", server.redeem)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        try:
            yield Service(http, f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            await runner.cleanup()
            await server.media.close()


@pytest.fixture
def fake() -> Server:
    return Server()


@pytest.fixture
async def service(fake: Server) -> AsyncIterator[Service]:
    async with answering(fake) as reached:
        yield reached


@pytest.fixture
async def room(service: Service) -> AsyncIterator[SessionSocket]:
    """A socket of a room that is left open by no test."""
    socket = SessionSocket(service, "s1", client=ROOM, locale="nn")
    try:
        yield socket
    finally:
        await socket.leave()


def test_binary_kinds_are_the_servers():
    """The client imports nothing of the server: the two say the same all the same."""
    assert (session.STILL, session.SOUND) == (BINARY.STILL, BINARY.SOUND)


async def test_a_scripted_person_says_only_what_the_protocol_knows(fake, room):
    """Every message passes the schema, phases end once, stills and sound are stamped, and the report comes back."""
    plan = await room.begin()
    assert await person.take_test(room, plan, SCRIPT) == REPORT
    assert room.test == "t1"
    hello = fake.messages[0]
    assert (hello["client"], hello["locale"], hello["session"], hello["mode"]) == (ROOM, "nn", "s1", "full")
    assert {phase: fake.kinds(phase).count("final") for phase in SILENT} == dict.fromkeys(SILENT, 1)
    assert [kind for kind, _, _ in fake.binary] == [BINARY.STILL] * 3 + [BINARY.SOUND]
    assert fake.messages[-1]["phase"] == "finish"
    speaker = next(one["data"] for one in fake.messages if one.get("phase") == "speaker")
    assert speaker == {"played": [1, 2, 3], "answer": "digits", "heard": [1, 2, 3], "plays": 1}


async def test_what_is_done_is_not_taken_again(fake, room):
    """A resumed test, or a short check: only the phases that are left."""
    fake.plan["done"] = sorted(SILENT - {"practical"})
    await person.take_test(room, await room.begin(resume="t1", mode="recheck"), SCRIPT)
    assert (fake.messages[0]["resume"], fake.messages[0]["mode"]) == ("t1", "recheck")
    assert [one["phase"] for one in fake.messages[1:]] == ["practical", "finish"]
    assert fake.binary == []


async def test_a_line_that_carries_no_media_is_said_and_the_test_goes_on(fake, room, monkeypatch):
    """`connect` ends as failed, and nothing is made up for the phases behind it."""

    async def never(self: MediaPeer) -> None:
        raise NoAnswerError("no_answer.media")

    monkeypatch.setattr(MediaPeer, "opened", never)
    fake.plan["phases"] = [{"name": name} for name in ("connect", "clock", "downlink", "uplink")]
    assert await person.take_test(room, await room.begin(), SCRIPT) == REPORT
    (connect,) = [one["data"] for one in fake.messages if one.get("phase") == "connect"]
    assert connect["state"] == "failed"
    assert fake.kinds("clock") == []


async def test_a_socket_that_closes_while_the_line_is_measured_ends_the_test(fake, room):
    """With the server's reason, at once, and nothing left running."""
    fake.plan["phases"] = [{"name": name} for name in ("connect", "clock", "downlink", "uplink")]
    plan = await room.begin()
    with pytest.raises(ClosedError) as closed:
        await person.take_test(room, plan, SCRIPT)
    assert closed.value.code == "server.draining"
    await room.leave()
    assert not [task for task in asyncio.all_tasks() if "client" in repr(task.get_coro())]


async def test_waiting_has_an_end_and_names_what_did_not_come(fake, room):
    """Messages of other types stay for those who ask for them."""
    fake.before_plan = [{"type": "queued", "place": 2, "eta_s": 9}, {"type": "queued", "place": 1, "eta_s": 3}]
    await room.begin()
    assert (await room.get("queued", where=lambda one: one["place"] == 1))["eta_s"] == 3
    with pytest.raises(NoAnswerError) as silent:
        await room.get("report", timeout_s=0.01)
    assert silent.value.code == "no_answer.report"
    assert isinstance(silent.value, TimeoutError)
    assert [one["place"] for one in room.inbox] == [2]


async def test_a_closed_socket_says_so(fake, room):
    """Before it was opened, after it was left; and it may be opened again."""
    with pytest.raises(ClosedError) as closed:
        await room.send("devices", "final", SCRIPT.devices)
    assert closed.value.code == "socket.closed"
    assert isinstance(closed.value, ConnectionError)
    await room.begin()
    await room.leave()
    with pytest.raises(ClosedError):
        await room.get("report")
    assert (await room.begin())["test"] == "t1"


async def test_links_open_sessions_and_refusals_keep_their_code(service):
    """Whatever host the link names; a proxy's page has a code too."""
    opened = await service.open_link("https://ready.example/o/sunnaas/t#abc")
    assert (opened.id, opened.kind) == ("sunnaas-abc", "participant")
    with pytest.raises(RefusedError) as refused:
        await service.open_link("https://ready.example/o/sunnaas/t#old")
    assert (refused.value.code, refused.value.status, refused.value.retry_after_s) == ("link.not_valid", 404, None)
    with pytest.raises(RefusedError) as busy:
        await service.open_link("https://ready.example/o/sunnaas/t#many")
    assert (busy.value.code, busy.value.status, busy.value.retry_after_s) == ("http.503", 503, 7.0)
    for link in ("https://ready.example/", "https://ready.example/o/sunnaas/t", "https://ready.example/x/y/t#abc"):
        with pytest.raises(ValueError, match="not a link"):
            await service.open_link(link)
    assert issubclass(RefusedError, ClientError)
