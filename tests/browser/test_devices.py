"""Devices and browsers that stand in the way: named within seconds, with what to do, and the test goes on."""

from __future__ import annotations

from readiness.access.actors import clock_of
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import PHONE, Person, check
from tests.patience import was_busy

NO_FRAMES = """
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
  const tracks = audio ? (await ask({ audio })).getTracks() : [];
  const still = document.createElement("canvas");
  still.getContext("2d");
  return new MediaStream([...tracks, ...(video ? still.captureStream(0).getTracks() : [])]);
};
"""
"""A live camera that gives nothing (w3c/mediacapture-main#1011)."""
FILLED = """
const real = HTMLCanvasElement.prototype.toBlob;
HTMLCanvasElement.prototype.toBlob = function (done, type, quality) {
  const other = Object.assign(document.createElement("canvas"), { width: this.width, height: this.height });
  const context = other.getContext("2d");
  const pixels = context.createImageData(other.width, other.height);
  for (let i = 0; i < pixels.data.length; i += 1) pixels.data[i] = i % 4 === 3 ? 255 : FILL;
  context.putImageData(pixels, 0, 0);
  real.call(other, done, type, quality);
};
"""
WHITE, NOISE = FILLED.replace("FILL", "255"), FILLED.replace("FILL", "Math.random() * 256")
"""A browser that gives no picture out (brave/brave-browser#9186)."""
TOLD = {NO_FRAMES: "camera.no_frames", NOISE: "camera.picture_hidden"}
NO_SOUND = """
AudioContext.prototype.createMediaStreamSource = () => { throw new DOMException("x", "NotSupportedError"); };
"""
"""The browser takes no sound in (WebAudio/web-audio-api-v2#124)."""


async def test_what_stands_in_the_way_of_the_picture_is_named(live_server: LiveServer, chromium: Launch):
    """A dead camera, and a browser that hides pictures, are told apart before anything is measured."""
    browser = await chromium()
    for script, advice in TOLD.items():
        context = await browser.new_context(viewport=PHONE, locale="nb-NO")
        await context.add_init_script(script)
        person = await Person.at(context, live_server.drop_in)
        await person.start()
        await person.until("#devices-title", "devices.problem_title")
        await person.sees_advice(advice, "#devices-problems > li")
        assert await person.page.locator("#devices-problems > li").count() == 1
        assert await person.complaints() == []
        await context.close()


async def test_a_hidden_picture_is_the_browsers_doing_and_not_the_cameras(live_server: LiveServer, chromium: Launch):
    """Whoever goes on without is not told to uncover the camera, nor to test again: the same would come of it."""
    browser = await chromium()
    context = await browser.new_context(viewport=PHONE, locale="nb-NO")
    await context.add_init_script(WHITE + NO_SOUND)
    person = await Person.at(context, live_server.drop_in)
    await person.start()
    await person.until("#devices-title", "devices.problem_title")
    await person.press("next")
    await person.wait_step("speaker")
    await person.press("no-sound")
    report = await person.finish()
    assert report["verdict"] == "incomplete"
    assert check(report, "camera.present")["outcome"] == "pass"
    assert check(report, "camera.light")["cause"] == "picture_hidden"
    assert set(report["advice"]) >= {"camera.picture_hidden", "microphone.sound_refused"}
    again = {code for code in report["advice"] if code.endswith("not_measured")}
    assert again <= ({"network.not_measured"} if was_busy(report) else set()), report["advice"]


SILENT_LINE = "window.WebSocket = class { readyState = 0; bufferedAmount = 0; send() {} close() {} };"
SHUT_LINE = """
window.WebSocket = class {
  readyState = 3; bufferedAmount = 0;
  constructor() { setTimeout(() => this.onclose?.({}), 20); }
  send() {} close() {}
};
"""
"""A network that lets pages through and no WebSocket: it is never answered, or refused at once."""


async def test_a_line_that_is_blocked_is_told_and_support_can_see_it(live_server: LiveServer, chromium: Launch):
    """Within seconds, with the code of a report that came over HTTPS; the page goes on trying."""
    browser = await chromium()
    for script in (SILENT_LINE, SHUT_LINE):
        context = await browser.new_context(viewport=PHONE, locale="nb-NO")
        await context.add_init_script(script)
        person = await Person.at(context, live_server.drop_in)
        await person.start()
        await person.until("#waiting-title", "waiting.blocked_title")
        await person.until("#waiting-later", "waiting.blocked_told")
        code = await person.reads("#waiting-code strong")
        assert await person.page.is_visible("#waiting-call")
        store = await live_server.open_store()
        try:
            session = await store.session_by_id((await person.page.evaluate("location.pathname")).split("/")[2])
            found = await store.report_for_session(clock_of(session.organisation_id), session.id)
        finally:
            await store.close()
        assert (found.code, found.body["cause"]) == (code, "socket_blocked")
        await context.close()
