"""The shared helper process as the web process sees it: a bounded queue of jobs, one at a time, each with a deadline.

Never imports cv2 or onnxruntime. The helper starts with the first job, ends when idle for long, and is replaced when it
dies or has used much processor time. A job without an answer returns None, "no second look"; nobody waits for it.
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
"""Most jobs waiting or running, over all tests; at 0.15 s each the last one waits 2 s."""
WAIT_S: Final = 2.0
"""How long a job waits for its turn: a later hint helps nobody."""
JOB_TIMEOUT_S: Final = 10.0
"""A job takes 0.1 to 0.6 s of a free core; beyond this the helper is stuck or the machine overloaded."""
IDLE_S: Final = 300.0
"""Idle time after which the helper ends, to free its memory."""
RETIRE_CPU_S: Final = 400.0
"""Processor time after which a fresh helper takes over, well under the kernel's limit."""
RETRY_S: Final = 5.0
"""Least time before a helper that died or failed to start is started again; nobody waits for it meanwhile."""
_logger = logging.getLogger(__name__)

Start = Callable[[], Awaitable[MediaWorker]]


class Heavy:
    """Sends jobs to the helper. Safe to use from many tests at once; all of them share one process."""

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
        """Return the result of job `of` (see `heavy_worker.OPS`) on `payload`, or None if there is no answer.

        Returns None at once if too many jobs wait, after `WAIT_S` if its turn does not come, after `JOB_TIMEOUT_S` more
        if the job does not end, and if the job fails.
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
        # A task of its own: a caller who is cancelled must not leave the helper in the middle of a job.
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
        """Return the helper, starting it if necessary; None if that is not possible now."""
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
        """End a helper that failed to answer or has used up its time; keep a good one for as long as it is used."""
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
        """End the helper in the background."""
        helper, self._helper = self._helper, None
        if helper is not None:
            task = asyncio.get_running_loop().create_task(helper.close())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Answer no more jobs and end the helper."""
        self._closing = True
        if self._idle:
            self._idle.cancel()
        if self._helper is not None and self._turn.locked():
            self._helper.kill()
        self._let_go()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self) -> None:
        """Kill the helper when the interpreter exits without `close`."""
        if self._helper is not None:
            self._helper.kill()
