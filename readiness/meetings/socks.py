"""A connection through a SOCKS5 proxy (RFC 1928, RFC 1929), for aiohttp, which knows none. The proxy looks names up.

A gateway that is written as an IPv6 address is not reached so; by its name it is.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from ipaddress import IPv4Address
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from readiness.meetings.delivery import DeliveryError

__all__ = ["is_socks", "through"]

SCHEMES: Final = frozenset({"socks5", "socks5h", "socks"})
"""All of them ask the proxy for the name: whoever needs a proxy often has no name server that knows it."""
DEFAULT_PORT: Final = 1080
GREET_S: Final = 10.0
_VERSION: Final = 5
_NONE, _PASSWORD, _NEITHER = 0, 2, 255
"""Ways to say who we are."""
_V4, _NAME, _V6 = 1, 3, 4
"""Kinds of addresses."""
_LENGTHS: Final = {_V4: 4, _V6: 16}
"""Of an address in the proxy's answer."""
_NOT_ALLOWED: Final = 2
"""What a proxy answers where its rules are against it: it may want to know who asks."""


def is_socks(proxy: str) -> bool:
    """Return whether `proxy` is a SOCKS proxy's address."""
    return urlsplit(proxy).scheme.lower() in SCHEMES


async def through(proxy: str, url: str, *, tls: ssl.SSLContext | bool) -> aiohttp.TCPConnector:
    """Return a connector for one request to `url`, by a connection that is made here.

    Raises DeliveryError: "login" where the proxy wants another user or password, "unreachable" for anything else.
    """
    there = urlsplit(url)
    port = there.port or (443 if there.scheme == "https" else 80)
    made = await _connected(proxy, there.hostname or "", port)

    def factory(_: Any) -> socket.socket:
        return made

    return aiohttp.TCPConnector(ssl=tls, resolver=_Anywhere(), socket_factory=factory, force_close=True)


async def _connected(proxy: str, host: str, port: int) -> socket.socket:
    where = urlsplit(proxy)
    loop = asyncio.get_running_loop()
    made: _Connected | None = None
    try:
        async with asyncio.timeout(GREET_S):
            found = await loop.getaddrinfo(where.hostname or "", where.port or DEFAULT_PORT, type=socket.SOCK_STREAM)
            family, kind, protocol, _, address = found[0]
            made = _Connected(family, kind, protocol)
            made.setblocking(False)
            await loop.sock_connect(made, address)
            made.is_there = True
            await _greet(made, unquote(where.username or ""), unquote(where.password or ""))
            await _ask(made, host, port)
    except BaseException as error:
        if made is not None:
            made.close()
        if isinstance(error, (OSError, EOFError, TimeoutError, ValueError)):
            raise DeliveryError("unreachable", detail="proxy") from None
        raise
    return made


async def _greet(made: socket.socket, user: str, password: str) -> None:
    ways = bytes([_NONE, _PASSWORD]) if user else bytes([_NONE])
    await _send(made, bytes([_VERSION, len(ways)]) + ways)
    version, way = await _read(made, 2)
    if version != _VERSION:
        raise ValueError("no SOCKS5 proxy")
    if way == _PASSWORD and user:
        name, secret = user.encode()[:255], password.encode()[:255]
        await _send(made, bytes([1, len(name)]) + name + bytes([len(secret)]) + secret)
        _, status = await _read(made, 2)
        if status:
            raise DeliveryError("login", detail="proxy")
    elif way != _NONE:
        raise DeliveryError("login", detail="proxy")


async def _ask(made: socket.socket, host: str, port: int) -> None:
    try:
        address = bytes([_V4]) + IPv4Address(host).packed
    except ValueError:
        name = host.encode("idna")
        address = bytes([_NAME, len(name)]) + name
    await _send(made, bytes([_VERSION, 1, 0]) + address + port.to_bytes(2, "big"))
    _, reply, _, kind = await _read(made, 4)
    if reply:
        raise DeliveryError("login" if reply == _NOT_ALLOWED else "unreachable", detail=f"proxy {reply}")
    length = _LENGTHS[kind] if kind in _LENGTHS else (await _read(made, 1))[0]
    await _read(made, length + 2)  # where it is connected from: of no use to us


async def _send(made: socket.socket, piece: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(made, piece)


async def _read(made: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = await asyncio.get_running_loop().sock_recv(made, size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


class _Connected(socket.socket):
    """A socket that is connected already when aiohttp connects it."""

    is_there = False

    def connect(self, address: Any) -> None:
        """Connect to the proxy; after that to nothing more."""
        if not self.is_there:
            super().connect(address)


class _Anywhere(AbstractResolver):
    """Looks no name up: where the proxy connects to is its own affair."""

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        """Return an address that is never connected to."""
        del family
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""
