"""The full speed of the line, on demand: told before, measured both ways, stopped at will, and no part of the test."""

from __future__ import annotations

import re

from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import SAYS_ONE_OF, Person
from tests.patience import PATIENCE_S

SAID = "#speed-said"
LESS_MB = 6
"""Bytes for these runs: loopback needs no more, and the page has to keep to them."""
CATCH_SPEED = """
window.caughtSpeeds = [];
document.addEventListener("readiness:speed", ({ detail }) => window.caughtSpeeds.push(detail));
"""
LIMIT = "mb => document.querySelector('meta[name=readiness-speed-mb]').content = String(mb)"


async def test_the_full_speed_is_measured_on_demand(live_server: LiveServer, chromium: Launch):
    """After a whole test: nothing of it was loaded before, data use is told, and figures come in plain words."""
    browser = await chromium(devices="device-count=0")
    person = await Person.at(browser, live_server.drop_in)
    page, asked = person.page, []
    page.on("request", lambda request: asked.append(request.url))
    await page.evaluate(CATCH_SPEED)
    await person.start()
    await person.press("next")
    await person.finish()
    assert not [url for url in asked if "speed" in url]
    await page.click("[data-step=answer] summary")
    told = await person.reads("[data-t='speed.about']")
    most_mb = int(await page.get_attribute("meta[name=readiness-speed-mb]", "content") or 0)
    assert f"{most_mb} MB" in told

    await page.evaluate(LIMIT, LESS_MB)
    await person.press("speed")
    await page.wait_for_function("() => window.caughtSpeeds.length === 1", timeout=1000 * PATIENCE_S)
    (found,) = await page.evaluate("window.caughtSpeeds")
    assert 1 < found["down_mbps"] < 2000
    assert 1 < found["up_mbps"] < 2000
    await person.until("[data-action=speed]", "speed.start")
    said = await person.reads(SAID)
    assert person.words("speed.for_1080p") in said
    assert re.search(r"minst [\d\s]+(,\d)? Mbit/s til deg og [\d\s]+(,\d)? Mbit/s fra deg", said)
    assert not await person.complaints()

    await page.evaluate(LIMIT, most_mb)
    await person.press("speed")
    await person.until(SAID, "speed.down", "speed.up")  # whichever is seen first on a busy machine
    await person.press("speed")
    await person.until(SAID, "speed.stopped")
    await person.until("[data-action=speed]", "speed.start")
    assert len(await page.evaluate("window.caughtSpeeds")) == 1, "what was stopped gives no figure"

    await page.route("**/mini/speedtest/**", lambda route: route.abort())
    await person.press("speed")
    offline = person.words("error.unreachable", await person.phone())
    await person.wait_until(SAYS_ONE_OF, [SAID, [offline]])
    await page.unroute("**/mini/speedtest/**")
    refused = {"status": 429, "json": {"error": {"code": "rate.limited", "message": ""}}}
    await page.route("**/mini/speedtest/**", lambda route: route.fulfill(**refused))
    await person.press("speed")
    await person.until(SAID, "error.rate.limited")
