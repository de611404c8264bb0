"""One owner of a running test: whatever is written under an older claim is refused, on whichever process it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio

from reports.store import Gone, SelfTest, Store, TakenOver, new_id
from reports.store.records import Session
from tests.store import cast

pytestmark = pytest.mark.asyncio
MINUTE = timedelta(minutes=1)
SINCE = cast.NOW - 10 * MINUTE


@pytest_asyncio.fixture
async def other(store: Store, url: str) -> AsyncIterator[Store]:
    """Another process, on the same database."""
    opened = await Store.open(url)
    yield opened
    await opened.close()


async def resumed(store: Store, *, whose: Session | None = None, test: str = "test-anna") -> int:
    """Take the test over and go on with it, as a page does; return the claim."""
    session = whose or cast.session()
    claim = (await store.claim_self_tests(session, SINCE, cast.NOW, resume=test))[test]
    assert await store.resume_self_test(test, session, SINCE, cast.NOW, claim=claim) == []
    return claim


async def found(store: Store, test: str = "test-anna") -> SelfTest:
    test_found = await store.self_test(test, "session-anna")
    assert test_found is not None
    return test_found


async def test_a_finished_report_is_not_overwritten_by_an_older_owner(store: Store, other: Store) -> None:
    """The page went on through another process and finished; the first one notices its dead socket after that."""
    await store.start_self_test(cast.self_test())
    claim = await resumed(other)
    ready = await other.save_report(cast.CLOCK, cast.report(id="test-anna", self_test_id="test-anna"), claim=claim)
    late = cast.report(self_test_id="test-anna", verdict="incomplete", complete=False)
    with pytest.raises(TakenOver, match="report"):
        await store.save_report(cast.CLOCK, late, claim=1, self_test_state="incomplete")
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") == ready
    assert (await store.board(cast.CLOCK, "meeting-anna"))[1].report == ready
    assert (await found(store)).state == "finished"
    assert await store.report_by_code(cast.NORA, late.code) is None, "nothing of it was stored"


async def test_an_older_owner_does_not_get_the_newer_ones_report_for_its_own(store: Store, other: Store) -> None:
    """Both finish under the test's own id: the older one is refused, and told no code that is not its report's."""
    await store.start_self_test(cast.self_test())
    claim = await resumed(other)
    ready = await other.save_report(cast.CLOCK, cast.report(id="test-anna", self_test_id="test-anna"), claim=claim)
    with pytest.raises(TakenOver):
        await store.save_report(
            cast.CLOCK, cast.report(id="test-anna", self_test_id="test-anna", verdict="not_ready"), claim=1
        )
    assert await other.save_report(cast.CLOCK, ready, claim=claim) == ready


WRITES: dict[str, Callable[[Store, int], Awaitable[None]]] = {
    "phase": lambda store, claim: store.save_phase("test-anna", "clock", {"stale": 1}, cast.NOW + MINUTE, claim=claim),
    "touch": lambda store, claim: store.touch_self_test("test-anna", cast.NOW + MINUTE, claim=claim),
    "end": lambda store, claim: store.end_self_test("test-anna", claim=claim),
}


@pytest.mark.parametrize("what", WRITES)
async def test_nothing_of_an_older_owner_is_stored(store: Store, other: Store, what: str) -> None:
    """Neither a phase, nor a sign of life, nor an ending; the newest owner's is."""
    await store.start_self_test(cast.self_test())
    claim = await resumed(other)
    before = await found(store)
    with pytest.raises(TakenOver, match=what):
        await WRITES[what](store, 1)
    assert await found(store) == before
    await WRITES[what](other, claim)
    assert await found(store) != before


async def test_claims_only_rise_and_only_the_newest_goes_on(store: Store, other: Store) -> None:
    """Each page that says hello has a claim of its own; one that waited while another came is refused."""
    await store.start_self_test(cast.self_test())
    session = cast.session()
    pages = [one.claim_self_tests(session, SINCE, cast.NOW) for one in [store, other] * 4]
    claims = sorted(page["test-anna"] for page in await asyncio.gather(*pages))
    assert claims == list(range(2, 10))
    assert await store.claim_of("test-anna") == 9
    with pytest.raises(TakenOver, match="resume"):
        await store.resume_self_test("test-anna", session, SINCE, cast.NOW, claim=8)
    await other.resume_self_test("test-anna", session, SINCE, cast.NOW, claim=9)


async def test_what_cannot_be_gone_on_with_is_not_claimed(store: Store) -> None:
    """Somebody else's, a finished and an old test keep their owner; an incomplete one is claimed if asked for."""
    await store.start_self_test(cast.self_test())
    await store.add_session(cast.session(id="kari", participant_id="meeting-anna-kari"), cast.digest("kari"))
    kari = cast.session(id="kari", participant_id="meeting-anna-kari")
    assert await store.claim_self_tests(kari, SINCE, cast.NOW, resume="test-anna") == {}
    assert await store.claim_self_tests(cast.session(), cast.NOW + MINUTE, cast.NOW, resume="test-anna") == {}
    await store.end_self_test("test-anna", claim=1)
    assert await store.claim_self_tests(cast.session(), SINCE, cast.NOW) == {}
    assert await store.claim_self_tests(cast.session(), SINCE, cast.NOW, resume="test-anna") == {"test-anna": 2}
    await store.save_report(cast.CLOCK, cast.report(self_test_id="test-anna"), claim=2)
    assert await store.claim_self_tests(cast.session(), SINCE, cast.NOW, resume="test-anna") == {}
    with pytest.raises(Gone):
        await store.resume_self_test("none", cast.session(), SINCE, cast.NOW, claim=1)


async def test_of_tests_begun_at_the_same_moment_one_is_left(store: Store, other: Store) -> None:
    """Whichever came last owns all of them, and every other page is refused: a person has one test."""
    tests = [cast.self_test(id=f"t{number}") for number in range(8)]
    stores = [store, other] * 4
    begun = await asyncio.gather(
        *(one.begin_self_test(test, cast.session(), SINCE) for one, test in zip(stores, tests, strict=True))
    )
    others = [test for taken in begun for test in taken]
    lost = []
    for test in tests:
        try:
            await store.save_phase(test.id, "devices", {}, cast.NOW, claim=test.claim)
        except TakenOver:
            lost.append(test.id)
    assert len(lost) == len(tests) - 1
    assert {test.id for test in others} == set(lost)
    newest = {test.id: max(one.claim for one in others if one.id == test.id) for test in others}
    for test_id, claim in newest.items():
        await store.end_self_test(test_id, claim=claim)


async def test_the_ones_that_are_replaced_come_with_what_was_finished(store: Store) -> None:
    """Who takes their place can keep them as incomplete; those of other people are not touched."""
    await store.start_self_test(cast.self_test())
    await store.save_phase("test-anna", "devices", {"camera": 1}, cast.NOW, claim=1)
    await store.start_self_test(cast.self_test(id="karis", participant_id="meeting-anna-kari"))
    taken = await store.begin_self_test(cast.self_test(id=new_id()), cast.session(), SINCE)
    assert [(test.id, test.claim, test.phases) for test in taken] == [("test-anna", 2, {"devices": {"camera": 1}})]
    assert await store.claim_of("karis") == 1


async def test_a_page_that_comes_back_is_not_ended_by_who_tidies_up(store: Store, other: Store) -> None:
    """The one that found the test left behind has claimed it; then the page takes it back, and its report stands."""
    await store.start_self_test(cast.self_test())
    (left,) = await store.stale_self_tests(cast.NOW + MINUTE)
    tidying = await store.claim_left_over(left, cast.NOW + MINUTE)
    assert tidying == 2
    claim = await resumed(other)
    with pytest.raises(TakenOver):
        await store.save_report(
            cast.CLOCK,
            cast.report(self_test_id="test-anna", verdict="incomplete"),
            claim=tidying,
            self_test_state="incomplete",
        )
    await other.save_report(cast.CLOCK, cast.report(self_test_id="test-anna"), claim=claim)
    assert (await found(store)).state == "finished"


async def test_a_report_needs_the_claim_to_its_test(store: Store) -> None:
    """Forgetting it is a mistake of ours, not a way around."""
    await store.start_self_test(cast.self_test())
    for report, claim in ((cast.report(self_test_id="test-anna"), None), (cast.report(), 1)):
        with pytest.raises(ValueError, match="claim"):
            await store.save_report(cast.CLOCK, report, claim=claim)


async def test_saving_and_taking_over_at_once_leaves_one_of_two_stories(store: Store, other: Store) -> None:
    """Either the report was committed first and the test can't be taken over, or nothing of it is stored."""
    for number in range(20):
        test = f"t{number}"
        await store.start_self_test(cast.self_test(id=test))
        saving = store.save_report(cast.CLOCK, cast.report(id=test, self_test_id=test), claim=1)
        claiming = other.claim_self_tests(cast.session(), SINCE, cast.NOW, resume=test)
        saved, claims = await asyncio.gather(saving, claiming, return_exceptions=True)
        assert not isinstance(claims, BaseException)
        if isinstance(saved, TakenOver):
            assert (claims, (await found(store, test)).state) == ({test: 2}, "running")
            await other.end_self_test(test, claim=2)
        else:
            assert not isinstance(saved, BaseException)
            assert (claims, (await found(store, test)).state) == ({}, "finished")
