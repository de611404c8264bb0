"""The steps that listen: to the person speaking, and to the echo of the digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.measurement import Measurement
from readiness.errors import InputError
from readiness.server.protocol import BINARY
from readiness.server.steps.running import Running
from readiness.server.steps.step import WorkerStep
from readiness.texts import VOICES
from reports.guidance import SoundGuidance
from reports.phases import FinishedPhase, Phase
from reports.readers import unheard

__all__ = ["EchoStep", "SoundStep"]


class SoundStep(WorkerStep):
    """Forwards sound to the worker and turns the live figures into hints."""

    messages = frozenset({"sound"})
    binary = frozenset({BINARY.SOUND})

    def __init__(self, phase: Phase, running: Running) -> None:
        super().__init__(phase, running)
        self._guidance = SoundGuidance(self._setup.profile)

    async def on_binary(self, t_ms: int, payload: bytes) -> None:
        """Pass a piece of sound on."""
        self._begin()
        await self._setup.worker.send({"op": "pcm", "t_ms": t_ms}, payload)

    async def on_mark(self, data: Mapping[str, Any]) -> None:
        """Note the beginning or end of a part of the step, silence or speech."""
        if data["step"] == "speech_start":
            self._guidance.speech_asked()
        await self._setup.worker.send({"op": "mark", "step": data["step"], "t_ms": data["t_ms"]})

    async def on_message(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        """Make a hint of live figures."""
        if message["op"] != "sound":
            await super().on_message(message, payload)
            return
        so_far = [Measurement.from_json(item) for item in message.get("measured", ())]
        await self._running.hint(self._guidance.add(message["numbers"], so_far))

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Return the worker's measurements; none without a microphone."""
        return unheard(self.phase, data) or await super().on_final(data)


class EchoStep(WorkerStep):
    """Forwards the microphone's sound while the digits play, once the sound step is finished."""

    binary = frozenset({BINARY.SOUND})

    async def on_binary(self, t_ms: int, payload: bytes) -> None:
        """Pass a piece of sound on."""
        self._begin()
        await self._setup.worker.send({"op": "ear", "t_ms": t_ms}, payload)

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Return how much of the digits came back; where none were played nothing can.

        Raises InputError("protocol.invalid") for a language that has no recordings.
        """
        spoken = data.get("lang")
        if spoken is not None and spoken not in VOICES:
            raise InputError("protocol.invalid", "no digits in that language")
        recordings = self._setup.voices.get(spoken or "", "")
        return unheard(self.phase, data) or await super().on_final({**data, "voice": recordings})
