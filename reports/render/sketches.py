"""Sketches of camera and microphone, drawn from figures alone: boxes for faces, light at both sides, level over time.

Pure. A sketch is never an image, and nobody can be recognised in it. Left and right are as in the mirror that the
person saw. Each has words and a table of the same figures; what was not measured is never drawn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from reports.render.pictures import Picture
from reports.render.words import Words

__all__ = ["DRAWN_DETAILS", "sketches"]

DRAWN_DETAILS: Final = frozenset({"places", "level_curve", "speech_curve"})
"""Details of checks that are drawn here and mean nothing as text."""
WIDTH: Final = 360
"""Width in units of the sketch, like the pictures of the line."""
TEXT: Final = 14
MARGIN: Final = 6
SIDE: Final = 40
"""Width of the strip that shows the light of one side, units."""
MOST_HEIGHT: Final = 300
"""Most height of the frame, units; a phone held upright is drawn narrower instead of longer."""
ORDINARY_SHAPE: Final = 4 / 3
"""Width over height of a picture of unknown size."""
BRIGHTEST: Final = 255
LOWEST_DB: Final = 80
"""Bottom of the level's scale, dB under full scale."""
PLOT: Final = 120
"""Height of the plot of the level, units."""
AXIS: Final = 64
"""Room for the numbers left of the plot, units."""
SPEECH_BAR: Final = 10
"""Height of the bars under the plot that mark speech, units; visible without telling colours apart."""
FEW_ROWS: Final = 30
STEPS_S: Final = (1, 2, 5, 10, 20, 60)

_Check = Mapping[str, Any]


def sketches(checks: Sequence[_Check], words: Words) -> tuple[Picture, ...]:
    """Return the sketches of the camera's picture and the microphone's sound, as far as there are figures."""
    by_id = {str(check.get("id")): check for check in checks}
    found = (_seen(by_id, words), _heard(by_id, words))
    return tuple(sketch for sketch in found if sketch is not None)


def _details(checks: Mapping[str, _Check], name: str) -> Mapping[str, Any]:
    found = checks.get(name, {}).get("details")
    return found if isinstance(found, Mapping) else {}


def _finite(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None  # type: ignore[arg-type]


# ---- seen


@dataclass(frozen=True, slots=True)
class _Face:
    """The place of one face, in percent of the frame, from the mirror's upper left corner."""

    left: float
    top: float
    width: float
    height: float


def _seen(checks: Mapping[str, _Check], words: Words) -> Picture | None:
    places = _details(checks, "camera.people").get("places")
    if not isinstance(places, str):
        return None
    faces = _faces(places)
    light = _details(checks, "camera.light")
    left, right = _luma(light.get("luma_right")), _luma(light.get("luma_left"))
    finding = [words.plural("sketch.faces", len(faces)) if faces else words.t("sketch.no_faces")]
    if left is not None and right is not None:
        finding.append(words.t("sketch.light", left=left, right=right))
    finding.append(words.t("sketch.mirror"))
    columns = tuple(words.t(f"sketch.column.{name}") for name in ("face", "left", "top", "width", "height"))
    rows = tuple(
        (str(number), *(words.number(side, 0) for side in (face.left, face.top, face.width, face.height)))
        for number, face in enumerate(faces, 1)
    )
    svg = _frame(faces, (left, right), _shape(_details(checks, "camera.resolution")))
    title = words.t("sketch.seen")
    return Picture("seen", title, _document("seen", title, finding, *svg), tuple(finding), columns, rows)


def _faces(places: str) -> list[_Face]:
    """Return the faces in "x y width height;..." (percent of the camera's frame), mirrored."""
    boxes = [re.findall(r"-?\d+(?:\.\d+)?", one) for one in places.split(";")]
    found = [tuple(map(float, box)) for box in boxes if len(box) == 4]  # noqa: PLR2004 - x, y, width and height
    return [_Face(100 - x - width, y, width, height) for x, y, width, height in found]


def _luma(value: object) -> int | None:
    luma = _finite(value)
    return None if luma is None else round(min(BRIGHTEST, max(0.0, luma)))


def _shape(details: Mapping[str, Any]) -> float:
    """Return the picture's width over its height."""
    width, height = _finite(details.get("width_px")), _finite(details.get("height_px"))
    return min(3.0, max(1 / 3, width / height)) if width and height else ORDINARY_SHAPE


def _frame(faces: Sequence[_Face], light: tuple[int | None, int | None], shape: float) -> tuple[list[str], float]:
    """Draw the frame with its faces, and the light of each side beside it; return it and the sketch's height."""
    room = WIDTH - 2 * (SIDE + MARGIN)
    height = min(room / shape, MOST_HEIGHT)
    width = height * shape
    x = (WIDTH - width) / 2
    parts = [f'<rect class="sketch-frame" x="{x:.1f}" y="1" width="{width:.1f}" height="{height:.1f}" rx="4"/>']
    for side_x, luma in ((x - MARGIN - SIDE, light[0]), (x + width + MARGIN, light[1])):
        if luma is not None:
            parts.append(
                f'<rect class="sketch-light" x="{side_x:.1f}" y="1" width="{SIDE}" height="{height:.1f}" rx="4" '
                f'fill="rgb({luma} {luma} {luma})" stroke="currentColor"/>'
            )
            parts.append(_text(side_x + SIDE / 2, height + TEXT + 4, str(luma), "middle"))
    for number, face in enumerate(faces, 1):
        at_x, at_y = x + width * face.left / 100, 1 + height * face.top / 100
        wide, high = width * face.width / 100, height * face.height / 100
        parts.append(
            f'<rect class="sketch-face" x="{at_x:.1f}" y="{at_y:.1f}" width="{wide:.1f}" height="{high:.1f}" rx="6"/>'
        )
        parts.append(_text(at_x + wide / 2, at_y + high / 2 + TEXT / 3, str(number), "middle"))
    return parts, height + TEXT + 10


# ---- heard


@dataclass(frozen=True, slots=True)
class _Curve:
    """Level (dB under full scale) and speech, point by point, and their whole length."""

    levels: Sequence[int]
    speech: Sequence[bool]
    seconds: float

    def x(self, place: float) -> float:
        """Return the beginning of a point, units from the left."""
        return AXIS + (WIDTH - AXIS - MARGIN) * place / len(self.levels)


def _heard(checks: Mapping[str, _Check], words: Words) -> Picture | None:
    check = checks.get("microphone.speech", {})
    curve = _curve(_details(checks, "microphone.speech"))
    if curve is None:
        return None
    spoken, loudest = _finite(check.get("value")) or 0.0, words.amount(-min(curve.levels), "dbfs")
    finding = (
        words.t("sketch.listened", seconds=words.number(curve.seconds, 0), speech=words.number(spoken, 1)),
        words.t("sketch.loudest", level=loudest),
    )
    columns = (words.t("graph.time_column"), words.t("sketch.column.level"), words.t("sketch.column.speech"))
    title = words.t("sketch.heard")
    svg = _document("heard", title, finding, *_plot(curve, words))
    return Picture("heard", title, svg, finding, columns, tuple(_levels(curve, words)))


def _curve(details: Mapping[str, Any]) -> _Curve | None:
    """Return the curve in the details of microphone.speech, or None if they have none."""
    levels, speech = details.get("level_curve"), details.get("speech_curve")
    seconds = _finite(details.get("listened_s"))
    if not isinstance(levels, str) or not isinstance(speech, str) or not seconds or seconds <= 0:
        return None
    if not re.fullmatch(r"[01]{2,}", speech) or not re.fullmatch(r"[0-9]+", levels) or len(levels) != 2 * len(speech):
        return None
    pairs = (levels[place : place + 2] for place in range(0, len(levels), 2))
    return _Curve([int(one) for one in pairs], [one == "1" for one in speech], seconds)


def _plot(curve: _Curve, words: Words) -> tuple[list[str], float]:
    """Draw the level with its axis, and a bar under each stretch of speech; return it and the height."""
    top = float(TEXT)
    base = top + PLOT
    parts = []
    grid = 'class="graph-grid" stroke="currentColor" stroke-width="0.3"'
    for level in range(0, LOWEST_DB + 1, 20):
        y = top + PLOT * level / LOWEST_DB
        parts.append(f'<path {grid} d="M{AXIS} {y:.1f}H{WIDTH - MARGIN}"/>')
        parts.append(_text(AXIS - 4, y + 4, words.number(-level), "end"))
    points = " ".join(
        f"{curve.x(place + 0.5):.1f},{top + PLOT * min(level, LOWEST_DB) / LOWEST_DB:.1f}"
        for place, level in enumerate(curve.levels)
    )
    bar_y = base + 12
    for begin, end in _runs(curve.speech):
        x, width = curve.x(begin), curve.x(end) - curve.x(begin)
        parts.append(
            f'<rect class="sketch-shade" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{PLOT}" '
            'fill-opacity="0.1"/>'
        )
        parts.append(
            f'<rect class="sketch-speech" x="{x:.1f}" y="{bar_y:.1f}" width="{width:.1f}" height="{SPEECH_BAR}"/>'
        )
    parts.append(f'<polyline class="graph-line" points="{points}" fill="none" stroke="currentColor" stroke-width="2"/>')
    parts.append(_text(AXIS - 4, bar_y + SPEECH_BAR, words.t("sketch.speech"), "end"))
    y = bar_y + SPEECH_BAR + TEXT + 4
    step = next((step for step in STEPS_S if curve.seconds / step <= 7), STEPS_S[-1])  # noqa: PLR2004 - that many fit
    per_second = len(curve.levels) / curve.seconds
    seconds = range(0, int(curve.seconds) + 1, step)
    parts += [_text(curve.x(per_second * second), y, str(second), "middle") for second in seconds]
    parts.append(_text(WIDTH - MARGIN, y + TEXT + 4, words.t("graph.time"), "end"))
    return parts, y + TEXT + 10


def _runs(speech: Sequence[bool]) -> list[tuple[int, int]]:
    """Return the beginnings and ends of speech, as positions between points."""
    edges = [
        place
        for place, (before, now) in enumerate(zip([False, *speech], [*speech, False], strict=True))
        if before != now
    ]
    return list(zip(edges[::2], edges[1::2], strict=True))


def _levels(curve: _Curve, words: Words) -> list[tuple[str, ...]]:
    """Return the table's lines: time, strongest level, and whether there was speech."""
    step = next((step for step in STEPS_S if curve.seconds / step <= FEW_ROWS), STEPS_S[-1])
    lines: list[tuple[str, ...]] = []
    for begin in range(0, math.ceil(curve.seconds), step):
        first, last = (math.floor(len(curve.levels) * at / curve.seconds) for at in (begin, begin + step))
        inside = slice(min(first, len(curve.levels) - 1), max(first + 1, last))
        lines.append(
            (
                words.t("graph.seconds", begin=begin, end=begin + step),
                words.amount(-min(curve.levels[inside]), "dbfs"),
                words.t("value.yes" if any(curve.speech[inside]) else "value.no"),
            )
        )
    return lines


# ---- shapes


def _document(name: str, title: str, finding: Sequence[str], parts: Sequence[str], height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph sketch" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-labelledby="sketch-{name}-title sketch-{name}-desc" font-size="{TEXT}" fill="currentColor">'
        f'<title id="sketch-{name}-title">{escape(title)}</title>'
        f'<desc id="sketch-{name}-desc">{escape(" ".join(finding))}</desc>{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="graph-tick" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
