"""The media worker: one process for one test. Measures what the web process sends; judges nothing, stores nothing.

To the worker: start{addresses, ports, budget} · offer{sdp, path} · still{t_ms}+JPEG · pcm{t_ms}+s16le ·
ear{t_ms}+s16le · mark{step, t_ms} · net{step: idle|load|mark, ...} ·
finish{phase: sound|echo|clock|downlink|uplink, data} · stop.
From it: ready{preloaded, missing_walls} ·
alive{cpu_s} · answer{sdp, path} or rejected{code, path} · peer{state, code, setup_ms} ·
still{t_ms, numbers, look_again}, with its JPEG where people are missing, or still_rejected{t_ms, code}, one for each
still · sound{t_ms, numbers} ·
pcm_rejected{t_ms, code} ·
net{phase, state, values, code} (see `network`) ·
measured{phase, measurements, numbers} or measured{phase, measurements: [], error} · failed{of, error} · bye{...}.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import aiortc  # noqa: F401  (loaded once, in the fork server)

from probes.ladder import Tier
from probes.measurement import Measurement
from probes.path import RELAYS
from readiness.media import aiortc_private
from readiness.media.analysis import Analysis
from readiness.media.frames import FrameError, encode_frame, read_frame
from readiness.media.lag import LagMonitor
from readiness.media.limits import ALIVE_INTERVAL_S, MAX_OFFERS, Budget, WorkerLimits
from readiness.media.loopback import Loopback, NoMediaPort, SdpRejected
from readiness.media.network import NetworkTest
from readiness.media.sandbox import EXIT_LIMIT, Confinement, confine, start_deadline

__all__ = ["Worker", "serve"]

_SWITCH_S = 0.0005
"""How long the analysis thread may hold the interpreter, because the clock's stamps wait for it."""
LINE_PHASES = ("clock", "downlink", "uplink")
Measured = tuple[list[Measurement], dict[str, Any]]
"""A phase's measurements, and figures about ourselves."""
_MAX_UNSENT_BYTES = 4 * 1024 * 1024
"""Unsent bytes beyond which the web process has stopped reading: end instead of growing."""


def serve(channel: socket.socket, limits: WorkerLimits) -> None:
    """Confine this process, serve one test, and exit."""
    code = EXIT_LIMIT
    try:
        channel.setblocking(False)
        walls = confine(channel.fileno(), limits)
        sys.setswitchinterval(_SWITCH_S)
        aiortc_private.extend_tables()
        code = asyncio.run(_serve(channel, limits, walls))
    except MemoryError:
        code = EXIT_LIMIT
    except BaseException:  # noqa: BLE001 - whatever it was, this process ends here
        code = 1
    finally:
        os._exit(code)  # nothing to tidy up: the analysis thread may be deep in a library


async def _serve(channel: socket.socket, limits: WorkerLimits, walls: Confinement) -> int:
    reader, writer = await asyncio.open_connection(sock=channel)
    worker = Worker(writer, limits, walls)
    asyncio.get_running_loop().set_exception_handler(worker.loop_failed)
    return await worker.run(reader)


class Worker:
    """Handles one operation after another; long ones run in tasks of their own."""

    def __init__(self, writer: asyncio.StreamWriter, limits: WorkerLimits, walls: Confinement) -> None:
        self._writer = writer
        self._limits = limits
        self._walls = walls
        self._lag = LagMonitor()
        self._peer: Loopback | None = None
        self._analysis = Analysis(self.emit, on_memory_error=self._out_of_memory)
        self._network = NetworkTest(lambda: self._peer, self._lag, self.emit)
        self._addresses: tuple[tuple[str, str], ...] = ()
        self._ports: tuple[int, int] | None = None
        self._budget = Budget()
        self._paths: dict[str, Loopback] = {}
        self._offers = 0
        self._failures = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._ops: dict[str, Callable[[dict[str, Any], bytes], Awaitable[None] | None]] = {
            "start": self._start,
            "offer": self._offer,
            "still": self._still,
            "pcm": self._pcm,
            "ear": self._ear,
            "mark": self._mark,
            "net": self._net,
            "finish": self._finish,
        }
        self._measured: dict[str, Callable[[dict[str, Any]], Awaitable[Measured]]] = {
            "sound": self._analysis.finish_sound,
            "echo": self._analysis.finish_echo,
            **{phase: partial(self._measure_line, phase) for phase in LINE_PHASES},
        }
        """Phase name, as in `finish`, to the function that measures it."""

    async def run(self, reader: asyncio.StreamReader) -> int:
        """Serve until stop or until the socket closes; return the exit code."""
        self._beside(self._say_alive())
        preloaded = "readiness.media.preload" in sys.modules
        self.emit({"op": "ready", "preloaded": preloaded, "missing_walls": self._walls.missing})
        stopped = False
        with contextlib.suppress(EOFError, FrameError, ConnectionError):
            while not stopped:
                message, payload = await read_frame(reader)
                stopped = message["op"] == "stop"
                if not stopped:
                    await self._handle(message, payload)
        for task in self._tasks:
            task.cancel()
        for peer in (self._peer, *self._paths.values()):
            if peer:
                await peer.close()
        if stopped:
            self.emit(
                {"op": "bye", "cpu_s": _cpu_s(), "loop_lag_p99_ms": _rounded(self._lag.p99_ms()), **self._counts()}
            )
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
        return 0

    def emit(self, message: Mapping[str, Any], payload: bytes = b"", /) -> None:
        """Send one message to the web process."""
        if self._writer.transport.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            os._exit(1)
        self._writer.write(encode_frame(message, payload))

    def loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Count errors in callbacks and forgotten tasks. Logs no text of theirs, which may contain addresses."""
        if isinstance(context.get("exception"), MemoryError):
            self._out_of_memory()
        self._failures += 1

    async def _handle(self, message: dict[str, Any], payload: bytes) -> None:
        operation = self._ops.get(message["op"])
        if operation is None:
            self.emit({"op": "failed", "of": message["op"][:20], "error": "unknown"})
            return
        try:
            result = operation(message, payload)
            if result is not None:
                await result
        except MemoryError:
            self._out_of_memory()
        except Exception as error:  # noqa: BLE001 - one bad message must not end a person's test
            self._failures += 1
            self.emit({"op": "failed", "of": message["op"], "error": type(error).__name__})

    def _start(self, message: dict[str, Any], _payload: bytes) -> None:
        self._addresses = tuple((str(public), str(local)) for public, local in message["addresses"])
        ports = message.get("ports")
        self._ports = (int(ports[0]), int(ports[1])) if ports else None
        self._budget = Budget(**message.get("budget") or {})
        start_deadline(self._limits.wall_s)
        self._beside(self._lag.run())
        self._analysis.prepare()

    async def _offer(self, message: dict[str, Any], _payload: bytes) -> None:
        if message.get("path"):
            await self._offer_path(str(message["path"]), str(message.get("sdp", "")))
            return
        self._offers += 1
        if self._offers > MAX_OFFERS:
            self.emit({"op": "rejected", "code": "sdp.too_many"})
            return
        if self._peer:
            await self._peer.close()
        peer: Loopback | None = None

        def told(state: str, code: str | None) -> None:
            if peer is self._peer:
                self.emit({"op": "peer", "state": state, "code": code, "setup_ms": peer and peer.setup_ms})

        peer = self._peer = Loopback(self._addresses, self._ports, budget=self._budget, on_event=told)
        try:
            answer = await peer.answer(str(message.get("sdp", "")))
        except (SdpRejected, NoMediaPort) as error:
            self._peer = None
            self.emit({"op": "rejected", "code": error.code})
        else:
            self.emit({"op": "answer", "sdp": answer})

    async def _offer_path(self, path: str, sdp: str) -> None:
        """Answer an offer on a path that is only probed, with its own peer that answers pings until the test ends."""
        if path not in RELAYS or path in self._paths:
            self.emit({"op": "rejected", "code": "sdp.too_many", "path": path[:20]})
            return
        peer = self._paths[path] = Loopback(
            self._addresses, self._ports, budget=self._budget, on_event=lambda _state, _code: None
        )
        try:
            self.emit({"op": "answer", "sdp": await peer.answer(sdp), "path": path})
        except (SdpRejected, NoMediaPort) as error:
            self.emit({"op": "rejected", "code": error.code, "path": path})

    def _still(self, message: dict[str, Any], payload: bytes) -> None:
        self._analysis.still(int(message["t_ms"]), payload, expected_people=int(message.get("expected_people", 1)))

    def _pcm(self, message: dict[str, Any], payload: bytes) -> None:
        self._analysis.pcm(int(message["t_ms"]), payload)

    def _ear(self, message: dict[str, Any], payload: bytes) -> None:
        self._analysis.ear(int(message["t_ms"]), payload)

    def _mark(self, message: dict[str, Any], _payload: bytes) -> None:
        self._analysis.mark(str(message["step"]), int(message["t_ms"]))

    def _net(self, message: dict[str, Any], _payload: bytes) -> None:
        step = message["step"]
        if step == "mark":
            self._network.mark(message)
        elif step == "idle":
            self._beside(self._network.idle(again=bool(message.get("again"))))
        elif step == "load":
            tiers = [Tier(str(name), float(need_mbps)) for name, need_mbps in message["tiers"]]
            need_mbps, factor = float(message["need_mbps"]), float(message["factor"])
            most = int(message["most_bytes"])
            self._beside(
                self._network.load(message["ways"], tiers, need_mbps=need_mbps, factor=factor, most_bytes=most)
            )
        else:
            raise ValueError(step)

    def _finish(self, message: dict[str, Any], _payload: bytes) -> None:
        if message["phase"] not in self._measured:
            raise ValueError(message["phase"])
        self._beside(self._measure(str(message["phase"]), message.get("data") or {}))

    async def _measure(self, phase: str, data: dict[str, Any]) -> None:
        try:
            found, numbers = await self._measured[phase](data)
        except MemoryError:
            self._out_of_memory()
        except Exception as error:  # noqa: BLE001 - the phase is not measured, the test goes on
            self._failures += 1
            self.emit({"op": "measured", "phase": phase, "measurements": [], "error": type(error).__name__})
        else:
            rows = [measurement.to_json() for measurement in found]
            series = {"series": self._network.series.to_json()} if phase == "uplink" else {}
            self.emit({"op": "measured", "phase": phase, "measurements": rows, "numbers": numbers, **series})

    async def _measure_line(self, phase: str, data: Mapping[str, Any]) -> Measured:
        return self._network.measure(phase, data)

    def _beside(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _say_alive(self) -> None:
        while True:
            if self._peer:
                self._peer.tick()
            self.emit({"op": "alive", "cpu_s": _cpu_s()})
            await asyncio.sleep(ALIVE_INTERVAL_S)

    def _counts(self) -> dict[str, Any]:
        peer = self._peer
        counts: dict[str, Any] = {"failures": self._failures, "dropped_stills": self._analysis.dropped_stills}
        if peer:
            meter = peer.meter
            counts |= {
                "bytes_in": meter.bytes_in,
                "bytes_out": meter.bytes_out,
                "strangers": meter.strangers,
                "pings_ignored": peer.clock.ignored,
                "close_failures": peer.close_failures,
            }
        return counts

    def _out_of_memory(self) -> None:
        os._exit(EXIT_LIMIT)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round(usage.ru_utime + usage.ru_stime, 3)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)
