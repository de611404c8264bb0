"""Support's desk: who stands first, that of two at support exactly one has somebody, and who calls."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from reports.store import Actor, NewMeeting, Store
from reports.store.desk import AHEAD
from reports.store.desk_records import desk_of
from reports.store.records import Invitation
from tests.patience import PATIENCE_S
from tests.running import tries
from tests.store import cast

pytestmark = pytest.mark.asyncio

ELSEWHERE = replace(cast.NORA, organisation_id="org-ahus", id="link:odd")
SUNNAAS, MEETING, ANNA, KARI = "org-sunnaas", "meeting-anna", "meeting-anna-anna", "meeting-anna-kari"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RACES = tries(120, quick=30)
"""People whom two desks take at once; the bench takes a thousand."""


async def on_the_list(store: Store, who: Actor = cast.NORA, *, hours: float = 0) -> list[str]:
    """Who stands on the list, in order."""
    return [one.participant_id for one in await store.desk(who, cast.NOW + hours * HOUR)]


async def meet(store: Store, name: str, *, hours: float, people: int = 1, series: bytes | None = None) -> list[str]:
    """Another meeting, so many hours from now; its people's ids."""
    starts = cast.NOW + hours * HOUR
    made = cast.meeting(id=name, title="", starts_at=starts, ends_at=starts + HOUR, import_series=series)
    there = [cast.participant(f"p{place}", place, name, role="patient") for place in range(people)]
    await store.add_meetings(cast.OTTO, [NewMeeting(made, there)])
    return [one.id for one in there]


async def has_tested(store: Store, person: str, verdict: str, *, minutes: int = 1, **body: object) -> None:
    """Somebody's test, with this answer."""
    meeting = person.rpartition("-")[0]
    await store.save_report(
        cast.CLOCK,
        cast.report(
            verdict=verdict, participant_id=person, meeting_id=meeting, created_at=cast.NOW + minutes * MINUTE,
            body={**cast.BODY, **body},
        ),
    )  # fmt: skip


async def test_the_most_urgent_stands_first(store: Store) -> None:
    """By start, then by how bad the test was; whoever was handed over counts by the test; who is ready is not there."""
    (soon,) = await meet(store, "soon", hours=1)
    later = await meet(store, "later", hours=3, people=4)
    far = await meet(store, "far", hours=25, people=2)
    for person, verdict in zip(later, ("incomplete", "not_ready", "ready", "not_ready"), strict=True):
        await has_tested(store, person, verdict)
    await has_tested(store, later[3], "ready", minutes=2)
    await has_tested(store, soon, "incomplete")
    await has_tested(store, far[0], "not_ready")
    await store.open_case(replace(cast.LARS), "far", far[1], now=cast.NOW)
    await store.open_case(cast.LARS, MEETING, KARI, now=cast.NOW)
    assert await on_the_list(store) == [soon, KARI, later[1], later[0], far[1]]
    assert await on_the_list(store, hours=25 - AHEAD / HOUR) == [soon, KARI, later[1], later[0], far[0], far[1]]
    assert await on_the_list(store, hours=3.5) == [KARI, later[1], later[0], far[0], far[1]], "an hour after the end"
    assert await on_the_list(store, ELSEWHERE) == []


async def test_taking_next_takes_the_first_whom_nobody_has(store: Store) -> None:
    """With a case where a leader opened one, with an own one else; put back it is first again; solved it is gone."""
    first, second = await meet(store, "soon", hours=1, people=2)
    await has_tested(store, first, "not_ready")
    await store.open_case(cast.LARS, "soon", second, now=cast.NOW)
    nils = replace(cast.NORA, id="staff:nils")
    assert await store.take_next(cast.NORA, cast.NOW) == first
    assert await store.take_next(nils, cast.NOW) == second
    assert await store.take_next(nils, cast.NOW) is None
    assert await store.take_next(ELSEWHERE, cast.NOW) is None
    mine = {one.participant_id: one.case for one in await store.desk(cast.NORA, cast.NOW)}
    assert (mine[first].opened_by, mine[first].taken_by) == ("link:nora", "link:nora")
    assert (mine[second].opened_by, mine[second].taken_by) == ("host:host-lars", "staff:nils")
    for wrong in (nils, ELSEWHERE):
        assert not await store.put_back(wrong, first)
        assert not await store.end_case(wrong, first, "setting", cast.NOW)
        assert not await store.add_note(wrong, first, b"sealed", cast.NOW)
    assert await store.put_back(cast.NORA, first)
    assert not await store.take_person(cast.NORA, second, cast.NOW), "somebody has it"
    assert not await store.take_person(cast.NORA, second, cast.NOW, over="staff:old"), "not who was seen to have it"
    assert await store.take_person(cast.NORA, second, cast.NOW, over="staff:nils")
    assert await store.take_next(cast.NORA, cast.NOW) == first
    assert await store.add_note(cast.NORA, first, b"sealed", cast.NOW)
    assert await store.end_case(cast.NORA, first, "restarted", cast.NOW + 2 * MINUTE)
    assert await on_the_list(store) == [second]
    await has_tested(store, first, "not_ready", minutes=3)
    assert await on_the_list(store) == [first, second], "a later test is a new trouble"
    found = await store.desk_person(cast.NORA, first, cast.NOW)
    assert found is not None
    assert found.case is None
    assert [(one.how, one.done_by) for one in found.cases] == [("restarted", "link:nora")]
    assert [(one.text, one.written_by) for one in found.notes] == [(b"sealed", "link:nora")]


async def test_handed_over_is_what_a_leader_opened(store: Store) -> None:
    """By a leader's own link or one for nobody in particular, never what support opened, whoever has it since.

    A case that support opened itself and put back without a note is forgotten; a leader's, and one with a note, stay.
    """
    people = await meet(store, "soon", hours=1, people=4)
    own, link, asked, noted = people
    given = Invitation("given", SUNNAAS, "leader", "soon", None, cast.NOW + DAY)
    await store.add_invitation(given, cast.digest("given"))
    await store.open_case(cast.LARS, "soon", own, now=cast.NOW)
    await store.open_case(replace(cast.LARS, id="link:given"), "soon", link, now=cast.NOW)
    nils = replace(cast.NORA, id="staff:nils")
    for person in (asked, noted):
        assert await store.take_person(cast.NORA, person, cast.NOW)
        assert await store.take_person(nils, person, cast.NOW, over=cast.NORA.id)
    for person in (own, link):
        assert await store.take_person(nils, person, cast.NOW)

    async def handed_over() -> dict[str, bool]:
        return {one.participant_id: one.case.handed_over for one in await store.desk(nils, cast.NOW) if one.case}

    assert await handed_over() == {own: True, link: True, asked: False, noted: False}
    assert await store.add_note(nils, noted, b"sealed", cast.NOW)
    for person in people:
        assert await store.put_back(nils, person)
    assert await handed_over() == {own: True, link: True, noted: False}
    assert {one.case.taken_by for one in await store.desk(nils, cast.NOW) if one.case} == {None}
    found = await store.desk_person(nils, asked, cast.NOW)
    assert found is not None
    assert found.cases == []
    assert await store.open_case(cast.LARS, "soon", noted, now=cast.NOW), "support's own waiting note is no hand-over"
    assert await handed_over() == {own: True, link: True, noted: True}


async def test_of_two_who_take_next_nobody_gets_the_same(store: Store, url: str) -> None:
    """Two processes, two sessions each, take as fast as they can until nobody is left: everybody once."""
    people = await meet(store, "soon", hours=1, people=RACES)
    for place, person in enumerate(people):
        if place % 2:
            await store.open_case(cast.LARS, "soon", person, now=cast.NOW)
        else:
            await has_tested(store, person, "not_ready")
    other = await Store.open(url)

    async def take_all(desk: Store, name: str) -> list[str]:
        taken = []
        while (person := await desk.take_next(replace(cast.NORA, id=name), cast.NOW)) is not None:
            taken.append(person)
        return taken

    hands = [take_all(desk, f"link:{number}") for number, desk in enumerate((store, other, store, other))]
    taken = await asyncio.gather(*hands)
    await other.close()
    assert Counter(person for one in taken for person in one) == Counter(people)
    assert await store.take_next(cast.NORA, cast.NOW) is None
    holders = {one.case.taken_by for one in await store.desk(cast.NORA, cast.NOW) if one.case}
    assert holders
    assert holders <= {f"link:{number}" for number in range(4)}


async def test_who_calls_is_found_by_number_and_by_name(store: Store) -> None:
    """The number invited, the one given for the day, a leader's; a part of the label in any case; ours only."""
    await store.change_participant(cast.OTTO, MEETING, ANNA, {"phone_hash": cast.digest("1"), "label": "Åse Ødegård"})
    await store.set_practical(cast.ANNA, ANNA, phone_encrypted=b"x", phone_hash=cast.digest("2"))
    await store.add_host(cast.OTTO, MEETING, cast.host(phone_hash=cast.digest("3")))

    async def by_phone(number: str, who: Actor = cast.NORA, days: int = 0) -> set[str]:
        found = await store.find_by_phone(who, cast.digest(number), cast.NOW + days * DAY)
        return {one.participant.id for one in found}

    assert await by_phone("1") == await by_phone("2") == {ANNA}
    assert await by_phone("3") == {ANNA, KARI, "meeting-anna-lars"}
    assert await by_phone("4") == await by_phone("1", ELSEWHERE) == await by_phone("1", days=3) == set()
    for typed in ("åse", "ØDEGÅRD", "se Ø"):
        (found,) = await store.find_by_label(cast.NORA, typed, cast.NOW)
        assert (found.participant.id, found.starts_at) == (ANNA, cast.STARTS)
    assert await store.find_by_label(cast.NORA, "%", cast.NOW) == []
    assert await store.find_by_label(ELSEWHERE, "åse", cast.NOW) == []
    assert await store.people(ELSEWHERE, [ANNA], cast.NOW) == []
    await store.set_practical(cast.ANNA, ANNA, phone_encrypted=None)
    assert await by_phone("2") == set()
    await store.purge(cast.ENDS + 2 * DAY)
    assert await by_phone("1") == await by_phone("3") == set()


async def test_nothing_of_another_organisation(store: Store) -> None:
    """By the right ids: no person, no case, no note, no report, no judgement."""
    saved = await store.save_report(cast.CLOCK, cast.report(verdict="not_ready"))
    await store.take_person(cast.NORA, ANNA, cast.NOW)
    assert await store.desk_person(ELSEWHERE, ANNA, cast.NOW) is None
    assert await store.report_of_person(ELSEWHERE, ANNA) is None
    assert await store.reports_before(ELSEWHERE, saved, 5) == []
    assert await store.passed_in_series(ELSEWHERE, saved) is None
    assert not await store.take_person(ELSEWHERE, KARI, cast.NOW)
    assert not await store.judge_report(ELSEWHERE, saved.id, "false_alarm")
    assert await store.judged(ELSEWHERE, saved.id) is None
    assert await store.names_of_staff(ELSEWHERE, {"staff:nils"}) == {}


async def test_a_report_knows_what_came_before(store: Store) -> None:
    """The same person's earlier ones, and the last good one of the same place in the series, of no other place."""
    series = cast.digest("weekly")
    (last,) = await meet(store, "last", hours=-20, series=series)
    now, beside = await meet(store, "now", hours=1, people=2, series=series)
    await has_tested(store, last, "ready")
    await has_tested(store, now, "not_ready", minutes=2)
    await has_tested(store, now, "incomplete", minutes=3)
    await has_tested(store, beside, "not_ready", minutes=3)
    newest, other = await store.report_of_person(cast.NORA, now), await store.report_of_person(cast.NORA, beside)
    assert newest is not None
    assert other is not None
    assert [one.verdict for one in await store.reports_before(cast.NORA, newest, 5)] == ["not_ready"]
    found = await store.passed_in_series(cast.NORA, newest)
    assert found is not None
    assert found.participant_id == last
    assert await store.passed_in_series(cast.NORA, other) is None


async def test_what_support_says_of_a_report_outlives_it(store: Store) -> None:
    """Kept with the figures that name nobody, so that limits can be checked against it."""
    saved = await store.save_report(cast.CLOCK, cast.report())
    assert await store.judge_report(cast.NORA, saved.id, "missed_sound")
    assert await store.judged(cast.NORA, saved.id) == "missed_sound"
    await store.purge(cast.ENDS + 2 * DAY)
    from reports.store.tables import unlinked_report

    async with store._database.read() as connection:
        (row,) = (await connection.execute(unlinked_report.select())).all()
    assert row.judged == "missed_sound"


async def test_a_desk_hears_of_what_changes_its_list(store: Store) -> None:
    """Of a hand-over, of a test, of somebody who takes and who is done; not of another organisation's."""
    async with store.watch(desk_of(SUNNAAS)) as changes, store.watch(desk_of("org-ahus")) as others:

        async def heard() -> None:
            await asyncio.wait_for(anext(changes), PATIENCE_S)

        await store.open_case(cast.LARS, MEETING, KARI, now=cast.NOW)
        await heard()
        await has_tested(store, ANNA, "not_ready")
        await heard()
        await store.take_next(cast.NORA, cast.NOW)
        await heard()
        await store.end_case(cast.NORA, ANNA, "setting", cast.NOW)
        await heard()
        assert not others._changed.is_set()
