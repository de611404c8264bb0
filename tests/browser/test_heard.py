"""What a screen reader says through a whole test: kept as text, one file a language, in tests/data/heard.

Where words or steps were changed on purpose, READINESS_SHOTS=DIR writes what is heard now to DIR/heard-<language>.txt;
look at it as somebody who hears it, and keep it. A line with ``~`` may come or not.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from readiness.texts import LANGUAGES, catalogue
from tests.browser.conftest import Launch, LiveServer
from tests.browser.hearing import Listener, aligned, masked
from tests.browser.person import PRESS_NEXT_OF_PICTURE, Person
from tests.browser.test_accessibility import BOARD, STATES, draw

KEPT = Path(__file__).resolve().parents[1] / "data" / "heard"
OTHER_CARDS = """
() => document.querySelectorAll("#todo > li:not([data-advice='camera.black'])").forEach(one => one.remove())
"""
"""What else was found, such as that our own machine was busy, is not what is kept here."""
SHOTS = os.environ.get("READINESS_SHOTS")


def test_the_comparison_can_fail():
    """A line too few, too many, twice or out of place is found; what may be left out may."""
    kept = ["a", "~b", "c"]
    assert aligned(kept, ["a", "b", "c"]) == aligned(kept, ["a", "c"]) == ""
    for heard in (["a"], ["c", "a"], ["a", "a", "c"], ["a", "c", "c"], ["a", "x", "c"], ["a", "b", "b", "c"]):
        assert aligned(kept, heard), heard
    assert masked("Kode 85FVJF, 12,5 ms") == "Kode CODE, # ms"


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_a_whole_test_is_heard_as_it_was_kept(live_server: LiveServer, chromium: Launch, lang: str):
    """Welcome to answer in front of a covered lens: each heading, hint, sentence and verdict once, and in order."""
    person = await Person.at(await chromium(camera="black"), live_server.drop_in, lang=lang)
    listener = await Listener.at(person.page)
    heard: list[str] = []

    async def listen(step: str) -> None:
        heard.append(f"== {step}")
        heard.extend(masked(line) for line in await listener.hear())

    await person.page.focus("[data-action=start]")
    await listen("welcome")
    await person.start()
    await person.wait_step("picture")
    await person.until("#picture-hint", "hint.camera.black")
    await listen("picture")
    await person.page.evaluate(PRESS_NEXT_OF_PICTURE)
    await person.wait_step("sound")
    await person.wait_step("speaker")
    await listen("sound")
    await person.until("#speaker-text", "speaker.played")
    await person.hear("right")
    await listen("speaker")
    if await person.wait_step("practical", "answer") == "practical":
        await person.press("skip")
    report = await person.report()
    await person.wait_until("() => document.activeElement?.id === 'answer-title'")
    await listen("answer")
    await person.page.evaluate(OTHER_CARDS)
    heard += ["== read", *(masked(line) for line in await listener.read("answer"))]
    words = catalogue(lang)[f"verdict.{report['verdict']}.title"]
    assert await listener.focused() == f"heading {words}"
    assert sum(words in line for line in heard[: heard.index("== read")]) == 1, "the verdict is heard once"
    sentence = catalogue(lang)["sound.sentence"]
    assert sum(sentence in line for line in heard) == 1, "what to read aloud is heard once"
    if SHOTS:
        (Path(SHOTS) / f"heard-{lang}.txt").write_text("\n".join(heard) + "\n", encoding="utf-8")
    kept = (KEPT / f"{lang}.txt").read_text(encoding="utf-8").splitlines()
    wrong = aligned([line for line in kept if not line.startswith("#")], heard)
    assert not wrong, "\n".join([wrong, *heard])


async def test_every_new_heading_is_heard_once(live_server: LiveServer, chromium: Launch):
    """From state to state: what the step is called is heard once, the focus is on a heading that is there."""
    person = await Person.at(await chromium(), live_server.drop_in)
    listener = await Listener.at(person.page)
    steps = ["permission asked", "permission denied", "permission asked", "permission denied", "quiet", "speak"]
    for name in [*steps, "judging", "ready", "judging", "not ready", "dead link"]:
        await draw(person.page, "nb", STATES[name])
        title = (await person.page.inner_text("[data-step]:not([hidden]) h1")).strip()
        heard = await listener.hear()
        assert sum(line.endswith(title) for line in heard) == 1, (name, heard)
        assert await listener.focused() == f"heading {title}"
        assert len(set(heard)) == len(heard), (name, heard)


async def test_the_focus_is_never_left_on_nothing(live_server: LiveServer, chromium: Launch):
    """Digits that are drawn anew and buttons that go away leave the focus on the step's heading."""
    person = await Person.at(await chromium(), live_server.drop_in)
    speaker = STATES["speaker"]["speaker"]
    await draw(person.page, "nb", STATES["speaker"])
    await person.page.focus("#choices button:nth-child(2)")
    choices = [[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4]]
    await draw(person.page, "nb", STATES["speaker"] | {"speaker": speaker | {"attempt": 1, "choices": choices}})
    assert await person.page.evaluate("document.activeElement.id") == "speaker-title"
    await draw(person.page, "nb", STATES["permission denied"])
    await person.page.focus("[data-step=devices] [data-action=retry]")
    await draw(person.page, "nb", STATES["permission asked"])
    assert await person.page.evaluate("document.activeElement.id") == "devices-title"


async def test_the_board_keeps_the_focus(live_server: LiveServer, chromium: Launch):
    """Somebody is handed over to support, and the button goes: said once, and the focus is on the person's name."""
    page = await (await (await chromium()).new_context()).new_page()
    shown = BOARD
    await page.route("**/api/v1/boards/*", lambda route: route.fulfill(json=shown))
    await page.route("**/api/v1/boards/*/events", lambda route: route.abort())
    await page.route("**/api/v1/boards/*/handover", lambda route: route.fulfill(json={}))
    await page.goto(f"{live_server.base}/board/anyone?lang=nb")
    button = "#participants > [data-id=p4] [data-tap=handover]"
    await page.wait_for_selector(button)
    listener = await Listener.at(page)
    people = [one | {"handed_over_at": "2026-12-01T08:58:00Z"} for one in BOARD["participants"]]
    shown = BOARD | {"participants": people}
    await page.focus(button)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(button, state="detached")
    heard = await listener.hear()
    assert await page.evaluate("document.activeElement.matches('[data-id=p4] h3')")
    assert [line for line in heard if catalogue("nb")["board.done.handover"] in line][1:] == [], heard
    assert f"said: {catalogue('nb')['board.done.handover']}" in heard
