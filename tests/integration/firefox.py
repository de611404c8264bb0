"""Firefox over WebDriver BiDi (W3C) on a plain WebSocket: as much of it as walking a page takes.

The camera is Firefox's own coloured pattern without a face, the microphone a tone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.integration.support import free_port, program
from tests.patience import PATIENCE_S

MEDIA = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.devices.insecure.enabled": True,
    "media.getusermedia.insecure.enabled": True,
}
QUIET = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.discovery.enabled": False,
    "browser.newtabpage.activity-stream.feeds.topsites": False,
    "browser.region.network.url": "",
    "browser.region.update.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.usage.uploadEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.prefetch-next": False,
    "network.trr.mode": 5,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "toolkit.telemetry.server": "",
    "toolkit.telemetry.unified": False,
}
START_S = 40.0
CALL_S = 30.0


class FirefoxPage:
    """One tab of a Firefox."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._context = ""
        self.console: list[str] = []
        """What the page said on its console."""

    async def begin(self) -> None:
        """Open the BiDi session and find the tab."""
        await self.call("session.new", {"capabilities": {}})
        tree = await self.call("browsingContext.getTree", {})
        self._context = tree["contexts"][0]["context"]
        await self.call("session.subscribe", {"events": ["log.entryAdded"]})

    async def goto(self, url: str) -> None:
        """Open `url` and wait for its load event."""
        await self.call("browsingContext.navigate", {"context": self._context, "url": url, "wait": "complete"})

    async def evaluate(self, function: str) -> Any:
        """Run an arrow function and return its value, which travels as JSON text."""
        result = await self._script(f"Promise.resolve(({function})()).then((value) => JSON.stringify(value ?? null))")
        return json.loads(result["value"])

    async def click(self, selector: str) -> None:
        """Press the element that `selector` names with a real pointer, in view."""
        node = await self._script(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            " one?.scrollIntoView({ block: 'center', behavior: 'instant' }); return one; })()"
        )
        if node["type"] != "node":
            raise LookupError(selector)
        origin = {"type": "element", "element": {"sharedId": node["sharedId"]}}
        moves = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": moves}
        await self.call("input.performActions", {"context": self._context, "actions": [mouse]})

    async def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Send one command and return its result."""
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async with asyncio.timeout(CALL_S):
            while True:
                answer = json.loads((await self._socket.receive()).data)
                if answer.get("method") == "log.entryAdded":
                    self.console.append(str(answer["params"].get("text"))[:300])
                if answer.get("id") == self._number:
                    break
        if "result" not in answer:
            raise RuntimeError(str(answer)[:500])
        return dict(answer["result"])

    async def _script(self, expression: str) -> dict[str, Any]:
        target = {"context": self._context}
        parameters = {"expression": expression, "target": target, "awaitPromise": True}
        result = await self.call("script.evaluate", parameters)
        if result["type"] != "success":
            raise RuntimeError(str(result)[:500])
        return dict(result["result"])


def write_profile(folder: Path, preferences: dict[str, Any]) -> None:
    """Make a fresh profile that tests media and keeps quiet."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
    (folder / "user.js").write_text("\n".join(lines) + "\n")


@contextlib.asynccontextmanager
async def firefox(
    profile: Path,
    *,
    treat_as_secure: Sequence[str] = (),
    command: Sequence[str] = (),
    connector: aiohttp.BaseConnector | None = None,
) -> AsyncIterator[FirefoxPage]:
    """A headless Firefox ESR with a fresh `profile`; hosts in `treat_as_secure` count as secure contexts over http.

    `command` stands before the program's name, to run it elsewhere; `connector` then reaches its loopback.
    """
    more = {"dom.securecontext.allowlist": ",".join(treat_as_secure)} if treat_as_secure else {}
    write_profile(profile, {**QUIET, **MEDIA, **more})
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *command, program("firefox-esr"), "--headless", "--no-remote", "--profile", str(profile),
        "--remote-debugging-port", str(port), "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession(connector=connector) as session, await _connect(session, port) as socket:
            page = FirefoxPage(socket)
            await page.begin()
            yield page
            await page.call("session.end", {})
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
    async with asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                return await session.ws_connect(f"ws://127.0.0.1:{port}/session", max_msg_size=0)
            await asyncio.sleep(0.25)
