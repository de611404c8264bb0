"""Support's desk in a real browser: sign in at a real provider, take next, follow, solve, hear of news, sign out."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Page, expect

from readiness.texts import catalogue
from tests.actors import otto
from tests.browser.conftest import Launch
from tests.browser.person import DESKTOP, PHONE, Person
from tests.browser.test_accessibility import SMALL, TOO_WIDE, violations
from tests.cast import CANARY_LABEL, make_cast
from tests.patience import PATIENCE_S
from tests.server.test_board import phases, reported
from tests.sign_in.conftest import Providers, served_with, write_settings
from tests.sign_in.conftest import providers as providers  # noqa: PLC0414 - a fixture

WAIT_MS = PATIENCE_S * 1000
WORDS = catalogue("nb")
expect.set_options(timeout=WAIT_MS)


async def looked_at(page: Page, folder: Path, name: str) -> None:
    """Nothing is wrong, too wide or too small, on a phone and on a desk."""
    for size in (SMALL, PHONE, DESKTOP):
        await page.set_viewport_size(size)
        assert await page.evaluate(TOO_WIDE) == [], (name, size)
        await page.screenshot(path=folder / f"{name}-{size['width']}.png", full_page=True)
    assert await violations(page) == []


async def followed(page: Page, anna: Person, folder: Path) -> None:
    """Anna lets support follow, by keys; the hint stands on her page before the desk says so; she tests, and stops.

    The sign stands there whatever becomes of its stream, and in every tab.
    """
    await anna.start()
    await anna.until("#devices-title", "devices.problem_title")
    tab = await anna.page.context.new_page()
    await tab.goto(anna.page.url)
    await anna.page.route("**/follow/events", lambda route: route.fulfill(status=503))
    await anna.page.locator("#follow-start").press("Enter")
    sign = anna.page.locator(".follow-now")
    await expect(sign).to_be_focused()
    await tab.reload()
    await expect(tab.locator(".follow-now")).to_have_text(WORDS["follow.may"])
    await expect(tab.locator("#follow-start")).to_have_count(0)
    await tab.close()
    await anna.page.unroute("**/follow/events")
    await expect(sign).to_have_text(WORDS["follow.may"])
    await expect(anna.page.locator("#follow-means")).to_have_count(0)
    await expect(page.locator("#news")).to_contain_text(WORDS["following.news_one"])
    await page.locator("#news a").click()
    await expect(page.locator("#follow-step")).to_contain_text(WORDS["support.part.devices"])
    await expect(sign).to_have_text(WORDS["follow.now"])
    await page.keyboard.press("h")
    await expect(page.locator("#hint")).to_be_focused()
    await page.locator("#hint").select_option("camera.denied")
    await page.keyboard.press("Tab")
    pressed_s = time.monotonic()
    await page.keyboard.press("Enter")
    title = WORDS["advice.camera.denied.title"]
    await expect(anna.page.locator(".follow-title")).to_have_text(title)
    print(f"hint shown {1000 * (time.monotonic() - pressed_s):.0f} ms after the press")
    await expect(anna.page.locator(".follow-code")).to_be_visible()
    await expect(page.locator("#follow-told")).to_have_text(WORDS["following.shown"].replace("{title}", title))
    await looked_at(page, folder, "follow")
    await looked_at(anna.page, folder, "followed")
    await anna.press("next")
    await anna.finish()
    await expect(anna.page.locator("#code")).to_be_visible()
    await expect(anna.page.locator(".follow-code")).to_be_hidden()  # one code to read aloud
    await expect(page.locator("#follow-over")).to_be_visible()
    await expect(page.locator("#news")).to_contain_text(WORDS["support.new_test"])
    await looked_at(page, folder, "follow-figures")
    await looked_at(anna.page, folder, "followed-answer")
    await anna.page.locator("#follow-stop").press("Enter")
    await expect(anna.page.locator("#follow-start")).to_be_focused()
    await expect(page.locator("#follow-step")).to_have_text(WORDS["following.ended"])
    await looked_at(anna.page, folder, "offer")
    assert await anna.page.locator(".follow-now").count() == 0


async def test_a_case_by_keys_from_sign_in_to_sign_out(
    chromium: Launch, providers: Providers, tmp_path: Path, migrated_file: Path
):
    """`t` takes the case that is shown, else the next. The cause is there at once, the list does not move.

    It tells of news, and after sign-out nothing is shown.
    """
    settings = write_settings(tmp_path, providers.issuers, providers.key)
    browser = await chromium(ask=True)
    async with served_with(tmp_path, migrated_file, settings, providers.listener) as server:
        cast = await make_cast(server.store)
        walk_s = time.monotonic()
        starts = server.services.now() + timedelta(hours=1)
        times = {"starts_at": starts, "ends_at": starts + timedelta(hours=1)}
        await server.store.change_meeting(otto("sunnaas"), cast.meeting.id, times)
        await reported(server, cast, cast.anna, phases(camera__present="NotAllowedError"))
        context = await browser.new_context(locale="nb-NO", viewport=DESKTOP)
        page = await context.new_page()
        await page.goto(f"{server.base}/o/sunnaas/staff?lang=nb")
        await page.get_by_role("button", name="Keycloak").click()
        await page.locator("input[name=login]").fill("kari", timeout=WAIT_MS)
        await page.locator("input[name=password]").fill("any")
        await page.locator("button[type=submit]").click()
        await page.locator("button[type=submit]", has_text="Continue").click()
        await page.get_by_role("link", name=WORDS["staff.open.support"]).click(timeout=WAIT_MS)
        await expect(page.locator("#lines .line")).to_have_count(1)
        assert CANARY_LABEL not in await page.content()
        await looked_at(page, tmp_path, "list")
        await page.goto(f"{page.url.partition('?')[0]}?lang=nb&person={cast.per.id}")
        await page.keyboard.press("t")
        await expect(page.locator("#person-title")).to_contain_text("Per")
        await page.get_by_role("button", name=WORDS["support.put_back"]).click()
        await expect(page.locator("#lines .line")).to_have_count(1)
        await page.keyboard.press("Escape")
        await page.keyboard.press("t")
        await expect(page.locator(".cause")).to_contain_text(WORDS["advice.camera.denied.title"])
        await expect(page.locator("#person-title")).to_contain_text(CANARY_LABEL)
        await looked_at(page, tmp_path, "case")
        await page.keyboard.press("n")
        await page.keyboard.type("Ringer tilbake")
        await page.get_by_role("button", name=WORDS["support.note_keep"]).click()
        await expect(page.locator(".notes")).to_contain_text("Ringer tilbake")
        anna = await Person.at(browser, f"{server.base}/o/sunnaas/t#{cast.anna_token}")
        await anna.allow(camera=False, microphone=False)
        await followed(page, anna, tmp_path)
        await anna.page.context.close()
        await page.keyboard.press("d")
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_contain_text(WORDS["support.said.done"])
        print(f"from sign-in to done in {time.monotonic() - walk_s:.0f} s")
        await reported(server, cast, cast.per, phases(camera__present="NotAllowedError"))
        await expect(page.locator("#news")).to_contain_text(WORDS["support.new#one"].replace("{count}", "1"))
        await page.locator("#news a").click()
        await expect(page.locator("#lines .line")).to_have_count(1)
        own = page.url
        await page.get_by_role("button", name=WORDS["staff.sign_out"]).click()
        await page.locator("button", has_text="Yes").click(timeout=WAIT_MS)
        await expect(page.locator("h1")).to_have_text(WORDS["staff.out.title"], timeout=WAIT_MS)
        for _ in range(4):
            await page.go_back()
            assert not await page.locator("#lines").count()
        await page.goto(own)
        await expect(page.locator("h1")).to_have_text(WORDS["error.session.not_valid.title"])
        assert server.services.csp_reports == 0
        await context.close()
