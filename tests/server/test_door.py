"""Connections are counted as they are accepted, and none stays that only takes up room (LNK-7, LOD-2, LOD-4)."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import resource
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from readiness.errors import LimitError
from readiness.logs import RepeatFilter
from readiness.server import door as door_module
from readiness.server.app import make_runner
from readiness.server.door import Door, DoorSite, raise_descriptor_limit
from tests.integration.support import certificate
from tests.patience import PATIENCE_S

ASK = b"GET / HTTP/1.1\r\nHost: ready.example\r\n\r\n"
ALIKE = 60
"""Lines of one event that are written in a minute."""


class House:
    """A small service behind a door: `/` answers, `/wait` does so once it may, `/long` with more than anybody reads."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.may = asyncio.Event()
        self.port = 0
        self.open: list[asyncio.StreamWriter] = []

    async def start(self, tls: ssl.SSLContext | None = None) -> web.AppRunner:
        @web.middleware
        async def counted(request, handler):
            try:
                with self.door.request(request, request.headers.get("X-Caller", request.remote)):
                    return await handler(request)
            except LimitError:
                raise web.HTTPTooManyRequests from None

        async def answer(_request):
            return web.Response(text="here")

        async def wait(_request):
            await self.may.wait()
            return web.Response(text="waited")

        async def long(_request):
            return web.Response(body=bytes(40 << 20))

        app = web.Application(middlewares=[counted])
        app.add_routes([web.get("/", answer), web.get("/wait", wait), web.get("/long", long)])
        runner = make_runner(app)
        await runner.setup()
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        await DoorSite(runner, listener, self.door, ssl_context=tls).start()
        self.port = listener.getsockname()[1]
        return runner

    async def connect(self, come_from: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(come_from, 0))
        self.open.append(writer)
        return reader, writer

    def leave(self) -> None:
        """Close every connection that was made."""
        for writer in self.open:
            writer.close()

    async def ask(self, request: bytes = ASK, come_from: str = "127.0.0.1") -> bytes:
        """Return the first line of an answer on a connection of its own, which stays open; empty where it is cut."""
        reader, writer = await self.connect(come_from)
        writer.write(request)
        with contextlib.suppress(ConnectionError):
            return await reader.readline()
        return b""


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A house with eight places, four for one address."""
    built = House(Door(most=8))
    runner = await built.start()
    async with asyncio.timeout(PATIENCE_S):
        yield built
    built.may.set()
    built.leave()
    await runner.cleanup()
    assert built.door.connections == 0
    assert not built.door._asking
    assert not built.door._by_prefix
    assert not built.door._idle
    assert not built.door._idle_of


async def until(true) -> None:
    while not true():
        await asyncio.sleep(0.01)


async def test_silent_connections_never_keep_anybody_out(house):
    """Of forty silent ones from one address four stay, and everybody is answered: there, and elsewhere."""
    silent = [await house.connect() for _ in range(40)]
    assert await house.ask() == b"HTTP/1.1 200 OK\r\n"
    assert await house.ask(come_from="127.0.0.2") == b"HTTP/1.1 200 OK\r\n"
    assert house.door.connections <= 5
    await asyncio.wait_for(asyncio.gather(*(reader.read() for reader, _ in silent[:30])), PATIENCE_S)


async def test_the_oldest_idle_connection_goes_first_and_none_that_is_answered(house):
    """A connection with a request in hand is never ended for another; who has only those there is refused."""
    waiting = [asyncio.create_task(house.ask(ASK.replace(b"/ ", b"/wait ", 1))) for _ in range(4)]
    await until(lambda: house.door._asking["127.0.0.1"] == 4)
    assert await house.ask() == b"", "no place for this address"
    assert await house.ask(come_from="127.0.0.2") == b"HTTP/1.1 200 OK\r\n", "but for others"
    house.may.set()
    assert set(await asyncio.gather(*waiting)) == {b"HTTP/1.1 200 OK\r\n"}
    assert await house.ask() == b"HTTP/1.1 200 OK\r\n"


async def test_many_addresses_together_leave_room_too(house):
    """Beyond the whole number the one that is idle for the longest goes, whatever its address."""
    for number in range(2, 32):
        await house.connect(f"127.0.0.{number}")
    assert await house.ask(come_from="127.0.1.1") == b"HTTP/1.1 200 OK\r\n"
    assert house.door.connections <= 8


async def test_behind_a_proxy_callers_are_counted_by_request():
    """The proxy's own connections have no share; of the callers behind it each has one."""
    built = House(Door(most=8, trusted=(ipaddress.ip_network("127.0.0.0/8"),)))
    runner = await built.start()
    async with asyncio.timeout(PATIENCE_S):
        asking = ASK.replace(b"/ ", b"/wait ", 1)
        one = [asyncio.create_task(built.ask(asking[:-2] + b"X-Caller: 192.0.2.1\r\n\r\n")) for _ in range(4)]
        await until(lambda: built.door._asking["192.0.2.1"] == 4)
        assert b" 429 " in await built.ask(ASK[:-2] + b"X-Caller: 192.0.2.1\r\n\r\n")
        assert b" 200 " in await built.ask(ASK[:-2] + b"X-Caller: 192.0.2.2\r\n\r\n")
        built.may.set()
        assert set(await asyncio.gather(*one)) == {b"HTTP/1.1 200 OK\r\n"}
        assert b" 200 " in await built.ask(ASK[:-2] + b"X-Caller: 192.0.2.1\r\n\r\n")
    built.leave()
    await runner.cleanup()


async def test_LOD_2_who_does_not_read_is_cut_off_and_who_reads_slowly_is_not(house, monkeypatch):
    """An answer that nobody takes ends its connection; a slow line that takes some of it goes on."""
    now = [0.0]
    house.door.clock = lambda: now[0]
    _, writer = await house.connect()
    writer.transport.pause_reading()
    writer.write(ASK.replace(b"/ ", b"/long ", 1))
    await until(lambda: any(line.transport and line.transport.get_write_buffer_size() for line in lines(house)))
    house.door.end_slow()
    now[0] = door_module.WRITE_S - 1
    house.door.end_slow()
    assert house.door.connections == 1
    (line,) = lines(house)
    assert line.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * door_module.SEND_BUFFER_BYTES
    assert line.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == door_module.UNHEARD_MS
    line.socket.sent_bytes += door_module.LEAST_BYTES  # as if the line had taken so much
    now[0] = door_module.WRITE_S
    house.door.end_slow()
    assert house.door.connections == 1
    now[0] = 2 * door_module.WRITE_S
    house.door.end_slow()
    await until(lambda: not house.door.connections)


def lines(house: House) -> list:
    return list(house.door._lines.values())


async def test_LOD_2_a_silent_tls_client_is_sent_away(tmp_path, monkeypatch):
    """Neither silence nor half a greeting keeps a connection, nor plain text on the TLS port; TLS is served."""
    monkeypatch.setattr(door_module, "HANDSHAKE_S", 0.5)
    chain, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    built = House(Door(most=20))
    runner = await built.start(context)
    async with asyncio.timeout(PATIENCE_S):
        readers = []
        for first in (b"", b"\x16\x03\x01\x02\x00\x01\x00", ASK):
            reader, writer = await built.connect()
            writer.write(first)
            readers.append(reader)
        ours = ssl.create_default_context(cafile=str(chain))
        ours.check_hostname = False
        reader, writer = await asyncio.open_connection("127.0.0.1", built.port, ssl=ours)
        writer.write(ASK)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        await asyncio.gather(*(one.read() for one in readers), return_exceptions=True)
        await until(lambda: built.door.connections == 1)
        writer.close()
    built.leave()
    await runner.cleanup()


async def test_without_descriptors_idle_connections_make_room_and_the_log_stays_short(house, monkeypatch, caplog):
    """The system has no room for another socket: one line, the idle ones are ended, and the next is let in."""
    for _ in range(3):
        await house.connect()
    await until(lambda: house.door.connections == 3)
    loop, accept, failures = asyncio.get_running_loop(), asyncio.get_running_loop().sock_accept, [2]

    async def failing(listener):
        if failures[0]:
            failures[0] -= 1
            raise OSError(24, "Too many open files")
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", failing)
    await house.connect()
    await until(lambda: not failures[0])
    assert await house.ask() == b"HTTP/1.1 200 OK\r\n"
    assert len([one for one in caplog.records if one.msg == "connections.no_room"]) == 2


def test_the_limit_of_descriptors_is_raised(monkeypatch):
    """As far as the system allows, and no further; a system without a limit is not asked to have one."""
    set_to = []
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, limits: set_to.append(limits))
    for soft, hard in ((1024, 524_288), (1024, 4096), (70_000, 100_000), (1024, resource.RLIM_INFINITY)):
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, now=(soft, hard): now)
        raise_descriptor_limit()
    assert set_to == [(16_384, 524_288), (4096, 4096), (16_384, resource.RLIM_INFINITY)]


def test_the_room_is_enough_for_a_hospital():
    """500 people at one address open the page at once: seven connections each, and nobody is refused (LNK-7, LOD-4)."""
    assert Door().most_of_prefix >= 500 * 7
    assert Door().most + door_module.KEPT_DESCRIPTORS <= door_module.WANTED_DESCRIPTORS


def test_lines_that_repeat_are_counted_and_not_written():
    """Of a flood of one event sixty lines a minute are written; the next minute's first says how many were not."""
    now = [0.0]
    repeats = RepeatFilter(clock=lambda: now[0])

    def record(event: str, **values) -> logging.LogRecord:
        made = logging.LogRecord("readiness", logging.WARNING, "file", 1, event, (), None)
        made.values = values
        return made

    written = sum(repeats.filter(record("connections.refused")) for _ in range(10_000))
    assert written == ALIKE
    assert repeats.filter(record("something.else"))
    now[0] = 60.0
    first = record("connections.refused", connections=1)
    assert repeats.filter(first)
    assert first.values == {"connections": 1, "left_out_before": 10_000 - ALIKE}
    assert json.dumps(first.values)
    second = record("connections.refused")
    assert repeats.filter(second)
    assert second.values == {}


def test_events_without_end_take_no_memory():
    """Should a library's lines all differ, the count is forgotten, not kept for ever."""
    repeats = RepeatFilter()
    for number in range(5000):
        repeats.filter(logging.LogRecord("readiness", logging.WARNING, "file", 1, f"event {number}", (), None))
    assert len(repeats._seen) <= 1000
