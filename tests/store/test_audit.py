"""LOG-2: who did what is logged with what was done, under a chain in which six kinds of damage are found."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from readiness.access.actors import operator_of
from readiness.access.audit import Keeper, read_anchors
from readiness.settings import load_settings
from reports.store import NotAllowed, Store, StoreUnavailable, audit_check
from reports.store.audit import NOT_LOGGED, Keys, signed_head
from reports.store.audit_part import _month_before
from reports.store.audit_records import AuditEntry
from reports.store.audit_tables import audit_entry, audit_head
from reports.store.trail import open_trail
from tests.store import cast
from tests.store.test_unavailable import locked

pytestmark = pytest.mark.asyncio
KEYS = Keys(b"c" * 32, b"m" * 32)
ADMIN = operator_of(cast.organisation())
EVER = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
ANNA = "meeting-anna-anna"


class Turned:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.at = cast.NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Turned:
    """The log's own clock."""
    return Turned()


@pytest_asyncio.fixture
async def logged(store: Store, clock: Turned) -> AsyncIterator[Store]:
    """A store with the cast in it, that logs from now on."""
    store.keep_audit(KEYS, clock)
    return store


async def entries(store: Store) -> list[AuditEntry]:
    """All entries of Sunnaas but those of looking at the log."""
    found = await store.audit_entries(ADMIN, between=EVER)
    return [one for one in found if one.act != "audit.read"]


async def told(store: Store) -> list[tuple[str, str, str, str]]:
    """Who did what to which object, and what came of it, without marks."""
    return [(one.actor.split(":")[0], one.act, one.object.split(":")[0], one.outcome) for one in await entries(store)]


async def test_LOG_2_every_view_change_and_deletion_is_logged_with_who_and_what(logged: Store) -> None:
    """By leader, support, organiser and the person; tests that run and what the clock does by itself are not."""
    saved = await logged.save_report(cast.CLOCK, cast.report())
    await logged.report_for_session(cast.ANNA, "session-anna")
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"sealed")
    await logged.board(cast.LARS, "meeting-anna")
    await logged.phone(cast.LARS, ANNA)
    await logged.open_case(cast.LARS, "meeting-anna", ANNA, now=cast.NOW)
    assert await logged.report_by_code(cast.NORA, saved.code) == saved
    assert await logged.report_by_code(cast.NORA, "000000") is None
    assert not await logged.take_person(cast.NORA, "none", cast.NOW)
    assert await logged.take_next(cast.NORA, cast.NOW) == ANNA
    await logged.change_meeting(cast.OTTO, "meeting-anna", {"title": "Annet"})
    await logged.remove_participant(cast.OTTO, "meeting-anna", "meeting-anna-kari")
    await logged.delete_report(cast.ANNA, saved.id, "session-anna")
    assert await told(logged) == [
        ("participant", "phone.give", "participant", "done"),
        ("host", "people.read", "meeting", "done"),
        ("host", "phone.read", "participant", "done"),
        ("host", "case.open", "participant", "done"),
        ("link", "report.find", "report", "done"),
        ("link", "report.find", "", "nothing"),
        ("link", "case.take", "participant", "nothing"),
        ("link", "case.take", "participant", "done"),
        ("link", "meeting.change", "meeting", "done"),
        ("link", "meeting.change", "participant", "done"),
        ("participant", "report.delete", "report", "done"),
    ]
    found = await entries(logged)
    assert [one.seq for one in found] == sorted({one.seq for one in found})
    assert {one.organisation_id for one in found} == {"org-sunnaas"}
    mine = await logged.audit_entries(ADMIN, between=EVER, about=f"report:{saved.id}")
    assert [one.act for one in mine] == ["report.find", "report.delete"]
    lars = await logged.audit_entries(ADMIN, between=EVER, whose="host:host-lars", act="phone.read")
    assert len(lars) == 1
    assert await logged.audit_entries(operator_of(cast.organisation("ahus")), between=EVER) == []
    for kept_out in (ANNA, "host-lars", saved.id, saved.code, "Anna", "Annet", "sealed"):
        assert kept_out not in str(found), "no name, number, code or id"


async def test_LOG_2_links_and_changes_of_an_organisation_are_logged(logged: Store) -> None:
    """A link made, used and closed; an organisation that is called otherwise. Signing in: `tests/sign_in`."""
    await logged.add_invitation(cast.invitation(), cast.digest("token"))
    await logged.add_session(cast.session(id="opened", invitation_id="link-anna"), cast.digest("cookie"))
    await logged.revoke_invitation("link-anna", cast.NOW)
    await logged.ensure_organisation(cast.organisation(name="Nytt navn"))
    assert await told(logged) == [
        ("clock", "link.make", "link", "done"),
        ("link", "link.use", "session", "done"),
        ("clock", "link.revoke", "link", "done"),
        ("clock", "organisation.change", "organisation", "done"),
    ]


async def test_what_was_not_changed_was_not_done(logged: Store) -> None:
    """The entry is in the transaction: rolled back with it, and where it can't be written nothing is changed."""
    with pytest.raises(ValueError, match="another organisation"):
        await logged.save_report(dataclasses.replace(cast.ANNA, organisation_id="org-ahus"), cast.report())
    with pytest.raises(Exception, match="no such"):
        await logged.change_meeting(cast.OTTO, "none", {"title": "x"})
    with pytest.raises(NotAllowed):
        await logged.board(cast.NORA, "meeting-anna")
    assert await told(logged) == [("link", "board", "meeting", "refused")]
    async with logged._database.write() as connection:
        await connection.execute(sa.delete(audit_head))
    with pytest.raises(Exception, match="No row"):
        await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"sealed")
    logged._database.audit = None
    assert await logged.phone(cast.LARS, ANNA) is None


async def test_a_request_logs_what_it_looked_at_before_it_answers(logged: Store, clock: Turned) -> None:
    """At once, with the route; again within ten minutes nothing, for boards look by themselves all the time."""
    with open_trail("GET /board", "r1"):
        await logged.board(cast.LARS, "meeting-anna")
        await logged.participants(cast.LARS, "meeting-anna")
        assert await told(logged) == []
        await logged.keep_trail()
        assert await told(logged) == [("host", "people.read", "meeting", "done")]
    with open_trail("GET /board", "r2"):
        await logged.board(cast.LARS, "meeting-anna")
        await logged.keep_trail()
    with open_trail("GET /board.pdf", "r3"):
        await logged.board(cast.LARS, "meeting-anna")
        await logged.keep_trail()
    found = await entries(logged)
    assert [(one.via, one.request) for one in found] == [("GET /board", "r1"), ("GET /board.pdf", "r3")]


async def test_what_could_not_be_logged_is_not_shown_at_the_second_try_either(logged: Store, url: str) -> None:
    """While another holds the lock: neither with a request's trail, nor without, nor to one who waits no longer."""
    held = await Store.open(url, lock_timeout_s=0.1)
    held.keep_audit(KEYS)
    with locked(url, "audit_head"):
        for _ in range(2):
            with open_trail("GET /board", "r1"):
                await held.board(cast.LARS, "meeting-anna")
                with pytest.raises(StoreUnavailable):
                    await held.keep_trail()
            with pytest.raises(StoreUnavailable):
                await held.phone(cast.LARS, ANNA)
            with pytest.raises((TimeoutError, StoreUnavailable)):
                async with asyncio.timeout(0.05):
                    await held.participants(cast.LARS, "meeting-anna")
    assert await told(logged) == []
    assert await held.phone(cast.LARS, ANNA) is None
    await held.phone(cast.LARS, ANNA)
    assert await told(logged) == [("host", "phone.read", "participant", "nothing")]
    await held.close()


async def test_a_search_that_shows_people_logs_each_of_them(logged: Store) -> None:
    """By name, number or id, so that a person can be told who found them; one that finds nobody is logged as that."""
    for one in (ANNA, "meeting-anna-kari"):
        await logged.change_participant(cast.OTTO, "meeting-anna", one, {"label": f"Nordmann {one[-4:]}"})
    await logged.change_participant(cast.OTTO, "meeting-anna", ANNA, {"phone_hash": cast.digest("1")})
    assert await logged.find_by_label(cast.NORA, "no such name", cast.NOW) == []
    with open_trail("GET /desk", "r1"):
        by_name = await logged.find_by_label(cast.NORA, "nordmann", cast.NOW)
        await logged.keep_trail()
    assert [one.participant.id for one in await logged.find_by_phone(cast.NORA, cast.digest("1"), cast.NOW)] == [ANNA]
    assert len(await logged.people(cast.NORA, [ANNA], cast.NOW)) == 1
    found = [one for one in await entries(logged) if one.act == "person.help"]
    shown = [logged.mark(f"participant:{one.participant.id}") for one in by_name]
    assert len(by_name) == 2
    assert [one.object for one in found] == ["", *shown, logged.mark(f"participant:{ANNA}")]
    assert found[0].outcome == "nothing"


async def test_many_at_once_make_one_chain(logged: Store) -> None:
    """However many write at the same moment, in however many processes: numbers without a gap, and a whole chain."""
    other = await Store.open(str(logged._database.url.render_as_string(hide_password=False)))
    other.keep_audit(KEYS)
    try:
        both = [logged, other]
        await asyncio.gather(
            *(both[at % 2].set_practical(cast.ANNA, ANNA, phone_encrypted=bytes([at])) for at in range(24))
        )
    finally:
        await other.close()
    assert [one.seq for one in await entries(logged)] == [*range(1, 25)]
    assert list((await logged.verify_audit()).faults) == []


async def test_what_may_be_done_a_few_times_is_counted_over_all_processes(
    logged: Store, clock: Turned, url: str
) -> None:
    """Of eight at once on two stores five may; another organisation's do not count, and after the time none does."""
    other = await Store.open(url, migrate=False)
    other.keep_audit(KEYS, clock)
    both = (logged, other)

    async def begun(whose: str, most: int, since: datetime) -> int:
        tries = (one.begin_if_few(whose, "settings.try", most=5, since=since, detail="") for one in both * most)
        return sum(await asyncio.gather(*tries))

    since = clock.at - timedelta(minutes=10)
    assert await begun("org-sunnaas", 4, since) == 5
    assert await begun("org-sunnaas", 1, since) == 0
    assert await begun("org-east", 1, since) == 2
    assert await begun("org-sunnaas", 1, clock.at + timedelta(seconds=1)) == 2
    await other.close()


async def write_months(store: Store, clock: Turned, months: int = 4) -> None:
    """Six entries in each of so many months."""
    for month in range(months):
        clock.at = cast.NOW + timedelta(days=31 * month)
        for at in range(6):
            await store.set_practical(cast.ANNA, ANNA, phone_encrypted=bytes([at]))


def run_sql(url: str, *statements: str) -> None:
    """What somebody does who owns the database and not the key."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            for one in statements:
                database.execute(one)
            database.commit()
    else:
        with psycopg.connect(url) as database:
            for one in statements:
                database.execute(one)


COPY = "seq, segment, at, organisation_id, kind, actor, act, object, outcome, detail, via, request, mac"
DAMAGE = {
    "changed": (("UPDATE audit_entry SET outcome = 'nothing' WHERE seq = 21",), ("changed", 21)),
    "removed": (("DELETE FROM audit_entry WHERE seq = 21",), ("missing", 21)),
    "inserted": (
        (f"INSERT INTO audit_entry ({COPY}) SELECT 99, {COPY.split(', ', 1)[1]} FROM audit_entry WHERE seq = 26",),
        ("extra", 28),
    ),
    "swapped": (
        (
            "UPDATE audit_entry SET seq = 1000 WHERE seq = 21",
            "UPDATE audit_entry SET seq = 21 WHERE seq = 22",
            "UPDATE audit_entry SET seq = 22 WHERE seq = 1000",
        ),
        ("changed", 21),
    ),
    "truncated": (("DELETE FROM audit_entry WHERE seq > 24",), ("truncated", 25)),
    "a segment missing": (
        ("DELETE FROM audit_entry WHERE segment = 3", "DELETE FROM audit_segment WHERE number = 3"),
        ("segment", 13),
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_LOG_2_six_kinds_of_damage_are_found(logged: Store, clock: Turned, url: str, damage: str) -> None:
    """On both databases, with retention run in between: which entry is the first that is wrong."""
    await write_months(logged, clock)
    assert await logged.purge_audit(clock.at, 1) == 12, "the first two months"
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"x")
    whole = await logged.verify_audit()
    assert [(one.entries, one.is_purged) for one in whole.segments] == [(0, True), (0, True), (6, False), (9, False)]
    assert list(whole.faults) == []
    statements, (kind, seq) = DAMAGE[damage]
    run_sql(url, *statements)
    first = (await logged.verify_audit()).faults[0]
    assert (first.kind, first.seq) == (kind, seq)


async def test_LOG_2_a_copy_put_back_is_found_by_what_was_noted_outside(logged: Store, clock: Turned, url: str) -> None:
    """Entries and the sealed head of an earlier day are whole in themselves; the anchor knows of more."""
    await write_months(logged, clock, 1)
    early = await logged.audit_head()
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"later")
    late = await logged.audit_head()
    assert list((await logged.verify_audit([early, late])).faults) == []
    back = signed_head(KEYS, 1, early.seq, early.mac)
    literal = "X'{}'" if url.startswith("sqlite") else "'\\x{}'"
    run_sql(
        url,
        f"DELETE FROM audit_entry WHERE seq > {early.seq}",
        f"UPDATE audit_head SET seq = {early.seq}, mac = {literal.format(early.mac.hex())}, "
        f"seal = {literal.format(back['seal'].hex())}",
    )
    assert list((await logged.verify_audit()).faults) == [], "in itself it is whole"
    (fault,) = (await logged.verify_audit([early, late])).faults
    assert (fault.kind, fault.seq) == ("truncated", late.seq)


async def test_another_key_begins_another_segment(logged: Store, clock: Turned) -> None:
    """Where the key is lost nothing stops; what was written under it can't be checked any more, and that is said."""
    await write_months(logged, clock, 1)
    logged._database.audit = None
    logged.keep_audit(Keys(b"d" * 32, b"m" * 32), clock)
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"x")
    check = await logged.verify_audit()
    assert [(one.kind, one.segment) for one in check.faults] == [("key", 1)]
    assert [one.number for one in check.segments] == [1, 2]


async def test_a_segment_under_another_key_goes_when_it_is_over(logged: Store, clock: Turned) -> None:
    """It was never closed; once its entries are gone nothing is left that can't be checked."""
    await write_months(logged, clock, 1)
    logged._database.audit = None
    logged.keep_audit(Keys(b"d" * 32, b"m" * 32), clock)
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"x")
    clock.at += timedelta(days=93)
    assert await logged.audit_due(clock.at, 1) == [1], "the second is still written in"
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"y")
    assert await logged.purge_audit(clock.at, 1) == 7
    assert list((await logged.verify_audit()).faults) == []


async def test_entries_go_in_time_though_the_clock_once_stood_in_2099(logged: Store, clock: Turned) -> None:
    """What is written after it gets a segment of its own, and takes the one from 2099 along."""
    clock.at = datetime(2099, 5, 6, tzinfo=UTC)
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"x")
    await write_months(logged, clock, 3)
    found = (await logged.verify_audit()).segments
    assert [one.month for one in found] == ["2099-05", "2026-11", "2026-12", "2027-01"]
    assert await logged.audit_due(clock.at, 24) == []
    assert await logged.audit_due(clock.at, 1) == [1, 2]
    assert await logged.purge_audit(clock.at, 1) == 7
    assert list((await logged.verify_audit()).faults) == []
    assert {one.act for one in await entries(logged) if not one.organisation_id} == {"audit.purge"}, "it is shown"


async def test_verify_is_not_misled_by_who_writes_meanwhile(
    logged: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry after each of its queries, and more entries than fit into a transaction's time: all of it is whole."""
    for at in range(6):
        await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=bytes([at]))
    read, reads = audit_check._read, 0

    async def read_and_write(*asked: Any) -> list[dict[str, Any]]:
        nonlocal reads
        reads += 1
        rows = await read(*asked)
        await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"meanwhile")
        await asyncio.sleep(1.1 if reads == 1 else 0)
        return rows

    monkeypatch.setattr(audit_check, "_read", read_and_write)
    monkeypatch.setattr(audit_check, "BATCH", 2)
    short = await Store.open(url, time_limit_s=1.0)
    short.keep_audit(KEYS)
    found = await short.verify_audit()
    await short.close()
    assert (list(found.faults), found.head.seq) == ([], 6)
    assert reads == 6


async def test_what_was_forgotten_is_logged_once_a_day(logged: Store, clock: Turned) -> None:
    """At once the first time, then as a day's sum; and what is left when the server stops."""
    long_ago = cast.NOW - timedelta(days=2)
    made = cast.report(session_id="session-drop-in", meeting_id=None, participant_id=None, created_at=long_ago)
    for at, hours in enumerate((0, 1, 17, 18)):
        await logged.save_report(cast.CLOCK, dataclasses.replace(made, id=f"report-{at}", code=f"10000{at}"))
        await logged.purge(cast.NOW + timedelta(hours=hours))
    await logged.log_forgotten()
    said = [one.detail for one in await entries(logged) if one.act == "retention.purge"]
    assert [one.split()[0] for one in said] == ["drop_in_reports=1", "drop_in_reports=2", "drop_in_reports=1"]


async def test_a_log_that_cannot_be_verified_keeps_nothing_else(
    logged: Store, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Verifying is tried once a day; the newest entry is noted, and at night files are written anew, all the same."""
    tries = 0

    async def unavailable(_anchors: object) -> None:
        nonlocal tries
        tries += 1
        raise StoreUnavailable("away")

    monkeypatch.setattr(logged, "verify_audit", unavailable)
    await logged.set_practical(cast.ANNA, ANNA, phone_encrypted=b"x")
    keeper = Keeper(logged, load_settings({"READINESS_DATA_DIR": str(tmp_path)}))
    with locked(url, "participant") if not url.startswith("sqlite") else nullcontext():
        for hour in (2, 2, 5):
            for chore in keeper.chores(cast.NOW.replace(hour=hour)):
                with suppress(StoreUnavailable):
                    await chore()
    assert tries == 1
    assert [one.seq for one in read_anchors(tmp_path)][:1] == [1]
    left = [vars(one)["values"] for one in caplog.records if one.message == "files.not_rewritten"]
    assert left == ([] if url.startswith("sqlite") else [{"table": "participant", "why": "in_use"}])


async def test_a_whole_segment_goes_when_its_months_are_over(logged: Store, clock: Turned) -> None:
    """Never the month that is written in; the purge itself is an entry with what went."""
    await write_months(logged, clock, 2)
    assert await logged.audit_due(clock.at, 1) == []
    assert await logged.purge_audit(clock.at + timedelta(days=62), 1) == 6
    assert await logged.purge_audit(clock.at + timedelta(days=62), 1) == 0
    row = (await logged._rows(sa.select(audit_entry).where(audit_entry.c.act == "audit.purge")))[0]
    assert (row.object, row.kind) == ("segment 1", "clock")
    assert row.detail.startswith("entries=6 first=1 last=6 head=")
    assert _month_before(datetime(2027, 1, 5, tzinfo=UTC), 24) == "2025-01"


async def test_what_is_not_logged_is_named(logged: Store) -> None:
    """Acts of tests that run and of rooms; a new act is logged unless somebody says otherwise here."""
    assert sorted(NOT_LOGGED) == [
        "follow.own", "host.read", "report.last", "report.own", "report.save", "room.beside", "room.invite",
        "room.read", "room.report",
    ]  # fmt: skip
