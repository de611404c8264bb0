"""Record one offer of each installed browser, as the self-test page makes it: data channel, audio and video.

Run from the project's root: ``python tests/data/offers/record.py``. Chromium by playwright; Firefox ESR headless with
``--remote-debugging-port`` and WebDriver BiDi over a plain WebSocket. Each browser gives three offers: ``page`` (what
the page sends: data and video down, before gathering), ``full`` (audio, video, data) and ``gathered``
(with candidates).
Addresses are replaced by those of RFC 5737 and random mDNS names stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

HERE = Path(__file__).parent
SCRIPT = """
async (kind) => {
  const pc = new RTCPeerConnection({ iceServers: [] });
  if (kind !== "page") pc.addTransceiver("audio", { direction: "sendrecv" });
  pc.addTransceiver("video", { direction: kind === "page" ? "recvonly" : "sendrecv" });
  pc.createDataChannel("clock", { ordered: false, maxRetransmits: 0 });
  await pc.setLocalDescription(await pc.createOffer());
  if (kind === "gathered") {
    await new Promise((done) => {
      if (pc.iceGatheringState === "complete") done();
      pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && done();
      setTimeout(done, 3000);
    });
  }
  const sdp = pc.localDescription.sdp;
  pc.close();
  return sdp;
}
"""
KINDS = ("page", "full", "gathered")


def save(browser: str, kind: str, sdp: str) -> None:
    """Write one offer, without an address of the machine it was made on."""
    sdp = re.sub(r"(?<![\d.])(?!0\.0\.0\.0|127\.0\.0\.1)\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", "192.0.2.1", sdp)
    (HERE / f"{browser}-{kind}.sdp").write_bytes(sdp.encode())
    print(f"{browser}-{kind}: {len(sdp)} bytes, {sdp.count('a=candidate')} candidates")


async def chromium() -> None:
    """Record Chromium's offers."""
    from playwright.async_api import async_playwright

    arguments = ["--no-sandbox", "--disable-background-networking", "--no-first-run"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = await browser.new_page()
        for kind in KINDS:
            save("chromium", kind, await page.evaluate(f"({SCRIPT})('{kind}')"))
        await browser.close()


async def firefox(port: int = 9333) -> None:
    """Record Firefox's offers over WebDriver BiDi."""
    program = shutil.which("firefox-esr") or shutil.which("firefox") or "firefox"
    with tempfile.TemporaryDirectory() as profile:
        process = await asyncio.create_subprocess_exec(
            program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", str(port),
            "about:blank", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession() as session:
                await _record_firefox(await _bidi(session, port))
        finally:
            process.terminate()
            await process.wait()


async def _bidi(session: aiohttp.ClientSession, port: int) -> aiohttp.ClientWebSocketResponse:
    for _ in range(60):
        with contextlib.suppress(aiohttp.ClientError):
            return await session.ws_connect(f"ws://127.0.0.1:{port}/session", max_msg_size=0)
        await asyncio.sleep(0.5)
    raise TimeoutError("Firefox did not open its debugging port")


async def _record_firefox(socket: aiohttp.ClientWebSocketResponse) -> None:
    number = 0

    async def call(method: str, params: dict[str, Any]) -> dict[str, Any]:
        nonlocal number
        number += 1
        await socket.send_json({"id": number, "method": method, "params": params})
        while (answer := json.loads((await socket.receive()).data)).get("id") != number:
            pass
        return answer["result"]

    await call("session.new", {"capabilities": {}})
    tree = await call("browsingContext.getTree", {})
    context = tree["contexts"][0]["context"]
    for kind in KINDS:
        result = await call(
            "script.evaluate",
            {"expression": f"({SCRIPT})('{kind}')", "target": {"context": context}, "awaitPromise": True},
        )
        save("firefox", kind, result["result"]["value"])
    await call("session.end", {})


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["chromium", "firefox"]
    for name in wanted:
        asyncio.run({"chromium": chromium, "firefox": firefox}[name]())
