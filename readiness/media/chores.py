"""Runs work whose cost depends on a user's file, each piece in its own confined process, never in the web process.

Reading a file of meetings or typesetting a page takes milliseconds. The operating system ends work that exceeds its
limit of processor time, memory or wall time; the caller gets an error, and the next piece a fresh process. Nobody waits
for a process that is being ended, not even a shutdown.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import struct
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from readiness.errors import InputError, Unavailable
from readiness.logs import log_event
from readiness.media.frames import RESULT, WRONG
from readiness.media.limits import WorkerLimits
from readiness.media.process import Spawned

__all__ = ["CHORE_LIMITS", "ChoreCostly", "ChoreFailed", "Chores"]

CHORE_LIMITS: Final = WorkerLimits(cpu_s=4, memory_mb=256, open_files=64, wall_s=20, udp=False)
"""Reading the costliest file takes 2.5 CPU-s and 100 MiB; the wall time allows for a busy machine."""
AT_ONCE: Final = 2
MOST_WAITING: Final = 12
"""Most pieces of work waiting or running; beyond that the answer is "later" at once."""
MOST_ANSWER_BYTES: Final = 8 * 1024 * 1024
WAIT_S: Final = 35.0
"""From request to answer, including the wait for a turn and, for the first request, for the fork server."""
COSTLY: Final = frozenset({70, -signal.SIGXCPU, -signal.SIGALRM, -signal.SIGKILL, -signal.SIGABRT})
"""Exit codes of a process that ran out of processor time, wall time or memory; 70 is `sandbox.EXIT_LIMIT`."""
_REAP_S = 5.0
_logger = logging.getLogger(__name__)

Start = Callable[[WorkerLimits], Awaitable[Spawned]]


class ChoreCostly(Exception):  # noqa: N818 - reads as what it says
    """A piece of work exceeded its limit of processor time, memory or wall time; the caller says what the work was."""


class ChoreFailed(Exception):  # noqa: N818 - reads as what it says
    """A piece of work ended without a usable answer: it crashed, or its answer was too large."""


class Chores:
    """Starts a process for each piece of work. Safe to use from many requests at once."""

    def __init__(self, start: Start, reaper: Executor) -> None:
        self._start = start
        self._reaper = reaper
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._asked = 0
        self._running: set[Spawned] = set()
        self._closing = False

    async def do(self, work: str, payload: bytes, *, limits: WorkerLimits | None = None) -> bytes:
        """Return what the function `work` (``package.module:name``, bytes to bytes) makes of `payload`.

        Raises the function's own InputError, ChoreCostly if it exceeded a limit, ChoreFailed if it crashed, and
        Unavailable if there is no process or no turn for it.
        """
        limits = limits or CHORE_LIMITS
        if self._closing or self._asked >= MOST_WAITING:
            raise Unavailable("server.busy", "too much work", retry_after_s=5.0)
        self._asked += 1
        try:
            async with asyncio.timeout(WAIT_S), self._turns:
                spawned = await self._start(limits)
                return await self._ask(spawned, work, payload, limits)
        except (OSError, EOFError, TimeoutError) as error:
            log_event(_logger, logging.ERROR, "chore.not_done", work=work, error=type(error).__name__)
            raise Unavailable("server.busy", "no process", retry_after_s=5.0) from None
        finally:
            self._asked -= 1

    async def _ask(self, spawned: Spawned, work: str, payload: bytes, limits: WorkerLimits) -> bytes:
        self._running.add(spawned)
        answer, cut_at_s = b"", None
        try:
            async with asyncio.timeout(limits.wall_s):
                answer = await _exchange(spawned, work, payload)
        except TimeoutError:
            cut_at_s = _cpu_s(spawned.process.pid)
        finally:
            self._running.discard(spawned)
            _kill(spawned)
            reaped = self._reap(spawned)
        if answer[:1] == RESULT:
            return answer[1:]
        if answer[:1] == WRONG and (wrong := _wrong(answer[1:])):
            raise wrong
        code = await reaped if reaped else None
        error = answer[1:81].decode("ascii", "replace")
        log_event(_logger, logging.WARNING, "chore.ended", work=work, error=error, code=code, cut_at_s=cut_at_s)
        if self._closing or (cut_at_s is not None and cut_at_s < limits.cpu_s / 4):
            raise Unavailable("server.busy", "the machine was too busy", retry_after_s=5.0)
        is_costly = not answer and (cut_at_s is not None or code in COSTLY)
        raise ChoreCostly if is_costly else ChoreFailed

    def _reap(self, spawned: Spawned) -> asyncio.Future[int | None] | None:
        """Reap the process in the background; at shutdown the thread may be gone already."""
        try:
            return asyncio.get_running_loop().run_in_executor(self._reaper, _reaped, spawned)
        except RuntimeError:
            return None

    def kill(self) -> None:
        """Accept no more work and end what is running."""
        self._closing = True
        for spawned in self._running:
            _kill(spawned)


async def _exchange(spawned: Spawned, work: str, payload: bytes) -> bytes:
    """Send the work and return everything the process sends back until it closes the socket."""
    reader, writer = await asyncio.open_connection(sock=spawned.channel)
    name = work.encode("ascii")
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        try:
            writer.write(struct.pack("!HI", len(name), len(payload)) + name + payload)
            await writer.drain()
            while piece := await reader.read(65536):
                found += piece
                if len(found) > MOST_ANSWER_BYTES:
                    return b""
        finally:
            writer.close()
    return bytes(found)


def _wrong(answer: bytes) -> InputError | None:
    """Return the error in a process's answer, or None if there is none; nothing in the answer is trusted."""
    try:
        told = json.loads(answer)
        return InputError(str(told["code"]), field=str(told["field"]))
    except (ValueError, KeyError, TypeError):
        return None


def _cpu_s(pid: int | None) -> float:
    """Return the processor time a process has used, s."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def _kill(spawned: Spawned) -> None:
    """Kill the process. Uses its descriptor, because its pid may already belong to another process."""
    with contextlib.suppress(OSError):
        if spawned.pidfd >= 0:
            signal.pidfd_send_signal(spawned.pidfd, signal.SIGKILL)
        elif spawned.process.pid:
            os.kill(spawned.process.pid, signal.SIGKILL)


def _reaped(spawned: Spawned) -> int | None:
    """Return how the process ended, once it has."""
    spawned.process.join(_REAP_S)
    code = spawned.process.exitcode
    with contextlib.suppress(ValueError):
        spawned.process.close()
    with contextlib.suppress(OSError):
        if spawned.pidfd >= 0:
            os.close(spawned.pidfd)
    return code
