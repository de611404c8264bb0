"""What all tests share: a hermetic environment, and a real server on a free port."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web, web_app
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine

from readiness.logs import JsonFormatter
from readiness.media.pool import PRELOAD
from readiness.server import app
from readiness.server.app import make_app, make_runner, make_services
from readiness.server.assets import Assets
from readiness.server.services import Services
from readiness.settings import load_settings
from reports.store import Store, engine
from reports.store.migrations import migrate

pytest_plugins = ["tests.running"]

# How long an example takes says how busy the machine is, not whether the property holds.
hypothesis_settings.register_profile("readiness", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("readiness")


@pytest.fixture(autouse=True)
def frozen_environment(monkeypatch):
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith("READINESS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def forget_servers() -> None:
    """Let go of servers that ran in this process.

    aiohttp remembers the handlers of the last thousand routes, and by them every object of their servers: some ten
    thousand each, and each search for garbage went through all of them.
    """
    web_app._cached_build_middleware.cache_clear()


def end_foreign_fork_server() -> None:
    """End the fork server of this process unless it is that of media workers.

    A process has one. What a command or another test started has not loaded what workers need, and would be theirs.
    """
    server = forkserver._forkserver
    if server._forkserver_pid is not None and server._preload_modules != [PRELOAD]:
        server._stop()


@pytest.fixture(autouse=True)
def nothing_left():
    """A server that ran in this process logs to the standard error of its own test, which is closed by then."""
    yield
    forget_servers()
    end_foreign_fork_server()
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one.formatter, JsonFormatter)]:
        root.removeHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def assets_read_once() -> Iterator[None]:
    """Servers of this process share the files of ``web/``: reading and compressing them is half of a server's start.

    One with recordings of an organisation's own reads them all itself.
    """
    common = functools.cache(Assets)

    def assets(more: Mapping[str, Path]) -> Assets:
        return Assets(more=more) if more else common()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Assets", assets)
        yield


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Databases of this process share their compiled statements: each test opens one of its own, and runs few."""
    compiled: dict[Any, Any] = {}

    def is_alike(one: Dialect, other: object) -> bool:
        return type(one) is type(other)

    with pytest.MonkeyPatch.context() as patch:
        # A statement is kept by its dialect, of which every engine has one.
        patch.setattr(SQLiteDialect_aiosqlite, "__eq__", is_alike)
        patch.setattr(SQLiteDialect_aiosqlite, "__hash__", lambda self: hash(type(self)))
        make = engine.create_async_engine

        def made(url: Any, **options: Any) -> AsyncEngine:
            found = make(url, **options)
            if isinstance(found.dialect, SQLiteDialect_aiosqlite):
                found.sync_engine.update_execution_options(compiled_cache=compiled)
            return found

        patch.setattr(engine, "create_async_engine", made)
        yield


@dataclass
class Server:
    """A running server in this process."""

    base: str
    services: Services

    @property
    def store(self) -> Store:
        return self.services.store


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded database without rows, to copy: migrating takes longer than most tests.

    The processes of one run share it; whoever comes first makes it.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "embedded"
    folder.mkdir(exist_ok=True)
    path = folder / "readiness.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = folder / "made.sqlite3"
            made.unlink(missing_ok=True)
            migrate(f"sqlite:///{made}")
            made.replace(path)
    return path


@contextlib.asynccontextmanager
async def served(tmp_path: Path, migrated_file: Path, **more: str) -> AsyncIterator[Server]:
    """A real server on loopback with an embedded database; `more` settings by variable."""
    settings = load_settings({"READINESS_DATA_DIR": str(tmp_path), "READINESS_CAPACITY": "2", **more})
    shutil.copy(migrated_file, tmp_path)
    store = await Store.open(settings.database, migrate=True)
    services = make_services(settings, store)
    runner = make_runner(make_app(services))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield Server(base=f"http://127.0.0.1:{port}", services=services)
    finally:
        services.draining = True
        await runner.cleanup()


@pytest.fixture
async def server(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Server]:
    """A server for one test."""
    async with served(tmp_path, migrated_file) as running:
        yield running


@pytest.fixture
async def http(server: Server) -> AsyncIterator[aiohttp.ClientSession]:
    """A client with a cookie jar that keeps cookies of addresses too."""
    async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session
