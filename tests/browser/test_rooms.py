"""The pages of rooms in a real browser: added, enrolled by HTTP, failed, alarmed, known, mended, on the wall."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
from playwright.async_api import Page

from readiness.access.actors import clock_of
from readiness.access.links import organiser_link, room_link
from readiness.texts import LANGUAGES, catalogue
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import DESKTOP, PHONE
from tests.browser.test_accessibility import SCHEMES, SMALL, TOO_WIDE, violations
from tests.browser.test_support import opened
from tests.cast import SUNNAAS, invite
from tests.fleet import AGENT, BROKEN, result, room_check

NB = catalogue("nb")
SHOTS = os.environ.get("ROOM_SHOTS")
"""Folder for screenshots, to look at by hand."""


async def seen(page: Page, name: str) -> None:
    """Axe in light and dark, and nothing sticks out, small and large, in every language."""
    address = page.url.partition("?")[0]
    is_answer = await page.query_selector("#code") is not None
    for lang in ("nb",) if is_answer else LANGUAGES:
        if not is_answer:
            await page.goto(f"{address}?lang={lang}")
        for size in (SMALL, PHONE, DESKTOP):
            await page.set_viewport_size(size)
            assert await page.evaluate(TOO_WIDE) == [], (name, lang, size)
            if SHOTS and lang == "nb" and size is not SMALL:
                path = Path(SHOTS) / f"{name}-{size['width']}.png"
                await page.screenshot(path=path, full_page=True)
        for scheme, rules in SCHEMES.items():
            await page.emulate_media(color_scheme=scheme)
            assert await violations(page, rules) == [], (name, lang, scheme)
        await page.emulate_media(color_scheme="light")
    if not is_answer:
        await page.goto(f"{address}?lang=nb")


async def test_a_room_from_its_adding_to_the_wall(live_server: LiveServer, chromium: Launch):
    """By keyboard where something is typed; each step is seen on the page, and the wall renews itself without a tap."""
    store = await live_server.open_store()
    try:
        await store.ensure_organisation(SUNNAAS)
        link = await room_link(store, SUNNAAS, live_server.base, datetime.now(UTC))
    finally:
        await store.close()
    page, complaints = await opened(await chromium(), link, shows="#name")
    home = page.url
    await seen(page, "empty")
    await page.focus("#name")
    await page.keyboard.type("Fjorden")
    await page.keyboard.press("Tab")
    await page.keyboard.type("Bygg A")
    await page.keyboard.press("Tab")
    await page.keyboard.type("2. etasje")
    await page.keyboard.press("Tab")
    await page.keyboard.type("rom@sykehus.example")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#code")
    await seen(page, "code")
    code = await page.inner_text("#code")
    assert await page.inner_text("#now-title") == NB["room.state.not_enrolled"]
    place = urljoin(home, str(await page.get_attribute("form[action$='/known']", "action")).removesuffix("/known"))
    async with aiohttp.ClientSession(live_server.base) as http:
        body = {"code": code, "agent": AGENT, "system": "linux"}
        async with http.post("/api/rooms/enrol", json=body) as answer:
            assert answer.status == 201
            key = {"Authorization": f"Bearer {(await answer.json())['key']}"}

        async def post(minutes: int, **changed) -> None:
            one = result(datetime.now(UTC) - timedelta(minutes=minutes), check=room_check(**changed))
            async with http.post("/api/rooms/results", json=one, headers=key) as posted:
                assert posted.status == 201, await posted.text()

        await page.goto(place)
        assert await page.inner_text("#now-title") == NB["room.state.new"]
        for days in (9, 6, 3, 1):
            await post(days * 1440, microphone__noise=-60.0 - days)
        await post(30)
        await page.reload()
        assert await page.get_attribute("#now", "data-tone") == "good"
        await post(20, **BROKEN)
        await page.reload()
        assert await page.inner_text("#now-title") == NB["room.state.not_ready"]
        said = await page.inner_text("#now")
        assert NB["advice.room.microphone_missing.title"] in said
        assert NB["room.who.room_host"] in said
        assert NB["room.alarm"] not in said, "one slip alarms nobody"
        await post(10, **BROKEN)
        await page.reload()
        assert NB["room.alarm"] in await page.inner_text("#now")
        changed = await page.inner_text("section:has(#changed-title)")
        assert NB["check.microphone.present"] in changed
        assert await page.locator(".strip li").count() == 30
        assert await page.locator("[data-check='microphone.present'] li").count() == 1, "the moment of the change"
        assert await page.locator("[data-check='microphone.noise'] polyline").count() == 1
        await seen(page, "alarm")
        await page.click("#edit summary")
        assert await page.evaluate(TOO_WIDE) == []
        assert await violations(page) == []
        day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
        await page.fill("#until", day)
        await page.focus("form:has(#until) button")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        last = datetime.now(UTC) + timedelta(days=3)
        assert f" {last.day}. " in await page.inner_text("#known-now")
        await post(5, **BROKEN)
        await page.reload()
        assert await page.locator("#known-now").count() == 1, "no result undoes what is known"
        await page.goto(home)
        await seen(page, "list")
        await page.goto(f"{home.partition('?')[0]}/wall?lang=nb")
        await page.evaluate("document.body.dataset.stale = 'yes'")
        await seen(page, "wall")
        assert NB["room.state.not_ready"] in await page.inner_text(".tile")
        await post(0)
        await page.clock.install()
        await page.reload()
        assert NB["room.state.ready"] in await page.inner_text(".tile")
        await page.evaluate("document.body.dataset.stale = 'yes'")
        async with page.expect_navigation():
            await page.clock.run_for(61_000)
        assert await page.evaluate("document.body.dataset.stale ?? 'fresh'") == "fresh"
        await page.goto(place)
        assert await page.get_attribute("#now", "data-tone") == "good"
        events = await page.inner_text(".events")
        assert NB["room.event.recovery"] in events
        assert NB["room.event.known"] in events
        await page.click("#edit summary")
        await page.fill("#at", "05:45")
        await page.select_option("#often", "two")
        async with page.expect_navigation():
            await page.click("form[action*='/edit'] button")
        assert await page.inner_text("#saved") == NB["rooms.saved"]
        assert await page.input_value("#at") == "05:45"
        assert await page.inner_text("#worked")
        await post(0, **BROKEN)
    await invited(live_server, page)
    assert complaints == []


async def invited(live_server: LiveServer, page: Page) -> None:
    """An organiser ticks the room in the form; it is a row on the leader's board, which nothing can be tapped on."""
    store = await live_server.open_store()
    try:
        plan = await organiser_link(store, SUNNAAS, live_server.base, datetime.now(UTC))
        await page.set_viewport_size(DESKTOP)
        await page.goto(plan)
        await page.wait_for_selector("a[href*='/new']")
        await page.goto(f"{page.url.partition('?')[0]}/new?lang=nb")
        await page.wait_for_selector("#people [data-field=label]")
        await page.fill("#date", (datetime.now(UTC) + timedelta(days=2)).date().isoformat())
        await page.fill("#time", "10:00")
        await page.get_by_label("Fjorden, Bygg A").check()
        if SHOTS:
            await page.screenshot(path=Path(SHOTS) / "plan-1280.png", full_page=True)
        assert await violations(page) == []
        await page.click("#save")
        await page.wait_for_url("**/meetings/*")
        clock = clock_of(SUNNAAS.id)
        meeting = await store.meeting(clock, page.url.partition("?")[0].rpartition("/")[2])
        assert meeting is not None
        assert [one.room.name for one in await store.meeting_rooms(clock, meeting.id)] == ["Fjorden"]
        token, _ = await invite(store, meeting, None)
    finally:
        await store.close()
    await page.goto(f"{live_server.base}/o/sunnaas/board?lang=nb#{token}")
    row = page.locator("#participants li", has_text="Fjorden, Bygg A")
    await row.wait_for()
    said = await row.inner_text()
    assert NB["leader.room.not_ready"] in said
    assert await row.locator("button").count() == 0
    for size in (PHONE, DESKTOP):
        await page.set_viewport_size(size)
        assert await page.evaluate(TOO_WIDE) == []
        if SHOTS:
            await page.screenshot(path=Path(SHOTS) / f"board-{size['width']}.png", full_page=True)
    assert await violations(page) == []
