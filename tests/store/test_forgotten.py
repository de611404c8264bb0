"""PRV-3: a person who is deleted leaves no byte behind, and a dry run counts what a purge takes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from readiness.access.actors import operator_of
from reports.store import Store, engine
from tests.series import made_series
from tests.store import cast
from tests.store.test_access import dump
from tests.store.test_audit import KEYS, Turned
from tests.store.test_unavailable import locked

pytestmark = pytest.mark.asyncio
ANNA = "meeting-anna-anna"
OPERATOR = operator_of(cast.organisation())
LATER = cast.ENDS + timedelta(hours=25)
CANARY = secrets.token_hex(24)
"""Stands in everything that Anna leaves."""


@pytest.fixture
def clock() -> Turned:
    """The log's own clock."""
    return Turned()


@pytest_asyncio.fixture
async def full(store: Store, clock: Turned) -> AsyncIterator[Store]:
    """Anna has tested, was written to, called about and asked, and leaves her mark in every column that takes it."""
    store.keep_audit(KEYS, clock)
    person = replace(cast.participant("anna", 1), label=f"label{CANARY}")
    changes = {"label": person.label, "reach": f"reach{CANARY}".encode()}
    await store.change_participant(cast.OTTO, "meeting-anna", ANNA, changes)
    await store.change_meeting(cast.OTTO, "meeting-anna", {"title": f"title{CANARY}", "contact": f"asks{CANARY}"})
    await store.set_practical(cast.ANNA, ANNA, phone_encrypted=f"number{CANARY}".encode())
    await store.add_host(cast.OTTO, "meeting-anna", cast.host(label=f"leader{CANARY}"))
    await store.start_self_test(cast.self_test(client={"kind": "browser", "browser": f"client{CANARY}"}))
    await store.save_phase("test-anna", "clock", {"note": f"phase{CANARY}"}, cast.STARTS, claim=1)
    body = {**cast.BODY, "note": f"body{CANARY}", "padding": secrets.token_hex(6000)}
    made = cast.report(self_test_id="test-anna", created_at=cast.NOW, body=body)
    await store.save_report(cast.CLOCK, made, claim=1, series=made_series())
    await store.add_feedback(cast.answer(report_id=made.id))
    await store.queue([cast.outgoing()])
    await store.open_case(cast.LARS, "meeting-anna", ANNA, now=cast.NOW)
    await store.report_by_code(cast.NORA, made.code)
    yield store


def files_of(url: str) -> bytes:
    """Every byte of the database's files: SQLite's with its log, PostgreSQL's tables, without what it logs ahead."""
    if url.startswith("sqlite"):
        return dump(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        this = "SELECT oid FROM pg_database WHERE datname = current_database()"
        (number,) = connection.execute(this).fetchone() or (0,)
    files = sorted((Path(folder) / "base" / str(number)).iterdir())
    return b"".join(one.read_bytes() for one in files if one.is_file())


async def test_PRV_3_a_person_who_is_deleted_leaves_no_byte(full: Store, url: str) -> None:
    """Neither in SQLite's files nor in PostgreSQL's tables, once the organiser has taken her out and it was purged."""
    assert CANARY.encode() in files_of(url), "the test sees her"
    await full.remove_participant(cast.OTTO, "meeting-anna", ANNA)
    await full.change_meeting(cast.OTTO, "meeting-anna", {"title": "", "contact": ""})
    await full.remove_host(cast.OTTO, "meeting-anna", "host-lars")
    await full.purge(cast.NOW)
    await full.vacuum()
    left = files_of(url)
    for what in ("label", "reach", "number", "client", "phase", "body", "title", "leader"):
        assert f"{what}{CANARY}".encode() not in left, what
    assert CANARY.encode() not in left
    assert ANNA.encode() not in left, "her id neither, and the log has a mark in its place"
    assert len(await full.audit_entries(OPERATOR, between=(cast.NOW, LATER))) > 5


async def test_PRV_3_so_does_everybody_a_day_after_the_meeting(full: Store, url: str) -> None:
    """By retention alone."""
    await full.purge(LATER)
    await full.vacuum()
    assert CANARY.encode() not in files_of(url)


async def test_one_process_a_night_writes_files_anew_and_says_what_it_left(
    full: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table in use is named, to be tried again, and a large one for the operator; SQLite leaves nothing to do."""
    other = await Store.open(url)
    other.keep_audit(KEYS)
    at_night = cast.NOW - timedelta(hours=1)
    tables, no_more = await full.take_night(at_night), await other.take_night(at_night)
    await other.close()
    assert not no_more
    if url.startswith("sqlite"):
        assert (list(tables), await full.vacuum()) == ([], ([], []))
        return
    assert "participant" in tables
    with locked(url, "participant"):
        assert await full.vacuum(tables) == (["participant"], [])
    assert await full.vacuum(["participant"]) == ([], [])
    monkeypatch.setattr(engine, "MOST_REWRITTEN_BYTES", 1)
    assert await full.vacuum(["participant"]) == ([], ["participant"])
    monkeypatch.undo()
    monkeypatch.setattr(engine, "REWRITE_MS", 1)
    busy, large = await full.vacuum(tables)
    assert not busy
    assert large, "what takes longer than others wait is stopped"


async def test_a_dry_run_counts_what_a_purge_takes_and_takes_nothing(full: Store, clock: Turned) -> None:
    """By kind, the same numbers as the purge itself; afterwards all is as it was."""
    made = await full.report_for_session(cast.ANNA, "session-anna")
    assert made is not None
    for at in (cast.NOW, LATER, cast.ENDS + timedelta(days=8), cast.NOW + timedelta(days=420)):
        before = await full.board(cast.CLOCK, "meeting-anna"), await full.series_of(cast.NORA, made.id)
        expected = await full.purge_counts(at, 24)
        assert (await full.board(cast.CLOCK, "meeting-anna"), await full.series_of(cast.NORA, made.id)) == before
        assert await full.purge(at) == replace(expected, audit_entries=0)
    clock.at = cast.NOW + timedelta(days=800)
    await full.log_deed("org-sunnaas", "audit.read")
    assert (await full.purge_counts(clock.at, 24)).audit_entries == await full.purge_audit(clock.at, 24) > 0
