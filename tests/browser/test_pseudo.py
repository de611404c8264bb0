"""A language is an entry and a folder: two made-up ones are added to a copy and walked at 360 px.

One is longer and accented, one written from the right. Nothing overlaps or is too wide, nothing stays in bokmål, and
staff, for whom neither has texts, get whole pages in what it falls back to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Page

from readiness.demo import DEMO_SLUG
from readiness.texts import catalogue
from tests.browser.conftest import Launch, LiveServer
from tests.browser.fit import Room, settle, unfit
from tests.browser.person import Person
from tests.browser.pseudo import LONGER, MIRRORED, PSEUDO, SLOTS, disguised, project_with_pseudo_languages
from tests.browser.test_accessibility import STATES, draw

ROOM = Room("a phone", 360, 740)
SHOWN = """
() => {
  const skipped = "script, style, noscript, template, [translate=no], .code strong, .languages, .organisation";
  const said = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const one = node.parentElement;
    if (!one.closest(skipped) && one.checkVisibility()) said.push(node.data);
  }
  for (const name of ["aria-label", "title", "alt", "placeholder"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) {
      if (!one.closest(skipped) && one.checkVisibility()) said.push(one.getAttribute(name));
    }
  }
  return [...said, document.title];
}
"""
PLAIN = re.compile(r"[a-zæøå]{2,}", re.IGNORECASE)
"""A word that is in none of the two alphabets."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The demo of a copy of the project that has both languages."""
    folder = tmp_path_factory.mktemp("pseudo")
    running = LiveServer(folder / "own", root=project_with_pseudo_languages(folder / "copy"))
    running.start()
    try:
        yield running
    finally:
        running.stop()


async def untranslated(page: Page) -> list[str]:
    """What stands on the page in plain letters."""
    return [text.strip() for text in await page.evaluate(SHOWN) if PLAIN.search(SLOTS.sub("", text))]


def test_the_disguise_keeps_what_is_filled_in():
    """Placeholders stay, nothing else does; the longer one is longer by a third."""
    text = catalogue("nb")["waiting.queued"]
    for language in PSEUDO:
        made = disguised(text, language)
        assert re.findall(r"\{\w+\}", made) == re.findall(r"\{\w+\}", text)
        assert not PLAIN.search(re.sub(r"\{\w+\}", "", made))
    assert 1.2 * len(text) < len(disguised(text, LONGER)) < 1.5 * len(text)


@pytest.mark.parametrize("language", PSEUDO)
async def test_every_state_of_the_test_is_written_for_it(server: LiveServer, chromium: Launch, language: str):
    """The page opens in the language, says which way it is written, fits and is in the language, in every state."""
    address = f"{server.base}/o/{DEMO_SLUG}/try?lang={language}"
    person = await Person.at(await chromium(), address)
    page = person.page
    await settle(page, ROOM)
    root = "document.documentElement"
    assert await page.evaluate(f"[{root}.lang, {root}.dir]") == [language, "rtl" if language == MIRRORED else "ltr"]
    assert await untranslated(page) == []
    wrong: dict[str, list[str]] = {}
    for state, change in STATES.items():
        await draw(page, language, change)
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        for found in (*await unfit(page), *await untranslated(page)):
            wrong.setdefault(found, []).append(state)
    assert wrong == {}
    await page.evaluate("document.querySelector('main').append('Hei der')")
    assert await untranslated(page) != [], "the instrument finds what is not translated"


async def test_other_pages_of_participants_are_too(server: LiveServer, chromium: Launch):
    """The code of a letter, an unknown page and a dead link."""
    page = await (await (await chromium()).new_context()).new_page()
    wrong = {}
    for language in PSEUDO:
        for name, token in ((f"o/{DEMO_SLUG}/code", ""), ("nowhere", ""), (f"o/{DEMO_SLUG}/t", f"#{'A' * 43}")):
            await page.goto(f"{server.base}/{name}?lang={language}{token}")
            await settle(page, ROOM)
            if token:
                await page.wait_for_selector("#stopped-title:visible")
            assert await page.get_attribute("html", "lang") == language
            wrong[language, name] = [*await unfit(page), *await untranslated(page)]
    assert {where: found for where, found in wrong.items() if found} == {}


@pytest.mark.parametrize("language", PSEUDO)
async def test_staff_get_whole_pages_in_what_it_falls_back_to(server: LiveServer, chromium: Launch, language: str):
    """In bokmål, marked as such, from the left, and no choice of a language that has no pages for them."""
    page = await (await (await chromium()).new_context()).new_page()
    for name in ("board", "plan", "support"):
        await page.goto(f"{server.base}/o/{DEMO_SLUG}/{name}?lang={language}")
        assert await page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["nb", "ltr"]
        assert disguised("Liksom", language) not in await page.content()
