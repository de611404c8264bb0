"""The web process's side of one worker process: start, talk, watch, reap. Never imports aiortc."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from readiness.media import entry
from readiness.media.frames import FrameError, encode_frame, read_frame
from readiness.media.limits import SILENCE_S, STOP_TIMEOUT_S, WorkerLimits

__all__ = ["MediaWorker", "Spawned", "discard", "spawn"]

EXIT_LIMIT = 70
"""The worker's own exit code for "out of memory"; the same number as in `sandbox`, which only exists on POSIX."""
_LIMIT_CODES = {EXIT_LIMIT, -signal.SIGALRM, -signal.SIGXCPU}
_TICK_S = 1.0
_MAX_INBOX = 4000
"""Most unread messages of one worker; a worker sends about ten a second."""
_REAP_S = 5.0
Target = Callable[[socket.socket, WorkerLimits], None]
"""The function that a process starts in, one of `entry`."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """A freshly forked process and our end of its socket."""

    process: ForkServerProcess
    channel: socket.socket
    pidfd: int


def spawn(context: ForkServerContext, limits: WorkerLimits, target: Target = entry.run) -> Spawned:
    """Fork one worker that starts in `target`. Blocks until the fork server answers: call it in a thread."""
    ours, theirs = socket.socketpair()
    try:
        process = context.Process(target=target, args=(theirs, limits), name="media-worker", daemon=True)
        process.start()
        pidfd = os.pidfd_open(process.pid or 0) if hasattr(os, "pidfd_open") else -1
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return Spawned(process, ours, pidfd)


def discard(starting: asyncio.Future[Spawned]) -> None:
    """Discard a process that came too late: it ends when its socket closes."""
    if not starting.cancelled() and starting.exception() is None:
        spawned = starting.result()
        spawned.channel.close()
        if spawned.pidfd >= 0:
            os.close(spawned.pidfd)


class MediaWorker:
    """The web process's handle on one worker: its messages, its cost, and how it ended."""

    def __init__(
        self,
        spawned: Spawned,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        thread: Executor,
        on_ended: Callable[[MediaWorker], None],
    ) -> None:
        self.pid: int = spawned.process.pid or 0
        self.end_cause: str | None = None
        """None while it runs and after a proper goodbye; else worker_died, worker_frozen or worker_limit."""
        self.cpu_s = 0.0
        """Processor time of the worker so far, s, as last reported."""
        """The worst delay of the worker's event loop in the last second, ms."""
        self.farewell: Mapping[str, Any] = {}
        """The worker's last message: cpu_s, loop_lag_p99_ms, code."""
        self.missing_walls: tuple[str, ...] = ()
        """The parts of `sandbox.Confinement` that this system lacks; known once the worker is ready."""
        self._spawned = spawned
        self._reader = reader
        self._writer = writer
        self._thread = thread
        self._on_ended = on_ended
        self._inbox: asyncio.Queue[tuple[dict[str, Any], bytes] | None] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()
        self._silent_ticks = 0
        self._killed_for: str | None = None
        self._stopping = False
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._watch())]

    @classmethod
    async def adopt(cls, spawned: Spawned, *, thread: Executor, on_ended: Callable[[MediaWorker], None]) -> MediaWorker:
        """Take over a freshly forked process."""
        reader, writer = await asyncio.open_connection(sock=spawned.channel)
        return cls(spawned, reader, writer, thread=thread, on_ended=on_ended)

    @property
    def ended(self) -> bool:
        """Whether the process is gone and reaped."""
        return self._ended.is_set()

    async def wait_ready(self) -> None:
        """Wait until the worker is ready. Raises EOFError if it ended instead."""
        ready = asyncio.ensure_future(self._ready.wait())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            ended.cancel()
        if not self._ready.is_set():
            raise EOFError("the worker ended before it was ready")

    async def wait_ended(self) -> None:
        """Wait until the process is gone and reaped."""
        await self._ended.wait()

    async def send(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Send one message. Dropped silently if the worker is gone; then `messages` ends too."""
        if self.ended or self._writer.is_closing():
            return
        with contextlib.suppress(ConnectionError):
            self._writer.write(encode_frame(message, payload))
            await self._writer.drain()

    async def messages(self) -> AsyncGenerator[tuple[dict[str, Any], bytes], None]:
        """Yield the worker's messages until it ends. One reader at a time."""
        while (item := await self._inbox.get()) is not None:
            yield item
        self._inbox.put_nowait(None)  # a second reader ends at once too

    async def close(self) -> None:
        """Send stop, wait briefly for the goodbye, kill the worker if none comes, reap it. May be called twice."""
        self._stopping = True
        if not self.ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.send({"op": "stop"})
                    await self._ended.wait()
        if not self.ended:
            self.kill()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * _REAP_S):
                    await self._ended.wait()

    def kill(self, cause: str | None = None) -> None:
        """Kill the process. Uses its descriptor, because its pid may already belong to another process."""
        self._killed_for = self._killed_for or cause
        with contextlib.suppress(OSError):
            if self._spawned.pidfd >= 0:
                signal.pidfd_send_signal(self._spawned.pidfd, signal.SIGKILL)
            elif not self.ended:
                os.kill(self.pid, signal.SIGKILL)

    async def _listen(self) -> None:
        nonsense = False
        try:
            while True:
                message, payload = await read_frame(self._reader)
                self._silent_ticks = 0
                self._note(message, payload)
        except (EOFError, ConnectionError):
            pass
        except FrameError:
            nonsense = True
            self.kill("worker_died")
        await self._finish(nonsense=nonsense)

    def _note(self, message: dict[str, Any], payload: bytes) -> None:
        if message["op"] in {"alive", "bye"}:
            self.cpu_s = float(message.get("cpu_s") or 0.0)
        if message["op"] == "bye":
            self.farewell = message
        elif message["op"] == "ready":
            self.missing_walls = tuple(map(str, message.get("missing_walls") or ()))
            self._ready.set()
        elif message["op"] != "alive":
            self._inbox.put_nowait((message, payload))
            if self._inbox.qsize() > _MAX_INBOX:
                self.kill("worker_died")

    async def _watch(self) -> None:
        """Kill a silent worker. Counts our own ticks, so that a pause of ours is not taken for its silence."""
        while True:
            await asyncio.sleep(_TICK_S)
            self._silent_ticks += 1
            if self._silent_ticks >= SILENCE_S:
                self.kill("worker_frozen")
                return

    async def _finish(self, *, nonsense: bool) -> None:
        """Reap the process, find the cause of its end, and notify everybody who waits."""
        loop = asyncio.get_running_loop()
        code: int | None = None
        with contextlib.suppress(RuntimeError):  # the pool's thread may be gone at the very end
            code = await loop.run_in_executor(self._thread, self._reap)
        self.end_cause = self._cause(code, nonsense=nonsense)
        self._writer.close()
        if self._spawned.pidfd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._spawned.pidfd)
        self._ended.set()
        self._inbox.put_nowait(None)
        self._tasks[1].cancel()
        self._on_ended(self)

    def _reap(self) -> int | None:
        process = self._spawned.process
        process.join(_REAP_S)
        if process.exitcode is None:
            self.kill()
            process.join(_REAP_S)
        code = process.exitcode
        with contextlib.suppress(ValueError):
            process.close()
        return code

    def _cause(self, code: int | None, *, nonsense: bool) -> str | None:
        if self._killed_for:
            return self._killed_for
        if code in _LIMIT_CODES:
            return "worker_limit"
        if nonsense or not (self._stopping or (code == 0 and self.farewell)):
            return "worker_died"
        return None
