"""A small TCP load balancer: where new connections go can be changed, and old ones held half-open, or cut."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

__all__ = ["Relay", "relaying"]

CHUNK_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER for a close that sends RST, as a machine does that knows nothing of the connection any more."""


class Relay:
    """Passes each connection on to `target`: a port on this machine, or the path of a Unix socket."""

    def __init__(self, target: int | str) -> None:
        self.target = target
        self.is_refusing = False
        """Whether new connections are reset at once."""
        self._lines: set[_Line] = set()
        self._open = 0
        """Connections that were taken and are not closed yet."""
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0)

    async def close(self) -> None:
        """Cut everything and stop listening."""
        assert self._server is not None
        self.is_refusing = True
        self._server.close()
        self.cut()
        while self._open:
            await asyncio.sleep(0.01)

    def hold(self) -> None:
        """Reset every client, and leave the server with a connection on which nobody speaks or closes any more."""
        for line in self._lines:
            line.hold()

    def cut_held(self) -> None:
        """Reset the connections that were held: the server learns that the client is gone."""
        for line in self._lines:
            if line.is_held:
                line.cut()

    def cut(self) -> None:
        """Reset both ends of every connection, held ones too."""
        for line in self._lines:
            line.cut()

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self.is_refusing:
                _reset(writer)
            else:
                await self._pass_on(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self._open -= 1

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if isinstance(self.target, int):
                there = await asyncio.open_connection("127.0.0.1", self.target)
            else:
                there = await asyncio.open_unix_connection(self.target)
        except OSError:  # nobody listens there (any more)
            _reset(writer)
            return
        line = _Line((reader, writer), there)
        self._lines.add(line)
        try:
            await line.run()
        finally:
            self._lines.discard(line)


class _Line:
    """One connection through the relay."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._client, self._server = client, server
        self.is_held = False
        self._over = asyncio.Event()

    async def run(self) -> None:
        """Pass bytes on until one side closes; a held line is over when it is cut."""
        ways = [
            asyncio.create_task(_copy(self._client[0], self._server[1])),
            asyncio.create_task(_copy(self._server[0], self._client[1])),
        ]
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait({*ways, over}, return_when=asyncio.FIRST_COMPLETED)
        if self.is_held:
            await over
        for task in (*ways, over):
            task.cancel()
        await asyncio.gather(*ways, over, return_exceptions=True)
        self._server[1].close()
        with contextlib.suppress(ConnectionError):
            await self._server[1].wait_closed()

    def hold(self) -> None:
        """Reset the client; the server hears nothing of it."""
        self.is_held = True
        _reset(self._client[1])

    def cut(self) -> None:
        """Reset both ends."""
        _reset(self._client[1])
        _reset(self._server[1])
        self._over.set()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    own = writer.get_extra_info("socket")
    if own is not None and own.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


@contextlib.asynccontextmanager
async def relaying(target: int | str) -> AsyncIterator[Relay]:
    """A relay that listens."""
    relay = Relay(target)
    await relay.start()
    try:
        yield relay
    finally:
        await relay.close()
