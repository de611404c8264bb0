"""An organisation's own limits: seen before they are saved, saved like any setting, and what tests are judged by."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa

from readiness.access.actors import clock_of
from readiness.server.ending import end_left_over
from readiness.server.settings_parts import LIMITS_OF, PARTS
from reports.limits import LIMITS, MOVABLE
from reports.store.records import SelfTest, new_id
from reports.store.tables import unlinked_report
from tests.cast import SUNNAAS, make_cast, signed_in
from tests.made import keep_tests, support_link
from tests.security.support import next_of, redeem, started
from tests.server.test_board import phases, session_for
from tests.server.test_settings import EN, SEEN, Page, logged, stored

RESOLUTION = "choices/thresholds/consultation/camera.resolution/warn"
DEVICES = {
    "camera": {"status": "present", "width_px": 640, "height_px": 480}, "microphone": {"status": "present"},
    "browser": {"missing": []},
}  # fmt: skip
RTT = "choices/thresholds/consultation/network.rtt/fail"
LOOKED = re.compile(r'name="looked" value="(\w+)"')
CELLS = re.compile(r"<t[hd][^>]*>([^<]*)</t[hd]>")
CHANGE = re.compile(r'name="change" value="([^"]+)"')
PART = "limits_consultation"


@pytest.fixture
async def cast(server):
    """Anna meets Lars tomorrow."""
    return await make_cast(server.store)


@pytest.fixture
async def page(server, http, cast):
    """Ada administers Sunnaas."""
    session, secret = await signed_in(server.store, "sunnaas", server.services.now(), ("administrator",), name="Ada")
    return Page(http, session, secret)


async def look(page: Page, form: dict[str, str], part: str = PART) -> str:
    """Open a part, fill it in and see what it changes."""
    return await page.save(part, {**form, "look": "yes"}, 200)


async def save(page: Page, form: dict[str, str], part: str = PART, status: int = 303) -> str:
    """See what a form changes, and save it."""
    said = await look(page, form, part)
    marks = {"looked": LOOKED.findall(page.source)[0]}
    return await page.save(part, {**form, **marks}, status, seen=SEEN.findall(said)[0])


def rows_of(page: Page) -> list[list[str]]:
    """The rows of the tables of a look."""
    return [CELLS.findall(row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page.source)]


async def test_what_a_change_would_have_done_is_seen_first(server, page):
    """Of twenty tests one failed; by the new limit four had. Nothing is saved, and what was typed stands there."""
    await keep_tests(server.store, [40.0] * 14 + [190.0] * 2 + [250.0] * 3 + [310.0])
    said = await look(page, {RTT: "220"})
    number = "Of 20 tests, 20\u00a0% would have been not ready instead of 5\u00a0%."
    assert number in said
    rows = rows_of(page)
    assert [EN["outcome.fail"], "5\u00a0%", "20\u00a0%"] in rows
    assert [EN["outcome.warn"], "25\u00a0%", "10\u00a0%"] in rows
    assert [EN["verdict.not_ready.short"], "5\u00a0%", "20\u00a0%"] in rows
    assert 'value="220"' in said
    assert EN["settings.look.unsaved"] in said
    assert (await stored(server)).choices == {}
    assert await logged(server) == [], "a look changes nothing"


async def test_what_was_not_measured_never_passes(server, page):
    """It stays what it is, however the limit is moved, and is told as a share of its own."""
    await keep_tests(server.store, [40.0] * 10)
    await keep_tests(server.store, [250.0] * 10, outcome="not_measured", cause="server_busy")
    await look(page, {RTT: "400"})
    assert [EN["outcome.not_measured"], "50\u00a0%", "50\u00a0%"] in rows_of(page)
    assert [EN["verdict.incomplete.short"], "50\u00a0%", "50\u00a0%"] in rows_of(page)


async def test_of_fewer_than_ten_nothing_is_told(server, page):
    """Neither a share nor how many there are; the tenth is enough."""
    await keep_tests(server.store, [250.0] * 9)
    said = await look(page, {RTT: "220"})
    assert EN["settings.look.few"].format(least=10) in said
    assert "<td>" not in page.source
    await keep_tests(server.store, [250.0])
    assert "Of 10 tests, 100\u00a0%" in await look(page, {RTT: "220"})


async def test_nothing_is_saved_that_nobody_has_seen(server, page):
    """Save without a look, or with another number than was looked at: the look comes, and nothing is saved."""
    said = await page.save(PART, {RTT: "220"}, 200)
    mark, seen = LOOKED.findall(said)[0], SEEN.findall(said)[0]
    assert LOOKED.findall(await page.save(PART, {RTT: "230", "looked": mark}, 200, seen=seen)) != [mark]
    assert (await stored(server)).choices == {}
    await page.save(PART, {RTT: "220", "looked": mark}, seen=seen)
    assert (await stored(server)).choices == {"thresholds/consultation/network.rtt/fail": 220.0}


async def test_it_is_logged_listed_and_taken_back(server, page):
    """By its name in the log, in words in the list; taken back the product's limit holds."""
    await save(page, {RTT: "220"})
    (told,) = [one.detail for one in await logged(server) if one.outcome == "done"]
    assert told == f"{RTT}: null -> 220.0"
    listed = await page.get()
    assert "Consultation: Delay: too poor above" in listed
    assert "220\u00a0ms" in listed
    assert "1 own limit" in listed
    change = CHANGE.findall(page.source)[0]
    assert EN["settings.said.undone"] in await page.post("/undo", {"change": change})
    assert (await stored(server)).choices == {}


@pytest.mark.parametrize(
    ("typed", "code"),
    [("199", "settings.limit"), ("401", "settings.limit"), ("fast", "settings.limit"), ("-250", "settings.limit"),
     ("1e3", "settings.limit"), ("220.5", "settings.limit.exact")],
)  # fmt: skip
async def test_a_limit_stays_within_its_bounds(server, page, typed, code):
    """What is wrong is said at its field with the bounds, what was typed stays, and nothing is looked at."""
    said = await page.save(PART, {RTT: typed, "look": "yes"}, 400)
    assert EN[f"error.{code}"].format(lowest="200\u00a0ms", highest="400\u00a0ms") in said
    assert said.count('aria-invalid="true"') == 1
    assert f'value="{typed}"' in said
    assert EN["settings.look.title"] not in said
    assert (await stored(server)).choices == {}


async def test_of_two_at_once_the_second_is_told(server, page):
    """A look of a form that is stale is refused as saving is."""
    seen = SEEN.findall(await page.get(f"/{PART}"))[0]
    await save(page, {RTT: "220"})
    said = await page.save(PART, {RTT: "230", "look": "yes"}, 409, seen=seen)
    assert EN["settings.stale"] in said
    assert '<strong dir="auto">220</strong>' in said


async def test_other_profiles_follow_unless_they_have_their_own(server, page):
    """A look tells of each profile that changes; a group's own limit stands when the consultation's is moved."""
    for profile in ("consultation", "group", "full_hd", "audio_only"):
        await keep_tests(server.store, [250.0] * 12, profile=profile)
    await save(page, {"choices/thresholds/group/network.rtt/fail": "300"}, "limits_group")
    said = await look(page, {RTT: "220"})
    assert said.count("Of 12 tests, 100\u00a0%") == 3, "the group's own is not touched"
    assert "<h3>Group</h3>" not in said
    await save(page, {RTT: "220"})
    assert "Now 220\u00a0ms, ours 300\u00a0ms." in await page.get("/limits_full_hd")
    assert "Now 300\u00a0ms, ours 300\u00a0ms." in await page.get("/limits_group")


async def test_a_comma_is_as_good_as_a_point(server, page):
    """As one writes it in Norwegian."""
    await save(page, {"choices/thresholds/consultation/network.loss_up/fail": "2,5"})
    assert (await stored(server)).choices == {"thresholds/consultation/network.loss_up/fail": 2.5}


async def test_each_profile_has_a_part(server, page):
    """Of its own limits, and of no others."""
    for part, profile in LIMITS_OF.items():
        shown = await page.get(f"/{part}")
        assert shown.count('name="choices/thresholds/') == len(PARTS[part])
        assert {one.name for one in MOVABLE.values() if one.profile == profile} == {
            field.name.removeprefix("choices/") for field in PARTS[part]
        }


async def test_another_organisations_tests_are_not_told(server, page):
    """Only one's own are counted."""
    await keep_tests(server.store, [250.0] * 12)
    east = await server.store.ensure_organisation(replace(SUNNAAS, id="east", slug="east"))
    async with server.store._database.write() as connection:
        await connection.execute(sa.update(unlinked_report).values(organisation_id=east.id))
    assert EN["settings.look.few"].format(least=10) in await look(page, {RTT: "220"})


async def resolution(socket: Any) -> tuple[str, float, bool]:
    """Show a camera of 480 lines, finish, and return how that was judged and by which limit."""
    for phase, data in (("devices", DEVICES), ("finish", {})):
        await socket.send_json({"type": "samples", "phase": phase, "kind": "final", "data": data, "final": True})
    report = (await next_of(socket, "report"))["report"]
    await socket.close()
    (found,) = [one for one in report["checks"] if one["id"] == "camera.resolution"]
    return found["outcome"], found["pass"], found["own_limits"]


async def test_a_test_that_begins_after_a_change_is_judged_by_it(server, http, cast, page):
    """One that runs keeps the limits with which it began, also where it is gone on with."""
    person = await redeem(http, cast.anna_token)
    before, plan = await started(http, person)
    await save(page, {RESOLUTION: "600"})
    await before.close()
    resumed, again = await started(http, person, resume=plan["test"])
    assert again["test"] == plan["test"]
    assert await resolution(resumed) == ("pass", 480, False)
    newer, plan = await started(http, person)
    await page.get()
    await page.post("/undo", {"change": CHANGE.findall(page.source)[0]})
    await newer.close()
    newer, again = await started(http, person, resume=plan["test"])
    assert again["test"] == plan["test"]
    assert await resolution(newer) == ("warn", 600, True)
    last, _ = await started(http, person)
    assert await resolution(last) == ("pass", 480, False)


async def test_a_test_that_its_server_left_is_judged_by_the_limits_it_began_with(server, cast):
    """Whoever ends it: they stand with the test, not in the memory of a process."""
    now, began = server.services.now(), server.services.now() - timedelta(hours=1)
    session = await session_for(server.store, cast, cast.anna)
    left = SelfTest(
        id=new_id(), session_id=session.id, organisation_id="sunnaas", participant_id=cast.anna.id,
        profile="consultation", state="running", started_at=began, updated_at=began, client={},
        phases={**phases(camera__resolution=480), LIMITS: {"camera.resolution/warn": 600.0}},
    )  # fmt: skip
    await server.store.start_self_test(left)
    await end_left_over(server.services, now)
    report = await server.store.report_for_session(clock_of("sunnaas"), session.id)
    (found,) = [one for one in report.body["checks"] if one["id"] == "camera.resolution"]
    assert (found["outcome"], found["pass"], found["own_limits"]) == ("warn", 600, True)


async def test_support_reads_whose_limit_it_was(server, http, cast, page):
    """The number and that it is the organisation's own, beside the figure."""
    await save(page, {RESOLUTION: "600"})
    person = await redeem(http, cast.anna_token)
    socket, _ = await started(http, person)
    await resolution(socket)
    report = await server.store.report_for_session(clock_of("sunnaas"), person)
    link = await support_link(server.store)
    support = await redeem(http, link)
    async with http.get(f"/support/{support}?code={report.code}&lang=en") as answer:
        said = unescape(await answer.text())
    assert f"Good: at least 600\u00a0pixels. Too poor: under 240\u00a0pixels. {EN['support.own_limits']}" in said
