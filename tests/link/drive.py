"""The network part of the self-test alone, by the page's own modules, in a browser on an emulated link."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.link.lab import Lab

__all__ = ["SCRIPT", "check", "network_page", "network_part"]

SCRIPT = """async () => {
  const base = document.querySelector("meta[name=readiness-static]").content;
  const load = (name) => import(`${base}/selftest/js/${name}.js`);
  const [network, { openLink }, { systemClock }, { silentTrack }] = await Promise.all(
    ["checks/network", "socket", "clock", "audio"].map(load));
  const protocol = await (await fetch(`${base}/shared/protocol.json`)).json();
  const made = await fetch("/api/v1/organisations/demo/try", {
    method: "POST", body: "{}", headers: { "Content-Type": "application/json", "X-Readiness": "1" } });
  const { session } = await made.json();
  const clock = systemClock();
  const link = openLink({
    url: location.origin.replace(/^http/, "ws") + "/api/v1/session", protocol, clock, onState: () => undefined,
    hello: () => ({ type: "hello", version: 1, client: { kind: "browser" }, locale: "nb", session }) });
  const { signal } = new AbortController();
  const { plan } = await link.ready(signal);
  const audio = new AudioContext();
  await Promise.race([audio.resume(), clock.sleep(500)]);
  const marks = [];
  const began = clock.now();
  const note = (...what) => marks.push([Math.round(clock.now() - began), ...what]);
  link.on("phase", ({ phase, state, values }) => note(phase, state, values));
  await network.run({
    link, plan, clock, signal, createPeer: (config) => new RTCPeerConnection(config),
    sound: () => silentTrack(audio), workerUrl: `${base}/selftest/js/uplink-worker.js`,
    onProgress: (phase, state) => note(phase, state),
    died(phase, cause, where) {
      note(phase, "died", where);
      link.send(phase, "died", { cause, where });
    } });
  const took_ms = clock.now() - began;
  const reported = link.wait("report", () => true, signal);
  link.send("finish", "final", {});
  const { report } = await reported;
  link.close("done");
  audio.close();
  return { took_ms, marks, report };
}"""


@contextlib.asynccontextmanager
async def network_page(lab: Lab, folder: Path, **settings: str) -> AsyncIterator[Page]:
    """A page of our server's origin in a Chromium on the client's side of `lab`."""
    server = lab.serve(folder, **settings)
    async with async_playwright() as playwright:
        browser = await lab.chromium(
            playwright, base=server.base, arguments=["--autoplay-policy=no-user-gesture-required"]
        )
        try:
            page = await browser.new_page()
            await page.goto(server.links["dropin_url"])
            await page.wait_for_selector("[data-action=start]:enabled")
            yield page
        finally:
            await browser.close()


async def network_part(page: Page) -> dict[str, Any]:
    """Run the network part once; return its report, its messages and how long it took, ms."""
    return dict(await page.evaluate(SCRIPT))


def check(found: dict[str, Any], name: str) -> dict[str, Any]:
    """One check of a report."""
    return next(one for one in found["report"]["checks"] if one["id"] == f"network.{name}")
