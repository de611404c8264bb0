"""Links that mail programs mangled (Skyfay/SkySend#68): each gets its page, no GET changes anything or is logged."""

from __future__ import annotations

from datetime import timedelta

import aiohttp
import pytest

from readiness.access.links import Links, give_support_link
from readiness.access.tokens import code_of, hash_code, hash_token, new_token
from readiness.server.mangled import meant
from reports.store.records import Host, new_id
from tests.actors import otto
from tests.cast import SUNNAAS, make_cast
from tests.security.support import dump_digest, raw_get

TOKEN = "x7Jq-2D_ab3Kd9fGhLmNpQrStUvWxYz0123456789AB"
PAGES = ("t", "try", "board", "plan", "support", "code", "rooms")
ENDS = (
    "%23TOKEN", "/%23TOKEN", "%2523TOKEN", "/", ".", ",", ")", "%3E", "%23", "=23TOKEN", "/TOKEN", "%23TOKEN.", "%20",
    "%23%3CTOKEN%3E", "%23TOKEN&data=05%7C01", "%23TOKEN/", "%E2%80%8B", "%0D%0A", ";", "%22", "%25", "%C3",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
async def test_LNK_3_every_mangled_address_gets_its_page_and_changes_nothing(server, page):
    """The same bytes as the address as it was given, for GET and HEAD; another case and doubled slashes too."""
    await make_cast(server.store)
    _, _, given = await raw_get(server.base, f"/o/sunnaas/{page}", extra="Accept: text/html\r\n")
    before = dump_digest(server.services.settings.data_dir)
    forms = [f"/o/sunnaas/{page}{end.replace('TOKEN', TOKEN)}" for end in ENDS]
    forms += [f"//o/sunnaas/{page}", f"/o//sunnaas//{page}", f"/O/SUNNAAS/{page.upper()}", f"/o/Sunnaas/{page}"]
    if page not in {"try", "code"}:
        forms.append(f"/o/sunnaas/{page}{TOKEN}")
    for form in forms:
        status, headers, body = await raw_get(server.base, form, extra="Accept: text/html\r\n")
        assert (status, body) == (200, given), form
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert (await raw_get(server.base, form, method="HEAD"))[0] == 200
    assert dump_digest(server.services.settings.data_dir) == before


async def test_what_means_no_page_of_ours_is_not_found(server, http):
    """Other pages, other organisations and other methods: as before."""
    await make_cast(server.store)
    for path in ("/o/sunnaas/tea", "/o/sunnaas/boards", "/o/nobody/t%23x", "/x/o/sunnaas/t", "/o/sunnaas", "/o/%00/t/"):
        assert (await raw_get(server.base, path))[0] == 404, path
    async with http.post("/o/sunnaas/t%23x", json={}) as answer:
        assert answer.status == 404


def test_which_page_is_meant_does_not_hang_on_what_comes_after():
    """Pure, and quick on what is made to be slow."""
    assert meant(f"/o/demo/t%23{TOKEN}?lang=nb") == ("demo", "t")
    assert meant("/o/de=%0D%0Amo/bo%20ard") == ("demo", "board")
    assert meant("/o/demo/t-x") is None
    assert meant("/o/" + "%25" * 2000) is None
    assert meant("/" * 8000 + "o") is None


async def test_a_token_in_a_path_is_never_logged(server, caplog):
    """Neither where it opens a page nor where it does not."""
    await make_cast(server.store)
    caplog.set_level("DEBUG")
    for path in (f"/o/sunnaas/t%23{TOKEN}", f"/o/nobody/t%23{TOKEN}", f"/t/{TOKEN}/x", f"/o/sunnaas/t?%23{TOKEN}"):
        await raw_get(server.base, path)
    assert TOKEN not in caplog.text


# ---- a link that others may have read


async def redeemed(http, token: str, organisation: str = "sunnaas") -> tuple[int, dict]:
    body = {"organisation": organisation, "token": token}
    async with http.post("/api/v1/links/redeem", json=body) as answer:
        return answer.status, await answer.json()


async def renewed(http, session: str) -> tuple[int, str]:
    async with http.post(f"/api/v1/sessions/{session}/link", json={}) as answer:
        return answer.status, (await answer.json()).get("link", "")


@pytest.fixture
async def stranger(server):
    """Somebody who has read the link, in another browser."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(server.base, cookie_jar=jar) as client:
        yield client


def token_in(link: str) -> str:
    return link.rpartition("#")[2]


async def given(server, cast, whose: str) -> tuple[str, str]:
    """A link of this kind, and the folder of its page."""
    store, now = server.store, server.services.now()
    made = Links(store, server.services.contacts, SUNNAAS, server.base, now)
    if whose == "support":
        return await give_support_link(store, SUNNAAS, server.base, now), "support"
    if whose == "participant":
        return (await made.of(cast.meeting, cast.anna)).link, "t"
    host = Host(new_id(), cast.meeting.id, "leader", "Lars", "nb")
    await store.add_host(otto("sunnaas"), cast.meeting.id, host)
    return (await made.of(cast.meeting, host)).link, "board"


@pytest.mark.parametrize("whose", ["participant", "leader", "support"])
async def test_a_renewed_link_opens_for_everybody_and_the_old_one_for_its_own_browser_only(
    server, http, stranger, whose: str
):
    """Nothing is closed until it is asked for; then the old one is dead for strangers, and like every dead link."""
    cast = await make_cast(server.store)
    link, folder = await given(server, cast, whose)
    status, opened = await redeemed(http, token_in(link))
    assert (status, opened["path"].split("/")[1]) == (200, folder)
    assert (await redeemed(stranger, token_in(link)))[0] == 200, "a scanner that was first has changed nothing"
    status, new = await renewed(http, opened["session"])
    assert (status, new.partition("#")[0]) == (200, link.partition("#")[0])
    async with aiohttp.ClientSession(server.base) as nobody:
        dead, unknown = await redeemed(nobody, token_in(link)), await redeemed(nobody, new_token())
    assert dead == unknown
    again = await redeemed(http, token_in(link))
    assert again[0] == 200
    assert again[1]["replaced"] is True
    async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as phone:
        status, elsewhere = await redeemed(phone, token_in(new))
        assert (status, elsewhere["path"].split("/")[1], "replaced" in elsewhere) == (200, folder, False)


async def test_reminders_carry_the_new_link_and_the_letters_code_goes_on(server, http):
    """Whoever asks for the person's link gets the one that opens; asked for twice, it is the same."""
    cast = await make_cast(server.store)
    link, _ = await given(server, cast, "participant")
    old = await server.store.invitation_for(participant_id=cast.anna.id, kind="participant", now=server.services.now())
    session = (await redeemed(http, token_in(link)))[1]["session"]
    _, new = await renewed(http, session)
    assert (await given(server, cast, "participant"))[0] == new
    assert (await renewed(http, session)) == (200, new)
    contacts = server.services.contacts
    code = hash_code(contacts, code_of(contacts, old.id))
    assert (await server.store.find_code("sunnaas", code, server.services.now())).id == old.id


async def test_an_offices_link_is_shown_once(server, http):
    """Only its hash is kept: a second press gives nothing, and closes nothing."""
    cast = await make_cast(server.store)
    link, _ = await given(server, cast, "support")
    session = (await redeemed(http, token_in(link)))[1]["session"]
    assert (await renewed(http, session))[0] == 200
    assert (await renewed(http, session))[0] == 404


async def test_support_that_closes_all_of_a_persons_links_closes_the_seen_one_too(server, http):
    """Revoking is stronger than renewing: no browser keeps what was taken away."""
    cast = await make_cast(server.store)
    link, _ = await given(server, cast, "participant")
    session = (await redeemed(http, token_in(link)))[1]["session"]
    await renewed(http, session)
    await server.store.revoke_of(server.services.now(), participant_id=cast.anna.id)
    assert (await redeemed(http, token_in(link)))[0] == 404
    assert (await renewed(http, session))[0] == 404


async def test_a_link_that_has_ended_is_not_renewed(server, http):
    """No new link lives longer than the old one."""
    cast = await make_cast(server.store)
    link, _ = await given(server, cast, "participant")
    session = (await redeemed(http, token_in(link)))[1]["session"]
    _, new = await renewed(http, session)
    found = await server.store.find_invitation("sunnaas", hash_token(token_in(new)), server.services.now())
    assert found.expires_at == cast.meeting.ends_at + timedelta(days=7)
    server.services.now = lambda: found.expires_at
    assert (await renewed(http, session))[0] == 404
