"""The person's own answer can be deleted by the person, at once and everywhere."""

from __future__ import annotations

from tests.browser.person import Person


async def test_LNK_4_the_person_deletes_the_own_answer(live_server, chromium):
    """One press under the figures: the answer is gone from the database, and the page says so.

    The answer of somebody without camera and microphone is one like any other, and comes soonest.
    """
    browser = await chromium(ask=True)
    person = await Person.at(browser, live_server.drop_in)
    await person.allow(camera=False, microphone=False)
    await person.start()
    await person.until("#devices-title", "devices.problem_title")
    await person.press("next")
    report = await person.finish()
    session = person.page.url.rsplit("/", 1)[1]
    look = "id => fetch(`/api/v1/sessions/${id}`).then((answer) => answer.json())"
    assert (await person.page.evaluate(look, session))["last_report"]["id"] == report["id"]
    await person.page.click("[data-step=answer] summary")
    await person.page.click("[data-action=delete-report]")
    await person.page.wait_for_selector("#deleted:has-text('slettet')")
    assert (await person.page.evaluate(look, session))["last_report"] is None
    assert not await person.page.is_visible("#figures")
