"""Forms: what is wrong is told at its field, what was typed is kept, and nobody leaves a half-filled one unasked."""

from __future__ import annotations

from playwright.async_api import Page

from readiness.texts import catalogue
from tests.browser.conftest import Launch, LiveServer
from tests.browser.hearing import Listener
from tests.browser.test_meetings import opened, organiser_of

DESCRIBED = """
selector => {
  const field = document.querySelector(selector);
  const ids = (field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
  const told = ids.map(id => document.getElementById(id)?.textContent).join(" ");
  return { told, invalid: field.getAttribute("aria-invalid"), focused: document.activeElement === field };
}
"""
MAIL, PHONE, TOGETHER = ("#people [data-field=mail]", "#people [data-field=phone]", "#people [data-field=together]")


async def new_meeting(server: LiveServer, chromium: Launch) -> Page:
    """The form of a new meeting, empty."""
    page, _ = await opened(await chromium(), await organiser_of(server), "#coming li")
    await page.goto(page.url.split("?")[0] + "/new?lang=nb")
    await page.wait_for_selector("#people > li")
    return page


async def test_what_is_wrong_is_told_at_its_field(live_server: LiveServer, chromium: Launch):
    """Marked, described, the focus on the first, and a word on the whole; right again, nothing of it is left."""
    page, nb = await new_meeting(live_server, chromium), catalogue("nb")
    listener = await Listener.at(page)
    await page.fill(MAIL, "anna")
    await page.fill(TOGETHER, "99")
    await page.fill("#join", "join")
    await page.click("#save")
    assert await page.evaluate(DESCRIBED, MAIL) == {
        "told": nb["error.person.mail"],
        "invalid": "true",
        "focused": True,
    }
    told = await page.evaluate(DESCRIBED, TOGETHER)
    assert told["told"] == nb["plan.wrong.range"].replace("{min}", "1").replace("{max}", "50")
    assert nb["error.meeting.link"] in (await page.evaluate(DESCRIBED, "#join"))["told"]
    summary = nb["plan.wrong.several"].replace("{count}", "3")
    assert await page.inner_text("#problem") == summary
    assert [line for line in await listener.hear() if summary in line] == [f"said: {summary}"]
    await page.fill(TOGETHER, "2")
    await page.fill("#join", "")
    await page.click("#save")
    assert await page.inner_text("#problem") == nb["plan.wrong.one"].replace("{field}", nb["plan.mail"])
    assert (await page.evaluate(DESCRIBED, TOGETHER))["told"] == ""
    await page.fill(MAIL, "anna@home.example")
    await page.click("#save")
    await page.wait_for_selector("#participants > li")


async def test_what_the_service_refuses_is_told_at_its_field(live_server: LiveServer, chromium: Launch):
    """A telephone number that only the service knows is wrong, and a field that another page let through."""
    page, nb = await new_meeting(live_server, chromium), catalogue("nb")
    await page.fill(PHONE, "12")
    await page.click("#save")
    await page.wait_for_selector(f"{PHONE}[aria-invalid]")
    assert await page.evaluate(DESCRIBED, PHONE) == {
        "told": nb["error.person.phone"],
        "invalid": "true",
        "focused": True,
    }
    assert await page.input_value(PHONE) == "12", "what was typed stays"
    await page.fill(PHONE, "")
    await page.evaluate(f"document.querySelector('{TOGETHER}').removeAttribute('max')")
    await page.fill(TOGETHER, "99")
    await page.click("#save")
    await page.wait_for_selector(f"{TOGETHER}[aria-invalid]")
    assert (await page.evaluate(DESCRIBED, TOGETHER))["told"] == nb["error.request.malformed"]
    await page.fill(TOGETHER, "1")
    await page.fill("#leader-phone", "34")
    await page.click("#save")
    await page.wait_for_selector("#leader-phone[aria-invalid]")
    assert await page.inner_text("#problem") == nb["plan.wrong.one"].replace("{field}", nb["plan.phone"])


async def test_what_was_typed_is_kept_and_leaving_asks(live_server: LiveServer, chromium: Launch):
    """A reload, and away and back: everything stands there again; once it is saved, nothing does and nothing asks."""
    page = await new_meeting(live_server, chromium)
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.type))
    await page.fill("#name", "Kontroll")
    await page.click("#add")
    await page.fill("#people > li:nth-child(2) [data-field=label]", "T. K.")
    await page.uncheck("#invite")

    async def stands_there() -> None:
        await page.wait_for_selector("#people > li:nth-child(2)")
        assert await page.input_value("#name") == "Kontroll"
        assert await page.input_value("#people > li:nth-child(2) [data-field=label]") == "T. K."
        assert not await page.is_checked("#invite")

    await page.reload()
    await stands_there()
    await page.click(".back a")
    await page.wait_for_selector("#coming li")
    assert asked == ["beforeunload", "beforeunload"]
    await page.go_back()
    await stands_there()
    await page.click("#save")
    await page.wait_for_selector("#participants > li:nth-child(2)")
    assert asked[2:] == []


async def test_what_is_taken_out_and_found_is_heard(live_server: LiveServer, chromium: Launch):
    """Somebody taken out of the form, and how many meetings a search finds: said once, the focus on something."""
    page, nb = await new_meeting(live_server, chromium), catalogue("nb")
    listener = await Listener.at(page)
    await page.click("#add")
    await listener.hear()
    await page.click("#people > li:nth-child(2) .remove")
    heard = await listener.hear()
    assert [line for line in heard if line.startswith("said")] == [f"said: {nb['plan.removed']}"]
    assert await page.evaluate("document.activeElement.id") == "add"
    await page.goto(page.url.split("/new")[0])
    await page.wait_for_selector("#coming li")
    listener = await Listener.at(page)
    await page.fill("#words", "something that no meeting is called")
    await page.wait_for_function("words => heard.some(one => one.words === words)", arg=nb["plan.none_found"])
    assert [line for line in await listener.hear() if line.startswith("said")] == [f"said: {nb['plan.none_found']}"]
