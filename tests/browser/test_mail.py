"""The mails as a reader shows them: no violation of axe, best practice included, and they fit with large letters."""

from __future__ import annotations

import pytest

from readiness.meetings.messages import render_message
from readiness.texts import LANGUAGES
from tests.browser.conftest import Launch
from tests.browser.fit import ROOMS, Room, settle, unfit
from tests.browser.test_accessibility import RULES, violations
from tests.meetings.test_messages import KINDS, context, wish


@pytest.mark.parametrize("room", ROOMS[:2], ids=[room.name for room in ROOMS[:2]])
async def test_every_mail_is_accessible(chromium: Launch, room: Room):
    """All kinds in all languages, to participants and hosts: a main part, one first heading, and it fits."""
    page = await (await chromium(arguments=room.arguments)).new_page()
    await settle(page, room)
    found = {}
    for language in LANGUAGES:
        for role, kinds in KINDS.items():
            for kind in kinds:
                await page.set_content(render_message(wish(kind, "mail"), context(language, role)).html)
                found[language, role, kind] = await violations(page, [*RULES, "best-practice"])
                assert await page.locator("h1").count() == 1
                await settle(page, room)
                found[language, role, kind] += await unfit(page)
    assert not {mail: wrong for mail, wrong in found.items() if wrong}


async def test_a_fault_of_a_mail_would_be_seen(chromium: Launch):
    """A mail without main part and heading is found out."""
    page = await (await chromium()).new_page()
    html = render_message(wish("invitation", "mail"), context("nb", None)).html
    await page.set_content(html.replace('role="main"', "").replace("<h1", "<p").replace("</h1", "</p"))
    found = {line.split(":")[0] for line in await violations(page, [*RULES, "best-practice"])}
    assert found == {"landmark-one-main", "page-has-heading-one", "region"}
