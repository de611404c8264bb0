"""One phase of a live test while it runs: a step forwards messages and finally returns the finished phase.

A phase whose last message contains everything needs no class of its own: `Step` reads it by the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from probes.stills import Still
from readiness.server.steps.running import Running
from reports.phases import Evidence, FinishedPhase, Phase

__all__ = ["Step", "WorkerStep"]

RESULT_TIMEOUT_S = 8.0
"""Time for the worker to return its figures; after that the step counts as died."""


class Step:
    """A phase that is read from its last message alone. Steps that do more override the methods they need."""

    messages: ClassVar[frozenset[str]] = frozenset()
    """Types of the page's and ops of the worker's messages for this step that do not name its phase."""
    binary: ClassVar[frozenset[int]] = frozenset()
    """Kinds of binary messages that are for this step until it is finished."""

    def __init__(self, phase: Phase, running: Running) -> None:
        self.phase = phase
        self._running = running
        self._setup = running.setup

    @property
    def is_done(self) -> bool:
        """Whether the phase is finished, in this attempt or an earlier one."""
        return self.phase.name in self._running.phases

    def hears(self, message: Mapping[str, Any]) -> bool:
        """Whether a message that names no phase is for this step."""
        return (message.get("op") or message.get("type")) in self.messages

    def takes(self, kind: int) -> bool:
        """Whether a binary message of this `kind` is for this step."""
        return kind in self.binary and not self.is_done

    async def on_start(self) -> None:
        """Begin, because the page is ready."""

    async def on_mark(self, data: Mapping[str, Any]) -> None:
        """Note something that the page did meanwhile."""

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Handle a message of the page that this step hears, or one of the worker that names this phase."""

    async def on_binary(self, t_ms: int, payload: bytes) -> None:
        """Handle a binary message that this step takes, sent at `t_ms` by the page's clock."""

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Return the finished phase; `data` is the page's last message of it."""
        return self._read(data)

    def close(self) -> None:
        """Stop at once; `Running.close` ends the spawned tasks."""

    def _read(
        self,
        data: Mapping[str, Any],
        *,
        stills: Sequence[Still] = (),
        people_said: int | None = None,
        tcp_mbps: float | None = None,
        tcp_cause: str | None = None,
    ) -> FinishedPhase:
        evidence = Evidence(
            seconds=self._took_s(),
            expected_people=people_said or self._setup.expected_people,
            people_said=people_said,
            digits=self._setup.digits,
            stills=stills,
            tcp_mbps=tcp_mbps,
            tcp_cause=tcp_cause,
        )
        return self.phase.finish(data, evidence)

    def _begin(self) -> None:
        self._running.begin(self.phase.name)

    def _took_s(self) -> float:
        return self._running.took_s(self.phase.name)


class WorkerStep(Step):
    """A phase that the media worker measures; if it does not answer in time, the step counts as died."""

    def __init__(self, phase: Phase, running: Running) -> None:
        super().__init__(phase, running)
        self._result: asyncio.Future[dict[str, Any]] | None = None

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Take the worker's measurements."""
        del payload
        if message["op"] == "measured" and self._result is not None and not self._result.done():
            self._result.set_result(dict(message))

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Ask the worker for its measurements, and keep the series that may come with them."""
        self._result = asyncio.get_running_loop().create_future()
        await self._setup.worker.send({"op": "finish", "phase": self.phase.name, "data": dict(data)})
        try:
            async with asyncio.timeout(RESULT_TIMEOUT_S):
                message = await self._result
        except TimeoutError:
            return self.phase.died("step_died", seconds=self._took_s())
        if series := message.get("series"):
            await self._running.keep("series", series)
        return self._read(message)
