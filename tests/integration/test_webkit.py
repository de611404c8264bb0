"""Every page and the whole self-test in WebKit, the engine that Safari is made of.

Debian's build has no RTCPeerConnection: what it proves is everything but WebRTC, and what a browser without it is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from probes.camera import frame_rate_measurement
from readiness.texts import catalogue
from reports.store import Store
from tests.browser.test_accessibility import AXE, RULES, RUN_AXE, SPOIL, TOO_WIDE
from tests.cast import SUNNAAS
from tests.integration.support import ServerProcess, free_port, serving
from tests.integration.test_nginx import await_answer, nginx_with
from tests.integration.walking import assert_words_shown, checks, report_of, walk
from tests.integration.webkit import DESKTOP, PHONE, REPLAY, WebKitPage, webkit
from tests.made import BLOCKED, made_report, support_link
from tests.series import made_series

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UNACCELERATED = {"WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
"""As on a computer without graphics: video frames are then never called for."""
PAINTS_FPS = 45.0
"""Between the 30 frames a second that the camera makes and the 60 times that the page is painted."""
UNSUPPORTED = "browser.unsupported"
NO_WEBRTC = "() => !('RTCPeerConnection' in globalThis)"
ADVICE = "() => [...document.querySelectorAll('#todo > li')].map(({ dataset }) => dataset.advice)"
CUT = """() => [...document.querySelectorAll("select")].filter((one) => one.checkVisibility()).filter((one) => {
  const style = getComputedStyle(one);
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = style.font;
  const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return pen.measureText(one.selectedOptions[0]?.text ?? "").width > room;
}).map((one) => one.outerHTML.slice(0, 120))"""
"""What is chosen, where the field does not show all of it."""
PROBLEMS = """() => {
  const shown = [...document.querySelectorAll("#devices-problems > li")].filter((one) => one.checkVisibility());
  return shown.map(({ innerText }) => innerText).join(" ").toLowerCase();
}"""
WATCH = """async (seconds) => {
  const base = document.querySelector("meta[name=readiness-static]").content;
  const { FrameTimes, watchFrames } = await import(`${base}/selftest/js/checks/picture.js`);
  const { firstFrame } = await import(`${base}/selftest/js/preview.js`);
  const { systemClock } = await import(`${base}/selftest/js/clock.js`);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { frameRate: { ideal: 30 } } });
  const video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  document.querySelector("main").prepend(video);
  const { state, later } = await firstFrame(video, stream, {
    clock: systemClock(), signal: new AbortController().signal,
  });
  if (state !== "frames") await later;
  const times = new FrameTimes();
  const stop = watchFrames(video, times);
  let calls = 0;
  const call = () => { calls += 1; video.requestVideoFrameCallback(call); };
  video.requestVideoFrameCallback(call);
  const before = [performance.now(), video.getVideoPlaybackQuality().totalVideoFrames];
  await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
  const after = [performance.now(), video.getVideoPlaybackQuality().totalVideoFrames];
  stop();
  stream.getTracks().forEach((track) => track.stop());
  video.remove();
  const frames = after[1] - before[1];
  return { calls, capture_ms: times.list(), frames, fps: 1000 * frames / (after[0] - before[0]) };
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests of this module."""
    with serving(tmp_path_factory.mktemp("webkit-server"), "--demo") as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebKitPage]:
    """One WebKit for all tests that want nothing special of it."""
    with webkit(tmp_path_factory.mktemp("webkit")) as opened:
        yield opened


@pytest.fixture
async def support(server: ServerProcess) -> str:
    """A link to a support page with a bad report on it."""
    folder = server.log_file.parent / "data"
    store = await Store.open(f"sqlite:///{folder / 'readiness.sqlite3'}", migrate=False)
    try:
        await store.ensure_organisation(SUNNAAS)
        await made_report(store, series=made_series(bad=True), **BLOCKED)
        return f"{server.base}/o/sunnaas/support#{await support_link(store)}"
    finally:
        await store.close()


async def violations(page: WebKitPage) -> list[str]:
    """What axe finds on the page as it is now."""
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(f"() => {{ {AXE} }}")
    return list(await page.evaluate(RUN_AXE, RULES))


async def assert_sound(page: WebKitPage, where: str) -> None:
    """No script failed, axe finds nothing, and nothing is too wide for a phone; then as wide as a desk."""
    for size in (DESKTOP, PHONE):
        await page.size(*size)
        assert await page.evaluate(TOO_WIDE) == [], (where, size)
        assert await page.evaluate(CUT) == [], (where, size)
    assert await violations(page) == [], where
    assert await page.faults() == [], where


# ---- the instruments


@pytest.fixture
async def broken() -> AsyncIterator[str]:
    """Pages whose scripts fail: again and again, because WebDriver may come late, and for want of a part."""
    scripts = {
        "later": "setInterval(() => Promise.reject(new Error('later')), 200);",
        "half": "import { missing } from './later.js';",
    }

    async def script(request: web.Request) -> web.Response:
        return web.Response(text=scripts[request.match_info["name"]], content_type="text/javascript")

    async def shown(request: web.Request) -> web.Response:
        source = (
            f"<!doctype html><title>broken</title><script type=module src=/{request.match_info['name']}.js></script>"
        )
        return web.Response(text=source, content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/{name}.js", script), web.get("/{name}", shown)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_fault_would_be_seen(server: ServerProcess, page: WebKitPage, broken: str):
    """A script that fails later or for want of a part is told, as are pale words and a line too wide."""
    for name, message in {"later": "later", "half": "missing"}.items():
        await page.goto(f"{broken}/{name}")
        await page.until(f"async () => (await ({REPLAY})()).some((text) => text.includes('{message}'))")
    await page.size(*PHONE)
    await page.goto(server.links["dropin_url"])
    await page.evaluate(SPOIL)
    found = await violations(page)
    assert {line.split(":")[0] for line in found} == {"color-contrast", "button-name"}
    assert await page.evaluate(TOO_WIDE)


# ---- all pages


async def _board(page: WebKitPage, server: ServerProcess) -> None:
    await page.goto(server.links["board_url"])
    await page.until("() => document.querySelectorAll('#participants > li').length === 3")
    for guide in ("checklist", "emergency"):
        await page.click(f"[data-open={guide}]")
        await page.until("(id) => document.getElementById(id).open", guide)
        await assert_sound(page, guide)
        await page.click(f"#{guide} button")
        await page.until("(name) => document.activeElement.dataset.open === name", guide)


async def _plan(page: WebKitPage, server: ServerProcess, name: str) -> None:
    await page.goto(server.links["organiser_url"])
    await page.until("() => document.querySelector('#coming .line a')")
    if name == "meeting":
        await page.follow("#coming .line a")
        await page.until(
            "() => document.querySelector('#participants > li') && location.pathname.includes('/meetings/')"
        )
    elif name != "list":
        path = await page.evaluate("() => location.pathname")
        await page.goto(f"{server.base}{path}/{name}")
        await page.until("() => document.querySelector('h1')?.innerText.length > 3")


async def _selftest(page: WebKitPage, server: ServerProcess) -> None:
    await page.goto(server.links["dropin_url"])
    await page.until("() => document.querySelector('#start:enabled')")


async def _dead(page: WebKitPage, server: ServerProcess) -> None:
    await page.goto(f"{server.base}/o/demo/t?lang=nn#{'A' * 43}")
    await page.until("(text) => document.querySelector('#stopped-title').innerText === text",
                     catalogue("nn")["error.link.not_valid.title"])  # fmt: skip


def _plain(path: str) -> Callable[[WebKitPage, ServerProcess], Awaitable[None]]:
    async def opened(page: WebKitPage, server: ServerProcess) -> None:
        await page.goto(server.base + path)
        await page.until("() => document.querySelector('h1')?.innerText.length > 3")

    return opened


PAGES: dict[str, Callable[[WebKitPage, ServerProcess], Awaitable[None]]] = {
    "self-test": _selftest,
    "dead link": _dead,
    "code": _plain("/o/demo/code"),
    "front": _plain("/"),
    "not found": _plain("/nowhere/to/be/found"),
    "api docs": _plain("/api/docs"),
    "board": _board,
    "plan list": lambda page, server: _plan(page, server, "list"),
    "plan new": lambda page, server: _plan(page, server, "new"),
    "plan meeting": lambda page, server: _plan(page, server, "meeting"),
    "plan import": lambda page, server: _plan(page, server, "import"),
    "plan figures": lambda page, server: _plan(page, server, "figures"),
}


@pytest.mark.parametrize("name", PAGES)
async def test_pages_stand_in_webkit(server: ServerProcess, page: WebKitPage, name: str):
    """Each page is there without a script's error, a violation, or a line too wide for 360 px."""
    await page.size(*PHONE)
    await PAGES[name](page, server)
    await assert_sound(page, name)


async def test_support_reads_a_report_in_webkit(page: WebKitPage, support: str):
    """The list of the newest, and a report with its drawings."""
    await page.size(*PHONE)
    await page.goto(support)
    await page.until("() => document.querySelector('.newest .code')")
    await assert_sound(page, "support list")
    await page.follow(".newest a")
    await page.until("() => document.querySelector('#report a[href*=\"curves\"]')")
    await page.follow('#report a[href*="curves"]')
    await page.until("() => document.querySelectorAll('#report figure svg').length === 5")
    await assert_sound(page, "support report")


# ---- the self-test


@pytest.mark.alone
@pytest.mark.parametrize("accelerated", [True, False])
async def test_frames_are_timed_with_and_without_graphics(server: ServerProcess, page, tmp_path, accelerated):
    """The camera's rate is that of the frames which came, also where WebKit calls for none of them."""
    if accelerated:
        await _frames(page, server)
    else:
        with webkit(tmp_path / "profile", **UNACCELERATED) as bare:
            assert await _frames(bare, server) == 0, "this WebKit does call: another way to have none is needed"


async def _frames(page: WebKitPage, server: ServerProcess) -> int:
    """Watch frames for 3 s; returns how many WebKit called for."""
    await _selftest(page, server)
    seen = await page.evaluate(WATCH, 3)
    found = frame_rate_measurement(seen["capture_ms"])
    print(f"{seen['calls']} calls, {seen['fps']:.1f} frames a second, measured {found.value}")
    assert found.value is not None
    watched_s = seen["capture_ms"][-1] / 1000
    assert watched_s > 1, "a browser that soon falls silent is counted"
    assert len(seen["capture_ms"]) == pytest.approx(seen["fps"] * watched_s + 1, rel=0.2)
    assert 0.7 * seen["fps"] < found.value < PAINTS_FPS, "frames, not paints"
    return int(seen["calls"])


@pytest.mark.quiet
async def test_the_whole_test_runs_in_webkit(server: ServerProcess, tmp_path: Path):
    """From the link to a committed report, without graphics and WebRTC: the browser is to blame, not the line."""
    with webkit(tmp_path / "profile", **UNACCELERATED) as page:
        await page.size(*PHONE)
        await page.goto(server.links["selftest_url"])
        assert await page.evaluate(NO_WEBRTC)
        assert await page.until("() => document.querySelector('#unable:not([hidden])')?.dataset.advice") == UNSUPPORTED
        await page.until("() => document.querySelector('#start:enabled')")
        await assert_sound(page, "told before the start")
        entered = await walk(page)
        report = await report_of(page)
        await assert_words_shown(page)
        await assert_sound(page, "answer")
        shown = await page.evaluate(
            "() => [...document.querySelectorAll('#todo > li')].map(({ dataset }) => dataset.advice)"
        )
    found = checks(report)
    print(f"webkit: answer after {entered['answer']:.1f} s; {report['advice']}")
    assert report["verdict"] == "not_ready"
    assert found["browser.support"]["details"]["missing"] == "RTCPeerConnection"
    assert report["advice"][0] == shown[0] == UNSUPPORTED
    assert not [code for code in report["advice"] if code.startswith("network.")], report["advice"]
    for name, check in found.items():
        if name.startswith("network."):
            assert check["outcome"] not in {"warn", "fail"}, check
    assert (found["network.path"]["outcome"], found["network.path"]["cause"]) == ("not_measured", "browser_cannot")
    assert found["network.throughput_down"]["value"] is not None, "over TCP it was measured as far as it goes"
    assert found["camera.present"]["outcome"] == "pass"
    assert found["camera.frame_rate"]["outcome"] == "pass", found["camera.frame_rate"]
    assert found["camera.people"]["value"] == 0, "a drawing has no face"
    assert found["microphone.present"]["outcome"] == "pass"
    assert found["microphone.clipping"]["value"] is not None, "the worklet's own figures"
    assert found["speaker.heard"]["value"] == "digits_right"
    assert report["client"]["browser"].startswith("Safari")


EMBEDDED = """
server {{
  listen 127.0.0.1:{inner};
  location / {{
    proxy_pass http://127.0.0.1:{upstream};
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    proxy_hide_header Content-Security-Policy;
    proxy_hide_header Cross-Origin-Resource-Policy;
  }}
}}
server {{
  listen 127.0.0.1:{outer};
  default_type text/html;
  location / {{ return 200 "<!doctype html><style>body {{ margin: 0 }}</style>
    <iframe width=360 height=720 style='border: 0' src='http://127.0.0.1:{inner}/o/demo/try?lang=nb'></iframe>"; }}
}}
"""
"""WebDriver always says yes to camera and microphone, WebKit no to a page inside one that did not allow them. Nobody
may put our pages inside others, so the header that forbids it is taken away on the way."""


@pytest.fixture
def embedding(server: ServerProcess, tmp_path: Path) -> Iterator[str]:
    """The address of a page with the self-test inside, which may not use any device."""
    inner, outer = free_port(), free_port()
    own = EMBEDDED.format(inner=inner, outer=outer, upstream=server.port)
    with nginx_with(tmp_path, own) as log:
        await_answer(outer, log)
        yield f"http://127.0.0.1:{outer}/"


async def test_devices_denied_in_webkit(page: WebKitPage, embedding: str):
    """WebKit's own refusal: both remedies are shown, trying again answers, and the test goes on to its answer."""
    await page.size(*PHONE)
    await page.goto(embedding)
    await page.frame("iframe")
    try:
        await page.until("() => document.querySelector('#start:enabled')")
        await page.click("#start")
        for _ in range(2):
            problems = await page.until(PROBLEMS)
            assert "kamera" in problems
            assert "mikrofon" in problems
            assert await page.evaluate(TOO_WIDE) == []
            assert await violations(page) == []
            await page.click("[data-step=devices] [data-action=retry]")
        await page.until(PROBLEMS)
        await page.click("[data-step=devices] [data-action=next]")
        await walk(page)
        report = await report_of(page)
    finally:
        await page.frame(None)
    found = checks(report)
    assert report["verdict"] == "not_ready"
    assert {found[f"{device}.present"]["value"] for device in ("camera", "microphone")} == {"NotAllowedError"}
    assert {"camera.denied", "microphone.denied"} <= set(report["advice"])
