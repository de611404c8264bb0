"""The page's part of the network measurement, on an aiortc peer: padded sound up, feedback about video, marks."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from readiness.media import aiortc_private as private
from readiness.media.uplink import MAGIC, STAMP
from tests.link.model import Channel, Link
from tests.media.support import Client
from tests.patience import PATIENCE_S

__all__ = ["MediaClient", "Page"]

HEADS = 28 + 10
"""IP, UDP and SRTP's tag, bytes."""
FEEDBACK_S = 0.05
FRAME_S = 0.01
STILL_S = 0.2
Mark = Callable[[str, dict[str, Any]], Awaitable[None]]


class MediaClient(Client):
    """A client that sends padded sound and says when each packet of video arrived, through a line of `link`."""

    def __init__(self, link: Link | None = None, *, tracks: int = 2, feedback: bool = True, seed: int = 1) -> None:
        private.extend_tables()
        super().__init__()
        self.link = link or Link()
        self.received = 0
        self._feedback = feedback
        self._up, self._down = Channel(self.link.up, seed), Channel(self.link.down, seed + 1)
        self._tracks = [self.pc.addTransceiver("audio", direction="sendonly") for _ in range(tracks)]
        self._packets = 0
        self._leaving: set[asyncio.Task[None]] = set()
        self._arrived: dict[int, float] = {}
        """Transport-wide number to arrival, s; those that no feedback has told yet."""
        self._told = 0
        self._reporting: asyncio.Task[None] | None = None

    async def offer(self) -> str:
        text = await super().offer()
        private.tap_media(self.pc, self._take)
        if self._feedback:
            return text
        return "\r\n".join(line for line in text.split("\r\n") if "transport" not in line or "m=" in line)

    async def opened(self, timeout_s: float = PATIENCE_S) -> None:
        await super().opened(timeout_s)
        self._reporting = asyncio.create_task(self._report())

    async def close(self) -> None:
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.gather(self._reporting, return_exceptions=True)
        await super().close()

    def frame(self, run: int, track: int, number: int, size: int) -> None:
        """Send one stamped frame of `size` bytes; it meets the line on its way."""
        stamp = STAMP.pack(MAGIC, run, track, number, int(time.perf_counter() * 1e6))
        self._packets += 1
        mid = struct.pack("!HHBBH", 0xBEDE, 1, 0x10, 0x30 + track, 0)
        ssrc = self._tracks[track].sender._ssrc
        head = struct.pack("!BBHII", 0x90, 96, self._packets & 0xFFFF, 480 * self._packets, ssrc)
        packet = head + mid + stamp + bytes(size - len(stamp))
        out = self._up.offer(time.perf_counter(), len(packet) + HEADS)
        if out is not None:
            asyncio.get_running_loop().call_later(max(0.0, out - time.perf_counter()), self._spawn, packet)

    def _spawn(self, packet: bytes) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(self._send(packet))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _send(self, packet: bytes) -> None:
        with contextlib.suppress(Exception):
            (transport,) = private._private(self.pc, "dtlsTransports")
            await transport._send_rtp(packet)

    def _take(self, rtp: bytes) -> None:
        """Take a packet of video as the line would deliver it."""
        out = self._down.offer(time.perf_counter(), len(rtp) + HEADS)
        if out is not None:
            self.received += 1
            self._arrived[_transport_number(rtp)] = out

    async def _report(self) -> None:
        """Tell what has arrived by now, as browsers do, in chunks of one packet each."""
        while True:
            await asyncio.sleep(FEEDBACK_S)
            now = time.perf_counter()
            ready = sorted(number for number, at in self._arrived.items() if at <= now)
            if not ready:
                continue
            last = ready[-1]
            first, self._told = min(self._told, ready[0]), last + 1
            fates = [self._arrived.pop(number, None) for number in range(first, last + 1)]
            await self._send(_feedback(first, fates[:400]))


class Page:
    """Does as it is told by `net` messages, and answers with marks."""

    def __init__(self, client: MediaClient, mark: Mark, *, marks: bool = True) -> None:
        self.client = client
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []
        self._mark, self._marks = mark, marks
        self._ended: dict[str, asyncio.Event] = {name: asyncio.Event() for name in ("clock", "downlink", "uplink")}
        self._sending: asyncio.Task[None] | None = None
        self._sent = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, message: Mapping[str, Any]) -> None:
        """Take one message of the worker."""
        phase, state, values = message["phase"], message["state"], message.get("values") or {}
        self.told.append((phase, state, values))
        if state in {"ended", "failed"}:
            self._ended[phase].set()
        elif state == "started":
            self._spawn(self._idle(values))
        elif state == "run" and phase == "uplink":
            self._begin(values)
        elif state == "stop":
            self._spawn(self._stopped(phase, int(values["run"])))

    async def ended(self, phase: str, *, within_s: float = PATIENCE_S) -> Mapping[str, Any]:
        """Wait for the end of a phase and return its values."""
        async with asyncio.timeout(within_s):
            await self._ended[phase].wait()
        self._ended[phase].clear()
        return next(
            values
            for one, state, values in reversed(self.told)
            if (one, state) in {(phase, "ended"), (phase, "failed")}
        )

    async def close(self) -> None:
        for task in [*self._tasks, *([self._sending] if self._sending else [])]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, values: Mapping[str, Any]) -> None:
        self._sent = 0
        self._sending = asyncio.create_task(self._pad(values))

    async def _pad(self, values: Mapping[str, Any]) -> None:
        """Send all tracks' frames every 10 ms, catching up where this process was late, as sound does."""
        began, frames = time.perf_counter(), round(values["ms"] / 1e3 / FRAME_S)
        for index in range(frames):
            for track in range(values["tracks"]):
                self.client.frame(values["run"], track, self._sent, values["bytes"])
                self._sent += 1
            await asyncio.sleep(max(0.0, began + (index + 1) * FRAME_S - time.perf_counter()))

    async def _stop_padding(self) -> int:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None
        return self._sent

    async def _idle(self, values: Mapping[str, Any]) -> None:
        self._begin(values)
        first = len(self.client.pongs)
        await self.client.ping(round(values["ms"] / 20))
        await asyncio.sleep(0.2)
        sent = await self._stop_padding()
        rows = self.client.rows()[first:]
        await self._say(
            "clock", {"run": values["run"], "rows": rows, "sent": sent, "received": self.client.received, "lag_ms": 1.0}
        )

    async def _stopped(self, phase: str, run: int) -> None:
        if phase == "uplink":
            await self._say(phase, {"run": run, "sent": await self._stop_padding()})
            return
        before = -1
        while before != self.client.received:
            before = self.client.received
            await asyncio.sleep(STILL_S)
        await self._say(phase, {"run": run, "received": self.client.received})

    async def _say(self, phase: str, data: dict[str, Any]) -> None:
        if self._marks:
            await self._mark(phase, data)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _transport_number(rtp: bytes) -> int:
    """The transport-wide number: the last two-byte element of the one-byte header extension."""
    words = int.from_bytes(rtp[14:16], "big")
    position, end = 16, 16 + 4 * words
    number = 0
    while position < end:
        if rtp[position] == 0:
            position += 1
            continue
        length = (rtp[position] & 15) + 1
        if length == 2:
            number = int.from_bytes(rtp[position + 1 : position + 3], "big")
        position += 1 + length
    return number


def _feedback(first: int, arrivals_s: list[float | None]) -> bytes:
    """One RTCP packet of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""
    known = [at * 1e3 for at in arrivals_s if at is not None]
    reference = int(known[0] // 64)
    chunks, deltas, at_ms = b"", b"", reference * 64.0
    for arrival in arrivals_s:
        chunks += (0x0001 if arrival is None else 0x4001).to_bytes(2, "big")
        if arrival is not None:
            quarters = round((arrival * 1e3 - at_ms) / 0.25)
            deltas += quarters.to_bytes(2, "big", signed=True)
            at_ms += quarters * 0.25
    head = struct.pack("!HH", first & 0xFFFF, len(arrivals_s)) + (reference % 2**24).to_bytes(3, "big") + b"\0"
    fci = head + chunks + deltas
    fci += bytes(-len(fci) % 4)
    return struct.pack("!BBHII", 0x8F, 205, 2 + len(fci) // 4, 1, 2) + fci
