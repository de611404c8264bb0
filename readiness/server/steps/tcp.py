"""The steps that prove TCP headroom on the session's own socket (see `headroom`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from readiness.server.headroom import Downstream, Upstream, least_bytes
from readiness.server.protocol import BINARY
from readiness.server.steps.running import Running
from readiness.server.steps.step import Step
from reports.phases import FinishedPhase, Phase

__all__ = ["TcpDownStep", "TcpUpStep"]


class _TcpStep(Step):
    """A trial that begins only if the line's bytes allow one that can prove something."""

    is_cut = False
    """Whether there were too few."""

    def _left_bytes(self) -> int:
        """Return how many bytes there are for this trial: 0 if they are too few."""
        left_bytes = self._running.line_left_bytes
        self.is_cut = left_bytes < least_bytes(self._setup.profile.probe_mbps)
        return 0 if self.is_cut else left_bytes

    def _told(self, data: Mapping[str, Any], tcp_mbps: float | None) -> FinishedPhase:
        return self._read(data, tcp_mbps=tcp_mbps, tcp_cause="data_limit" if self.is_cut else None)


class TcpDownStep(_TcpStep):
    """The server sends, the page counts."""

    def __init__(self, phase: Phase, running: Running) -> None:
        super().__init__(phase, running)
        self._downstream = Downstream(self._send)

    async def on_start(self) -> None:
        """Begin to send."""
        self._running.spawn(self._run())

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Stop sending and read the page's counts."""
        self._downstream.stop()
        return self._told(data, self._downstream.rate_mbps(data["points"]))

    def close(self) -> None:
        """Stop sending."""
        self._downstream.stop()

    async def _send(self, chunk: bytes) -> None:
        self._running.line_left_bytes -= len(chunk)
        await self._setup.send_bytes(chunk)

    async def _run(self) -> None:
        await self._setup.send({"type": "phase", "phase": self.phase.name, "state": "started"})
        await self._downstream.run(self._setup.profile.probe_mbps, self._left_bytes())
        await self._setup.send({"type": "phase", "phase": self.phase.name, "state": "ended"})


class TcpUpStep(_TcpStep):
    """The page sends, the server counts."""

    binary = frozenset({BINARY.HEADROOM_UP})

    def __init__(self, phase: Phase, running: Running) -> None:
        super().__init__(phase, running)
        self._upstream: Upstream | None = None

    def takes(self, kind: int) -> bool:
        """Whether a binary message is for this step, including one still in transit at the end."""
        return kind in self.binary

    async def on_start(self) -> None:
        """Tell the page to send, and begin to count."""
        self._upstream = Upstream(self._setup.profile.probe_mbps, self._left_bytes())
        values = {"bytes": self._upstream.most_bytes}
        await self._setup.send({"type": "phase", "phase": self.phase.name, "state": "started", "values": values})
        if self._upstream.most_bytes:
            self._running.spawn(self._watch(self._upstream))
        else:
            await self._end(self._upstream)

    async def on_binary(self, t_ms: int, payload: bytes) -> None:
        """Count the bytes that arrived; tell the page when enough is proven."""
        del t_ms
        self._running.line_left_bytes -= len(payload)
        if self._upstream is not None and self._upstream.arrived(len(payload), time.monotonic()):
            await self._end(self._upstream)

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Return the phase with the rate of arrival."""
        return self._told(data, self._upstream.rate_mbps if self._upstream else None)

    async def _watch(self, upstream: Upstream) -> None:
        await asyncio.sleep(upstream.LONGEST_S)
        if not upstream.is_over:
            await self._end(upstream)

    async def _end(self, upstream: Upstream) -> None:
        upstream.is_over = True
        values = {"mbps": upstream.rate_mbps}
        await self._setup.send({"type": "phase", "phase": self.phase.name, "state": "ended", "values": values})
