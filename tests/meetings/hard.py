"""Servers on loopback that are hard to please: SMTP by a script, certificates of an own authority, a forward proxy."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psutil
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.patience import PATIENCE_S

DAY = timedelta(days=1)


@dataclass
class Authority:
    """A house's own: its certificate in `file`, and what a server of it presents."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "House")])
        own = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self.file = self.folder / "house.pem"
        self.file.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ends: timedelta = DAY):
        now = datetime.now(tz=UTC)
        named = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
        named = named.serial_number(x509.random_serial_number())
        return named.not_valid_before(now - 9 * DAY).not_valid_after(now + ends)

    def context(self, *, host: str = "127.0.0.1", ends: timedelta = DAY) -> ssl.SSLContext:
        """What a server presents that is called `host`."""
        key, file = ec.generate_private_key(ec.SECP256R1()), self.folder / f"{host}-{ends.days}.pem"
        try:
            alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            alternative = x509.DNSName(host)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        made = self._builder(name, key, ends=ends).add_extension(x509.SubjectAlternativeName([alternative]), False)
        file.write_bytes(
            made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(handle: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port, which is given; at the end every connection is closed and waited for."""
    running: set[asyncio.Task] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handle(reader, writer)
        finally:
            await shut(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()
        async with asyncio.timeout(PATIENCE_S):
            while _connections(port):  # also one that was let in a moment ago, and whose handshake is not over
                for task in running:
                    task.cancel()
                await asyncio.sleep(0.005)
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


def _connections(port: int) -> list[object]:
    """Return this process's connections from others to a port of its own."""
    found = psutil.Process().net_connections("tcp4")
    return [one for one in found if one.laddr.port == port and one.status != psutil.CONN_LISTEN]


async def shut(writer: asyncio.StreamWriter) -> None:
    """Close as a server does, and at once where the other side does not answer."""
    writer.close()
    try:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.2):  # after a handshake that broke off it is never told
                await writer.wait_closed()
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


@dataclass
class Scripted:
    """A mail server that says what it is told to: by command, ``BANNER`` and ``CONTENT`` besides."""

    says: Mapping[str, str]
    offers: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    taken: list[bytes] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")
            await writer.drain()

        offers = [*self.offers, *(["STARTTLS"] if self.tls else [])]
        await say(self.says.get("BANNER", "220 here"))
        while line := await reader.readline():
            command = line.partition(b" ")[0].strip().decode(errors="replace").upper()  # or the beginning of TLS
            if command == "EHLO":
                for one in ["here", *offers][:-1]:
                    await say(f"250-{one}")
                await say(f"250 {['here', *offers][-1]}")
            elif command == "STARTTLS" and self.tls and "STARTTLS" not in self.says:
                await say("220 go")
                await writer.start_tls(self.tls)
                offers = [*self.offers]
            elif command == "DATA" and "DATA" not in self.says:
                await say("354 go")
                content = await reader.readuntil(b"\r\n.\r\n")
                said = self.says.get("CONTENT", "250 taken")
                self.taken += [content] if said.startswith("2") else []
                await say(said)
            elif command == "QUIT":
                await say("221 bye")
                return
            else:
                await say(self.says.get(command, "235 ok" if command == "AUTH" else "250 ok"))


@contextlib.asynccontextmanager
async def scripted(says: Mapping[str, str], **rest) -> AsyncIterator[Scripted]:
    """A running server of this kind on a free port."""
    made = Scripted(says, **rest)
    async with listening(made.serve) as port:
        made.url = f"127.0.0.1:{port}"
        yield made


@dataclass
class Proxy:
    """A forward proxy: every name leads to `port` on this machine. `asked` keeps the first lines it was sent."""

    port: int
    asked: list[str] = field(default_factory=list)
    answer: str = ""
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, rest = head.split("\r\n", 1)
        self.asked.append(first)
        if self.answer:
            writer.write(f"HTTP/1.1 {self.answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return
        there, out = await asyncio.open_connection("127.0.0.1", self.port)
        method, target, version = first.split()
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 go\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            out.write(f"{method} {path} {version}\r\n{rest}".encode())
        try:
            await asyncio.gather(pump(reader, out), pump(there, writer))
        finally:
            await shut(out)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(65536):
        writer.write(some)
        await writer.drain()
    writer.close()


@dataclass
class Socks:
    """A SOCKS5 proxy: every name leads to `port` on this machine. `asked` keeps the names; `users` who may."""

    port: int
    asked: list[str] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    reply: int = 0
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        way = (2 if self.users else 0) if (2 if self.users else 0) in offered else 255
        writer.write(bytes([5, way]))
        if way == 255:
            return
        if way == 2:
            name = (await reader.readexactly((await reader.readexactly(2))[1])).decode()
            secret = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
            writer.write(bytes([1, self.users.get(name) != secret]))
            if self.users.get(name) != secret:
                return
        kind = (await reader.readexactly(4))[3]
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        name, port = await reader.readexactly(length), int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{name.decode() if kind == 3 else ip_address(name)}:{port}")
        writer.write(bytes([5, self.reply, 0, 3, 4]) + b"here" + b"\0\0")
        if self.reply:
            return
        there, out = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(pump(reader, out), pump(there, writer))
        finally:
            await shut(out)


@contextlib.asynccontextmanager
async def socks_proxy(port: int) -> AsyncIterator[Socks]:
    """A running SOCKS5 proxy on a free port."""
    made = Socks(port)
    async with listening(made.serve) as port:
        made.url = f"127.0.0.1:{port}"
        yield made


@contextlib.asynccontextmanager
async def forward_proxy(port: int) -> AsyncIterator[Proxy]:
    """A running proxy on a free port."""
    made = Proxy(port)
    async with listening(made.serve) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made
