"""The meeting's morning and the hour after, in a real browser: a short check, the meeting's own page, one question."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reports.store.records import new_id
from tests.actors import add_meeting
from tests.browser.conftest import Launch
from tests.browser.person import PHONE, Person, check
from tests.browser.test_accessibility import AXE, RULES, RUN_AXE, TOO_WIDE
from tests.cast import invite, make_cast
from tests.conftest import Server
from tests.patience import was_busy
from tests.server import test_board as board

ASK = """
async ([session, url]) => {
  const base = document.querySelector("meta[name=readiness-static]").content;
  const { browserAsks, run } = await import(`${base}/selftest/js/checks/meeting_service.js`);
  return run(browserAsks(session, { url }));
}
"""
PLATFORM = """
async () => {
  const base = document.querySelector("meta[name=readiness-static]").content;
  const { platformOf } = await import(`${base}/selftest/js/platform.js`);
  return platformOf(navigator);
}
"""


@dataclass
class Video:
    """A video solution's own server: over TLS, of another origin, without CORS."""

    port: int
    mood: str = "answers"
    seen: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen += 1
        assert "Cookie" not in request.headers
        assert "Referer" not in request.headers
        if self.mood == "redirects":
            raise web.HTTPFound("https://elsewhere.example/")
        if self.mood == "closes" and request.transport:
            request.transport.close()
        return web.Response(text="an icon")


@pytest_asyncio.fixture(loop_scope="session")
async def video(tmp_path: Path) -> AsyncIterator[Video]:
    """The server, with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([]), dt.datetime.now(tz=dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - dt.timedelta(days=1))
    made = builder.not_valid_after(now + dt.timedelta(days=1)).add_extension(address, critical=True)
    certificate, private = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    server = Video(0)
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


async def looked_at(person: Person, name: str, tmp_path: Path) -> None:
    """Nothing too wide, nothing that axe finds."""
    await person.page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
    assert await person.page.evaluate(TOO_WIDE) == [], name
    await person.page.evaluate(AXE)
    assert await person.page.evaluate(RUN_AXE, RULES) == [], name


async def test_the_meetings_morning_and_the_hour_after_it(
    server: Server, chromium: Launch, video: Video, tmp_path: Path
) -> None:
    """Anna tested yesterday; today 15 seconds are enough, and she sees that she gets to the meeting's own page."""
    made = await make_cast(server.store)
    link = server.services.contacts.close(f"https://127.0.0.1:{video.port}/room")
    meeting = replace(made.meeting, id=new_id(), join_link=link)
    anna = replace(made.anna, id=new_id(), meeting_id=meeting.id)
    await add_meeting(server.store, meeting, [anna])
    cast = replace(made, meeting=meeting, anna=anna)
    token, _ = await invite(server.store, meeting, anna, expires_at=meeting.ends_at + dt.timedelta(days=7))
    browser = await chromium()
    context = await browser.new_context(ignore_https_errors=True, viewport=PHONE, locale="nb-NO")
    person = await Person.at(context, f"{server.base}/o/sunnaas/t#{token}")
    here = await person.page.evaluate(PLATFORM)
    await board.reported(server, cast, anna, board.phases(), client={"kind": "browser", **here})
    server.services.now = lambda: meeting.starts_at
    await person.page.reload()
    await person.page.wait_for_selector("#recheck-start:visible")
    assert await person.reads("#recheck-text") == person.words("recheck.text")
    assert video.seen == 0, "nobody is asked before the person agreed"
    await looked_at(person, "morning", tmp_path)

    await person.page.check("#service-ok")
    await person.page.evaluate("window.tappedAt = Date.now()")
    await person.press("start-short")
    report = await person.report()
    seconds = await person.page.evaluate("(window.caughtReports[0].at - window.tappedAt) / 1000")
    print(f"the short check took {seconds:.1f} s")
    assert report["mode"] == "recheck"
    assert was_busy(report) or report["verdict"] == "ready", report["advice"]
    assert (check(report, "meeting_service.reachable")["value"], video.seen) == ("open", 1)
    assert check(report, "camera.present")["measured_at"] is None
    assert check(report, "microphone.level")["measured_at"]
    assert await person.reads("#carried") == person.words("recheck.carried")
    await looked_at(person, "answer", tmp_path)

    session = person.page.url.split("/t/")[1].split("?")[0]
    url = f"https://127.0.0.1:{video.port}/favicon.ico"
    video.mood = "redirects"
    assert (await person.page.evaluate(ASK, [session, url]))["reached"], "who sends elsewhere has answered"
    video.mood = "closes"
    found = await person.page.evaluate(ASK, [session, url])
    assert (found["reached"], found["own"], found["tries"]) == (False, True, 2)
    before = video.seen
    other = url.replace("127.0.0.1", "localhost")
    assert await person.page.evaluate(ASK, [session, other]) is None, "no other host can be asked"
    assert video.seen == before

    server.services.now = lambda: meeting.ends_at + dt.timedelta(hours=2)
    await person.page.reload()
    await person.page.wait_for_selector("#after button")
    assert not await person.page.is_visible("[data-action=start]")
    assert await person.reads("#welcome-title") == person.words("after.title")
    await person.page.click(f"#after button:has-text('{person.words('after.score_2')}')")
    await person.page.click(f"#after button:has-text('{person.words('after.problem_sound')}')")
    says = "text => document.querySelector('#after [role=status]')?.textContent === text"
    await person.wait_until(says, person.words("after.thanks"))
    await looked_at(person, "after", tmp_path)
    await person.page.click("[data-lang=en]")
    await person.wait_until("() => document.documentElement.lang === 'en'")
    assert await person.reads("#after h2") == Person(person.page, "en").words("after.question")
    given = await server.store.feedback_for(await server.store.session_by_id(session))
    assert given is not None
    assert (given.score, given.problem, given.verdict) == (2, "sound", "ready")
    assert await person.complaints() == [] or all(
        "elsewhere" in one or "localhost" in one or "ERR_" in one for one in await person.complaints()
    )
