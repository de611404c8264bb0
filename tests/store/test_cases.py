"""Support cases: one at a time for each person, taken once, and off the list when there is no more use for help."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from reports.store import Actor, Gone, Store
from tests.patience import PATIENCE_S
from tests.store import cast

pytestmark = pytest.mark.asyncio

ELSEWHERE = replace(cast.NORA, organisation_id="org-ahus", id="link:odd")
SUNNAAS, MEETING, ANNA, KARI = "org-sunnaas", "meeting-anna", "meeting-anna-anna", "meeting-anna-kari"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


async def hand_over(store: Store, person: str = ANNA, *, minutes: int = 0) -> bool:
    """Lars hands somebody over."""
    return await store.open_case(cast.LARS, MEETING, person, now=cast.NOW + minutes * MINUTE)


async def waiting(store: Store, *, who: Actor = cast.NORA, hours: int = 0) -> list[str]:
    """The ids on support's list."""
    lines = await store.desk(who, cast.NOW + hours * HOUR)
    return [one.case.id for one in lines if one.case is not None and one.is_waiting]


async def test_a_case_says_who_opened_it_with_which_report(store: Store) -> None:
    """The report is the newest of that moment; the page shows the newest there is, and who leads."""
    await store.add_host(cast.OTTO, MEETING, cast.host())
    first = await store.save_report(cast.CLOCK, cast.report(verdict="not_ready"))
    assert await hand_over(store)
    second = await store.save_report(cast.CLOCK, cast.report())
    (case,) = await store.cases_of(cast.LARS, MEETING)
    assert (case.report_id, case.opened_at, case.opened_by) == (first.id, cast.NOW, "host:host-lars")
    (shown,) = await store.desk(cast.NORA, cast.NOW)
    assert (shown.case, shown.role, shown.leaders, shown.starts_at) == (case, "participant", ("Lars",), cast.STARTS)
    assert shown.report is not None
    assert replace(shown.report, body=second.body) == second, "but for the body, of which a list has what it shows"
    assert shown.report.body.items() <= second.body.items()
    assert await store.delete_report(cast.ANNA, first.id, "session-anna")
    assert (await store.cases_of(cast.LARS, MEETING))[0].report_id is None


async def test_a_person_has_one_case_at_a_time(store: Store) -> None:
    """Tapped twice at once: one. Handed over anew once support took it: the first is done, the next one waits."""
    assert sorted(await asyncio.gather(*(hand_over(store) for _ in range(4)))) == [False, False, False, True]
    assert await hand_over(store, KARI, minutes=1)
    first, kari = await waiting(store)
    assert await store.take_person(cast.NORA, ANNA, cast.NOW)
    assert await waiting(store) == [kari]
    assert await hand_over(store), "of the same moment"
    again = (await store.cases_of(cast.LARS, MEETING))[1]
    done = (await store.cases_of(cast.LARS, MEETING))[0]
    assert (done.id, done.taken_by, done.done_at, done.how) == (first, "link:nora", cast.NOW, "opened_again")
    assert await waiting(store) == [again.id, kari]


async def test_of_two_at_support_one_takes_it(store: Store, url: str) -> None:
    """Through processes of their own; nobody else's organisation, and nobody once it is taken."""
    await hand_over(store)
    assert not await store.take_person(ELSEWHERE, ANNA, cast.NOW)
    assert await waiting(store, who=ELSEWHERE) == []
    other = await Store.open(url)
    at_support = [replace(cast.NORA, id=f"link:{number}") for number in range(6)]
    hands = [one.take_person(who, ANNA, cast.NOW) for who, one in zip(at_support, (store, other) * 3, strict=True)]
    assert sorted(await asyncio.gather(*hands)) == [False] * 5 + [True]
    assert not await store.take_person(cast.NORA, "none", cast.NOW)
    await other.close()


async def test_a_case_leaves_the_list_with_its_meeting(store: Store) -> None:
    """An hour after the end, wherever that has moved to; at once where it is cancelled, and then the case is done."""
    await hand_over(store)
    (case,) = await waiting(store, hours=3)
    assert await waiting(store, hours=4) == []
    await store.change_meeting(cast.OTTO, MEETING, {"ends_at": cast.ENDS + HOUR})
    assert await waiting(store, hours=4) == [case]
    await store.cancel_meeting(cast.OTTO, MEETING, cast.NOW + MINUTE)
    assert await waiting(store) == []
    (closed,) = await store.cases_of(cast.LARS, MEETING)
    assert (closed.taken_at, closed.done_at, closed.how) == (None, cast.NOW + MINUTE, "meeting_cancelled")
    assert not await store.take_person(cast.NORA, ANNA, cast.NOW)


async def test_only_who_is_in_the_meeting_is_handed_over(store: Store) -> None:
    """Somebody unknown, another meeting and another organisation are refused, and a case goes with its person."""
    odd = replace(cast.LARS, organisation_id="org-ahus")
    for wrong in ((cast.LARS, MEETING, "nobody"), (cast.LARS, "none", ANNA), (odd, MEETING, ANNA)):
        with pytest.raises(Gone):
            await store.open_case(*wrong, now=cast.NOW)
    await hand_over(store)
    await store.remove_participant(cast.OTTO, MEETING, ANNA)
    assert await store.cases_of(cast.LARS, MEETING) == []


async def test_boards_hear_of_a_case(store: Store) -> None:
    """When it is opened and when it is taken."""
    async with store.watch(MEETING) as changes:
        await hand_over(store)
        await asyncio.wait_for(anext(changes), PATIENCE_S)
        await store.take_person(cast.NORA, ANNA, cast.NOW)
        await asyncio.wait_for(anext(changes), PATIENCE_S)
