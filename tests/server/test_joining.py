"""One link from the invitation to the meeting: when the page behind it opens the meeting itself, and for whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from readiness.server.participant import JOINS_BEFORE, people_at
from tests.actors import otto
from tests.cast import invite, make_cast
from tests.security.support import redeem

LINK = "https://whereby.com/room-of-anna?key=secret"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def cast(server):
    """Anna's meeting, with a link of its own."""
    made = await make_cast(server.store)
    await server.store.change_meeting(
        otto("sunnaas"), made.meeting.id, {"join_link": server.services.contacts.close(LINK), "solution": "whereby"}
    )
    return made


async def join_of(http, session: str):
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        return (await answer.json())["join"]


async def test_the_meetings_own_link_is_there_from_a_quarter_before_to_an_hour_after(server, http, cast):
    """Whatever the test said, and not before: the room is not open then."""
    starts, ends = cast.meeting.starts_at, cast.meeting.ends_at
    token, _ = await invite(server.store, cast.meeting, cast.anna, expires_at=ends + timedelta(days=7))
    session = await redeem(http, token)
    for moment, link in (
        (starts - JOINS_BEFORE - MINUTE, None),
        (starts - JOINS_BEFORE, LINK),
        (starts, LINK),
        (ends + timedelta(minutes=59), LINK),
    ):
        server.services.now = lambda moment=moment: moment
        found = await join_of(http, session)
        assert (found["link"], found["open"], found["here"]) == (link, link is not None, True), moment
    server.services.now = lambda: ends + timedelta(minutes=61)
    assert await join_of(http, session) is None


async def test_who_comes_late_is_told_that_it_has_begun(server, http, cast):
    """From the start to the planned end, by the server's clock, with the link still there; also where it is kept."""
    starts, ends = cast.meeting.starts_at, cast.meeting.ends_at
    session = await redeem(http, cast.anna_token)
    for kept in ("page", "kept"):
        await server.store.change_meeting(otto("sunnaas"), cast.meeting.id, {"join_shown": kept})
        for moment, begun in ((starts - MINUTE, False), (starts, True), (ends - MINUTE, True), (ends, False)):
            server.services.now = lambda moment=moment: moment
            found = await join_of(http, session)
            assert (found["begun"], found["open"], bool(found["link"])) == (begun, True, kept == "page"), moment


async def test_a_link_that_is_kept_back_is_nowhere_but_where_it_comes_from_is(server, http, cast):
    """The page says so in the organiser's words, and carries no link at any time."""
    kept = {"join_shown": "kept", "join_from": "i SMS fra Join"}
    await server.store.change_meeting(otto("sunnaas"), cast.meeting.id, kept)
    session = await redeem(http, cast.anna_token)
    server.services.now = lambda: cast.meeting.starts_at
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        text = await answer.text()
        found = (await answer.json())["join"]
    assert (found["link"], found["here"], found["from"], found["open"]) == (None, False, "i SMS fra Join", True)
    assert "room-of-anna" not in text


async def test_a_meeting_without_a_link_and_a_drop_in_lead_nowhere(server, http, cast):
    """Nothing is promised that is not there."""
    await server.store.change_meeting(otto("sunnaas"), cast.meeting.id, {"join_link": None})
    server.services.now = lambda: cast.meeting.starts_at
    found = await join_of(http, await redeem(http, cast.anna_token))
    assert (found["link"], found["here"]) == (None, False)
    organisation = replace(await server.store.organisation("sunnaas"), drop_in_allowed=True)
    await server.store.ensure_organisation(organisation)
    async with http.post("/api/v1/organisations/sunnaas/try", json={}) as answer:
        session = (await answer.json())["session"]
    assert await join_of(http, session) is None


async def test_the_number_to_call_is_the_meetings_own(server, http, cast):
    """For technical help and for another time: two numbers, each of the meeting where it has one."""
    organisation = replace(await server.store.organisation("sunnaas"), clinic_phone="+47 66 00 00 00")
    await server.store.ensure_organisation(organisation)
    session = await redeem(http, cast.anna_token)

    async def numbers() -> tuple[str, str]:
        async with http.get(f"/api/v1/sessions/{session}") as answer:
            told = await answer.json()
        return told["organisation"]["support_phone"], told["meeting"]["clinic_phone"]

    assert await numbers() == (organisation.support_phone, "+47 66 00 00 00")
    own = {"support_phone": "+47 11 11 11 11", "clinic_phone": "+47 22 22 22 22"}
    await server.store.change_meeting(otto("sunnaas"), cast.meeting.id, own)
    assert await numbers() == ("+47 11 11 11 11", "+47 22 22 22 22")


async def test_as_many_are_expected_before_the_camera_as_sit_together(server, http, cast):
    """A spouse who was planned is no stranger: the picture is judged for two."""
    session = await redeem(http, cast.anna_token)

    async def expected() -> int:
        async with http.get(f"/api/v1/sessions/{session}") as answer:
            return (await answer.json())["expected_people"]

    assert await expected() == 1
    await server.store.change_participant(otto("sunnaas"), cast.meeting.id, cast.anna.id, {"together": 2})
    assert await expected() == 2
    anna = replace(cast.anna, together=2)
    assert (people_at(cast.meeting, anna), people_at(replace(cast.meeting, expected_people=6), anna)) == (2, 6)
    assert people_at(None, None) == 1
