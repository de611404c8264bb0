"""A line that a network closes: told over HTTPS, and kept for support once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.actors import CLOCK
from tests.cast import invite, make_cast
from tests.security.support import HELLO, redeem


@pytest.fixture
async def cast(server):
    return await make_cast(server.store)


async def told(http, session: str, change: dict | None = None) -> tuple[int, dict]:
    body = {**HELLO, "session": session, **(change or {})}
    async with http.post(f"/api/v1/sessions/{session}/blocked", json=body) as got:
        return got.status, await got.json()


async def opened(server, http, cast) -> str:
    token, _ = await invite(server.store, cast.meeting, cast.anna)
    return await redeem(http, token)


async def test_support_finds_the_report_by_its_code_and_nothing_is_blamed_on_the_person(server, http, cast):
    """Incomplete, with one advice about the line; the same page gets the same report until it is too old."""
    session = await opened(server, http, cast)
    status, answer = await told(http, session)
    report = answer["report"]
    assert (status, report["verdict"], report["cause"], report["ended_in"]) == (
        200,
        "incomplete",
        "socket_blocked",
        "connect",
    )
    assert report["advice"] == ["network.socket_blocked"]
    kept = await server.store.latest_report(CLOCK, cast.anna.id)
    assert (kept.code, kept.verdict) == (report["code"], "incomplete")
    assert (await told(http, session))[1]["report"]["code"] == report["code"]
    now = server.services.now()
    server.services.now = lambda: now + timedelta(minutes=11)
    assert (await told(http, session))[1]["report"]["code"] != report["code"]
    async with http.get(f"/api/v1/sessions/{session}") as got:
        assert (await got.json())["unfinished"] is None


@pytest.mark.parametrize(
    "change", [{"type": "bye"}, {"session": "another"}, {"client": {"kind": "fridge"}}, {"more": 1}]
)
async def test_what_is_no_hello_of_this_session_is_refused(server, http, cast, change):
    """Nothing is kept of it."""
    session = await opened(server, http, cast)
    assert (await told(http, session, change))[0] in {400, 404}
    assert await server.store.latest_report(CLOCK, cast.anna.id) is None


async def test_after_the_meeting_nothing_is_tested(server, http, cast):
    """As over the socket."""
    session = await opened(server, http, cast)
    server.services.now = lambda: cast.meeting.ends_at + timedelta(minutes=70)
    answer = await told(http, session)
    assert (answer[0], answer[1]["error"]["code"]) in {(404, "meeting.over"), (404, "session.not_valid")}
