"""Links: LNK-1 to LNK-5 and what may be told about a link that opens nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp

from readiness.access.limits import FAILURES_PER_PREFIX
from readiness.access.tokens import new_token
from tests.cast import SUNNAAS, invite, make_cast
from tests.statements import statements_of


def a_second_ago():
    return datetime.now(tz=UTC) - timedelta(seconds=1)


async def redeem(http, token, organisation="sunnaas", **kwargs):
    async with http.post(
        "/api/v1/links/redeem", json={"organisation": organisation, "token": token}, **kwargs
    ) as answer:
        return answer.status, await answer.read(), answer


async def test_LNK_1_tokens_never_repeat():
    """A hundred thousand tokens, no two alike, 256 bits each."""
    tokens = {new_token() for _ in range(100_000)}
    assert len(tokens) == 100_000
    assert {len(token) for token in tokens} == {43}


async def test_a_link_opens_its_session(server, http):
    """Redeeming gives a public id, a path and a cookie named by the id."""
    cast = await make_cast(server.store)
    status, _, answer = await redeem(http, cast.anna_token)
    assert status == 200
    found = await answer.json()
    assert found["kind"] == "participant"
    assert found["path"] == f"/t/{found['session']}"
    cookie = answer.cookies[f"rd-{found['session']}"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    async with http.get(f"/api/v1/sessions/{found['session']}") as seen:
        shown = await seen.json()
    assert shown["organisation"]["support_phone"] == SUNNAAS.support_phone
    assert cast.anna_token not in str(shown)


async def test_LNK_2_two_links_in_two_tabs_never_mix(server, http):
    """Anna's and Per's links in one browser: each session opens only with its own cookie."""
    cast = await make_cast(server.store)
    anna = (await (await redeem(http, cast.anna_token))[2].json())["session"]
    per = (await (await redeem(http, cast.per_token))[2].json())["session"]
    found = [await server.store.session_by_id(one) for one in (anna, per)]
    assert [one.participant_id for one in found] == [cast.anna.id, cast.per.id]
    jar = {cookie.key: cookie.value for cookie in http.cookie_jar}
    stolen = {f"rd-{per}": jar[f"rd-{anna}"]}
    async with (
        aiohttp.ClientSession(server.base, cookies=stolen) as thief,
        thief.get(f"/api/v1/sessions/{per}") as answer,
    ):
        assert answer.status == 404


async def test_LNK_3_scanners_change_nothing(server, http):
    """GET and HEAD by mail scanners leave a link as it was; only POST redeems."""
    cast = await make_cast(server.store)
    for agent in ("SafeLinks", "Barracuda", "curl/8", "Slackbot", "Googlebot"):
        for method in ("GET", "HEAD"):
            async with http.request(method, "/o/sunnaas/t", headers={"User-Agent": agent}) as answer:
                assert answer.status == 200
            async with http.request(method, "/api/v1/links/redeem", headers={"User-Agent": agent}) as answer:
                assert answer.status == 405
    assert (await redeem(http, cast.anna_token))[0] == 200


async def test_LNK_5_dead_links_are_all_alike(server, http):
    """Unknown, expired, revoked, foreign and malformed links give the same bytes and the same status."""
    cast = await make_cast(server.store)
    expired, _ = await invite(server.store, cast.meeting, cast.anna, expires_at=a_second_ago())
    revoked, invitation = await invite(server.store, cast.meeting, cast.anna)
    await server.store.revoke_invitation(invitation.id, datetime.now(tz=UTC))
    answers = set()
    for token in (new_token(), expired, revoked, "short", "", "é" * 43, cast.anna_token + "x"):
        status, body, _ = await redeem(http, token)
        answers.add((status, body))
    answers.add((await redeem(http, cast.anna_token, organisation="elsewhere"))[:2])
    assert len(answers) == 1
    assert next(iter(answers))[0] == 404


async def test_LNK_5_revoking_closes_open_sessions_at_once(server, http):
    """A revoked link closes the session that it opened."""
    cast = await make_cast(server.store)
    session = (await (await redeem(http, cast.anna_token))[2].json())["session"]
    await server.store.revoke_invitation(cast.anna_invitation.id, datetime.now(tz=UTC))
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        assert answer.status == 404


async def test_LNK_5_timing_tells_nothing(server, http):
    """Dead links of every kind cost the same work: the same statements on the database, one for one.

    `make bench AREA=promises` asks a thousand of each and compares the times.
    """
    cast = await make_cast(server.store)
    expired, _ = await invite(server.store, cast.meeting, cast.anna, expires_at=a_second_ago())
    revoked, invitation = await invite(server.store, cast.meeting, cast.anna)
    await server.store.revoke_invitation(invitation.id, datetime.now(tz=UTC))
    asked: list[list[str]] = []
    for token in (new_token(), expired, revoked, "short", cast.anna_token + "x"):
        with statements_of(server.store) as statements:
            assert (await redeem(http, token))[0] == 404
        asked.append([one for one in statements if "invitation" in one and not one.startswith("DELETE")])  # a chore
    assert all(one == asked[0] for one in asked)
    assert len(asked[0]) > 0


async def test_LNK_7_a_guesser_is_slowed_and_a_hospital_is_not(server, http):
    """Failures from one address are limited; valid links from the same address still open."""
    cast = await make_cast(server.store)
    statuses = [(await redeem(http, new_token()))[0] for _ in range(FAILURES_PER_PREFIX + 5)]
    assert statuses.count(404) == FAILURES_PER_PREFIX
    status, _, answer = await redeem(http, new_token())
    assert status == 429
    assert int(answer.headers["Retry-After"]) >= 1
    results = await asyncio.gather(*(redeem(http, cast.anna_token) for _ in range(20)))
    assert {result[0] for result in results} == {200}


async def test_LOD_4_a_morning_of_links_from_three_addresses_meets_no_limit(server):
    """A hundred people of three hospitals, behind an address each: nobody is told to wait.

    `make bench AREA=promises` opens two thousand.
    """
    cast = await make_cast(server.store)
    statuses = []
    for number in range(99):
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{2 + number % 3}", 0))
        async with aiohttp.ClientSession(server.base, connector=connector) as person:
            statuses.append((await redeem(person, cast.anna_token))[0])
    assert statuses == [200] * 99


async def test_database_holds_no_token(server, http, tmp_path):
    """Only hashes are stored: neither the token nor the cookie's secret is in the database's files."""
    cast = await make_cast(server.store)
    await redeem(http, cast.anna_token)
    cookies = [cookie.value for cookie in http.cookie_jar]
    await asyncio.sleep(0.1)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("readiness.sqlite3*"))
    assert cast.meeting.id.encode() in content
    for secret in (cast.anna_token, cast.lars_token, *cookies):
        assert secret.encode() not in content


async def test_drop_in_needs_permission(server, http):
    """A drop-in test starts only where the organisation allows it."""
    await server.store.ensure_organisation(SUNNAAS)
    async with http.post("/api/v1/organisations/sunnaas/try", json={}) as answer:
        assert (await answer.json())["kind"] == "drop_in"
    from dataclasses import replace

    await server.store.ensure_organisation(replace(SUNNAAS, id="closed", slug="closed", drop_in_allowed=False))
    for slug in ("closed", "unknown"):
        async with http.post(f"/api/v1/organisations/{slug}/try", json={}) as answer:
            assert answer.status == 404
