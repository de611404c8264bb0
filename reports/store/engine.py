"""The database: engines for SQLite and PostgreSQL, transactions, and one error for all that may pass by itself.

A write returns after its commit, never before. SQLite: WAL, ``synchronous=FULL`` (``NORMAL`` may lose acknowledged
commits at a power cut), foreign keys on, ``BEGIN IMMEDIATE`` so that two writers wait instead of failing half-way, and
deleted content overwritten with zeros. PostgreSQL: ``synchronous_commit=on``, own time limits for locks and statements.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncGenerator, Coroutine, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn

from .audit import DEEDS, AuditLog
from .errors import Conflict, Gone, NotStorable, StoreUnavailable
from .trail import Deed

__all__ = ["Database", "database_url", "driver_errors", "dump_json", "log_ahead", "prepare_sqlite"]

LOCK_TIMEOUT_S: Final = 5.0
"""How long a statement waits for another writer."""
_SWITCH_AGAIN_S: Final = 0.02
PING_LOCK_S: Final = 2.0
"""How long a health check waits for another program's lock."""
TIME_LIMIT_S: Final = 10.0
"""How long a whole transaction may take, waiting included, before the caller hears `StoreUnavailable`."""
REWRITE_LOCK_MS: Final = 500
"""How long we wait for a table that is to be written anew; others wait behind us."""
REWRITE_MS: Final = 4000
"""How long one table may take, and others wait for it: less than `LOCK_TIMEOUT_S`, after which they give up."""
MOST_REWRITTEN_BYTES: Final = 256 * 1024 * 1024
"""Larger tables, with their indexes, are left to the operator."""
_TOO_LONG: Final = "57014"
"""PostgreSQL's code for a statement that was stopped at its limit."""
GIVE_UP_S: Final = 1.0
"""How long PostgreSQL's driver may then try to cancel at the server; over a cut network it would try for 10 s."""
POOL_SIZE: Final = 5
"""Connections kept open per process; the store's transactions take milliseconds."""

dump_json = partial(json.dumps, allow_nan=False, separators=(",", ":"))
"""Dumps JSON for the store: ASCII only, and no NaN, which is not JSON."""

SCRUB_LOCK_MS: Final = 250
"""How long a checkpoint of SQLite's waits for those who read: the next one tries again."""
CHANGED: Final = "changed_rows"
_PASSING = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)


def database_url(url: str | URL) -> URL:
    """Return `url` with our asynchronous driver; refuse databases that the store was not tested on."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise ValueError("a database in memory loses acknowledged reports: name a file")
        return parsed.set(drivername="sqlite+aiosqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError(f"the database must be sqlite or postgresql, not {backend}")


def prepare_sqlite(connection: Any, *, lock_timeout_s: float, foreign_keys: bool = True) -> None:
    """Set up a new DBAPI connection. The driver must not begin transactions on its own."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(lock_timeout_s * 1000)}")
    log_ahead(cursor, lock_timeout_s)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
    cursor.close()


def log_ahead(cursor: Any, lock_timeout_s: float) -> None:
    """Switch to a write-ahead log. SQLite does not wait for others that switch a new file too, so this does."""
    deadline = time.monotonic() + lock_timeout_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_SWITCH_AGAIN_S)
        else:
            return


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin a transaction: readers get a snapshot; writers take the write lock at once, or they could fail half-way."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def driver_errors() -> Generator[None]:
    """Turn a database's passing errors into `StoreUnavailable`; mistakes in our SQL stay as they are."""
    try:
        yield
    except sa.exc.IntegrityError as error:
        raise _broken_rule(error) from error
    except (sa.exc.DataError, UnicodeEncodeError) as error:
        raise NotStorable(type(error).__name__) from None
    except _PASSING as error:
        raise StoreUnavailable(type(error.__cause__ or error).__name__) from error
    except sa.exc.DBAPIError as error:
        # Corruption is a bare DatabaseError; a lost connection may come as any class.
        if error.connection_invalidated or type(error) in {sa.exc.DatabaseError, sa.exc.DBAPIError}:
            raise StoreUnavailable(type(error.orig).__name__) from error
        raise
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable(type(error).__name__) from error


def _broken_rule(error: sa.exc.IntegrityError) -> Exception:
    """Return the error for a refused row: `Gone` for a missing parent, `Conflict` for a taken key."""
    name = str(getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None))
    if name in {"SQLITE_CONSTRAINT_FOREIGNKEY", "23503"}:
        return Gone("what this belongs to is no longer stored")
    if name in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"}:
        return Conflict("the id, slug or position is taken")
    return ValueError(f"the database refused the value: {name}")


def _make_engine(url: URL, lock_timeout_s: float, time_limit_s: float) -> AsyncEngine:
    common: dict[str, Any] = {
        "json_serializer": dump_json,
        "pool_size": POOL_SIZE,
        "pool_timeout": time_limit_s,
        "hide_parameters": True,  # an exception's text must not bring values into a log
    }
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, **common)
        opened = partial(_open_sqlite, lock_timeout_s=lock_timeout_s)
        sa.event.listen(engine.sync_engine, "do_connect", opened)
        sa.event.listen(engine.sync_engine, "begin", _begin_sqlite)
        sa.event.listen(engine.sync_engine, "invalidate", _roll_back_first)
        return engine
    options = {
        "lock_timeout": int(lock_timeout_s * 1000),
        "statement_timeout": int(time_limit_s * 1000),
        "idle_in_transaction_session_timeout": int(3 * time_limit_s * 1000),
    }
    arguments = {
        "connect_timeout": max(2, int(lock_timeout_s)),
        "application_name": "readiness",
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()) + " -c synchronous_commit=on",
    }
    engine = create_async_engine(url, connect_args=arguments, pool_pre_ping=True, **common)
    sa.event.listen(engine.sync_engine, "after_cursor_execute", _count_changes)
    return engine


def _count_changes(connection: sa.Connection, cursor: Any, *_rest: object) -> None:
    """Add up, on PostgreSQL, how many rows a connection has changed; SQLite counts by itself."""
    context = _rest[-2]
    if isinstance(context, DefaultExecutionContext) and (context.isinsert or context.isupdate or context.isdelete):
        connection.info[CHANGED] = connection.info.get(CHANGED, 0) + max(0, cursor.rowcount)


_finishing: set[asyncio.Task[Any]] = set()
"""Tasks that outlive their cancelled callers; kept here because an event loop holds tasks weakly."""


def _see_through(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start `work`, which ends by itself even if its caller is cancelled."""
    task = asyncio.get_running_loop().create_task(work)
    _finishing.add(task)
    task.add_done_callback(_finishing.discard)
    return task


def _open_sqlite(
    dialect: sa.Dialect, _record: object, arguments: list[Any], options: dict[str, Any], *, lock_timeout_s: float
) -> Any:
    """Open and set up a connection; if the caller is cancelled meanwhile, close it as soon as it is open.

    The driver opens it in a thread; a cancelled caller would leave it open with nobody to close it.
    """

    def opened() -> Any:
        connection = dialect.connect(*arguments, **options)
        try:
            prepare_sqlite(connection, lock_timeout_s=lock_timeout_s)
        except BaseException:
            connection.close()
            raise
        return connection

    async def close_unwanted() -> None:
        with suppress(Exception):  # it could not be opened, so there is nothing to close
            connection = await opening
            await connection.driver_connection.close()

    opening = _see_through(greenlet_spawn(opened))
    try:
        return await_only(asyncio.shield(opening))
    except asyncio.CancelledError:
        _see_through(close_unwanted())
        raise


def _roll_back_first(connection: Any, _record: object, _error: object) -> None:
    """Roll back before a connection is discarded, for example after its caller was cancelled.

    SQLite's close leaves the transaction open, and everybody else locked out, while any of its cursors is alive.
    """

    async def roll_back() -> None:
        with suppress(Exception):  # closed already or never opened, so it holds nothing
            await connection.driver_connection.rollback()

    with suppress(RuntimeError):  # no loop is running: the process is ending
        _see_through(roll_back())


async def _rewrite(connection: AsyncConnection, name: str) -> Literal["", "large", "busy"]:
    """Write one of PostgreSQL's tables anew; return why it was left, if it was."""
    quoted = connection.dialect.identifier_preparer.quote(name)
    try:
        size = sa.func.pg_total_relation_size(sa.func.to_regclass(quoted))
        if ((await connection.execute(sa.select(size))).scalar() or 0) > MOST_REWRITTEN_BYTES:
            return "large"
        await connection.execute(sa.DDL("VACUUM (FULL) %(table)s").against(sa.Table(name, sa.MetaData())))  # type: ignore[no-untyped-call]
    except sa.exc.OperationalError as error:
        return "large" if getattr(error.orig, "sqlstate", None) == _TOO_LONG else "busy"
    return ""


class Database:
    """Transactions on one database. A class because it holds the pool and, for SQLite, the queue of writers."""

    def __init__(
        self, url: str | URL, *, lock_timeout_s: float = LOCK_TIMEOUT_S, time_limit_s: float = TIME_LIMIT_S
    ) -> None:
        self.url: Final = database_url(url)
        self.is_sqlite: Final = self.url.get_backend_name() == "sqlite"
        self._time_limit_s = time_limit_s
        self._engine = _make_engine(self.url, lock_timeout_s, time_limit_s)
        self._writing_engine = self._engine.execution_options(writes=True)
        # SQLite has one writer. Waiting here is fair and cheap; its busy handler sleeps up to 100 ms at a time.
        self._writers = asyncio.Semaphore(1 if self.is_sqlite else POOL_SIZE)
        self.audit: AuditLog | None = None
        """Logs, at the end of each transaction, what was done in it; None: nothing is logged."""

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """Yield a connection that commits nothing; on SQLite all its statements see one snapshot."""
        with driver_errors():
            async with self._limit(), self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[AsyncConnection]:
        """Yield a connection all of whose statements see one state, also on PostgreSQL, for as long as it takes.

        Each statement has its time limit, the whole has none: read in batches.
        """
        engine = self._engine
        if not self.is_sqlite:
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with driver_errors():
            async with engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """Yield a transaction; when the block ends normally, it is committed and on disk, and so is who did it."""
        waited: list[Deed] = []
        done: list[Deed] = []
        try:
            with driver_errors():
                async with self._limit(), self._writers, self._writing_engine.begin() as connection:
                    connection.info.pop(DEEDS, None)  # of a transaction that came to nothing
                    before = await self._changed_rows(connection)
                    yield connection
                    if self.audit is not None:
                        changed = await self._changed_rows(connection) - before
                        waited, done = await self.audit.record(connection, changed)
            if self.audit is not None:
                self.audit.committed([*waited, *done])
        except BaseException:
            if self.audit is not None and waited:
                self.audit.give_back(waited)
            raise

    async def _changed_rows(self, connection: AsyncConnection) -> int:
        """Return a count that grows with each row that this connection changes."""
        if self.audit is None:
            return 0
        if self.is_sqlite:
            raw = await connection.get_raw_connection()
            return int(raw.driver_connection.total_changes)  # type: ignore[union-attr]
        return int((await connection.get_raw_connection()).info.get(CHANGED, 0))

    @asynccontextmanager
    async def _limit(self) -> AsyncGenerator[None]:
        """Interrupt the block at the limit; on PostgreSQL once more while the driver still waits for an answer.

        SQLite's driver waits only for its own thread, and is not interrupted while it rolls back. The second time is
        counted from the first: two that fall due together, after an event loop stood still, would interrupt once.
        """
        if self.is_sqlite:
            async with asyncio.timeout(self._time_limit_s):
                yield
            return
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as again, asyncio.timeout(self._time_limit_s):
            first = loop.call_later(self._time_limit_s, lambda: again.reschedule(loop.time() + GIVE_UP_S))
            try:
                yield
            finally:
                first.cancel()

    async def scrub(self) -> None:
        """Remove deleted content from SQLite's write-ahead log too, unless a reader holds it."""
        if not self.is_sqlite:
            return
        with driver_errors():
            async with asyncio.timeout(self._time_limit_s), self._writers, self._engine.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                ((waits_ms,),) = await driver.execute_fetchall("PRAGMA busy_timeout")
                try:  # while it waits for a reader nobody can write
                    await driver.execute_fetchall(f"PRAGMA busy_timeout = {SCRUB_LOCK_MS}")
                    await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    await driver.execute_fetchall(f"PRAGMA busy_timeout = {int(waits_ms)}")

    async def rewrite(self, tables: Sequence[str]) -> tuple[list[str], list[str]]:
        """Write PostgreSQL's tables anew, without what was deleted; return those in use, and those that are too large.

        They stay as they are. Nobody waits for one longer than `REWRITE_MS`. SQLite has overwritten deleted content
        already.
        """
        busy: list[str] = []
        large: list[str] = []
        if self.is_sqlite:
            return busy, large
        engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with driver_errors():
            async with engine.connect() as connection:
                limits = f"SET lock_timeout = {REWRITE_LOCK_MS}; SET statement_timeout = {REWRITE_MS}"
                await connection.exec_driver_sql(limits)
                try:
                    for name in tables:
                        if left := await _rewrite(connection, name):
                            (large if left == "large" else busy).append(name)
                finally:
                    await connection.invalidate()  # its limits are not those of others
        return busy, large

    async def ping(self, question: sa.Select[Any]) -> None:
        """Run the query `question`. Raises StoreUnavailable if nothing can be read, or on SQLite written, now.

        SQLite gets a new connection, which holds no pages in memory and takes the write lock for a moment.
        """
        if not self.is_sqlite:
            async with self.read() as connection:
                await connection.execute(question)
            return
        with driver_errors():
            async with asyncio.timeout(self._time_limit_s), self._writers:
                engine = _make_engine(self.url, PING_LOCK_S, self._time_limit_s).execution_options(writes=True)
                try:
                    async with engine.connect() as connection:
                        await connection.execute(question)
                        await connection.rollback()
                finally:
                    await engine.dispose()

    async def close(self) -> None:
        """Close all connections, also one that is being opened for a cancelled caller."""
        await self._engine.dispose()
        loop = asyncio.get_running_loop()
        while unfinished := [task for task in _finishing if task.get_loop() is loop]:
            await asyncio.wait(unfinished)
