"""Links: the secret is seen once and stands nowhere afterwards; two people in one browser stay apart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest_asyncio

from tests.actors import CLOCK
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import DESKTOP, Person
from tests.cast import CANARY_LABEL, Cast, make_cast
from tests.patience import was_busy

PLACES = """
() => JSON.stringify([
  location.href, document.title, document.referrer, history.state, { ...localStorage }, { ...sessionStorage },
  document.cookie, document.documentElement.outerHTML, performance.getEntriesByType("resource").map(({ name }) => name),
])
"""
"""Everything that another page, a passer-by or a script of somebody else could read of this one."""


@pytest_asyncio.fixture(loop_scope="session")
async def cast(live_server: LiveServer) -> Cast:
    """Anna and Per, invited to the same meeting by another organisation than the demo's."""
    store = await live_server.open_store()
    try:
        return await make_cast(store)
    finally:
        await store.close()


def link(server: LiveServer, token: str, page: str = "t") -> str:
    return f"{server.base}/o/sunnaas/{page}#{token}"


async def test_the_secret_of_a_link_is_nowhere_once_it_is_used(live_server: LiveServer, cast: Cast, chromium: Launch):
    """Not in the address, title, referrer, storage or document; the person can copy it as long as the page is open."""
    browser = await chromium()
    person = await Person.at(browser, link(live_server, cast.anna_token), viewport=DESKTOP)
    context = person.page.context
    assert cast.anna_token not in await person.page.evaluate(PLACES)
    assert "/t/" in person.page.url
    assert (await person.phone()).replace("\u00a0", " ") == "66 96 90 00"

    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    await person.page.click("[data-step=welcome] [data-action=copy-link]")
    await person.until("[data-step=welcome] .copied", "link.copied")
    assert await person.page.evaluate("navigator.clipboard.readText()") == link(live_server, cast.anna_token)
    assert cast.anna_token not in await person.page.evaluate(PLACES)

    address = person.page.url
    await person.page.reload()
    await person.page.wait_for_selector("[data-action=start]:enabled")
    assert person.page.url == address
    assert not await person.page.is_visible("[data-action=copy-link]")
    cookies = await context.cookies()
    assert all(cookie["httpOnly"] and cast.anna_token not in cookie["value"] for cookie in cookies)

    board = await context.new_page()
    await board.goto(link(live_server, cast.lars_token, "board"))
    await board.wait_for_selector("#participants > li")
    assert cast.lars_token not in await board.evaluate(PLACES)
    assert not await person.complaints()


async def test_two_links_in_one_browser_give_two_reports(live_server: LiveServer, cast: Cast, chromium: Launch):
    """Anna and Per test in two tabs of one browser at the same time; each report stands at the right name."""
    browser = await chromium()
    context = await browser.new_context(viewport=DESKTOP, locale="nb-NO")
    anna = await Person.at(context, link(live_server, cast.anna_token))
    per = await Person.at(context, link(live_server, cast.per_token), lang="nn")
    await anna.start()
    await anna.wait_step("picture")
    await per.start()
    reports = await asyncio.gather(anna.finish(look=False, hear="wrong"), per.finish(look=False))
    assert reports[0]["verdict"] == "not_ready"
    assert was_busy(reports[1]) or reports[1]["verdict"] in {"ready", "ready_with_warnings"}, reports[1]["advice"]

    for person, report in zip((anna, per), reports, strict=True):
        assert (await _session(person))["last_report"]["id"] == report["id"]
    store = await live_server.open_store()
    try:
        rows = {row.participant.id: row.report.id for row in await store.board(CLOCK, cast.meeting.id) if row.report}
    finally:
        await store.close()
    assert rows == {cast.anna.id: reports[0]["id"], cast.per.id: reports[1]["id"]}

    board = await context.new_page()
    await board.goto(link(live_server, cast.lars_token, "board"))
    await board.wait_for_selector("#participants > li")
    rows_shown = "rows => rows.map(row => [row.querySelector('h3').textContent, row.dataset.state])"
    states = await board.eval_on_selector_all("#participants > li", rows_shown)
    assert dict(states) == {CANARY_LABEL: "not_ready", "Per": reports[1]["verdict"]}


async def test_a_page_speaks_the_language_of_the_invitation(live_server: LiveServer, cast: Cast, chromium: Launch):
    """Whatever the browser's is; what somebody chooses on the page stays."""
    person = await Person.at(await chromium(), link(live_server, cast.per_token), lang="en")
    await person.page.wait_for_selector("html[lang=nn]", state="attached")
    await person.page.click("[data-action=language][data-lang=en]")
    await person.page.wait_for_selector("html[lang=en]", state="attached")
    await person.page.reload()
    await person.page.wait_for_selector("[data-action=start]:enabled")
    assert await person.page.get_attribute("html", "lang") == "en"


async def _session(person: Person) -> dict[str, Any]:
    fetched: dict[str, Any] = await person.page.evaluate(
        "fetch(location.pathname.replace('/t/', '/api/v1/sessions/')).then(answer => answer.json())"
    )
    return fetched
