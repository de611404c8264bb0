"""What is kept of tests for a look at other limits: the same before and after they are nobody's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from reports.kept_figures import kept_figures, read_kept
from reports.store import Actor, Store
from reports.store.stored_figures import figures_since
from reports.store.tables import report, unlinked_report
from tests.store import cast
from tests.store.test_units import staff

ADA = staff("administrator")
CHECKS = [
    {"id": "network.rtt", "outcome": "warn", "value": 212.5, "cause": None, "level": "required", "details": {"n": 1}},
    {"id": "camera.light", "outcome": "fail", "value": 20.0, "cause": None, "level": "required", "details": {}},
    {"id": "network.loss_up", "outcome": "not_measured", "value": None, "cause": "server_busy", "level": "required"},
]
BODY: dict[str, Any] = {"profile": "consultation", "verdict": "not_ready", "checks": CHECKS}
KEPT = read_kept(kept_figures("consultation", CHECKS) or {})


async def saved(store: Store, **changed: Any) -> None:
    """Anna's report, of a camera in the dark."""
    await store.save_report(cast.CLOCK, cast.report(**{"body": BODY, "created_at": cast.NOW, **changed}))


async def forget_figures(store: Store) -> None:
    """Make all tests such as were stored before figures were kept."""
    async with store._database.write() as connection:
        for table in (report, unlinked_report):
            await connection.execute(sa.update(table).values(figures=sa.null()))


@pytest.mark.asyncio
async def test_a_test_is_read_as_long_as_it_is_somebodys_and_after(store: Store):
    """And so is one from before figures were kept, which is read from its checks, weighed by the profile."""
    await saved(store)
    assert KEPT.rest == "not_ready"
    assert (KEPT.outcomes["network.rtt"], KEPT.values["network.rtt"]) == ("warn", 212.5)
    assert await store.kept_tests(ADA, cast.NOW) == {"consultation": [KEPT]}
    await forget_figures(store)
    assert await store.kept_tests(ADA, cast.NOW) == {"consultation": [KEPT]}
    await store.purge(cast.ENDS + timedelta(days=2))
    assert await store.kept_tests(ADA, cast.NOW) == {"consultation": [KEPT]}
    await forget_figures(store)
    assert await store.kept_tests(ADA, cast.NOW) == {"consultation": [KEPT]}


@pytest.mark.asyncio
async def test_only_newer_ones_of_meetings_here_are_read(store: Store):
    """Not those of five weeks ago, nor of whoever tests without an invitation, nor another organisation's."""
    await saved(store)
    await saved(store, session_id="session-drop-in", meeting_id=None, participant_id=None)
    for weeks, number in ((3, 1), (6, 0)):
        found = await store.kept_tests(ADA, cast.NOW + timedelta(weeks=weeks))
        assert len(found.get("consultation", [])) == number
    await store.purge(cast.ENDS + timedelta(days=2))
    for weeks, number in ((3, 1), (6, 0)):
        found = await store.kept_tests(ADA, cast.NOW + timedelta(weeks=weeks))
        assert len(found.get("consultation", [])) == number
    assert await store.kept_tests(Actor("administrator", "org-ahus", "x"), cast.NOW) == {}
    assert await store.kept_tests(staff("administrator", units=("Ward 1",)), cast.NOW) == {}


@pytest.mark.asyncio
async def test_nothing_but_figures_is_kept(store: Store):
    """Outcome, value and cause: a detail or an answer is not among them."""
    answer = {"id": "practical.people", "outcome": "pass", "value": "Kari Nordmann", "level": "information"}
    await saved(store, body=BODY | {"checks": [*CHECKS, answer]})
    await store.purge(cast.ENDS + timedelta(days=2))
    rows = await store._rows(sa.select(unlinked_report.c.figures))
    assert [row.figures for row in rows] == [
        {
            "profile": "consultation",
            "rest": "not_ready",
            "values": {"network.rtt": 212.5, "network.loss_up": None},
            "outcomes": {"network.rtt": "warn", "network.loss_up": "not_measured server_busy"},
        }
    ]


def test_the_first_day_is_a_monday_four_weeks_back():
    """Whatever the day: of figures only their week is known."""
    for day in range(7):
        since = figures_since(cast.NOW + timedelta(days=day))
        assert since.isoweekday() == 1
        assert 28 <= ((cast.NOW + timedelta(days=day)).date() - since).days <= 34
