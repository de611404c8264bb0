"""Those who lead and run a meeting test too: one tap from their board, a row of their own, counted by nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from readiness import __version__
from readiness.access.actors import actor_of
from readiness.meetings.board_pdf import board_sheet
from readiness.server.board import day_of, sheet_of
from readiness.server.ending import keep_report
from readiness.texts import catalogue
from reports.assembly import Ending, make_report
from reports.kinds import HOST_TEST
from reports.store.records import SelfTest, new_code, new_id
from reports.store.tables import report
from tests.actors import CLOCK, otto
from tests.cast import supporter
from tests.fleet import RITA, room
from tests.server.test_board import PROFILE, phases
from tests.server.test_board_actions import MORNING, Opened, lars, meet, open_board  # noqa: F401 - a fixture

ON_A_PC = {"kind": "browser", "browser": "Chrome 142", "os": "Windows", "form": "computer"}


async def begin(server, opened: str) -> SelfTest:
    """Begin the test of an opened session, as the socket does."""
    session, now = await server.store.session_by_id(opened), server.services.now()
    test = SelfTest(new_id(), session.id, session.organisation_id, None, "consultation", "running", now, now, ON_A_PC)
    await server.store.begin_self_test(test, session, now - timedelta(minutes=10))
    return test


async def end(server, test: SelfTest, **found: object) -> str:
    """Store the report of a test; return its code."""
    session, now = await server.store.session_by_id(test.session_id), server.services.now()
    ending = Ending(
        report_id=test.id, code=new_code(), started_at=now, now=now, duration_s=31.5, kind=HOST_TEST,
        client=ON_A_PC, bytes_up=1, bytes_down=1, software_version=__version__,
    )  # fmt: skip
    report = make_report(phases(**found), PROFILE, (), ending)
    return (await keep_report(server.services, actor_of(session), session, test, report)).code


def hosts_of(board: dict) -> list[dict]:
    return board["meeting"]["hosts"]


async def test_a_leader_tests_with_one_tap_and_the_board_tells(server, lars: Opened):  # noqa: F811
    """Not tested, running, then the verdict with its age; the patient's count stays what it was."""
    before = await lars.board()
    assert [(one["state"], one["own"], one["running"]) for one in hosts_of(before)] == [("not_tested", True, False)]
    status, opened = await lars.post("test")
    assert (status, opened["kind"], opened["path"]) == (200, "host_test", f"/t/{opened['session']}")
    async with lars.http.get(f"/api/v1/sessions/{opened['session']}") as answer:
        page = await answer.json()
    assert (page["kind"], page["practical"], page["expected_people"], page["join"]) == ("host_test", [], 1, None)
    test = await begin(server, opened["session"])
    assert hosts_of(await lars.board())[0]["running"] is True
    await end(server, test)
    (told,) = hosts_of(after := await lars.board())
    assert (told["state"], told["running"], told["device"]) == ("ready", False, "computer")
    assert told["tested_at"].startswith("2026-12-01T06:30")
    assert after["participants"] == before["participants"]
    assert await server.store.report_marks(CLOCK, lars.meeting.id) == [], "nobody is alerted of it"
    again = await lars.post("test")
    assert again[1]["session"] == opened["session"], "the same page in the same browser"
    assert (await lars.board())["meeting"]["id"] == lars.meeting.id, "the board's own session is another"


async def test_one_test_counts_for_all_meetings_of_the_same_person_here(server, http, lars: Opened):  # noqa: F811
    """Lars leads at noon too; Odd has not tested, and reads that Lars has."""
    noon, _, host = await meet(server, MORNING + timedelta(hours=5))
    await end(server, await begin(server, (await lars.post("test"))[1]["session"]), camera__present="NotAllowedError")
    own, other = hosts_of(await lars.board()), hosts_of((await lars.board())["day"][0])
    assert [one["state"] for one in (*own, *other)] == ["not_ready", "not_ready"]
    await server.store.change_host(otto("sunnaas"), noon.id, host.id, {"person_hash": None})
    session = await open_board(server, http, noon, host)
    async with http.get(f"/api/v1/boards/{session}") as answer:
        assert hosts_of(await answer.json())[0]["state"] == "not_tested"


async def test_support_reads_what_changed_for_a_leader_and_in_the_room(server, lars: Opened):  # noqa: F811
    """Against Lars' own last good test, for whichever meeting; else that of whoever led another meeting in the room."""
    store, support = server.store, supporter("sunnaas")
    await store.add_room(RITA, room())
    other, _, _ = await meet(server, MORNING + timedelta(hours=5))
    for one in (lars.meeting.id, other.id):
        await store.set_meeting_rooms(otto("sunnaas"), one, [room().id])
    opened = (await lars.post("test"))[1]["session"]
    good, bad = await end(server, await begin(server, opened)), await end(server, await begin(server, opened))
    first, second = await store.report_by_code(support, good), await store.report_by_code(support, bad)
    assert await store.reports_before(support, second, 5) == [first]
    assert await store.reports_before(support, first, 5) == []
    assert await store.passed_in_room(support, second) is None, "its own meeting is none of the others"
    async with store._database.write() as connection:
        await connection.execute(sa.update(report).where(report.c.code == good).values(meeting_id=other.id))
    assert (await store.passed_in_room(support, second)).code == good
    elsewhere = supporter("ahus")
    assert await store.passed_in_room(elsewhere, second) is None
    assert await store.reports_before(elsewhere, second, 5) == []


async def test_the_printed_sheet_has_the_hosts_as_the_board_has_them(server, lars: Opened):  # noqa: F811
    """Not tested, then tested with the time; the number only where the board has it too."""

    async def printed() -> dict:
        leader = await server.store.session_by_id(lars.session)
        day = await day_of(server.services, leader)
        (meeting,) = board_sheet(await sheet_of(server.services, leader, day, day.own, "en")).data["meetings"]
        return meeting["rows"][-1]

    words = catalogue("en")
    before = await printed()
    assert (before["role"], before["state"]) == (words["host.leader"], words["state.not_tested"])
    assert (before["todo"], before["tested"], before["phone"]) == (words["leader.host.not_tested"], "", "")
    await end(server, await begin(server, (await lars.post("test"))[1]["session"]))
    after = await printed()
    assert (after["tone"], after["todo"]) == ("good", words["leader.ready"])
    assert after["tested"]


async def test_a_test_goes_with_its_link_and_is_deleted_by_its_person(server, http, lars: Opened):  # noqa: F811
    """Whoever takes the board's link back closes the test; the leader deletes it from the page that took it."""
    _, opened = await lars.post("test")
    place = f"/api/v1/sessions/{opened['session']}"
    await end(server, await begin(server, opened["session"]))
    async with http.delete(f"{place}/report", json={}) as answer:
        assert answer.status == 200
    assert hosts_of(await lars.board())[0]["state"] == "not_tested"
    await server.store.revoke_of(server.services.now(), host_id=lars.host.id)
    async with http.get(place) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("path", ["feedback", "link"])
async def test_a_hosts_test_opens_nothing_else(lars: Opened, path: str):  # noqa: F811
    """Neither the board nor the question afterwards: those are the link's."""
    _, opened = await lars.post("test")
    async with lars.http.get(f"/api/v1/boards/{opened['session']}") as answer:
        assert answer.status == 404
    async with lars.http.post(f"/api/v1/sessions/{opened['session']}/{path}", json={"score": 5}) as answer:
        assert answer.status == 404
