"""AUT-4, SES-1 with real providers: FAPI 2.0 as HelseID's, and plain code with PKCE as Entra's and Keycloak's."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest

from readiness.access.actors import operator_of
from readiness.meetings.addresses import Reach, person_hash
from readiness.server.services import SEEN_EVERY
from reports.store.records import Host, new_id
from tests.actors import add_meeting, otto
from tests.cast import SUNNAAS, make_cast
from tests.conftest import Server

REFRESH = re.compile(r'<meta http-equiv="refresh" content="0; url=([^"]+)"')
FORM = re.compile(r'<form[^>]* action="([^"]+)"')


def browser() -> aiohttp.ClientSession:
    """Somebody's browser; addresses have cookies too."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


async def begun(http: aiohttp.ClientSession, server: Server, provider: str) -> str:
    """Press the button and return where the page goes on to."""
    async with http.get(f"{server.base}/o/sunnaas/staff") as page:
        action = next(one for one in FORM.findall(await page.text()) if one.endswith(provider))
    async with http.post(server.base + action) as page:
        found = REFRESH.search(await page.text())
        assert page.status == 200
        assert found
        return unescape(found[1])


async def came_back(http: aiohttp.ClientSession, server: Server, address: str, who: str) -> str:
    """Sign in at the provider's own page as `who`, and return the callback that it sends the browser to."""
    method, form = "GET", None
    for _ in range(12):
        async with http.request(method, address, data=form, allow_redirects=False) as answer:
            if answer.status in {302, 303}:
                method, form, address = "GET", None, urljoin(address, answer.headers["Location"])
                if address.startswith(server.base):
                    return address
                continue
            page = await answer.text()
            assert answer.status == 200, page
        action = FORM.search(page)
        assert action, page
        method, address = "POST", urljoin(address, unescape(action[1]))
        asked = "login" if 'value="login"' in page else "consent"
        form = {"prompt": asked} | ({"login": who, "password": "any"} if asked == "login" else {})
    raise AssertionError("went round in circles")


async def signed_in(http: aiohttp.ClientSession, server: Server, provider: str, who: str = "kari") -> str:
    """Sign in and return the path of the own page."""
    callback = await came_back(http, server, await begun(http, server, provider), who)
    async with http.get(callback, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]


@pytest.mark.parametrize(
    ("provider", "opens"),
    [("fapi", ["support"]), ("entra", ["plan"]), ("keycloak", ["plan", "support"])],
)
async def test_AUT_4_staff_sign_in_and_open_what_their_roles_open(server: Server, provider, opens):
    """With each kind of provider: only those pages, shown by name, until signed out; then nothing, here and there."""
    async with browser() as http:
        path = await signed_in(http, server, provider)
        async with http.get(server.base + path) as page:
            text = await page.text()
            assert page.headers["Cache-Control"] == "no-store"
        session = path.rpartition("/")[2]
        assert sorted(re.findall(rf'href="/(\w+)/{session}"', text)) == opens
        assert "<b>Support" not in text
        for name in ("support", "plan"):
            async with http.get(f"{server.base}/{name}/{session}") as page:
                assert page.status == (200 if name in opens else 404), name
        async with http.post(f"{server.base}{path}/sign-out") as page:
            there = REFRESH.search(await page.text())
        assert there
        assert urlsplit(unescape(there[1])).path == "/session/end"
        for name in ("staff", *opens):
            async with http.get(f"{server.base}/{name}/{session}") as page:
                assert page.status == 404, name


async def test_AUT_2_claims_name_the_units_and_the_leader(server: Server):
    """Support of a ward finds its people and no others; a leader has their own meetings, by a verified address."""
    store, contacts = server.store, server.services.contacts
    cast = await make_cast(store)
    await store.change_meeting(otto("sunnaas"), cast.meeting.id, {"unit": "Ward 1"})
    other = replace(cast.meeting, id=new_id(), unit="Ward 2", import_key=None)
    await add_meeting(store, other, [replace(cast.per, id=new_id(), meeting_id=other.id, label="Oda")])
    mine = person_hash(contacts, Reach(mail="Lars@hospital.example"))
    lars = Host(new_id(), other.id, "leader", "Lars", "nb", person_hash=mine)
    await store.add_host(otto("sunnaas"), other.id, lars)
    async with browser() as http:
        session = (await signed_in(http, server, "keycloak", "ward")).rpartition("/")[2]
        for typed, status in (("Per", 200), ("Oda", 404)):
            async with http.post(f"{server.base}/support/{session}/find", data={"q": typed}) as page:
                assert page.status == status, typed
        async with http.get(f"{server.base}/overview/{session}") as page:
            assert page.status == 200
    for who, status in (("lars", 200), ("unverified-lars", 404)):
        async with browser() as http:
            session = (await signed_in(http, server, "keycloak", who)).rpartition("/")[2]
            async with http.get(f"{server.base}/api/v1/boards/{session}") as answer:
                told = await answer.json()
                assert answer.status == status, told
            assert (told["meeting"]["id"] if status == 200 else told["error"]["code"]) in {other.id, "board.nobody"}
            async with http.get(f"{server.base}/support/{session}") as page:
                assert page.status == 404


async def test_AUT_4_who_has_no_role_or_signed_in_too_weakly_gets_no_entry(server: Server):
    """Deny by default, with whom to ask, as text; the security level is checked; no session is made of either."""
    for who, status, said in (("nobody", 403, "IT &lt;i&gt;Sunnaas&lt;/i&gt;, 12345"), ("weak", 404, "")):
        async with browser() as http:
            callback = await came_back(http, server, await begun(http, server, "fapi"), who)
            async with http.get(callback, allow_redirects=False) as answer:
                assert answer.status == status
                assert said in await answer.text()
            assert not [cookie for cookie in http.cookie_jar if cookie.key.startswith("rd-")]


async def test_LOG_2_who_signed_in_or_out_or_was_refused_is_logged(server: Server):
    """In, out by themselves, without a role, and with another one's state: by marks, never by name."""
    async with browser() as http:
        path = await signed_in(http, server, "keycloak")
        async with http.post(f"{server.base}{path}/sign-out") as page:
            assert page.status == 200
        for who in ("nobody", "weak"):
            callback = await came_back(http, server, await begun(http, server, "fapi"), who)
            async with http.get(callback, allow_redirects=False) as answer:
                assert answer.status in {403, 404}
    now, hour = server.services.now(), timedelta(hours=1)
    found = await server.store.audit_entries(operator_of(SUNNAAS), between=(now - hour, now + hour))
    said = [(one.act, one.outcome) for one in found if one.act.startswith("staff.")]
    refused = ("staff.sign_in", "refused")
    assert said == [("staff.sign_in", "done"), ("staff.sign_out", "done"), refused, refused]


async def test_AUT_4_a_callback_counts_once_for_the_browser_that_began(server: Server):
    """Another browser's state, a replay, another provider's address, a late one, one after sign-out: all refused."""
    async with browser() as http, browser() as mallory:
        callback = await came_back(http, server, await begun(http, server, "keycloak"), "kari")
        for refused in (callback.replace("/keycloak/", "/entra/"), callback.replace("state=", "state=x")):
            async with http.get(refused, allow_redirects=False) as answer:
                assert answer.status == 404
        async with mallory.get(callback, allow_redirects=False) as answer:
            assert answer.status == 404
        async with http.get(callback, allow_redirects=False) as answer:
            assert answer.status == 303
            path = answer.headers["Location"]
        async with http.get(callback, allow_redirects=False) as answer:
            assert answer.status == 404
        waiting = await came_back(http, server, await begun(http, server, "keycloak"), "kari")
        async with http.post(f"{server.base}{path}/sign-out") as answer:
            assert answer.status == 200
        async with http.get(waiting, allow_redirects=False) as answer:
            assert answer.status == 404
        late = await came_back(http, server, await begun(http, server, "keycloak"), "kari")
        real = server.services.now
        server.services.now = lambda: real() + 11 * SEEN_EVERY
        async with http.get(late, allow_redirects=False) as answer:
            assert answer.status == 404


async def test_AUT_4_the_answer_of_another_provider_is_refused(server: Server):
    """Mix-up: who is sent to one provider and comes back with another one's ``iss`` is not signed in."""
    async with browser() as http:
        callback = await came_back(http, server, await begun(http, server, "keycloak"), "kari")
        assert "&iss=" in callback
        async with http.get(re.sub(r"&iss=[^&]+", "&iss=http%3A%2F%2F127.0.0.1%3A1", callback)) as answer:
            assert answer.status == 404
        callback = await came_back(http, server, await begun(http, server, "keycloak"), "kari")
        async with http.get(re.sub(r"&iss=[^&]+", "", callback)) as answer:
            assert answer.status == 404


async def test_SES_1_a_page_that_nobody_uses_closes_and_so_does_one_after_a_day(server: Server):
    """Idle for half an hour; in use for eight hours, however often."""
    real, now = server.services.now, [0]
    server.services.now = lambda: real() + now[0] * SEEN_EVERY
    async with browser() as http, browser() as busy:
        path, used = await signed_in(http, server, "keycloak"), await signed_in(busy, server, "keycloak")
        for now[0] in range(20, 520, 20):
            async with busy.get(server.base + used) as page:
                assert page.status == (200 if now[0] < 480 else 404), now
            if now[0] in {20, 40, 80}:
                async with http.get(server.base + path) as page:
                    assert page.status == (200 if now[0] < 80 else 404), now


async def test_SES_1_the_provider_signs_out(server: Server):
    """Whoever ends the session at the provider ends it here, by the token that it sends behind the browser's back."""
    async with browser() as http, browser() as other:
        path, others = await signed_in(http, server, "keycloak"), await signed_in(other, server, "keycloak")
        end = f"{server.services.sign_in.issuer_of('keycloak')}/session/end"
        async with http.get(end, params={"client_id": "readiness"}) as page:
            text = await page.text()
        action, xsrf = FORM.search(text), re.search(r'name="xsrf" value="([^"]+)"', text)
        assert action and xsrf
        async with http.post(unescape(action[1]), data={"xsrf": xsrf[1], "logout": "yes"}) as page:
            assert page.status == 200
        async with http.get(server.base + path) as page:
            assert page.status == 404
        async with other.get(server.base + others) as page:
            assert page.status == 200, "another browser's session at the provider goes on"
        for token in ("", "a.b.c"):
            async with http.post(f"{server.base}/sign-in/keycloak/back-channel", data={"logout_token": token}) as page:
                assert page.status == 400


async def test_LOG_1_nothing_of_a_sign_in_is_stored_or_logged(server: Server, tmp_path, capfd, caplog):
    """No subject, state, code, token or secret in the database or the log; the name is in one row."""
    async with browser() as http:
        callback = await came_back(http, server, await begun(http, server, "fapi"), "canary-subject")
        async with http.get(callback, allow_redirects=False) as answer:
            assert answer.status == 303
        secrets = [cookie.value for cookie in http.cookie_jar if cookie.key.startswith("rd-")]
    secrets += re.findall(r"(?:state|code)=([^&]+)", callback)
    await server.store.ping()
    files = b"".join(path.read_bytes() for path in tmp_path.glob("readiness.sqlite3*"))
    for secret in secrets:
        assert len(secret) > 20
        assert secret.encode() not in files
        assert secret not in caplog.text
    assert 0 < files.count(b"canary-subject <b>") == files.count(b"canary-subject"), "only as what the person is called"
    assert "canary-subject" not in caplog.text
