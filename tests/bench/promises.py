"""Promises of the tests at full size: times of dead links, a morning's openings, kills, strangers on the media port."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from readiness.access.limits import FailureLimiter
from readiness.access.tokens import new_token
from reports.store.migrations import migrate
from tests.bench.figures import Figure
from tests.cast import Cast, invite, make_cast
from tests.conftest import Server, served
from tests.fuzz.engine import resources
from tests.media.support import Inbox, connected, pool_of
from tests.security.support import ended, next_of, redeem, started
from tests.security.test_rtc_strangers import connect_under_fire
from tests.store.conftest import PostgresServer
from tests.store.test_kill import fill, read_back, run_and_kill

__all__ = ["run"]

TRIES, OPENINGS, SUBMISSIONS, CONNECTS, JUNK, TESTS = 1000, 2000, 1000, 50, 100_000, 400
QUICK = 10
"""A quick run does this part of each."""
MOST_APART_MS = 5.0
MOST_LOSS_PCT = 1.0
MOST_GROWTH_PCT = 5.0
WARM_UP_TESTS = 20
HELD = ("descriptors", "tasks")
DEVICES = {"camera": {"status": "present"}, "microphone": {"status": "present"}, "browser": {"missing": []}}
LONGEST_LIFE_S = 0.4
PER_ADDRESS = 5
"""Tries of each kind from one address: its limit of failures is twenty a minute."""


async def run(*, quick: bool) -> list[Figure]:
    """Do each in turn."""
    part = QUICK if quick else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "new").mkdir()
        migrated = folder / "new" / "readiness.sqlite3"
        migrate(f"sqlite:///{migrated}")
        (folder / "served").mkdir()
        async with served(folder / "served", migrated) as server:
            cast = await make_cast(server.store)
            figures = [*await _dead_links(server, cast, TRIES // part), await _openings(server, cast, OPENINGS // part)]
            figures += await _soak(server, cast, TESTS // part)
        figures += await asyncio.to_thread(_kills, f"sqlite:///{migrated}", "SQLite", SUBMISSIONS // part)
        postgres = await asyncio.to_thread(PostgresServer)
        try:
            url = postgres.create()
            migrate(url)
            figures += await asyncio.to_thread(_kills, url, "PostgreSQL", SUBMISSIONS // part)
        finally:
            await asyncio.to_thread(postgres.close)
    return [*figures, await _under_fire(CONNECTS // part), *await _junk(JUNK // part)]


async def _dead_links(server: Server, cast: Cast, tries: int) -> list[Figure]:
    """LNK-5: how long the answer to each kind of dead link takes, in turns, without the limit on failures."""
    server.services.failures = FailureLimiter(time.monotonic, most=10**9)
    expired, _ = await invite(
        server.store, cast.meeting, cast.anna, expires_at=datetime.now(tz=UTC) - timedelta(seconds=1)
    )
    revoked, invitation = await invite(server.store, cast.meeting, cast.anna)
    await server.store.revoke_invitation(invitation.id, datetime.now(tz=UTC))
    kinds = {"unknown": new_token(), "expired": expired, "revoked": revoked, "malformed": "short"}
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for address in range(tries // PER_ADDRESS):
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.{1 + address // 250}.{1 + address % 250}", 0))
        async with aiohttp.ClientSession(server.base, connector=connector) as http:
            for kind in [kind for _ in range(PER_ADDRESS) for kind in random.sample(sorted(kinds), len(kinds))]:
                body = {"organisation": "sunnaas", "token": kinds[kind]}
                began = time.perf_counter()
                async with http.post("/api/v1/links/redeem", json=body) as answer:
                    assert answer.status == 404, await answer.text()
                    await answer.read()
                took[kind].append(1e3 * (time.perf_counter() - began))
    medians = {kind: statistics.median(samples) for kind, samples in took.items()}
    apart = max(medians.values()) - min(medians.values())
    return [
        Figure(f"dead links, {tries} of each of 4 kinds: medians apart", "ms", [apart], at_most=MOST_APART_MS),
        Figure("median of each kind", "ms", list(medians.values())),
    ]


async def _openings(server: Server, cast: Cast, count: int) -> Figure:
    """LOD-4: people behind three addresses, as fast as they are answered; each is a browser of its own."""
    server.services.failures = FailureLimiter(time.monotonic)
    told_to_wait = 0
    for number in range(count):
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.0.{2 + number % 3}", 0))
        async with (
            aiohttp.ClientSession(server.base, connector=connector) as http,
            http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": cast.anna_token}) as answer,
        ):
            told_to_wait += answer.status != 200
    return Figure(f"{count} openings from 3 addresses: not opened", "", [told_to_wait], at_most=0)


async def _soak(server: Server, cast: Cast, count: int) -> list[Figure]:
    """LOD-3 in small: tests one after another, a fifth broken off, some with nonsense; what is left of them."""
    before: dict[str, int] = {}
    reports = 0
    async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        session = await redeem(http, cast.anna_token)
        for number in range(WARM_UP_TESTS + count):
            if number == WARM_UP_TESTS:
                before = await resources()
            socket, _ = await started(http, session)
            if number % 20 == 0:
                await socket.send_str("{nonsense")
            await socket.send_json(_final("devices", DEVICES))
            if number % 5 == 0:
                await socket.close()
                continue
            await socket.send_json(_final("finish", {}))
            reports += (await next_of(socket, "report"))["report"]["cause"] is None
            await ended(socket)
    after = await resources()
    stuck = len(await server.store.stale_self_tests(datetime.max.replace(tzinfo=UTC)))
    grown = 100 * (after["rss_kb"] / before["rss_kb"] - 1)
    return [
        Figure(
            f"{count} tests one after another, {reports} finished: memory grew", "%", [grown], at_most=MOST_GROWTH_PCT
        ),
        Figure("descriptors and tasks more than before", "", [after[name] - before[name] for name in HELD], at_most=2),
        Figure("runs that are stuck", "", [stuck], at_most=0),
    ]


def _final(phase: str, data: dict[str, object]) -> dict[str, object]:
    return {"type": "samples", "phase": phase, "kind": "final", "data": data, "final": True}


def _kills(url: str, name: str, count: int) -> list[Figure]:
    """DUR-1: reports acknowledged by processes that are killed at random moments, and how many of them are gone."""
    asyncio.run(fill(url))
    acknowledged: dict[str, str] = {}
    unanswered: list[str] = []
    moments, kills = random.Random(1), 0
    while len(acknowledged) < count:
        kills += 1
        told, unanswered = run_and_kill(url, kills, unanswered, moments.uniform(0.0, LONGEST_LIFE_S))
        acknowledged |= told
    stored = {report_id: body for report_id, body, _ in asyncio.run(read_back(url))}
    lost = sum(stored.get(report_id) != body for report_id, body in acknowledged.items())
    return [
        Figure(f"{name}: of {len(acknowledged)} acknowledged reports, lost or changed", "", [lost], at_most=0),
        Figure(f"{name}: kills", "", [kills]),
    ]


async def _under_fire(count: int) -> Figure:
    """RTC-5: handshakes while a stranger sprays alerts and hellos at the port."""
    opened = 0
    async with pool_of(4, warm=2) as pool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            for _ in range(count):
                worker = await pool.acquire()
                await connect_under_fire(worker, Inbox(worker), sock)
                await worker.close()
                opened += worker.end_cause is None
    return Figure(f"{count} connections under fire: opened", "%", [100 * opened / count], at_least=98)


async def _junk(count: int) -> list[Figure]:
    """RTC-6: junk from a stranger, and from a peer itself, at one test; what another one loses meanwhile."""
    figures = []
    for whose in ("a stranger", "the peer itself"):
        async with pool_of(warm=2) as pool:
            ours, theirs = await pool.acquire(), await pool.acquire()
            inbox, others = Inbox(ours), Inbox(theirs)
            async with connected(ours, inbox) as client, connected(theirs, others) as hostile:
                assert hostile.pc.sctp is not None
                way = hostile.pc.sctp.transport.transport._connection
                target = next(iter(way._nominated.values())).remote_addr
                sent = 0
                pinging = asyncio.create_task(client.ping(10**9))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.setblocking(False)
                    while sent < count:
                        for _ in range(50):
                            junk = b"\x80\x60" + os.urandom(100)
                            if whose == "a stranger":
                                sock.sendto(junk, target)
                            else:
                                await way.send(junk)
                        sent += 50
                        await asyncio.sleep(0.01)
                pinging.cancel()
                await asyncio.gather(pinging, return_exceptions=True)
                await asyncio.sleep(1.0)
                lost = 100 * (1 - len(client.pongs) / client.pings_sent)
            await asyncio.gather(ours.close(), theirs.close())
        name = f"{sent} packets of junk from {whose}: loss of another test's {client.pings_sent} pings"
        figures.append(Figure(name, "%", [lost], at_most=MOST_LOSS_PCT))
    return figures
