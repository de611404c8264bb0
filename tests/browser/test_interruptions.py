"""What goes wrong on the way: a server, a worker or a camera that dies, a page that is hidden."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import psutil

from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import Person, check
from tests.patience import was_busy

SET_HIDDEN = """
hidden => {
  const state = hidden ? "hidden" : "visible";
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""
"""Playwright keeps every tab visible, so hiding one is told to the page as the browser would tell it."""
END_CAMERA = """
() => {
  const [track] = document.querySelector("#preview").srcObject.getVideoTracks();
  track.stop();
  track.dispatchEvent(new Event("ended"));
}
"""
"""Chromium cannot unplug a made-up camera: its track is stopped, and the event that a real one gives is sent
(aws/amazon-chime-sdk-js#3238)."""
MUTE_MICROPHONE = """
() => document.querySelector("#preview").srcObject.getAudioTracks()[0].dispatchEvent(new Event("mute"))
"""
"""What a telephone call does to the page (twilio/twilio-video.js#1206)."""


def workers(server: LiveServer) -> list[psutil.Process]:
    """The confined processes: what the fork server started. Which of them is at work, only root can see."""
    assert server.process
    started = psutil.Process(server.process.pid).children()
    return [worker for forkserver in started for worker in forkserver.children()]


async def test_a_server_that_freezes_and_one_that_is_killed_cost_nothing_but_time(
    own_server: LiveServer, chromium: Launch
):
    """No connection ends, nothing comes: the page says that it is slow, then that the line is lost; it comes back.

    When the server is killed, the page says that the line is lost and whom to call; on the same data the test goes on
    to its answer. The person's answer about the digits was given to a server that never reads it: it is neither lost
    nor asked again.
    """
    browser = await chromium()
    person = await Person.at(browser, own_server.links["selftest_url"])
    await person.start()
    await person.look()
    await person.speak()
    await person.until("#speaker-text", "speaker.played")
    assert own_server.process
    os.kill(own_server.process.pid, signal.SIGSTOP)
    try:
        await person.sees_notice("notice.silent")
        await person.until("#waiting-title", "waiting.lost_title")
    finally:
        os.kill(own_server.process.pid, signal.SIGCONT)
    assert await person.wait_step("picture", "sound", "speaker") == "speaker"
    before = len(resumptions(own_server))
    assert before >= 1

    await person.until("#speaker-text", "speaker.played")
    os.kill(own_server.process.pid, signal.SIGSTOP)
    await person.hear()
    own_server.kill()
    await person.until("#waiting-title", "waiting.lost_title")
    assert await person.phone() == "22 00 00 00"
    assert await person.page.is_visible(".help")
    assert await person.step() == "waiting", "the step that cannot go on makes way"

    own_server.start()
    report = await person.finish(tell={"private_room": "yes"}, timeout_s=90)
    assert report["cause"] is None
    assert check(report, "speaker.heard")["value"] == "digits_right"
    assert was_busy(report) or report["verdict"] in {"ready", "ready_with_warnings"}, report["advice"]
    await person.sees_verdict(report["verdict"])
    (resumed,) = resumptions(own_server)[before:]
    assert resumed["done"] >= 3, "devices, picture and sound are not asked for again"


def resumptions(server: LiveServer) -> list[dict[str, Any]]:
    """When tests went on after a break, by the server's log."""
    return [event for event in server.events() if event["event"] == "selftest.resumed"]


async def test_a_killed_worker_is_our_fault(own_server: LiveServer, chromium: Launch):
    """When our own process dies the person is told at once that it is our fault, and the leader whom to call."""
    browser = await chromium()
    person = await Person.at(browser, own_server.links["selftest_url"])
    await person.start()
    await person.look(patiently=False)
    await person.speak()
    for worker in workers(own_server):
        worker.kill()
    report = await person.report()
    assert report["verdict"] == "incomplete"
    assert report["complete"] is False
    assert report["cause"] == "worker_died"
    assert report["advice"][0] == "service.fault"
    assert check(report, "camera.people")["outcome"] == "pass", "what was measured before is kept"
    await person.sees_verdict("incomplete")
    await person.sees_advice("service.fault")
    board = await person.page.context.new_page()
    await board.goto(own_server.links["board_url"])
    anna = board.locator("#participants > li", has_text="Anna")
    await anna.wait_for()
    assert await anna.get_attribute("data-state") == "incomplete"
    assert await anna.locator(".todo").inner_text() == person.words("leader.do.service")


async def test_a_camera_that_goes_away_and_a_page_that_is_left(live_server: LiveServer, chromium: Launch):
    """A page out of sight waits for the person; a camera that ends is told at once and is the first advice."""
    browser = await chromium()
    person = await Person.at(browser, live_server.drop_in)
    await person.start()
    await person.wait_step("picture")
    await person.page.evaluate(SET_HIDDEN, True)
    await person.sees_notice("notice.paused")
    await asyncio.sleep(4)
    assert await person.step() == "picture", "two seconds of good picture do not count while nobody looks"
    await person.page.evaluate(SET_HIDDEN, False)
    await person.page.evaluate(MUTE_MICROPHONE)
    await person.sees_notice("event.microphone_muted")
    await person.look()
    await person.page.evaluate(END_CAMERA)
    await person.sees_notice("event.camera_ended")
    report = await person.finish()
    assert report["events"] == ["tab_hidden", "tab_visible", "microphone_muted", "camera_ended"]
    assert check(report, "camera.present")["value"] == "ended"
    assert check(report, "camera.present")["outcome"] == "fail"
    assert report["advice"][0] == "camera.ended"
    assert report["verdict"] == "not_ready"
    await person.sees_verdict("not_ready")
    await person.sees_advice("camera.ended")
