"""Fuzz targets of the server: WebSocket frames, JSON bodies of the API, calendars and tables."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import random
import struct
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from aiohttp import ClientSession, WebSocketError, web
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.http import HttpRequestParser  # noqa: F401  (the C parser is loaded before memory is compared)

from readiness.access.links import api_token
from readiness.errors import InputError
from readiness.media.pool import WorkerPool
from readiness.meetings.outbox import OutboxRunner
from readiness.meetings.reading import read_file
from readiness.meetings.reminders import Reminders
from readiness.server import app
from readiness.server.app import make_app, make_runner, make_services
from readiness.server.health import Health
from readiness.server.protocol import parse_message, schema, split_binary
from readiness.settings import load_settings
from reports.store import Store
from tests.cast import SUNNAAS, make_cast
from tests.fuzz.engine import Stateless, Target, of_bytes, plain

DATA = Path(__file__).parents[1] / "data"
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    2**63,
    10**400,
    "",
    " ",
    "\x00",
    "\ud800",
    "é" * 70,
    "x" * 5000,
    [],
    {},
    [[]],
    {"a": {"b": []}},
    "2026-12-01T10:00",
    "0001-01-01T00:00",
    "9999-12-31T23:59:59Z",
    "=1+1",
    "\u202e",
    "+4790000000",
    "a@b.example",
    "\ufdd0",
    0.1,
)
RAW = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"-" + b"9" * 400,
    b"[" * 500,
    b'{"a":' * 500,
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\\udc00\\ud800"',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"a":1,"a":2}',
    b"tru",
    b"'a'",
    b"{}{}",
    b"/**/{}",
    b'"\xed\xa0\x80"',
    b"\x00",
    b"0x10",
    b"01",
    b"1.",
    b"",
)


HUGE = (b"1" * 1_000_000, b"[" * 100_000, b'{"title":' + b"9" * 1_000_000 + b"}", b'{"a":' * 60_000)


def change_json(rng: random.Random, data: bytes) -> bytes:
    """A field's value, a field twice, one left out or one more; or a piece of text that is no JSON."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return of_bytes(rng, data, [data])
    kind = rng.randrange(6)
    if rng.random() < 0.01:
        return rng.choice(HUGE)
    if kind == 0 or not isinstance(body, dict) or not body:
        return rng.choice(RAW)
    name = rng.choice(list(body))
    if kind == 1:
        place = json.dumps(name).encode() + b": "
        return data.replace(place, place + rng.choice(RAW) + b", " + place, 1)
    if kind == 2:
        body.pop(name)
    elif kind == 3:
        body[rng.choice(("x", "", "__proto__", "id", "a" * 300))] = rng.choice(VALUES)
    else:
        inner = body
        while rng.random() < 0.6 and isinstance(inner[name], dict | list) and inner[name]:
            inner = inner[name]
            name = rng.choice(list(inner)) if isinstance(inner, dict) else rng.randrange(len(inner))
        inner[name] = rng.choice(VALUES)
    return json.dumps(body, ensure_ascii=rng.random() < 0.9).encode("utf-8", "surrogatepass")


class Frames(Stateless):
    """WebSocket frames as they come off the wire, and the session's messages in them."""

    bytes_share = 0.4

    def __init__(self) -> None:
        hello = {"type": "hello", "version": 1, "test_id": "a" * 22, "client": {"browser": "Chrome 130", "os": "Linux"}}
        sample = {"type": "samples", "phase": "network", "kind": "start", "t_ms": 1, "data": {}}
        said = [
            json.dumps(one).encode()
            for one in (
                hello,
                sample,
                {"type": "offer", "sdp": "v=0\r\n"},
                {"type": "bye"},
                {**sample, "kind": "final", "final": True},
            )
        ]
        self._texts = said
        self.seeds = [self.frame(0x81, one) for one in said]
        self.seeds += [
            self.frame(0x82, b"\x01\x00\x00\x00\x01" + bytes(60)),
            self.frame(0x89, b"x"),
            self.frame(0x88, b"\x03\xe8bye"),
        ]
        self.seeds += [self.frame(0x01, said[0][:20]) + self.frame(0x80, said[0][20:])]
        assert set(schema()["$defs"]) >= {"hello", "offer"}

    @staticmethod
    def frame(head: int, payload: bytes, length: int | None = None) -> bytes:
        size = len(payload) if length is None else length
        mask = b"mask"
        sizes = (
            bytes([0x80 | size])
            if size < 126
            else b"\xfe" + struct.pack("!H", size & 0xFFFF)
            if size < 65536
            else b"\xff" + struct.pack("!Q", size)
        )
        return bytes([head]) + sizes + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))

    def change(self, rng: random.Random, data: bytes) -> bytes:
        kind = rng.randrange(4)
        if kind == 0:
            return (
                bytes([rng.choice((0x81, 0x80, 0x01, 0x00, 0x82, 0x88, 0x89, 0x8A, 0x83, 0xC1, 0x8B, 0xF1, 0x09))])
                + data[1:]
            )
        if kind == 1:
            return data + rng.choice(self.seeds)
        if kind == 2:
            length = rng.choice((0, 125, 126, 65535, 65536, 2**63, 2**64 - 1))
            return self.frame(0x81, rng.choice(self._texts), length)
        return self.frame(rng.choice((0x81, 0x82)), change_json(rng, rng.choice(self._texts))[:60_000])

    async def take(self, data: bytes) -> str:
        queue = WebSocketDataQueue(_Reading(), 2**16, loop=asyncio.get_running_loop())
        reader = WebSocketReader(queue, 65536, False, True)
        half = len(data) // 2
        for piece in (data[:half], data[half:]):
            ended, _ = reader.feed_data(piece)
            if ended:
                error = queue.exception()
                return f"closed.{error.code}" if isinstance(error, WebSocketError) else repr(error)
        found = "answered"
        while queue._buffer:
            message = await queue.read()
            try:
                if message.type == web.WSMsgType.TEXT:
                    parse_message(message.data)
                elif message.type == web.WSMsgType.BINARY:
                    split_binary(message.data)
            except InputError as error:
                found = error.code
        return found


class _Reading:
    """The transport's side of a queue."""

    _reading_paused = False

    def pause_reading(self) -> None:
        self._reading_paused = True

    def resume_reading(self) -> None:
        self._reading_paused = False


class Files(Stateless):
    """Calendars or tables, from bytes to meetings or bad rows."""

    bytes_share = 0.3

    def __init__(self, seeds: list[bytes], words: tuple[bytes, ...]) -> None:
        self.seeds = seeds
        self._words = words

    def change(self, rng: random.Random, data: bytes) -> bytes:
        """Lines repeated, swapped, dropped or put in; a value taken for another."""
        lines = data.split(b"\n")
        at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(5)
        if kind == 0:
            lines[at : at + 1] = [lines[at]] * rng.choice((0, 2, 40))
        elif kind == 1:
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == 2:
            lines.insert(at, rng.choice(self._words))
        else:
            head, sign, _ = lines[at].partition(rng.choice((b":", b";", b",", b"=")))
            lines[at] = head + sign + rng.choice(self._words)
        return b"\n".join(lines)

    async def take(self, data: bytes) -> str:
        try:
            wanted, bad = read_file(data)
        except InputError as error:
            return error.code
        for one in bad:
            assert one.row >= 0
            assert one.reason
        return "answered" if wanted else f"bad.{bad[0].reason.rpartition('.')[2]}"


ICS_WORDS = (
    b"RRULE:FREQ=SECONDLY\r",
    b"RRULE:FREQ=DAILY;COUNT=99999999\r",
    b"DTSTART:00010101T000000\r",
    b"DTSTART:99991231T235959Z\r",
    b"DTSTART;TZID=Nowhere:20261201T100000\r",
    b"DURATION:P9999999999D\r",
    b"DURATION:-PT5M\r",
    b"ATTENDEE:mailto:\r",
    b'ATTENDEE;CN=""":x\r',
    b"BEGIN:VEVENT\r",
    b"END:VEVENT\r",
    b"BEGIN:VTIMEZONE\r",
    b"TZOFFSETTO:+9999\r",
    b"METHOD:CANCEL\r",
    b"RECURRENCE-ID:20261201T100000\r",
    b"SUMMARY;ENCODING=QUOTED-PRINTABLE:=ZZ\r",
    b"SEQUENCE:99999999999999999999\r",
    b"UID:\r",
    b" folded\r",
    b"\tfolded\r",
    b"=;=;=:::\r",
    b"20261301T990000",
    b"20270328T023000",
    b"\xff\xfe",
    b"P1W",
    b"PT",
    b"0",
    b"-1",
    b"TRUE",
    b"x" * 2000,
)
CSV_WORDS = (
    b"",
    b"2026-12-01 10:00",
    b"01.12.2026 10:00",
    b"2026-02-30 25:61",
    b"0000-00-00 00:00",
    b"9" * 400,
    b"=1+1",
    b"@x",
    b"patient",
    b"king",
    b"+47 900 00 000",
    b"\xc2\xa0",
    b'"',
    b'"""',
    b"\x00",
    b";;;;;;;;;;;;",
    b",",
    b"\t",
    b"a@b",
    b"a@b.example",
    b"\xff",
    b"nb",
    b"-5",
    b"1e9",
    b"https://x",
    b"javascript:x",
    b"starts;starts;role",
    b"sep=;",
    b"x" * 5000,
)


def calendars() -> contextlib.AbstractAsyncContextManager[Target]:
    event = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nTZID:Oslo\r\nBEGIN:STANDARD\r\n"
        b"DTSTART:16010101T000000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n"
        b"END:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:u1\r\nSEQUENCE:1\r\nDTSTAMP:20261101T080000Z\r\nDTSTART;TZID=Oslo:20281220T100000\r\n"
        b"DURATION:PT45M\r\nSUMMARY:Samtale\r\nORGANIZER;CN=Lege:mailto:lege@hospital.example\r\n"
        b'ATTENDEE;CN="Prove, Pasient";ROLE=REQ-PARTICIPANT:mailto:a@b.example\r\nURL:https://join.example/1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n'
    )
    found = [path.read_bytes() for path in sorted(DATA.rglob("*.ics")) if path.stat().st_size < 8000]
    return plain(Files([event, event.replace(b"\r\n", b"\n"), event.replace(b"REQUEST", b"CANCEL"), *found], ICS_WORDS))


def tables() -> contextlib.AbstractAsyncContextManager[Target]:
    head = "meeting;starts;minutes;title;profile;solution;join_link;leader;leader_mail;role;label;language;"
    head += "phone;mail;together\n"
    row = "1;2028-12-01 10:00;45;Kontroll;consultation;whereby;https://whereby.com/a;Lars;l@h.example;"
    row += "patient;A. N.;nb;90000000;a@b.example;1\n"
    table = (head + row + row.replace("patient;A. N.", "relative;Per")).encode()
    found = [path.read_bytes() for path in sorted(DATA.rglob("*.csv")) if path.stat().st_size < 8000]
    return plain(Files([table, table.replace(b";", b","), table.replace(b"\n", b"\r\n"), *found], CSV_WORDS))


@contextlib.asynccontextmanager
async def frames() -> AsyncIterator[Target]:
    yield Frames()


class Bodies:
    """JSON bodies for every route that takes one, with a program's right to plan; each answer is one of ours."""

    bytes_share = 0.1

    def __init__(self, store: Store, base: tuple[str, int], token: str, ids: dict[str, str], cookies: str) -> None:
        self._store, self._base, self._token, self._ids, self._cookies = store, base, token, ids, cookies
        starts = (datetime.now(tz=UTC) + timedelta(days=20)).strftime("%Y-%m-%dT10:00")
        person = {"role": "patient", "label": "A. N.", "mail": "a@b.example", "phone": "90000000"}
        wish = {
            "local_start": starts,
            "minutes": 45,
            "participants": [person],
            "hosts": [{"role": "leader", "label": "L"}],
            "title": "K",
        }
        token_43 = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
        link = {"organisation": "sunnaas", "token": token_43}
        plan = "/api/v1/meetings"
        asked = (
            ("POST", plan, wish),
            (
                "POST",
                plan,
                wish | {"profile": "consultation", "solution": "whereby", "join_link": "https://whereby.com/a"},
            ),
            ("PATCH", plan + "/{id}", {"title": "Ny", "local_start": starts, "minutes": 30}),
            ("POST", plan + "/{id}/participants", person | {"locale": "en"}),
            ("PATCH", plan + "/{id}/participants/{person}", {"label": "B.", "phone": "+4790000001"}),
            ("POST", plan + "/{id}/hosts", {"role": "leader", "label": "L", "mail": "l@b.example"}),
            ("POST", plan + "/{id}/invitations", {"replace": True, "people": [ids["person"]]}),
            ("POST", "/api/v1/links/redeem", link),
            ("POST", "/api/v1/links/redeem", {"organisation": "sunnaas", "code": "ABCDE12345"}),
            ("POST", "/api/v1/csp-reports", {"csp-report": {"blocked-uri": "x"}}),
            ("POST", "/api/v1/sessions/{session}/feedback", {"problem": "sound", "worked": False}),
            ("POST", "/api/v1/boards/{board}/resend", {"participant": ids["person"]}),
            ("POST", "/api/v1/boards/{board}/handover", {"participant": ids["person"]}),
            ("POST", "/api/v1/boards/{board}/pin/check", {"pin": "123456"}),
        )
        self._routes = {f"{method} {path}" for method, path, _ in asked}
        self.seeds = [f"{method} {path}\n".encode() + json.dumps(body).encode() for method, path, body in asked]
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._turn = 0

    def change(self, rng: random.Random, data: bytes) -> bytes:
        head, sign, body = data.partition(b"\n")
        return head + sign + change_json(rng, body)

    async def take(self, data: bytes) -> str:
        self._turn += 1
        head, _, data = data.partition(b"\n")
        route = head.decode("ascii", "replace")
        method, path = (route if route in self._routes else min(self._routes)).split(" ")
        status, body = await self._ask(method, path.format_map(self._ids), data)
        if status >= 500:
            raise AssertionError(f"{status} for {method} {path}: {body[:100]!r}")
        if path.endswith("/meetings") and status == 201 and self._turn % 50 == 0:
            made = json.loads(body)
            self._ids |= {"id": made["id"], "person": made["participants"][0]["id"]}
        if status < 400:
            return f"answered:{status}"
        return f"{json.loads(body)['error']['code']}:{status}"

    async def _ask(self, method: str, path: str, data: bytes) -> tuple[int, bytes]:
        """One request on a connection that is kept, as raw bytes: a client library would refuse to send some."""
        for _ in range(2):
            if self._stream is None:
                self._stream = await asyncio.open_connection(*self._base)
            reader, writer = self._stream
            head = f"{method} {path} HTTP/1.1\r\nHost: {self._base[0]}:{self._base[1]}\r\n"
            head += f"Authorization: Bearer {self._token}\r\nCookie: {self._cookies}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                writer.write(head.encode() + data)
                top = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.lower().split(": ", 1) for line in top.splitlines()[1:] if ": " in line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
            except (ConnectionError, asyncio.IncompleteReadError):
                await self._hang_up()
                continue
            if fields.get("connection") == "close" or len(data) > 3000:
                await self._hang_up()
            return int(top.split()[1]), body
        return 499, b'{"error": {"code": "connection.closed"}}'

    async def close(self) -> None:
        """Hang up, and close the pool's connections to the database.

        SQLite keeps the descriptor of a closed connection for the next one while another of the process is open
        (closing it would drop that one's locks), and each has pages in memory: so many stay as were ever open at once.
        """
        await self._hang_up()
        await self._store._database._engine.dispose()

    async def _hang_up(self) -> None:
        if self._stream:
            self._stream[1].close()
            with contextlib.suppress(ConnectionError):
                await self._stream[1].wait_closed()
            self._stream = None


@contextlib.asynccontextmanager
async def bodies() -> AsyncIterator[Target]:
    async def rest(_self: object, _within_s: float = 0.0) -> None:
        return None

    with (
        tempfile.TemporaryDirectory() as folder,
        _replaced(OutboxRunner, "run", rest),
        _replaced(OutboxRunner, "stop", rest),
        _replaced(WorkerPool, "start", rest),
        _replaced(Health, "watch", rest),
        _replaced(Reminders, "run", rest),
        _replaced(app, "_chores", rest),
    ):
        settings = load_settings({"READINESS_DATA_DIR": folder})
        store = await Store.open(settings.database, migrate=True)
        cast = await make_cast(store)
        organisation = await store.ensure_organisation(SUNNAAS)
        runner = make_runner(make_app(make_services(settings, store)))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        ids, cookies = {"id": cast.meeting.id, "person": cast.anna.id}, []
        async with ClientSession(f"http://{host}:{port}") as http:
            for name, token in (("board", cast.lars_token), ("session", cast.anna_token)):
                async with http.post(
                    "/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}
                ) as answer:
                    ids[name] = (await answer.json())["session"]
                    cookies += [f"{cookie.key}={cookie.value}" for cookie in answer.cookies.values()]
        token = await api_token(store, organisation, datetime.now(tz=UTC))
        target = Bodies(store, (host, port), token, ids, "; ".join(cookies))
        try:
            yield target
        finally:
            await target.close()
            await runner.cleanup()


@contextlib.contextmanager
def _replaced(owner: type | ModuleType, name: str, value: object) -> Any:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
