"""Migrations, run from the packaged files: forward only, one transaction each, one process at a time.

Each transaction first takes the lock (SQLite ``BEGIN IMMEDIATE``, PostgreSQL an advisory lock), then reads the revision
the database is at, applies the one next step and records it. A process that dies leaves the last whole step behind; two
processes that start together take turns. On SQLite foreign keys are off (rebuilding a table would otherwise delete its
children) and checked before each commit.

Alembic is imported by a step that is applied: most starts find nothing to do, and it takes a tenth of their time.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL

from reports.store.engine import database_url, driver_errors, prepare_sqlite
from reports.store.errors import MigrationFailed, SchemaTooNew, SchemaTooOld

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

__all__ = ["check_schema", "head", "migrate"]

_FOLDER: Final = Path(__file__).parent
_LOCK_KEY: Final = 0x5265_6164_696E_6573
"""PostgreSQL advisory lock of our migrations; any number no other program of the database uses ("Readines")."""
_LOCK_TIMEOUT_S: Final = 120.0
"""How long one process waits for another that migrates."""


def head() -> str:
    """Return the newest revision this software knows."""
    return _revisions()[-1]


def migrate(url: str | URL, *, target: str | None = None) -> list[str]:
    """Bring the database at `url` to `target` (the newest revision if None) and return the revisions applied.

    Blocking; call it in a thread. Raises `SchemaTooNew` without changing anything when the database is ahead.
    """
    wanted = target or head()
    applied: list[str] = []
    engine = _engine(database_url(url))
    try:
        with driver_errors():
            while (step := _apply_next(engine, wanted)) is not None:
                applied.append(step)
    finally:
        engine.dispose()
    return applied


def check_schema(url: str | URL) -> None:
    """Raise `SchemaTooNew` or `SchemaTooOld` unless the database is at exactly the newest revision. Blocking."""
    engine = _engine(database_url(url))
    try:
        with driver_errors(), engine.connect() as connection:
            steps = _steps(_current(connection), head())
    finally:
        engine.dispose()
    if steps:
        raise SchemaTooOld(f"the database needs the migrations {', '.join(steps)}: run the migration first")


@cache
def _revisions() -> tuple[str, ...]:
    """Return the revisions of the packaged migrations, oldest first, by the names of their files."""
    found = tuple(sorted(path.name[1:5] for path in (_FOLDER / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py")))
    if not found:
        raise MigrationFailed("the migrations are missing from this installation")
    return found


@cache
def _scripts() -> ScriptDirectory:
    """Return the migrations, read from their files once: a running program's own do not change."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see the top

    scripts = ScriptDirectory(str(_FOLDER))
    scripts.get_current_head()  # reads them all now: afterwards threads only look things up
    return scripts


def _engine(url: URL) -> sa.Engine:
    """Make an engine without the store's time limits: rebuilding a large table takes as long as it takes."""
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url.set(drivername="sqlite"), poolclass=sa.NullPool)
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        return engine
    return sa.create_engine(
        url, poolclass=sa.NullPool, connect_args={"connect_timeout": 10, "application_name": "readiness-migrate"}
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    prepare_sqlite(connection, lock_timeout_s=_LOCK_TIMEOUT_S, foreign_keys=False)


def _apply_next(engine: sa.Engine, target: str) -> str | None:
    """Apply and commit the one next step towards `target`; return its revision, or None when there is none."""
    with engine.begin() as connection, _locked(connection):
        steps = _steps(_current(connection), target)
        if not steps:
            return None
        _apply(connection, steps[0])
    return steps[0]


def _apply(connection: sa.Connection, revision: str) -> None:
    from alembic.migration import MigrationContext  # noqa: PLC0415 - see the top
    from alembic.operations import Operations  # noqa: PLC0415

    scripts = _scripts()
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        scripts.get_revision(revision).module.upgrade()
    context.stamp(scripts, revision)


@contextmanager
def _locked(connection: sa.Connection) -> Generator[None]:
    """Hold the migration lock inside the transaction; on SQLite refuse to commit a broken reference."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(_LOCK_TIMEOUT_S)}s'")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_KEY)))
        yield
        return
    yield
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise MigrationFailed(f"the migration would break {len(broken)} references, first in table {broken[0][0]}")


def _current(connection: sa.Connection) -> str | None:
    """Return the revision that the database is at, or None for one without tables."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def _steps(current: str | None, target: str) -> list[str]:
    """Return the revisions from `current` (exclusive) to `target` (inclusive), oldest first."""
    known = _revisions()
    if current is None:
        position = 0
    elif current in known:
        position = known.index(current) + 1
    else:
        raise SchemaTooNew(f"the database is at {current}, this software knows up to {known[-1]}: install a newer one")
    if target not in known:
        raise MigrationFailed(f"no such revision: {target}")
    return list(known[position : known.index(target) + 1])
