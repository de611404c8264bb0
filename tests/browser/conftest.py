"""What the browser tests share: a real server as its own process, and a real Chromium with made-up devices."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from reports.store import Store
from tests.data.clips import camera_clip, microphone_clip

ROOT = Path(__file__).resolve().parents[2]
CLIP_FOLDER = ROOT / ".cache" / "clips"
START_S = 60.0
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
Launch = Callable[..., Awaitable[Browser]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a real browser and may take its time."""
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(180))


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
                cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log,
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


def _served(folder: Path) -> Iterator[LiveServer]:
    server = LiveServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One demo server for all tests that leave it as it was."""
    yield from _served(tmp_path_factory.mktemp("live"))


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[LiveServer]:
    """A demo server for one test alone: to look through its log and data, or to kill it."""
    yield from _served(tmp_path / "own")


@pytest.fixture
async def chromium() -> AsyncIterator[Launch]:
    """A factory of Chromium with the clips `camera` and `microphone` as devices. One browser at a time is enough.

    `ask=True` leaves the browser's permission question unanswered; `devices` is Chromium's own description of its
    made-up devices, such as ``device-count=0`` for no camera, or None for none of any kind.
    """
    async with async_playwright() as playwright:
        opened: list[Browser] = []

        async def launch(
            camera: str = "good",
            microphone: str = "voice_good",
            *,
            ask: bool = False,
            devices: str | None = "",
            arguments: Sequence[str] = (),
        ) -> Browser:
            flags = [*ARGUMENTS, *arguments]
            if not ask:
                flags.append("--use-fake-ui-for-media-stream")
            if devices is not None:
                flags.append("--use-fake-device-for-media-stream" + (f"={devices}" if devices else ""))
                flags.append(f"--use-file-for-fake-audio-capture={microphone_clip(microphone, CLIP_FOLDER)}")
            if devices == "":
                flags.append(f"--use-file-for-fake-video-capture={camera_clip(camera, CLIP_FOLDER)}")
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
            opened.append(browser)
            return browser

        try:
            yield launch
        finally:
            for browser in opened:
                await browser.close()
