"""What the browser tests share: a real server as its own process, and a real Chromium with made-up devices."""

from __future__ import annotations

import inspect
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from reports.store import Store
from tests.conftest import Server, served
from tests.data.clips import camera_clip, microphone_clip
from tests.integration.chromium import HEADLESS_CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
CLIP_FOLDER = ROOT / ".cache" / "clips"
START_S = 60.0
MOST_BROWSERS = 3
"""Idle browsers that are kept: memory, and hardly a processor's time."""
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
Launch = Callable[..., Awaitable[Browser]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a real browser, the same for all."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
                item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass
class LiveServer:
    """``readiness serve --demo --json`` in a process of its own, with a data folder of its own."""

    folder: Path
    port: int = 0
    links: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)
    """More settings, by variable."""
    flags: tuple[str, ...] = ()
    root: Path = ROOT
    """The project that serves: this one, or a copy of it."""

    @property
    def base(self) -> str:
        return self.links["base_url"]

    @property
    def drop_in(self) -> str:
        """A test without an invitation: each visit is a new session."""
        return self.links["dropin_url"]

    @property
    def database(self) -> Path:
        return self.folder / "data" / "readiness.sqlite3"

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        """Start it, on the same port and data as before where there was a before; returns when it serves."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("READINESS_")}
        environment |= {
            "READINESS_PORT": str(self.port),
            "READINESS_DATA_DIR": str(self.folder / "data"),
            "READINESS_LOG_LEVEL": "debug",
            **self.settings,
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "readiness", "serve", "--demo", "--json", *self.flags],
                cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], START_S)
        line = self.process.stdout.readline() if ready else b""
        assert line, f"the server did not start:\n{self.log_path.read_text()[-2000:]}"
        self.links = json.loads(line)
        self.port = int(self.base.rsplit(":", 1)[1])

    def stop(self) -> None:
        """End it as an operator does, and take its exit status."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
        self._reap(40)

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process
        self.process.kill()
        self._reap(10)

    def _reap(self, seconds: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise
        finally:
            if self.process.stdout:
                self.process.stdout.close()

    def events(self) -> list[dict[str, Any]]:
        """What it has logged so far; every line is one JSON object."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines() if line]

    async def open_store(self) -> Store:
        """The same database, from here; close it."""
        return await Store.open(f"sqlite:///{self.database}", migrate=False)


def _served(folder: Path, migrated_file: Path) -> Iterator[LiveServer]:
    server = LiveServer(folder)
    server.database.parent.mkdir(parents=True, mode=0o700)
    shutil.copy(migrated_file, server.database)  # a first start takes half a second of processor to make the same
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[LiveServer]:
    """One demo server for all tests that leave it as it was."""
    yield from _served(tmp_path_factory.mktemp("live"), migrated_file)


@pytest.fixture(scope="session")
def untouched_server(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[LiveServer]:
    """One demo server for tests that add nothing and read pages which another organisation would change."""
    yield from _served(tmp_path_factory.mktemp("untouched"), migrated_file)


@pytest.fixture
def own_server(tmp_path: Path, migrated_file: Path) -> Iterator[LiveServer]:
    """A demo server for one test alone: to look through its log and data, or to kill it."""
    yield from _served(tmp_path / "own", migrated_file)


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path, migrated_file: Path) -> AsyncIterator[Server]:
    """A server in this process for one test, in the loop of its browser."""
    async with served(tmp_path, migrated_file) as running:
        yield running


@dataclass
class KeptBrowser:
    """A browser whose made-up devices are links to clips: it reads them anew whenever a page opens a device."""

    flags: tuple[str, ...]
    links: Path
    browser: Browser
    clips: tuple[Path, ...] = ()

    def may_play(self, clips: tuple[Path, ...]) -> bool:
        """Whether it has these clips, or nobody uses it."""
        return self.browser.is_connected() and (self.clips == clips or not self.browser.contexts)

    def play(self, clips: tuple[Path, ...]) -> None:
        """Have these clips as devices from now on."""
        for clip in clips:
            part = self.links / "part"
            part.symlink_to(clip)
            part.replace(self.links / f"device{clip.suffix}")
        self.clips = clips


@dataclass
class Browsers:
    """Chromium of this process, kept from test to test: each test has contexts of its own in it."""

    playwright: Playwright
    folder: Path
    """For the browsers' devices."""
    kept: list[KeptBrowser] = field(default_factory=list)
    """Those last used come last."""

    async def open(self, *flags: str, clips: tuple[Path, ...] = ()) -> Browser:
        """A browser with these flags, in which ``{links}`` is where it finds the clips."""
        kept = next((one for one in self.kept if one.flags == flags and one.may_play(clips)), None)
        if kept is None:
            links = Path(tempfile.mkdtemp(dir=self.folder))
            arguments = [flag.format(links=links) for flag in flags]
            browser = await self.playwright.chromium.launch(executable_path=HEADLESS_CHROMIUM, args=arguments)
            kept = KeptBrowser(flags, links, browser)
        kept.play(clips)
        self.kept = [*(one for one in self.kept if one is not kept), kept]
        return kept.browser

    async def tidy(self, most: int = MOST_BROWSERS) -> None:
        """Leave no page of a test open, and no more than so many browsers."""
        while len(self.kept) > most:
            await self.kept.pop(0).browser.close()
        for one in self.kept:
            for context in one.browser.contexts:
                await context.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browsers]:
    """Starting a browser and its driver costs more than most of what is tried in it."""
    async with async_playwright() as playwright:
        kept = Browsers(playwright, tmp_path_factory.mktemp("devices"))
        try:
            yield kept
        finally:
            await kept.tidy(most=0)


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(browsers: Browsers) -> AsyncIterator[Launch]:
    """A factory of Chromium with the clips `camera` and `microphone` as devices. One browser at a time is enough.

    `ask=True` leaves the browser's permission question unanswered; `devices` is Chromium's own description of its
    made-up devices, such as ``device-count=0`` for no camera, or None for none of any kind.
    """

    async def launch(
        camera: str = "good",
        microphone: str = "voice_good",
        *,
        ask: bool = False,
        devices: str | None = "",
        arguments: Sequence[str] = (),
    ) -> Browser:
        flags, clips = [*ARGUMENTS, *arguments], list[Path]()
        if not ask:
            flags.append("--use-fake-ui-for-media-stream")
        if devices is not None:
            flags.append("--use-fake-device-for-media-stream" + (f"={devices}" if devices else ""))
            flags.append("--use-file-for-fake-audio-capture={links}/device.wav")
            clips.append(microphone_clip(microphone, CLIP_FOLDER))
        if devices == "":
            flags.append("--use-file-for-fake-video-capture={links}/device.y4m")
            clips.append(camera_clip(camera, CLIP_FOLDER))
        return await browsers.open(*flags, clips=tuple(clips))

    yield launch
    await browsers.tidy()
