"""DUR-7: migrations lose no row, survive being killed, take turns, and refuse what they do not know."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url

from readiness.access.actors import clock_of
from reports.store import SchemaTooNew, SchemaTooOld, Store
from reports.store.engine import log_ahead
from reports.store.migrations import _revisions, _scripts, check_schema, head, migrate
from reports.store.tables import metadata
from tests.patience import PATIENCE_S
from tests.running import tries
from tests.store import cast
from tests.store.conftest import PostgresServer

REPORTS = 400
KILLS = 5
"""In each database, at moments drawn over the time an undisturbed migration takes."""


def sync_engine(url: str) -> sa.Engine:
    """An engine of the test's own, without anything of the store's."""
    parsed = make_url(url)
    driver = "sqlite" if parsed.get_backend_name() == "sqlite" else "postgresql+psycopg"
    return sa.create_engine(parsed.set(drivername=driver), poolclass=sa.NullPool)


def fill_first_schema(url: str) -> None:
    """Put rows into every table of the first released schema."""
    assert migrate(url, target="0001") == ["0001"]
    engine = sync_engine(url)
    tables = sa.MetaData()
    tables.reflect(engine)
    moment = datetime(2026, 11, 1, 7, 0, tzinfo=None if url.startswith("sqlite") else UTC)
    with engine.begin() as connection:
        for name, rows in first_rows(moment).items():
            connection.execute(sa.insert(tables.tables[name]), rows)
    engine.dispose()


def first_rows(moment: datetime) -> dict[str, list[dict[str, Any]]]:
    """Rows as the first release stored them."""
    organisation = {
        "id": "o",
        "slug": "sunnaas",
        "name": "Sunnaas",
        "support_phone": "1",
        "support_hours": "2",
        "languages": ["nb"],
        "time_zone": "Europe/Oslo",
        "drop_in_allowed": True,
    }
    meeting = {
        "id": "m",
        "organisation_id": "o",
        "title": "t",
        "starts_at": moment,
        "ends_at": moment,
        "profile": "consultation",
        "practical": ["people"],
        "expected_people": 1,
    }
    person = {"meeting_id": "m", "role": "participant", "label": "L", "locale": "nb", "contact": b"\x00\xff"}
    test = {"session_id": "s", "organisation_id": "o", "participant_id": "p0", "profile": "consultation"}
    report = {"organisation_id": "o", "meeting_id": "m", "participant_id": "p0", "session_id": "s", "verdict": "ready"}
    return {
        "organisation": [organisation],
        "meeting": [meeting],
        "participant": [person | {"id": f"p{n}", "position": n} for n in range(5)],
        "invitation": [
            {
                "id": "i",
                "organisation_id": "o",
                "kind": "participant",
                "meeting_id": "m",
                "participant_id": "p0",
                "token_hash": cast.digest("token"),
                "expires_at": moment,
                "revoked_at": None,
            }
        ],
        "session": [
            {
                "id": "s",
                "kind": "participant",
                "organisation_id": "o",
                "invitation_id": "i",
                "meeting_id": "m",
                "participant_id": "p0",
                "secret_hash": cast.digest("cookie"),
                "expires_at": moment,
            }
        ],
        "self_test": [
            test | {"id": f"t{n}", "state": "finished", "started_at": moment, "updated_at": moment, "client": {"n": n}}
            for n in range(REPORTS)
        ],
        "self_test_phase": [
            {"test_id": f"t{n}", "phase": phase, "data": {"value": n / 7}, "saved_at": moment}
            for n in range(REPORTS)
            for phase in ("devices", "clock")
        ],
        "report": [
            report
            | {"number": n + 1, "id": f"r{n}", "code": f"{n:06d}", "self_test_id": f"t{n}", "complete": n % 2 == 0}
            | {"created_at": moment + timedelta(minutes=n), "body": body(n)}
            for n in range(REPORTS)
        ],
        "unlinked_report": [
            {
                "id": "u",
                "organisation_id": "o",
                "week": "2026-W40",
                "client_class": "Chrome",
                "profile": "consultation",
                "verdict": "ready",
                "checks": [],
            }
        ],
    }


def body(number: int) -> dict[str, Any]:
    """A report's body: every third one has a date of its own, every fifth came from another device."""
    made: dict[str, Any] = {"value": number / 3, "text": "æøå" * 50, "other_device": number % 5 == 0}
    return made | ({"valid_until": "2026-12-24T18:00:00+01:00"} if number % 3 == 0 else {})


def row_hashes(url: str) -> dict[str, dict[str, str]]:
    """A hash for every row of every table, over the columns the first release had."""
    engine = sync_engine(url)
    found: dict[str, dict[str, str]] = {}
    with engine.connect() as connection:
        for table, rows in first_rows(datetime(2026, 1, 1)).items():
            columns = list(rows[0])
            chosen = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}")
            keys = [repr(tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)) for row in chosen]
            found[table] = {key[:60]: hashlib.sha256(key.encode()).hexdigest() for key in keys}
            assert len(found[table]) == len(keys) == len(rows)
    engine.dispose()
    return found


def copies(url: str, number: int, tmp_path: Path, request: pytest.FixtureRequest) -> list[str]:
    """Copies of a filled database."""
    if url.startswith("sqlite"):
        made = [tmp_path / f"copy-{n}" / "readiness.db" for n in range(number)]
        for path in made:
            path.parent.mkdir()
            shutil.copy(url.removeprefix("sqlite:///"), path)
        return [f"sqlite:///{path}" for path in made]
    server: PostgresServer = request.getfixturevalue("postgres")
    return [server.create(template=str(make_url(url).database)) for _ in range(number)]


def check_whole(url: str) -> None:
    """The database itself finds nothing wrong with the file and the references."""
    engine = sync_engine(url)
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    engine.dispose()


def test_the_migrated_database_is_the_one_the_code_describes(empty_url: str) -> None:
    """No column, index or key differs between `tables.py` and what the migrations make."""
    assert migrate(empty_url) == [
        "0001",
        "0002",
        "0003",
        "0004",
        "0005",
        "0006",
        "0007",
        "0008",
        "0009",
        "0010",
        "0011",
        "0012",
        "0013",
        "0014",
        "0015",
        "0016",
        "0017",
        "0018",
        "0022",
        "0024",
        "0025",
        "0026",
        "0027",
        "0028",
    ]
    assert migrate(empty_url) == []
    engine = sync_engine(empty_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


REFUSED = {
    "a link of a kind there is not": "UPDATE invitation SET kind = 'admin'",
    "a participant's link without a meeting": "UPDATE invitation SET meeting_id = NULL",
    "a support link with a meeting": "UPDATE invitation SET kind = 'support'",
    "a session of a kind there is not": "UPDATE session SET kind = 'admin'",
    "a verdict there is not": "UPDATE report SET verdict = 'fine'",
    "a state there is not": "UPDATE self_test SET state = 'lost'",
}


def test_the_upgraded_database_still_refuses_what_it_must(empty_url: str) -> None:
    """Rebuilding a table loses none of its rules, and lets in the new kinds of links and sessions."""
    fill_first_schema(empty_url)
    migrate(empty_url)
    engine = sync_engine(empty_url)
    for what, statement in REFUSED.items():
        with pytest.raises(sa.exc.IntegrityError, match=r"(?i)check"), engine.begin() as connection:
            connection.exec_driver_sql(statement)
            raise AssertionError(what)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE invitation SET kind = 'support', meeting_id = NULL, participant_id = NULL")
        connection.exec_driver_sql("UPDATE session SET kind = 'support'")
    engine.dispose()
    check_whole(empty_url)


def test_upgrading_keeps_every_row(empty_url: str) -> None:
    """From the first schema: each row of each table unchanged, children of rebuilt tables too; new columns filled."""
    fill_first_schema(empty_url)
    before = row_hashes(empty_url)
    assert migrate(empty_url) == [
        "0002",
        "0003",
        "0004",
        "0005",
        "0006",
        "0007",
        "0008",
        "0009",
        "0010",
        "0011",
        "0012",
        "0013",
        "0014",
        "0015",
        "0016",
        "0017",
        "0018",
        "0022",
        "0024",
        "0025",
        "0026",
        "0027",
        "0028",
    ]
    assert row_hashes(empty_url) == before
    check_whole(empty_url)
    engine = sync_engine(empty_url)
    with engine.connect() as connection:
        report = metadata.tables["report"]
        rows = connection.execute(sa.select(report.c.number, report.c.valid_until, report.c.other_device)).all()
        person = metadata.tables["participant"]
        given = connection.execute(sa.select(person.c.given_as, person.c.given_at)).all()
    engine.dispose()
    assert {one.given_as for one in given} == {"unknown"}, "who took part already may have a letter"
    assert all(one.given_at for one in given)
    for number, valid_until, other_device in rows:
        n = number - 1
        own = datetime(2026, 12, 24, 17, 0, tzinfo=UTC)
        default = datetime(2026, 11, 15, 7, 0, tzinfo=UTC) + timedelta(minutes=n)
        assert valid_until == (own if n % 3 == 0 else default)
        assert other_device is (n % 5 == 0)


@pytest.mark.slow
def test_a_migration_killed_in_the_middle_is_run_again(
    empty_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Kill -9 at random moments: the next start finishes, and every row is there unchanged."""
    fill_first_schema(empty_url)
    before = row_hashes(empty_url)
    kills = tries(KILLS)
    targets = copies(empty_url, kills + 1, tmp_path, request)
    began = time.perf_counter()
    migrate(targets.pop())
    took_s = time.perf_counter() - began
    moments = random.Random(20261123)
    cut = 0
    for number, target in enumerate(targets):
        cut += not migrated_before_kill(target, (number + moments.random()) / kills * took_s)
        migrate(target)
        check_schema(target)
        assert row_hashes(target) == before
        check_whole(target)
    assert cut > 0


def migrated_before_kill(url: str, after_s: float) -> bool:
    """Start migrating in a process of its own, kill it, and say whether it had finished."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.cast"])
    ours, theirs = context.Pipe()
    child = context.Process(target=cast.migrate_in_child, args=(url, theirs))
    child.start()
    theirs.close()
    assert ours.poll(PATIENCE_S)
    ours.recv()
    time.sleep(after_s)
    if child.pid is not None and child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
    child.join(PATIENCE_S)
    try:
        ours.recv()
    except EOFError:
        return False
    finally:
        ours.close()
    return True


def test_processes_that_start_together_take_turns(empty_url: str) -> None:
    """Each migration is applied once, whoever comes first, and all find a usable database."""
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrate, [empty_url] * 4))
    assert sorted(step for steps in applied for step in steps) == [
        "0001",
        "0002",
        "0003",
        "0004",
        "0005",
        "0006",
        "0007",
        "0008",
        "0009",
        "0010",
        "0011",
        "0012",
        "0013",
        "0014",
        "0015",
        "0016",
        "0017",
        "0018",
        "0022",
        "0024",
        "0025",
        "0026",
        "0027",
        "0028",
    ]
    check_schema(empty_url)


HANDED_OVER = (
    # id, participant, state, minutes
    ("h-waits", "p0", "waiting", 0),
    ("h-taken", "p1", "dropped", 0),
    ("h-anew-1", "p2", "dropped", 0),
    ("h-anew-2", "p2", "dropped", 5),
    ("h-anew-3", "p2", "waiting", 5),
    ("h-held", "p3", "sending", 0),
    ("h-off", "q0", "dropped", 0),
)


@pytest.mark.asyncio
async def test_what_was_handed_over_stays_at_supports(empty_url: str) -> None:
    """Up from 0008: what waits is open under its id, what was taken is taken, other messages stay as they are."""
    fill_first_schema(empty_url)
    migrate(empty_url, target="0008")
    opened = datetime(2026, 11, 1, 7, 2, 30, tzinfo=UTC)
    engine = sync_engine(empty_url)
    with engine.begin() as connection:
        meeting, participant, outbox = (metadata.tables[name] for name in ("meeting", "participant", "outbox"))
        soon = {"starts_at": opened, "ends_at": opened + timedelta(hours=1)}
        connection.execute(sa.update(meeting).values(soon))
        off = {"id": "n", "organisation_id": "o", "title": "", "profile": "consultation", "practical": []}
        cancelled = {"expected_people": 1, "state": "cancelled", "reminders": []}
        connection.execute(sa.insert(meeting).values(off | soon | cancelled))
        patient = {"id": "q0", "meeting_id": "n", "role": "patient", "label": "", "locale": "nb", "position": 0}
        connection.execute(sa.insert(participant).values(patient))
        message = {"organisation_id": "o", "channel": "mail", "data": {}, "attempts": 0, "due_at": opened}
        for name, person, state, minutes in HANDED_OVER:
            about = {"meeting_id": "n" if person == "q0" else "m", "participant_id": person}
            what = {"id": name, "kind": "handover", "once": f"handover:{name}", "state": state}
            when = {"created_at": opened + timedelta(minutes=minutes)}
            connection.execute(sa.insert(outbox).values(message | about | what | when))
        sent = {"id": "sent", "kind": "invitation", "state": "sent", "created_at": opened}
        connection.execute(sa.insert(outbox).values(message | {"meeting_id": "m", "participant_id": "p0"} | sent))
    engine.dispose()
    assert migrate(empty_url)[0] == "0009"
    check_whole(empty_url)
    store = await Store.open(empty_url)
    leader, support = (replace(one, organisation_id="o") for one in (cast.LARS, cast.NORA))
    lines = [one.case for one in await store.desk(support, opened) if one.is_waiting and one.case is not None]
    waiting = {one.id: one.opened_at for one in lines}
    assert set(waiting) == {"h-held", "h-waits", "h-anew-3"}
    assert waiting["h-waits"] == opened
    cases = {one.id: one for one in [*await store.cases_of(leader, "m"), *await store.cases_of(leader, "n")]}
    assert set(cases) == {name for name, *_ in HANDED_OVER}
    assert cases["h-waits"].report_id == "r2", "the newest one at 07:02:30; those of later say nothing of it"
    assert {name: (one.taken_at is not None, one.how) for name, one in cases.items()} == {
        "h-waits": (False, None),
        "h-taken": (True, None),
        "h-anew-1": (True, "opened_again"),
        "h-anew-2": (True, "opened_again"),
        "h-anew-3": (False, None),
        "h-held": (False, None),
        "h-off": (True, "meeting_cancelled"),
    }
    assert [one.id for one in await store.outgoing_of(clock_of("o"), "m")] == ["sent"]
    assert await store.take_person(support, cases["h-waits"].participant_id, opened)
    assert await store.open_case(leader, "m", "p1", now=opened), "one that was taken can be handed over anew"
    assert not await store.open_case(leader, "m", "p2", now=opened)
    await store.close()


@pytest.mark.asyncio
async def test_a_database_from_the_future_is_refused(url: str) -> None:
    """The previous version's code says so politely and changes nothing."""
    engine = sync_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for wanted in (True, False):
        with pytest.raises(SchemaTooNew, match=f"9999.*{head()}"):
            await Store.open(url, migrate=wanted)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "9999"
    engine.dispose()


def test_the_files_names_tell_the_chain() -> None:
    """What is read without Alembic is what Alembic reads: each migration follows the one with the number before."""
    assert list(_revisions()) == [script.revision for script in _scripts().walk_revisions()][::-1]


@pytest.mark.asyncio
async def test_a_database_of_yesterday_asks_to_be_migrated(empty_url: str) -> None:
    """Opening alone changes nothing; opening with `migrate` brings it up to date."""
    with pytest.raises(SchemaTooOld, match="0001, 0002, 0003"):
        await Store.open(empty_url)
    store = await Store.open(empty_url, migrate=True)
    await store.ping()
    await store.close()
    assert await Store.migrate(empty_url) == []


def test_a_new_file_is_switched_as_soon_as_others_let_go_of_it(tmp_path: Path) -> None:
    """SQLite itself does not wait where several switch a new file to a write-ahead log at once."""
    path = tmp_path / "new.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as held, closing(sqlite3.connect(path)) as ours:
        held.execute("CREATE TABLE one (id)")
        ours.execute("PRAGMA busy_timeout=0")
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            log_ahead(ours.cursor(), 0.0)
        with ThreadPoolExecutor(1) as other:
            switched = other.submit(lambda: switched_by_itself(path))
            time.sleep(0.2)  # so that it meets the lock, on all but a busy machine
            held.execute("COMMIT")
            assert switched.result(PATIENCE_S) == "wal"


def switched_by_itself(path: Path) -> str:
    """What the file's journal is once it was switched by a connection that SQLite lets wait for nobody."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        log_ahead(connection.cursor(), PATIENCE_S)
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
