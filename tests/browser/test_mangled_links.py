"""Links as mail programs leave them, in a real browser: they open, or the page says what to do."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import PHONE, Person, plain
from tests.browser.test_accessibility import violations

OPENS = "folder => location.pathname.startsWith(`/${folder}/`) && location.hash === ''"
PAGES = {"selftest_url": "t", "board_url": "board", "organiser_url": "plan", "support_url": "support"}


def mangled(link: str) -> list[str]:
    """The link as `#` written in full, with a sign at its end, broken by a mail, and wrapped."""
    base, _, token = link.partition("#")
    return [
        f"{base}%23{token}",
        f"{base}/#{token}).",
        f"{base}#{token[:20]}=%0D%0A{token[20:]}",
        f"{base}?url={quote(link, safe='')}",
        f"{base.replace('/o/demo/', '//O/Demo/')}#%3C{token}%3E",
    ]


@pytest.mark.parametrize("name", PAGES)
async def test_a_mangled_link_opens_the_same_page(live_server: LiveServer, chromium: Launch, name: str):
    """The token stays nowhere in the address, and nothing is complained of."""
    browser = await chromium()
    for link in mangled(live_server.links[name]):
        context = await browser.new_context(viewport=PHONE, locale="nb-NO")
        page = await context.new_page()
        await page.goto(link)
        await page.wait_for_function(OPENS, arg=PAGES[name])
        assert live_server.links[name].partition("#")[2] not in page.url
        await context.close()


async def test_where_the_secret_was_cut_off_the_page_says_what_to_do(live_server: LiveServer, chromium: Launch):
    """The whole link, a code from a letter, or a call; the link that is pasted there opens."""
    browser = await chromium()
    for name, folder in PAGES.items():
        context = await browser.new_context(viewport=PHONE, locale="nb-NO")
        person = Person(await context.new_page())
        base, _, token = live_server.links[name].partition("#")
        await person.page.goto(f"{base}/")
        if name == "selftest_url":
            await person.until("#stopped-title", "error.link.cut.title")
            assert await person.page.is_hidden("#stopped-retry")
            assert await violations(person.page) == []
            await person.page.click("#stopped-code")
            await person.page.wait_for_selector("#typed")
            await person.page.go_back()
            await person.until("#stopped-title", "error.link.cut.title")
        else:
            title = person.words("error.link.cut.title")
            await person.wait_until("words => document.body.innerText.includes(words)", title)
        await person.page.evaluate("link => location.assign(link)", f"{base}#{token}")
        await person.page.wait_for_function(OPENS, arg=folder)
        await context.close()


async def test_a_link_that_was_seen_is_renewed_by_the_persons_press_alone(own_server: LiveServer, chromium: Launch):
    """A page that is only opened changes nothing; a press closes the old link elsewhere, not here."""
    base, _, token = own_server.links["selftest_url"].partition("#")
    browser = await chromium()
    scanner = await (await browser.new_context()).new_page()
    await scanner.goto(f"{base}%23{token}")
    await scanner.wait_for_function(OPENS, arg="t")
    context = await browser.new_context(viewport=PHONE, locale="nb-NO")
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    person = await Person.at(context, f"{base}%23{token}")
    assert await person.page.is_hidden("[data-step=welcome] [data-action=copy-link]")
    await person.page.click("h1")
    await person.page.click("[data-step=welcome] [data-action=copy-link]")
    await person.until("[data-step=welcome] .copied", "link.copied")
    new = await person.page.evaluate("navigator.clipboard.readText()")
    assert new.partition("#")[0] == base
    assert new.partition("#")[2] != token
    again = await context.new_page()
    await again.goto(f"{base}#{token}")
    await again.wait_for_function(OPENS, arg="t")
    other = Person(await (await browser.new_context(viewport=PHONE, locale="nb-NO")).new_page())
    await other.page.goto(f"{base}#{token}")
    await other.until("#stopped-title", "error.link.not_valid.title")
    await other.page.goto(new)
    await other.page.wait_for_function(OPENS, arg="t")
    logged = own_server.log_path.read_text()
    assert token not in logged
    assert new.partition("#")[2] not in logged


async def test_an_office_is_shown_its_new_link(own_server: LiveServer, chromium: Launch):
    """Support and organisers save it themselves; it opens, and fits a phone."""
    browser = await chromium()
    for name in ("organiser_url", "support_url"):
        base, _, token = own_server.links[name].partition("#")
        context = await browser.new_context(viewport=PHONE, locale="nb-NO")
        person = Person(await context.new_page())
        await person.page.goto(f"{base}%23{token}")
        await person.page.click("#renewal button")
        await person.wait_until("() => document.querySelector('#renewal .renewed')")
        assert person.words("link.renewed") in plain(await person.page.inner_text("#renewal"))
        new = await person.page.inner_text("#renewal .renewed")
        assert await violations(person.page) == []
        assert await person.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await context.close()
        other = await (await browser.new_context()).new_page()
        await other.goto(new)
        await other.wait_for_function(OPENS, arg=PAGES[name])
        assert await other.locator("#renewal").count() == 0
