"""Network: delay, jitter, loss and rate in each direction, from stamps and counters.

The two clocks are never compared: results are round trips and extra delay (over the least one seen), never absolute
one-way delay. Loss rests on the counts of that direction's receiver. A client's numbers are evidence about its own line
only; impossible rows are dropped and never raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from probes.estimates import finite, median, pair, quantile, quantile_interval
from probes.measurement import Measurement, Number, not_measured

__all__ = [
    "ClockRow",
    "PingLog",
    "clock_rows",
    "jitter_measurement",
    "loaded_measurement",
    "rtt_measurement",
    "tcp_headroom",
    "throughput_measurement",
]

MIN_SAMPLES: Final = 50
"""Fewest pings for a figure; 50 without loss still allow for up to 7 %."""
MIN_LOADED_SAMPLES: Final = 20
"""Fewest round trips under load, where the phase may end after half a second."""
MIN_RFC3550_SAMPLES: Final = 64
"""RFC 3550's jitter converges by 1/16 per packet and means little before this many."""
MAX_RTT_US: Final = 60_000_000
"""A reply later than this counts as none: a minute."""
CLOCK_GRAIN_US: Final = 20_000
"""How far below zero a round trip may come out: browsers that resist fingerprinting round their clock to 16.7 ms."""
MAX_STAMP_US: Final = 2**53
"""Largest integer that JavaScript represents exactly."""
DRIFT_SPAN_US: Final = 30_000_000
"""Span from which the drift between the two clocks is removed."""
MAX_DRIFT: Final = 500e-6
"""Crystals differ by at most about 200 parts per million; a steeper slope is a queue, not a clock."""
ROW_FIGURES: Final = 5
"""Figures in a client's row: seq, t1_us, t2_us, t3_us, t4_us."""
HEADROOM_WINDOW_MS: Final = 1000.0
"""A TCP rate must hold for this long to count, because a burst from a buffer proves nothing."""
MIN_HEADROOM_SPAN_MS: Final = 500.0
MIN_HEADROOM_POINTS: Final = 3
MAX_HEADROOM_POINTS: Final = 1000

_Details = dict[str, Number | str | bool | None]


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One ping: sent at t1 and answered at t4 by the client's clock, received at t2 and answered at t3 by the server's.

    All in microseconds; t4 is None if no answer came.
    """

    seq: int
    t1_us: int
    t2_us: int
    t3_us: int
    t4_us: int | None

    @property
    def rtt_ms(self) -> float | None:
        """Round trip less the time the server held the ping, ms, never below 0; None without an answer."""
        if self.t4_us is None:
            return None
        return max(0, (self.t4_us - self.t1_us) - (self.t3_us - self.t2_us)) / 1000.0


@dataclass(frozen=True, slots=True)
class PingLog:
    """One ping as the server's worker saw it. t3_us is None if the server sent no answer (its buffer was busy)."""

    seq: int
    t2_us: int
    t3_us: int | None


def clock_rows(client: Iterable[object], server: Iterable[PingLog]) -> list[ClockRow]:
    """Return the answered pings by sequence number, from the client's rows ``[seq, t1_us, t2_us, t3_us, t4_us]``.

    t2 and t3 are the server's own; the client's copies are ignored. Drops rows that are not five whole numbers, repeat
    a sequence number, name a ping that the server did not answer, or have times that run backwards.
    """
    answered = {ping.seq: ping for ping in server if ping.t3_us is not None}
    rows: dict[int, ClockRow] = {}
    for item in client:
        numbers = _whole_numbers(item)
        if numbers is None or numbers[0] not in answered or numbers[0] in rows:
            continue
        seq, t1, _, _, t4 = numbers
        ping = answered[seq]
        held = (ping.t3_us or 0) - ping.t2_us
        if t4 >= t1 and held >= 0 and -CLOCK_GRAIN_US <= t4 - t1 - held <= MAX_RTT_US:
            rows[seq] = ClockRow(seq, t1, ping.t2_us, ping.t2_us + held, t4)
    return [rows[seq] for seq in sorted(rows)]


def _whole_numbers(item: object) -> list[int] | None:
    if not isinstance(item, (list, tuple)) or len(item) != ROW_FIGURES:
        return None
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in item):
        return None
    return list(item) if all(0 <= number <= MAX_STAMP_US for number in item) else None


def rtt_measurement(rows: Sequence[ClockRow]) -> Measurement:
    """Return network.rtt: the median round trip of the idle line, ms, less the time the server held the pings."""
    trips = _round_trips(rows)
    value, interval = median(trips), quantile_interval(trips, 0.5)
    if len(trips) < MIN_SAMPLES or value is None or interval is None:
        return not_measured("network.rtt", "too_few_samples", "ms")
    details: _Details = {"min_ms": min(trips), "p95_ms": quantile(trips, 0.95)}
    return Measurement("network.rtt", value, "ms", *interval, samples=len(trips), details=details)


def jitter_measurement(
    direction: Literal["up", "down"], stamps_ms: Sequence[tuple[float, float]], rows: Sequence[ClockRow] = ()
) -> Measurement:
    """Return network.jitter_up or network.jitter_down: the 95th percentile of the idle line's extra delay, ms.

    `stamps_ms` holds send and arrival times of media packets, each by the clock of its own side. If there are too few,
    the pings in `rows` are used.
    """
    stamps = [(sent * 1e3, arrived * 1e3) for sent, arrived in stamps_ms]
    source = "rtp"
    if len(stamps) < MIN_SAMPLES:
        source = "pings"
        both = {
            "up": [(float(row.t1_us), float(row.t2_us)) for row in rows],
            "down": [(float(row.t3_us), float(row.t4_us)) for row in rows if row.t4_us is not None],
        }
        stamps = both[direction]
    extra = _extra_delay_ms(stamps)
    check = f"network.jitter_{direction}"
    value, interval = quantile(extra, 0.95), quantile_interval(extra, 0.95)
    if len(extra) < MIN_SAMPLES or value is None or interval is None:
        return not_measured(check, "too_few_samples", "ms")
    details: _Details = {
        "rfc3550_ms": _rfc3550_ms(stamps),
        "median_extra_ms": median(extra),
        "max_extra_ms": max(extra),
        "source": source,
    }
    return Measurement(check, value, "ms", *interval, samples=len(extra), details=details)


def loaded_measurement(idle: Sequence[ClockRow], loaded: Sequence[ClockRow]) -> Measurement:
    """Return network.rtt_loaded: the increase of the median round trip under load, ms.

    Its interval is the widest that the two medians' intervals allow.
    """
    quiet, busy = _round_trips(idle), _round_trips(loaded)
    calm, under = median(quiet), median(busy)
    low_high, loaded_low_high = quantile_interval(quiet, 0.5), quantile_interval(busy, 0.5)
    enough = len(quiet) >= MIN_LOADED_SAMPLES and len(busy) >= MIN_LOADED_SAMPLES
    if not enough or calm is None or under is None or low_high is None or loaded_low_high is None:
        return not_measured("network.rtt_loaded", "too_few_samples", "ms")
    return Measurement(
        "network.rtt_loaded",
        under - calm,
        "ms",
        low=loaded_low_high[0] - low_high[1],
        high=loaded_low_high[1] - low_high[0],
        samples=len(busy),
        details={"idle_ms": calm, "loaded_ms": under, "loaded_p95_ms": quantile(busy, 0.95)},
    )


def _round_trips(rows: Sequence[ClockRow]) -> list[float]:
    return [trip for row in rows if (trip := row.rtt_ms) is not None]


def _extra_delay_ms(stamps: Sequence[tuple[float, float]]) -> list[float]:
    """Return each packet's delay over the least one; the clocks' offset cancels, and their drift is subtracted."""
    if not stamps:
        return []
    start, offset = stamps[0][0], stamps[0][1] - stamps[0][0]
    points = [(sent - start, received - sent - offset) for sent, received in stamps]
    slope = _drift(points)
    level = [delay - slope * time for time, delay in points]
    least = min(level)
    return [(delay - least) / 1000.0 for delay in level]


def _drift(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the lower hull at the mean time of the points; 0 for short spans and impossible slopes.

    Of all lines below the points, the hull's edge at the mean time lies closest to them (Moon, Skelly, Towsley 1999).
    """
    times = [time for time, _ in points]
    if max(times) - min(times) <= DRIFT_SPAN_US:
        return 0.0
    middle = sum(times) / len(times)
    for (time, delay), (later, later_delay) in pairwise(_lower_hull(points)):
        if time <= middle <= later and later > time:
            slope = (later_delay - delay) / (later - time)
            return slope if abs(slope) <= MAX_DRIFT else 0.0
    return 0.0


def _lower_hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the lower convex hull from left to right (Andrew's monotone chain)."""
    hull: list[tuple[float, float]] = []
    for x, y in sorted(points):
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2], hull[-1]
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0:
                break
            hull.pop()
        hull.append((x, y))
    return hull


def _rfc3550_ms(stamps: Sequence[tuple[float, float]]) -> float | None:
    """Return the interarrival jitter of RFC 3550 section 6.4.1, ms, of packets in order of arrival."""
    if len(stamps) < MIN_RFC3550_SAMPLES:
        return None
    jitter = 0.0
    for (sent, received), (next_sent, next_received) in pairwise(sorted(stamps, key=lambda stamp: stamp[1])):
        difference = (next_received - received) - (next_sent - sent)
        jitter += (abs(difference) - jitter) / 16.0
    return jitter / 1000.0


def tcp_headroom(points: Sequence[Any]) -> float | None:
    """Return the best rate, Mbit/s, that TCP held for a second, from the receiver's points ``(t_ms, bytes so far)``.

    None if they span less than half a second. TCP only proves a lower bound: loss slows it down far below what the line
    can carry, so a low figure does not prove a slow line. Drops points whose time or count runs backwards.
    """
    clean: list[tuple[float, float]] = []
    for point in points[:MAX_HEADROOM_POINTS]:
        numbers = pair(*point[:2]) if isinstance(point, (list, tuple)) and len(point) > 1 else None
        if numbers and (not clean or (numbers[0] > clean[-1][0] and numbers[1] >= clean[-1][1])):
            clean.append(numbers)
    if len(clean) < MIN_HEADROOM_POINTS or clean[-1][0] - clean[0][0] < MIN_HEADROOM_SPAN_MS:
        return None
    window = min(HEADROOM_WINDOW_MS, clean[-1][0] - clean[0][0])
    best, end = 0.0, 0
    for time, count in clean:
        while end < len(clean) and clean[end][0] - time < window:
            end += 1
        if end == len(clean):
            break
        best = max(best, (clean[end][1] - count) * 8.0 / 1000.0 / (clean[end][0] - time))
    return best


def throughput_measurement(
    direction: Literal["up", "down"],
    *,
    tcp_mbps: float | None = None,
    loss_pct: float | None = None,
    cause: str = "too_few_samples",
) -> Measurement:
    """Return network.throughput_up or network.throughput_down in Mbit/s from TCP alone: a lower bound.

    Used where media could not be tried. `loss_pct` is the loss seen meanwhile, `cause` the reason to give if nothing
    was proven.
    """
    check = f"network.throughput_{direction}"
    if tcp_mbps is None or not finite((tcp_mbps,)) or tcp_mbps < 0:
        return not_measured(check, cause, "mbps")
    details: _Details = {"method": "tcp", "limit": "line", "loss_pct": loss_pct, "tier": None, "queue_ms": None}
    return Measurement(check, tcp_mbps, "mbps", low=tcp_mbps, samples=1, details=details)
