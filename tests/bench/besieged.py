"""A server that is attacked, watched from outside, and the strangers' side of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
import psutil

from tests.integration.support import ServerProcess

__all__ = ["Pulse", "Watched", "client", "come_uninvited", "is_held", "opened", "said_first", "sockets", "still_open"]

MEBIBYTE = 1 << 20


@dataclass
class Watched:
    """The server, and what it and all that it started have used."""

    server: ServerProcess

    @property
    def base(self) -> str:
        return self.server.base

    @property
    def family(self) -> list[psutil.Process]:
        one = psutil.Process(self.server.process.pid)
        return [one, *one.children(recursive=True)]

    def web_cpu_s(self) -> float:
        """Processor time of the web process alone."""
        return sum(psutil.Process(self.server.process.pid).cpu_times()[:2])

    def memory_mib(self) -> float:
        """Memory of the whole family, MiB, each page counted where it is used."""
        found = 0
        for one in self.family:
            with contextlib.suppress(psutil.Error):
                found += one.memory_info().rss
        return found / MEBIBYTE

    def log_lines(self) -> int:
        return self.server.log.count("\n")

    def connections(self) -> int:
        found = psutil.Process(self.server.process.pid).net_connections(kind="tcp")
        return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == self.server.port for one in found)

    async def most_memory_during(self, work: Awaitable[Any]) -> tuple[Any, float]:
        """Return what came of `work`, and by how much the family's memory grew at most, MiB."""
        before = most = self.memory_mib()
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait([task], timeout=0.1)
            most = max(most, self.memory_mib())
        return task.result(), most - before


class Pulse:
    """Asks for the server's health all the time, and keeps how long each answer took, ms."""

    def __init__(self, base: str) -> None:
        self.base, self.took_ms = base, list[float]()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _ask(self) -> None:
        connector = aiohttp.TCPConnector(local_addr=("127.0.7.7", 0), force_close=True)
        async with aiohttp.ClientSession(self.base, connector=connector) as http:
            while True:
                began = time.perf_counter()
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get("/healthz") as answer:
                        await answer.read()
                self.took_ms.append(1e3 * (time.perf_counter() - began))
                await asyncio.sleep(0.05)

    def slowest(self) -> list[float]:
        return [max(self.took_ms)] if self.took_ms else []


@contextlib.asynccontextmanager
async def client(base: str, address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
    """A browser of its own at this address of loopback."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0), limit=0)
    async with aiohttp.ClientSession(base, connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield http


async def opened(http: aiohttp.ClientSession, link: str) -> str:
    """Open a link and return its session."""
    organisation, token = link.split("/o/")[1].split("/", maxsplit=1)[0], link.partition("#")[2]
    async with http.post("/api/v1/links/redeem", json={"organisation": organisation, "token": token}) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["session"])


async def come_uninvited(http: aiohttp.ClientSession) -> str:
    async with http.post("/api/v1/organisations/demo/try", json={}) as answer:
        assert answer.status in {200, 201}, await answer.text()
        return str((await answer.json())["session"])


def sockets(base: str, count: int, addresses: int = 1) -> Iterator[socket.socket]:
    """Connect so many times, from so many addresses of loopback; what is refused is left out."""
    where = (urlsplit(base).hostname, urlsplit(base).port)
    for number in range(count):
        one = socket.socket()
        one.bind((f"127.0.9.{1 + number % addresses}", 0))
        one.settimeout(5)
        try:
            one.connect(where)
        except OSError:
            one.close()
            continue
        one.setblocking(False)
        yield one


def still_open(some: Iterable[socket.socket]) -> list[socket.socket]:
    """Those that the other end has neither closed nor reset, whatever it has sent before."""
    found = []
    for one in some:
        try:
            while one.recv(65536):
                pass
        except BlockingIOError:
            found.append(one)
        except OSError:
            pass
    return found


def said_first(some: Iterable[socket.socket], word: bytes) -> list[socket.socket]:
    """Those that were answered with this word first, and are still open."""
    found = []
    for one in some:
        with contextlib.suppress(OSError):
            if one.recv(65536).startswith(word):
                found.append(one)
    return still_open(found)


def is_held(one: socket.socket) -> bool:
    """Whether the other end still keeps a connection that we read nothing from: a reset is told by the system alone."""
    state = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state == 1  # TCP_ESTABLISHED
