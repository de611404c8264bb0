"""Camera: turns the figures of stills into measurements. Plain Python; `picture` analyses the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from probes.estimates import finite, mean, median, pair, quantile_interval
from probes.lens import lens_measurements
from probes.measurement import Measurement, Number, not_measured
from probes.stills import FaceFigures, Still

__all__ = [
    "frame_rate_measurement",
    "frozen_measurement",
    "noise_measurement",
    "picture_measurements",
    "wants_second_look",
    "with_second_look",
]

FROZEN_LUMA: Final = 0.01
"""Mean luma change per pixel below which two stills show the same frame: live noise gives 0.45 or more."""
MIN_FROZEN_STILLS: Final = 4
MIN_FROZEN_SPAN_S: Final = 1.5
MIN_FRAME_TIMES: Final = 3
MIN_FRAME_SPAN_MS: Final = 1000.0
"""Fewest capture times for a frame rate, and their shortest span: enough for a camera at 2 frames a second."""

_LIGHT_DETAILS: Final = (
    "luma_mean",
    "luma_p1",
    "luma_p5",
    "luma_p50",
    "luma_p95",
    "luma_p99",
    "luma_p999",
    "luma_std",
    "luma_range",
    "frame_clipped_pct",
    "noise_sigma",
    "luma_left",
    "luma_right",
)
BLACK_LUMA: Final = 20
"""With a 99th percentile of luma below this nothing is visible."""
SIDES: Final = 4
"""Numbers in a box: left, top, width, height."""
MAX_DRAWN_FACES: Final = 12
"""Most faces whose positions are kept for the schematic drawing."""

_Details = dict[str, Number | str | bool | None]


def wants_second_look(still: Still, expected_people: int) -> bool:
    """Whether to run the better detector: people are missing in an upright picture that shows anything at all."""
    seen_anything = still.luma_p99 is not None and still.luma_p99 >= BLACK_LUMA
    return len(still.faces) < expected_people and not still.rotation_deg and seen_anything


def with_second_look(still: Still, faces: Sequence[FaceFigures]) -> Still:
    """Return the still with the faces of the second look, if it found more."""
    return still.with_faces(faces) if len(faces) > len(still.faces) else still


def picture_measurements(stills: Sequence[Still], expected_people: int = 1) -> list[Measurement]:
    """Return camera.light, .backlight, .people, .framing, .sharpness, .cover and .flicker: medians over the stills.

    Serves the live guidance (with the last few stills) and the report. The count of people is the lower median, so a
    face that is seen half of the time does not count.
    """
    if not stills:
        checks = ("light", "backlight", "people", "framing", "sharpness", "cover", "flicker")
        return [not_measured(f"camera.{check}", "step_died") for check in checks]
    people = _people(stills, expected_people)
    light, whole = _light(stills, expected_people), lens_measurements(stills, _count(stills))
    if people.value == 0:
        backlight = not_measured("camera.backlight", "no_face", "stops")
        framing = not_measured("camera.framing", "no_face", "pct")
        return [light, backlight, people, framing, not_measured("camera.sharpness", "no_face", "ratio"), *whole]
    faces = [_backlight(stills, expected_people), people, _framing(stills, expected_people), _sharpness(stills)]
    return [light, *faces, *whole]


def noise_measurement(sigmas: Sequence[float]) -> Measurement:
    """Return camera.noise: the median noise of the page's raw pictures, in luma steps.

    A separate check because JPEG removes noise: only the page can see what automatic gain makes of a dark room.
    """
    noise = median(finite(sigmas))
    if noise is None:
        return not_measured("camera.noise", "too_few_samples", "luma")
    return Measurement("camera.noise", noise, "luma", samples=len(sigmas))


def _light(stills: Sequence[Still], expected: int) -> Measurement:
    details: _Details = {name: _median_of(stills, name) for name in _LIGHT_DETAILS}
    details["faces"] = _count(stills)
    details["face_bright_luma"] = _over_faces(stills, expected, "bright_luma") or 0.0
    value = _median_of(stills, "luma_mean")
    if value is None:
        return not_measured("camera.light", "too_few_samples", "luma")
    return Measurement("camera.light", value, "luma", samples=len(stills), details=details)


def _people(stills: Sequence[Still], expected: int) -> Measurement:
    value = _count(stills)
    details: _Details = {
        "expected_people": expected,
        "missing_people": max(0, expected - value),
        "edge_people": _at_edge(stills, expected),
        "rotation_deg": _rotation_deg(stills),
        "places": _places(stills, value),
    }
    return Measurement("camera.people", value, "people", samples=len(stills), details=details)


def _rotation_deg(stills: Sequence[Still]) -> float:
    """Return the clockwise turn, degrees, that makes the faces in the newest picture upright."""
    turns = [number for still in stills for number in finite((still.rotation_deg,))]
    return turns[-1] if turns else 0


def _count(stills: Sequence[Still]) -> int:
    """Return the lower median of the number of faces."""
    counts = sorted(len(still.faces) for still in stills)
    return counts[(len(counts) - 1) // 2]


def _at_edge(stills: Sequence[Still], expected: int) -> int:
    """Return how many faces beyond the expected ones the left or right edge cuts (lower median)."""
    cut = [sum(1 for face in still.faces if face.is_cut) for still in stills]
    beyond = sorted(max(0, min(edge, len(still.faces) - expected)) for edge, still in zip(cut, stills, strict=True))
    return beyond[(len(beyond) - 1) // 2]


def _places(stills: Sequence[Still], count: int) -> str:
    """Return the faces' positions for a drawing: "x y width height" in percent of the frame, ";" between faces."""
    still = next((still for still in reversed(stills) if len(still.faces) == count), stills[-1])
    boxes = [face.box for face in still.faces[:MAX_DRAWN_FACES]]
    return ";".join(" ".join(str(round(side)) for side in box) for box in boxes if len(box) == SIDES)


def _sharpness(stills: Sequence[Still]) -> Measurement:
    """Return the sharpness of the main faces; a face that is too small says nothing about the lens."""
    largest = [still.main_face for still in stills if still.faces]
    value = _median_of(largest, "sharpness")
    if value is None:
        return not_measured("camera.sharpness", "face_small", "ratio")
    return Measurement("camera.sharpness", value, "ratio", samples=len(largest))


def _backlight(stills: Sequence[Still], expected: int) -> Measurement:
    """Return stops between background and face: the median over the expected people, then over the stills.

    People who pass behind them, or portraits on the wall, do not count.
    """
    seen = [still for still in stills if still.faces]
    value = _over_faces(seen, expected, "ev_stops")
    if value is None:
        return not_measured("camera.backlight", "no_face", "stops")
    details: _Details = {
        "face_luma": _over_faces(seen, expected, "luma"),
        "face_bright_luma": _over_faces(seen, expected, "bright_luma"),
        "clothes_luma": _over_faces(seen, expected, "clothes_luma") or 0.0,
        "background_luma": _over_faces(seen, expected, "background_luma"),
        "face_clipped_pct": _over_faces(seen, expected, "clipped_pct"),
        "frame_clipped_pct": _median_of(seen, "frame_clipped_pct"),
    }
    return Measurement("camera.backlight", value, "stops", samples=len(seen), details=details)


def _over_faces(stills: Sequence[Still], expected: int, name: str) -> float | None:
    """Return the median of a figure over the expected people, then over the stills; None if no face has it."""
    return median(finite(_median_of(still.expected_faces(expected), name) for still in stills if still.faces))


def _framing(stills: Sequence[Still], expected: int) -> Measurement:
    """Return the height of the relevant face in percent of the frame, and its position.

    For one person this is the main face. For several it is the smallest one's height, and the middle of them all. Not
    measured in a turned picture, where left and right, above and below are unknown.
    """
    if _rotation_deg(stills):
        return not_measured("camera.framing", "turned", "pct")
    seen = [_row(still, expected) for still in stills if still.faces]
    value = _median_of(seen, "height_pct")
    if value is None:
        return not_measured("camera.framing", "no_face", "pct")
    names = ("offset_x_pct", "top_margin", "eye_line_pct", "bottom_margin", "side_margin", "largest_pct")
    details: _Details = {name: _median_of(seen, name) for name in names}
    return Measurement(
        "camera.framing", value, "pct", samples=len(seen), details={**details, "expected_people": expected}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """The position of the people in one still."""

    height_pct: float | None
    largest_pct: float | None
    offset_x_pct: float | None
    top_margin: float | None
    bottom_margin: float | None
    side_margin: float | None
    eye_line_pct: float | None


def _row(still: Still, expected: int) -> _Row:
    faces = still.expected_faces(expected)
    sides = [place for face in faces if (place := pair(face.x_pct, face.width_pct))]
    middle = [min(x for x, _ in sides) + max(x + width for x, width in sides)] if sides else []
    return _Row(
        height_pct=min(finite(face.height_pct for face in faces), default=None),
        largest_pct=max(finite(face.height_pct for face in faces), default=None),
        offset_x_pct=middle[0] / 2 - 50.0 if middle else None,
        top_margin=min(finite(face.top_margin for face in faces), default=None),
        bottom_margin=min(finite(face.bottom_margin for face in faces), default=None),
        side_margin=min(finite(face.side_margin for face in faces), default=None),
        eye_line_pct=median(finite(face.eye_line_pct for face in faces)),
    )


def _median_of(rows: Sequence[Still | FaceFigures | _Row], name: str) -> float | None:
    return median(finite(getattr(row, name) for row in rows))


def frozen_measurement(stills: Sequence[Still]) -> Measurement:
    """Return camera.frozen: the longest time, s, during which no still differed from the previous one.

    A still that cannot be compared (the first, or one of another size) ends a span. Needs raw stills: after a video
    codec a frozen camera looks like a live picture of an empty room.
    """
    longest = current = total = 0.0
    compared = 0
    for before, still in pairwise(stills):
        step = _seconds_between(before, still)
        total += step
        change = finite((still.diff_luma,))
        compared += len(change)
        current = current + step if change and change[0] < FROZEN_LUMA else 0.0
        longest = max(longest, current)
    if len(stills) < MIN_FROZEN_STILLS or total < MIN_FROZEN_SPAN_S or not compared:
        return not_measured("camera.frozen", "too_few_samples", "s")
    return Measurement("camera.frozen", longest, "s", samples=len(stills), details={"span_s": total})


def _seconds_between(before: Still, after: Still) -> float:
    times = pair(before.t_ms, after.t_ms)
    return max(0.0, times[1] - times[0]) / 1000.0 if times else 0.0


def frame_rate_measurement(capture_ms: Sequence[float]) -> Measurement:
    """Return camera.frame_rate, fps, from capture times: the inverse of the median interval.

    freeze_count counts intervals of at least three times the mean, and at least 150 ms over it (W3C webrtc-stats).
    """
    times = sorted(set(finite(capture_ms)))
    intervals = [later - earlier for earlier, later in pairwise(times)]
    middle, average = median(intervals), mean(intervals)
    if len(times) < MIN_FRAME_TIMES or times[-1] - times[0] < MIN_FRAME_SPAN_MS or not middle or not average:
        return not_measured("camera.frame_rate", "too_few_samples", "fps")
    limit = max(3 * average, average + 150.0)
    interval = quantile_interval(intervals, 0.5)
    details: _Details = {
        "longest_gap_ms": max(intervals),
        "freeze_count": sum(1 for gap in intervals if gap >= limit),
    }
    return Measurement(
        "camera.frame_rate",
        1000.0 / middle,
        "fps",
        low=1000.0 / interval[1] if interval else None,
        high=1000.0 / interval[0] if interval else None,
        samples=len(times),
        details=details,
    )
