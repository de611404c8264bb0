"""``readiness room seats``: where people sit in the camera's picture, in a file of this PC's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from probes.seats import MOST_SEATS, Seat, read_seats
from readiness.room.errors import NothingFoundError
from readiness.room.files import read_json, write_json

__all__ = ["SEATS", "add_seats", "own_seats", "say_seats"]

SEATS: Final = "seats.json"
SAME: Final = 0.5
"""Two areas that share so much of the smaller one are one seat, marked twice."""


def own_seats(folder: Path) -> list[Seat]:
    """Return the seats that were marked; none where the file is missing or damaged."""
    return read_seats(read_json(folder / SEATS))


def add_seats(folder: Path, new: Sequence[Seat]) -> list[Seat]:
    """Keep seats beside those before, the newer in place of one at the same spot, and return them all.

    Raises NothingFoundError for none, or too many, and OSError.
    """
    if not new:
        raise NothingFoundError("Nobody's face was found: sit as in a meeting, look at the camera, and try again.")
    kept = [one for one in own_seats(folder) if not any(_shared(one, other) >= SAME for other in new)]
    seats = [*kept, *new]
    if len(seats) > MOST_SEATS:
        raise NothingFoundError(f"At most {MOST_SEATS} seats are kept; begin anew with --forget.")
    write_json(folder / SEATS, [[round(side, 4) for side in one] for one in seats])
    return seats


def say_seats(seats: Sequence[Seat]) -> str:
    """Return the seats as lines, each as `--area` takes it."""
    lines: list[str] = [",".join(f"{100.0 * side:.0f}" for side in one) for one in sorted(seats)]
    return "\n".join([f"{len(seats)} seats, as left,top,right,bottom in percent of the picture:", *lines])


def _shared(one: Seat, other: Seat) -> float:
    """Return the share of the smaller area that both have."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    least = min(_area(one), _area(other))
    return max(0.0, wide) * max(0.0, high) / least if least else 0.0


def _area(one: Seat) -> float:
    return (one[2] - one[0]) * (one[3] - one[1])
