"""Whether the camera sees where people sit: a chosen part of the reference picture, found again or hidden. numpy only.

A seat is a rectangle in shares of the reference picture. It is out of the picture if less than four fifths of it is
inside the frame after the movement that was found, and hidden if most of its corners are gone while those elsewhere
are found. A seat whose part of the picture is plain can only be seen to be out of the frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_SEATS", "Seat", "lost_seats", "read_seats", "seat_of_face", "seat_of_percent"]

Seat = tuple[float, float, float, float]
"""Left, top, right and bottom, each 0 to 1."""
MOST_SEATS: Final = 40
INSIDE: Final = 0.8
"""Share of a seat that has to be in the frame."""
STEPS: Final = 9
"""Points along each side by which that share is taken."""
PARTS: Final = 2
"""A seat is looked at in 2 x 2 parts, each of the same weight, however many corners it has."""
LEAST_IN_PART: Final = 4
"""Fewer corners say nothing of a part."""
LIKE_REST: Final = 0.3
"""A part is seen where this share of what is found again in the whole picture is found again in it ..."""
LEAST_AGAIN: Final = 2
"""... and so many corners: less light makes fewer everywhere, and hides no seat."""
SEEN: Final = 0.5
"""Share of a seat's parts that has to be seen."""
LEAST_SIDE: Final = 0.02
"""Of the picture: less is a slip of the keyboard."""
PEOPLE: Final = (-0.9, -0.4, 1.9, 3.0)
"""Of somebody who sits, in widths and heights of the face: head, shoulders and chest."""


def seat_of_percent(text: str) -> Seat:
    """Return the seat in ``left,top,right,bottom`` percent of the picture. Raises ValueError."""
    sides = [float(part) / 100.0 for part in text.split(",")]
    if len(sides) != 4:  # noqa: PLR2004
        raise ValueError("four numbers are needed")
    left, top, right, bottom = sides
    if not (0.0 <= left <= right - LEAST_SIDE and right <= 1.0 and 0.0 <= top <= bottom - LEAST_SIDE and bottom <= 1.0):
        raise ValueError("outside the picture, or empty")
    return left, top, right, bottom


def seat_of_face(left: float, top: float, width: float, height: float) -> Seat:
    """Return where somebody sits whose face fills this box, all in shares of the picture."""
    sides = (left + PEOPLE[0] * width, top + PEOPLE[1] * height, left + PEOPLE[2] * width, top + PEOPLE[3] * height)
    inside = [min(1.0, max(0.0, side)) for side in sides]
    return inside[0], inside[1], inside[2], inside[3]


def read_seats(told: object) -> list[Seat]:
    """Return the seats of a file or request; what is none is left out."""
    rows = told if isinstance(told, list) else []
    kept = [row for row in rows if isinstance(row, list | tuple) and len(row) == 4]  # noqa: PLR2004
    return [(float(row[0]), float(row[1]), float(row[2]), float(row[3])) for row in kept if _are_numbers(row)]


def _are_numbers(row: Iterable[object]) -> bool:
    return all(isinstance(one, int | float) and 0.0 <= one <= 1.0 for one in row)


def lost_seats(
    seats: Sequence[Seat],
    places: NDArray[np.float32],
    again: NDArray[np.bool_],
    movement: NDArray[np.float64],
    size: tuple[float, float],
) -> int:
    """Return how many seats are out of the picture or hidden.

    `places` are the reference's corners in px of a picture of `size`, `again` which of them were found again, and
    `movement` leads from the reference to now.
    """
    spots = places / np.array(size)
    share = float(np.mean(again)) if len(again) else 0.0
    return sum(not (_is_inside(one, movement, size) and _is_seen(one, spots, again, share)) for one in seats)


def _is_inside(seat: Seat, movement: NDArray[np.float64], size: tuple[float, float]) -> bool:
    left, top, right, bottom = seat
    across, down = np.meshgrid(np.linspace(left, right, STEPS) * size[0], np.linspace(top, bottom, STEPS) * size[1])
    now = np.stack([across.ravel(), down.ravel()], axis=1) @ movement[:, :2].T + movement[:, 2]
    return bool(np.mean(np.all((now >= 0.0) & (now <= np.array(size)), axis=1)) >= INSIDE)


def _is_seen(seat: Seat, spots: NDArray[np.float64], again: NDArray[np.bool_], share: float) -> bool:
    left, top, right, bottom = seat
    inside = np.all((spots >= (left, top)) & (spots < (right, bottom)), axis=1)
    steps = (spots - (left, top)) / (right - left, bottom - top) * PARTS
    parts = np.clip(steps[:, 1], 0, PARTS - 1).astype(int) * PARTS + np.clip(steps[:, 0], 0, PARTS - 1).astype(int)
    seen = []
    for part in range(PARTS * PARTS):
        mine = inside & (parts == part)
        if (count := int(mine.sum())) >= LEAST_IN_PART:
            seen.append(int(again[mine].sum()) >= max(LEAST_AGAIN, LIKE_REST * share * count))
    return not seen or sum(seen) >= SEEN * len(seen)
