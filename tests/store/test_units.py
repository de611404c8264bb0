"""AUT-2 inside an organisation: staff whose roles are for some units, or for what they lead, reach nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reports.store import Actor, Gone, NewMeeting, Store
from reports.store.actors import ActorKind, Part, Scope
from reports.store.records import new_id
from tests.actors import add_meeting
from tests.store import cast

pytestmark = pytest.mark.asyncio
ANNA, ODA = "meeting-anna-anna", "meeting-oda-oda"
LATER = cast.ENDS + timedelta(hours=25)
WEEKS = ("2026-W45", "2026-W48")


def staff(*roles: ActorKind, units: tuple[str, ...] = (), led_by: bytes | None = None) -> Actor:
    """Somebody signed in, each of whose roles is for these units, or for all."""
    limits = frozenset((role, unit) for role in roles for unit in units)
    return Actor("staff", "org-sunnaas", "staff:s", frozenset(roles), limits, led_by)


SUPPORT = staff("support", units=("Ward 1",))
PLANS = staff("organiser", units=("Ward 1",))
LEADS = staff("leader", led_by=b"person-lars")


@pytest.fixture
async def wards(store: Store) -> Store:
    """Anna's meeting is of ward 1 and led by Lars, Oda's of ward 2 and led by Odd; both failed and were handed over."""
    await store.change_meeting(cast.OTTO, "meeting-anna", {"unit": "Ward 1", "import_series": cast.digest("series")})
    await store.add_host(cast.OTTO, "meeting-anna", cast.host())
    other = cast.meeting(id="meeting-oda", unit="Ward 2", import_series=cast.digest("series"))
    odd = cast.host(id="host-odd", meeting_id="meeting-oda", label="Odd", person_hash=b"person-odd")
    await add_meeting(store, other, [cast.participant("oda", 1, "meeting-oda")], [odd])
    for meeting_id, person in (("meeting-anna", ANNA), ("meeting-oda", ODA)):
        made = cast.report(meeting_id=meeting_id, participant_id=person, session_id=None, verdict="not_ready")
        await store.save_report(cast.CLOCK, replace(made, id=f"report-{person}", code=CODES[person]))
        await store.queue([cast.outgoing(meeting_id=meeting_id, participant_id=person)])
        await store.open_case(cast.LARS, meeting_id, person, now=cast.NOW)
    return store


CODES = {ANNA: "AAAAAA", ODA: "BBBBBB"}


async def test_AUT_2_support_of_a_ward_sees_its_people_cases_and_reports_only(wards: Store) -> None:
    """On the list, by search, by code and by id; what is done to others changes nothing."""
    now = cast.NOW
    assert [line.participant_id for line in await wards.desk(SUPPORT, now)] == [ANNA]
    assert {line.participant_id for line in await wards.desk(staff("support"), now)} == {ANNA, ODA}
    for label, person in (("Anna", ANNA), ("Oda", ODA)):
        found = [one.participant.id for one in await wards.find_by_label(SUPPORT, label, now)]
        assert found == ([ANNA] if person == ANNA else [])
    assert [one.participant.id for one in await wards.people(SUPPORT, [ANNA, ODA], now)] == [ANNA]
    for person, is_mine in ((ANNA, True), (ODA, False)):
        report = await wards.report_by_code(SUPPORT, CODES[person])
        assert (report is not None) is is_mine
        assert (await wards.report_of_person(SUPPORT, person) is not None) is is_mine
        assert (await wards.desk_person(SUPPORT, person, now) is not None) is is_mine
        assert await wards.judge_report(SUPPORT, f"report-{person}", "false_alarm") is is_mine
        assert (await wards.judged(SUPPORT, f"report-{person}") is not None) is is_mine
        assert await wards.take_person(SUPPORT, person, now) is is_mine
        assert await wards.add_note(SUPPORT, person, b"note", now) is is_mine
        assert await wards.end_case(SUPPORT, person, "advice", now + timedelta(minutes=5)) is is_mine
    assert [one.report.participant_id for one in await wards.report_lines(SUPPORT, 10)] == [ANNA]
    assert await wards.take_next(SUPPORT, now) is None
    theirs = await wards.report_by_code(cast.NORA, CODES[ODA])
    assert theirs is not None
    assert await wards.reports_before(SUPPORT, theirs, 10) == []
    await wards.save_report(cast.CLOCK, cast.report(meeting_id=None, participant_id=None, session_id="session-drop-in"))
    assert len(await wards.report_lines(SUPPORT, 10)) == 1, "a test without an invitation is of no unit"


async def test_AUT_2_a_case_of_a_unit_that_was_taken_away_is_theirs_no_more(wards: Store) -> None:
    """Whoever took Anna and signs in with another ward's role can do nothing more with the case."""
    assert await wards.take_person(SUPPORT, ANNA, cast.NOW)
    moved = staff("support", units=("Ward 2",))
    assert not await wards.end_case(moved, ANNA, "advice", cast.NOW)
    assert not await wards.put_back(moved, ANNA)
    assert await wards.end_case(SUPPORT, ANNA, "advice", cast.NOW)


async def test_AUT_2_the_series_of_two_wards_tells_support_of_one_nothing_of_the_other(wards: Store) -> None:
    """What passed in a meeting of the same series is not shown across wards."""
    good = cast.report(meeting_id="meeting-oda", participant_id=ODA, session_id=None)
    await wards.save_report(cast.CLOCK, good)
    report = await wards.report_by_code(cast.NORA, CODES[ANNA])
    assert report is not None
    whole = await wards.passed_in_series(staff("support"), report)
    assert whole is not None
    assert whole.id == good.id
    assert await wards.passed_in_series(SUPPORT, report) is None


async def test_AUT_2_who_plans_for_a_ward_finds_and_changes_its_meetings_only(wards: Store) -> None:
    """Others are neither found nor listed, and by their ids do not exist; none can be moved in or out."""
    spans = (cast.NOW, LATER)
    assert [one.meeting.id for one in await wards.meetings(PLANS, starts=spans, now=cast.NOW)] == ["meeting-anna"]
    assert [one.id for one in await wards.meetings_in_series(PLANS, [cast.digest("series")])] == ["meeting-anna"]
    assert {one.id for _, one in await wards.people_at(PLANS, [cast.STARTS])} == {
        "meeting-anna-lars", ANNA, "meeting-anna-kari",
    }  # fmt: skip
    assert await wards.units(PLANS) == ["Ward 1"]
    assert await wards.units(cast.OTTO) == ["Ward 1", "Ward 2"]
    assert await wards.meeting(PLANS, "meeting-oda") is None
    added = replace(cast.participant("x", 3, "meeting-oda"), id=new_id())
    await wards.add_participant(cast.OTTO, "meeting-oda", added)
    assert await wards.remove_participant(cast.OTTO, "meeting-oda", added.id, keeps=True)
    for read in (wards.participants, wards.hosts, wards.board, wards.host_board, wards.outgoing_of, wards.taken_out):
        assert await read(PLANS, "meeting-oda") == [], read
        assert await read(cast.OTTO, "meeting-oda") != [], read
    assert await wards.report_marks(PLANS, "meeting-oda") == []
    tries: list[Any] = [
        wards.change_meeting(PLANS, "meeting-oda", {"title": "x"}),
        wards.cancel_meeting(PLANS, "meeting-oda", cast.NOW),
        wards.add_participant(PLANS, "meeting-oda", added),
        wards.change_participant(PLANS, "meeting-oda", ODA, {"label": "x"}),
        wards.remove_participant(PLANS, "meeting-oda", ODA),
        wards.remove_host(PLANS, "meeting-oda", "host-odd"),
        wards.set_meeting_rooms(PLANS, "meeting-oda", []),
    ]
    for tried in tries:
        with pytest.raises(Gone):
            await tried
    with pytest.raises(ValueError, match="out of reach"):
        await wards.change_meeting(PLANS, "meeting-anna", {"unit": "Ward 2"})
    with pytest.raises(ValueError, match="out of reach"):
        await wards.add_meetings(PLANS, [NewMeeting(cast.meeting(id="new"), ())])
    await wards.add_meetings(PLANS, [NewMeeting(cast.meeting(id="new", unit="Ward 1"), ())])
    both = await wards.meeting(cast.OTTO, "meeting-oda")
    assert both is not None
    assert (both.title, both.state) == (cast.meeting().title, "planned")


async def test_AUT_2_who_signs_in_as_a_leader_reaches_what_they_lead(wards: Store) -> None:
    """By the keyed hash of their address; without one nothing, and with a ward only what they lead there."""
    span = (cast.NOW, LATER)
    assert [one.id for one in await wards.meetings_of_person(LEADS, b"person-lars", starts=span)] == ["meeting-anna"]
    assert await wards.meetings_of_person(LEADS, b"person-odd", starts=span) == [], "another one's"
    for actor in (
        staff("leader"),
        staff("leader", led_by=b"nobody"),
        staff("leader", units=("Ward 2",), led_by=b"person-lars"),
    ):
        assert await wards.meetings_of_person(actor, b"person-lars", starts=span) == []
        assert await wards.meeting(actor, "meeting-anna") is None
        assert await wards.board(actor, "meeting-anna") == []
    assert await wards.meeting(LEADS, "meeting-anna") is not None
    assert len(await wards.board(LEADS, "meeting-anna")) == 3
    assert await wards.participant(LEADS, ANNA) is not None
    await wards.set_practical(cast.ANNA, ANNA, phone_encrypted=b"number")
    assert await wards.phone(LEADS, ANNA) == b"number"
    assert await wards.meeting(LEADS, "meeting-oda") is None
    assert await wards.participant(LEADS, ODA) is None
    assert await wards.phone(LEADS, ODA) is None
    assert await wards.cases_of(LEADS, "meeting-oda") == await wards.meeting_rooms(LEADS, "meeting-oda") == []
    with pytest.raises(Gone):
        await wards.open_case(LEADS, "meeting-oda", ODA, now=cast.NOW)
    acting = replace(LEADS, host_id="host:host-lars")
    await wards.open_case(acting, "meeting-anna", "meeting-anna-kari", now=cast.NOW)
    (case,) = [one for one in await wards.cases_of(LEADS, "meeting-anna") if one.participant_id != ANNA]
    assert case.handed_over


async def test_AUT_2_figures_of_a_ward_count_its_people_only(wards: Store) -> None:
    """What became of invitations, what was said afterwards and the sums by unit; a reader without a ward has all."""
    answers = [("Ward 1", 11), ("Ward 2", 12)]
    for unit, number in answers:
        for place in range(number):
            person = replace(cast.participant(f"p{place}", 10 + place), id=f"{unit}-{place}")
            await wards.add_participant(cast.OTTO, "meeting-anna", person)
            await wards.add_feedback(cast.answer(unit=unit, participant_id=person.id))
    reader = staff("reader", units=("Ward 1",))
    ward, house = await wards.overview(reader, WEEKS), await wards.overview(staff("reader"), WEEKS)
    assert ward.right is not None
    assert house.right is not None
    assert (ward.right.number, house.right.number) == (11, 23), "what was told of one is not kept for another"
    assert [one.unit for one in await wards.feedback_sums(PLANS, WEEKS)] == ["Ward 1"]
    assert {one.unit for one in await wards.feedback_sums(cast.OTTO, WEEKS)} == {"Ward 1", "Ward 2"}
    assert [one.answers for one in await wards.feedback_summary(PLANS, WEEKS)] == [11]
    both = replace(reader, roles=frozenset({"reader", "leader"}), person_hash=b"person-lars")
    slices = await wards.overview(both, WEEKS)
    assert (slices.right, slices.satisfied) == (None, None), "as a leader they read the sums of both wards"
    assert (await wards.overview(reader, WEEKS)).right == ward.right
    await wards.purge(LATER)
    counted = await wards.participation(reader, WEEKS)
    assert {one.unit for one in counted} == {"Ward 1"}
    assert {one.unit for one in await wards.participation(staff("administrator"), WEEKS)} == {"Ward 1", "Ward 2"}


async def test_roles_reach_together_as_far_as_each_does() -> None:
    """A role widens only what it allows itself; one for all of the organisation lifts the limits of that."""
    actor = Actor(
        "staff", "o", "staff:s", frozenset({"support", "organiser", "leader"}),
        frozenset({("support", "A"), ("support", "B"), ("leader", "C")}), b"me",
    )  # fmt: skip
    assert actor.scope("report.find") == Scope("o", (Part(frozenset({"A", "B"})),))
    assert actor.scope("meeting.change").is_whole
    assert actor.scope("day.read") == Scope("o", (Part(frozenset({"C"}), b"me"),))
    assert actor.scope("meeting.read").is_whole
    assert not actor.scope("day.read").is_whole
    assert actor.scope("audit.read").parts == ()
    assert not actor.scope("audit.read").has_unit("A")
    assert Actor("support", "o", "link:x").scope("report.find").is_whole
