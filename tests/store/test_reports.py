"""Reports and boards: exactly once, unchanged, in order, and gone when deleted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readiness.access.actors import clock_of
from reports.store import CodeTaken, Conflict, Gone, Store, StoredReport, clean_code, new_code, new_id
from tests.actors import add_meeting
from tests.series import made_series
from tests.store import cast

MINUTE = timedelta(minutes=1)
ELSEWHERE = replace(cast.NORA, organisation_id="org-ahus")


@pytest.mark.asyncio
async def test_saving_again_changes_nothing(store: Store, url: str) -> None:
    """DUR-1: a client that tries until it hears an answer gets the first row, whatever it sends, from any process."""
    await store.start_self_test(cast.self_test())
    first = cast.report(self_test_id="test-anna")
    assert await store.save_report(cast.CLOCK, first, claim=1) == first
    other = await Store.open(url)
    again = replace(first, code=new_code(), verdict="not_ready", body={"verdict": "not_ready"})
    assert await other.save_report(cast.CLOCK, again, claim=1) == first
    saved = await asyncio.gather(*(s.save_report(cast.CLOCK, again, claim=1) for s in [store, other] * 5))
    assert set(map(id_and_code, saved)) == {(first.id, first.code)}
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") == first
    await other.close()


def id_and_code(report: StoredReport) -> tuple[str, str]:
    """What is unique about a report."""
    return report.id, report.code


@pytest.mark.asyncio
async def test_a_report_ends_its_run(store: Store) -> None:
    """The run is finished in the same transaction; one that was cut off is incomplete and may still be finished."""
    await store.start_self_test(cast.self_test())
    await store.save_report(
        cast.CLOCK, cast.report(self_test_id="test-anna", complete=False), claim=1, self_test_state="incomplete"
    )
    found = await store.self_test("test-anna", "session-anna")
    assert found is not None
    assert found.state == "incomplete"
    last = await store.save_report(cast.CLOCK, cast.report(self_test_id="test-anna"), claim=1)
    found = await store.self_test("test-anna", "session-anna")
    assert found is not None
    assert found.state == "finished"
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") == last


@pytest.mark.asyncio
async def test_a_taken_code_is_told_and_nothing_stored(store: Store) -> None:
    """The caller makes another code; the run is not ended by the failed try."""
    await store.start_self_test(cast.self_test())
    first = await store.save_report(cast.CLOCK, cast.report())
    second = cast.report(code=first.code, self_test_id="test-anna")
    with pytest.raises(CodeTaken):
        await store.save_report(cast.CLOCK, second, claim=1)
    found = await store.self_test("test-anna", "session-anna")
    assert found is not None
    assert found.state == "running"
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") == first
    assert (await store.save_report(cast.CLOCK, replace(second, code=new_code()), claim=1)).id == second.id


@pytest.mark.asyncio
async def test_another_session_cannot_take_over_a_report(store: Store) -> None:
    """Somebody who learnt a report's id gets nothing by saving under it."""
    first = await store.save_report(cast.CLOCK, cast.report())
    stranger = replace(first, session_id="session-drop-in", meeting_id=None, participant_id=None)
    with pytest.raises(Conflict):
        await store.save_report(cast.CLOCK, stranger)
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") == first


@pytest.mark.asyncio
@pytest.mark.parametrize("code", ["", "K7MB2", "K7MB2QQ", "k7mb2q", "K7MB2O", "K7MB2I"])
async def test_a_code_that_cannot_be_read_aloud_is_refused(store: Store, code: str) -> None:
    """Six characters without I, L, O and U."""
    with pytest.raises(ValueError, match="Crockford"):
        await store.save_report(cast.CLOCK, cast.report(code=code))


@pytest.mark.asyncio
async def test_what_is_no_verdict_is_refused(store: Store) -> None:
    """Neither an unknown verdict nor a number that is not JSON is stored."""
    with pytest.raises(ValueError, match="refused"):
        await store.save_report(cast.CLOCK, cast.report(verdict="fine"))
    with pytest.raises((ValueError, sa.exc.StatementError)):
        await store.save_report(cast.CLOCK, cast.report(body={"value": float("nan")}))
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") is None


@pytest.mark.asyncio
async def test_a_session_sees_its_own_and_the_same_persons_reports(store: Store) -> None:
    """LNK-4: the own last result, also from the link opened again; never somebody else's, and the leader's has none."""
    await store.add_session(cast.session(id="again"), cast.digest("again"))
    await store.add_session(cast.session(id="kari", participant_id="meeting-anna-kari"), cast.digest("kari"))
    await store.add_session(cast.session(id="lars", kind="leader"), cast.digest("lars"))
    anna = await store.save_report(cast.CLOCK, cast.report())
    walk_in = cast.report(session_id="session-drop-in", meeting_id=None, participant_id=None)
    await store.save_report(cast.CLOCK, walk_in)
    assert (
        await store.report_for_session(cast.CLOCK, "session-anna")
        == anna
        == await store.report_for_session(cast.CLOCK, "again")
    )
    assert await store.report_for_session(cast.CLOCK, "session-drop-in") == walk_in
    for other in ("kari", "lars", "none"):
        assert await store.report_for_session(cast.CLOCK, other) is None
        assert not await store.delete_report(cast.ANNA, anna.id, other)
        assert not await store.delete_report(cast.ANNA, walk_in.id, other)
    assert await store.report_by_code(cast.NORA, anna.code) == anna
    assert await store.report_by_code(ELSEWHERE, anna.code) is None


@pytest.mark.asyncio
async def test_a_deleted_report_is_gone(store: Store, url: str) -> None:
    """PRV-4: with its run, from every view, from SQLite's file and its log; and no late retry brings it back."""
    marker = new_id()
    await store.start_self_test(cast.self_test())
    await store.save_phase("test-anna", "clock", {"marker": marker}, cast.NOW, claim=1)
    saved = await store.save_report(cast.CLOCK, cast.report(self_test_id="test-anna", body={"marker": marker}), claim=1)
    assert await store.delete_report(cast.ANNA, saved.id, "session-anna")
    assert not await store.delete_report(cast.ANNA, saved.id, "session-anna")
    assert await store.latest_report(cast.CLOCK, "meeting-anna-anna") is None
    assert await store.report_for_session(cast.CLOCK, "session-anna") is None
    assert await store.report_by_code(cast.NORA, saved.code) is None
    assert await store.self_test("test-anna", "session-anna") is None
    assert [row.report for row in await store.board(cast.CLOCK, "meeting-anna")] == [None, None, None]
    with pytest.raises(Gone):
        await store.save_report(cast.CLOCK, saved, claim=1)
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        assert not [file for file in folder.iterdir() if marker.encode() in file.read_bytes()]


@pytest.mark.asyncio
async def test_the_board_has_everybody_in_order_with_the_newest_report(store: Store) -> None:
    """Also when the wall clock was set back between two reports (DUR-5): the last to arrive is the newest."""
    await store.save_report(cast.CLOCK, cast.report(created_at=cast.NOW + 30 * MINUTE))
    newest = await store.save_report(
        cast.CLOCK, cast.report(created_at=cast.NOW, verdict="not_ready", other_device=True)
    )
    await store.start_self_test(cast.self_test(id="t2", participant_id="meeting-anna-kari"))
    board = await store.board(cast.CLOCK, "meeting-anna")
    assert [(row.participant.label, row.report, row.running) for row in board] == [
        ("Lars", None, False),
        ("Anna", newest, False),
        ("Kari", None, True),
    ]
    assert await store.board(cast.CLOCK, "none") == []


@pytest.mark.asyncio
async def test_the_board_costs_two_queries_however_many_take_part(store: Store) -> None:
    """No query for each participant."""
    people = [cast.participant(f"p{number}", number, "big") for number in range(20)]
    await add_meeting(store, cast.meeting(id="big"), people)
    for person in people:
        await store.save_report(cast.CLOCK, cast.report(meeting_id="big", participant_id=person.id))
    statements: list[str] = []
    engine = store._database._engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    assert len(await store.board(cast.CLOCK, "big")) == 20
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 2


_steps = st.lists(
    st.tuples(st.sampled_from(["save", "retry", "delete"]), st.integers(0, 2), st.integers(0, 5)), max_size=12
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_the_board_is_always_the_newest_report_that_was_not_deleted(
    url: str, steps: list[tuple[str, int, int]]
) -> None:
    """Whatever is saved, retried and deleted in whatever order."""

    async def check() -> None:
        store = await Store.open(url)
        await store.ensure_organisation(cast.organisation())
        board = new_id()
        people = [cast.participant(f"p{number}", number, board) for number in range(3)]
        await add_meeting(store, cast.meeting(id=board), people)
        for person in people:
            made = cast.session(id=f"s-{person.id}", meeting_id=board, participant_id=person.id)
            await store.add_session(made, cast.digest(made.id))
        kept: dict[str, list[StoredReport]] = {person.id: [] for person in people}
        for action, number, which in steps:
            person_id = people[number].id
            mine = kept[person_id]
            if action == "save":
                made_report = cast.report(meeting_id=board, participant_id=person_id, session_id=f"s-{person_id}")
                mine.append(await store.save_report(cast.CLOCK, made_report))
            elif mine and action == "retry":
                again = mine[which % len(mine)]
                assert await store.save_report(cast.CLOCK, replace(again, code=new_code())) == again
            elif mine:
                assert await store.delete_report(cast.ANNA, mine.pop(which % len(mine)).id, f"s-{person_id}")
        expected = [(person, kept[person.id][-1] if kept[person.id] else None) for person in people]
        assert [(row.participant, row.report) for row in await store.board(cast.CLOCK, board)] == expected
        await store.close()

    asyncio.run(check())


@pytest.mark.asyncio
async def test_series_are_kept_beside_the_report_and_go_with_it(store: Store) -> None:
    """Read by its own organisation only; saving again changes nothing; deleting the report deletes them."""
    series = made_series(bad=True)
    saved = await store.save_report(cast.CLOCK, cast.report(), series=series)
    assert await store.series_of(cast.NORA, saved.id) == series
    assert await store.series_of(ELSEWHERE, saved.id) is None
    await store.save_report(cast.CLOCK, saved, series=made_series(8))
    assert await store.series_of(cast.NORA, saved.id) == series
    assert "series" not in saved.body
    assert await store.delete_report(cast.ANNA, saved.id, "session-anna")
    assert await store.series_of(cast.NORA, saved.id) is None


@pytest.mark.asyncio
async def test_a_report_without_series_has_none(store: Store) -> None:
    """None is "not measured"; what is no series is refused and stores nothing."""
    saved = await store.save_report(cast.CLOCK, cast.report())
    assert await store.series_of(cast.NORA, saved.id) is None
    broken = cast.report()
    with pytest.raises(ValueError, match="schema"):
        await store.save_report(cast.CLOCK, broken, series={"schema": "x"})
    assert await store.report_by_code(cast.NORA, broken.code) is None


def listed(one: StoredReport) -> StoredReport:
    """What a list has of a report: what to do and the device, of all that was measured."""
    return replace(one, body={name: part for name, part in one.body.items() if name in {"advice", "client"}})


@pytest.mark.asyncio
async def test_support_sees_the_newest_reports_of_its_own_organisation(store: Store) -> None:
    """The newest first, no more than asked for, and none of anybody else's."""
    saved = [await store.save_report(cast.CLOCK, cast.report()) for _ in range(5)]
    await store.add_session(cast.drop_in(id="elsewhere", organisation_id="org-ahus"), cast.digest("elsewhere"))
    foreign = cast.report(
        organisation_id="org-ahus", meeting_id=None, participant_id=None, session_id="elsewhere"
    )  # fmt: skip
    await store.save_report(clock_of("org-ahus"), foreign)
    lines = await store.report_lines(cast.NORA, 3)
    assert [one.report for one in lines] == [listed(one) for one in saved[:1:-1]]
    assert {(one.role, one.starts_at) for one in lines} == {("participant", cast.STARTS)}
    older = await store.report_lines(cast.NORA, 3, lines[-1].number)
    assert [one.report for one in older] == [listed(one) for one in saved[1::-1]]
    assert [(one.report, one.role) for one in await store.report_lines(ELSEWHERE, 3)] == [(listed(foreign), None)]
    assert await store.report_by_code(cast.NORA, foreign.code) is None


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("K7MB2Q", "K7MB2Q"), (" k7m b2q ", "K7MB2Q"), ("k7-mb-2q", "K7MB2Q"), ("ko7il1", "K07111"),
        ("uo2345", "V02345"),
        ("Ｋ７ＭＢ２Ｑ", "K7MB2Q"), ("K7MB2", None), ("K7MB2QQ", None), ("", None), ("K7MB2Å", None), ("K7MB2!", None),
        ("x" * 100_000, None), ("\x00\x00", None),
    ],
)  # fmt: skip
def test_a_typed_code_is_forgiven_what_can_be_misread(typed: str, code: str | None) -> None:
    """Small letters, spaces and hyphens, O for 0, I and L for 1, U for V; nothing else is guessed."""
    assert clean_code(typed) == code
