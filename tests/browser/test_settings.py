"""The pages of settings in a real browser: by keyboard, small and large, and nothing that axe finds."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import Page, expect

from readiness.server.settings_parts import PARTS
from readiness.texts import catalogue
from tests.browser.conftest import Launch
from tests.browser.person import DESKTOP, PHONE
from tests.browser.test_accessibility import TOO_WIDE, violations
from tests.cast import make_cast, signed_in
from tests.conftest import Server
from tests.server.test_limits import RTT, keep_tests

NB = catalogue("nb")


async def sent(page: Page) -> None:
    """Press Enter, and wait for the page that comes."""
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def typed_and_sent(page: Page, label: str, text: str) -> None:
    """Go to a field, type over what stands in it, and send its form with the Enter key."""
    await page.get_by_label(label, exact=True).focus()
    await page.keyboard.press("Control+A")
    await page.keyboard.type(text)
    await sent(page)


async def opened(server: Server, chromium: Launch, part: str) -> tuple[Page, str]:
    """Ada, who administers Sunnaas, opens a part of the settings by keyboard; its page, and where they begin."""
    session, secret = await signed_in(server.store, "sunnaas", datetime.now(tz=UTC), ("administrator",), name="Ada")
    context = await (await chromium()).new_context(locale="nb-NO")
    await context.add_cookies([{"name": f"rd-{session}", "value": secret, "url": server.base}])
    page = await context.new_page()
    home = f"{server.base}/settings/{session}"
    await page.goto(f"{home}?lang=nb")
    await page.get_by_role("link", name=NB[f"settings.part.{part}"]).focus()
    await sent(page)
    return page, home


async def test_settings_are_changed_and_taken_back_by_keyboard(server: Server, chromium: Launch):
    """A wrong number is said at its field, the right one is saved, listed and undone; each page is looked at."""
    await make_cast(server.store)
    page, home = await opened(server, chromium, "contact")
    phone = page.get_by_label(NB["settings.field.support_phone"], exact=True)
    await typed_and_sent(page, NB["settings.field.support_phone"], "ring oss")
    await expect(phone).to_have_value("ring oss")
    await expect(phone).to_have_accessible_description(NB["error.settings.phone"])
    await typed_and_sent(page, NB["settings.field.support_phone"], "22 33 44 55")
    await expect(page.locator("#said")).to_contain_text(NB["settings.said.saved"])
    await page.goto(f"{home}?lang=nb")
    await page.get_by_role("button", name=NB["settings.undo"]).focus()
    await sent(page)
    await expect(page.locator("#said")).to_contain_text(NB["settings.said.undone"])
    assert (await server.store.organisation("sunnaas")).support_phone != "22 33 44 55"
    for part in ("", *(f"/{part}" for part in PARTS)):
        await page.goto(f"{home}{part}?lang=nb")
        for size in (PHONE, DESKTOP):
            await page.set_viewport_size(size)
            assert await page.evaluate(TOO_WIDE) == [], (part, size)
        assert await violations(page) == [], part
    await page.context.close()


async def test_a_limit_is_looked_at_saved_and_taken_back_by_keyboard(server: Server, chromium: Launch):
    """What is out of bounds looks wrong; the look has its tables at both sizes; then it is saved, and undone."""
    await make_cast(server.store)
    await keep_tests(server.store, [40.0] * 200 + [160.0] * 23 + [250.0] * 10 + [310.0] * 7)
    page, home = await opened(server, chromium, "limits_consultation")
    label = f"{NB['check.network.rtt']}: {NB['settings.limit.fail.above']}"
    field = page.get_by_label(label, exact=True)
    fine = await field.evaluate("one => getComputedStyle(one).borderColor")
    await typed_and_sent(page, label, "900")
    await expect(field).to_have_value("900")
    await expect(field).to_have_attribute("aria-invalid", "true")
    assert await field.evaluate("one => getComputedStyle(one).borderColor") != fine, "it looks wrong too"
    assert await violations(page) == []
    await typed_and_sent(page, label, "220")
    await expect(page.locator(".look")).to_contain_text(
        NB["settings.look.of"].format(number=240, before="3\u00a0%", after="7\u00a0%")
    )
    for size in (PHONE, DESKTOP):
        await page.set_viewport_size(size)
        assert await page.evaluate(TOO_WIDE) == [], size
    assert await violations(page) == []
    await page.get_by_role("button", name=NB["settings.save"]).focus()
    await sent(page)
    await expect(page.locator("#said")).to_contain_text(NB["settings.said.saved"])
    assert (await server.store.organisation("sunnaas")).choices == {RTT.removeprefix("choices/"): 220.0}
    await page.goto(f"{home}?lang=nb")
    await page.get_by_role("button", name=NB["settings.undo"]).focus()
    await sent(page)
    await expect(page.locator("#said")).to_contain_text(NB["settings.said.undone"])
    assert (await server.store.organisation("sunnaas")).choices == {}
    await page.context.close()
