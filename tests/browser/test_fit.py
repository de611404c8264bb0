"""Large letters, a narrow window, a phone on its side: every page in every state can be read and used.

A phone of 360 px with letters of 200 % (32 px), the same phone enlarged twice (180 px), 320 px, and 740 x 360.
READINESS_SHOTS names a folder for pictures of what was measured.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.async_api import Page

from readiness.demo import DEMO_SLUG
from readiness.texts import LANGUAGES
from tests.browser.conftest import Launch, LiveServer
from tests.browser.fit import ROOMS, Room, settle, unfit
from tests.browser.person import Person
from tests.browser.test_accessibility import BOARD, LOCKED, STATES, draw
from tests.browser.test_meetings import BAD_FILE, opened, organiser_of, plan
from tests.browser.test_support import Office, office

__all__ = ["office"]

SHOTS = os.environ.get("READINESS_SHOTS")
OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"
SPOIL = """
() => {
  const put = (place, kind, text, style) => {
    const one = Object.assign(document.createElement(kind), { textContent: text });
    Object.assign(one.style, style);
    return place.appendChild(one);
  };
  const main = document.querySelector("main");
  const box = put(main, "div", "", { background: "white" });
  put(box, "p", "words that do not fit into the box they stand in", { whiteSpace: "nowrap" });
  put(main, "p", "85FVJF", { width: "2ch", overflowWrap: "anywhere", whiteSpace: "normal" }).translate = false;
  put(main, "p", "under", {});
  put(main, "p", "over it", { marginTop: "-1.8em" });
}
"""
rooms = pytest.mark.parametrize("room", ROOMS, ids=[room.name for room in ROOMS])


def languages_in(room: Room) -> tuple[str, ...]:
    """All of them where the letters are largest; the widest words elsewhere."""
    return LANGUAGES if room.letters_px > 16 else LANGUAGES[:1]


class Looker:
    """Collects what does not fit, with the states it was seen in."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.found: dict[str, list[str]] = {}

    def said(self) -> str:
        """What was found, a line each."""
        return "\n".join(f"{wrong} ({states[0]}, {len(states)})" for wrong, states in self.found.items())

    async def look(self, page: Page, *state: str) -> None:
        """Look at the page in the room of this test."""
        await settle(page, self.room)
        for wrong in await unfit(page):
            self.found.setdefault(wrong, []).append(" ".join(state))
        if SHOTS:
            name = "-".join([str(self.room.width_px), *state]).replace(" ", "_")
            await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=not state[-1].startswith("dialog"))


async def test_a_fault_would_be_seen(live_server: LiveServer, chromium: Launch):
    """The instrument finds words out of their box, a code in two lines, and words over words."""
    person = await Person.at(await chromium(arguments=ROOMS[0].arguments), live_server.drop_in)
    await settle(person.page, ROOMS[0])
    assert await unfit(person.page) == []
    await person.page.evaluate(SPOIL)
    found = " ".join(await unfit(person.page))
    assert all(what in found for what in ("words out of", "sideways", "broken in two", "lies over")), found


@rooms
async def test_every_state_of_the_test_fits(live_server: LiveServer, chromium: Launch, room: Room):
    """The self-test, welcome to answer with all figures, in all three languages."""
    person = await Person.at(await chromium(arguments=room.arguments), live_server.drop_in)
    await settle(person.page, room)
    looker = Looker(room)
    for lang in languages_in(room):
        for name, change in STATES.items():
            await draw(person.page, lang, change)
            await person.page.evaluate(OPEN_ALL)
            await looker.look(person.page, "test", lang, name)
    assert not looker.found, looker.said()


async def test_on_its_side_the_hint_stands_beside_the_picture(live_server: LiveServer, chromium: Launch):
    """Both are in view at once; in an upright window the hint stays below."""
    person = await Person.at(await chromium(), live_server.drop_in)
    boxes = (
        "() => ['#preview', '#picture-told'].map(one => document.querySelector(one).getBoundingClientRect().toJSON())"
    )
    for lang in LANGUAGES:
        await settle(person.page, ROOMS[3])
        await draw(person.page, lang, STATES["obeyed"])
        picture, hint = await person.page.evaluate(boxes)
        assert hint["left"] >= picture["right"] - 1
        assert hint["top"] < ROOMS[3].height_px / 2
        assert max(hint["bottom"], picture["bottom"]) <= ROOMS[3].height_px, "in view as it is"
        await settle(person.page, ROOMS[2])
        picture, hint = await person.page.evaluate(boxes)
        assert hint["top"] >= picture["bottom"] - 1


@rooms
async def test_the_board_fits(untouched_server: LiveServer, chromium: Launch, room: Room):
    """The leader's board, before and after the code was typed, and both guides.

    On a server with one organisation alone: where others were added, this page has no guides.
    """
    page = await (await (await chromium(arguments=room.arguments)).new_context()).new_page()
    shown = BOARD
    await page.route("**/api/v1/boards/*", lambda route: route.fulfill(json=shown))
    await page.route("**/api/v1/boards/*/events", lambda route: route.abort())
    looker = Looker(room)
    for lang in languages_in(room):
        for name, board in (("open", BOARD), ("locked", LOCKED)):
            shown = board
            await page.goto(f"{untouched_server.base}/board/anyone?lang={lang}")
            await settle(page, room)
            await page.wait_for_selector(f"#participants > li:nth-child({len(BOARD['participants'])})")
            await page.wait_for_selector("#contact:not([hidden])")
            await page.evaluate("document.querySelector('#pin').hidden = false")
            await looker.look(page, "board", lang, name)
        for guide in ("checklist", "emergency"):
            await page.click(f"[data-open={guide}]")
            await looker.look(page, "board", lang, f"dialog {guide}")
            await page.keyboard.press("Escape")
    assert not looker.found, looker.said()


@rooms
async def test_the_organisers_pages_fit(live_server: LiveServer, chromium: Launch, room: Room):
    """List, new meeting, a meeting with its dialogs, import with a bad row, how meetings went, and the code page."""
    page, _ = await opened(await chromium(arguments=room.arguments), await organiser_of(live_server), "#coming li")
    home = page.url
    await plan(page)
    made = page.url.split("?")[0]
    looker = Looker(room)
    for lang in languages_in(room):
        for name, address, shows in (
            ("list", home, "#coming li a"),
            ("new", f"{home}/new?like={made.rsplit('/', 1)[1]}", "#people > li:nth-child(3)"),
            ("meeting", made, "#participants > li:nth-child(3)"),
            ("import", f"{home}/import", "#file"),
            ("figures", f"{home}/figures", "h1"),
            ("overview", home.replace("/plan/", "/overview/"), "h1"),
            ("code", f"{live_server.base}/o/{DEMO_SLUG}/code", "#typed"),
        ):
            await page.goto(f"{address}{'&' if '?' in address else '?'}lang={lang}")
            await settle(page, room)
            await page.wait_for_selector(shows)
            await page.evaluate(OPEN_ALL)
            if name == "code":
                await page.fill("#typed", "85FVJ-F09YD")
            if name == "import":
                bad = {"name": "plan.csv", "mimeType": "text/csv", "buffer": BAD_FILE.encode()}
                await page.set_input_files("#file", bad)
                await page.click("#import button")
                await page.wait_for_selector("#rows tr")
            await looker.look(page, "plan", lang, name)
            for dialog in ("move", "cancel", "person") if name == "meeting" else ():
                await page.click(f"[data-open={dialog}] >> nth=0")
                await looker.look(page, "plan", lang, f"dialog {dialog}")
                await page.keyboard.press("Escape")
    assert not looker.found, looker.said()


@rooms
async def test_support_and_the_rest_fit(live_server: LiveServer, office: Office, chromium: Launch, room: Room):
    """Support with a whole report, rooms, tips, notice, the front, an unknown page, a dead link, and the API's page."""
    browser = await chromium(arguments=room.arguments)
    page, _ = await opened(browser, office.url, "#code")
    support = page.url
    await page.goto(live_server.links["rooms_url"])
    await page.wait_for_selector("a[href*='/room/']")
    halls = page.url.partition("?")[0]
    hall = urljoin(halls, str(await page.get_attribute("a[href*='/room/']", "href"))).partition("?")[0]
    looker = Looker(room)
    for lang in languages_in(room):
        for name, address in (
            ("rooms", f"{halls}?lang={lang}"),
            ("wall of rooms", f"{halls}/wall?lang={lang}"),
            ("one room", f"{hall}?lang={lang}"),
            ("tips", f"{live_server.base}/o/demo/tips?lang={lang}"),
            ("privacy", f"{live_server.base}/o/demo/privacy?lang={lang}"),
            ("report", f"{support}?lang={lang}&code={office.bad.code}&curves=on"),
            ("wrong", f"{support}?lang={lang}&code=K7M"),
            ("front", f"{live_server.base}/?lang={lang}"),
            ("unknown", f"{live_server.base}/nowhere/to/be/found?lang={lang}"),
            ("dead link", f"{live_server.base}/o/demo/t?lang={lang}#{'A' * 43}"),
            ("api", f"{live_server.base}/api/docs?lang={lang}"),
        ):
            await page.goto(address)
            await settle(page, room)
            if name == "dead link":
                await page.wait_for_selector("#stopped-title:visible")
            await page.evaluate(OPEN_ALL)
            await looker.look(page, name, lang)
    assert not looker.found, looker.said()
