"""What became of invitations: counted once, when people are forgotten, and nothing leads back to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from reports.store import Store
from reports.store.tables import participation
from tests.actors import add_meeting
from tests.store import cast

pytestmark = pytest.mark.asyncio
LATER = cast.ENDS + timedelta(hours=25)
WEEKS = ("2026-W45", "2026-W48")


async def test_each_invitation_is_counted_once_with_what_became_of_it(store: Store) -> None:
    """Anna failed and was ready twenty minutes later, Kari tested when it had begun, Lars never; once."""
    failed = {**cast.BODY, "checks": [{"id": "network.path", "outcome": "fail"}]}
    first = cast.report(verdict="not_ready", body=failed, created_at=cast.NOW)
    await store.save_report(cast.CLOCK, first)
    await store.save_report(cast.CLOCK, cast.report(created_at=cast.NOW + timedelta(minutes=20)))
    late = cast.report(participant_id="meeting-anna-kari", session_id=None, created_at=cast.STARTS)
    await store.save_report(cast.CLOCK, late)
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
    assert await store.participation(replace(cast.NORA, organisation_id="org-ahus"), WEEKS) == []
    ids = {row.id for row in await store._rows(sa.select(participation.c.id))}
    assert not ids & {"meeting-anna-anna", first.id, "meeting-anna"}
    assert (await store.purge(cast.NOW + timedelta(days=410))).old_counts == 3


async def test_a_meeting_that_was_cancelled_is_not_counted(store: Store) -> None:
    """Nobody was to test for it."""
    await store.cancel_meeting(cast.OTTO, "meeting-anna", cast.NOW)
    await add_meeting(store, cast.meeting(id="other"), [cast.participant("per", 0, "other")])
    await store.purge(LATER)
    assert [one.number for one in await store.participation(cast.NORA, WEEKS)] == [1]
