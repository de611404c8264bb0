"""A browser that can't do it: said before the start with the browser to use, and the network is not blamed for it."""

from __future__ import annotations

import pytest

from readiness.texts import LANGUAGES
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import LOCALES, PHONE, Person, plain
from tests.browser.test_accessibility import violations

WITHOUT = {
    "getUserMedia": "delete MediaDevices.prototype.getUserMedia",
    "RTCPeerConnection": "delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection",
    "AudioWorkletNode": "delete window.AudioWorkletNode",
    "WebSocket": "delete window.WebSocket",
}
ADVICE = {name: "browser.no_capture" if name == "getUserMedia" else "browser.unsupported" for name in WITHOUT}


async def person_without(chromium: Launch, url: str, name: str, lang: str = "nb") -> Person:
    """Somebody whose browser lacks this interface."""
    browser = await chromium()
    context = await browser.new_context(viewport=PHONE, locale=LOCALES[lang])
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await context.add_init_script(WITHOUT[name])
    page = await context.new_page()
    person = Person(page, lang)
    await page.goto(url)
    await page.wait_for_selector("#unable:not([hidden]) h2")
    return person


@pytest.mark.parametrize("name", WITHOUT)
async def test_it_is_said_before_the_start(live_server: LiveServer, chromium: Launch, name: str):
    """What is missing, which browser to use and the link to take along; nothing is tried where nothing can be told."""
    for lang in LANGUAGES:
        person = await person_without(chromium, live_server.drop_in, name, lang)
        said = plain(await person.page.inner_text("#unable"))
        assert person.words(f"advice.{ADVICE[name]}.title") in said
        assert person.words(f"advice.{ADVICE[name]}.do") in said
        await person.page.click("#unable [data-action=copy-link]")
        await person.until("#unable .copied", "link.copied")
        assert await person.page.evaluate("navigator.clipboard.readText()") == person.page.url
        assert await violations(person.page) == []
        can_try = name != "WebSocket"
        assert await person.page.is_visible("[data-action=start]") == can_try
        if can_try:
            assert await person.reads("#start") == person.words("elsewhere.start")
        await person.page.context.close()


async def test_after_a_reload_the_link_is_in_the_invitation(live_server: LiveServer, chromium: Launch):
    """The page forgets the link's secret; it does not tell anybody to copy what it does not have."""
    person = await person_without(chromium, live_server.drop_in, "getUserMedia")
    await person.page.evaluate("history.replaceState(null, '', '/t/nobody')")
    await person.page.route("**/t/nobody*", lambda route: route.continue_(url=live_server.drop_in))
    await person.page.route(
        "**/api/v1/sessions/nobody",
        lambda route: route.fulfill(json={"session": "nobody", "kind": "participant", "practical": [], "organisation": {
            "slug": "demo", "name": "D", "support_phone": "1", "support_hours": ""}}),
    )  # fmt: skip
    await person.page.reload()
    await person.page.wait_for_selector("#unable:not([hidden]) h2")
    assert person.words("link.in_invitation") in await person.reads("#unable")
    assert not await person.page.locator("#unable [data-action=copy-link]").count()


@pytest.mark.parametrize("name", ["RTCPeerConnection", "getUserMedia", "AudioWorkletNode"])
async def test_the_network_is_not_blamed(live_server: LiveServer, chromium: Launch, name: str):
    """Whoever tests all the same gets one card about the browser, with the link beside it, and none about the line."""
    person = await person_without(chromium, live_server.drop_in, name)
    await person.page.evaluate("window.caughtReports = []")
    await person.page.evaluate(
        "document.addEventListener('readiness:report', ({ detail: report }) => caughtReports.push({ report }))"
    )
    await person.start()
    if name == "getUserMedia":
        await person.page.click("[data-step=devices] [data-action=next]")
    if name == "AudioWorkletNode":
        await person.wait_step("speaker")
    report = await person.finish()
    assert report["verdict"] == "not_ready"
    assert report["advice"][0] == ADVICE[name]
    blamed = {"network.blocked", "network.way_closed", "network.udp_blocked", "microphone.not_measured"}
    assert not blamed & set(report["advice"]), report["advice"]
    assert [code for code in report["advice"] if code.startswith("browser.")] == [ADVICE[name]]
    assert await person.page.is_visible(f"#todo [data-advice='{ADVICE[name]}'] [data-action=copy-link]")
    found = {check["id"]: check for check in report["checks"]}
    if name == "RTCPeerConnection":
        assert (found["network.path"]["outcome"], found["network.path"]["cause"]) == ("not_measured", "browser_cannot")
        assert found["network.throughput_down"]["value"] is not None, "measured over TCP as far as it goes"
