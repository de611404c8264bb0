"""The steps that measure the line: idle (`clock`), and under load in each direction."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

from readiness.server.steps.running import Running
from readiness.server.steps.step import WorkerStep
from reports.phases import Phase

__all__ = ["IdleStep", "LoadStep"]

CONNECTED_WITHIN_S = 1.0
"""The page may learn of its connection a little before the worker reports it."""
WAYS: Final = {"downlink": "down", "uplink": "up"}
"""Phases that load the line, and the direction of each."""


class _NetworkStep(WorkerStep):
    """Relays between the page and the worker, which run the measurement between them."""

    async def on_mark(self, data: Mapping[str, Any]) -> None:
        """Forward the page's counts of one run."""
        await self._setup.worker.send({"op": "net", "step": "mark", "phase": self.phase.name, "data": dict(data)})

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Forward the worker's requests to the page."""
        if message["op"] != "net":
            await super().on_message(message, payload)
            return
        told = {name: message[name] for name in ("phase", "state", "values", "code") if name in message}
        await self._setup.send({"type": "phase", **told})

    async def _take_place(self) -> None:
        """Wait for a place among the lines that this machine can time at once.

        Takes none without a connection, since the worker then reports at once that there is no line.
        """
        running = self._running
        if running.has_begun("connect"):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECTED_WITHIN_S):
                    await running.connected.wait()
        if running.connected.is_set():
            await running.place.take()


class IdleStep(_NetworkStep):
    """Measures the idle line; repeats that if we were late."""

    def __init__(self, phase: Phase, running: Running) -> None:
        super().__init__(phase, running)
        self._runs = 0

    async def on_start(self) -> None:
        """Begin as soon as there is a place."""
        self._running.spawn(self._start())

    async def _start(self) -> None:
        await self._take_place()
        await self._setup.worker.send({"op": "net", "step": "idle", "again": self._runs > 0})
        self._runs += 1


class LoadStep(_NetworkStep):
    """Runs the trials of one direction."""

    async def on_start(self) -> None:
        """Begin as soon as there is a place."""
        self._running.spawn(self._start())

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Forward to the page; when every direction is finished, give the place back."""
        if message["op"] == "net" and message["state"] in {"run", "ended"}:
            whole = self._setup.line_bytes
            self._running.line_left_bytes = max(0, whole - int(message.get("used_bytes", whole)))
        await super().on_message(message, payload)
        if message["op"] == "net" and message["state"] == "ended":
            self._running.place.unload(self.phase.name)

    async def _start(self) -> None:
        self._running.place.load(self.phase.name)
        await self._take_place()
        profile = self._setup.profile
        await self._setup.worker.send(
            {
                "op": "net",
                "step": "load",
                "ways": [WAYS[self.phase.name]],
                "tiers": [[tier.name, tier.need_mbps] for tier in profile.tiers],
                "need_mbps": profile.need_mbps,
                "factor": profile.probe_factor,
                "most_bytes": self._setup.line_bytes,
            }
        )
