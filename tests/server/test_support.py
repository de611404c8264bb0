"""The page of support: what it finds, what it never finds, and what it says of a report."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from readiness.access.limits import FAILURES_PER_PREFIX
from readiness.access.sessions import SUPPORT_SESSION
from readiness.texts import LANGUAGES, catalogue
from reports.store import new_code
from reports.store.records import Outgoing
from tests.actors import participant
from tests.cast import CANARY_LABEL, SUNNAAS, make_cast
from tests.made import BLOCKED, made_report, support_link
from tests.security.support import dump_digest
from tests.security.test_web_headers import wrong_headers
from tests.series import made_series
from tests.server.test_links import redeem

ELSEWHERE = replace(SUNNAAS, id="ahus", slug="ahus", name="Ahus")


@pytest.fixture
async def session(server, http) -> str:
    """An open page of support at Sunnaas; there is another organisation beside it."""
    await server.store.ensure_organisation(SUNNAAS)
    await server.store.ensure_organisation(ELSEWHERE)
    return await opened(server, http)


async def opened(server, http, organisation: str = "sunnaas") -> str:
    status, _, answer = await redeem(http, await support_link(server.store, organisation), organisation)
    found = await answer.json()
    assert status == 200
    assert found["kind"] == "support"
    assert found["path"] == f"/support/{found['session']}"
    return found["session"]


async def page(http, session: str, code: str | None = None, lang: str = "en", **more: str) -> tuple[int, str]:
    """The page as its reader sees it: no entities, spaces as spaces."""
    query = {"lang": lang, **more} | ({} if code is None else {"code": code})
    async with http.get(f"/support/{session}", params=query) as answer:
        assert wrong_headers(str(http._base_url).rstrip("/"), {k.lower(): v for k, v in answer.headers.items()}) == []
        assert answer.headers["Cache-Control"] == "no-store"
        text = html.unescape(await answer.text()).replace("\u00a0", " ")
        return answer.status, text


async def test_a_report_is_found_by_its_code(server, http, session):
    """However it is typed; with verdict, device, what to do, who can, every check with limits, and three pictures."""
    series = made_series(bad=True)
    made = await made_report(server.store, series=series, cause="disconnected", events=("tab_hidden",), **BLOCKED)
    for typed in (made.code, made.code.lower(), " ".join(made.code), f" {made.code[:3]}-{made.code[3:]} "):
        status, text = await page(http, session, typed, curves="on")
        assert status == 200
        assert f"<title>{made.code}: Not ready</title>" in text
    for words in (
        "Chrome 142, Android, phone", "This page may not use the camera", "Press the sign to the left of the address",
        "The IT department at the caller’s place must help with this.", "The caller can do this.",
        "The test stopped at “the delay”.",
        "The connection was lost.", "The page was hidden for a while.", "213 ms",
        "Good: at most 150 ms. Too poor: over 300 ms.", "Measurements: 100",
        "Only web pages get through", "Show the figures as a table",
    ):  # fmt: skip
        assert words in text, words
    assert re.findall(r'data-picture="(\w+)"', text) == ["seen", "heard", "delay", "loss", "rate"]
    assert text.count('role="img"') == 5
    for words in ("Faces seen by the camera: 1.", "heard speech in 2.2 of them", "Microphone: a wireless headset"):
        assert words in re.sub(r"</dt><dd>", ": ", text), words
    assert "level_curve" not in text
    outcomes = dict(re.findall(r'data-check="([a-z_.]+)" data-outcome="(\w+)"', text))
    assert outcomes == {check["id"]: check["outcome"] for check in made.body["checks"]}


async def test_curves_are_drawn_when_they_are_asked_for(server, http, session):
    """Two of three reports are read without them: a press leads to them, also in another language; none says so."""
    words = catalogue("en")
    made, bare = await made_report(server.store, series=made_series()), await made_report(server.store)
    _, text = await page(http, session, made.code)
    assert 'data-picture="delay"' not in text
    (asked,) = re.findall(rf'href="(/support/[^"]+)">{words["support.show_curves"]}', text)
    async with http.get(asked.partition("#")[0]) as answer:
        shown = await answer.text()
    assert asked.endswith("#pictures")
    assert shown.count('data-picture="delay"') == 1
    assert shown.count("curves=on") == len(LANGUAGES)
    _, text = await page(http, session, bare.code)
    assert words["support.no_pictures"] in text
    assert words["support.show_curves"] not in text


async def test_no_key_of_the_catalogue_is_left_over(server, http, session):
    """Good, bad and half-measured reports, and one without series, are all words in every language."""
    series = made_series(bad=True)
    del series["rtt_ms"], series["lost_up"]
    for found, kept in (({}, None), (BLOCKED, series), ({"network__rtt": None}, made_series())):
        made = await made_report(server.store, series=kept, **found)
        for language in LANGUAGES:
            _, text = await page(http, session, made.code, language, curves="on")
            visible = re.sub(r"<[^>]*>", " ", text)
            keys = {key.split(".")[0] for key in catalogue(language)}
            left = re.findall(rf"\b(?:{'|'.join(keys)})\.[a-z_]+(?:\.[a-z_]+)*\b", visible)
            assert left == []
            assert not re.search(r"\{\w+\}|\bNone\b|\bnan\b", visible)
            assert (catalogue(language)["support.no_pictures"] in visible) == (kept is None)
            assert f'<html lang="{language}" dir="ltr">' in text


async def test_reports_of_others_are_never_found(server, http, session):
    """IDOR: another organisation's report is unknown by code and in no list, and so it is the other way round."""
    ours, theirs = await made_report(server.store), await made_report(server.store, "ahus")
    status, text = await page(http, session, theirs.code)
    assert status == 404
    assert catalogue("en")["support.problem.unknown"] in text
    assert text.count(theirs.code) == 1 + len(LANGUAGES), "as typed, in the field and the links to other languages"
    assert ours.code in text
    never = await page(http, session, unknown := new_code())
    assert never[1].replace(unknown, theirs.code) == text, "a code of others looks like a code of nobody"
    other = await opened(server, http, "ahus")
    assert (await page(http, other, ours.code))[0] == 404
    assert ours.code not in (await page(http, other))[1]


async def test_only_support_opens_it(server, http, session):
    """Sessions of participants, leaders and drop-ins get the same 404 as none at all; support gets no board or test."""
    cast = await make_cast(server.store)
    others = [(await (await redeem(http, token))[2].json())["session"] for token in (cast.anna_token, cast.lars_token)]
    async with http.post("/api/v1/organisations/sunnaas/try", json={}) as answer:
        others.append((await answer.json())["session"])
    for one in (*others, "nobody", session + "x"):
        async with http.get(f"/support/{one}") as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["code"] == "session.not_valid"
    for path in (f"/api/v1/boards/{session}", f"/api/v1/sessions/{session}", f"/api/v1/boards/{session}/events"):
        async with http.get(path) as answer:
            assert answer.status == 404
    async with http.delete(f"/api/v1/sessions/{session}/report") as answer:
        assert answer.status == 404


async def test_support_cannot_run_a_test(server, http, session):
    """Its session opens no session socket's test."""
    from tests.security.support import HELLO, next_of

    async with http.ws_connect("/api/v1/session") as socket:
        await socket.send_json({**HELLO, "session": session})
        assert (await next_of(socket, "error"))["code"] == "session.not_valid"


async def test_the_list_holds_all_reports_page_by_page_without_names(server, http, session):
    """Time, code, verdict and kind of device; no label and no number of anybody; twenty at a time, to the oldest."""
    cast = await make_cast(server.store)
    made = [await made_report(server.store) for _ in range(22)]
    _, text = await page(http, session)
    assert re.findall(r"\?lang=en&code=(\w{6})#report", text) == [one.code for one in made[:1:-1]]
    older = re.search(rf'href="(/support/{session}\?lang=en&before=\d+)"', text)
    async with http.get(older[1]) as answer:
        last = html.unescape(await answer.text())
    assert re.findall(r"\?lang=en&code=(\w{6})#report", last) == [one.code for one in made[1::-1]]
    assert "before=" not in re.sub(r'<nav class="languages".*?</nav>', "", last, flags=re.DOTALL)
    assert "Chrome 142, Android, phone" in text
    for secret in (CANARY_LABEL, cast.meeting.title, cast.anna.id):
        assert secret not in text


async def test_what_is_no_code_is_said(server, http, session):
    """Told in words, looked for nowhere, and shown as text only."""
    for typed in ("K7MB2", "not a code at all", "<script>x", "' OR 1=1", "\x00", "%", "K7MB2Å"):
        status, text = await page(http, session, typed)
        assert status == 400, typed
        assert catalogue("en")["support.problem.malformed"] in text
        async with http.get(f"/support/{session}", params={"code": typed}) as answer:
            assert "<script>" not in await answer.text()


async def test_WEB_4_what_a_client_says_of_itself_is_text(server, http, session):
    """Names of browsers, causes and events come from outside: they are shown as they are and never as markup."""
    hostile = "<img src=x onerror=alert(1)>{{ 123 * 1001 }}"
    client = {"kind": "browser", "browser": hostile, "os": '"><svg onload=1>', "form": "phone"}
    made = await made_report(server.store, series=made_series(), client=client, cause=hostile, events=(hostile,))
    async with http.get(f"/support/{session}", params={"code": made.code}) as answer:
        text = await answer.text()
    assert answer.status == 200
    assert "&lt;img src=x onerror=alert(1)&gt;{{ 123 * 1001 }}" in text
    for markup in ("<img", "<svg onload", "123123"):
        assert markup not in re.sub(r"<figure.*?</figure>", "", text, flags=re.DOTALL), markup


async def test_who_tries_codes_is_slowed(server, http, session):
    """Failures are limited for each page; a report that is there is found before that as often as it is asked for."""
    made = await made_report(server.store)
    for _ in range(FAILURES_PER_PREFIX + 5):
        assert (await page(http, session, made.code))[0] == 200
    statuses = [(await page(http, session, new_code()))[0] for _ in range(FAILURES_PER_PREFIX + 2)]
    assert statuses == [404] * FAILURES_PER_PREFIX + [429] * 2
    assert (await page(http, session, made.code))[0] == 200
    assert (await page(http, await opened(server, http), new_code()))[0] == 404


async def test_LNK_3_looking_changes_nothing(server, http, session, tmp_path):
    """Neither the link's page nor the list, a report, a wrong code or a HEAD changes anything; who looked is logged."""
    made = await made_report(server.store, series=made_series())
    before = dump_digest(tmp_path)
    for path in ("/o/sunnaas/support", f"/support/{session}", f"/support/{session}?code={made.code}"):
        for method in ("GET", "HEAD"):
            async with http.request(method, path, headers={"User-Agent": "SafeLinks"}) as answer:
                assert answer.status == 200
    await page(http, session, new_code())
    assert dump_digest(tmp_path) == before


async def test_LNK_5_a_closed_link_closes_its_pages(server, http, session):
    """Revoked at once; expired links and revoked ones open nothing; a page lasts a working day at most."""
    found = await server.store.session_by_id(session)
    assert found.expires_at <= datetime.now(tz=UTC) + SUPPORT_SESSION
    expired = await support_link(server.store, expires_at=datetime.now(tz=UTC) - timedelta(seconds=1))
    assert (await redeem(http, expired))[0] == 404
    assert await server.store.revoke_links("sunnaas", "support", datetime.now(tz=UTC)) == 1
    assert (await page(http, session))[0] == 404
    again = await opened(server, http)
    server.services.now = lambda: datetime.now(tz=UTC) + SUPPORT_SESSION + timedelta(seconds=1)
    assert (await page(http, again))[0] == 404


async def test_IT_reads_exactly_what_to_open(server, http, session):
    """Where the network stood in the way: which test found what; the web port, the media ports, every TURN server.

    What else was poor on the line stands there with its limits, and nothing that was good.
    """
    urls = ("turn:turn.example:3478?transport=udp", "turns:[2001:db8::1]:443?transport=tcp", "turn:relay.example")
    changed = replace(server.services.settings, media_ports=(50000, 50199), turn_urls=urls)
    server.services.settings = changed
    blocked, good = await made_report(server.store, **BLOCKED), await made_report(server.store)
    _, text = await page(http, session, blocked.code)
    lines = re.search(r'<pre id="openings"[^>]*>(.*?)</pre>', text, re.DOTALL)[1].splitlines()
    assert lines[0].startswith(f"Sunnaas, video test {blocked.code}, ")
    assert lines[0].endswith(". Found: Only web pages get through. To be let out:")
    assert lines[1] == f"TCP to 127.0.0.1, port {server.base.rsplit(':', 1)[1]} (pages and measuring)"
    assert "UDP to 127.0.0.1, port 50000–50199 (picture and sound)" in lines
    assert lines[-5:] == [
        "UDP to turn.example, port 3478 (TURN, detour)",
        "TLS over TCP to [2001:db8::1], port 443 (TURN, detour)",
        "UDP to relay.example, port 3478 (TURN, detour)",
        "Answers to these must be let back in.",
        "Measured at the caller’s end: Delay: 213 ms. Good: at most 150 ms. Too poor: over 300 ms.",
    ]
    assert "openings" not in (await page(http, session, good.code))[1]


async def test_a_report_deleted_by_its_participant_is_gone_here_too(server, http, session):
    """The person's right comes first."""
    made = await made_report(server.store, series=made_series())
    assert await server.store.delete_report(participant("anna"), made.id, made.session_id)
    status, text = await page(http, session, made.code)
    assert status == 404
    assert f"code={made.code}#report" not in text


async def test_support_sees_that_mail_does_not_go_out(server, http, session):
    """What is ours to mend stands on the page and under /readyz."""
    cast = await make_cast(server.store)
    now = server.services.now()
    whose = {"organisation_id": "sunnaas", "meeting_id": cast.meeting.id, "participant_id": cast.anna.id}
    sent = {"kind": "invitation", "channel": "mail", "once": None, "created_at": now, "due_at": now, "host_id": None}
    await server.store.queue([Outgoing(id="stuck", **whose, **sent)])
    await server.store.claim_outgoing(now + timedelta(seconds=1), 8, 60.0)
    await server.store.settle_outgoing("stuck", state="waiting", now=now, error="relay", due_at=now + timedelta(1))
    _, text = await page(http, session)
    assert "E-mail does not go out." in text
    assert catalogue("en")["delivery.relay"] in text
    async with http.get("/readyz") as answer:
        assert (await answer.json())["delivery"] == {"mail": "relay"}
