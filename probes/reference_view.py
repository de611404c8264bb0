"""Whether a room's camera still sees what it saw: a fingerprint of the empty room, and a picture compared with it.

Corners that stand out (ORB) are looked for where they were, after the contrast of each part of the picture was evened
out (CLAHE), and a shift, turn and zoom is fitted to those that are found (RANSAC). What is black, dark or blurred is
said before that: in the dark, corners match by chance.

A fingerprint is not anonymous, for pictures can be made again from one (d'Angelo, arXiv 1211.1265). It stays on the PC.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from probes.seats import Seat, lost_seats

__all__ = ["COARSE", "Fingerprint", "Look", "agreed", "best_look", "coarse_of", "fingerprint"]

WIDE_PX: Final = 640
"""Every picture is looked at in this width: what is smaller than a hand at the far wall does not matter."""
COLUMNS, ROWS = 8, 6
COARSE: Final = (16, 12)
CANDIDATES: Final = 8000
MOST_IN_CELL: Final = 40
"""Corners kept of each part of the picture, the strongest: else one patterned shirt would have them all."""
LEAST_IN_CELL: Final = 4
"""A part of the picture with fewer corners says nothing of itself."""
LEAST_CELLS: Final = 20
"""Of 48: fewer are no room, but a bare wall, or a picture that is mostly out of focus."""
NEAR_PX: Final = 10.0
NEAR_BITS: Final = 60
"""A corner is found again where one as like as this, of 256 bits, is this near to its place; strangers have 128."""
AGAIN_SHARE: Final = 0.15
AGAIN_LEAST: Final = 2
"""A part of the picture is seen where so many of its corners are found again."""
SEEN_PCT: Final = 50.0
"""Parts of the picture that have to be seen; fewer, and something stands before the camera."""
DIM_SHARE: Final = 0.35
SEEN_DIM_PCT: Final = 15.0
"""With so much less light than in the reference fewer corners are found, and none by chance where they were."""
INLIERS: Final = 20
"""Matches that agree on one movement; in the dark 12 agree by chance."""
FIT_PX: Final = 3.0
RATIO: Final = 0.8
MOVED_PCT: Final = 5.0
"""Largest movement of a corner of the picture, percent of its width."""
FLAT: Final = 0.5
"""Spread of brightness, noise taken out: under it there is no picture at all."""
DARK: Final = 26.0
DARK_SHARE: Final = 0.12
"""The brightest hundredth of the picture, and its mean against the reference's: at dusk both are over it."""
EDGES: Final = 40
EDGE: Final = 12
SHARP_EDGES: Final = 150
EDGES_SHARE: Final = 0.05
"""So few corners of this strength, the contrast stretched, are a lens with something before it, or out of focus. A room
in focus has at least `SHARP_EDGES`; what lost all but `EDGES_SHARE` of its own is out of focus, found again or not."""
SCALES: Final = (0.6, 1.7)
"""No camera zooms farther by itself: such a movement is matches that agree by chance."""
LIKE: Final = 0.7
"""Correlation of the coarse picture with the reference's: out of focus it stays, behind a cloth it does not."""

_ENDS: Final[tuple[tuple[int, Literal["left", "right"]], ...]] = ((-1, "left"), (1, "right"))
"""Of the corners that are near enough across, in their order from the left."""

Picture = NDArray[np.uint8]
_Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of one picture."""

    places: NDArray[np.float32]
    """Of each corner, px in a picture that is `WIDE_PX` wide."""
    descriptors: NDArray[np.uint8]
    coarse: NDArray[np.float32]
    """Mean brightness of 16 x 12 parts."""
    height_px: int
    edges: int
    """Corners of fine detail, the contrast stretched."""

    @property
    def mean(self) -> float:
        """Return how bright it was, 0 to 255: rooms look different by day, by lamps and at dusk."""
        return float(self.coarse.mean())

    def to_arrays(self) -> dict[str, Any]:
        """Return what `numpy.savez` writes."""
        figures = np.array([self.height_px, self.edges])
        return {"places": self.places, "descriptors": self.descriptors, "coarse": self.coarse, "figures": figures}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Fingerprint:
        """Read back what `to_arrays` gave. Raises KeyError or ValueError for anything else."""
        places, descriptors = np.asarray(arrays["places"], np.float32), np.asarray(arrays["descriptors"], np.uint8)
        coarse = np.asarray(arrays["coarse"], np.float32)
        if places.shape != (len(places), 2) or descriptors.shape != (len(places), 32) or coarse.shape != COARSE[::-1]:
            raise ValueError("no fingerprint")
        height_px, edges = (int(one) for one in arrays["figures"])
        return cls(places, descriptors, coarse, height_px, edges)


@dataclass(frozen=True, slots=True)
class Look:
    """What one picture is against a fingerprint."""

    state: str
    """same, moved, covered, not_recognised, lights_off, black or defocused."""
    shift_pct: float | None = None
    seen_pct: float | None = None
    again: int = 0
    """Corners that were found again where they were."""
    lost_seats: int = 0
    """Seats that are out of the picture, or hidden; only where it shows the room at all."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """One picture, as it is compared."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    coarse: NDArray[np.float32]
    height_px: int
    brightest: float
    edges: int

    @property
    def mean(self) -> float:
        return float(self.coarse.mean())


def fingerprint(picture: Picture) -> Fingerprint | None:
    """Return what to keep of a BGR picture of the empty room, or None where too little in it stands out."""
    seen = _seen(picture)
    if seen.brightest < DARK or seen.edges < SHARP_EDGES or len(_filled(seen.places, seen.height_px)) < LEAST_CELLS:
        return None
    return Fingerprint(seen.places, seen.descriptors, seen.coarse, seen.height_px, seen.edges)


def coarse_of(picture: Picture) -> NDArray[np.uint8]:
    """Return the mean brightness of 16 x 12 parts of a BGR picture."""
    library = importlib.import_module("cv2")
    gray = library.cvtColor(picture, library.COLOR_BGR2GRAY)
    return np.asarray(library.resize(gray, COARSE, interpolation=library.INTER_AREA), np.uint8)


def best_look(picture: Picture, known: Sequence[Fingerprint], seats: Sequence[Seat] = ()) -> Look:
    """Return how a BGR picture compares with the likest of several states of light, and how many `seats` are lost.

    Raises ValueError without any fingerprint.
    """
    if not known:
        raise ValueError("there is no fingerprint to compare with")
    seen = _seen(picture)
    if seen.brightest < DARK:
        return Look("lights_off" if float(seen.coarse.std()) >= FLAT else "black")
    best = max((_against(seen, one, seats) for one in known), key=lambda one: (one.state == "same", one.again))
    if best.state != "same" and seen.mean < DARK_SHARE * max(one.mean for one in known):
        return Look("lights_off")
    return best


def agreed(looks: Iterable[Look]) -> Look | None:
    """Return the look that two of three pictures agree on, or None: somebody walked by."""
    kept = [*looks]
    states = [one.state for one in kept]
    state = max(sorted(set(states)), key=states.count, default=None)
    if state is None or 2 * states.count(state) <= len(states):
        return None
    same = sorted((one for one in kept if one.state == state), key=lambda one: one.again)
    lost = sorted(one.lost_seats for one in same)
    return replace(same[len(same) // 2], lost_seats=lost[(len(lost) - 1) // 2])


def _against(seen: _Seen, known: Fingerprint, seats: Sequence[Seat] = ()) -> Look:
    if seen.height_px != known.height_px:
        return Look("not_recognised")
    movement, inliers = _movement(seen, known)
    shift = 100.0 * _shift_px(movement, known.height_px) / WIDE_PX if movement is not None else 0.0
    still = movement if movement is not None and shift <= MOVED_PCT else np.eye(2, 3)
    again = _found_again(seen, known, still)
    seen_pct = _seen_pct(again, known)
    figures = (round(shift, 1), round(seen_pct, 1), int(again.sum()))
    size = (float(WIDE_PX), float(known.height_px))
    if shift > MOVED_PCT and inliers > again.sum() and movement is not None:
        found = _found_again(seen, known, movement)
        return Look("moved", *figures, lost_seats=lost_seats(seats, known.places, found, movement, size))
    is_dim = seen.mean < DIM_SHARE * known.mean
    if seen_pct >= (SEEN_DIM_PCT if is_dim else SEEN_PCT):
        if seen.edges < EDGES_SHARE * known.edges:
            return Look("defocused", *figures)
        lost = 0 if is_dim else lost_seats(seats, known.places, again, still, size)
        return Look("same", *figures, lost_seats=lost)
    if seen.edges < EDGES:
        return Look("defocused" if _likeness(seen.coarse, known.coarse) >= LIKE else "covered", None, *figures[1:])
    return Look("covered" if again.sum() >= INLIERS else "not_recognised", None, *figures[1:])


def _seen(picture: Picture) -> _Seen:
    library = importlib.import_module("cv2")
    gray = picture if picture.ndim == 2 else library.cvtColor(picture, library.COLOR_BGR2GRAY)  # noqa: PLR2004
    height = max(ROWS, round(gray.shape[0] * WIDE_PX / gray.shape[1]))
    way = library.INTER_AREA if gray.shape[1] > WIDE_PX else library.INTER_LINEAR
    small = np.asarray(library.resize(gray, (WIDE_PX, height), interpolation=way), np.uint8)
    soft = library.GaussianBlur(small, (0, 0), 1.0)
    darkest, brightest = (float(one) for one in np.percentile(soft, (1, 99)))
    stretched = np.clip((soft - darkest) * (255.0 / max(1.0, brightest - darkest)), 0, 255).astype(np.uint8)
    edges = len(library.FastFeatureDetector_create(EDGE).detect(library.GaussianBlur(stretched, (0, 0), 1.0)))
    coarse = np.asarray(library.resize(small, COARSE, interpolation=library.INTER_AREA), np.float32)
    even = library.createCLAHE(3.0, (8, 8)).apply(soft)
    places, descriptors = _corners(library, even)
    return _Seen(places, descriptors, coarse, height, brightest, edges)


def _corners(library: Any, even: Picture) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the strongest corners of each part of the picture, and what they look like."""
    finder = library.ORB_create(CANDIDATES, fastThreshold=8)
    points = sorted(finder.detect(even, None), key=lambda point: -point.response)
    counts: dict[int, int] = {}
    kept = []
    cells = _cells(np.array([point.pt for point in points], np.float32).reshape(-1, 2), even.shape[0])
    for point, cell in zip(points, cells.tolist(), strict=True):
        counts[cell] = counts.get(cell, 0) + 1
        if counts[cell] <= MOST_IN_CELL:
            kept.append(point)
    kept, descriptors = finder.compute(even, kept)
    if descriptors is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    return np.array([point.pt for point in kept], np.float32), np.asarray(descriptors, np.uint8)


def _movement(seen: _Seen, known: Fingerprint) -> tuple[_Matrix | None, int]:
    """Return the shift, turn and zoom from the reference to now, and how many corners follow it; None for too few."""
    library = importlib.import_module("cv2")
    if len(seen.places) < INLIERS:
        return None, 0
    found = library.BFMatcher(library.NORM_HAMMING).knnMatch(known.descriptors, seen.descriptors, k=2)
    good = [pair[0] for pair in found if len(pair) == 2 and pair[0].distance < RATIO * pair[1].distance]  # noqa: PLR2004
    if len(good) < INLIERS:
        return None, 0
    library.setRNGSeed(1)
    movement, inside = library.estimateAffinePartial2D(
        known.places[[one.queryIdx for one in good]], seen.places[[one.trainIdx for one in good]],
        method=library.RANSAC, ransacReprojThreshold=FIT_PX, maxIters=2000, confidence=0.999,
    )  # fmt: skip
    inliers = int(np.sum(inside)) if movement is not None else 0
    if movement is not None and not SCALES[0] <= float(np.hypot(*movement[:, 0])) <= SCALES[1]:
        return None, 0
    return (np.asarray(movement, np.float64), inliers) if inliers >= INLIERS else (None, 0)


def _found_again(seen: _Seen, known: Fingerprint, movement: _Matrix) -> NDArray[np.bool_]:
    """Return for each of the reference's corners whether one like it is where it should be."""
    expected = known.places @ movement[:, :2].T + movement[:, 2]
    again = np.zeros(len(expected), bool)
    if not len(seen.places):
        return again
    order = np.argsort(seen.places[:, 0])
    across = seen.places[order, 0]
    begin, end = (np.searchsorted(across, expected[:, 0] + way * NEAR_PX, side) for way, side in _ENDS)
    counts = end - begin
    ours = np.repeat(np.arange(len(expected)), counts)
    theirs = order[np.arange(len(ours)) + np.repeat(end - np.cumsum(counts), counts)]
    near = np.abs(expected[ours, 1] - seen.places[theirs, 1]) <= NEAR_PX
    ours, theirs = ours[near], theirs[near]
    bits = np.bitwise_count(known.descriptors[ours] ^ seen.descriptors[theirs]).sum(axis=1)
    again[ours[bits <= NEAR_BITS]] = True
    return again


def _seen_pct(again: NDArray[np.bool_], known: Fingerprint) -> float:
    """Return the share of the parts with corners of which enough were found again, in percent."""
    filled = _filled(known.places, known.height_px)
    found = np.bincount(_cells(known.places, known.height_px)[again], minlength=COLUMNS * ROWS)
    seen = [cell for cell, count in filled.items() if found[cell] >= max(AGAIN_LEAST, AGAIN_SHARE * count)]
    return 100.0 * len(seen) / max(1, len(filled))


def _shift_px(movement: _Matrix, height_px: int) -> float:
    """Return the farthest that a corner of the picture has gone."""
    ends = np.array([[0, 0, 1], [WIDE_PX, 0, 1], [0, height_px, 1], [WIDE_PX, height_px, 1]], np.float64)
    return float(np.max(np.linalg.norm(ends @ movement.T - ends[:, :2], axis=1)))


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the correlation of two coarse pictures."""
    if one.std() < FLAT or other.std() < FLAT:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def _filled(places: NDArray[np.float32], height_px: int) -> dict[int, int]:
    """Return the parts of the picture with enough corners, and how many."""
    numbers, counts = np.unique(_cells(places, height_px), return_counts=True)
    return {int(cell): int(count) for cell, count in zip(numbers, counts, strict=True) if count >= LEAST_IN_CELL}


def _cells(places: NDArray[np.float32], height_px: int) -> NDArray[np.int64]:
    across = np.clip(places[:, 0] * COLUMNS / WIDE_PX, 0, COLUMNS - 1).astype(np.int64)
    down = np.clip(places[:, 1] * ROWS / height_px, 0, ROWS - 1).astype(np.int64)
    return np.asarray(down * COLUMNS + across)
