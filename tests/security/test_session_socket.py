"""WEB-3 and RTC-3: who may open the session socket, how much may come through it, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from datetime import UTC, datetime

import aiohttp
import pytest

from readiness.server import socket as session_socket
from tests.actors import CLOCK
from tests.cast import make_cast
from tests.patience import PATIENCE_S
from tests.security.support import HELLO, ended, next_of, redeem, started
from tests.security.test_protocol import BAD, NOT_EVEN_JSON, samples

OWN_ERRORS = {"protocol.invalid", "session.not_valid", "rate.limited"}


async def first_answer(http, hello: object, **kwargs) -> dict:
    """What a socket answers to its first message."""
    async with http.ws_connect("/api/v1/session", **kwargs) as socket:
        await (socket.send_str(hello) if isinstance(hello, str) else socket.send_json(hello))
        messages, _ = await ended(socket)
    assert messages
    return messages[-1]


async def last_report(server, session: str) -> dict:
    """The report that a session left, once it is committed."""
    async with asyncio.timeout(PATIENCE_S):
        while (report := await server.store.report_for_session(CLOCK, session)) is None:
            await asyncio.sleep(0.05)
    return dict(report.body)


async def test_WEB_3_a_foreign_page_gets_403_before_the_upgrade(server, http):
    """Another site's page, a sandboxed one and our own host under another scheme can't open the socket."""
    own = server.base
    for origin in ("https://evil.example", "null", own.replace("http", "https"), own + ".evil.example", own + "0", ""):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect("/api/v1/session", headers={"Origin": origin})
        assert refused.value.status == 403, origin
    for headers in ({"Origin": own}, {}):
        async with http.ws_connect("/api/v1/session", headers=headers) as socket:
            assert not socket.closed


async def test_WEB_3_the_socket_opens_only_with_ones_own_cookie(server, http):
    """No cookie, somebody else's, a leader's, a revoked one and no session at all: the same answer."""
    cast = await make_cast(server.store)
    anna, per, lars = [await redeem(http, token) for token in (cast.anna_token, cast.per_token, cast.lars_token)]
    jar = {cookie.key: cookie.value for cookie in http.cookie_jar}
    hands = {
        "none": ({}, anna),
        "somebody else's": ({f"rd-{anna}": jar[f"rd-{per}"]}, anna),
        "another session's": ({f"rd-{per}": jar[f"rd-{per}"]}, anna),
        "a leader's": ({f"rd-{lars}": jar[f"rd-{lars}"]}, lars),
        "no such session": (jar, "nothing"),
        "an empty name": (jar, ""),
        "a name with quotes": (jar, "x'; drop table session; --"),
    }
    answers = {}
    for name, (cookies, session) in hands.items():
        async with aiohttp.ClientSession(server.base, cookies=cookies) as thief:
            answers[name] = json.dumps(await first_answer(thief, {**HELLO, "session": session}))
    await server.store.revoke_invitation(cast.anna_invitation.id, datetime.now(tz=UTC))
    answers["revoked"] = json.dumps(await first_answer(http, {**HELLO, "session": anna}))
    assert len(set(answers.values())) == 1, answers
    answer = json.loads(answers["none"])
    assert (answer["type"], answer["code"], answer["fatal"]) == ("error", "session.not_valid", True)
    assert server.services.sockets == {}


async def test_WEB_3_nothing_but_a_hello_comes_first(server, http):
    """A first message that is no hello ends the socket with one error, whatever it is."""
    wrong = [*(json.dumps(one) for one in BAD[::4]), *list(NOT_EVEN_JSON.values())[::3], json.dumps({"type": "bye"})]
    for text in wrong:
        answer = await first_answer(http, text)
        assert (answer["type"], answer["code"]) == ("error", "protocol.invalid"), text[:100]
    async with http.ws_connect("/api/v1/session") as socket:
        await socket.send_bytes(b"\x01\0\0\0\0jpeg")
        messages, _ = await ended(socket)
        assert messages[-1]["code"] == "protocol.invalid"


async def test_WEB_3_a_silent_stranger_is_sent_away(server, http, monkeypatch):
    """Who never says hello does not keep a socket."""
    monkeypatch.setattr(session_socket, "HELLO_TIMEOUT_S", 0.3)
    async with http.ws_connect("/api/v1/session") as socket:
        messages, _ = await ended(socket)
    assert messages[-1]["code"] == "protocol.invalid"


async def test_WEB_3_malformed_messages_get_an_error_and_five_close(server, http, caplog):
    """Each of some hundred bad messages in a running test gets `protocol.invalid`; the fifth ends it as interrupted."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    texts = [*(json.dumps(one) for one in BAD), *NOT_EVEN_JSON.values()]
    texts = [text for text in texts if len(text) < 64 * 1024]
    assert len(texts) > 100
    for start in range(0, 40, 4):
        socket, _ = await started(http, session)
        for text in texts[start::40][:4]:
            await socket.send_str(text)
            answer = await next_of(socket, "error")
            assert answer["code"] == "protocol.invalid", text[:100]
            assert not answer["fatal"]
        await socket.send_str(json.dumps({"type": "bye"}))
        await ended(socket)
    socket, plan = await started(http, session)
    for _ in range(5):
        await socket.send_str("{")
    messages, _ = await ended(socket)
    assert [one["code"] for one in messages if one["type"] == "error"] == ["protocol.invalid"] * 5
    assert messages[-1]["fatal"]
    report = next(one["report"] for one in messages if one["type"] == "report")
    assert (report["cause"], report["verdict"], report["complete"]) == ("interrupted", "incomplete", False)
    test = await server.store.self_test(plan["test"], session)
    assert test is None or test.state == "incomplete"
    assert not [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


async def test_WEB_3_a_message_over_64_KiB_closes_with_1009(server, http):
    """Neither a long text nor a long binary message is taken in."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    async with http.ws_connect("/api/v1/session") as socket:
        await socket.send_str("x" * (64 * 1024 + 1))
        _, code = await ended(socket)
        assert code == 1009
    for payload in ("x" * (64 * 1024 + 1), b"\x10" * (64 * 1024 + 1)):
        socket, _ = await started(http, session)
        await (socket.send_str(payload) if isinstance(payload, str) else socket.send_bytes(payload))
        _, code = await ended(socket)
        assert code == 1009
    assert (await last_report(server, session))["cause"] == "disconnected"


async def test_WEB_3_forty_messages_at_once_and_twenty_a_second(server, http):
    """A burst within the budget is served; beyond it the socket ends with `rate.limited` and when to come back."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    event = samples("picture", "event", {"code": "tab_hidden"})
    socket, _ = await started(http, session)
    for _ in range(40):
        await socket.send_json(event)
    await asyncio.sleep(1.0)
    for _ in range(15):
        await socket.send_json(event)
    await asyncio.sleep(0.3)
    assert not socket.closed
    with pytest.raises(TimeoutError):
        while (await socket.receive_json(timeout=0.1))["type"] == "alive":
            pass
    for _ in range(80):
        await socket.send_json(event)
    messages, _ = await ended(socket)
    error = [one for one in messages if one["type"] == "error"][-1]
    assert (error["code"], error["fatal"], error["retry_after_s"]) == ("rate.limited", True, 5)
    assert (await last_report(server, session))["cause"] == "interrupted"


async def test_WEB_3_binary_messages_have_a_byte_budget(server, http):
    """A peer that pours in more than a test can need is stopped within some megabytes."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    socket, _ = await started(http, session)
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(700):
                await socket.send_bytes(b"\x11" + bytes(60_000))
    messages, _ = await ended(socket)
    assert {"rate.limited"} >= {one["code"] for one in messages if one["type"] == "error"}
    report = await last_report(server, session)
    assert report["cause"] == "interrupted"
    assert report["bytes_up"] < 9_000_000


async def test_binary_nonsense_ends_as_an_error(server, http):
    """Unknown kinds and messages too short to have a time end the test with `protocol.invalid`, kept as interrupted."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    for payload in (b"", b"\x01", b"\x01\0\0\0\0", b"\x7f\0\0\0\0x", b"\x10" + bytes(100)):
        socket, _ = await started(http, session)
        await socket.send_bytes(payload)
        messages, _ = await ended(socket)
        assert [one["code"] for one in messages if one["type"] == "error"] == ["protocol.invalid"], payload
        assert [one["report"]["cause"] for one in messages if one["type"] == "report"] == ["interrupted"]


async def test_stills_and_sound_that_are_none_change_nothing(server, http):
    """Rubbish as a picture or as sound is the participant's own loss: the test goes on."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    socket, _ = await started(http, session)
    for kind in (1, 2):
        for rest in (b"x", b"\xff\xd8\xff" + b"\0" * 5000, bytes(40_000), b"\xff" * 60_000):
            await socket.send_bytes(struct.pack(">BI", kind, 2**32 - 1) + rest)
    await socket.send_json(
        samples(
            "devices",
            "final",
            {"camera": {"status": "present"}, "microphone": {"status": "present"}, "browser": {"missing": []}},
        )
    )
    await socket.send_json(samples("finish", "final", {}))
    report = (await next_of(socket, "report"))["report"]
    assert report["cause"] is None
    assert report["verdict"] == "incomplete"
    await ended(socket)


async def test_counts_out_of_order_change_nothing(server, http):
    """Marks of runs that never were, before any start, after the end, with 900 rows of lies: the test goes on."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    socket, _ = await started(http, session)
    lies = [[number, 2**53 - 1 - number, 0, 2**32, number] for number in range(900)]
    marks = [
        ("clock", {"run": 1, "rows": lies, "sent": 2**32 - 1, "received": 2**32 - 1}),
        ("downlink", {"run": 65535, "received": 2**32 - 1}),
        ("uplink", {"run": 7, "sent": 2**32 - 1}),
    ]
    for phase, data in marks:
        await socket.send_json(samples(phase, "mark", data))
    await socket.send_json(samples("clock", "start", {}))
    told = await next_of(socket, "phase")
    assert (told["phase"], told["state"], told["code"]) == ("clock", "failed", "disconnected")
    await socket.send_json(samples("clock", "final", {}))
    for phase, data in marks:
        await socket.send_json(samples(phase, "mark", data))
    await socket.send_json(samples("downlink", "final", {"lag_ms": 86_400_000}))
    await socket.send_json(samples("uplink", "final", {"rows": lies}))
    await socket.send_json(samples("finish", "final", {}))
    report = (await next_of(socket, "report"))["report"]
    assert (report["cause"], report["verdict"]) == (None, "incomplete")
    network = [check for check in report["checks"] if check["id"].startswith("network.")]
    assert network
    assert {check["outcome"] for check in network if check["level"] == "required"} == {"not_measured"}
    assert {check["outcome"] for check in network} <= {"not_measured", "skipped"}
    await ended(socket)


async def test_a_place_among_the_lines_is_given_back_however_it_ends(server, http):
    """A load without a peer is over at once; one whose page vanished while it waited leaves its place to others."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    lines = server.services.admission.lines
    free = lines.free
    socket, _ = await started(http, session)
    for _ in range(3):
        for phase in ("downlink", "uplink"):
            await socket.send_json(samples(phase, "start", {}))
    seen = []
    while len(seen) < 2:
        told = await next_of(socket, "phase")
        assert told["values"] == {"measured": False}
        seen = sorted({*seen, told["phase"]})
    assert seen == ["downlink", "uplink"]
    async with asyncio.timeout(PATIENCE_S):
        while lines.free != free:
            await asyncio.sleep(0.02)
    for _ in range(free):
        await lines.acquire()
    await socket.send_json(samples("clock", "start", {}))
    await asyncio.sleep(0.2)
    await socket.close()
    async with asyncio.timeout(PATIENCE_S):
        while server.services.sockets:
            await asyncio.sleep(0.02)
    for _ in range(free):
        lines.release()
    await asyncio.sleep(0.1)
    assert lines.free == free


async def test_WEB_3_a_silent_peer_is_noticed(server, http, monkeypatch):
    """A page that stopped answering is closed by the heartbeat and its test kept as incomplete."""
    monkeypatch.setattr(session_socket, "HEARTBEAT_S", 0.4)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    socket = await http.ws_connect("/api/v1/session", autoping=False)
    await socket.send_json({**HELLO, "session": session})
    async with asyncio.timeout(PATIENCE_S):
        while (received := await socket.receive()).type is not aiohttp.WSMsgType.TEXT:
            assert received.type is aiohttp.WSMsgType.PING
            await socket.pong(received.data)  # a busy machine takes longer for the plan than the heartbeat waits
    assert (await last_report(server, session))["cause"] == "disconnected"
    async with asyncio.timeout(PATIENCE_S):
        while server.services.sockets:  # its handler ends after the report is stored
            await asyncio.sleep(0.01)
    await socket.close()


async def test_WEB_3_a_second_socket_replaces_the_first(server, http):
    """The same link in a second window ends the first with `bye replaced`; its test is kept as incomplete."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    first, first_plan = await started(http, session)
    closing = asyncio.create_task(ended(first))
    socket, plan = await started(http, session)
    alive = asyncio.create_task(ended(socket))  # who does not read answers no ping
    messages, _ = await closing
    assert {"type": "bye", "code": "replaced"} in messages
    assert plan["test"] != first_plan["test"]
    assert (await last_report(server, session))["cause"] == "disconnected"
    assert (await server.store.self_test(plan["test"], session)).state == "running"
    assert list(server.services.sockets) == [session]
    await socket.close()
    await alive


async def test_a_page_that_comes_back_does_not_wait_for_its_dead_socket(server, http, monkeypatch):
    """A phone that changed network goes on with the same test before any heartbeat, which is not kept as incomplete."""
    monkeypatch.setattr(session_socket, "HEARTBEAT_S", 100 * PATIENCE_S)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    first, plan = await started(http, session)
    await first.send_json(samples("finish", "event", {"code": "network_changed"}))
    await asyncio.sleep(0.2)
    first._response.connection.transport.pause_reading()  # nobody hears the server any more
    second, again = await started(http, session, resume=plan["test"])
    assert again["test"] == plan["test"]
    await asyncio.sleep(1.0)
    assert await server.store.report_for_session(CLOCK, session) is None
    assert (await server.store.self_test(plan["test"], session)).state == "running"
    await second.send_json(samples("finish", "final", {}))
    report = (await next_of(second, "report"))["report"]
    assert report["id"] == plan["test"]
    assert "network_changed" in report["events"]
    await ended(second)
    first._response.connection.transport.abort()


async def test_WEB_3_a_revoked_link_ends_the_socket_at_the_next_message(server, http):
    """Rights are looked at with each message: after a revocation nothing more is taken, and nothing more is told."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    await server.store.revoke_invitation(cast.anna_invitation.id, datetime.now(tz=UTC))
    await socket.send_json(samples("finish", "final", {}))
    messages, _ = await ended(socket)
    assert [one["type"] for one in messages] == ["error"]
    assert (messages[0]["code"], messages[0]["fatal"]) == ("session.not_valid", True)
    report = await last_report(server, session)
    assert (report["cause"], report["verdict"]) == ("interrupted", "incomplete")
    assert (await server.store.self_test(plan["test"], session)).state == "incomplete"


async def test_WEB_3_a_revoked_link_ends_a_socket_that_only_sends_sound(server, http, monkeypatch):
    """Between two JSON messages sound and pictures come; none is taken for longer than a second after a revocation."""
    monkeypatch.setattr(session_socket, "RIGHTS_S", 0.0)
    cast = await make_cast(server.store)
    socket, _ = await started(http, await redeem(http, cast.anna_token))
    await server.store.revoke_invitation(cast.anna_invitation.id, datetime.now(tz=UTC))
    await socket.send_bytes(bytes([2, 0, 0, 0, 0]) + bytes(640))
    messages, _ = await ended(socket)
    assert (messages[-1]["code"], messages[-1]["fatal"]) == ("session.not_valid", True)


async def test_somebody_elses_test_can_not_be_gone_on_with(server, http):
    """A resume with another session's test, or with a finished one, begins a new test."""
    cast = await make_cast(server.store)
    anna, per = await redeem(http, cast.anna_token), await redeem(http, cast.per_token)
    socket, plan = await started(http, anna)
    other, others = await started(http, per, resume=plan["test"])
    assert others["test"] != plan["test"]
    await other.close()
    await socket.send_json(samples("finish", "final", {}))
    await ended(socket)
    socket, again = await started(http, anna, resume=plan["test"])
    assert again["test"] != plan["test"]
    await socket.close()


async def test_while_draining_new_tests_are_sent_away(server, http):
    """A stopping server refuses the upgrade with 429 and says when to come back."""
    server.services.draining = True
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect("/api/v1/session")
    assert refused.value.status == 429
    assert int(refused.value.headers["Retry-After"]) >= 1
