"""Chromium with a camera and a microphone of our own making, and an ear on the session socket."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Page, WebSocket, async_playwright

from tests.data.clips import camera_clip, microphone_clip
from tests.integration.support import CLIP_FOLDER

HEADLESS_CHROMIUM = Path(__file__).parents[1] / "headless-chromium"
"""A program that starts Chromium, without a window where that makes no difference to the page."""
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


class ChromiumPage:
    """One tab, with what the server said on its session sockets."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.messages: list[dict[str, Any]] = []
        """JSON messages from the server, over all session sockets of the page."""
        self.sockets = 0
        self.faults: list[str] = []
        """Errors that the page did not catch."""
        page.on("websocket", self._listen)
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    async def goto(self, url: str) -> None:
        await self.page.goto(url)

    async def evaluate(self, function: str) -> Any:
        return await self.page.evaluate(function)

    async def click(self, selector: str) -> None:
        await self.page.click(selector)

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The server's messages of one type, in order."""
        return [message for message in self.messages if message["type"] == kind]

    def _listen(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("framereceived", self._hear)

    def _hear(self, payload: str | bytes) -> None:
        if isinstance(payload, str):
            self.messages.append(json.loads(payload))


@contextlib.asynccontextmanager
async def chromium(
    *,
    secure_origins: Sequence[str] = (),
    init_script: str = "",
    ignore_tls: bool = False,
    arguments: Sequence[str] = (),
) -> AsyncIterator[ChromiumPage]:
    """A page in a fresh Chromium; `secure_origins` count as secure contexts over http."""
    flags = [
        *FLAGS,
        f"--use-file-for-fake-video-capture={camera_clip('good', CLIP_FOLDER)}",
        f"--use-file-for-fake-audio-capture={microphone_clip('voice_good', CLIP_FOLDER)}",
        *arguments,
    ]
    if secure_origins:
        flags.append(f"--unsafely-treat-insecure-origin-as-secure={','.join(secure_origins)}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=HEADLESS_CHROMIUM, args=flags)
        try:
            context = await browser.new_context(
                viewport={"width": 360, "height": 740}, locale="nb-NO", ignore_https_errors=ignore_tls
            )
            if init_script:
                await context.add_init_script(init_script)
            yield ChromiumPage(await context.new_page())
        finally:
            await browser.close()
