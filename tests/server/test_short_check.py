"""The meeting's morning over the real socket: a short check on the same link, and the meeting's own page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from reports.store.records import new_id
from tests.actors import add_meeting
from tests.cast import SUNNAAS, invite, make_cast
from tests.security.support import next_of, redeem, started
from tests.server.test_board import opened, phases, reported, row_of

PHONE = {"kind": "browser", "browser": "Chrome 143", "os": "Android", "form": "phone"}
LAPTOP = {"kind": "browser", "browser": "Chrome 143", "os": "Windows", "form": "computer"}
DEVICES = {
    "camera": {"status": "present", "width_px": 1280, "height_px": 720},
    "microphone": {"status": "present"},
    "browser": {"missing": []},
}
CONNECTED = {"state": "connected", "local_candidate_type": "host", "protocol": "udp", "setup_ms": 120}


@pytest.fixture
async def cast(server):
    """Anna tested yesterday on her phone and all was well; now it is the day of the meeting."""
    made = await make_cast(server.store)
    await reported(server, made, made.anna, phases())
    server.services.now = lambda: made.meeting.starts_at
    return made


async def looked_at(http, session: str) -> dict:
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        assert answer.status == 200
        return await answer.json()


async def walked(socket, **found: object) -> dict:
    """Send the phases in `found` and return the report."""
    for phase, data in {**found, "finish": {}}.items():
        message = {"type": "samples", "phase": phase, "kind": "final", "data": data, "final": True}
        await socket.send_json(message)
    report = (await next_of(socket, "report"))["report"]
    await socket.close()
    return report


async def test_the_meetings_morning_asks_for_a_short_check_on_the_same_link(server, http, cast):
    """Devices and path only; the rest stands with its age; the board says ready, tested now."""
    session = await redeem(http, cast.anna_token)
    offered = (await looked_at(http, session))["recheck"]
    assert (offered["client"]["form"], offered["client"]["os"]) == ("phone", "Android")
    leader = await opened(http, cast.lars_token)
    row = await row_of(http, leader, cast.anna)
    assert (row["state"], row["recheck_due"], row["device"]) == ("ready", True, "phone")
    socket, plan = await started(http, session, client=PHONE, mode="recheck")
    assert plan["mode"] == "recheck"
    assert [one["name"] for one in plan["phases"]] == ["devices", "connect", "paths", "service"]
    assert not {"devices", "connect", "paths"} & set(plan["done"])
    assert {"picture", "sound", "speaker", "clock", "practical"} <= set(plan["done"])
    report = await walked(socket, devices=DEVICES, connect=CONNECTED)
    assert (report["verdict"], report["mode"], report["complete"]) == ("ready", "recheck", True)
    old = {check["id"] for check in report["checks"] if check["measured_at"]}
    assert {"camera.light", "network.rtt", "speaker.heard"} <= old
    assert not {"camera.present", "network.path"} & old
    assert (await looked_at(http, session))["recheck"] is None, "once a day is enough"
    row = await row_of(http, leader, cast.anna)
    assert (row["state"], row["recheck_due"]) == ("ready", False)


async def test_the_phone_of_today_needs_the_whole_test_after_the_laptop_of_yesterday(server, http, cast):
    """The server has the last word, whatever the page asks for: another device, or not the day yet."""
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session, client=LAPTOP, mode="recheck")
    assert (plan["mode"], plan["done"]) == ("full", [])
    await socket.close()
    socket, plan = await started(http, session, client=PHONE)
    assert plan["mode"] == "full", "nobody asked for a short one"
    await socket.close()


async def test_before_the_day_of_the_meeting_it_is_the_whole_test(server, http):
    """An answer of today, or a meeting of tomorrow: no short check."""
    made = await make_cast(server.store)
    await reported(server, made, made.anna, phases())
    session = await redeem(http, made.anna_token)
    assert (await looked_at(http, session))["recheck"] is None
    socket, plan = await started(http, session, client=PHONE, mode="recheck")
    assert plan["mode"] == "full"
    await socket.close()


async def test_what_a_short_check_finds_wrong_can_be_mended_and_checked_again(server, http, cast):
    """A camera that is not allowed makes it not ready; a lost line is resumed short; then all is well again."""
    session = await redeem(http, cast.anna_token)
    socket, _ = await started(http, session, client=PHONE, mode="recheck")
    report = await walked(socket, devices={**DEVICES, "camera": {"status": "NotAllowedError"}}, connect=CONNECTED)
    assert (report["verdict"], report["advice"][0]) == ("not_ready", "camera.denied")
    socket, plan = await started(http, session, client=PHONE, mode="recheck")
    assert plan["mode"] == "recheck"
    await socket.send_json({"type": "samples", "phase": "devices", "kind": "final", "data": DEVICES, "final": True})
    await socket.close()
    socket, again = await started(http, session, client=PHONE, mode="recheck", resume=plan["test"])
    assert (again["test"], again["mode"]) == (plan["test"], "recheck")
    assert not {"connect", "paths"} & set(again["done"])
    report = await walked(socket, **({} if "devices" in again["done"] else {"devices": DEVICES}), connect=CONNECTED)
    assert (report["verdict"], report["mode"]) == ("ready", "recheck")


async def test_a_meeting_that_is_over_tests_no_more(server, http, cast):
    """An hour after the end the socket says so, and the page knows before it asks."""
    _, late = await invite(server.store, cast.meeting, cast.anna, expires_at=cast.meeting.ends_at + timedelta(days=7))
    assert late.expires_at > cast.meeting.ends_at
    token, _ = await invite(server.store, cast.meeting, cast.anna, expires_at=cast.meeting.ends_at + timedelta(days=7))
    session = await redeem(http, token)
    server.services.now = lambda: cast.meeting.ends_at + timedelta(hours=1)
    seen = await looked_at(http, session)
    assert (seen["over"], seen["after"], seen["recheck"]) == (True, {"score": 0, "problem": ""}, None)
    async with http.ws_connect("/api/v1/session") as socket:
        await socket.send_json({"type": "hello", "version": 1, "client": PHONE, "locale": "nb", "session": session})
        error = await next_of(socket, "error")
    assert (error["code"], error["fatal"]) == ("meeting.over", True)


async def test_the_meetings_own_page_is_asked_by_a_worker_of_this_session_alone(server, http):
    """Its policy names the one host of the meeting's link; without the cookie, or a host, there is no such worker."""
    made = await make_cast(server.store)
    link = server.services.contacts.close("https://sunnaas.whereby.com/anna?token=secret")
    whereby = replace(made.meeting, id=new_id(), solution="whereby", join_link=link)
    anna = replace(made.anna, id=new_id(), meeting_id=whereby.id)
    await add_meeting(server.store, whereby, [anna])
    token, _ = await invite(server.store, whereby, anna)
    session, plain = await redeem(http, token), await redeem(http, made.anna_token)
    seen = await looked_at(http, session)
    assert seen["service"] == {
        "title": "Whereby", "host": "sunnaas.whereby.com", "url": "https://sunnaas.whereby.com/favicon.ico",
    }  # fmt: skip
    assert "secret" not in str(seen)
    async with http.get(f"/t/{session}/reach.js") as worker:
        assert (
            worker.headers["Content-Security-Policy"] == "default-src 'none'; connect-src https://sunnaas.whereby.com"
        )
        assert worker.headers["Cache-Control"] == "no-store"
        assert worker.content_type == "text/javascript"
    async with http.get(f"/t/{session}") as page:
        assert "whereby" not in page.headers["Content-Security-Policy"]
    assert (await looked_at(http, plain))["service"] is None
    for path in (f"/t/{plain}/reach.js", f"/t/{new_id()}/reach.js"):
        async with http.get(path) as refused:
            assert refused.status == 404


async def test_the_way_to_the_meetings_page_warns_at_most(server, http, cast):
    """Reached is good, blocked warns, and our own line's fault is not measured; where nobody asked there is no word."""
    session = await redeem(http, cast.anna_token)
    cases = [
        (None, "skipped", "ready"),
        ({"reached": True, "own": True, "tries": 1, "ms": 80}, "pass", "ready"),
        ({"reached": False, "own": True, "tries": 2}, "warn", "ready_with_warnings"),
        ({"reached": False, "own": False, "tries": 2}, "not_measured", "ready_with_warnings"),
    ]
    for found, outcome, verdict in cases:
        server.services.now = lambda: cast.meeting.starts_at - timedelta(days=1)
        await reported(server, cast, cast.anna, phases())
        server.services.now = lambda: cast.meeting.starts_at
        socket, _ = await started(http, session, client=PHONE, mode="recheck")
        asked = {"service": found} if found else {}
        report = await walked(socket, devices=DEVICES, connect=CONNECTED, **asked)
        check = next(one for one in report["checks"] if one["id"] == "meeting_service.reachable")
        assert (check["outcome"], report["verdict"]) == (outcome, verdict)
        assert ("meeting_service.blocked" in report["advice"]) == (outcome == "warn")


async def test_a_meeting_in_a_program_says_what_was_not_tried(server, http):
    """Teams runs in a program on a phone: the report says so. The leader reads what was asked and answered."""
    made = await make_cast(server.store, organisation=SUNNAAS)
    teams = replace(made.meeting, id=new_id(), solution="teams", practical=("company", "equipment"))
    anna = replace(made.anna, id=new_id(), meeting_id=teams.id)
    await add_meeting(server.store, teams, [anna])
    token, _ = await invite(server.store, teams, anna)
    session = await redeem(http, token)
    for client, missing in ((PHONE, ["meeting_program"]), (LAPTOP, [])):
        socket, plan = await started(http, session, client=client)
        assert plan["probe"]["need_mbps"] == 1.55
        answers = {"company": "family", "equipment": "no", "interpreter": "yes"}
        report = await walked(socket, devices=DEVICES, practical={"answers": answers})
        assert "practical.equipment" in report["advice"]
        assert (report["not_tested"], report["solution"]) == (missing, "teams")
    token, _ = await invite(server.store, teams, None)
    row = await row_of(http, await opened(http, token), anna)
    assert (row["device"], row["practical"]) == ("computer", {"company": "family", "equipment": "no"}), "what was asked"
