"""At which hours a window blinds the room's camera: from coarse pictures of the checks that were made anyway. Pure.

No astronomy: what stood in window 2 at two o'clock on four of the last five days is expected there today. A bright
overcast sky blinds a camera as the sun does and counts the same. Hours without checks are not known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["KEPT", "LEAST_DAYS", "Sun", "expected_sun", "windows_of"]

GLARE: Final = 235
"""Mean luma of a part of the picture that is burnt out."""
ROOM: Final = 180
"""A picture whose middle part is brighter is burnt out as a whole: that is no window."""
LEAST_TIMES: Final = 2
"""A part of the picture that was burnt out so often belongs to a window."""
SHARE: Final = 0.3
"""Of a window's parts that must be burnt out ..."""
STOPS: Final = 2.5
"""... and by how many stops it is then brighter than the room: somebody before it is a shadow."""
GAMMA: Final = 2.2
"""Of a camera's luma: one stop of luma is so many stops of light."""
NEAR_S: Final = 3600.0
"""A check within an hour of the meeting's time of day tells of it: one is made 60 to 30 minutes ahead."""
LOOKED_DAYS: Final = 5
LEAST_DAYS: Final = 3
"""Fewer days that were looked at tell nothing."""
DAY_S: Final = 86_400.0
WITHIN_S: Final = 21 * DAY_S
"""In three weeks the sun has moved by a window's frame, and the days are another hour long."""
KEPT: Final = 600
"""Pictures: 28 a day for those three weeks."""

Grids = NDArray[np.uint8]
"""Pictures x rows x columns of mean luma."""
_Local = Callable[[float], time.struct_time]


@dataclass(frozen=True, slots=True)
class Sun:
    """What is expected for one meeting."""

    window: int
    """Counted from the left of the picture, from 1; the one that blinds most often."""
    hour: int
    days: int
    of_days: int


def windows_of(grids: Grids) -> list[NDArray[np.bool_]]:
    """Return the windows that were ever bright, from the left."""
    if not len(grids):
        return []
    often = np.sum((grids >= GLARE) & _shows_a_room(grids)[:, None, None], axis=0) >= LEAST_TIMES
    found: list[NDArray[np.bool_]] = []
    left = {(int(row), int(column)) for row, column in np.argwhere(often)}
    while left:
        group, edge = set(), [min(left)]
        while edge:
            cell = edge.pop()
            if cell not in left:
                continue
            left.discard(cell)
            group.add(cell)
            edge += [(cell[0] + step, cell[1]) for step in (-1, 1)] + [(cell[0], cell[1] + step) for step in (-1, 1)]
        mask = np.zeros(often.shape, bool)
        mask[tuple(np.array(sorted(group)).T)] = True
        found.append(mask)
    return sorted(found, key=lambda mask: float(np.argwhere(mask)[:, 1].mean()))


def expected_sun(
    taken_s: NDArray[np.float64],
    grids: Grids,
    meetings_s: Sequence[float],
    *,
    local: _Local = time.localtime,
) -> Sun | None:
    """Return what the worst of these meetings has to expect; None where too few days were looked at around then.

    `taken_s` are the moments of `grids`, seconds since 1970; `local` gives the clock of the meeting's day, by which the
    days before are read too: the sun does not follow a change of the clocks.
    """
    windows = windows_of(grids)
    known = [one for meeting_s in meetings_s if (one := _at(taken_s, grids, windows, meeting_s, local)) is not None]
    return max(known, key=lambda one: (one.days / one.of_days, one.days), default=None)


def _at(
    taken_s: NDArray[np.float64], grids: Grids, windows: Sequence[NDArray[np.bool_]], meeting_s: float, local: _Local
) -> Sun | None:
    ahead_s = float(local(meeting_s).tm_gmtoff)
    asked_s = (meeting_s + ahead_s) % DAY_S
    nearest: dict[float, tuple[float, int]] = {}
    for at, moment_s in enumerate(taken_s.tolist()):
        day, of_day_s = divmod(moment_s + ahead_s, DAY_S)
        away_s = abs(of_day_s - asked_s)
        if 0.0 < meeting_s - moment_s <= WITHIN_S and away_s <= NEAR_S:
            nearest[day] = min(nearest.get(day, (away_s, at)), (away_s, at))
    looked = [at for _, (_, at) in sorted(nearest.items())][-LOOKED_DAYS:]
    if len(looked) < LEAST_DAYS:
        return None
    hour = local(meeting_s).tm_hour
    counts = [sum(_blinds(grids[at], window) for at in looked) for window in windows]
    if not counts:
        return Sun(0, hour, 0, len(looked))
    worst = int(np.argmax(counts))
    return Sun(worst + 1 if counts[worst] else 0, hour, counts[worst], len(looked))


def _blinds(grid: NDArray[np.uint8], window: NDArray[np.bool_]) -> bool:
    burnt = window & (grid >= GLARE)
    if burnt.sum() < SHARE * window.sum() or window.all():
        return False
    room = max(1.0, float(np.median(grid[~window])))
    return GAMMA * float(np.log2(float(grid[burnt].mean()) / room)) >= STOPS


def _shows_a_room(grids: Grids) -> NDArray[np.bool_]:
    return np.asarray(np.median(grids.reshape(len(grids), -1), axis=1) < ROOM)
