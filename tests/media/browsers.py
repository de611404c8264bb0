"""Real browsers for the media tests: one script, run in Chromium by playwright and in Firefox over WebDriver BiDi."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.patience import PATIENCE_S

Evaluate = Callable[[str], Awaitable[Any]]
"""Runs an async arrow function's text in a page of a loopback origin and returns its value."""
CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--no-first-run", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
FIREFOX_PREFERENCES = """user_pref("media.autoplay.default", 0);
user_pref("media.autoplay.blocking_policy", 0);
"""
"""Nobody presses a button here: sound may start by itself."""


@contextlib.asynccontextmanager
async def chromium(base: str) -> AsyncIterator[Evaluate]:
    """Chromium with a page at `base`."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
        try:
            page = await browser.new_page()
            await page.goto(base)
            yield lambda script: page.evaluate(f"({script})()")
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def firefox(base: str, profile: str) -> AsyncIterator[Evaluate]:
    """Firefox ESR, headless, with a page at `base`; `profile` is an empty folder of its own."""
    Path(profile, "user.js").write_text(FIREFOX_PREFERENCES)
    program = shutil.which("firefox-esr") or shutil.which("firefox") or "firefox"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", str(port), "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as session, await _connect(session, port) as ws:
            bidi = _Bidi(ws)
            context = await bidi.start()
            await bidi.call("browsingContext.navigate", {"context": context, "url": base, "wait": "complete"})
            yield lambda script: bidi.evaluate(context, script)
            await bidi.call("session.end", {})
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _connect(session: aiohttp.ClientSession, port: int) -> aiohttp.ClientWebSocketResponse:
    for _ in range(80):
        with contextlib.suppress(aiohttp.ClientError):
            return await session.ws_connect(f"ws://127.0.0.1:{port}/session", max_msg_size=0)
        await asyncio.sleep(0.25)
    raise TimeoutError("Firefox did not open its debugging port")


class _Bidi:
    """As much of WebDriver BiDi as it takes to run a script."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._number = 0

    async def start(self) -> str:
        await self.call("session.new", {"capabilities": {}})
        tree = await self.call("browsingContext.getTree", {})
        return tree["contexts"][0]["context"]

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._ws.send_json({"id": self._number, "method": method, "params": params})
        while (answer := json.loads((await self._ws.receive()).data)).get("id") != self._number:
            pass
        if "result" not in answer:
            raise RuntimeError(str(answer)[:500])
        return answer["result"]

    async def evaluate(self, context: str, script: str) -> Any:
        """Run `script` and return its value, which travels as JSON text."""
        expression = f"({script})().then(JSON.stringify)"
        parameters = {"expression": expression, "target": {"context": context}, "awaitPromise": True}
        result = await self.call("script.evaluate", parameters)
        if result["type"] != "success":
            raise RuntimeError(str(result)[:500])
        return json.loads(result["result"]["value"])
