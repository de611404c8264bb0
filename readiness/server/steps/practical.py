"""The step of practical questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from readiness.server.steps.step import Step
from reports.phases import FinishedPhase

__all__ = ["PracticalStep"]


class PracticalStep(Step):
    """Reads the answers. The phone number goes only into the encrypted contact field, never into the phase."""

    async def on_final(self, data: Mapping[str, Any]) -> FinishedPhase:
        """Keep the phone number, then read the answers."""
        phone = data["answers"].get("phone", "").strip()
        if phone:
            await self._setup.keep_phone(phone)
        return self._read(data)
