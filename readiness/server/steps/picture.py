"""The picture step: sends stills to the worker and turns their figures into hints, and finally into measurements."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from probes.camera import with_second_look
from probes.stills import FaceFigures, Still
from readiness.server.protocol import BINARY
from readiness.server.steps.running import Running
from readiness.server.steps.step import Step
from reports.guidance import PictureGuidance
from reports.phases import FinishedPhase, Phase

__all__ = ["PictureStep"]

SETTLE_S = 2.0
"""How long the last stills may take after the end of the picture step."""
LOOK_AGAIN_S = 1.0
"""How long a still waits for the helper's second look, s; usually 0.2."""


class PictureStep(Step):
    """Keeps the figures of stills in the order in which these were taken; never a still."""

    messages = frozenset({"still", "still_rejected"})
    binary = frozenset({BINARY.STILL})

    def __init__(self, phase: Phase, running: Running) -> None:
        super().__init__(phase, running)
        self.stills: list[Still] = []
        """Figures of every still so far."""
        self._people_said: int | None = None
        """How many the person says they are, once the page has told."""
        self._out = 0
        """Number of stills that the worker has not answered yet."""
        self._settled = asyncio.Event()
        self._settled.set()
        self._guidance = PictureGuidance(self._setup.profile, expected_people=self._setup.expected_people)
        self._looked: asyncio.Queue[tuple[Still, bytes]] = asyncio.Queue()
        self._is_following = False

    async def on_binary(self, t_ms: int, payload: bytes) -> None:
        """Pass a still on to the worker; its figures come back as hints."""
        self._begin()
        self._out += 1
        self._settled.clear()
        people = self._people_said or self._setup.expected_people
        message = {"op": "still", "t_ms": t_ms, "expected_people": people}
        await self._setup.worker.send(message, payload)

    async def on_mark(self, data: Mapping[str, Any]) -> None:
        """Judge by the number of people that the person has just given."""
        self._people_said = data["people"]
        self._guidance.expect(data["people"])

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Handle the worker's answer to a still: its figures, with the still if people are missing, or a refusal."""
        if message["op"] != "still":
            self._settle_one()
            return
        self._looked.put_nowait((Still.from_json(message["numbers"]), payload))
        if not self._is_following:
            self._is_following = True
            self._running.spawn(self._follow())

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Wait briefly for the last stills, then return the measurements."""
        if data["ended_by"] != "no_camera":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await self._settled.wait()
        return self._read(data, stills=self.stills, people_said=data.get("people") or self._people_said)

    def _settle_one(self) -> None:
        self._out -= 1
        if self._out <= 0:
            self._settled.set()

    async def _follow(self) -> None:
        """Process the stills' figures in order; if people are missing, the shared helper looks again first.

        A still with others waiting behind it skips that, because hints must not lag.
        """
        while True:
            still, jpeg = await self._looked.get()
            if jpeg and not self.is_done and self._looked.empty():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_S):
                        faces = await self._setup.heavy.ask("faces", jpeg) or ()
                        still = with_second_look(still, [FaceFigures.from_json(face) for face in faces])
            self.stills.append(still)
            if not self.is_done:
                await self._running.hint(self._guidance.add(still))
            self._settle_one()
