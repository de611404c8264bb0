"""Worker processes for live tests, as the web process sees them. Never imports aiortc, cv2 or onnxruntime.

Each live test has one process, forked from a preloaded fork server. A silent worker is killed; one that vanishes is
noticed because its socket closes. Either way `MediaWorker.messages` ends and `end_cause` says why.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from multiprocessing import forkserver
from pathlib import Path

from readiness.logs import log_event
from readiness.media import entry
from readiness.media.chores import Chores
from readiness.media.heavy import Heavy
from readiness.media.limits import HEAVY_LIMITS, READY_TIMEOUT_S, MediaSettings, WorkerLimits
from readiness.media.process import MediaWorker, Spawned, Target, discard, spawn

__all__ = ["MediaSettings", "MediaWorker", "PoolFull", "WorkerPool", "chores_alone"]

STOPPED = frozenset("Tt")
"""States of a process that is not running, as in /proc."""
PRELOAD = "readiness.media.preload"
CHORE_PRELOAD = ("readiness.media.chore_worker", "readiness.meetings.wire")
"""The part of it that reading a file needs; without it each piece of work would pay for these imports."""
_RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Waits between failed attempts to start a worker, s; the last one repeats."""
_logger = logging.getLogger(__name__)
_context = multiprocessing.get_context("forkserver")


class PoolFull(Exception):  # noqa: N818 - reads as what it says
    """This process runs as many tests as it may; the participant waits in the queue."""


def _replace_stopped_server() -> None:
    """Kill a fork server that is stopped (SIGSTOP) and would never answer. The next start makes a new one."""
    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)  # noqa: SLF001
    if pid is None:
        return
    with contextlib.suppress(OSError, IndexError):
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
        if state in STOPPED:
            log_event(_logger, logging.ERROR, "media.fork_server_stopped")
            os.kill(pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def chores_alone() -> AsyncIterator[Chores]:
    """Provide `Chores` without any workers, for a command on the terminal."""
    _context.set_forkserver_preload(list(CHORE_PRELOAD))
    pool = WorkerPool(MediaSettings(), capacity=0, warm=0)
    try:
        yield pool.chores
    finally:
        await pool.close()


class WorkerPool:
    """Holds at most `capacity` live workers and keeps `warm` more ready."""

    def __init__(self, settings: MediaSettings, *, capacity: int, warm: int = 2) -> None:
        self.settings = settings
        self.capacity = capacity
        self._warm_target = max(warm, 0)
        self._warm: deque[MediaWorker] = deque()
        self._live: set[MediaWorker] = set()
        self._starting: set[asyncio.Task[MediaWorker]] = set()
        self._forking: set[asyncio.Future[Spawned]] = set()
        self._reserved = 0
        self._closing = False
        self._started_one = False
        self._told = False
        self._wanted = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        # One thread starts and reaps: forking is a blocking call, and multiprocessing's registry is not thread-safe.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="media-pool")
        self.heavy = Heavy(self._spawn_heavy)
        """The shared helper process, for models too large for every test's own worker."""
        self.chores = Chores(self._spawn_chore, self._thread)
        """Work whose cost depends on a user's file, each piece in its own process."""

    @property
    def live(self) -> int:
        """How many tests have a worker now."""
        return len(self._live) + self._reserved

    @property
    def ready(self) -> bool:
        """Whether workers can be started (`live < capacity` says whether one is free)."""
        return self._started_one and not self._closing

    async def start(self) -> None:
        """Begin to warm up in the background; return at once."""
        _context.set_forkserver_preload([PRELOAD])
        atexit.register(self._kill_all)
        self._wanted.set()
        self._keeper = asyncio.create_task(self._keep_warm(), name="media-pool")

    async def close(self, grace_s: float = 0.0) -> None:
        """Start no more workers, let live tests run for up to `grace_s`, then end and reap every worker."""
        self._closing = True
        self.chores.kill()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._thread.shutdown, wait=False)
            stack.callback(atexit.unregister, self._kill_all)
            stack.push_async_callback(self.heavy.close)
            await asyncio.gather(*self._starting, return_exceptions=True)
            if self._forking:
                await asyncio.wait(self._forking, timeout=READY_TIMEOUT_S)
            await asyncio.sleep(0)  # a worker whose caller gave up is among the warm ones now, or discarded
            await asyncio.gather(*(worker.close() for worker in self._warm))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(grace_s, 0.001)):
                    await asyncio.gather(*(worker.wait_ended() for worker in self._live))
            await asyncio.gather(*(worker.close() for worker in (*self._live, *self._warm)))

    async def acquire(self, *, addresses: Sequence[tuple[str, str]] | None = None) -> MediaWorker:
        """Return a started worker for the caller alone, to be closed when the test is over.

        `addresses` (public, local) replace the settings' for this test. Raises PoolFull above capacity, OSError or
        TimeoutError if no process can be started.
        """
        if self._closing or self.live >= self.capacity:
            raise PoolFull
        self._reserved += 1
        try:
            worker = self._take_warm() or await self._start_one()
            self._live.add(worker)
        finally:
            self._reserved -= 1
            self._wanted.set()
        try:
            await self._send_start(worker, addresses)
        except BaseException:
            worker.kill()
            raise
        return worker

    async def _send_start(self, worker: MediaWorker, addresses: Sequence[tuple[str, str]] | None) -> None:
        settings = self.settings
        pairs = settings.addresses if addresses is None else addresses
        await worker.send(
            {
                "op": "start",
                "addresses": [list(pair) for pair in pairs],
                "ports": list(settings.ports) if settings.ports else None,
                "budget": asdict(settings.budget),
            }
        )

    def _take_warm(self) -> MediaWorker | None:
        while self._warm:
            worker = self._warm.popleft()
            if not worker.ended:
                return worker
        return None

    async def _start_one(self) -> MediaWorker:
        """Start a worker. If the caller gives up meanwhile, the worker joins the warm ones."""
        task = asyncio.create_task(self._spawn())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._keep)
            raise

    async def _spawn(self) -> MediaWorker:
        worker = await self._begin(self.settings.limits, entry.run, self._forget)
        if not self._told:
            self._told = True
            level = logging.WARNING if worker.missing_walls else logging.INFO
            log_event(_logger, level, "media.confined", missing=",".join(worker.missing_walls) or "none")
        self._started_one = True
        return worker

    async def _spawn_heavy(self) -> MediaWorker:
        return await self._begin(HEAVY_LIMITS, entry.run_heavy, lambda _: None)

    async def _spawn_chore(self, limits: WorkerLimits) -> Spawned:
        return await self._forked(limits, entry.run_chore)

    async def _forked(self, limits: WorkerLimits, target: Target) -> Spawned:
        starting = asyncio.get_running_loop().run_in_executor(self._thread, spawn, _context, limits, target)
        self._forking.add(starting)
        starting.add_done_callback(self._forking.discard)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                return await asyncio.shield(starting)
        except BaseException:
            starting.add_done_callback(discard)
            raise

    async def _begin(
        self, limits: WorkerLimits, target: Target, on_ended: Callable[[MediaWorker], None]
    ) -> MediaWorker:
        """Return a process that is ready to serve. Raises OSError, EOFError or TimeoutError."""
        _replace_stopped_server()
        spawned = await self._forked(limits, target)
        worker = await MediaWorker.adopt(spawned, thread=self._thread, on_ended=on_ended)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await worker.wait_ready()
        except BaseException:
            await worker.close()
            raise
        return worker

    def _keep(self, task: asyncio.Task[MediaWorker]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._warm.append(task.result())

    async def _keep_warm(self) -> None:
        failures = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while len(self._warm) < self._warm_target or not self._started_one:
                try:
                    self._warm.append(await self._start_one())
                    failures = 0
                except (OSError, EOFError, TimeoutError) as error:
                    self._started_one = False
                    log_event(_logger, logging.ERROR, "media.worker_not_started", error=type(error).__name__)
                    await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                    failures += 1

    def _forget(self, worker: MediaWorker) -> None:
        self._live.discard(worker)
        with contextlib.suppress(ValueError):
            self._warm.remove(worker)
        if worker.end_cause:
            log_event(_logger, logging.WARNING, "media.worker_ended", cause=worker.end_cause, pid=worker.pid)
        self._wanted.set()

    def _kill_all(self) -> None:
        """Kill every process when the interpreter exits without `close`, which would wait for them."""
        for worker in (*self._live, *self._warm):
            worker.kill()
        self.heavy.kill()
        self.chores.kill()
