"""What is wrong is found, told first, and told in the catalogue's words."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import Launch, LiveServer
from tests.browser.faults import MICROPHONE_FAULTS, PICTURE_FAULTS, walk
from tests.browser.person import PHONE, Person, check
from tests.patience import was_busy


@dataclass(frozen=True)
class Case:
    """A fault, and what has to come of it."""

    name: str
    check: str
    outcome: str
    advice: str
    verdict: str = "not_ready"
    lang: str = "nb"
    steps: dict[str, Any] = field(default_factory=dict)


PAIRS = [
    ("black", "silence_zeros", "nn"),
    ("empty_room", "knocks", "nb"),
    ("backlit", "noisy", "nb"),
    ("frozen", "quiet", "en"),
    ("off_side", "clipped", "en"),
]
"""The most telling faults of picture and sound, a person with both at a time; `python -m tests.bench --area faults` has
all of them."""
SPEAKER_ANSWERS = [
    Case("heard nothing", "speaker.heard", "fail", "speaker.nothing", lang="nn", steps={"hear": "nothing"}),
    Case(
        "no sound", "speaker.heard", "skipped", "speaker.no_sound", "ready_with_warnings", "en",
        steps={"hear": "no-sound"},
    ),
    Case("skip", "speaker.heard", "skipped", "speaker.not_measured", "incomplete", steps={"hear": "skip"}),
]  # fmt: skip


BUSY_ADVICE = {"microphone.dropouts", "network.not_measured", "service.fault"}
"""What may come before a test's own advice where the machine had too much to do."""


async def assert_told(person: Person, report: dict[str, Any], case: Case) -> None:
    """The check's outcome, the first advice, the verdict, and the words of all three.

    Where the tests' machine is busy the browser's sound has gaps, which is advice too; and where it stayed busy, that
    comes first, and nobody is told to be ready.
    """
    found = check(report, case.check)
    assert found["outcome"] == case.outcome, found
    busy = was_busy(report)
    gaps = BUSY_ADVICE if busy else {"microphone.dropouts"}
    advice = [one for one in report["advice"] if one not in gaps]
    assert advice[:1] == [case.advice], report["advice"]
    verdict = "incomplete" if busy and case.verdict == "ready_with_warnings" else case.verdict
    assert report["verdict"] == verdict
    await person.sees_verdict(verdict)
    await person.sees_advice(case.advice, f"#todo > li[data-advice='{case.advice}']")
    assert await person.reads("#answer-body [data-action=retry]") == person.words("answer.retry")
    assert await person.reads("#call") == person.words("answer.call", await person.phone())
    assert await person.reads("#code") == report["code"]
    await person.page.click("#answer-body summary")
    row = f"#figures [data-check='{case.check}']"
    assert await person.reads(f"{row} .name") == person.words(f"check.{case.check}")
    assert await person.reads(f"{row} .outcome span") == person.words(f"outcome.{case.outcome}")


@pytest.mark.parametrize(("camera", "microphone", "lang"), PAIRS, ids=lambda part: part)
async def test_a_fault_of_picture_or_sound_is_told(
    live_server: LiveServer, chromium: Launch, camera: str, microphone: str, lang: str
):
    """A camera or microphone that would spoil the meeting is told at once, found, and its remedy is in the answer."""
    picture = next(fault for fault in PICTURE_FAULTS if fault.clip == camera)
    sound = next(fault for fault in MICROPHONE_FAULTS if fault.clip == microphone)

    @contextlib.asynccontextmanager
    async def kept(*clips: str) -> AsyncIterator[Browser]:
        browser = await chromium(*clips)
        yield browser
        for context in browser.contexts:
            await context.close()

    right = await walk(live_server, picture, sound, lang=lang, browser_with=kept)
    assert right == [(name, True) for name in ("hint", "finding", "words", "finding", "words")]


@pytest.mark.parametrize("case", SPEAKER_ANSWERS, ids=lambda case: case.name)
async def test_what_the_person_hears_is_believed(live_server: LiveServer, chromium: Launch, case: Case):
    """Nothing, no sound and skip each give an answer of their own; wrong digits are chosen in `test_links`."""
    browser = await chromium()
    person = await Person.at(browser, live_server.drop_in, lang=case.lang)
    await person.start()
    await assert_told(person, await person.finish_undisturbed(look=False, **case.steps), case)


async def test_no_permission_is_explained_and_can_be_mended(live_server: LiveServer, chromium: Launch):
    """Somebody who said no reads how to say yes, may try again, and then the test goes on."""
    browser = await chromium(ask=True)
    person = await Person.at(browser, live_server.drop_in)
    await person.allow(camera=False, microphone=False)
    await person.start()
    await person.until("#devices-title", "devices.problem_title")
    await person.sees_advice("permission.denied", "#devices-problems > li")
    assert await person.page.locator("#devices-problems > li").count() == 1, "one permission, one thing to do"
    await person.press("retry")
    await person.until("#devices-text", "devices.denied_again")
    assert await person.page.evaluate("document.activeElement.id") == "devices-title"
    assert await person.reads("[data-step=devices] [data-action=retry]") == person.words("devices.retry")
    await person.allow(camera=True, microphone=True)
    await person.press("retry")
    assert await person.wait_step("picture") == "picture"


@dataclass(frozen=True)
class Missing:
    """A device that is not there or not allowed, and what has to come of it."""

    name: str
    advice: str
    launch: dict[str, Any]
    allow: dict[str, bool] = field(default_factory=dict)
    script: str = ""
    shown: str = ""
    """The page's word for several findings that are one thing to do."""


NO_MICROPHONE = """
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
  if (audio) throw new DOMException("Requested device not found", "NotFoundError");
  return ask({ audio, video });
};
"""
"""Chromium cannot be started with a made-up camera but no made-up microphone."""
MISSING = [
    Missing(
        "denied", "camera.denied", {"ask": True}, {"camera": False, "microphone": False}, shown="permission.denied"
    ),
    Missing("no camera", "camera.not_found", {"devices": "device-count=0"}),
    Missing("no microphone", "microphone.not_found", {}, script=NO_MICROPHONE),
]
ONE_SIDED = [
    Missing("camera denied", "camera.denied", {"ask": True}, {"camera": False, "microphone": True}),
    Missing("microphone denied", "microphone.denied", {"ask": True}, {"camera": True, "microphone": False}),
    Missing("neither there", "camera.not_found", {"devices": None}),
]


async def arrive(server: LiveServer, chromium: Launch, case: Missing) -> Person:
    """Somebody whose device is missing, in front of the page's explanation."""
    browser = await chromium(**case.launch)
    context = await browser.new_context(viewport=PHONE, locale="nb-NO")
    if case.script:
        await context.add_init_script(case.script)
    person = await Person.at(context, server.drop_in)
    await person.allow(**case.allow)
    await person.start()
    await person.until("#devices-title", "devices.problem_title")
    return person


@pytest.mark.parametrize("case", MISSING, ids=lambda case: case.name)
async def test_a_missing_device_is_told_at_once_and_in_the_answer(
    live_server: LiveServer, chromium: Launch, case: Missing
):
    """Before anything is measured the page says what is missing; whoever goes on without gets it as first advice."""
    person = await arrive(live_server, chromium, case)
    await person.sees_advice(case.shown or case.advice, "#devices-problems > li")
    await person.press("next")
    report = await person.finish(look=False)
    device = case.advice.split(".", maxsplit=1)[0]
    assert check(report, f"{device}.present")["outcome"] == "fail"
    assert report["advice"][0] == case.advice
    assert not [code for code in report["advice"] if code.startswith(device) and code.endswith("not_measured")]
    assert report["verdict"] == "not_ready"
    await person.sees_verdict("not_ready")
    await person.sees_advice(case.shown or case.advice)


@pytest.mark.parametrize("case", ONE_SIDED, ids=lambda case: case.name)
async def test_the_page_knows_which_device_it_is(live_server: LiveServer, chromium: Launch, case: Missing):
    """One device that is denied or not there never makes the other one look guilty."""
    person = await arrive(live_server, chromium, case)
    await person.sees_advice(case.advice, "#devices-problems > li")
    told = await person.page.locator("#devices-problems > li").count()
    assert told == (2 if case.name == "neither there" else 1)
