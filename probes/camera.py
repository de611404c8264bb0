"""Camera: still pictures to numbers, and numbers to measurements.

Stills live in memory only while they are looked at (`probes.still` decodes them). The measurement functions are plain
Python over the numbers of the stills; only looking needs cv2. x counts in the raw picture, not in the mirrored one the
person sees.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from probes.estimates import finite, mean, median, pair, quantile_interval
from probes.lens import lens_measurements
from probes.measurement import Measurement, Number, not_measured

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from probes.faces import Face, FaceFinder

__all__ = [
    "PictureAnalyser",
    "face_rows",
    "frame_rate_measurement",
    "frozen_measurement",
    "noise_measurement",
    "picture_measurements",
    "wants_second_look",
    "with_second_look",
]

FROZEN_LUMA: Final = 0.01
"""Mean luma change per pixel under which two stills show the same frame: live noise gives 0.45 and more."""
MIN_FROZEN_STILLS: Final = 4
MIN_FROZEN_SPAN_S: Final = 1.5
MIN_FRAME_TIMES: Final = 3
MIN_FRAME_SPAN_MS: Final = 1000.0
"""Least capture timestamps and their span for a frame rate; a camera at 2 frames a second still gets its figure."""

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
EDGE_MARGIN: Final = 0.05
"""A face nearer to the left or right edge than this share of its width is cut by it: boxes end at the edge."""
BLACK_LUMA: Final = 20
"""Under this 99th percentile of luma there is nothing to be seen."""
MAX_DRAWN_FACES: Final = 12
"""Most faces whose places are kept for the schematic drawing."""

_Numbers = Mapping[str, Any]
_Details = dict[str, Number | str | bool | None]


class PictureAnalyser:
    """Looks at one still after the other; remembers every fourth luma pixel and the rows' light of the one before."""

    def __init__(self, finder: FaceFinder) -> None:
        from probes.banding import BandLook  # noqa: PLC0415 - loads numpy
        from probes.looking import FaceLook  # noqa: PLC0415 - loads numpy

        self._bands = BandLook()
        self._look = FaceLook(finder)
        self._before: NDArray[np.uint8] | None = None

    def numbers(self, bgr: NDArray[np.uint8], t_ms: float) -> dict[str, Any]:
        """Return the still's figures as a dictionary that JSON can carry; `picture_measurements` reads it."""
        import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process
        import numpy as np  # noqa: PLC0415 - lazy: never to be loaded by the web process

        from probes.cover import lens_cover  # noqa: PLC0415 - loads numpy
        from probes.light import frame_light, noise_sigma  # noqa: PLC0415 - loads numpy
        from probes.looking import turned  # noqa: PLC0415 - loads numpy

        luma = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        height, width = luma.shape
        faces = self._look.find(bgr)
        rotation_deg = self._look.rotation_deg
        upright = turned(luma, rotation_deg)
        return {
            "t_ms": t_ms,
            "width_px": width,
            "height_px": height,
            **frame_light(luma),
            **lens_cover(bgr),
            **self._bands.numbers(luma),
            "noise_sigma": noise_sigma(luma),
            "diff_luma": self._change(luma),
            "rotation_deg": rotation_deg,
            "faces": [_face_numbers(upright, face, rotation_deg) for face in faces],
        }

    def _change(self, luma: NDArray[np.uint8]) -> float | None:
        """Return the mean absolute luma change since the still before; None on the first and after a turned phone.

        Pixels are picked, not averaged, because averaging would hide the sensor noise that proves a live camera.
        """
        import numpy as np  # noqa: PLC0415 - lazy: never to be loaded by the web process

        small = luma[::2, ::2].copy()
        before, self._before = self._before, small
        if before is None or before.shape != small.shape:
            return None
        return float(np.mean(np.abs(small.astype(np.int16) - before)))


def face_rows(bgr: NDArray[np.uint8], faces: Sequence[Face]) -> list[dict[str, float | None]]:
    """Return the figures of `faces`, found by any finder, as a still's numbers carry them; too small ones are left."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process
    import numpy as np  # noqa: PLC0415 - lazy: never to be loaded by the web process

    from probes.looking import MIN_FACE_PX  # noqa: PLC0415 - loads numpy

    luma = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    return [_face_numbers(luma, face) for face in faces if face.height >= MIN_FACE_PX]


def wants_second_look(still: _Numbers, expected_people: int) -> bool:
    """Whether people are missing in an upright picture that shows anything at all: then a surer detector may look."""
    light = finite((still.get("luma_p99"),))
    seen_anything = bool(light) and light[0] >= BLACK_LUMA
    return len(_faces(still)) < expected_people and not still.get("rotation_deg") and seen_anything


def with_second_look(still: _Numbers, faces: Sequence[_Numbers]) -> _Numbers:
    """Return the still's numbers with the faces of the second look, where it saw more."""
    return {**still, "faces": list(faces)} if len(faces) > len(_faces(still)) else still


def _face_numbers(luma: NDArray[np.uint8], face: Face, rotation_deg: int = 0) -> dict[str, float | None]:
    """Return the figures of a face in a picture that was turned upright; its place is that before the turn."""
    from probes.light import face_light  # noqa: PLC0415 - loads numpy
    from probes.looking import place_before_turn  # noqa: PLC0415 - loads numpy
    from probes.sharpness import face_sharpness  # noqa: PLC0415 - loads numpy

    height, width = luma.shape
    eye_y = (face.landmarks[0][1] + face.landmarks[1][1]) / 2
    seen = (height, width) if rotation_deg % 180 else (width, height)
    x, y, across, down = place_before_turn(face, rotation_deg, *seen)
    return {
        "x_pct": 100.0 * x / seen[0],
        "y_pct": 100.0 * y / seen[1],
        "width_pct": 100.0 * across / seen[0],
        "height_pct": 100.0 * down / seen[1],
        "score": face.score,
        **face_light(luma, face),
        "top_margin": face.y / face.height,
        "eye_line_pct": 100.0 * eye_y / height,
        "bottom_margin": (height - face.y - face.height) / face.height,
        "side_margin": min(face.x, width - face.x - face.width) / face.width,
        "sharpness": face_sharpness(luma, face),
    }


def picture_measurements(stills: Sequence[_Numbers], expected_people: int = 1) -> list[Measurement]:
    """Return camera.light, .backlight, .people, .framing, .sharpness, .cover and .flicker: medians over the stills.

    The same function serves the live guidance (last few stills) and the report. The median count of people is the
    lower one of two, so a face that is there half of the time does not count as there.
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

    A check of its own, because JPEG takes noise away: only the page can see what automatic gain makes of a dark room.
    """
    noise = median(finite(sigmas))
    if noise is None:
        return not_measured("camera.noise", "too_few_samples", "luma")
    return Measurement("camera.noise", noise, "luma", samples=len(sigmas))


def _light(stills: Sequence[_Numbers], expected: int) -> Measurement:
    details: _Details = {name: _median_of(stills, name) for name in _LIGHT_DETAILS}
    details["faces"] = _count(stills)
    details["face_bright_luma"] = _over_faces(stills, expected, "bright_luma") or 0.0
    value = _median_of(stills, "luma_mean")
    if value is None:
        return not_measured("camera.light", "too_few_samples", "luma")
    return Measurement("camera.light", value, "luma", samples=len(stills), details=details)


def _people(stills: Sequence[_Numbers], expected: int) -> Measurement:
    value = _count(stills)
    details: _Details = {
        "expected_people": expected,
        "missing_people": max(0, expected - value),
        "edge_people": _at_edge(stills, expected),
        "rotation_deg": _rotation_deg(stills),
        "places": _places(stills, value),
    }
    return Measurement("camera.people", value, "people", samples=len(stills), details=details)


def _rotation_deg(stills: Sequence[_Numbers]) -> float:
    """Return how far the newest picture has to be turned, degrees clockwise, for its faces to stand upright."""
    turns = [number for still in stills for number in finite((still.get("rotation_deg"),))]
    return turns[-1] if turns else 0


def _count(stills: Sequence[_Numbers]) -> int:
    """Return the lower median of how many faces were seen."""
    counts = sorted(len(_faces(still)) for still in stills)
    return counts[(len(counts) - 1) // 2]


def _at_edge(stills: Sequence[_Numbers], expected: int) -> int:
    """Return how many beyond the expected people are cut by the left or right edge (the lower median)."""
    cut = [sum(1 for face in _faces(still) if _is_cut(face)) for still in stills]
    beyond = sorted(max(0, min(edge, len(_faces(still)) - expected)) for edge, still in zip(cut, stills, strict=True))
    return beyond[(len(beyond) - 1) // 2]


def _places(stills: Sequence[_Numbers], count: int) -> str:
    """Return where the faces were, for a drawing: "x y width height" in percent of the frame, ";" between faces."""
    still = next((still for still in reversed(stills) if len(_faces(still)) == count), stills[-1])
    names = ("x_pct", "y_pct", "width_pct", "height_pct")
    boxes = [finite(face.get(name) for name in names) for face in _faces(still)[:MAX_DRAWN_FACES]]
    return ";".join(" ".join(str(round(side)) for side in box) for box in boxes if len(box) == len(names))


def _sharpness(stills: Sequence[_Numbers]) -> Measurement:
    """Return how sharp each still's main face is; too small a face says nothing about the lens."""
    largest = [_main_face(still) for still in stills if _faces(still)]
    value = _median_of(largest, "sharpness")
    if value is None:
        return not_measured("camera.sharpness", "face_small", "ratio")
    return Measurement("camera.sharpness", value, "ratio", samples=len(largest))


def _backlight(stills: Sequence[_Numbers], expected: int) -> Measurement:
    """Return stops between background and face: the median over the people who are expected, then over the stills.

    Whoever passes behind them, or hangs on the wall, does not count.
    """
    seen = [still for still in stills if _faces(still)]
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


def _over_faces(stills: Sequence[_Numbers], expected: int, name: str) -> float | None:
    """Return the median of a figure over the expected people, then over the stills; None where no face has it."""
    return median(finite(_median_of(_expected_faces(still, expected), name) for still in stills if _faces(still)))


def _framing(stills: Sequence[_Numbers], expected: int) -> Measurement:
    """Return the height of the face that matters in percent of the frame, and where it is.

    One person: that of the main face. Several: the smallest of them, and the place of their middle. What is right or
    left, above or below in a turned picture nobody knows before it stands upright.
    """
    if _rotation_deg(stills):
        return not_measured("camera.framing", "turned", "pct")
    seen = [_row(still, expected) for still in stills if _faces(still)]
    value = _median_of(seen, "height_pct")
    if value is None:
        return not_measured("camera.framing", "no_face", "pct")
    names = ("offset_x_pct", "top_margin", "eye_line_pct", "bottom_margin", "side_margin", "largest_pct")
    details: _Details = {name: _median_of(seen, name) for name in names}
    return Measurement(
        "camera.framing", value, "pct", samples=len(seen), details={**details, "expected_people": expected}
    )


def _row(still: _Numbers, expected: int) -> _Numbers:
    """Return what a still says of the place of the people in it."""
    faces = _expected_faces(still, expected)
    sides = [place for face in faces if (place := pair(face.get("x_pct"), face.get("width_pct")))]
    middle = [min(x for x, _ in sides) + max(x + width for x, width in sides)] if sides else []
    return {
        "height_pct": min(finite(face.get("height_pct") for face in faces), default=None),
        "largest_pct": max(finite(face.get("height_pct") for face in faces), default=None),
        "offset_x_pct": middle[0] / 2 - 50.0 if middle else None,
        "top_margin": min(finite(face.get("top_margin") for face in faces), default=None),
        "bottom_margin": min(finite(face.get("bottom_margin") for face in faces), default=None),
        "side_margin": min(finite(face.get("side_margin") for face in faces), default=None),
        "eye_line_pct": median(finite(face.get("eye_line_pct") for face in faces)),
    }


def _main_face(still: _Numbers) -> _Numbers:
    """Return the largest face, not counting one that an edge cuts where another is whole."""
    whole = [face for face in _faces(still) if not _is_cut(face)]
    return max(whole or _faces(still), key=_area)


def _expected_faces(still: _Numbers, expected: int) -> Sequence[_Numbers]:
    """Return the faces that matter: the main one, or as many of the largest as people are expected."""
    if expected > 1:
        return sorted(_faces(still), key=_area, reverse=True)[:expected]
    return [_main_face(still)]


def _is_cut(face: _Numbers) -> bool:
    return any(margin < EDGE_MARGIN for margin in finite((face.get("side_margin"),)))


def _area(face: _Numbers) -> float:
    size = pair(face.get("width_pct"), face.get("height_pct"))
    return size[0] * size[1] if size else 0.0


def _faces(still: _Numbers) -> Sequence[_Numbers]:
    faces = still.get("faces")
    return faces if isinstance(faces, (list, tuple)) else ()


def _median_of(rows: Sequence[_Numbers], name: str) -> float | None:
    return median(finite(row.get(name) for row in rows))


def frozen_measurement(stills: Sequence[_Numbers]) -> Measurement:
    """Return camera.frozen: the longest time in s during which no still differed from the one before.

    A still without a comparison (the first, or one of another size) ends a span. Needs raw stills: after a video
    codec a frozen camera and a live empty room look the same.
    """
    longest = current = total = 0.0
    compared = 0
    for before, still in pairwise(stills):
        step = _seconds_between(before, still)
        total += step
        change = finite((still.get("diff_luma"),))
        compared += len(change)
        current = current + step if change and change[0] < FROZEN_LUMA else 0.0
        longest = max(longest, current)
    if len(stills) < MIN_FROZEN_STILLS or total < MIN_FROZEN_SPAN_S or not compared:
        return not_measured("camera.frozen", "too_few_samples", "s")
    return Measurement("camera.frozen", longest, "s", samples=len(stills), details={"span_s": total})


def _seconds_between(before: _Numbers, after: _Numbers) -> float:
    times = pair(before.get("t_ms"), after.get("t_ms"))
    return max(0.0, times[1] - times[0]) / 1000.0 if times else 0.0


def frame_rate_measurement(capture_ms: Sequence[float]) -> Measurement:
    """Return camera.frame_rate in fps from capture timestamps: one over the median interval.

    freeze_count counts intervals of at least three times the mean and 150 ms over it (W3C webrtc-stats, freezeCount).
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
