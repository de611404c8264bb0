"""What strangers can do to a whole server, in processor time, memory, connections and log lines.

Each attack was first tried on an early version; what came of it then stands in the name. The server runs in a process
of its own on loopback, every attack is bounded in count and time, and nothing is sent anywhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import re
import resource
import socket
import sqlite3
import ssl
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from tests.bench.besieged import (
    Pulse,
    Watched,
    client,
    come_uninvited,
    is_held,
    opened,
    said_first,
    sockets,
    still_open,
)
from tests.bench.figures import Figure
from tests.integration.support import ServerProcess, certificate, serving
from tests.meetings.bombs import BOMBS
from tests.patience import PATIENCE_S
from tests.security.support import HELLO, next_of

__all__ = ["run"]

CAPACITY = 4
BOMB_BYTES = 2000 << 20
SLOW_EACH, SILENT_UPGRADES, IDLE, FLOOD_S, STREAMS, OPENINGS = 200, 1500, 1100, 5.0, 400, 140
QUICK = 5
"""A quick run does this part of each."""
LONGEST_SLOW_S = 60.0
LABELS = ("தமிழ்", "ሰላም", "李明", "Anna 🙂", "กขค", "日本語", "한국어", "ښځه", "Čáhppe", "محمد")


async def run(*, quick: bool) -> list[Figure]:
    """Attack a server, then one with TLS."""
    part = QUICK if quick else 1
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        with serving(Path(name) / "one", "--demo", CAPACITY=str(CAPACITY)) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))  # ours: the server has set its own
            watched = Watched(server)
            for attack in ATTACKS:
                found += await attack(watched, part)
            stopped = time.perf_counter()
            await asyncio.to_thread(server.stop)
            took = time.perf_counter() - stopped
            found.append(Figure("F2: stop after all that (was: still running after 18 min)", "s", [took], at_most=70))
        pair = certificate(Path(name))
        with serving(Path(name) / "two", "--demo", TLS_CERT=str(pair[0]), TLS_KEY=str(pair[1])) as server:
            found += await _silent_tls(server, part)
        found += await _locked(Path(name) / "three")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return found


async def _bodies(watched: Watched, part: int) -> list[Figure]:
    """F1: compressed bodies, without a login."""
    bomb = await asyncio.to_thread(gzip.compress, bytes(BOMB_BYTES // part), 9)
    before, statuses = watched.web_cpu_s(), set()
    async with client(watched.base) as http, Pulse(watched.base) as pulse:
        for path in ("/api/v1/csp-reports", "/api/v1/links/redeem", "/no/such/page"):
            with contextlib.suppress(aiohttp.ClientError):
                async with http.post(path, data=bomb, headers={"Content-Encoding": "gzip"}) as answer:
                    statuses.add(answer.status)
    used = (watched.web_cpu_s() - before) / 3
    assert statuses <= {415}, statuses
    size = f"{len(bomb) / 1e6:.1f} MB"
    return [
        Figure(f"F1: a gzip body of {size} (was 4.5 for 2.0 MB)", "CPU-s", [used], at_most=0.3),
        Figure("F1: slowest answer about its health meanwhile (was 5900)", "ms", pulse.slowest(), at_most=500),
    ]


async def _calendars(watched: Watched, part: int) -> list[Figure]:
    """F2: calendars of zones, by an organiser."""
    del part
    async with client(watched.base) as http, Pulse(watched.base) as pulse:
        headers = {"Readiness-Session": await opened(http, watched.server.links["organiser_url"])}

        async def send() -> list[float]:
            took = []
            for name in ("50 daily rules of a zone", "6,000 daily rules of a zone"):
                began = time.perf_counter()
                async with http.post("/api/v1/meetings/import", data=BOMBS[name].encode(), headers=headers) as answer:
                    await answer.read()
                took.append(time.perf_counter() - began)
            return took

        before = watched.web_cpu_s()
        took, grown = await watched.most_memory_during(send())
        used = watched.web_cpu_s() - before
    return [
        Figure("F2: calendars of 6 and 666 kB: until each is answered (was 16, and never)", "s", took, at_most=20),
        Figure("F2: of both, processor time of the web process (was 16 and more)", "CPU-s", [used], at_most=2),
        Figure("F2: memory of all processes grew by (was 420 and 11,300)", "MiB", [grown], at_most=400),
        Figure("F2: slowest answer about its health meanwhile (was 1400)", "ms", pulse.slowest(), at_most=1000),
    ]


async def _places(watched: Watched, part: int) -> list[Figure]:
    """F3: people without an invitation hold every place they get; then an invited one comes."""
    async with contextlib.AsyncExitStack() as stack:
        held = 0
        for number in range(CAPACITY + 200 // part):
            address = f"127.0.3.{1 + number}" if number < CAPACITY else "127.0.4.1"
            http = await stack.enter_async_context(client(watched.base, address))
            with contextlib.suppress(aiohttp.ClientError, AssertionError):
                line = await http.ws_connect("/api/v1/session")
                await line.send_json({**HELLO, "session": await come_uninvited(http)})
                held += 1
        invited = await stack.enter_async_context(client(watched.base, "127.0.5.1"))
        session = await opened(invited, watched.server.links["selftest_url"])
        began = time.perf_counter()
        line = await invited.ws_connect("/api/v1/session")
        await line.send_json({**HELLO, "session": session})
        told = await next_of(line, "plan", "error", within_s=PATIENCE_S)
        took = time.perf_counter() - began if told["type"] == "plan" else float("inf")
    crowd = f"{held} silent drop-ins, most of one address, for {CAPACITY} places"
    return [Figure(f"F3: {crowd}: an invited one is in after (was never)", "s", [took], at_most=5)]


UPGRADE = (
    "GET /api/v1/session HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n"
)


async def _upgrades(watched: Watched, part: int) -> list[Figure]:
    """F4: sockets that never say who they are."""
    upgrade = UPGRADE.format(urlsplit(watched.base).netloc).encode()
    some = []
    for one in await asyncio.to_thread(list, sockets(watched.base, SILENT_UPGRADES // part)):
        with contextlib.suppress(OSError):
            one.send(upgrade)
            some.append(one)
    await asyncio.sleep(2.0)
    left = len(said_first(some, b"HTTP/1.1 101"))
    for one in some:
        one.close()
    return [
        Figure(
            f"F4: of {SILENT_UPGRADES // part} silent upgrades from one address, open after 2 s (was all)",
            "",
            [left],
            at_most=300,
        )
    ]


async def _idle(watched: Watched, part: int) -> list[Figure]:
    """F4: more connections than a usual limit of descriptors (1,024), then 90 new ones a second."""
    lines = watched.log_lines()
    some = await asyncio.to_thread(list, sockets(watched.base, IDLE))
    began = time.perf_counter()
    async with client(watched.base, "127.0.6.1") as http, http.get("/healthz") as answer:
        assert answer.status == 200
    took = time.perf_counter() - began
    most = watched.connections()
    async with Pulse(watched.base) as pulse:
        for _ in range(int(10 * FLOOD_S * 2) // part):
            some += await asyncio.to_thread(list, sockets(watched.base, 9))
            await asyncio.sleep(0.1)
    for one in some:
        one.close()
    return [
        Figure(
            f"F4: {IDLE} idle connections: the next client is answered after (was 10.5, {most} were open)",
            "s",
            [took],
            at_most=1,
        ),
        Figure("F4: log lines of both (was 208,884 in 40 s)", "", [watched.log_lines() - lines], at_most=100),
        Figure("F4: slowest answer with 90 new ones a second (was 3000)", "ms", pulse.slowest(), at_most=1000),
    ]


async def _slow(watched: Watched, part: int) -> list[Figure]:
    """LOD-2, F14: a thousand clients that take their time, at once, from 50 addresses."""
    host = f"Host: {urlsplit(watched.base).netloc}\r\n"
    post = f"POST /api/v1/links/redeem HTTP/1.1\r\n{host}Content-Type: application/json\r\n"
    events = post.replace("POST /api/v1/links/redeem", "PATCH /api/v1/meetings/events")
    async with client(watched.base) as http, http.get("/o/demo/try") as answer:
        script = re.findall(r"/static/[^\"]+/main\.js", await answer.text())[0]
    kinds: dict[str, tuple[str, str]] = {
        "silent (was 15)": ("", ""),
        "half a header (was 15)": (f"GET / HTTP/1.1\r\n{host}", ""),
        "a header that drips (was 15)": (f"GET / HTTP/1.1\r\n{host}X-Drip: ", "x"),
        "a body that drips (was 20)": (f"{post}Content-Length: 500\r\n\r\n", "x"),
        "a body that drips, to an address like a stream's (was 60 and more)": (
            f"{events}Content-Length: 500\r\n\r\n",
            "x",
        ),
        "reads nothing of 200 scripts (was 63 and more)": (f"GET {script} HTTP/1.1\r\n{host}\r\n" * 200, ""),
        "a socket that says nothing (was 12)": (UPGRADE.format(urlsplit(watched.base).netloc), ""),
    }
    each = SLOW_EACH // part
    found = []
    async with Pulse(watched.base) as pulse:
        lots: dict[str, list[socket.socket]] = {}
        for kind, (first, _) in kinds.items():
            lots[kind] = await asyncio.to_thread(list, sockets(watched.base, each, 50))
            for one in lots[kind]:
                if "reads nothing" in kind:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                with contextlib.suppress(OSError):
                    one.send(first.encode())
        began, closed_s = time.perf_counter(), dict.fromkeys(kinds, float("inf"))
        left = {kind: list(some) for kind, some in lots.items()}
        while any(left.values()) and time.perf_counter() - began < LONGEST_SLOW_S:
            await asyncio.sleep(0.5)
            for kind, (_, drip) in kinds.items():
                if "reads nothing" in kind:
                    left[kind] = [one for one in left[kind] if is_held(one)]
                else:
                    left[kind] = still_open(left[kind])
                for one in left[kind] if drip else ():
                    with contextlib.suppress(OSError):
                        one.send(drip.encode())
                if not left[kind]:
                    closed_s[kind] = min(closed_s[kind], time.perf_counter() - began)
    for some in lots.values():
        for one in some:
            one.close()
    found = [
        Figure(f"LOD-2: {each} x {kind}: all closed after", "s", [took], at_most=22) for kind, took in closed_s.items()
    ]
    p95 = statistics.quantiles(pulse.took_ms, n=20)[-1]
    return [
        *found,
        Figure(f"LOD-2: health meanwhile, p95 ({each * len(kinds)} at once; was 41)", "ms", [p95], at_most=300),
    ]


async def _rows(watched: Watched, part: int) -> list[Figure]:
    """F9: rows and log lines without a login."""
    made = asked = 0
    seconds = FLOOD_S / part
    async with client(watched.base, "127.0.8.1") as http:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            async with http.post("/api/v1/organisations/demo/try", json={}) as answer:
                made += answer.status < 300
                asked += 1
        lines, until, reports = watched.log_lines(), time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            async with http.post("/api/v1/csp-reports", json={"csp-report": {"blocked-uri": "inline"}}) as answer:
                reports += 1
    return [
        Figure(
            f"F9: of {asked} tries from one address in {seconds:g} s, sessions made (was 1,265)",
            "",
            [made],
            at_most=100,
        ),
        Figure(
            f"F9: log lines of {reports} CSP reports in {seconds:g} s (was 10,030)",
            "",
            [watched.log_lines() - lines],
            at_most=100,
        ),
    ]


async def _codes(watched: Watched, part: int) -> list[Figure]:
    """F8: guessers of codes use up what there is; then a right one comes from elsewhere."""
    del part
    tried = []
    for number in range(4):
        async with client(watched.base, f"127.0.10.{1 + number}") as http:
            for _ in range(15):
                body = {"organisation": "demo", "code": "ABCDE-FGHJK"}
                async with http.post("/api/v1/links/redeem", json=body) as answer:
                    tried.append(answer.status)
    async with client(watched.base, "127.0.11.1") as http:
        headers = {"Readiness-Session": await opened(http, watched.server.links["organiser_url"])}
        async with http.get("/api/v1/meetings", headers=headers) as answer:
            meeting = (await answer.json())["meetings"][0]["id"]
        body = {"people": "all", "channel": "letter"}
        async with http.post(f"/api/v1/meetings/{meeting}/invitations", json=body, headers=headers) as answer:
            code = next(one["code"] for one in (await answer.json())["invitations"] if "code" in one)
    right = {"organisation": "demo", "code": code}
    async with client(watched.base, "127.0.11.2") as http, http.post("/api/v1/links/redeem", json=right) as answer:
        status = answer.status
    told = f"{len(tried)} wrong ones from four addresses, {tried.count(429)} told to wait"
    return [Figure(f"F8: a right code after {told} (was 429)", "status", [status], at_most=200)]


async def _streams(watched: Watched, part: int) -> list[Figure]:
    """F15: event streams of one leader."""
    async with client(watched.base, "127.0.12.1") as http:
        session = await opened(http, watched.server.links["board_url"])
        answers = [await http.get(f"/api/v1/boards/{session}/events") for _ in range(STREAMS // part)]
        before = watched.web_cpu_s()
        await asyncio.sleep(5.0)
        used = watched.web_cpu_s() - before
        held = sum(one.status == 200 for one in answers)
        for one in answers:
            one.close()
    return [
        Figure(f"F15: of {len(answers)} event streams with one cookie, open (was all)", "", [held], at_most=10),
        Figure("F15: processor time of 5 s of them (was 2.4)", "CPU-s", [used], at_most=1),
    ]


async def _opened(watched: Watched, part: int) -> list[Figure]:
    """F7: one browser opens a link again and again."""
    del part
    async with client(watched.base, "127.0.13.1") as http:
        for _ in range(OPENINGS):
            await opened(http, watched.server.links["selftest_url"])
        async with http.get("/o/demo/t") as answer:
            status = answer.status
        cookies = len(http.cookie_jar)
    return [
        Figure(
            f"F7: cookies after {OPENINGS} openings (was {OPENINGS}, and 400 on every page from 131 on)",
            "",
            [cookies],
            at_most=20,
        ),
        Figure("F7: a page then", "status", [status], at_most=200),
    ]


async def _paper(watched: Watched, part: int) -> list[Figure]:
    """F5: labels in scripts that the first font lacked."""
    del part
    async with client(watched.base, "127.0.14.1") as http:
        headers = {"Readiness-Session": await opened(http, watched.server.links["organiser_url"])}
        starts = (datetime.now(tz=UTC) + timedelta(days=5)).strftime("%Y-%m-%dT10:00:00Z")
        wish = {"starts_at": starts, "participants": [{"role": "patient", "label": label} for label in LABELS]}
        async with http.post("/api/v1/meetings", json=wish, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            meeting = (await answer.json())["id"]
        body = {"people": "all", "channel": "letter"}
        async with http.post(f"/api/v1/meetings/{meeting}/invitations", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        async with http.get(f"/api/v1/meetings/{meeting}/letters.pdf", headers=headers) as answer:
            status = answer.status
    return [
        Figure(f"F5: letters for {len(LABELS)} labels in as many scripts (was 500)", "status", [status], at_most=200)
    ]


async def _races(watched: Watched, part: int) -> list[Figure]:
    """F16: ten times "replace" at once; the links that then open."""
    del part
    async with client(watched.base, "127.0.15.1") as http:
        headers = {"Readiness-Session": await opened(http, watched.server.links["organiser_url"])}
        async with http.get("/api/v1/meetings", headers=headers) as answer:
            found = (await answer.json())["meetings"][0]
        async with http.get(f"/api/v1/meetings/{found['id']}", headers=headers) as answer:
            person = (await answer.json())["participants"][0]["id"]

        async def replace() -> str:
            body = {"people": [person], "channel": "link", "replace": True}
            async with http.post(f"/api/v1/meetings/{found['id']}/invitations", json=body, headers=headers) as answer:
                return str((await answer.json())["invitations"][0]["link"])

        links = await asyncio.gather(*(replace() for _ in range(10)))
    alive = 0
    for number, link in enumerate(dict.fromkeys(links)):
        async with client(watched.base, f"127.0.16.{1 + number}") as http:
            with contextlib.suppress(AssertionError):
                await opened(http, link)
                alive += 1
    return [Figure("F16: links alive after ten parallel replacements (was 7, on PostgreSQL)", "", [alive], at_most=1)]


async def _silent_tls(server: ServerProcess, part: int) -> list[Figure]:
    """F14: TLS ports that hear nothing, or half a greeting."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    hello = outgoing.read()
    some = await asyncio.to_thread(list, sockets(server.base, 100 // part, 20))
    for one in some[::2]:
        one.send(hello[: len(hello) // 2])
    began, left = time.perf_counter(), some
    while left and time.perf_counter() - began < LONGEST_SLOW_S:
        await asyncio.sleep(0.5)
        left = still_open(left)
    took = time.perf_counter() - began if not left else float("inf")
    return [
        Figure(
            f"F14: {len(some)} silent or half-greeted TLS connections: all closed after (was 60)",
            "s",
            [took],
            at_most=20,
        )
    ]


async def _locked(folder: Path) -> list[Figure]:
    """F12: what /readyz says while another process holds the write lock, and how soon it is well again."""
    with serving(folder, "--demo") as server:
        async with client(server.base) as http:

            async def until(well: bool) -> float:
                began = time.perf_counter()
                while time.perf_counter() - began < PATIENCE_S:
                    async with http.get("/readyz") as answer:
                        if (answer.status == 200) is well:
                            return time.perf_counter() - began
                    await asyncio.sleep(0.1)
                return float("inf")

            await until(well=True)
            with contextlib.closing(
                sqlite3.connect(folder / "data" / "readiness.sqlite3", isolation_level=None)
            ) as other:
                other.execute("BEGIN IMMEDIATE")
                told = await until(well=False)
                other.execute("ROLLBACK")
            back = await until(well=True)
    return [
        Figure("F12: a foreign write lock is told by /readyz after (was never)", "s", [told], at_most=90),
        Figure("F12: and is forgotten after", "s", [back], at_most=90),
    ]


Attack = Callable[[Watched, int], Awaitable[list[Figure]]]
ATTACKS: tuple[Attack, ...] = (
    _bodies, _calendars, _places, _upgrades, _idle, _slow, _rows, _codes, _streams, _opened, _paper, _races,
)  # fmt: skip
