"""What a whole test weighs, whom it talks to, and that nothing is refused by its own policy."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import Person

MOST_BYTES = 120_000
"""HTML, styles, scripts, words, schema and spoken digits with their headers, until the answer: acceptance figure."""
WITH_THE_ANSWER = ("/locales/later/", "/selftest/js/figureview.js")
"""What its figures are told with comes with it."""


class Traffic:
    """Every request of one tab, by the browser's own count."""

    def __init__(self) -> None:
        self.urls: dict[str, str] = {}
        self.bytes: dict[str, float] = {}
        self.sockets: list[str] = []

    async def follow(self, person: Person) -> None:
        """Count from now on."""
        cdp = await person.cdp()
        cdp.on("Network.requestWillBeSent", self._asked)
        cdp.on("Network.loadingFinished", self._came)
        cdp.on("Network.webSocketCreated", lambda event: self.sockets.append(event["url"]))
        await cdp.send("Network.enable")
        await cdp.send("Network.setCacheDisabled", {"cacheDisabled": False})

    def _asked(self, event: dict[str, Any]) -> None:
        self.urls[event["requestId"]] = event["request"]["url"]

    def _came(self, event: dict[str, Any]) -> None:
        self.bytes[event["requestId"]] = event["encodedDataLength"]

    def by_name(self) -> dict[str, float]:
        """Bytes by the last part of each address."""
        names: dict[str, float] = {}
        for request, url in self.urls.items():
            if any(part in url for part in WITH_THE_ANSWER):
                continue
            name = urlsplit(url).path.rsplit("/", 1)[-1]
            names[name] = names.get(name, 0) + self.bytes.get(request, 0)
        return names


@pytest.mark.pair
async def test_the_whole_test_is_light_and_talks_to_us_alone(own_server: LiveServer, chromium: Launch):
    """Under 120 kB until the answer, no other host, and not one violation of the page's own security policy."""
    browser = await chromium()
    context = await browser.new_context(viewport={"width": 360, "height": 740}, locale="nb-NO")
    hosts: set[str] = set()
    context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    blank = await context.new_page()
    person = Person(blank)
    traffic = Traffic()
    await traffic.follow(person)
    await person.open(own_server.drop_in)
    await person.start()
    await person.finish(look=False)

    weighed = traffic.by_name()
    static = await person.page.get_attribute("meta[name=readiness-static]", "content")
    weighed["sound-worklet.js"] = _transferred(f"{own_server.base}{static}/selftest/js/sound-worklet.js")
    total = sum(weighed.values())
    print(f"{total / 1000:.1f} kB in {len(traffic.urls)} requests: {sorted(weighed.items(), key=lambda i: -i[1])[:8]}")
    for name in ("main.js", "protocol.json", "nb.json", "style.css", "sound-worklet.js"):
        assert weighed[name] > 0, f"{name} was not counted"
    assert any(name.endswith(".mp3") for name in weighed)
    assert total < MOST_BYTES
    ours = urlsplit(own_server.base).netloc
    assert hosts <= {ours}
    assert {urlsplit(url).netloc for url in [*traffic.urls.values(), *traffic.sockets]} == {ours}
    assert not [line for line in person.console if "Content Security Policy" in line or line.startswith("pageerror")]
    assert not [event for event in own_server.events() if event["event"] == "csp.violation"]


def _transferred(url: str) -> int:
    """Bytes of an answer with its headers; Chromium tells nobody what an audio worklet's script weighs."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept-Encoding": "gzip"}), timeout=10) as answer:
        return len(answer.read()) + len(str(answer.headers))
