"""Reload, back, a second window, a line that stays away: the same test goes on, or the page says where and how."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import PHONE, Person, check
from tests.browser.test_links import link
from tests.cast import make_cast

FOCUS = "document.activeElement?.id || document.activeElement?.tagName"
TEST = "history.state?.test ?? null"


@pytest_asyncio.fixture(loop_scope="session")
async def annas_link(live_server: LiveServer) -> str:
    """The link of somebody in a meeting of this test's own, who is asked what the demo's people are."""
    store = await live_server.open_store()
    try:
        return link(live_server, (await make_cast(store, practical=("private_room", "people"))).anna_token)
    finally:
        await store.close()


async def to_sound(person: Person) -> str:
    """Take the test until the picture is done. Returns the test's id."""
    await person.start()
    await person.look(patiently=False)
    return str(await person.page.evaluate(TEST))


async def to_speaker(person: Person) -> str:
    """Take the test until picture and sound are done. Returns the test's id."""
    await to_sound(person)
    await person.speak()
    await person.until("#speaker-text", "speaker.played")
    return str(await person.page.evaluate(TEST))


async def test_a_page_that_comes_back_offers_to_go_on(live_server: LiveServer, chromium: Launch):
    """After a reload, and after Back and Forward, one press goes on: picture and sound are not asked for again."""
    person = await Person.at(await chromium(), live_server.drop_in)
    test = await to_speaker(person)
    for way in ("reload", "back"):
        if way == "reload":
            await person.page.reload()
        else:
            await person.page.goto("about:blank")
            await person.page.go_back()
        await person.page.wait_for_selector("#resume:visible")
        await person.until("#unfinished-text", "resume.middle")
        assert await person.reads("#start") == person.words("resume.anew"), way
        await person.press("resume")
        assert await person.wait_step("picture", "sound", "speaker") == "speaker", way
        await person.until("#speaker-text", "speaker.played")
    report = await person.finish()
    assert report["id"] == test
    assert report["cause"] is None
    assert check(report, "camera.people")["value"] == 1
    assert not await person.complaints()


async def test_who_starts_again_after_a_reload_gets_a_test_from_the_beginning(
    live_server: LiveServer, chromium: Launch
):
    """Going on is an offer; the old test is left behind."""
    person = await Person.at(await chromium(), live_server.drop_in)
    test = await to_sound(person)
    await person.page.reload()
    await person.page.wait_for_selector("#resume:visible")
    await person.start()
    assert await person.wait_step("picture", "speaker") == "picture"
    assert await person.page.evaluate(TEST) != test


async def test_a_second_window_says_that_the_test_runs_and_takes_it_over(annas_link: str, chromium: Launch):
    """The first one says so and can have it back; once there is an answer, both show it, with its code."""
    context = await (await chromium()).new_context(viewport=PHONE, locale="nb-NO")
    first = await Person.at(context, annas_link)
    test = await to_speaker(first)
    second = await Person.at(context, annas_link)
    await second.until("#unfinished-text", "resume.other_window")
    assert await second.reads("#resume") == second.words("resume.here")
    await second.press("resume")
    await first.wait_step("stopped")
    assert await first.reads("#stopped-text") == first.words("error.replaced")
    assert await second.wait_step("picture", "sound", "speaker") == "speaker"

    await first.press("retry")
    await second.wait_step("stopped")
    assert await second.reads("#stopped-text") == second.words("error.replaced")
    report = await first.finish(tell={"private_room": "yes"})
    assert report["id"] == test
    await second.press("retry")
    await second.page.wait_for_selector("html[data-verdict]", state="attached")
    assert await second.reads("#code") == report["code"]
    assert not await first.complaints()
    assert not await second.complaints()


async def test_another_device_is_told_where_the_test_runs(annas_link: str, chromium: Launch):
    """Its camera is another one, so it starts anew; then the first one says where the test is."""
    browser = await chromium()
    first = await Person.at(browser, annas_link)
    await to_sound(first)
    second = await Person.at(browser, annas_link)
    await second.until("#unfinished-text", "resume.other_device")
    assert not await second.page.is_visible("#resume")
    await second.start()
    assert await second.wait_step("picture", "speaker") == "picture"
    await first.wait_step("stopped")
    assert await first.reads("#stopped-text") == first.words("error.replaced")


async def test_what_to_do_and_the_code_come_back(annas_link: str, chromium: Launch):
    """Whoever opens the link again after an answer can read it again, and call with its code."""
    context = await (await chromium(ask=True)).new_context(viewport=PHONE, locale="nb-NO")
    person = await Person.at(context, annas_link)
    await person.allow(camera=False, microphone=False)
    await person.start()
    await person.until("#devices-title", "devices.problem_title")
    await person.press("next")
    report = await person.finish(tell={})
    todo = await person.reads("#todo")
    again = await Person.at(context, annas_link)
    await again.press("show-answer")
    await again.page.wait_for_selector("html[data-verdict]", state="attached")
    await again.sees_verdict(report["verdict"])
    assert await again.reads("#code") == report["code"]
    assert await again.reads("#todo") == todo
    await again.allow(camera=True, microphone=True)
    await again.press("retry")
    assert await again.wait_step("picture") == "picture"


SOON_MS = 5000.0
"""So much later the page's clock is stopped: a clock that is asked to stop in its past refuses."""


@pytest.mark.parametrize("moment", ["before", "middle"])
async def test_a_server_that_stays_away_is_told_in_time(own_server: LiveServer, chromium: Launch, moment: str):
    """Longer than usual, then whom to call and how to go on later; nothing frozen; and it goes on by itself."""
    context = await (await chromium()).new_context(viewport=PHONE, locale="nb-NO")
    person = Person(await context.new_page())
    await person.page.clock.install()
    await person.open(own_server.links["selftest_url"])
    if moment == "middle":
        await person.start()
        await person.look(patiently=False)
        await person.wait_step("sound")
    own_server.kill()
    if moment == "before":
        await person.start()
        await person.wait_until("() => document.querySelector('#preview').srcObject !== null")
    else:
        await person.until("#waiting-text", "waiting.lost")
    # From here on the page's time is ours: a busy machine's runs on while we look.
    await person.page.clock.pause_at((await person.page.evaluate("Date.now()") + SOON_MS) / 1000)
    await person.page.clock.run_for(10_000 - SOON_MS)
    await person.until("#waiting-text", "waiting.longer")
    assert not await person.page.is_visible("#countdown")
    assert not await person.page.is_visible("#waiting-call")
    await person.page.clock.run_for(45_000)
    await person.until("#waiting-text", "waiting.call")
    assert await person.reads("#waiting-call") == person.words("help.call_us", await person.phone())
    later = await person.reads("#waiting-later")
    assert person.words("waiting.later") in later
    assert (person.words("waiting.kept") in later) == (moment == "middle")

    own_server.start()
    await person.page.clock.resume()
    await person.press("try-now")
    await person.wait_step("picture", "sound", "speaker")
    report = await person.finish(look=False, tell={}, timeout_s=90)
    assert report["cause"] is None


async def test_who_gives_up_waiting_is_offered_to_go_on_later(own_server: LiveServer, chromium: Launch):
    """The way out leads to the first page; when the service is back the same link goes on where it stopped."""
    context = await (await chromium()).new_context(viewport=PHONE, locale="nb-NO")
    own_link = own_server.links["selftest_url"]  # the demo of the next start is another meeting
    person = await Person.at(context, own_link)
    test = await to_speaker(person)
    own_server.kill()
    await person.wait_step("waiting")
    await person.press("leave")
    await person.wait_step("welcome")
    own_server.start()
    later = await Person.at(context, own_link)
    await later.press("resume")
    assert await later.wait_step("picture", "sound", "speaker") == "speaker"
    assert (await later.finish(tell={}))["id"] == test


async def test_more_time_shows_that_it_was_given(live_server: LiveServer, chromium: Launch):
    """A press has a visible answer, in the picture as in the sound."""
    person = await Person.at(await chromium("black", "silence_zeros"), live_server.drop_in)
    await person.start()
    await person.wait_step("picture")
    await person.press("more-time")
    await person.until("#picture-more", "action.more_time_given")
    await person.press("next")
    await person.wait_step("sound")
    await person.page.wait_for_selector("#sound-more:visible")
    assert await person.page.text_content("#sound-given") == ""
    await person.press("more-time")
    await person.until("#sound-given", "action.more_time_given")


async def test_a_permission_that_is_still_missing_is_said_again(live_server: LiveServer, chromium: Launch):
    """The same button pressed twice changes what stands there, and focus stays on the page's own words."""
    person = await Person.at(await chromium(ask=True), live_server.drop_in)
    await person.allow(camera=False, microphone=False)
    await person.start()
    await person.until("#devices-text", "devices.problem")
    await person.press("retry")
    await person.until("#devices-text", "devices.denied_again")
    assert await person.page.evaluate(FOCUS) == "devices-title"
