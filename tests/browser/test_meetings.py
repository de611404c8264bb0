"""A meeting from the organiser's first tap to the leader's printed sheet, in a real browser, with real mail and SMS."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, Page

from readiness.access.links import organiser_link
from readiness.demo import DEMO_SLUG
from readiness.texts import LANGUAGES, catalogue
from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import DESKTOP, LOCALES, PHONE, Person
from tests.browser.test_accessibility import SMALL, TOO_WIDE, violations
from tests.integration.support import program
from tests.meetings.receivers import Gateway, Mailbox, gateway, mailbox

WAIT_S = 20.0
ANNA, LARS, TOLK = "anna@home.example", "lars@hospital.example", "+4790000002"
TURNS = """
() => {
  const look = () => {
    for (const row of document.querySelectorAll("#participants > li")) {
      const name = row.querySelector("h3").textContent;
      const seen = (window.turned ??= {})[name] ??= {};
      seen[row.dataset.state] ??= Date.now();
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  look();
}
"""
"""Notes when each row of the board first showed each state, by the page's own clock."""


@dataclass
class Place:
    """A server that sends mail and SMS, and who takes them."""

    server: LiveServer
    mails: Mailbox
    sms: Gateway
    organiser: str


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def organiser_of(server: LiveServer) -> str:
    """A fresh link to the organiser's pages of the demo."""
    store = await server.open_store()
    try:
        demo = await store.organisation(DEMO_SLUG)
        assert demo is not None
        return await organiser_link(store, demo, server.base, datetime.now(tz=UTC))
    finally:
        await store.close()


@pytest_asyncio.fixture(loop_scope="session")
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A demo server of its own, with a mail server and an SMS gateway on loopback."""
    port = _free_port()
    async with mailbox() as mails, gateway() as sms:
        server = LiveServer(tmp_path / "own", port=port, flags=("--force",))
        server.settings = {
            "READINESS_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "READINESS_SMTP_URL": mails.url,
            "READINESS_MAIL_FROM": "video@hospital.example",
            "READINESS_SMS_URL": sms.url,
        }
        try:
            await asyncio.to_thread(server.start)
            yield Place(server, mails, sms, await organiser_of(server))
        finally:
            await asyncio.to_thread(server.stop)


async def until(found: Callable[[], Any], what: str, within_s: float = WAIT_S) -> Any:
    """Wait until `found` gives something."""
    async with asyncio.timeout(within_s):
        while not (value := found()):
            await asyncio.sleep(0.05)
    assert value, what
    return value


def links_in(mail: EmailMessage) -> list[str]:
    """The addresses of ours in a mail's plain part."""
    body = mail.get_body(("plain",))
    assert body is not None
    return re.findall(r"http://127\.0\.0\.1:\d+/\S+#[\w-]+", body.get_content())


async def opened(
    where: Browser, url: str, shows: str, *, phone: bool = False, **context: Any
) -> tuple[Page, list[str]]:
    """Open an address in a context of its own. Returns the page, and what it complains of."""
    more = {"viewport": PHONE if phone else DESKTOP, "locale": LOCALES["nb"]} | context
    page = await (await where.new_context(**more)).new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
    await page.goto(url)
    await page.wait_for_selector(shows)
    return page, complaints


async def plan(page: Page) -> None:
    """Make a meeting with a patient, an interpreter and a room, as somebody does who has the details at hand."""
    await page.click(f"text={catalogue('nb')['plan.new']}")
    await page.wait_for_selector("#people > li")
    await page.fill("#name", "Kontroll")
    people = page.locator("#people > li")
    await people.nth(0).locator("[data-field=label]").fill("Anna")
    await people.nth(0).locator("[data-field=mail]").fill(ANNA)
    for number, (role, label, phone) in enumerate((("interpreter", "T. K.", "900 00 002"), ("meeting_room", "", ""))):
        await page.click("#add")
        await people.nth(number + 1).locator("[data-field=role]").select_option(role)
        await people.nth(number + 1).locator("[data-field=label]").fill(label)
        await people.nth(number + 1).locator("[data-field=phone]").fill(phone)
    await people.nth(2).locator("[data-field=together]").fill("4")
    await page.fill("#leader-label", "Lars")
    await page.fill("#leader-mail", LARS)
    await page.fill("#leader-phone", "900 00 001")
    await page.fill("#join", "https://join.example/1234")
    await page.click("#save")
    await page.wait_for_selector("#participants > li:nth-child(3)")


def row(page: Page, name: str) -> Any:
    """The card of somebody on a page."""
    return page.locator("#participants > li, #hosts > li", has_text=name)


async def test_from_the_first_tap_to_the_printed_sheet(place: Place, chromium: Launch, tmp_path: Path):
    """Planned, invited by mail and SMS, tested from the mailed link while the board is open: it turns within 1 s."""
    browser = await chromium()
    organiser, wrong = await opened(browser, place.organiser, "#coming li")
    await plan(organiser)
    made = organiser.url
    mail = (await until(lambda: place.mails.to(ANNA), "Anna's invitation"))[0]
    board_mail = (await until(lambda: place.mails.to(LARS), "the leader's link"))[0]
    invited = await until(place.sms.sent, "the interpreter's SMS")
    assert TOLK in str(invited[0])
    await row(organiser, "Anna").locator("text=Innkalt med e-post").wait_for()

    board, board_wrong = await opened(browser, links_in(board_mail)[0], "#participants > li:nth-child(3)", phone=True)
    assert await board.inner_text("#summary") == "Klare: 0 av 3"
    assert await board.get_attribute("#join", "href") == "https://join.example/1234"
    await board.evaluate(TURNS)

    anna = await Person.at(browser, links_in(mail)[0])
    await anna.start()
    report = await anna.finish()
    await board.wait_for_selector(f"#participants > li[data-state={report['verdict']}]")
    told_at = await anna.page.evaluate("window.caughtReports.at(-1).at")
    turned_at = (await board.evaluate("window.turned"))["Anna"][report["verdict"]]
    print(f"the board turned {turned_at - told_at} ms after the patient saw the answer")
    assert turned_at - told_at < 1000
    assert not await anna.complaints()

    await taps(board, place)
    sheet = await board.evaluate(
        "fetch(document.querySelector('#print').href).then(r => r.arrayBuffer()).then(b => [...new Uint8Array(b)])"
    )
    printed = subprocess.run(
        [program("pdftotext"), "-layout", "-", "-"], input=bytes(sheet), capture_output=True, check=True
    )
    text = printed.stdout.decode()
    assert catalogue("nb")[f"state.{report['verdict']}"] in text
    assert "Anna" in text
    assert "90000002" in re.sub(r"\s", "", text), "the numbers that the leader may see"

    await organiser.goto(made)
    await change(organiser, browser, place, links_in(mail)[0])
    assert wrong == []
    assert ["400" in line for line in board_wrong] == [True], "the wrong digits, and nothing else"


async def taps(board: Page, place: Place) -> None:
    """One tap each: send again, hand over; phone numbers after the six digits; the guides."""
    before = len(place.sms.sent())
    await row(board, "T. K.").locator("[data-tap=resend]").click()
    await until(lambda: len(place.sms.sent()) > before, "the link again")
    room = row(board, catalogue("nb")["role.meeting_room"])
    assert await room.locator("[data-tap=resend]").count() == 0, "nobody knows where to send it"
    await room.locator("[data-tap=handover]").click()
    await room.locator("text=Sendt til teknisk hjelp").wait_for()
    assert await board.locator("a[href^='tel:+4790']").count() == 0
    before = len(place.sms.sent())
    await board.click("#send-pin")
    message = (await until(lambda: place.sms.sent()[before:], "the six digits"))[0]
    assert "4790000001" in str(message)
    digits = re.search(r"\b(\d{6})\b", next(value for value in message.values() if "4790000001" not in value))
    assert digits
    await board.fill("#pin-digits", str((int(digits[1]) + 1) % 10**6).zfill(6))
    await board.keyboard.press("Enter")
    await board.wait_for_selector("#pin-said:not(:empty)")
    await board.fill("#pin-digits", digits[1])
    await board.keyboard.press("Enter")
    await row(board, "T. K.").locator(f"a[href='tel:{TOLK}']").wait_for()
    await board.click("[data-open=emergency]")
    assert await board.is_visible("#emergency a[href='tel:113'] >> nth=0")
    await board.keyboard.press("Escape")


async def change(organiser: Page, browser: Browser, place: Place, link: str) -> None:
    """Move: the same link in a new mail. A typed code opens the test. Cancelled: told, and the link says so."""
    await organiser.wait_for_selector("#participants > li:nth-child(3)")
    await organiser.click("[data-open=move]")
    await organiser.fill("#time", "13:30")
    await organiser.click("#move button[value=yes]")
    await organiser.locator("#when", has_text="13.30").wait_for()
    moved = (await until(lambda: place.mails.to(ANNA)[1:], "told of the new time"))[0]
    assert links_in(moved) == [link]
    await row(organiser, catalogue("nb")["role.meeting_room"]).locator("[data-tap=link]").click()
    await organiser.wait_for_selector("#link[open]")
    code = (await organiser.inner_text("#link-code")).split(" ")[-1]
    await organiser.keyboard.press("Escape")
    typing, _ = await opened(browser, f"{place.server.base}/o/{DEMO_SLUG}/code", "#typed", phone=True)
    for typed, problem in (("K7M", "code.malformed"), ("0000000000", "code.unknown")):
        await typing.fill("#typed", typed)
        await typing.keyboard.press("Enter")
        said = catalogue("nb")[problem].split("{", maxsplit=1)[0]
        await typing.locator("#problem:visible", has_text=said).wait_for()
    await typing.fill("#typed", code.lower())
    await typing.keyboard.press("Enter")
    await typing.wait_for_selector("[data-action=start]:enabled")
    await organiser.click("[data-open=cancel]")
    await organiser.click("#cancel button[value=yes]")
    await organiser.wait_for_selector("#cancelled:visible")
    await until(lambda: place.mails.to(ANNA)[2:], "told that it is cancelled")
    dead, _ = await opened(browser, link, "#stopped-title:visible", phone=True)
    assert await dead.inner_text("#stopped-title") == catalogue("nb")["error.meeting.off.title"]


BAD_FILE = (
    "meeting;starts;minutes;role;label;mail\n"
    "1;2027-01-05 10:00;45;patient;Anna;anna\n"
    "2;2027-01-05 11:00;45;patient;Per;\n"
)


async def test_everybody_can_use_the_organisers_pages(own_server: LiveServer, chromium: Launch):
    """Every page in every language, light and dark, narrow; a file with a bad row changes nothing until told to.

    This server has neither mail nor SMS: the organiser reads that the invitations did not arrive, and why.
    """
    browser = await chromium()
    page, wrong = await opened(browser, await organiser_of(own_server), "#coming li")
    home = page.url
    await plan(page)
    made = page.url
    await row(page, "Anna").locator("text=Innkallingen kom ikke fram").wait_for()
    assert catalogue("nb")["delivery.no_mail_server"] in await row(page, "Anna").inner_text()
    found: dict[Any, list[str]] = {}

    async def look(lang: str, name: str) -> None:
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        await page.emulate_media(color_scheme="dark" if lang == "nn" else "light")
        found[lang, name] = await violations(page)
        await page.set_viewport_size(SMALL)
        found[lang, name, "wide"] = await page.evaluate(TOO_WIDE.replace('"svg")', '"svg, .scroll, pre")'))
        await page.set_viewport_size(DESKTOP)

    for lang in LANGUAGES:
        for name, address, shows in (
            ("list", home, "#coming li a"),
            ("new", f"{home}/new", "#people > li"),
            ("like", f"{home}/new?like={made.rsplit('/', 1)[1].split('?')[0]}", "#people > li:nth-child(3)"),
            ("meeting", made.split("?")[0], "#participants > li:nth-child(3)"),
            ("import", f"{home}/import", "#file"),
            ("code", f"{own_server.base}/o/{DEMO_SLUG}/code", "#typed"),
        ):
            await page.goto(f"{address}{'&' if '?' in address else '?'}lang={lang}")
            await page.wait_for_selector(shows)
            await look(lang, name)
            if (lang, name) == ("nb", "meeting"):
                for dialog in ("move", "cancel", "person"):
                    await page.click(f"[data-open={dialog}] >> nth=0")
                    found[lang, dialog] = await violations(page)
                    await page.keyboard.press("Escape")
    await page.goto(f"{home}/import?lang=en")
    await page.set_input_files("#file", {"name": "plan.csv", "mimeType": "text/csv", "buffer": BAD_FILE.encode()})
    await page.click("#import button")
    await page.wait_for_selector("#rows tr")
    assert (await page.inner_text("#rows")).startswith("2")
    assert catalogue("en")["error.person.mail"] in await page.inner_text("#rows")
    await look("en", "bad rows")
    await page.click("#skip")
    await page.locator("#said", has_text="New meetings: 1").wait_for()
    await page.goto(f"{home}?lang=en")
    await page.locator("#coming", has_text="5 January").wait_for()
    await page.fill("#words", "kontroll")
    await page.wait_for_function("() => document.querySelectorAll('#coming .line').length === 1")
    assert not {state: one for state, one in found.items() if one}
    assert wrong == []
