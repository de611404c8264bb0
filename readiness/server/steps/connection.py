"""The steps that connect: the media path in use, and the paths through a relay that are only probed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from readiness.server.steps.step import Step

__all__ = ["ConnectStep", "PathsStep"]

LIMIT_EVENT = "limit_reached"
"""Codes of a peer that was closed because it exceeded a test's limits."""


class _OfferStep(Step):
    """Passes an offer on to the worker and its answer back."""

    messages = frozenset({"offer", "answer", "rejected"})
    is_tried: ClassVar[bool]
    """Whether its offers name a path that is only probed."""

    def hears(self, message: Mapping[str, Any]) -> bool:
        """Whether an offer or its answer is for this step."""
        return super().hears(message) and ("path" in message) == self.is_tried

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Handle an offer, an answer or a refusal."""
        del payload
        path = {"path": message["path"]} if self.is_tried else {}
        if message.get("type") == "offer":
            self._begin()
            await self._setup.worker.send({"op": "offer", "sdp": message["sdp"], **path})
        elif message["op"] == "answer":
            await self._setup.send({"type": "answer", "sdp": message["sdp"], **path})
        else:
            failed = {"state": "failed", "code": message["code"], "values": path}
            await self._setup.send({"type": "phase", "phase": self.phase.name, **failed})


class PathsStep(_OfferStep):
    """Probes each path through a relay with a peer connection of its own."""

    is_tried = True


class ConnectStep(_OfferStep):
    """Makes the peer connection on which the line is measured."""

    messages = _OfferStep.messages | {"peer"}
    is_tried = False

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Follow the state of the connection."""
        if message.get("op") != "peer":
            await super().on_message(message, payload)
            return
        connected = self._running.connected
        (connected.set if message["state"] == "connected" else connected.clear)()
        if str(message.get("code") or "").startswith("budget."):
            await self._running.note_event(LIMIT_EVENT)
