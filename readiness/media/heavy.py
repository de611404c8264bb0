"""The shared helper process as the web process sees it: a bounded queue of jobs, one at a time, each with a deadline.

Never imports cv2 or onnxruntime. Started by the first job, ended when it was idle for long, replaced when it has used
much processor time or died. A job without an answer is None: "no second look", never a reason to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from readiness.logs import log_event
from readiness.media.process import MediaWorker

__all__ = ["Heavy"]

MAX_WAITING: Final = 16
"""Jobs that wait or run, of all tests together; at 0.15 s each the last one waits 2 s."""
WAIT_S: Final = 2.0
"""How long a job waits for its turn: a hint that comes later helps nobody."""
JOB_TIMEOUT_S: Final = 10.0
"""A job takes 0.1 to 0.6 s of a free core; beyond this the helper is stuck, or the machine far too busy."""
IDLE_S: Final = 300.0
"""After so long without a job the helper's memory is given back."""
RETIRE_CPU_S: Final = 400.0
"""Processor time after which a fresh helper takes over, well before the kernel's limit for it."""
RETRY_S: Final = 5.0
"""A helper that could not be started, or died, is not started again sooner: nobody waits for it meanwhile."""
_logger = logging.getLogger(__name__)

Start = Callable[[], Awaitable[MediaWorker]]


class Heavy:
    """Asks the helper. Safe to use from many tests at once; all of them share one process."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._helper: MediaWorker | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._jobs = 0
        self._not_before_s = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._closing = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def pid(self) -> int | None:
        """The helper's process, while there is one."""
        return self._helper.pid if self._helper and not self._helper.ended else None

    async def ask(self, of: str, payload: bytes) -> Any:
        """Return the result of job `of` (see `heavy_worker.OPS`) on `payload`, or None where there is no answer.

        None at once where too many wait, after `WAIT_S` where the turn does not come, after `JOB_TIMEOUT_S` more where
        the job does not end, and where it could not be done.
        """
        if self._waiting >= MAX_WAITING or self._closing:
            return None
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turn.acquire()
        except TimeoutError:
            return None
        finally:
            self._waiting -= 1
        # A task of its own: whoever stops waiting for the answer must not leave the helper in the middle of one.
        running = asyncio.create_task(self._run(of, payload))
        self._tasks.add(running)
        running.add_done_callback(self._release)
        return await asyncio.shield(running)

    def _release(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._turn.release()

    async def _run(self, of: str, payload: bytes) -> Any:
        if self._idle:
            self._idle.cancel()
        helper = await self._running()
        if helper is None:
            return None
        self._jobs += 1
        answer: Mapping[str, Any] | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JOB_TIMEOUT_S), contextlib.aclosing(helper.messages()) as messages:
                await helper.send({"op": "job", "id": self._jobs, "of": of}, payload)
                async for message, _ in messages:
                    if message["op"] == "done" and message.get("id") == self._jobs:
                        answer = message
                        break
        self._after(helper, of, answered=answer is not None)
        return answer.get("result") if answer else None

    async def _running(self) -> MediaWorker | None:
        """Return the helper, started if need be; None where it cannot be had now."""
        if self._helper is not None and not self._helper.ended:
            return self._helper
        if time.monotonic() < self._not_before_s:
            return None
        try:
            self._helper = await self._start()
        except (OSError, EOFError, TimeoutError) as error:
            self._not_before_s = time.monotonic() + RETRY_S
            log_event(_logger, logging.ERROR, "media.helper_not_started", error=type(error).__name__)
            return None
        return self._helper

    def _after(self, helper: MediaWorker, of: str, *, answered: bool) -> None:
        """End a helper that owes an answer or is worn out; let one that is fine live while it is used."""
        if not answered:
            helper.kill("worker_frozen")
            self._let_go()
            self._not_before_s = time.monotonic() + RETRY_S
            log_event(_logger, logging.WARNING, "media.helper_ended", job=of)
        elif helper.cpu_s > RETIRE_CPU_S or self._closing:
            self._let_go()
        else:
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._let_go)

    def _let_go(self) -> None:
        """End the helper without making anybody wait for it."""
        helper, self._helper = self._helper, None
        if helper is not None:
            task = asyncio.get_running_loop().create_task(helper.close())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Answer nobody any more and end the helper."""
        self._closing = True
        if self._idle:
            self._idle.cancel()
        if self._helper is not None and self._turn.locked():
            self._helper.kill()
        self._let_go()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self) -> None:
        """At the interpreter's exit without `close`."""
        if self._helper is not None:
            self._helper.kill()
