"""Faults of picture and sound as camera and microphone files, and somebody who takes the test with two of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from readiness.texts import catalogue
from reports.advice import advice_key
from reports.render.sketches import DRAWN_DETAILS
from tests.browser.conftest import ARGUMENTS, CLIP_FOLDER, LiveServer
from tests.browser.person import PRESS_NEXT_OF_PICTURE, SAYS_ONE_OF, Person, check, plain
from tests.data.clips import camera_clip, microphone_clip
from tests.integration.chromium import HEADLESS_CHROMIUM

__all__ = ["MICROPHONE_FAULTS", "PICTURE_FAULTS", "BrowserWith", "Fault", "walk"]

BrowserWith = Callable[[str, str], AbstractAsyncContextManager[Browser]]
"""Opens a browser with the clips of this name as camera and microphone."""


@dataclass(frozen=True)
class Fault:
    """A clip, and what has to come of it; without an advice it is good."""

    clip: str
    check: str
    advice: str | None = None
    live: bool = True
    """Whether the page says it at once, as a hint."""


PICTURE_FAULTS = [
    Fault("good", "camera.framing"),
    Fault("black", "camera.light", "camera.black"),
    Fault("no_signal", "camera.light", "camera.no_signal"),
    Fault("dark", "camera.light", "camera.dark"),
    Fault("over_exposed", "camera.backlight", "camera.over_exposed"),
    Fault("haze", "camera.light", "camera.haze"),
    Fault("grainy", "camera.noise", "camera.noisy_light", live=False),
    Fault("backlit", "camera.backlight", "camera.backlit"),
    Fault("face_dark", "camera.backlight", "camera.face_dark"),
    Fault("silhouette", "camera.backlight", "camera.face_dark"),
    Fault("empty_room", "camera.people", "camera.nobody"),
    Fault("covered", "camera.cover", "camera.covered"),
    Fault("flicker", "camera.flicker", "camera.flicker"),
    Fault("turned", "camera.people", "camera.rotated"),
    Fault("someone_at_edge", "camera.people", "camera.someone_at_edge"),
    Fault("frozen", "camera.frozen", "camera.frozen"),
    Fault("far", "camera.framing", "camera.too_far"),
    Fault("close", "camera.framing", "camera.too_close"),
    Fault("head_cut", "camera.framing", "camera.head_cut"),
    Fault("chin_cut", "camera.framing", "camera.chin_cut"),
    Fault("off_side", "camera.framing", "camera.move_right"),
    Fault("off_other_side", "camera.framing", "camera.move_left"),
    Fault("low_down", "camera.framing", "camera.tilt_down"),
    Fault("high_up", "camera.framing", "camera.tilt_up"),
    Fault("blurred", "camera.sharpness", "camera.blurred"),
    Fault("small", "camera.resolution", "camera.low_resolution", live=False),
    Fault("slow", "camera.frame_rate", "camera.slow", live=False),
]
MICROPHONE_FAULTS = [
    Fault("voice_good", "microphone.speech"),
    Fault("silence_zeros", "microphone.level", "microphone.blocked"),
    Fault("muted", "microphone.speech", "microphone.muted", live=False),  # electron/electron#42899
    Fault("noise_only", "microphone.speech", "microphone.no_speech", live=False),  # saurabhav88/EnviousWispr#1845
    Fault("knocks", "microphone.speech", "microphone.wrong_device", live=False),
    Fault("quiet", "microphone.level", "microphone.too_quiet", live=False),
    Fault("faint", "microphone.level", "microphone.too_quiet", live=False),
    Fault("loud", "microphone.level", "microphone.too_loud", live=False),
    Fault("clipped", "microphone.clipping", "microphone.clipped", live=False),
    Fault("noisy", "microphone.noise", "microphone.noisy", live=False),
    Fault("hum", "microphone.hum", "microphone.hum", live=False),
    Fault("dropouts", "microphone.dropouts", "microphone.dropouts", live=False),
    Fault("telephone", "microphone.bandwidth", "microphone.telephone", live=False),
]
HINT_S = 30.0
"""Longest wait for the right hint, s: our own machine may be busy, so the person asks for more time."""
OTHERS = ("network.", "media.", "practical.")
SPEAK_S = 8.0
"""How long a person who is not heard goes on, s."""


async def walk(
    server: LiveServer,
    picture: Fault | None = None,
    sound: Fault | None = None,
    *,
    lang: str,
    shots: Path | None = None,
    browser_with: BrowserWith | None = None,
) -> list[tuple[str, bool]]:
    """One person with both faults: what was right, by kind. What was wrong is said on stderr.

    The browser with their clips is `browser_with`'s, or one that is started for them.

    Where the answer is that it was our own fault and to test again, the person does, once.
    """
    picture, sound = picture or PICTURE_FAULTS[0], sound or MICROPHONE_FAULTS[0]
    browser_with = browser_with or _started
    async with browser_with(picture.clip, sound.clip) as browser:
        found, report = await _walked(browser, server, picture, sound, lang=lang, shots=shots)
    if not all(right for _, right in found) and "service.fault" in report["advice"]:
        _say("our own machine had too much to do; the person tests again")
        async with browser_with(picture.clip, sound.clip) as browser:
            found, _ = await _walked(browser, server, picture, sound, lang=lang, shots=shots)
    return found


@contextlib.asynccontextmanager
async def _started(camera: str, microphone: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=HEADLESS_CHROMIUM,
            args=[
                *ARGUMENTS, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera_clip(camera, CLIP_FOLDER)}",
                f"--use-file-for-fake-audio-capture={microphone_clip(microphone, CLIP_FOLDER)}",
            ],
        )  # fmt: skip
        try:
            yield browser
        finally:
            await browser.close()


async def _walked(
    browser: Browser, server: LiveServer, picture: Fault, sound: Fault, *, lang: str, shots: Path | None
) -> tuple[list[tuple[str, bool]], dict[str, Any]]:
    person = await Person.at(browser, server.drop_in, lang=lang, obedient=sound.advice is None)
    await person.start()
    found = []
    if await person.wait_step("picture", "answer") == "picture" and picture.live and picture.advice:
        await person.press("more-time")
        found.append(("hint", await _hinted(person, picture.advice)))
        if shots:
            await person.page.screenshot(path=shots / f"{picture.clip}-{lang}.png")
    elif not picture.advice:
        await person.wait_step("sound", "speaker")
    else:
        await person.page.wait_for_timeout(3000)
    await person.page.evaluate(PRESS_NEXT_OF_PICTURE)
    await person.wait_step("sound", "speaker", "answer")
    try:
        await person.wait_step("speaker", timeout_s=3 + SPEAK_S)
    except PlaywrightTimeoutError:
        if shots:
            await person.page.screenshot(path=shots / f"{sound.clip}-{lang}.png")
        await person.press("next")
    await person.wait_step("speaker")
    await person.press("no-sound")
    report = await person.finish()
    if shots:
        await person.page.screenshot(path=shots / f"answer-{picture.clip}-{sound.clip}-{lang}.png", full_page=True)
    for fault in (picture, sound):
        found += await _told(person, report, fault)
    return found, report


async def _hinted(person: Person, code: str) -> bool:
    texts = catalogue(person.lang)
    words = plain(texts[f"hint.{code}"])
    expected = [words, f"{texts['hint.obeyed']} {words}"]
    try:
        await person.wait_until(SAYS_ONE_OF, ["#picture-hint", expected], timeout_s=HINT_S)
    except PlaywrightTimeoutError:
        _say(f"{code}: the page said {await person.page.text_content('#picture-hint')!r}")
        return False
    drawn = await person.page.get_attribute("#picture-told svg.drawing:not([hidden])", "data-code")
    return bool(drawn == code)


async def _told(person: Person, report: dict[str, Any], fault: Fault) -> list[tuple[str, bool]]:
    """Whether the fault is in the report and in the answer, or a good clip has passed."""
    one = check(report, fault.check)
    if fault.advice is None:
        passed = one["outcome"] == "pass"
        if not passed:
            _say(f"{fault.clip}: {one}")
        return [("good", passed)]
    told = {
        name for found in report["checks"] for name in found.get("details") or {} if not found["id"].startswith(OTHERS)
    }
    unsaid = {name for name in told - DRAWN_DETAILS if f"detail.{name}" not in catalogue(person.lang)}
    if unsaid:
        _say(f"support has no words for {sorted(unsaid)}")
    right = one["outcome"] in {"fail", "warn"} and one["advice"] == fault.advice
    if not right:
        _say(f"{fault.clip}: {one}, advice {report['advice']}")
    return [("finding", right), ("words", not unsaid and await _in_words(person, report["advice"], fault.advice))]


async def _in_words(person: Person, told: Sequence[str], code: str) -> bool:
    """Whether title and remedy stand in the answer; of more than three things to do the first three do."""
    if code not in told[:3]:
        return code in told
    item = person.page.locator(f"#todo > li[data-advice='{code}']").first
    said = [plain(await item.locator(part).inner_text()) for part in (".advice-title", ".remedy")]
    texts, phone = catalogue(person.lang), await person.phone()
    wanted = texts[f"advice.{code}.title"], texts[advice_key(texts, code, os="linux", browser="chrome")]
    return said == [plain(text.replace("{phone}", phone)) for text in wanted]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
