"""The session socket: sends hello and measurements, keeps the server's messages. See `readiness/docs/protocol.md`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import aiohttp

from readiness.client.errors import ClosedError, NoAnswerError
from readiness.client.service import Service

__all__ = ["ANSWER_S", "SessionSocket"]

VERSION: Final = 1
STILL: Final = 0x01
SOUND: Final = 0x02
"""First byte of a binary message."""
STAMP: Final = struct.Struct("!BI")
"""Kind and ms since the test began, before a still or a piece of sound."""
ANSWER_S: Final = 45.0
"""Longest wait for a message that is certain to come from a busy server."""
CLOSE_S: Final = 10.0
"""Longest wait for the server's side of a close."""
FINAL_KINDS: Final = frozenset({"final", "died"})
"""Samples that end their phase."""

Message = dict[str, Any]
Kind = Literal["start", "mark", "event", "final", "died"]
Mode = Literal["full", "recheck"]


class SessionSocket:
    """One session's socket. Messages of the server stay in `inbox` until `get` takes them.

    It may be opened again after a close, to go on with a test.
    """

    def __init__(self, service: Service, session: str, *, client: Mapping[str, str], locale: str = "nb") -> None:
        """`client` describes the client: `kind`, and for a browser `browser`, `os` and `form`."""
        self.service = service
        self.session = session
        self.client = dict(client)
        self.locale = locale
        self.test = ""
        """Id of the test, once there is a plan."""
        self.inbox: list[Message] = []
        self.closed = True
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self._news = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, *, resume: str = "", mode: Mode = "full") -> None:
        """Open the socket and say hello; `resume` is the id of a test to go on with.

        Raises aiohttp.ClientError if the server refuses the socket or cannot be reached, and NoAnswerError.
        """
        base = self.service.base
        try:
            async with asyncio.timeout(ANSWER_S):
                self.socket = await self.service.http.ws_connect(
                    f"{base.replace('http', 'ws', 1)}/api/v1/session", headers={"Origin": base}, ssl=self.service.tls
                )
        except TimeoutError:
            raise NoAnswerError("no_answer.socket") from None
        self.closed = False
        self.inbox.clear()
        self._reading = asyncio.create_task(self._read(self.socket))
        hello = {"type": "hello", "version": VERSION, "client": self.client, "locale": self.locale}
        options = {"resume": resume} if resume else {}
        await self._send({**hello, "session": self.session, "mode": mode, **options})

    async def begin(self, *, resume: str = "", mode: Mode = "full", timeout_s: float | None = ANSWER_S) -> Message:
        """Open the socket and return the plan, after the queue if there is one (`queued` messages stay in `inbox`).

        Raises ClosedError, NoAnswerError, and the errors of `open`.
        """
        await self.open(resume=resume, mode=mode)
        plan = await self.get("plan", timeout_s=timeout_s)
        self.test = str(plan["test"])
        return plan

    async def send(self, phase: str, kind: Kind, data: Mapping[str, Any]) -> None:
        """Send samples of a phase. Raises ClosedError."""
        final = {"final": True} if kind in FINAL_KINDS else {}
        await self._send({"type": "samples", "phase": phase, "kind": kind, "data": dict(data), **final})

    async def send_still(self, t_ms: int, jpeg: bytes) -> None:
        """Send one picture of the camera. Raises ClosedError."""
        await self._send_bytes(STAMP.pack(STILL, t_ms) + jpeg)

    async def send_sound(self, t_ms: int, pcm: bytes) -> None:
        """Send sound that began at `t_ms`: signed 16 bit little-endian, mono, 16 kHz. Raises ClosedError."""
        await self._send_bytes(STAMP.pack(SOUND, t_ms) + pcm)

    async def offer(self, sdp: str) -> str:
        """Offer media and return the SDP of the answer. Raises ClosedError, NoAnswerError."""
        await self._send({"type": "offer", "sdp": sdp})
        return str((await self.get("answer"))["sdp"])

    async def finish(self) -> Message:
        """Finish the test and return the report. Raises ClosedError, NoAnswerError."""
        await self.send("finish", "final", {})
        return dict((await self.get("report"))["report"])

    async def get(
        self, kind: str, *, timeout_s: float | None = ANSWER_S, where: Callable[[Message], bool] = bool
    ) -> Message:
        """Take the next message of a type out of the inbox; others stay. `timeout_s` None waits for ever.

        Raises ClosedError if the socket closes before it comes, NoAnswerError if it does not come in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (message := self._take(kind, where)) is None:
                    if self.closed:
                        raise self._closed(f"before {kind}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise NoAnswerError(f"no_answer.{kind}", f"left over: {self.inbox}") from None
        return message

    async def leave(self) -> None:
        """Close the socket properly; no effect if it is closed."""
        if self.socket is not None:
            await self.socket.close()
        await self._stop_reading()

    def _take(self, kind: str, where: Callable[[Message], bool]) -> Message | None:
        for message in self.inbox:
            if message["type"] == kind and where(message):
                self.inbox.remove(message)
                return message
        return None

    def _closed(self, when: str) -> ClosedError:
        codes = [str(message["code"]) for message in self.inbox if message["type"] == "error"]
        return ClosedError(codes[-1] if codes else "socket.closed", f"{when}; left over: {self.inbox}")

    async def _send(self, message: Message) -> None:
        with self._until_closed() as socket:
            await socket.send_json(message)

    async def _send_bytes(self, data: bytes) -> None:
        with self._until_closed() as socket:
            await socket.send_bytes(data)

    @contextlib.contextmanager
    def _until_closed(self) -> Iterator[aiohttp.ClientWebSocketResponse]:
        if self.socket is None or self.closed:
            raise self._closed("before sending")
        try:
            yield self.socket
        except (ConnectionError, aiohttp.ClientError):
            raise self._closed("while sending") from None

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self.inbox.append(json.loads(message.data))
                    self._news.set()
        finally:
            self.closed = True
            self._news.set()

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=CLOSE_S)
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
