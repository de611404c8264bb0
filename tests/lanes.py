"""Who gets which test: the last of more than three processes takes the light ones, while the others walk in browsers.

A walk waits more than it computes, but three at a time are as many as two cores serve in time. What they leave idle is
enough for the tests without browser, in a process that gives way to them. A plugin of pytest, part of ``running``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadScheduling

__all__ = ["Lanes", "give_way", "is_light_lane", "write_plan"]

WALKERS = 3
"""Processes that may have a browser."""
GIVES_WAY = 10
"""Niceness of the light lane: about a tenth of the share of a process that walks."""
FILE = "plan.json"


def is_light_lane(worker: str, count: int) -> bool:
    """Whether this of so many processes takes the light tests."""
    return count > WALKERS and worker == f"gw{count - 1}"


def give_way() -> None:
    """Leave the processor to others from now on; only root could take that back."""
    if os.getpriority(os.PRIO_PROCESS, 0) < GIVES_WAY:
        os.setpriority(os.PRIO_PROCESS, 0, GIVES_WAY)


def write_plan(folder: Path, ordinary: int, light: int, count: int) -> None:
    """Note where in the sorted tests the ordinary ones begin, where the light ones, and how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.{os.getpid()}"
    part.write_text(json.dumps([ordinary, light, count]))
    part.replace(folder / FILE)


class Lanes(LoadScheduling):
    """Deals out tests in their order, but light ones to the light lane as soon as it is the ordinary ones' turn."""

    def __init__(self, config: Any, log: Any, folder: Path) -> None:
        super().__init__(config, log)
        self._folder = folder
        self._ordinary, self._light = 0, 0

    def schedule(self) -> None:
        """Read what the processes noted before the first test is dealt out; without it there are no lanes."""
        if self.collection is None:
            count = len(next(iter(self.node2collection.values())))
            try:
                ordinary, light, noted = json.loads((self._folder / FILE).read_text())
            except (OSError, ValueError):
                noted = -1
            if noted == count:
                self._ordinary, self._light = ordinary, light
        super().schedule()

    def _send_tests(self, node: Any, num: int) -> None:
        chosen = self._light_ones(num) if is_light_lane(node.gateway.id, self.numnodes) else self.pending[:num]
        if chosen:
            self.pending[:] = [one for one in self.pending if one not in chosen]
            self.node2pending[node].extend(chosen)
            node.send_runtest_some(chosen)

    def _light_ones(self, num: int) -> Sequence[int]:
        """Return the next tests of the light lane; none where only walks are left."""
        early = [one for one in self.pending[:num] if one < self._ordinary]
        return early or [one for one in self.pending if one >= self._light][:num]
