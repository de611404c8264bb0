"""Staff sign in and out in a real browser, at a real provider: pages for everybody, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect

from readiness.texts import LANGUAGES, catalogue
from tests.browser.conftest import Launch
from tests.browser.person import DESKTOP
from tests.browser.test_accessibility import SMALL, TOO_WIDE, violations
from tests.patience import PATIENCE_S
from tests.sign_in.conftest import Providers, served_with, write_settings
from tests.sign_in.conftest import providers as providers  # noqa: PLC0414 - a fixture

WAIT_MS = PATIENCE_S * 1000


async def test_staff_sign_in_and_out_and_leave_nothing_behind(
    chromium: Launch, providers: Providers, tmp_path: Path, migrated_file: Path
):
    """The policy lets the page go to the provider, axe finds nothing, and after sign-out nothing is shown."""
    settings = write_settings(tmp_path, providers.issuers, providers.key)
    browser = await chromium()
    async with served_with(tmp_path, migrated_file, settings, providers.listener) as server:
        context = await browser.new_context(locale="nb-NO", viewport=SMALL)
        page = await context.new_page()
        for lang in LANGUAGES:
            await page.goto(f"{server.base}/o/sunnaas/staff?lang={lang}")
            await expect(page.locator("h1")).to_have_text(catalogue(lang)["staff.choose.title"])
            assert await violations(page) == []
            assert await page.evaluate(TOO_WIDE) == []
        for who, told in (("nobody", "staff.no_role.title"), ("kari", "staff.in.title")):
            await context.clear_cookies()
            await page.goto(f"{server.base}/o/sunnaas/staff?lang=nb")
            await page.get_by_role("button", name="Keycloak").click()
            await page.locator("input[name=login]").fill(who, timeout=WAIT_MS)
            await page.locator("input[name=password]").fill("any")
            await page.locator("button[type=submit]").click()
            await page.locator("button[type=submit]", has_text="Continue").click()
            await expect(page.locator("h1")).to_have_text(catalogue("nb")[told], timeout=WAIT_MS)
            assert await violations(page) == []
            assert await page.evaluate(TOO_WIDE) == []
        own = page.url
        tab = await context.new_page()
        await tab.goto(own)
        await tab.get_by_role("link", name=catalogue("nb")["staff.open.support"]).click()
        await expect(tab.locator("h1")).to_have_text(catalogue("nb")["support.title"])
        await page.set_viewport_size(DESKTOP)
        await page.get_by_role("button", name=catalogue("nb")["staff.sign_out"]).click()
        await page.locator("button", has_text="Yes").click(timeout=WAIT_MS)
        await expect(page.locator("h1")).to_have_text(catalogue("nb")["staff.out.title"], timeout=WAIT_MS)
        assert await violations(page) == []
        for _ in range(3):
            await page.go_back()
        await page.goto(own)
        for shown in (page, tab):
            await shown.reload()
            await expect(shown.locator("h1")).to_have_text(catalogue("nb")["error.session.not_valid.title"])
        assert server.services.csp_reports == 0
        await context.close()
