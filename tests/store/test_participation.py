"""What became of invitations: counted once, when people are forgotten, and nothing leads back to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest
import sqlalchemy as sa

from reports.store import Actor, NotAllowed, Store
from reports.store.participation import KEPT_S
from reports.store.records import new_id
from reports.store.tables import participation
from tests.actors import add_meeting
from tests.fleet import room
from tests.store import cast

pytestmark = pytest.mark.asyncio
LATER = cast.ENDS + timedelta(hours=25)
MANAGER = Actor("room_manager", "org-sunnaas", "link:rita")
WEEKS = ("2026-W45", "2026-W48")


async def test_each_invitation_is_counted_once_with_what_became_of_it(store: Store) -> None:
    """Anna failed and was ready twenty minutes later, Kari tested when it had begun, Lars never; once."""
    failed = {**cast.BODY, "checks": [{"id": "network.path", "outcome": "fail"}]}
    first = cast.report(verdict="not_ready", body=failed, created_at=cast.NOW)
    await store.save_report(cast.CLOCK, first)
    await store.save_report(cast.CLOCK, cast.report(created_at=cast.NOW + timedelta(minutes=20)))
    late = cast.report(participant_id="meeting-anna-kari", session_id=None, created_at=cast.STARTS)
    await store.save_report(cast.CLOCK, late)
    await store.change_meeting(cast.OTTO, "meeting-anna", {"unit": "Hand"})
    for name in ("Viken", "Fjorden"):
        await store.add_room(MANAGER, room(name, organisation_id="org-sunnaas"))
    await store.set_meeting_rooms(cast.OTTO, "meeting-anna", ["room-Viken", "room-Fjorden"])
    await store.purge(cast.ENDS)
    assert await store.participation(cast.NORA, WEEKS) == [], "not before the people are forgotten"
    await store.purge(LATER)
    await store.purge(LATER + timedelta(hours=1))
    found = await store.participation(cast.NORA, WEEKS)
    assert sum(one.number for one in found) == 3
    told = {(one.tested, one.first_verdict, one.last_verdict, one.cause, one.solved_min) for one in found}
    assert told == {
        ("in_time", "not_ready", "ready", "network.path", 30),
        ("late", "ready", "ready", "", None),
        ("never", None, None, "", None),
    }
    assert {(one.week, one.solution, one.profile) for one in found} == {("2026-W48", "other", "consultation")}
    assert {(one.unit, one.room) for one in found} == {("Hand", "Fjorden + Viken")}
    assert await store.participation(replace(cast.NORA, organisation_id="org-ahus"), WEEKS) == []
    ids = {row.id for row in await store._rows(sa.select(participation.c.id))}
    assert not ids & {"meeting-anna-anna", first.id, "meeting-anna"}
    assert (await store.purge(cast.NOW + timedelta(days=410))).old_counts == 3


async def test_a_month_is_told_as_it_was_told_before(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is counted late does not change it for a while, and is no difference of two pages; others read their own."""
    rows = [cast_row() for _ in range(20)]
    async with store._database.write() as connection:
        await connection.execute(sa.insert(participation), rows)
    first = await store.overview(cast.NORA, WEEKS)
    assert first.in_time is not None
    assert first.in_time.number == 20
    async with store._database.write() as connection:
        await connection.execute(sa.insert(participation), [cast_row() for _ in range(3)])
    assert await store.overview(cast.NORA, WEEKS) == first
    assert (await store.overview(replace(cast.NORA, organisation_id="org-ahus"), WEEKS)).in_time is None
    with pytest.raises(NotAllowed):
        await store.overview(cast.ANNA, WEEKS)
    with monkeypatch.context() as later:
        later.setattr("reports.store.participation.monotonic", lambda: monotonic() + KEPT_S)
        counted = (await store.overview(cast.NORA, WEEKS)).in_time
    assert counted is not None
    assert counted.number == 23, "after an hour it is counted again"


def cast_row() -> dict[str, object]:
    """One who was ready in time."""
    return {
        "id": new_id(), "organisation_id": "org-sunnaas", "week": WEEKS[0], "profile": "consultation",
        "solution": "teams", "client_class": "Chrome/Android/phone", "tested": "in_time", "first_verdict": "ready",
        "last_verdict": "ready", "cause": "", "unit": "Hand", "room": "",
    }  # fmt: skip


async def test_a_meeting_that_was_cancelled_is_not_counted(store: Store) -> None:
    """Nobody was to test for it."""
    await store.cancel_meeting(cast.OTTO, "meeting-anna", cast.NOW)
    await add_meeting(store, cast.meeting(id="other"), [cast.participant("per", 0, "other")])
    await store.purge(LATER)
    assert [one.number for one in await store.participation(cast.NORA, WEEKS)] == [1]
