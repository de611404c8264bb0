"""The page of support in a real browser: found by a code, read and seen by everybody, and shut for others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page

from readiness.texts import LANGUAGES, catalogue
from reports.store import new_code
from reports.store.records import StoredReport
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import DESKTOP, PHONE
from tests.browser.test_accessibility import SMALL, TOO_WIDE, violations
from tests.browser.test_links import PLACES
from tests.cast import SUNNAAS
from tests.made import BLOCKED, made_report, support_link
from tests.series import made_series

LEAST_LETTERS_PX = 11.5
"""Size of the words of a picture on a phone."""
PICTURES_SEEN = """
() => [...document.querySelectorAll("figure svg")].map(svg => {
  const box = svg.getBoundingClientRect();
  const line = svg.querySelector(".graph-line, .graph-lost, .sketch-face")?.getBoundingClientRect();
  const text = [...svg.querySelectorAll("text")].map(one => one.getBoundingClientRect());
  return {
    name: svg.closest("figure").dataset.picture, width: box.width, height: box.height,
    line: line ? line.width + line.height : 0,
    outside: text.filter(one => one.left < box.left - 1 || one.right > box.right + 1).length,
    letters: box.width / 360 * parseFloat(getComputedStyle(svg.querySelector("text")).fontSize),
  };
})
"""


WORDS_OF_THE_ANSWER = """
async ([lang, checks]) => {
  const base = document.querySelector("meta[name=readiness-static]").content;
  const { FIGURES, figureWords } = await import(`${base}/selftest/js/figures.js`);
  const { createTexts, loadCatalogue } = await import(`${base}/shared/i18n.js`);
  const [first, later] = await Promise.all(["", "later/"].map((part) => loadCatalogue(base, lang, part)));
  const texts = createTexts(lang, { ...first, ...later });
  return checks.map((check) => [check.id, figureWords(texts, FIGURES, check).value]);
}
"""
"""What the participant's page says of these checks, by its own modules as they are served."""
VALUES_SEEN = """
() => [...document.querySelectorAll("[data-check]")]
  .map(one => [one.dataset.check, one.querySelector(".value").textContent])
"""


@dataclass
class Office:
    """What there is to find: a bad test, one of which half was not measured, and one of another organisation."""

    url: str
    token: str
    bad: StoredReport
    half: StoredReport
    foreign: StoredReport


@pytest_asyncio.fixture(loop_scope="session")
async def office(live_server: LiveServer) -> Office:
    """Reports and a link at Sunnaas, and a report at Ahus."""
    store = await live_server.open_store()
    series = made_series(bad=True)
    half = {name: row for name, row in series.items() if name not in {"rtt_ms", "lost_up", "rate_down_mbps"}}
    try:
        await store.ensure_organisation(SUNNAAS)
        await store.ensure_organisation(replace(SUNNAAS, id="ahus", slug="ahus", name="Ahus"))
        token = await support_link(store)
        return Office(
            url=f"{live_server.base}/o/sunnaas/support#{token}",
            token=token,
            bad=await made_report(store, series=series, cause="disconnected", events=("tab_hidden",), **BLOCKED),
            half=await made_report(store, series=half, network__rtt=None),
            foreign=await made_report(store, "ahus"),
        )
    finally:
        await store.close()


async def opened(browser: Browser, url: str, *, shows: str = "#code", **options: Any) -> tuple[Page, list[str]]:
    """Open the link; return the page and what its console and policy complain of from now on."""
    context = await browser.new_context(**{"viewport": DESKTOP, "locale": "nb-NO"} | options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    await page.wait_for_selector(shows)
    return page, complaints


async def test_a_code_read_aloud_becomes_a_report_with_pictures(
    live_server: LiveServer, office: Office, chromium: Launch
):
    """From the link, by keyboard alone: small letters and spaces, then verdict, pictures and the text for IT."""
    page, complaints = await opened(await chromium(), office.url)
    await page.wait_for_selector("#code:focus")
    assert "/support/" in page.url
    assert office.token not in await page.evaluate(PLACES)
    await page.keyboard.type(" ".join(office.bad.code.lower()))
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#report")
    assert await page.inner_text("#report-title") == catalogue("nb")["verdict.not_ready.short"]
    assert await page.title() == f"{office.bad.code}: {catalogue('nb')['verdict.not_ready.short']}"
    await page.click(f"text={catalogue('nb')['support.show_curves']}")
    await page.wait_for_selector("figure[data-picture=delay]")
    seen = await page.evaluate(PICTURES_SEEN)
    assert [one["name"] for one in seen] == ["seen", "heard", "delay", "loss", "rate"]
    for one in seen:
        assert one["width"] > 250, one
        assert one["height"] > 150, one
        assert one["line"] > 20, one
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.click("[data-copy=openings]")
    await page.wait_for_selector("[data-copied]:not(:empty)")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert f"port {live_server.port} " in copied
    assert copied == await page.inner_text("#openings")
    await page.reload()
    assert await page.inner_text("#report .code") == office.bad.code
    assert complaints == []


async def test_support_reads_the_figures_that_the_participant_read(office: Office, chromium: Launch):
    """Each check of a report has the same value in the same words on both pages, as a real browser shows them."""
    page, complaints = await opened(await chromium(), office.url)
    await page.fill("#code", office.bad.code)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#report")
    seen = await page.evaluate(VALUES_SEEN)
    assert len(seen) > 30
    assert seen == await page.evaluate(WORDS_OF_THE_ANSWER, ["nb", office.bad.body["checks"]])
    assert complaints == []


async def test_codes_that_open_nothing_here(office: Office, chromium: Launch):
    """A wrong code, one of another organisation and what is no code are said at the field; the list shows our own."""
    page, _ = await opened(await chromium(), office.url)
    for typed, problem in ((new_code(), "unknown"), (office.foreign.code, "unknown"), ("K7M", "nothing")):
        await page.fill("#code", typed)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        assert await page.input_value("#code") == typed
        assert await page.inner_text("#problem") == catalogue("nb")[f"support.problem.{problem}"]
        assert await page.get_attribute("#code", "aria-invalid") == "true"
        assert not await page.query_selector("#report")
    listed = await page.eval_on_selector_all(".newest .code", "codes => codes.map(one => one.textContent)")
    assert {office.bad.code, office.half.code} <= set(listed)
    assert office.foreign.code not in listed
    await page.click(f"text={office.half.code}")
    await page.click(f"text={catalogue('nb')['support.show_curves']}")
    await page.wait_for_selector("figure[data-picture=delay]")
    assert (await page.inner_text("figure[data-picture=delay]")).count(catalogue("nb")["outcome.not_measured"]) >= 1


async def test_a_stranger_gets_nothing(live_server: LiveServer, office: Office, chromium: Launch):
    """A dead link says so and whom to call; the address of somebody's open page opens nothing elsewhere."""
    browser = await chromium()
    page, _ = await opened(browser, office.url)
    stolen = page.url
    other, _ = await opened(browser, stolen + "?lang=en", shows="h1")
    assert not await other.query_selector("#code")
    assert catalogue("en")["error.session.not_valid.title"] in await other.inner_text("body")
    dead, _ = await opened(browser, f"{live_server.base}/o/sunnaas/support?lang=en#{'A' * 43}", shows="h1")
    await dead.wait_for_function("text => title.innerText === text", arg=catalogue("en")["error.link.not_valid.title"])
    assert "66 96 90 00" in (await dead.inner_text("#summary")).replace("\u00a0", " ")


async def test_it_works_without_scripts_once_it_is_open(office: Office, chromium: Launch):
    """Everything but the opening and the copy button is the server's own markup."""
    browser = await chromium()
    page, _ = await opened(browser, office.url)
    state = await page.context.storage_state()
    context = await browser.new_context(java_script_enabled=False, storage_state=state)
    plain = await context.new_page()
    await plain.goto(page.url)
    await plain.fill("#code", office.bad.code)
    await plain.press("#code", "Enter")
    await plain.click(f"text={catalogue('nb')['support.show_curves']}")
    await plain.wait_for_selector("figure[data-picture=delay] svg")
    assert await plain.locator("figure svg").count() == 5
    assert not await plain.is_visible("[data-copy]")


async def test_everybody_can_use_it(office: Office, chromium: Launch):
    """Empty, wrong, bad and half measured, all folds open, in light and dark: nothing wrong, wide or small."""
    page, _ = await opened(await chromium(), office.url, viewport=PHONE)
    base, found = page.url, {}
    states = [(lang, "bad", office.bad.code) for lang in LANGUAGES]
    states += [("nb", "empty", ""), ("nn", "wrong", "K7M"), ("en", "half", office.half.code)]
    for lang, name, code in states:
        await page.goto(f"{base}?lang={lang}&code={code}&curves=on")
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        schemes = {("nb", "bad"): ("light", "dark"), ("nn", "wrong"): ("dark",), ("en", "half"): ("light",)}
        for scheme in schemes.get((lang, name), ()):
            await page.emulate_media(color_scheme=scheme)
            found[lang, name, scheme] = await violations(page)
        for size in (SMALL, PHONE):
            await page.set_viewport_size(size)
            # A table may be wider than its own box, which scrolls, by keyboard too.
            wide = await page.evaluate(TOO_WIDE.replace('"svg")', '"svg, .scroll")'))
            seen = await page.evaluate(PICTURES_SEEN)
            cut = [str(one) for one in seen if one["outside"] or (size is PHONE and one["letters"] < LEAST_LETTERS_PX)]
            found[lang, name, str(size)] = wide + cut
        await page.emulate_media(color_scheme="light")
    assert not {state: wrong for state, wrong in found.items() if wrong}
