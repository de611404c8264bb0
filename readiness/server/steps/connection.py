"""The steps that connect: the media path in use, and the ways through a relay that are only tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from readiness.server.steps.step import Step

__all__ = ["ConnectStep", "PathsStep"]

LIMIT_EVENT = "limit_reached"
"""The peer used more than a test may, and was closed."""


class _OfferStep(Step):
    """Passes an offer on to the worker and its answer back."""

    messages = frozenset({"offer", "answer", "rejected"})
    is_tried: ClassVar[bool]
    """Whether its offers name a path that is only tried."""

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
    """Each way through a relay has a peer connection of its own."""

    is_tried = True


class ConnectStep(_OfferStep):
    """The one peer connection that the line is measured on."""

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
