"""Checks that our media port works (for /readyz): a datagram to our own address and back, over plain sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import socket
import time
from dataclasses import dataclass

from readiness.media.limits import MediaSettings

__all__ = ["PortHealth", "check_media_port"]

_STUN_COOKIE = b"\x21\x12\xa4\x42"
_TIMEOUT_S = 1.0
_RESENDS = 3


@dataclass(frozen=True, slots=True)
class PortHealth:
    """Result of the check. `code` is ``ok``, ``address_unavailable``, ``ports_exhausted`` or ``no_echo``."""

    code: str
    echo_ms: float | None = None
    """Round trip of the datagram through our own address, ms."""

    @property
    def ok(self) -> bool:
        """Whether media can be served at all."""
        return self.code == "ok"


async def check_media_port(settings: MediaSettings, *, timeout_s: float = _TIMEOUT_S) -> PortHealth:
    """Bind a media port on each configured local address, as a worker would, and echo a datagram through it.

    Returns the first failure, else the slowest echo.
    """
    slowest = 0.0
    for local in dict.fromkeys(local for _, local in settings.addresses):
        found = await _check_address(local, settings.ports, timeout_s)
        if not found.ok:
            return found
        slowest = max(slowest, found.echo_ms or 0.0)
    return PortHealth("ok", slowest)


async def _check_address(address: str, ports: tuple[int, int] | None, timeout_s: float) -> PortHealth:
    try:
        server = _bind(address, ports)
    except OSError:
        return PortHealth("address_unavailable")
    if server is None:
        return PortHealth("ports_exhausted")
    with contextlib.closing(server):
        try:
            client = _bind(address, None)
        except OSError:
            return PortHealth("address_unavailable")
        if client is None:
            return PortHealth("ports_exhausted")
        with contextlib.closing(client):
            started = time.perf_counter()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await _echo(server, client, timeout_s / _RESENDS)
                    return PortHealth("ok", round((time.perf_counter() - started) * 1e3, 2))
    return PortHealth("no_echo")


async def _echo(server: socket.socket, client: socket.socket, resend_s: float) -> None:
    """Send a datagram that looks like a STUN binding request, for the sake of firewalls, and wait for its return."""
    loop = asyncio.get_running_loop()
    request = b"\x00\x01\x00\x00" + _STUN_COOKIE + secrets.token_bytes(12)
    target = server.getsockname()
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(resend_s):
                await loop.sock_sendto(client, request, target)
                data, source = await loop.sock_recvfrom(server, 2048)
                await loop.sock_sendto(server, data, source)
                if await loop.sock_recv(client, 2048) == request:
                    return


def _bind(address: str, ports: tuple[int, int] | None) -> socket.socket | None:
    """Return a UDP socket on `address`, or None when all `ports` are taken. Raises OSError for a bad address."""
    low, high = ports or (0, 0)
    first = secrets.randbelow(high - low + 1)
    for step in range(high - low + 1):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.bind((address, low + (first + step) % (high - low + 1)))
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return sock
    return None
