"""Counts connections as they are accepted, limits them per address and in total, and ends those that only occupy room.

A hospital is one address, so the shares are wide, and nobody new is refused while an idle connection can be ended
instead: the one without a request for the longest time. See ``readiness/docs/operations.md`` for the numbers.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
import socket
import ssl
import struct
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from readiness.access.limits import prefix_of
from readiness.access.origin import is_trusted
from readiness.errors import LimitError
from readiness.logs import log_event
from readiness.settings import Network

__all__ = ["Door", "DoorSite", "raise_descriptor_limit"]

log = logging.getLogger(__name__)
WANTED_DESCRIPTORS = 16_384
"""Descriptors per connection: the second one is for everything else that is open."""
KEPT_DESCRIPTORS = 256
"""Descriptors kept from connections: for the database, workers, files and pipes to other processes."""
MOST_CONNECTIONS = 8_000
"""About 100 MB when all are open and silent. 500 people who open the page at once need 3,500 for some seconds."""
PREFIX_SHARE = 2
"""One /32 or /64 gets at most one connection in this many."""
ENOUGH_FOR_A_HOSPITAL = 1_200
"""With room for fewer, 500 people from one address may have to try twice: the log says so at start."""
BACKLOG = 256
"""Backlog of connections while the loop is busy; more would be too old by the time they are accepted."""
HANDSHAKE_S = 10.0
WRITE_S = 10.0
"""A client that reads less than `LEAST_BYTES` of a response in this time is not waiting for it."""
LEAST_BYTES = 10 * 1024
"""1 kB/s: no page is usable over a slower line."""
LOOK_S = 2.0
SEND_BUFFER_BYTES = 512 * 1024
"""Of the system, which takes twice as much (260 Mbit/s at 30 ms), and by itself up to 4 MB for each connection."""
UNHEARD_MS = 30_000
"""After so long without a word that anything arrived the system drops a connection, also one that is closed here."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero: unread data is discarded at once, by the system too."""
NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
NO_ROOM_WAIT_S = 0.1
ENDED_AT_ONCE = 32
"""Idle connections to end when the system has no room for another one."""
BUSY_RETRY_S = 5.0


def raise_descriptor_limit() -> int:
    """Raise this process's limit of open descriptors as far as allowed, and return the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS refuses what its kernel does not allow
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return WANTED_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


class _Socket(socket.socket):
    """An accepted socket that reports when it is closed and counts the bytes sent."""

    sent_bytes = 0
    on_closed: Callable[[], None] | None = None

    def send(self, *args: Any) -> int:
        """Send, and count."""
        sent = super().send(*args)
        self.sent_bytes += sent
        return sent

    def sendmsg(self, *args: Any) -> int:
        """Send, and count."""
        sent = super().sendmsg(*args)
        self.sent_bytes += sent
        return sent

    def close(self) -> None:
        """Close, and report it once."""
        super().close()
        told, self.on_closed = self.on_closed, None
        if told is not None:
            told()


@dataclass(eq=False, slots=True)
class _Line:
    """One connection."""

    socket: _Socket
    prefix: str
    """Network prefix of the peer; empty for our own proxy, behind which is everybody."""
    requests: int = 0
    transport: asyncio.Transport | None = None
    slow_since_s: float | None = None
    sent_then: int = 0


@dataclass(slots=True)
class Door:
    """The present connections. Without a `DoorSite` there are none, and everybody is let through."""

    most: int = MOST_CONNECTIONS
    trusted: Sequence[Network] = ()
    clock: Callable[[], float] = time.monotonic
    _lines: dict[int, _Line] = field(default_factory=dict)
    """Connections by descriptor, by which a request finds its own."""
    _by_prefix: Counter[str] = field(default_factory=Counter)
    _idle: OrderedDict[_Line, None] = field(default_factory=OrderedDict)
    """Connections without a request, the longest idle first."""
    _idle_of: dict[str, OrderedDict[_Line, None]] = field(default_factory=dict)
    _asking: Counter[str] = field(default_factory=Counter)
    """Running requests by the caller's prefix, which behind a proxy is not the connection's."""

    @property
    def most_of_prefix(self) -> int:
        """Most connections, and simultaneous requests, of one prefix."""
        return max(1, self.most // PREFIX_SHARE)

    @property
    def connections(self) -> int:
        """Number of connections."""
        return len(self._lines)

    def let_in(self, accepted: socket.socket, address: str) -> _Line | None:
        """Take over a socket accepted from `address`; without room for it, close it and return None."""
        prefix = "" if is_trusted(address, self.trusted) else prefix_of(address)
        if not self._make_room(prefix):
            accepted.close()
            log_event(log, logging.WARNING, "connections.refused", connections=len(self._lines))
            return None
        own = _Socket(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        own.setblocking(False)
        with suppress(OSError, AttributeError):  # TCP_USER_TIMEOUT is Linux's
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS)
        line = _Line(own, prefix)
        descriptor = own.fileno()
        self._lines[descriptor] = line
        self._by_prefix[prefix] += 1
        self._rest(line)
        own.on_closed = lambda: self._forget(descriptor, line)
        return line

    @contextmanager
    def request(self, request: web.BaseRequest, address: str) -> Iterator[None]:
        """Mark a request as running, so its connection is not idle. Raises LimitError if the caller has too many."""
        prefix, line = prefix_of(address), self._line_of(request)
        if self._asking[prefix] >= self.most_of_prefix:
            raise LimitError("rate.limited", retry_after_s=BUSY_RETRY_S)
        self._asking[prefix] += 1
        if line is not None:
            line.requests += 1
            self._unlist(line)
        try:
            yield
        finally:
            self._asking[prefix] -= 1
            if not self._asking[prefix]:
                del self._asking[prefix]
            if line is not None:
                line.requests -= 1
                if not line.requests and self._lines.get(line.socket.fileno()) is line:
                    self._rest(line)

    def end_idle(self, count: int) -> None:
        """End up to `count` connections without a request, the longest idle first."""
        for line in list(self._idle)[:count]:
            self._end(line)

    def end_slow(self) -> None:
        """End connections whose responses are not being read. Called every few seconds."""
        now = self.clock()
        for line in list(self._lines.values()):
            transport = line.transport
            if transport is None or not transport.get_write_buffer_size():
                line.slow_since_s = None
            elif line.slow_since_s is None or line.socket.sent_bytes - line.sent_then >= LEAST_BYTES:
                line.slow_since_s, line.sent_then = now, line.socket.sent_bytes
            elif now - line.slow_since_s >= WRITE_S:
                log_event(log, logging.INFO, "connection.unread")
                with suppress(OSError):
                    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                transport.abort()

    def _make_room(self, prefix: str) -> bool:
        if prefix and self._by_prefix[prefix] >= self.most_of_prefix:
            return self._end_first(self._idle_of.get(prefix, {}))
        return len(self._lines) < self.most or self._end_first(self._idle)

    def _end_first(self, idle: OrderedDict[_Line, None] | dict[_Line, None]) -> bool:
        line = next(iter(idle), None)
        if line is not None:
            self._end(line)
        return line is not None

    def _end(self, line: _Line) -> None:
        """Cut a connection; its transport closes the rest a moment later."""
        self._forget(line.socket.fileno(), line)
        with suppress(OSError):
            line.socket.shutdown(socket.SHUT_RDWR)

    def _forget(self, descriptor: int, line: _Line) -> None:
        if self._lines.get(descriptor) is not line:
            return
        del self._lines[descriptor]
        self._unlist(line)
        self._by_prefix[line.prefix] -= 1
        if not self._by_prefix[line.prefix]:
            del self._by_prefix[line.prefix]

    def _rest(self, line: _Line) -> None:
        self._idle[line] = None
        self._idle_of.setdefault(line.prefix, OrderedDict())[line] = None

    def _unlist(self, line: _Line) -> None:
        self._idle.pop(line, None)
        mine = self._idle_of.get(line.prefix)
        if mine is not None:
            mine.pop(line, None)
            if not mine:
                del self._idle_of[line.prefix]

    def _line_of(self, request: web.BaseRequest) -> _Line | None:
        own = request.transport.get_extra_info("socket") if request.transport else None
        return None if own is None else self._lines.get(own.fileno())


class DoorSite(web.BaseSite):
    """Serves on a bound socket and accepts through a `Door`.

    asyncio's own server counts nothing, waits a minute for a silent TLS client and, when the system has no room for
    another socket, logs an error for each place in the backlog.
    """

    __slots__ = ("_door", "_opening", "_sock", "_tasks")

    def __init__(
        self, runner: web.BaseRunner, listener: socket.socket, door: Door, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(runner, ssl_context=ssl_context, backlog=BACKLOG)
        self._sock, self._door = listener, door
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """Address it serves on."""
        return str(self._sock.getsockname())

    async def start(self) -> None:
        """Listen and accept from now on."""
        await super().start()
        self._sock.setblocking(False)
        self._sock.listen(self._backlog)
        self._tasks = (asyncio.create_task(self._accept()), asyncio.create_task(self._watch()))

    async def stop(self) -> None:
        """Accept nothing more."""
        for task in (*self._tasks, *self._opening):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._opening, return_exceptions=True)
        self._sock.close()
        await super().stop()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(self._sock)
            except OSError as error:
                if error.errno in NO_ROOM:
                    log_event(log, logging.ERROR, "connections.no_room", connections=self._door.connections)
                    self._door.end_idle(ENDED_AT_ONCE)
                    await asyncio.sleep(NO_ROOM_WAIT_S)
                continue
            line = self._door.let_in(accepted, peer[0])
            if line is not None:
                opening = asyncio.create_task(self._open(line))
                self._opening.add(opening)
                opening.add_done_callback(self._opening.discard)
            await asyncio.sleep(0)  # a flood of connections takes turns with everything else

    async def _open(self, line: _Line) -> None:
        """Hand the connection over to aiohttp, after the TLS handshake if there is one."""
        handler, limits = self._runner.server, {}
        if handler is None:
            line.socket.close()
            return
        if self._ssl_context is not None:
            limits = {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": HANDSHAKE_S}
        try:
            line.transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                handler, line.socket, ssl=self._ssl_context, **limits
            )
        except OSError:  # no TLS, too late, or gone already
            line.socket.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._door.end_slow()
