"""What strangers and browsers may make grow or use up: cookies, codes, rows, log lines, codes by SMS (LNK-6, LNK-7)."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta

import aiohttp
import pytest

from readiness.access.limits import FailureLimiter, PrefixBuckets
from readiness.access.links import Links
from readiness.access.pins import pin_of
from readiness.errors import InputError, LimitError
from readiness.server import api
from readiness.server.protocol import known_client, parse_message
from tests.actors import CLOCK, leader, participant
from tests.cast import SUNNAAS, make_cast, supporter
from tests.patience import PATIENCE_S
from tests.security.support import HELLO, redeem, started
from tests.server.test_board_actions import ANNA, LARS, Opened, meet, open_board

# ---- cookies


async def test_opening_a_link_again_goes_on_with_the_session_that_the_browser_has(server, http):
    """However often a link is opened, one session and one cookie; another browser gets its own."""
    cast = await make_cast(server.store)
    first = await redeem(http, cast.anna_token)
    assert {await redeem(http, cast.anna_token) for _ in range(30)} == {first}
    assert await redeem(http, cast.per_token) != first
    async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        assert await redeem(other, cast.anna_token) != first
    thief = {f"rd-{first}": "not the secret"}
    async with aiohttp.ClientSession(server.base, cookies=thief, cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        assert await redeem(other, cast.anna_token) != first


async def test_a_browser_keeps_the_newest_sessions_and_never_too_many(server, monkeypatch):
    """Of many links on a shared computer the last ones stay open; the cookies of the oldest are taken back."""
    monkeypatch.setattr(api, "MOST_COOKIES", 4)
    casts = [await make_cast(server.store) for _ in range(4)]
    held: dict[str, str] = {}
    opened = []
    async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.DummyCookieJar()) as client:
        for token in [token for cast in casts for token in (cast.anna_token, cast.per_token)]:
            sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items())}  # oldest first, as browsers
            body = {"organisation": "sunnaas", "token": token}
            async with client.post("/api/v1/links/redeem", json=body, headers=sent if held else {}) as answer:
                opened.append((await answer.json())["session"])
                for name, cookie in answer.cookies.items():
                    held[name] = cookie.value
                    if cookie["max-age"] == "0":
                        del held[name]
        assert list(held) == [f"rd-{session}" for session in opened[-4:]]
        for session in opened[-4:]:
            async with client.get(f"/api/v1/sessions/{session}", cookies=held) as answer:
                assert answer.status == 200


async def test_three_hundred_cookies_still_open_a_page(server):
    """A browser that has them from before, or from other services on the same host, is served."""
    cookies = "; ".join(f"__Host-rd-{number:024}={'x' * 24}" for number in range(300))
    async with aiohttp.ClientSession(server.base) as client, client.get("/", headers={"Cookie": cookies}) as answer:
        assert len(cookies) > 17_000
        assert answer.status == 200


# ---- codes and other budgets


def refused(limiter: FailureLimiter, address: str) -> bool:
    try:
        limiter.failed(address)
    except LimitError as error:
        assert error.retry_after_s >= 1
        return True
    return False


def test_LNK_7_a_few_guessers_do_not_lock_everybody_out():
    """Four addresses that use up what there is leave something for those who never guessed; more than 50 is never."""
    now = [0.0]
    limiter = FailureLimiter(lambda: now[0], 40, reserve=10)
    counted = sum(not refused(limiter, f"192.0.2.{number % 4}") for number in range(400))
    assert counted <= 42
    for number in range(5):
        assert not refused(limiter, f"198.51.100.{number}"), "a right code: looked up, and given back"
        limiter.forgive(f"198.51.100.{number}")
    everybody = counted + sum(not refused(limiter, f"203.0.113.{number}") for number in range(100))
    assert everybody == 50
    now[0] = 61.0
    assert not refused(limiter, "192.0.2.1"), "a minute later all is as before"
    sure = [refused(limiter, f"192.0.2.{number % 4}") for number in range(100)]
    assert not sure[0]
    assert refused(limiter, "192.0.2.1")


async def test_LNK_7_each_organisation_has_a_budget_of_codes_of_its_own(server, http):
    """Wrong codes for one organisation, or for none that there is, cost another's people nothing."""
    cast = await make_cast(server.store)
    made = Links(server.store, server.services.contacts, SUNNAAS, "", server.services.now())
    given = await made.of(cast.meeting, cast.anna, renew=True)
    for number in range(80):
        try:
            server.services.codes_of(None).failed(f"192.0.2.{number}")
        except LimitError:
            break
    else:
        pytest.fail("there is no budget")
    sent = {"organisation": "nowhere", "code": "0000000000"}
    assert (await http.post("/api/v1/links/redeem", json=sent)).status == 429
    assert (await http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "code": given.code})).status == 200


def test_drop_in_tests_of_one_prefix_have_a_rate():
    """Sixty at once from one address, and then twelve a minute; others are not touched; the table is bounded."""
    now = [0.0]
    buckets = PrefixBuckets(lambda: now[0])
    for _ in range(60):
        buckets.take("192.0.2.1")
    with pytest.raises(LimitError):
        buckets.take("192.0.2.1")
    buckets.take("192.0.2.2")
    now[0] = 60.0
    for _ in range(12):
        buckets.take("192.0.2.1")
    with pytest.raises(LimitError):
        buckets.take("192.0.2.1")
    for number in range(11_000):
        buckets.take(f"2001:db8:{number:x}::1")
    assert len(buckets._buckets) <= 10_000


async def test_drop_in_sessions_without_end_are_refused(server, http):
    """The sixty-first from one address gets 429 with a time to come back, and leaves no row."""
    await make_cast(server.store)
    server.services.beginnings = PrefixBuckets(lambda: 0.0)  # a busy machine takes long enough for one more
    statuses = []
    for _ in range(62):
        async with http.post("/api/v1/organisations/sunnaas/try", json={}) as answer:
            statuses.append(answer.status)
    assert statuses == [200] * 60 + [429] * 2


async def test_csp_reports_are_counted_and_not_logged_each(server, http, caplog):
    """A flood of reports leaves a number."""
    for _ in range(50):
        assert (await http.post("/api/v1/csp-reports", data=b"x" * 900)).status == 204
    assert server.services.csp_reports == 50
    assert not [record for record in caplog.records if record.msg == "csp.violation"]


# ---- what a client says of itself


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            {"browser": "Chrome 142", "os": "Android", "form": "phone"},
            {"browser": "Chrome 142", "os": "Android", "form": "phone"},
        ),
        ({"browser": "unknown"}, {"browser": "unknown"}),
        ({"browser": "Annahansen 1990", "os": "Oslo"}, {"browser": "unknown", "os": "unknown"}),
    ],
)
def test_PRV_1_only_names_we_know_are_kept(said, kept):
    """A name that we do not know becomes "unknown", whatever it is."""
    assert known_client({"kind": "browser", **said}) == {"kind": "browser", **kept}


@pytest.mark.parametrize(
    "client",
    [
        {"browser": "CANARY 01019012345"},
        {"browser": "CANARY/1"},
        {"browser": "Chrome 142\n"},
        {"os": "a b"},
        {"os": "1"},
    ],
)
def test_PRV_1_free_text_is_refused(client):
    """Numbers of persons, spaces and lines have no place in the name of a browser or a system."""
    with pytest.raises(InputError):
        parse_message(json.dumps({**HELLO, "session": "x", "client": {"kind": "browser", **client}}))


@pytest.mark.parametrize("cause", ["CANARYCAUSE 01019012345", "canary", "", "step_died\n"])
def test_PRV_1_the_cause_of_a_step_that_died_is_one_we_know(cause):
    """Nothing of a client's own choice is kept as the reason."""
    message = {"type": "samples", "phase": "picture", "kind": "died", "data": {"cause": cause}, "final": True}
    with pytest.raises(InputError):
        parse_message(json.dumps(message))
    known = message | {"data": {"cause": "step_died", "where": "timeout"}}
    assert parse_message(json.dumps(known)) == known


# ---- deleting


async def test_LNK_4_delete_takes_every_report_every_run_and_the_number(server, http, caplog):
    """A test broken off and one finished later leave two reports: one click takes both, and the number typed in."""
    caplog.set_level(logging.ERROR)
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    store = server.store
    for _ in range(2):
        socket, plan = await started(http, session)
        await socket.close()
        async with asyncio.timeout(PATIENCE_S):
            while (test := await store.self_test(plan["test"], session)) is None or test.state == "running":
                await asyncio.sleep(0.02)
    await store.set_practical(participant(cast.anna.id), cast.anna.id, phone_encrypted=b"number")
    assert (await http.delete(f"/api/v1/sessions/{session}/report", json={})).status == 200
    assert await store.report_for_session(CLOCK, session) is None
    assert await store.phone(leader("sunnaas"), cast.anna.id) is None
    assert await store.report_lines(supporter("sunnaas"), 10) == []
    found = await store.session_by_id(session)
    assert await store.recent_self_tests(found, server.services.now() - timedelta(days=1)) == []
    assert (await http.delete(f"/api/v1/sessions/{session}/report", json={})).status == 404


# ---- messages


async def test_codes_by_message_end_after_five_a_day(server, http):
    """A guesser with a stolen link has five codes of five tries; the sixth code is not sent, the next day's is."""
    now = server.services.now()
    await server.store.ensure_organisation(SUNNAAS)
    meeting, anna, host = await meet(server, now + timedelta(hours=3))
    lars = Opened(http, server, await open_board(server, http, meeting, host), meeting, anna, host)
    assert LARS.phone
    statuses = []
    for number in range(7):
        server.services.now = lambda at=now + timedelta(seconds=31 * number): at
        statuses.append((await lars.post("pin"))[0])
    assert statuses == [200] * 5 + [429] * 2
    pin = pin_of(server.services.contacts, (await lars.queued("pin"))[-1].id)
    assert (await lars.post("pin/check", pin=pin))[0] == 200, "the last one sent still opens"
    server.services.now = lambda: now + timedelta(days=1, minutes=1)
    assert (await lars.post("pin"))[0] == 200


async def test_a_link_is_sent_again_ten_times_a_day_at_most(server, http):
    """However patiently somebody taps."""
    now = server.services.now()
    await server.store.ensure_organisation(SUNNAAS)
    meeting, anna, host = await meet(server, now + timedelta(hours=3))
    lars = Opened(http, server, await open_board(server, http, meeting, host), meeting, anna, host)
    assert ANNA.mail
    statuses = []
    for number in range(12):
        server.services.now = lambda at=now + timedelta(seconds=121 * number): at
        statuses.append((await lars.post("resend", participant=anna.id))[0])
    assert statuses == [200] * 10 + [429] * 2
