"""One live test: relays between a page's socket and a media worker, and stores each finished phase.

Dispatch only. The behaviour of a phase is in its step (`steps`), its definition in the kind's table (`reports.kinds`);
numbers come from the worker and `probes`, hints and the verdict from `reports`. Every finished phase is committed
before the next message is read, so that a test can continue elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from readiness.logs import log_event
from readiness.server.protocol import FINISH
from readiness.server.steps import steps_of
from readiness.server.steps.running import Running, Setup
from readiness.server.steps.step import Step

__all__ = ["LiveTest", "WorkerLost"]

log = logging.getLogger(__name__)


class WorkerLost(Exception):  # noqa: N818 - a state, not an input error
    """The media worker ended before the test did; `cause` is the report's cause."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class LiveTest:
    """Passes every message of page and worker to its step; a message that no step expects is dropped."""

    def __init__(self, setup: Setup, phases: dict[str, Mapping[str, Any]]) -> None:
        self._setup = setup
        self._running = Running(setup, phases)
        self._steps = steps_of(self._running)

    @property
    def phases(self) -> Mapping[str, Mapping[str, Any]]:
        """The stored phases of the test, by name."""
        return self._running.phases

    @property
    def phase(self) -> str:
        """The phase that the page is in, as far as known."""
        return self._running.phase

    @property
    def hinted(self) -> str:
        """Code of the hint that the page shows; empty for none."""
        return self._running.hinted

    @property
    def stepped_at_s(self) -> float:
        """When the last phase finished, by the monotonic clock."""
        return self._running.stepped_at_s

    async def on_message(self, message: Mapping[str, Any]) -> bool:
        """Handle one checked message of the page. Returns whether the page is finished."""
        if message["type"] != "samples":
            await self._hand_over(message)
        elif message["kind"] == "event":
            await self._running.note_event(message["data"]["code"])
        elif message["phase"] == FINISH:
            return True
        else:
            await self._on_samples(message["phase"], message["kind"], message["data"])
        return False

    async def on_binary(self, kind: int, t_ms: int, payload: bytes) -> None:
        """Handle a still, a piece of sound or a piece of headroom, sent at `t_ms` by the page's clock."""
        step = next((step for step in self._steps.values() if step.takes(kind)), None)
        if step is not None:
            await step.on_binary(t_ms, payload)

    async def follow_worker(self) -> None:
        """Handle the worker's messages until it ends. Raises WorkerLost."""
        async for message, payload in self._setup.worker.messages():
            await self._hand_over(message, payload)
        raise WorkerLost(self._setup.worker.end_cause or "worker_died")

    async def close(self) -> None:
        """Stop everything that still runs for this test."""
        for step in self._steps.values():
            step.close()
        await self._running.close()

    async def _hand_over(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Pass a message to the step of its phase or, if it names none, to the first step that hears it."""
        step = self._steps.get(message["phase"]) if "phase" in message else self._listener(message)
        if step is not None:
            await step.on_message(message, payload)

    def _listener(self, message: Mapping[str, Any]) -> Step | None:
        return next((step for step in self._steps.values() if step.hears(message)), None)

    async def _on_samples(self, phase: str, kind: str, data: Mapping[str, Any]) -> None:
        step = self._steps.get(phase)
        if step is None or step.is_done:
            log_event(log, logging.INFO, "phase.repeated" if step else "phase.unknown", phase=phase)
        elif kind == "died":
            died = step.phase.died(data["cause"], seconds=self._running.took_s(phase))
            await self._running.finish(phase, died)
        else:
            self._running.begin(phase)
            if kind == "final":
                await self._running.finish(phase, await step.on_final(data))
            elif kind == "mark":
                await step.on_mark(data)
            else:
                await step.on_start()
