"""The line over time: rows of points stored with a report (schema readiness.series/1). Pure.

A missing row was not measured. A row of losses covers all phases: a time without a point had no loss, and an empty row
means that nothing was lost at all.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

__all__ = ["MOST_POINTS", "ROWS", "SERIES_SCHEMA", "check_series", "pack", "thin", "thinned", "unpack"]

SERIES_SCHEMA: Final = "readiness.series/1"
MOST_POINTS: Final = 600
"""Most points in a row: twice the width in pixels of its picture on a phone."""
MOST_PHASES: Final = 40
LONGEST_MS: Final = 600_000.0
"""Ten minutes from the start of the network part, which usually takes one."""
MOST_VALUE: Final = 1_000_000.0
"""Above any delay (ms), rate (Mbit/s) or count of packets in a row; a larger value is an error."""
MOST_PACKED_BYTES: Final = 1_000_000
"""Size of the unpacked JSON: nine full rows with room to spare."""
TIME_DECIMALS: Final = 1
"""Times are kept to 0.1 ms."""
VALUE_DECIMALS: Final = 3
"""Values are kept to a microsecond or a kilobit a second."""
_PHASE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PAIR: Final = 2

_WORST: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "rtt_ms": max,
    "delay_up_ms": max,
    "delay_down_ms": max,
    "rate_up_mbps": min,
    "rate_down_mbps": min,
    "sent_up_mbps": max,
    "sent_down_mbps": max,
    "lost_up": sum,
    "lost_down": sum,
}
"""What a bin keeps: the longest delay, the lowest rate of arrival, the highest offered rate, the sum of losses."""
ROWS: Final = tuple(_WORST)


def check_series(data: object) -> dict[str, Any]:
    """Return `data` as plain JSON of the schema, rounded. Raises ValueError that names the location of a fault."""
    if not isinstance(data, Mapping):
        raise ValueError("series: not an object")  # noqa: TRY004 - JSON of a wrong shape is a wrong value
    if data.get("schema") != SERIES_SCHEMA:
        raise ValueError(f"schema: not {SERIES_SCHEMA}")
    unknown = sorted(str(name) for name in data if name not in {"schema", "phases", *ROWS})
    if unknown:
        raise ValueError(f"{unknown[0][:40]}: there is no such row")
    checked: dict[str, Any] = {"schema": SERIES_SCHEMA, "phases": _phases(data.get("phases", []))}
    for name in ROWS:
        if data.get(name) is not None:
            checked[name] = _row(name, data[name])
    return checked


def thin(points: Sequence[Sequence[float]], keep: Callable[[Sequence[float]], float], most: int = MOST_POINTS) -> Any:
    """Return at most `most` of `points` [t_ms, value]: for each bin of time the value that `keep` chooses.

    A point keeps the time of its value or, if `keep` computes a new one (a sum), gets the first time in the bin.
    """
    ordered = sorted((list(point) for point in points), key=lambda point: point[0])
    if len(ordered) <= most:
        return ordered
    first, span = ordered[0][0], (ordered[-1][0] - ordered[0][0]) or 1.0
    bins: dict[int, list[list[float]]] = {}
    for point in ordered:
        bins.setdefault(min(most - 1, int((point[0] - first) / span * most)), []).append(point)
    return [_kept(inside, keep) for _, inside in sorted(bins.items())]


def thinned(data: Mapping[str, Any], most: int = MOST_POINTS) -> dict[str, Any]:
    """Return `data` with every row thinned to at most `most` points, by the rule of the row."""
    rows = {name: thin(data[name], _WORST[name], most) for name in ROWS if data.get(name) is not None}
    return {**data, **rows}


def pack(data: object) -> bytes:
    """Validate series and return them compressed, as stored. Raises ValueError."""
    text = json.dumps(check_series(data), allow_nan=False, separators=(",", ":"))
    return zlib.compress(text.encode("ascii"), 9)


def unpack(packed: bytes) -> dict[str, Any]:
    """Reverse `pack`. Raises ValueError for anything else, before using much memory."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, MOST_PACKED_BYTES)
        if not unpacking.eof:
            raise ValueError("series: longer than series can be, or cut off")
        return check_series(json.loads(text))
    except zlib.error:
        raise ValueError("series: not packed by this software") from None


def _kept(inside: Sequence[Sequence[float]], keep: Callable[[Sequence[float]], float]) -> list[float]:
    value = keep([point[1] for point in inside])
    at = next((point[0] for point in inside if point[1] == value), inside[0][0])
    return [at, value]


def _phases(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list | tuple) or len(value) > MOST_PHASES:
        raise ValueError(f"phases: not a list of at most {MOST_PHASES}")
    return [_phase(f"phases[{number}]", phase) for number, phase in enumerate(value)]


def _phase(place: str, phase: object) -> dict[str, Any]:
    if not isinstance(phase, Mapping) or set(phase) != {"name", "from_ms", "to_ms"}:
        raise ValueError(f"{place}: not an object of name, from_ms and to_ms")
    if not isinstance(phase["name"], str) or not _PHASE_NAME.fullmatch(phase["name"]):
        raise ValueError(f"{place}.name: not a name of a-z, 0-9 and _")
    from_ms = _number(f"{place}.from_ms", phase["from_ms"], LONGEST_MS, TIME_DECIMALS)
    to_ms = _number(f"{place}.to_ms", phase["to_ms"], LONGEST_MS, TIME_DECIMALS)
    if to_ms < from_ms:
        raise ValueError(f"{place}: ends before it begins")
    return {"name": phase["name"], "from_ms": from_ms, "to_ms": to_ms}


def _row(name: str, value: object) -> list[list[float]]:
    if not isinstance(value, list | tuple) or len(value) > MOST_POINTS:
        raise ValueError(f"{name}: not a list of at most {MOST_POINTS} points")
    row: list[list[float]] = []
    for number, point in enumerate(value):
        place = f"{name}[{number}]"
        if not isinstance(point, list | tuple) or len(point) != _PAIR:
            raise ValueError(f"{place}: not a pair of t_ms and value")
        t_ms = _number(f"{place}.t_ms", point[0], LONGEST_MS, TIME_DECIMALS)
        if row and t_ms < row[-1][0]:
            raise ValueError(f"{place}.t_ms: before the point before it")
        row.append([t_ms, _number(f"{place}.value", point[1], MOST_VALUE, VALUE_DECIMALS)])
    return row


def _number(place: str, value: object, most: float, decimals: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{place}: not a number")
    if not 0 <= value <= most:
        raise ValueError(f"{place}: not from 0 to {most:.0f}")
    rounded = round(float(value), decimals)
    return int(rounded) if rounded.is_integer() else rounded
