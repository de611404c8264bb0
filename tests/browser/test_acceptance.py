"""One link that Anna can trust: from the plan to the sums of what was answered, walked as its people walk it.

A real server with real mail and SMS on loopback, a real Chromium whose camera sees two people, and a page of our own in
the place of the video solution. Only the clock is turned.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest_asyncio
from playwright.async_api import Page

from readiness.access.links import organiser_link
from readiness.meetings.reminders import AFTER, Reminders
from readiness.server.participant import JOINS_BEFORE
from readiness.texts import catalogue
from reports.overview import last_month, weeks_of
from reports.store.records import Meeting
from tests.browser.conftest import Launch
from tests.browser.person import CATCH_REPORTS, QUIET_WHEN_ASKED, Person, check
from tests.browser.test_accessibility import TOO_WIDE, violations
from tests.browser.test_meetings import links_in, opened, until
from tests.browser.test_short_check import Video, video
from tests.cast import SUNNAAS
from tests.conftest import Server, served
from tests.integration.support import program
from tests.meetings.receivers import Gateway, Mailbox, gateway, mailbox
from tests.server.test_afterwards import made_answers

__all__ = ["video"]

WORDS = catalogue("nb")
ANNA, LARS, TOLK = "anna@home.example", "lars@hospital.example", "900 00 002"
NUMBER = "912 34 567"
MINUTE = timedelta(minutes=1)
CODE = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}\b")


@dataclass
class House:
    """The hospital's server, what it sends, and a link to plan there."""

    server: Server
    mails: Mailbox
    sms: Gateway
    organiser: str

    def turn(self, moment: datetime) -> None:
        """Turn the clock of the service."""
        self.server.services.now = lambda: moment

    async def meeting(self) -> Meeting:
        """The one that was planned."""
        now = datetime.now(tz=UTC)
        (found,) = await self.server.store.meetings_starting((now, now + timedelta(days=30)))
        return found

    async def ask(self) -> None:
        """Look once what is due, which the server does every 20 s."""
        services = self.server.services
        await Reminders(services.store, services.contacts, now=services.now, can_sms=True).queue_due()


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path, migrated_file: Path) -> AsyncIterator[House]:
    """Everything on loopback; the organisation asks afterwards."""
    async with mailbox() as mails, gateway() as sms:
        sending = {
            "READINESS_MAIL_FROM": "video@hospital.example",
            "READINESS_SMTP_URL": mails.url,
            "READINESS_SMS_URL": sms.url,
        }
        async with served(tmp_path, migrated_file, **sending) as server:
            server.services.base_url = server.base
            organisation = await server.store.ensure_organisation(replace(SUNNAAS, asks_afterwards=True))
            link = await organiser_link(server.store, organisation, server.base, datetime.now(tz=UTC))
            yield House(server, mails, sms, link)


async def looked_at(page: Page, name: str, folder: Path) -> None:
    """A picture to look at; axe finds nothing, and nothing is too wide."""
    await page.screenshot(path=folder / f"{name}.png", full_page=True)
    assert await violations(page) == [], name
    assert await page.evaluate(TOO_WIDE.replace('"svg")', '"svg, .scroll")')) == [], name


async def test_a_pair_goes_one_way_from_the_invitation_to_the_question(
    house: House,
    video: Video,
    chromium: Launch,
    tmp_path: Path,
) -> None:
    """Two test with one link, are seen as two, read the notice, leave a number, go in on the day, and are asked."""
    browser, room = await chromium("pair"), f"https://localhost:{video.port}/room"
    organiser, wrong = await opened(browser, house.organiser, "a[href*='/new']")
    await plan_pair(organiser, room)
    link = links_in((await until(lambda: house.mails.to(ANNA), "Anna's invitation"))[0])[0]
    board_link = links_in((await until(lambda: house.mails.to(LARS), "the leader's link"))[0])[0]
    invited = (await until(house.sms.sent, "the interpreter's SMS"))[0]
    meeting = await house.meeting()
    await organiser.close()  # its session is over once the clock is turned, and the page would ask for it in vain

    anna = await Person.at(browser, link, ignore_https_errors=True)
    async with anna.page.expect_popup() as popup:
        await anna.page.click("[data-page=privacy]")
    notice = await popup.value
    await notice.wait_for_url("**/o/sunnaas/privacy**")
    assert SUNNAAS.name in await notice.inner_text("body")
    await notice.close()
    await anna.start()
    await anna.wait_step("picture")
    assert await anna.page.is_checked("[name=people][value='2']"), "as many as were planned"
    await anna.page.screenshot(path=tmp_path / "picture.png", full_page=True)
    report = await anna.finish(tell={"private_room": "yes", "phone": NUMBER})
    people = check(report, "camera.people")
    assert (people["value"], people["details"]["expected_people"], people["outcome"]) == (2, 2, "pass")
    assert check(report, "practical.people")["value"] == 2
    assert check(report, "practical.phone")["value"] == "given"

    lars, board_wrong = await opened(browser, board_link, "#participants > li:nth-child(2)", phone=True)
    await leads(lars, tmp_path)

    house.turn(meeting.starts_at - JOINS_BEFORE + MINUTE)
    await anna.page.goto(link)
    await anna.page.click("#join-go:visible")
    await anna.page.wait_for_url(room)
    assert await anna.page.inner_text("body") == "an icon", "the solution's stand-in answers so"
    assert video.seen == 1

    house.turn(meeting.ends_at + AFTER + MINUTE)
    await house.ask()
    asked = await until(lambda: about(house.mails, ANNA, "mail.afterwards.subject"), "Anna is asked")
    assert links_in(asked[0]) == [link]
    begins = WORDS["sms.afterwards"].partition("{")[0]
    told = await until(lambda: [one for one in house.sms.sent() if begins in str(one)], "the interpreter is asked")
    assert re.findall(r"#[\w-]+", str(told[0])) == re.findall(r"#[\w-]+", str(invited)), "by the same link"
    await answers(anna.page, link)
    await sums(lars, house, meeting, tmp_path)
    assert wrong == board_wrong == await anna.complaints() == []


def about(mails: Mailbox, whom: str, subject: str) -> list:
    """The mails to somebody with this subject."""
    return [mail for mail in mails.to(whom) if mail["Subject"] == WORDS[subject]]


async def plan_pair(page: Page, link: str) -> None:
    """Two who sit together, an interpreter with a phone, and a leader; the number to call is asked for."""
    await page.click(f"text={WORDS['plan.new']}")
    await page.wait_for_selector("#people > li")
    await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    await page.fill("#name", "Kontroll")
    await page.fill("#unit", "Hjerte")
    people = page.locator("#people > li")
    await people.nth(0).locator("[data-field=label]").fill("Anna")
    await people.nth(0).locator("[data-field=mail]").fill(ANNA)
    await people.nth(0).locator("[data-field=together]").fill("2")
    await page.click("#add")
    await people.nth(1).locator("[data-field=role]").select_option("interpreter")
    await people.nth(1).locator("[data-field=label]").fill("T. K.")
    await people.nth(1).locator("[data-field=phone]").fill(TOLK)
    await page.fill("#leader-label", "Lars")
    await page.fill("#leader-mail", LARS)
    await page.fill("#join", link)
    await page.check("#questions [value=phone]")
    await page.click("#save")
    await page.wait_for_selector("#participants > li:nth-child(2)")


async def leads(board: Page, folder: Path) -> None:
    """Lars reads that the pair is two, tests with one tap though somebody sits beside him, and has the checklist."""
    await board.locator("#participants > li", has_text="Anna").locator("text=2 sitter sammen").wait_for()
    assert await board.get_attribute("#leaders > li", "data-state") == "not_tested"
    await looked_at(board, "board", folder)
    home = board.url
    for script in (QUIET_WHEN_ASKED, CATCH_REPORTS):
        await board.add_init_script(script)
    await board.click("[data-test=own]")
    await board.wait_for_url("**/t/*")
    await board.wait_for_selector("[data-action=start]:enabled")
    lars = Person(board)
    await lars.start()
    await lars.wait_step("picture")
    question = WORDS["hint.camera.more_people"].replace("{seen}", "2")
    await board.locator("#picture-hint", has_text=question).wait_for()
    await board.screenshot(path=folder / "more_people.png", full_page=True)
    await board.click("label:has([name=people][value='1'])")
    await board.locator("#picture-hint", has_text=question).wait_for(state="hidden")
    report = await lars.finish(look=False)
    assert (check(report, "camera.people")["outcome"], check(report, "practical.people")["value"]) == ("pass", 1)
    await board.goto(home)
    await board.wait_for_selector(f"#leaders > li[data-state={report['verdict']}]")
    await board.screenshot(path=folder / "board_tested.png", full_page=True)
    await board.click("[data-open=checklist]")
    point = board.locator("#checklist .guide-text:not([hidden]) input").first
    await point.check()
    await board.keyboard.press("Escape")


async def answers(page: Page, link: str) -> None:
    """Anna says how it went, that she is content, and that she would do it again: three taps."""
    await page.goto(link)
    await page.wait_for_selector("#after:visible")
    for word in ("after.score_5", "after.satisfied_4", "after.again_yes"):
        await page.click(f"#after button:text-is('{WORDS[word]}')")
        await page.wait_for_selector(f"#after button[aria-pressed=true]:text-is('{WORDS[word]}')")
        await page.locator("#after [role=status]", has_text=WORDS["after.thanks"]).wait_for()


async def sums(board: Page, house: House, meeting: Meeting, folder: Path) -> None:
    """Lars says whose sound failed, and reads the sums of the ten who answered in the last month that is over."""
    await board.reload()
    for tap in ("[data-score='2']", "[data-problem=sound]", "[data-whose=self]"):
        await board.click(tap)
        await board.wait_for_selector(f"{tap}[aria-pressed=true]")
    week, _ = weeks_of(last_month(house.server.services.now().date()))
    more = {"satisfied": 5, "again": "maybe", "unit": "Hjerte"}
    await made_answers(house.server, meeting, "sunnaas", None, [4] * 10, week=week, **more)
    await board.click("#sums")
    await board.wait_for_selector("table")
    line = await board.inner_text("tbody tr >> nth=0")
    assert line.split("\t")[:4] == ["Hjerte", WORDS["figures.participants"], "10", "100 %"]
    await looked_at(board, "sums", folder)


async def test_a_letter_patients_meeting_is_moved_and_somebody_calls(house: House, chromium: Launch, tmp_path: Path):
    """No message reaches her: the organiser reads whom to call, and prints a letter: the new time, the same code."""
    browser = await chromium()
    organiser, wrong = await opened(browser, house.organiser, "a[href*='/new']")
    await organiser.click(f"text={WORDS['plan.new']}")
    await organiser.wait_for_selector("#people > li")
    await organiser.locator("#people > li").nth(0).locator("[data-field=label]").fill("Anna")
    await organiser.uncheck("#invite")
    await organiser.click("#save")
    await organiser.wait_for_selector("#participants > li")
    first = await letter(organiser, tmp_path / "first.pdf")
    assert await organiser.is_hidden("#call")
    await organiser.click("[data-open=move]")
    await organiser.fill("#time", "13:30")
    await organiser.click("#move button[value=yes]")
    await organiser.locator("#call:visible", has_text="Anna").wait_for()
    await looked_at(organiser, "call", tmp_path)
    second = await letter(organiser, tmp_path / "second.pdf")
    starts = (await house.meeting()).starts_at.astimezone(ZoneInfo(SUNNAAS.time_zone))
    assert f"{starts:%H:%M}" == "13:30"
    said = re.compile(r"13[.:]30")
    assert said.search(second)
    assert not said.search(first)
    codes = [set(CODE.findall(one)) for one in (first, second)]
    assert codes[0] == codes[1] != set(), "the first letter's code goes on"
    assert wrong == []


async def letter(page: Page, path: Path) -> str:
    """Print the letters, and return their text."""
    async with page.expect_download() as download:
        await page.click("#letters")
    await (await download.value).save_as(path)
    printed = subprocess.run([program("pdftotext"), "-layout", str(path), "-"], capture_output=True, check=True)
    return printed.stdout.decode()
