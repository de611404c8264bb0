"""Links made again from the key, and the codes of letters (LNK-1, LNK-6, LNK-7; decision 013)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from readiness.access import limits, links, tokens
from readiness.access.contacts import ContactBox
from reports.store.records import CODE_ALPHABET, Host, Invitation, new_id
from tests.actors import otto
from tests.cast import SUNNAAS, make_cast

BASE = "https://ready.example"


def now() -> datetime:
    return datetime.now(tz=UTC)


async def anna_link(server, cast, contacts=None, **options):
    contacts = contacts or server.services.contacts
    return await links.Links(server.store, contacts, SUNNAAS, BASE, now()).of(cast.meeting, cast.anna, **options)


async def redeem(http, address="198.51.100.1", **body):
    sent = {"organisation": "sunnaas"} | body
    async with http.post("/api/v1/links/redeem", json=sent, headers={"X-Forwarded-For": address}) as answer:
        return answer.status, await answer.json()


async def test_LNK_1_the_same_link_each_time_and_none_of_it_stored(server, http, tmp_path):
    """A reminder carries the invitation's link; the database holds neither its token nor its code."""
    cast = await make_cast(server.store)
    await server.store.revoke_of(now(), participant_id=cast.anna.id)
    first = await anna_link(server, cast)
    assert await anna_link(server, cast) == first
    head, _, token = first.link.partition("#")
    assert head == f"{BASE}/o/sunnaas/t"
    assert len(token) == 43
    assert (len(first.code), set(first.code) - set(CODE_ALPHABET)) == (10, set())
    assert (await redeem(http, token=token))[0] == 200
    content = b"".join(path.read_bytes() for path in tmp_path.glob("readiness.sqlite3*"))
    assert first.invitation.id.encode() in content
    for secret in (token, first.code, token.encode().hex(), tokens.hash_token(first.code).decode("latin-1")):
        assert secret.encode("latin-1") not in content
    second = await anna_link(server, cast, renew=True)
    assert second.link != first.link
    assert (await redeem(http, token=token))[0] == 404
    assert (await redeem(http, token=second.link.partition("#")[2]))[0] == 200


async def test_another_key_never_sends_a_link_that_opens_nothing(server, http):
    """After the key was changed the old link still opens, and whoever is written to gets a new one that does."""
    cast = await make_cast(server.store)
    first = await anna_link(server, cast)
    other = await anna_link(server, cast, contacts=ContactBox("another key"))
    assert other.invitation.id != first.invitation.id
    for given in (first, other):
        assert (await redeem(http, token=given.link.partition("#")[2]))[0] == 200


async def test_LNK_6_the_code_of_a_letter_opens_as_its_link_does(server, http):
    """Typed in small letters, with spaces and hyphens, O for 0; revoked with its link, at its own organisation only."""
    cast = await make_cast(server.store)
    given = await anna_link(server, cast, renew=True)
    plain = given.code.lower().replace("0", "o").replace("1", "l")
    status, opened = await redeem(http, code=f" {plain[:5]}-{plain[5:]} ")
    assert (status, opened["kind"]) == (200, "participant")
    found = await server.store.session_by_id(opened["session"])
    assert found.participant_id == cast.anna.id
    await server.store.ensure_organisation(replace(SUNNAAS, id="ahus", slug="ahus"))
    dead = [await redeem(http, code=code) for code in ("", given.code[:9], given.code + "7", "0000000000")]
    dead.append(await redeem(http, code=given.code, organisation="ahus"))
    await server.store.revoke_invitation(given.invitation.id, now())
    dead.append(await redeem(http, code=given.code))
    assert [status for status, _ in dead] == [404] * len(dead)
    assert len({str(answer) for _, answer in dead}) == 1
    assert (await redeem(http, code=7))[0] == 400
    assert (await redeem(http))[0] == 400


async def test_LNK_6_a_guesser_of_codes_has_fifty_tries_a_minute_from_everywhere(server, http):
    """Then even a right code waits; tries at the same moment are counted too, and links go on working."""
    cast = await make_cast(server.store)
    given = await anna_link(server, cast)
    services = server.services
    services.settings = replace(services.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    addresses = [f"192.0.2.{number}" for number in range(limits.CODES_GLOBAL + 10)]
    tries = await asyncio.gather(*(redeem(http, address, code="0000000000") for address in addresses))
    statuses = [status for status, _ in tries]
    assert (statuses.count(404), statuses.count(429)) == (limits.CODES_GLOBAL, 10)
    assert (await redeem(http, code=given.code))[0] == 429
    assert (await redeem(http, token=given.link.partition("#")[2]))[0] == 200


async def test_LNK_7_right_codes_use_up_nothing(server, http):
    """A waiting room full of people who type well is never slowed."""
    cast = await make_cast(server.store)
    given = await anna_link(server, cast)
    assert {(await redeem(http, code=given.code))[0] for _ in range(limits.FAILURES_PER_PREFIX + 10)} == {200}


async def test_offices_programs_and_calendars(server, http):
    """An organiser's link opens the pages of planning; tokens of programs and calendars are swapped for no session."""
    cast = await make_cast(server.store)
    store, contacts = server.store, server.services.contacts
    link = await links.organiser_link(store, SUNNAAS, BASE, now())
    head, _, token = link.partition("#")
    status, opened = await redeem(http, token=token)
    assert (head, status) == (f"{BASE}/o/sunnaas/plan", 200)
    assert (opened["kind"], opened["path"]) == ("organiser", f"/plan/{opened['session']}")
    key = await links.api_token(store, SUNNAAS, now())
    host = Host(new_id(), cast.meeting.id, "leader", "Lars", "nb", person_hash=b"lars")
    await store.add_host(otto("sunnaas"), cast.meeting.id, host)
    made = links.Links(store, contacts, SUNNAAS, BASE, now())
    feed = await made.feed(cast.meeting, host)
    assert feed == await made.feed(cast.meeting, host)
    assert feed.link.startswith(f"{BASE}/feed/")
    for token in (key, feed.link.removeprefix(f"{BASE}/feed/").removesuffix(".ics")):
        assert (await redeem(http, token=token))[0] == 404
    board = await made.of(cast.meeting, host)
    status, opened = await redeem(http, token=board.link.partition("#")[2])
    assert (status, opened["kind"], board.code) == (200, "leader", None)
    assert (await store.host_of_session(opened["session"])) == host
    again = await made.of(cast.meeting, host, renew=True)
    assert again.link != board.link
    until = cast.meeting.ends_at + timedelta(days=7)
    assert again.invitation.expires_at == until


async def test_links_that_are_off_open_nothing(server, http):
    """Nor does a typed code, and what they opened is closed; links of another kind, and these elsewhere, go on."""
    await make_cast(server.store)
    away = await server.store.ensure_organisation(replace(SUNNAAS, id="ahus", slug="ahus"))
    code = CODE_ALPHABET[:10]
    until = now() + timedelta(days=1)
    link = Invitation(new_id(), SUNNAAS.id, "support", None, None, until)
    token = tokens.new_token()
    await server.store.add_invitation(link, tokens.hash_token(token), tokens.hash_code(server.services.contacts, code))
    plan = (await links.organiser_link(server.store, SUNNAAS, BASE, now())).partition("#")[2]
    theirs = (await links.give_support_link(server.store, away, BASE, now())).partition("#")[2]
    support, typed, organiser = [
        (await redeem(http, **by))[1]["path"] for by in ({"token": token}, {"code": code}, {"token": plan})
    ]

    async def statuses() -> list[int]:
        found = []
        for path in (support, typed, organiser):
            async with http.get(path) as answer:
                found.append(answer.status)
        tried = ({"token": token}, {"code": code}, {"token": plan}, {"token": theirs, "organisation": "ahus"})
        return found + [(await redeem(http, **by))[0] for by in tried]

    assert await statuses() == [200] * 7
    await server.store.ensure_organisation(replace(SUNNAAS, links_off=("support",)))
    assert await statuses() == [404, 404, 200, 404, 404, 200, 200]
    await server.store.ensure_organisation(SUNNAAS)
    assert await statuses() == [200] * 7
