"""Pictures of the line over a test's seconds: delay, loss and rate as accessible SVG, with a table of the same figures.

Pure. No script, no style of its own: `currentColor` and classes, so that a page colours it in light and dark and print
stays readable. Each row has a strip of its own, so that nothing depends on telling colours apart. What was not measured
is said, never drawn as zero.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from reports.render.words import Words
from reports.series import thin

__all__ = ["PICTURES", "ROW_CHECKS", "Picture", "pictures"]

ROW_CHECKS: Final[Mapping[str, str]] = {
    "rtt_ms": "network.rtt",
    "delay_up_ms": "network.jitter_up",
    "delay_down_ms": "network.jitter_down",
    "lost_up": "network.loss_up",
    "lost_down": "network.loss_down",
    "rate_up_mbps": "network.throughput_up",
    "rate_down_mbps": "network.throughput_down",
}
"""The check whose limits and outcome belong to each row."""
PICTURES: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "delay": (("rtt_ms",), ("delay_up_ms", "delay_down_ms")),
    "loss": (("lost_up", "lost_down"),),
    "rate": (("rate_up_mbps", "rate_down_mbps"),),
}
"""The strips of each picture; those in one group share a scale, so that up and down can be compared."""
OFFERED: Final[Mapping[str, str]] = {"rate_up_mbps": "sent_up_mbps", "rate_down_mbps": "sent_down_mbps"}

WIDTH: Final = 360
"""Width in units of the picture; on a phone a unit is about one CSS pixel, so text of 14 units can be read."""
LEFT: Final = 44
RIGHT: Final = 8
STRIP: Final = 84
"""Height of one strip's plot, units."""
TITLE: Final = 27
"""Room for a strip's name, units."""
LINE: Final = 18
"""Room for one line of text, units."""
TEXT: Final = 14
MARGIN: Final = 3
BAR: Final = 3
"""Width of a mark of loss, units; wide enough to see one lost packet."""
BINS: Final = 150
"""Points in a strip: one for every second unit."""
GAP_MS: Final = 500.0
"""A line is broken after this long without a measurement."""
HEADROOM: Final = 1.15
"""A scale's top, relative to its highest value."""
FEW_ROWS: Final = 30
"""Most rows of the table: one for each second, or for longer times if the test was long."""
TABLE_STEPS_S: Final = (1, 2, 5, 10, 20, 30, 60)
SECOND_MS: Final = 1000.0

_Point = Sequence[float]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture with its words: `finding` says what it shows, `columns` and `rows` are its figures."""

    name: str
    title: str
    svg: str
    finding: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The frame that the strips of one picture share."""

    words: Words
    end_ms: float
    phases: Sequence[Mapping[str, Any]]

    def x(self, t_ms: float) -> float:
        """Return the position of a moment, units from the left."""
        return LEFT + (WIDTH - LEFT - RIGHT) * float(min(1.0, t_ms / self.end_ms))


def pictures(
    series: Mapping[str, Any] | None, checks: Sequence[Mapping[str, Any]], words: Words
) -> tuple[Picture, ...]:
    """Return pictures of delay, loss and rate of checked `series`; none without any series."""
    if series is None:
        return ()
    by_id = {str(check.get("id")): check for check in checks}
    frame = _Frame(words, _end_ms(series), series.get("phases", ()))
    return tuple(_picture(name, series, by_id, frame) for name in PICTURES)


def _end_ms(series: Mapping[str, Any]) -> float:
    ends = [phase["to_ms"] for phase in series.get("phases", ())]
    ends += [row[-1][0] for name, row in series.items() if name not in {"schema", "phases"} and row]
    return float(max([SECOND_MS, *ends]))


def _picture(name: str, series: Mapping[str, Any], checks: Mapping[str, Mapping[str, Any]], frame: _Frame) -> Picture:
    words = frame.words
    title = words.t(f"graph.{name}")
    rows = [row for group in PICTURES[name] for row in group]
    finding = tuple(_finding(row, series, checks.get(ROW_CHECKS[row], {}), words) for row in rows)
    parts: list[str] = []
    y = float(LINE)
    for group in PICTURES[name]:
        limits = {row: _limits(checks.get(ROW_CHECKS[row], {})) if name != "loss" else [] for row in group}
        top = _scale(group, series, limits)
        for row in group:
            parts += _strip(row, series, limits[row], _Plot(frame, y + TITLE + STRIP, top))
            y += TITLE + STRIP + MARGIN
    parts = _bands(float(LINE), y, frame) + parts + _time_axis(y, frame)
    y += 2 * LINE + MARGIN
    key, height = _key(y, frame)
    body = "".join([*parts, *key])
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-labelledby="graph-{name}-title graph-{name}-desc" font-size="{TEXT}" fill="currentColor">'
        f'<title id="graph-{name}-title">{escape(title)}</title>'
        f'<desc id="graph-{name}-desc">{escape(" ".join(finding))}</desc>{body}</svg>'
    )
    columns, figures = _table(rows, series, frame)
    return Picture(name=name, title=title, svg=svg, finding=finding, columns=columns, rows=figures)


# ---- words


def _finding(row: str, series: Mapping[str, Any], check: Mapping[str, Any], words: Words) -> str:
    """Return one or two sentences on what a row shows."""
    name, points = words.t(f"graph.{row}"), series.get(row)
    if points is None or _is_missing(row, points):
        return words.t("graph.finding.none", name=name)
    said = _lost(row, points, words) if row.startswith("lost") else _course(row, series, words)
    outcome = words.first(f"outcome.{check.get('outcome')}")
    if not outcome:
        return said
    judged = words.t("graph.finding.judged", outcome=outcome, value=words.value_of(check).rstrip("."))
    return " ".join(filter(None, (said, judged, words.limits_of(check))))


def _is_missing(row: str, points: Sequence[_Point]) -> bool:
    """Return whether a row was not measured; an empty row of losses means that nothing was lost."""
    return not points and not row.startswith("lost")


def _label(row: str, words: Words) -> str:
    """Return the name of a row with its unit, which the name of losses already has."""
    unit = {"ms": "ms", "mbps": "mbps"}.get(row.rsplit("_", 1)[-1])
    name = words.t(f"graph.{row}")
    return f"{name} ({words.t(f'unit.{unit}')})" if unit else name


def _lost(row: str, points: Sequence[_Point], words: Words) -> str:
    name, total = words.t(f"graph.{row}"), sum(value for _, value in points)
    if not total:
        return words.t("graph.finding.nothing_lost", name=name)
    worst = max(points, key=lambda point: point[1])
    return words.t("graph.finding.lost", name=name, count=words.number(total, 0), at=_seconds(worst[0], words))


def _course(row: str, series: Mapping[str, Any], words: Words) -> str:
    name, points = words.t(f"graph.{row}"), series[row]
    is_rate = row in OFFERED
    unit = "mbps" if is_rate else "ms"
    worst = (min if is_rate else max)(points, key=lambda point: point[1])
    values = {
        "name": name,
        "typical": words.amount(statistics.median(value for _, value in points), unit),
        "worst": words.amount(worst[1], unit),
        "at": _seconds(worst[0], words),
    }
    offered = series.get(OFFERED.get(row, ""))
    if not is_rate:
        return words.t("graph.finding.course", **values)
    if not offered:
        return words.t("graph.finding.rate", **values)
    sent = words.amount(statistics.median(value for _, value in offered), unit)
    return words.t("graph.finding.rate_of", offered=sent, **values)


def _seconds(t_ms: float, words: Words) -> str:
    return words.number(t_ms / SECOND_MS, 1)


def _limits(check: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the limits of a check that can be drawn, the higher one first."""
    found = [(name, check[name]) for name in ("pass", "fail") if isinstance(check.get(name), int | float)]
    return sorted(found, key=lambda limit: -limit[1])


# ---- strips


def _scale(group: Sequence[str], series: Mapping[str, Any], limits: Mapping[str, Sequence[tuple[str, float]]]) -> float:
    """Return the top of the group's scale: above all values, and above limits that they come near to."""
    if all(row.startswith("lost") for row in group):
        most = max((lost for row in group for _, lost in thin(series.get(row) or (), sum, BINS)), default=0.0)
        return max(2.0, 2.0 * math.ceil(_nice(max(1.0, most)) / 2))  # so that half of it is a whole number of packets
    names = [name for row in group for name in (row, OFFERED.get(row)) if name]
    highest = max((value for name in names for _, value in series.get(name) or ()), default=0.0)
    drawn = sorted({limit for row in group for _, limit in limits[row]})
    near = [limit for place, limit in enumerate(drawn) if place == 0 or highest > drawn[place - 1]]
    return _nice(max([highest * HEADROOM, *(limit * HEADROOM for limit in near), 1.0]))


def _nice(value: float) -> float:
    """Return a round number at or above `value`."""
    size = 10.0 ** math.floor(math.log10(value))
    return next(step * size for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * size >= value * (1 - 1e-9))


@dataclass(frozen=True, slots=True)
class _Plot:
    """One strip's plot: the position of its zero, units from the picture's top, and the top of its scale."""

    frame: _Frame
    base: float
    top: float

    def y(self, value: float) -> float:
        """Return the position of a value, units from the top."""
        return self.base - STRIP * min(value, self.top) / self.top


def _strip(row: str, series: Mapping[str, Any], limits: Sequence[tuple[str, float]], plot: _Plot) -> list[str]:
    """Draw one row below its name."""
    words, points = plot.frame.words, series.get(row)
    parts = [_text(LEFT, plot.base - STRIP - 6, _label(row, words), "graph-name", bold=True)]
    if points is None or _is_missing(row, points):
        middle = (LEFT + WIDTH - RIGHT) / 2
        none = _text(middle, plot.base - STRIP / 2, words.t("outcome.not_measured"), "graph-none", "middle")
        return [*parts, _rule(plot.base, "graph-axis", 1), none]
    for value in (0.0, plot.top / 2, plot.top):
        at = plot.y(value)
        parts.append(_rule(at, "graph-grid", 0.3) if value else _rule(at, "graph-axis", 1))
        parts.append(_text(LEFT - 4, at + 4, words.number(value), "graph-tick", "end"))
    if row.startswith("lost"):
        return parts + _bars(points, plot)
    offered = series.get(OFFERED.get(row, ""))
    if offered:
        parts.append(
            _line(thin(offered, max, BINS), plot, 'class="graph-offered" stroke-width="2.6" stroke-dasharray="0 5"')
        )
    worst = thin(points, min if row in OFFERED else max, BINS)
    parts.append(_line(worst, plot, 'class="graph-line" stroke-width="1.8"'))
    return parts + _limit_lines(ROW_CHECKS[row], limits, plot)


def _limit_lines(check: str, limits: Sequence[tuple[str, float]], plot: _Plot) -> list[str]:
    """Draw the visible limits; the words of two are at opposite ends, so that they never meet."""
    parts = []
    for place, (name, limit) in enumerate(limits):
        if limit > plot.top:
            continue
        words, at = plot.frame.words, plot.y(limit)
        label = words.t(f"graph.limit.{name}", value=words.limit(check, limit))
        parts.append(_rule(at, f"graph-limit graph-{name}", 1.5, "7 4" if name == "pass" else "10 3 2 3"))
        x, anchor = (LEFT + 2, "start") if place else (WIDTH - RIGHT - 2, "end")
        parts.append(_text(x, at - 4, label, f"graph-label graph-{name}", anchor))
    return parts


def _line(points: Sequence[_Point], plot: _Plot, attributes: str) -> str:
    """Draw a line through the points, broken at gaps."""
    drawn, before = [], -math.inf
    for t_ms, value in points:
        is_new = t_ms - before > GAP_MS
        at = f"{plot.frame.x(t_ms):.1f} {plot.y(value):.1f}"
        drawn.append(f"M{at}h.1" if is_new else f"L{at}")
        before = t_ms
    ends = 'fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"'
    return f'<path d="{"".join(drawn)}" {ends} {attributes}/>'


def _bars(points: Sequence[_Point], plot: _Plot) -> list[str]:
    """Draw a visible bar for each bin with lost packets."""
    lost = [point for point in thin(points, sum, BINS) if point[1] > 0]
    return [
        f'<rect class="graph-lost" x="{plot.frame.x(t_ms) - BAR / 2:.1f}" y="{plot.y(value):.1f}" width="{BAR}" '
        f'height="{plot.base - plot.y(value):.1f}"/>'
        for t_ms, value in lost
    ]


# ---- time


def _bands(top: float, bottom: float, frame: _Frame) -> list[str]:
    """Shade every other phase and number them all, above the strips."""
    parts = []
    for number, phase in enumerate(frame.phases, 1):
        left, right = frame.x(phase["from_ms"]), frame.x(phase["to_ms"])
        opacity = 0.08 if number % 2 else 0.03
        parts.append(
            f'<rect class="graph-phase" x="{left:.1f}" y="{top:.1f}" width="{max(0.5, right - left):.1f}" '
            f'height="{bottom - top:.1f}" fill-opacity="{opacity}"/>'
        )
        parts.append(_text((left + right) / 2, top - 4, str(number), "graph-number", "middle", bold=True))
    return parts


def _time_axis(y: float, frame: _Frame) -> list[str]:
    total_s = frame.end_ms / SECOND_MS
    step = next((step for step in TABLE_STEPS_S if total_s / step <= 7), TABLE_STEPS_S[-1])  # noqa: PLR2004 - that many fit
    parts = []
    for second in range(0, int(total_s) + 1, step):
        x = frame.x(second * SECOND_MS)
        parts.append(f'<path class="graph-axis" d="M{x:.1f} {y - MARGIN:.1f}v4" stroke="currentColor"/>')
        parts.append(_text(x, y + TEXT + 1, str(second), "graph-tick", "middle"))
    parts.append(_text(WIDTH - RIGHT, y + TEXT + LINE, frame.words.t("graph.time"), "graph-tick", "end"))
    return parts


def _key(y: float, frame: _Frame) -> tuple[list[str], float]:
    """Draw the names of the numbered phases below the picture; return them and the picture's height."""
    parts = []
    for number, phase in enumerate(frame.phases, 1):
        y += LINE
        words = frame.words
        name = words.first(f"phase.{phase['name']}", otherwise=phase["name"].replace("_", " "))
        begin, end = _seconds(phase["from_ms"], words), _seconds(phase["to_ms"], words)
        said = words.t("graph.phase", number=number, name=name, begin=begin, end=end)
        parts.append(_text(LEFT, y, said, "graph-key"))
    return parts, y + MARGIN + 2


# ---- table


def _table(
    rows: Sequence[str], series: Mapping[str, Any], frame: _Frame
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return head and lines of the table: the worst delay, the mean rate, all lost packets."""
    words = frame.words
    names = [one for row in rows for one in (row, OFFERED.get(row)) if one]
    columns = (words.t("graph.time_column"), *(_label(one, words) for one in names))
    total_s = math.ceil(frame.end_ms / SECOND_MS)
    step = next((step for step in TABLE_STEPS_S if total_s / step <= FEW_ROWS), TABLE_STEPS_S[-1])
    lines = []
    for begin in range(0, total_s, step):
        cells = (_cell(one, series.get(one), begin * SECOND_MS, (begin + step) * SECOND_MS, frame) for one in names)
        lines.append((words.t("graph.seconds", begin=begin, end=begin + step), *cells))
    return columns, tuple(lines)


def _cell(row: str, points: Sequence[_Point] | None, begin_ms: float, end_ms: float, frame: _Frame) -> str:
    words = frame.words
    inside = [value for t_ms, value in points or () if begin_ms <= t_ms < end_ms]
    if row.startswith("lost"):
        measured = any(phase["from_ms"] < end_ms and phase["to_ms"] > begin_ms for phase in frame.phases)
        is_known = points is not None and (inside or measured)
        return words.number(sum(inside), 0) if is_known else words.t("outcome.not_measured")
    if not inside:
        return words.t("outcome.not_measured")
    return words.number(max(inside) if row.endswith("_ms") else statistics.fmean(inside))


# ---- shapes


def _rule(y: float, name: str, width: float, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    where = f"M{LEFT} {y:.1f}H{WIDTH - RIGHT}"
    return f'<path class="{name}" d="{where}" stroke="currentColor" stroke-width="{width}"{dashed}/>'


def _text(x: float, y: float, text: str, name: str, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
