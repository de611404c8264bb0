"""The client's part of the phases `clock`, `downlink` and `uplink`: follows the server's messages and sends marks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from readiness.client.errors import NoAnswerError
from readiness.client.media import MediaPeer
from readiness.media.lag import LagMonitor
from readiness.media.uplink import FRAME_MS

__all__ = ["PHASES", "LineTest"]

PHASES = ("clock", "downlink", "uplink")
PHASE_S = 60.0
"""Longest wait for the end of a phase; the server ends each of them long before."""
PING_EVERY_S = 0.02
"""Interval while the line is idle: 50 pings a second."""
LOADED_PING_EVERY_S = 0.05
LOADED_TAG = 1
MAX_LOADED_PINGS = round(PHASE_S / LOADED_PING_EVERY_S)
STILL_S = 0.2
"""A run is over when no packet has come for this long."""

SendMark = Callable[[str, dict[str, Any]], Awaitable[None]]


class LineTest:
    """Measures the line over one media connection. `send_mark` is called with a phase and the data of its mark."""

    def __init__(self, peer: MediaPeer, send_mark: SendMark) -> None:
        self.peer = peer
        self.messages: list[Mapping[str, Any]] = []
        """The server's messages about these phases."""
        self.lag = LagMonitor()
        """How late this process runs; a late client's figures are not the line's fault."""
        self._send_mark = send_mark
        self._ended = {phase: asyncio.Event() for phase in PHASES}
        self._sending: asyncio.Task[None] | None = None
        self._frames_sent = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self.lag.run())

    def follow(self, message: Mapping[str, Any]) -> None:
        """Handle one `phase` message; those of other phases are ignored."""
        phase, state, values = message["phase"], message["state"], message.get("values") or {}
        if phase not in self._ended:
            return
        self.messages.append(message)
        if state in {"ended", "failed"}:
            self._ended[phase].set()
        elif state == "started":
            self._spawn(self._measure_idle(values))
        elif state == "run" and phase == "uplink":
            self._start_sending(values)
        elif state == "stop":
            self._spawn(self._count(phase, int(values["run"])))

    async def ended(self, phase: str, *, timeout_s: float = PHASE_S) -> Mapping[str, Any]:
        """Wait for the end of a phase; return its values, empty if it failed. Raises NoAnswerError."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ended[phase].wait()
        except TimeoutError:
            raise NoAnswerError(f"no_answer.{phase}") from None
        self._ended[phase].clear()
        last = next(
            message
            for message in reversed(self.messages)
            if message["phase"] == phase and message["state"] in {"ended", "failed"}
        )
        return dict(last.get("values") or {})

    async def ping_under_load(self) -> None:
        """Ping 20 times a second while directions are measured; cancel to stop."""
        await self.peer.ping(MAX_LOADED_PINGS, every_s=LOADED_PING_EVERY_S, tag=LOADED_TAG)

    async def close(self) -> None:
        """Stop everything that runs; the connection stays open."""
        await self._stop_sending()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start_sending(self, values: Mapping[str, Any]) -> None:
        self._frames_sent = 0
        self._sending = asyncio.create_task(self._send_frames(values))

    async def _send_frames(self, values: Mapping[str, Any]) -> None:
        """Send the frames of all tracks every 10 ms; after a delay of this process, catch up, as sound does."""
        began_s = time.perf_counter()
        for index in range(round(values["ms"] / FRAME_MS)):
            for track in range(values["tracks"]):
                await self.peer.send_frame(
                    run=values["run"], track=track, number=self._frames_sent, size_bytes=values["bytes"]
                )
                self._frames_sent += 1
            await asyncio.sleep(max(0.0, began_s + (index + 1) * FRAME_MS / 1e3 - time.perf_counter()))

    async def _stop_sending(self) -> int:
        """Stop a run; return how many frames were sent in it."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None
        return self._frames_sent

    async def _measure_idle(self, values: Mapping[str, Any]) -> None:
        began_s = time.perf_counter()
        first = len(self.peer.pongs)
        self._start_sending(values)
        await self.peer.ping(round(values["ms"] / 1e3 / PING_EVERY_S), every_s=PING_EVERY_S)
        await asyncio.sleep(STILL_S)
        sent = await self._stop_sending()
        rows = self.peer.rows()[first:]
        mark = {"run": values["run"], "rows": rows, "sent": sent, "received": self.peer.received}
        await self._send_mark("clock", {**mark, "lag_ms": self.lag.p99_ms(began_s) or 0.0})

    async def _count(self, phase: str, run: int) -> None:
        if phase == "uplink":
            await self._send_mark(phase, {"run": run, "sent": await self._stop_sending()})
            return
        before = -1
        while before != self.peer.received:
            before = self.peer.received
            await asyncio.sleep(STILL_S)
        await self._send_mark(phase, {"run": run, "received": self.peer.received})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
