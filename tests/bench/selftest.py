"""Whole self-tests: a real Chromium with good clips, a real server in its own process, a person who answers at once."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil
from playwright.async_api import Browser, CDPSession, async_playwright

from tests.bench.figures import Figure
from tests.browser.conftest import ARGUMENTS, CLIP_FOLDER, LiveServer
from tests.browser.person import Person, check
from tests.data.clips import camera_clip, microphone_clip

__all__ = ["run"]

RUNS, QUICK_RUNS = 10, 3
NETWORK = {
    "rtt found": ("network.rtt", "ms"),
    "jitter found, up": ("network.jitter_up", "ms"),
    "jitter found, down": ("network.jitter_down", "ms"),
    "loss found, up": ("network.loss_up", "%"),
    "loss found, down": ("network.loss_down", "%"),
    "throughput proven, up": ("network.throughput_up", "Mbit/s"),
    "throughput proven, down": ("network.throughput_down", "Mbit/s"),
    "setup time": ("network.setup_time", "ms"),
}
READY = "answered ready, with warnings or without"
"""1 or 0 of each run: good clips on a calm machine are ready; on a busy one the server says that it was too busy."""
BARS = {
    "tap to answer": ("s", 45.0),
    "machine time": ("s", 25.0),
    "data, both ways": ("MB", 10.0),
    "server CPU": ("CPU-s", 4.0),
    "page until the first tap": ("kB", 120.0),
    "board after commit": ("ms", 1000.0),
}


class Traffic:
    """Bytes of one tab, by the browser's own count."""

    def __init__(self) -> None:
        self.http = 0
        self.socket_up = 0
        self.socket_down = 0

    async def follow(self, cdp: CDPSession) -> None:
        """Count from now on."""
        cdp.on("Network.loadingFinished", lambda event: self._add("http", int(event["encodedDataLength"])))
        cdp.on("Network.webSocketFrameSent", lambda event: self._add("socket_up", _size(event["response"])))
        cdp.on("Network.webSocketFrameReceived", lambda event: self._add("socket_down", _size(event["response"])))
        await cdp.send("Network.enable")

    def _add(self, name: str, size: int) -> None:
        setattr(self, name, getattr(self, name) + size)


def _size(frame: Mapping[str, Any]) -> int:
    data = frame["payloadData"]
    return len(base64.b64decode(data)) if frame["opcode"] == 2 else len(data.encode())


class Board:
    """A leader's open board: when which answer arrived."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, dict[str, Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def open(self, link: str) -> None:
        """Redeem the leader's link and follow the events."""
        parts = urlsplit(link)
        self._http = aiohttp.ClientSession(
            f"{parts.scheme}://{parts.netloc}", cookie_jar=aiohttp.CookieJar(unsafe=True)
        )
        body = {"organisation": parts.path.split("/")[2], "token": parts.fragment}
        async with self._http.post("/api/v1/links/redeem", json=body) as answer:
            session = (await answer.json())["session"]
        self._task = asyncio.create_task(self._follow(session))

    async def _follow(self, session: str) -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._http.get(f"/api/v1/boards/{session}/events", timeout=timeout) as answer:
            async for line in answer.content:
                if line.startswith(b'data: {"'):
                    self.seen.append((time.time(), json.loads(line[6:])))

    async def answered(self, after: float) -> float:
        """Return when, after `after` (s since 1970), the first row was there and no longer running."""
        async with asyncio.timeout(20):
            while True:
                for at, board in self.seen:
                    row = board["participants"][0]
                    if at >= after and not row["running"] and row["state"] != "not_tested":
                        return at
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Leave."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._http.close()


async def run(*, quick: bool) -> list[Figure]:
    """Run the self-tests one after the other and return what they came to."""
    samples: dict[str, list[float]] = defaultdict(list)
    folder = Path(tempfile.mkdtemp(prefix="readiness-bench-"))
    server, board = LiveServer(folder), Board()
    server.start()
    try:
        async with contextlib.AsyncExitStack() as stack:
            playwright = await stack.enter_async_context(async_playwright())
            await board.open(server.links["board_url"])
            stack.push_async_callback(board.close)
            browser = await _browser(playwright)
            stack.push_async_callback(browser.close)
            for number in range(QUICK_RUNS if quick else RUNS):
                found = await _once(browser, server, board)
                for name, value in found.items():
                    samples[name].append(value)
                print(f"  run {number + 1}: {found['tap to answer']:.1f} s", file=sys.stderr, flush=True)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return _figures(samples)


async def _browser(playwright: Any) -> Browser:
    flags = [
        *ARGUMENTS, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_clip('good', CLIP_FOLDER)}",
        f"--use-file-for-fake-audio-capture={microphone_clip('voice_good', CLIP_FOLDER)}",
    ]  # fmt: skip
    browser: Browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
    return browser


async def _once(browser: Browser, server: LiveServer, board: Board) -> dict[str, float]:
    """Run one test from an empty browser cache to the answer."""
    assert server.process
    web = psutil.Process(server.process.pid)
    context = await browser.new_context(viewport={"width": 360, "height": 740}, locale="nb-NO")
    traffic = Traffic()
    page = await context.new_page()
    await traffic.follow(await context.new_cdp_session(page))
    person = await _visit(page, server.links["selftest_url"])
    page_kb = traffic.http / 1000
    cpu_before, before = _cpu_s(web), time.time()
    await person.start()
    report = await person.finish(tell={"private_room": "yes"})
    tapped_at, answered_at = await page.evaluate("[window.tappedAt, window.caughtReports.at(-1).at]")
    board_at = await board.answered(after=before + 1.0)
    await asyncio.sleep(0.3)
    web_cpu_s = _cpu_s(web) - cpu_before
    await context.close()
    _say(report)
    up, down = report["bytes_up"] / 1e6, report["bytes_down"] / 1e6
    found = {
        "tap to answer": (answered_at - tapped_at) / 1000,
        "machine time": report["machine_s"],
        "data, both ways": up + down,
        "data up (report)": up,
        "data down (report)": down,
        "data up, socket (browser)": traffic.socket_up / 1e6,
        "data down, socket (browser)": traffic.socket_down / 1e6,
        "data up, media (the rest)": up - traffic.socket_up / 1e6,
        "data down, media (the rest)": down - traffic.socket_down / 1e6,
        "server CPU": report["server_cpu_s"] + web_cpu_s,
        "server CPU, media worker": report["server_cpu_s"],
        "server CPU, web process": web_cpu_s,
        "page until the first tap": page_kb,
        "page until the answer": traffic.http / 1000,
        "board after commit": max(0.0, (board_at - answered_at / 1000) * 1000),
        READY: float(report["verdict"] in {"ready", "ready_with_warnings"}),
    }
    values = {name: check(report, one)["value"] for name, (one, _) in NETWORK.items()}
    return found | {name: value for name, value in values.items() if value is not None}


def _say(report: Mapping[str, Any]) -> None:
    """Tell what was not a pass."""
    faults = [one for one in report["checks"] if one["outcome"] in {"warn", "fail", "not_measured"}]
    told = ", ".join(f"{one['id']} {one['outcome']} {one['value'] or one['cause']}" for one in faults)
    print(f"  {report['verdict']} {told}", file=sys.stderr, flush=True)


async def _visit(page: Any, url: str) -> Person:
    """Open the page in a tab that is followed already."""
    from tests.browser.person import CATCH_REPORTS

    person = Person(page)
    await page.add_init_script(CATCH_REPORTS)
    await page.goto(url)
    await page.wait_for_selector("[data-action=start]:enabled")
    await page.wait_for_load_state("networkidle")
    return person


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _figures(samples: Mapping[str, list[float]]) -> list[Figure]:
    units = {"data": "MB", "server": "CPU-s", "page": "kB", "answered": "of 1"} | {
        name: unit for name, (_, unit) in NETWORK.items()
    }
    figures = []
    for name, values in samples.items():
        unit, at_most = BARS.get(name, (units.get(name) or units.get(name.split(" ")[0].rstrip(","), ""), None))
        figures.append(Figure(name, unit, values, at_most=at_most, at_least=1.0 if name == READY else None))
    return figures
