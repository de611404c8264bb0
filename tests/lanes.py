"""Who gets which test: the first three processes walk in browsers, the others take what is light.

A walk waits more than it computes, but three at a time are as many as two cores serve in time. What they leave idle is
enough for the tests without browser: those that start servers have a lane that gives way to the walks, and those that
start no process at all one that gives way to everything, and so runs beside what minds a busy machine. A plugin of
pytest, part of ``running``.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadScheduling

__all__ = ["Lane", "Lanes", "give_way", "lane_of", "write_plan"]

WALKERS = 3
"""Processes that may have a browser."""
GIVES_WAY = 10
"""Niceness of the light lanes: about a tenth of the share of a process that walks."""
AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares processors among sessions first, and only then, by niceness, among the processes of each."""
FILE = "plan.json"


class Lane(IntEnum):
    """What a process takes: anything in turn, what is light, or only what starts no process."""

    WALK = 0
    LIGHT = 1
    QUICK = 2


def lane_of(worker: str, count: int) -> Lane:
    """Return the lane of one of so many processes: the fourth is light, the fifth and later ones are quick."""
    return Lane(min(Lane.QUICK, max(0, int(worker.removeprefix("gw")) - WALKERS + 1))) if count > WALKERS else Lane.WALK


def give_way(*, wholly: bool = False) -> None:
    """Leave the processor to others from now on; only root could take that back.

    `wholly`: to the processes of other sessions too, and so to browsers and servers.
    """
    if os.getpriority(os.PRIO_PROCESS, 0) < GIVES_WAY:
        os.setpriority(os.PRIO_PROCESS, 0, GIVES_WAY)
    if wholly:
        with contextlib.suppress(OSError):  # it leads a session already, or this system shares out otherwise
            os.setsid()
            AUTOGROUP.write_text(str(GIVES_WAY))


def write_plan(folder: Path, ordinary: int, light: int, quick: int, count: int) -> None:
    """Note where in the sorted tests the ordinary, light and quick ones begin, and how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.{os.getpid()}"
    part.write_text(json.dumps([ordinary, light, quick, count]))
    part.replace(folder / FILE)


class Lanes(LoadScheduling):
    """Deals out tests in their order, but to the light lanes what is theirs, as soon as it may run."""

    def __init__(self, config: Any, log: Any, folder: Path) -> None:
        super().__init__(config, log)
        self._folder = folder
        self._ordinary, self._light, self._quick = 0, 0, 0

    def schedule(self) -> None:
        """Read what the processes noted before the first test is dealt out; without it there are no lanes."""
        if self.collection is None:
            count = len(next(iter(self.node2collection.values())))
            try:
                ordinary, light, quick, noted = json.loads((self._folder / FILE).read_text())
            except (OSError, ValueError):
                noted = -1
            if noted == count:
                self._ordinary, self._light, self._quick = ordinary, light, quick
        super().schedule()

    def _send_tests(self, node: Any, num: int) -> None:
        chosen = self._chosen(lane_of(node.gateway.id, self.numnodes), num)
        if chosen:
            self.pending[:] = [one for one in self.pending if one not in chosen]
            self.node2pending[node].extend(chosen)
            node.send_runtest_some(chosen)

    def _chosen(self, lane: Lane, num: int) -> Sequence[int]:
        """Return the next tests of a lane; none where only others' are left."""
        if lane == Lane.WALK:
            return self.pending[:num]
        if lane == Lane.QUICK:
            return [one for one in self.pending if one >= self._quick][:num]
        return [one for one in self.pending if one < self._ordinary or one >= self._light][:num]
