"""The digits come back into the microphone, in a real browser: the echo is measured, and it is a second witness."""

from __future__ import annotations

import shutil
import time
from urllib.parse import urlsplit

import pytest

from readiness.texts import WEB_FOLDER
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import Person, check

DELAY_MS, LEVEL_DB = 120.0, -20.0
LOUDSPEAKER_INTO_MICROPHONE = """
const [delay_s, gain] = [%f, %f];
const Real = window.AudioContext;
window.AudioContext = class extends Real {
  constructor(options) {
    super(options);
    window.loop = this;
    this.microphone = this.createMediaStreamDestination();
    this.air = new DelayNode(this, { delayTime: delay_s, maxDelayTime: 1 });
    this.air.connect(new GainNode(this, { gain })).connect(this.microphone);
  }
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target === this.context.destination) connect.call(this, this.context.air);
  return connect.call(this, target, ...rest);
};
const media = navigator.mediaDevices;
const open = media.getUserMedia.bind(media);
media.getUserMedia = async (wanted) => {
  const stream = await open(wanted);
  const voice = new GainNode(window.loop);
  window.loop.createMediaStreamSource(stream).connect(voice).connect(window.loop.microphone);
  setInterval(() => {
    // Whoever listens does not talk, nor while the last echo dies away: what is left of the clip is the room.
    if (document.querySelector("[data-step=speaker]:not([hidden])")) voice.gain.value = 0.05;
  }, 50);
  return new MediaStream([...window.loop.microphone.stream.getAudioTracks(), ...stream.getVideoTracks()]);
};
"""


@pytest.mark.pair
async def test_digits_that_come_back_are_an_echo_and_a_witness(live_server: LiveServer, chromium: Launch) -> None:
    """A loudspeaker 20 dB into the microphone after 120 ms: found as that, and "heard nothing" is told otherwise."""
    browser = await chromium()
    context = await browser.new_context(viewport={"width": 360, "height": 740}, locale="nb-NO")
    await context.add_init_script(LOUDSPEAKER_INTO_MICROPHONE % (DELAY_MS / 1000, 10 ** (LEVEL_DB / 20)))
    person = await Person.at(context, live_server.drop_in)
    await person.start()
    await person.wait_step("picture")
    began = time.monotonic()
    await person.look()
    await person.speak()
    took_s = time.monotonic() - began
    report = await person.finish(hear="nothing")
    echo, heard = check(report, "microphone.echo"), check(report, "speaker.heard")
    assert echo["outcome"] == "fail", echo
    assert LEVEL_DB - 6 < echo["value"] < LEVEL_DB + 3, "gaps in a slow browser's sound take energy from it"
    assert DELAY_MS - 5 < echo["details"]["delay_ms"] < DELAY_MS + 100, "the browser's own way comes on top"
    assert (heard["outcome"], heard["advice"]) == ("fail", "speaker.too_low")
    assert heard["details"]["microphone_heard"] is True
    assert report["advice"][0] == "speaker.too_low"
    await person.sees_advice("speaker.too_low")
    assert check(report, "microphone.level")["outcome"] == "pass", check(report, "microphone.level")
    assert check(report, "microphone.equipment")["details"]["echo_db"] == echo["value"]
    print(f"picture and sound {took_s:.1f} s; echo {echo['value']:.1f} dB, {echo['details']}")


@pytest.mark.pair
async def test_an_organisations_own_digits_are_played_and_found_again(own_server: LiveServer, chromium: Launch) -> None:
    """Recordings of its own: the page plays them, and the server looks for the echo of those and no others."""
    own_server.stop()
    voices = own_server.folder / "voices"
    shutil.copytree(WEB_FOLDER / "selftest" / "audio" / "en", voices / "demo" / "nb")
    own_server.settings["READINESS_VOICES_DIR"] = str(voices)
    own_server.start()
    browser = await chromium()
    context = await browser.new_context(viewport={"width": 360, "height": 740}, locale="nb-NO")
    await context.add_init_script(LOUDSPEAKER_INTO_MICROPHONE % (DELAY_MS / 1000, 10 ** (LEVEL_DB / 20)))
    played: list[str] = []
    context.on("request", lambda request: played.append(urlsplit(request.url).path))
    person = await Person.at(context, own_server.drop_in)
    await person.start()
    report = await person.finish()
    digits = [path for path in played if path.endswith(".mp3")]
    assert digits
    assert all("/voices/demo/nb/" in path for path in digits), digits
    echo = check(report, "microphone.echo")
    assert echo["details"]["heard"] is True, echo
    assert LEVEL_DB - 6 < echo["value"] < LEVEL_DB + 3, "gaps in a slow browser's sound take energy from it"
