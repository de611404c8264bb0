"""PRV-3: what is forgotten when, by a clock the test sets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.series import pack
from reports.store import Actor, Purged, Store, new_id
from reports.store.participation import iso_week
from reports.store.setting_records import FEWEST_MONTHS, FIGURES_KEPT, changes_to
from reports.store.tables import participation, unlinked_report
from tests.actors import add_meeting
from tests.series import made_series
from tests.store import cast
from tests.store.test_access import dump

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


async def figures(store: Store) -> list[dict[str, Any]]:
    """The figures without a person."""
    return [row._asdict() for row in await store._rows(sa.select(unlinked_report))]


@pytest.mark.asyncio
async def test_a_drop_in_report_lives_24_hours(store: Store) -> None:
    """Nothing of it is left then, figures neither."""
    saved = cast.report(session_id="session-drop-in", meeting_id=None, participant_id=None, created_at=cast.NOW)
    await store.save_report(cast.CLOCK, saved)
    assert (await store.purge(cast.NOW + DAY)).drop_in_reports == 0
    assert await store.report_for_session(cast.CLOCK, "session-drop-in") == saved
    assert (await store.purge(cast.NOW + DAY + HOUR)).drop_in_reports == 1
    assert await store.report_for_session(cast.CLOCK, "session-drop-in") is None
    assert await figures(store) == []


@pytest.mark.asyncio
async def test_a_day_after_the_meeting_the_figures_name_nobody(store: Store, url: str) -> None:
    """Label, contact, code, title and the link to the person are gone from the whole database; the figures stay."""
    await store.set_practical(cast.ANNA, "meeting-anna-anna", phone_encrypted=b"encrypted-number")
    await store.start_self_test(cast.self_test())
    await store.save_phase("test-anna", "clock", {"rtt_ms": 77.125}, cast.STARTS, claim=1)
    saved = await store.save_report(
        cast.CLOCK, cast.report(self_test_id="test-anna", created_at=cast.ENDS), claim=1, series=made_series()
    )
    assert await store.series_of(cast.NORA, saved.id) is not None
    assert await store.purge(cast.ENDS + DAY) == Purged()
    assert (await store.board(cast.CLOCK, "meeting-anna"))[1].report == saved
    purged = await store.purge(cast.ENDS + DAY + HOUR)
    assert (purged.unlinked_reports, purged.people, purged.self_tests) == (1, 3, 1)
    assert await store.purge(cast.ENDS + DAY + HOUR) == Purged()
    (kept,) = await figures(store)
    assert kept.pop("id") not in {saved.id, saved.code}
    assert kept == {
        "organisation_id": "org-sunnaas",
        "week": "2026-W48",
        "client_class": "Chrome/Android/phone",
        "profile": "consultation",
        "verdict": "ready",
        "checks": [
            {
                "id": "network.rtt",
                "outcome": "pass",
                "value": 52.1,
                "unit": "ms",
                "pass": 150,
                "fail": 300,
                "cause": None,
                "responsible": None,
            },
            {
                "id": "practical.people",
                "outcome": "pass",
                "value": None,
                "unit": None,
                "pass": None,
                "fail": None,
                "cause": None,
                "responsible": None,
            },
        ],
        "score": None,
        "problem": None,
        "judged": None,
        "figures": {
            "profile": "consultation",
            "rest": "ready",
            "values": {"network.rtt": 52.1},
            "outcomes": {"network.rtt": "pass"},
        },
    }
    board = await store.board(cast.CLOCK, "meeting-anna")
    assert [(row.participant.label, row.report) for row in board] == [("", None)] * 3
    content = dump(url)
    for personal in ("Anna", "Hansen", "encrypted-number", saved.id, saved.code, "77.125"):
        assert personal.encode() not in content
    assert pack(made_series())[:40] not in content, "the series too"
    assert await store.series_of(cast.NORA, saved.id) is None


@pytest.mark.asyncio
async def test_who_led_and_how_it_went_is_told_without_a_name(store: Store, url: str) -> None:
    """Hosts, addresses, the meeting's link and its key go after 24 h; the answer goes with the figures, once."""
    await store.change_meeting(cast.OTTO, "meeting-anna", {"join_link": b"secret-room", "import_key": b"uid-hash"})
    await store.add_host(cast.OTTO, "meeting-anna", cast.host(label="Overlege Lien", reach=b"lien-reach"))
    await store.change_participant(cast.OTTO, "meeting-anna", "meeting-anna-anna", {"reach": b"anna-reach"})
    first = await store.save_report(cast.CLOCK, cast.report(verdict="not_ready"))
    saved = await store.save_report(
        cast.CLOCK, cast.report(verdict="ready_with_warnings", body={**cast.BODY, "id": first.id})
    )
    await store.add_feedback(cast.answer(report_id=saved.id, score=2, problem="sound"))
    await store.queue([cast.outgoing()])
    assert await store.purge(cast.ENDS + DAY) == Purged()
    purged = await store.purge(cast.ENDS + DAY + HOUR)
    assert (purged.unlinked_reports, purged.people, purged.hosts, purged.answers) == (2, 3, 1, 0)
    kept = {(one["score"], one["problem"]) for one in await figures(store)}
    assert kept == {(None, None), (2, "sound")}
    anna = await store.participant(cast.CLOCK, "meeting-anna-anna")
    assert anna is not None
    assert (anna.last_verdict, anna.reach) == ("ready_with_warnings", None)
    content = dump(url)
    for personal in ("Lien", "lien-reach", "anna-reach", "secret-room", "uid-hash", "person-lars", saved.id):
        assert personal.encode() not in content
    assert await store.outgoing_of(cast.CLOCK, "meeting-anna") != []
    assert (await store.purge(cast.ENDS + 7 * DAY + HOUR)).meetings == 1
    assert await store.outgoing_of(cast.CLOCK, "meeting-anna") == []
    assert (await store.purge(cast.NOW + 390 * DAY)).answers == 0
    assert (await store.purge(cast.NOW + 410 * DAY)).answers == 1


@pytest.mark.asyncio
async def test_who_was_taken_out_is_forgotten_with_the_people(store: Store, url: str) -> None:
    """Name and sealed address are there to tell them by, and go a day after the meeting, or once they know."""
    for name in ("gone", "told"):
        one = replace(cast.participant(name, 5), label=f"{name}-label", reach=f"{name}-reach".encode())
        await store.add_participant(cast.OTTO, "meeting-anna", one)
        await store.remove_participant(cast.OTTO, "meeting-anna", one.id, keeps=True)
    assert [one.label for one in await store.taken_out(cast.OTTO, "meeting-anna")] == ["gone-label", "told-label"]
    assert await store.taken_out(cast.EVE, "meeting-anna") == []
    told = cast.participant("told", 5).id
    assert await store.forget_taken_out(cast.OTTO, "meeting-anna", told)
    assert not await store.forget_taken_out(cast.OTTO, "meeting-anna", told)
    assert (await store.purge(cast.ENDS + DAY)).taken_out == 0
    assert (await store.purge(cast.ENDS + DAY + HOUR)).taken_out == 1
    assert await store.taken_out(cast.OTTO, "meeting-anna") == []


@pytest.mark.asyncio
async def test_of_a_support_case_nobody_is_named_a_day_after_the_meeting(store: Store) -> None:
    """Who opened and took it, and the report, go with the people; when it was goes with the meeting."""
    await store.save_report(cast.CLOCK, cast.report())
    await store.open_case(cast.LARS, "meeting-anna", "meeting-anna-anna", now=cast.NOW)
    (case,) = await store.cases_of(cast.LARS, "meeting-anna")
    assert case.report_id is not None
    assert await store.take_person(cast.NORA, "meeting-anna-anna", cast.NOW)
    assert await store.add_note(cast.NORA, "meeting-anna-anna", b"sealed", cast.NOW)
    assert await store.end_case(cast.NORA, "meeting-anna-anna", "setting", cast.NOW)
    assert await store.purge(cast.ENDS + DAY) == Purged()
    purged = await store.purge(cast.ENDS + DAY + HOUR)
    assert (purged.cases, purged.notes) == (1, 1)
    (kept,) = await store.cases_of(cast.LARS, "meeting-anna")
    assert (kept.opened_by, kept.taken_by, kept.done_by, kept.report_id) == (None, None, None, None)
    assert (kept.opened_at, kept.taken_at) == (cast.NOW, cast.NOW)
    assert await store.purge(cast.ENDS + DAY + HOUR) == Purged()
    assert (await store.purge(cast.ENDS + 7 * DAY + HOUR)).meetings == 1
    assert await store.cases_of(cast.LARS, "meeting-anna") == []


@pytest.mark.asyncio
async def test_a_link_lives_a_week_longer_than_its_meeting(store: Store) -> None:
    """LNK-5: it still opens the one question about how it went; then link, people and meeting go."""
    link = cast.invitation(expires_at=cast.ENDS + 7 * DAY)
    await store.add_invitation(link, cast.digest("token"))
    await store.purge(cast.ENDS + 6 * DAY)
    assert await store.find_invitation("sunnaas", cast.digest("token"), cast.ENDS + 6 * DAY) == link
    assert (await store.purge(cast.ENDS + 7 * DAY + HOUR)).meetings == 1
    assert await store.meeting(cast.CLOCK, "meeting-anna") is None
    assert await store.participant(cast.CLOCK, "meeting-anna-anna") is None
    assert await store.find_invitation("sunnaas", cast.digest("token"), cast.NOW) is None


@pytest.mark.asyncio
async def test_an_expired_session_is_deleted_a_day_later_and_its_report_stays(store: Store) -> None:
    """Meetings are booked weeks ahead: the report must outlive the page it was made on."""
    await store.add_session(cast.session(id="early", expires_at=cast.NOW), cast.digest("early"))
    await add_meeting(store, cast.meeting(id="far", ends_at=cast.NOW + 30 * DAY), [cast.participant("anna", 0, "far")])
    early = cast.report(meeting_id="far", participant_id="far-anna", session_id="early")
    await store.save_report(cast.CLOCK, early)
    assert (await store.purge(cast.NOW + DAY)).sessions == 0
    assert (await store.purge(cast.NOW + DAY + HOUR)).sessions == 1
    found = await store.latest_report(cast.CLOCK, "far-anna")
    assert found is not None
    assert (found.id, found.session_id) == (early.id, None)


@pytest.mark.asyncio
async def test_a_link_of_support_goes_a_day_after_it_expired(store: Store) -> None:
    """It belongs to no meeting that could take it along; its sessions go with it."""
    link = cast.invitation(
        id="support", kind="support", meeting_id=None, participant_id=None, expires_at=cast.NOW + DAY
    )
    await store.add_invitation(link, cast.digest("support"))
    opened = cast.session(id="s", kind="support", invitation_id="support", meeting_id=None, participant_id=None)
    await store.add_session(opened, cast.digest("s"))
    assert (await store.purge(cast.NOW + 2 * DAY)).links == 0
    assert await store.session_by_id("s") is None, "the session's own time was over"
    await store.add_session(opened, cast.digest("s"))
    assert (await store.purge(cast.NOW + 2 * DAY + HOUR)).links == 1
    assert await store.session_by_id("s") is None
    assert await store.find_invitation("sunnaas", cast.digest("support"), cast.NOW) is None


@pytest.mark.asyncio
async def test_figures_are_kept_13_months(store: Store) -> None:
    """A month can be compared with the same month of the year before, and no longer."""
    await store.save_report(cast.CLOCK, cast.report())
    await store.purge(cast.ENDS + 2 * DAY)
    await store.purge(cast.NOW + 390 * DAY)
    assert len(await figures(store)) == 1
    assert (await store.purge(cast.NOW + 410 * DAY)).old_figures == 1
    assert await figures(store) == []


@pytest.mark.asyncio
async def test_two_processes_that_purge_at_once_unlink_each_report_once(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statistics count nobody twice and forget nobody, however many batches it takes."""
    monkeypatch.setattr("reports.store.retention.BATCH", 7)
    for _ in range(30):
        await store.save_report(cast.CLOCK, cast.report())
    other = await Store.open(url)
    done = await asyncio.gather(*(s.purge(cast.ENDS + 2 * DAY) for s in (store, other)))
    assert sum(purged.unlinked_reports for purged in done) == 30
    assert len(await figures(store)) == 30
    await other.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ended_h=st.integers(-200, 48), made_h=st.integers(-60, 0), drops=st.booleans())
def test_exactly_what_is_due_is_forgotten(url: str, ended_h: int, made_h: int, drops: bool) -> None:
    """A report is readable as long as its time is not over, and never longer."""

    async def check() -> None:
        store = await Store.open(url)
        await store.ensure_organisation(cast.organisation())
        made = new_id()
        ends = cast.NOW + ended_h * HOUR
        await add_meeting(store, cast.meeting(id=made, ends_at=ends), [cast.participant("anna", 0, made)])
        person = None if drops else f"{made}-anna"
        opened = cast.drop_in(id=made) if drops else cast.session(id=made, meeting_id=made, participant_id=person)
        await store.add_session(opened, cast.digest(made))
        saved = cast.report(
            meeting_id=None if drops else made,
            participant_id=person,
            session_id=made,
            created_at=cast.NOW + made_h * HOUR,
        )
        await store.save_report(cast.CLOCK, saved)
        await store.purge(cast.NOW)
        due = made_h < -24 if drops else ended_h < -24
        assert (await store.report_for_session(cast.CLOCK, made) is None) == due
        assert (await store.meeting(cast.CLOCK, made) is None) == (ended_h < -7 * 24)
        await store.close()

    asyncio.run(check())


@pytest.mark.asyncio
async def test_who_keeps_figures_for_a_shorter_time_loses_them_earlier(store: Store) -> None:
    """Three months for one organisation, thirteen for the others; changes of settings go after thirteen too."""
    ahus = replace(cast.organisation(), id="org-ahus", slug="ahus")
    await store.ensure_organisation(ahus)
    found = await store.ensure_organisation(cast.organisation())
    shorter = changes_to(found, {"choices/figures_months": FEWEST_MONTHS})
    await store.change_settings(Actor("operator", found.id, "operator"), shorter, cast.NOW)
    row = {"profile": "consultation", "solution": "teams", "client_class": "x", "tested": "never", "cause": ""}
    rows = [
        {**row, "id": f"{whose}-{months}", "organisation_id": whose, "week": iso_week(cast.NOW - 30 * DAY * months)}
        for whose in ("org-sunnaas", "org-ahus")
        for months in (2, 5, 14)
    ]
    async with store._database.write() as connection:
        await connection.execute(sa.insert(participation), rows)
    assert (await store.purge_counts(cast.NOW, 24)).old_counts == 3
    await store.purge(cast.NOW)
    async with store._database.read() as connection:
        left = (await connection.execute(sa.select(participation.c.id))).scalars().all()
    assert sorted(left) == ["org-ahus-2", "org-ahus-5", "org-sunnaas-2"]
    assert (await store.purge(cast.NOW + FIGURES_KEPT)).changes == 0
    assert (await store.purge(cast.NOW + FIGURES_KEPT + HOUR)).changes == 1
