"""Tests whether the line carries one rate in one direction. A test, not a search.

Packets leave at a constant rate. If it exceeds what the line carries, a queue builds up before the bottleneck and
packets leave the queue at exactly the line's rate, which is measured, and the trial ends early. If no queue builds up
during the whole trial, the line carries the rate. Random loss says nothing about the rate; loss at a full queue does.
Method: packet dispersion in the busy period (Jain, Dovrolis 2002; Strauss, Katabi, Kaashoek 2003), with the sequential
rules of this module. Pure: send and arrival times in, figures out; the two clocks are never compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final, Literal

from probes.estimates import Z95, median, quantile
from probes.loss import runs_of_loss

__all__ = ["Quiet", "State", "TrialFigures", "decide", "examine", "packet_bytes", "quiet_line"]

State = Literal["open", "carried", "short", "blind"]
"""``short``: the line carries less than the rate. ``blind``: there was too little feedback to decide."""

MAX_WIRE_BYTES: Final = 1170
"""Including all headers below any usual MTU, also through TURN and over IPv6."""
MIN_WIRE_BYTES: Final = 110
LEAST_PER_S: Final = 100.0
"""Fewest packets a second, so that a queue is visible within a tenth of a second at any rate."""
CARRIED_S: Final = 3.0
"""How long a rate must hold. A token bucket of 128 kB hides 1.4 of 1.9 Mbit/s for 2.2 s."""
LEAST_SPAN_MS: Final = 1e-3
"""Neither a browser's clock nor ours resolves shorter times; no rate is computed over less."""
STANDING_MS: Final = 35.0
"""A queue that never falls below this is not jitter."""
SHALLOW_MS: Final = 6.0
"""A queue this deep that loses packets is full; some routers hold only 20 ms."""
MIN_SPREAD: Final = 10
"""A slow line drops packets all the time; fewer runs of losses than this are bursts of a bad radio link."""
RECENT_MS: Final = 500.0
"""Window for losses at a full queue: long enough to contain some, short enough to be current."""
DEEPER: Final = 1.15
"""How far the delay before a loss at a full queue exceeds the usual one; before a random loss it does not."""
SHALLOW_LOSS: Final = 0.01
MIN_SHALLOW_LOST: Final = 4
"""Least share and number of packets that a full queue loses in that window; fewer may be chance."""
LEAST_S: Final = 0.2
"""Nothing is decided before this."""
MIN_BUSY_PACKETS: Final = 12
MIN_BUSY_MS: Final = 300.0
"""Fewest packets and shortest time for a line's rate: 10 ms of jitter at either end then costs 3 % each."""
PRECISE: Final = 0.04
"""Half-width of the interval, as a share, at which a slow line's rate is known well enough."""
HOPELESS: Final = 0.9
"""A line certainly below this share of the need is too slow; twice the interval is precise enough then."""
UNSURE: Final = 0.2
"""Half-width, as a share, if there are too few bins for an interval."""
NEARLY: Final = 0.97
"""Share of the time after which a rate counts as held, because feedback on the last packets comes late."""
LONGEST_SHORT_S: Final = 1.4
"""Hard stop of a trial that fills a queue, even if the figure is still imprecise: it is a person's line."""
TOLERATED: Final = ((2800.0, 0.08), (1800.0, 0.1), (1000.0, 0.2))
"""After this many ms, this share of loss beyond that of the quiet line means that the rate was not carried, whatever
the queue looked like. Some queues hold no packet at all; a burst of Wi-Fi loss is over by then."""
SEEN: Final = 0.5
"""Share of packets whose fate must be known before a rate counts as carried: feedback returns over the other direction
and is lost when that one is full."""
AT_REST: Final = 0.2
"""Loss above this never counts as a line's usual loss: a line that a hundred small packets a second fill is slow."""
SILENT_S: Final = 1.5
"""If nothing has arrived for this long, nothing will."""
BIN_MS: Final = 100.0
"""Window for the least delay: ten packets or more, so that one without jitter is among them."""
FINE_BIN_MS: Final = 50.0
MIN_BINS: Final = 4
"""Fewest bins of the rate for an interval from their spread."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """The same direction with few packets and no load: the noise that a trial is compared with."""

    floor_ms: float = 0.0
    """Standing extra delay: the median of the least one per tenth of a second. With in-order jitter it never reaches
    0."""
    usual_ms: float = 0.0
    """Median extra delay."""
    lost: float = 0.0
    """Share of packets lost, 0 to 1."""


@dataclass(frozen=True, slots=True)
class TrialFigures:
    """The state of a trial so far. Rates in Mbit/s on the wire, including IP, UDP and SRTP headers."""

    asked_mbps: float
    offered_mbps: float
    """Rate that the sender really sent."""
    arrived_mbps: float
    """Rate of arrival of the packets whose fate is known, from first to last."""
    capacity_mbps: float | None
    """Rate that the line carries, measured while a queue stood; None without one."""
    low_mbps: float | None
    high_mbps: float | None
    known: int
    """Number of packets that arrived or are known to be lost."""
    lost: int
    elapsed_ms: float
    """From the first to the last packet whose fate is known, by the sender's clock."""
    extra_p95_ms: float
    """95th percentile of the delay over the trial's least one."""
    queue_ms: float
    """The deepest standing queue: the largest of the least extra delays per tenth of a second."""
    unknown: int = 0
    """Number of packets between known ones on which the feedback was lost."""
    is_queued: bool = False
    """Whether a queue stood at the end, long enough for `capacity_mbps` or not."""

    @property
    def carried_mbps(self) -> float:
        """Rate that the line carries as far as known, Mbit/s: measured at a queue, else the rate of arrival."""
        return self.arrived_mbps if self.capacity_mbps is None else self.capacity_mbps


def packet_bytes(rate_mbps: float) -> int:
    """Return the wire size of a packet, bytes, for at least a hundred a second, up to the largest usual size."""
    return round(min(MAX_WIRE_BYTES, max(MIN_WIRE_BYTES, rate_mbps * 1e6 / 8 / LEAST_PER_S)))


def examine(
    asked_mbps: float,
    sent_ms: Sequence[float],
    arrived_ms: Sequence[float | None],
    wire_bytes: float,
    *,
    quiet: Quiet = Quiet(),
    unheard: Sequence[int] = (),
) -> TrialFigures | None:
    """Return the figures of a trial, or None before two consecutive packets have arrived.

    `sent_ms` and `arrived_ms` (None: lost) list the packets whose fate is known, in sending order, each by the clock of
    its own side. `quiet` describes the same line without load (`quiet_line`). `unheard` holds, for each of them, how
    many packets of unknown fate were sent since the previous one; it is empty if all are known. No rate is taken across
    such a gap, because arrivals in it were not counted.
    """
    gaps = unheard or [0] * len(sent_ms)
    pairs, part = [], 0
    for sent, arrived, gap in zip(sent_ms, arrived_ms, gaps, strict=True):
        part += gap > 0
        if arrived is not None:
            pairs.append((sent, arrived, part))
    everything = _parts([(arrived, part) for _, arrived, part in pairs])
    if _span_ms(everything) <= 0:
        return None
    elapsed_ms = sent_ms[-1] - sent_ms[0]
    least = min(arrived - sent for sent, arrived, _ in pairs)
    extra = [(sent, arrived, arrived - sent - least, part) for sent, arrived, part in pairs]
    floors = _floors(extra)
    queue_end = min(delay for _, arrived, delay, _ in extra if arrived >= extra[-1][1] - 1.5 * BIN_MS)
    lost = len(sent_ms) - len(pairs)
    excess = lost / len(sent_ms) - min(quiet.lost, AT_REST)
    if excess > _tolerated(elapsed_ms) and runs_of_loss([arrived is None for arrived in arrived_ms]) >= MIN_SPREAD:
        busy = everything
    else:
        busy = _busy(extra, floors, quiet, queue_end, is_full=_is_full(sent_ms, arrived_ms, least, quiet))
    capacity, low, high = _rate(busy, wire_bytes)
    return TrialFigures(
        asked_mbps=asked_mbps,
        offered_mbps=_mbps(len(sent_ms) + sum(gaps) - 1, wire_bytes, elapsed_ms),
        arrived_mbps=_mbps(_steps(everything), wire_bytes, _span_ms(everything)),
        capacity_mbps=capacity,
        low_mbps=low,
        high_mbps=high,
        known=len(sent_ms),
        unknown=sum(gaps),
        lost=lost,
        elapsed_ms=elapsed_ms,
        extra_p95_ms=quantile([delay for _, _, delay, _ in extra], 0.95) or 0.0,
        queue_ms=max((floor for _, floor in floors), default=0.0),
        is_queued=bool(busy),
    )


def decide(
    figures: TrialFigures | None, need_mbps: float, *, since_start_s: float, carried_s: float = CARRIED_S
) -> State:
    """Return the state of the trial: it can fail early, but passes late.

    `need_mbps` is the least rate that is enough: a line certainly below it needs no narrower interval. `since_start_s`
    is the time since the first packet left, s, so that a trial ends even if nothing arrives.
    """
    if figures is None:
        return "short" if since_start_s > SILENT_S else "open"
    elapsed_s = figures.elapsed_ms / 1000.0
    if elapsed_s < LEAST_S:
        return "short" if since_start_s > LEAST_S + 2 * SILENT_S else "open"
    if figures.capacity_mbps is not None and figures.low_mbps is not None and figures.high_mbps is not None:
        half = (figures.high_mbps - figures.low_mbps) / 2.0
        known_well = half <= PRECISE * figures.capacity_mbps
        hopeless = figures.high_mbps < HOPELESS * need_mbps and half <= 2 * PRECISE * figures.capacity_mbps
        return "short" if known_well or hopeless or elapsed_s >= LONGEST_SHORT_S else "open"
    if elapsed_s < carried_s * NEARLY:
        late = since_start_s > carried_s + SILENT_S
        return "open" if not late else "blind" if figures.unknown else "short"
    unseen = figures.known < SEEN * (figures.known + figures.unknown)
    return "blind" if unseen or (figures.unknown and figures.is_queued) else "carried"


def quiet_line(sent_ms: Sequence[float], arrived_ms: Sequence[float | None]) -> Quiet:
    """Return the line's behaviour without load, from about a hundred packets a second (arguments as in `examine`)."""
    pairs = [(sent, arrived) for sent, arrived in zip(sent_ms, arrived_ms, strict=True) if arrived is not None]
    if not pairs:
        return Quiet()
    least = min(arrived - sent for sent, arrived in pairs)
    extra = [(sent, arrived, arrived - sent - least, 0) for sent, arrived in pairs]
    return Quiet(
        floor_ms=median([floor for _, floor in _floors(extra)]) or 0.0,
        usual_ms=median([delay for _, _, delay, _ in extra]) or 0.0,
        lost=1.0 - len(pairs) / len(sent_ms),
    )


def _tolerated(elapsed_ms: float) -> float:
    return next((share for after_ms, share in TOLERATED if elapsed_ms >= after_ms), 1.0)


_Extra = tuple[float, float, float, int]
"""Send time, arrival time and extra delay, ms, and the part of the trial; a new part begins where feedback was lost."""
_Parts = Sequence[Sequence[float]]
"""Arrivals, ms, of each part in which every packet's fate is known."""


def _floors(extra: Sequence[_Extra]) -> list[tuple[float, float]]:
    """Return (start by the sender's clock, least extra delay), ms, for each tenth of a second with packets."""
    floors: dict[int, float] = {}
    for sent, _, delay, _ in extra:
        index = int((sent - extra[0][0]) // BIN_MS)
        floors[index] = min(floors.get(index, math.inf), delay)
    return [(extra[0][0] + index * BIN_MS, floor) for index, floor in sorted(floors.items())]


def _is_full(sent_ms: Sequence[float], arrived_ms: Sequence[float | None], least_ms: float, quiet: Quiet) -> bool:
    """Whether a full queue lost packets in the last half second: packets are delayed, most of all before a loss."""
    since = sent_ms[-1] - RECENT_MS
    extra, before_loss, last, lost, count = [], [], None, 0, 0
    for sent, arrived in zip(sent_ms, arrived_ms, strict=True):
        if sent < since:
            continue
        count += 1
        if arrived is not None:
            last = arrived - sent - least_ms
            extra.append(last)
            continue
        lost += 1
        if last is not None:
            before_loss.append(last)
    if lost < MIN_SHALLOW_LOST or lost < SHALLOW_LOSS * count or not before_loss or not extra:
        return False
    if min(extra) >= SHALLOW_MS + 2.0 * quiet.floor_ms:
        return True
    usual = median(extra) or 0.0
    return usual >= SHALLOW_MS + 2.0 * quiet.usual_ms and math.fsum(before_loss) / len(before_loss) >= DEEPER * usual


def _busy(
    extra: Sequence[_Extra],
    floors: Sequence[tuple[float, float]],
    quiet: Quiet,
    queue_end: float,
    *,
    is_full: bool,
) -> _Parts:
    """Return the arrivals of the last busy period if a queue stands at the end, else nothing."""
    if is_full:
        return _parts([(arrived, part) for sent, arrived, _, part in extra if sent >= extra[-1][0] - RECENT_MS])
    if queue_end < STANDING_MS + quiet.floor_ms:
        return []
    start = floors[-1][0]
    for begins, floor in reversed(floors):
        if floor < STANDING_MS / 3 + quiet.floor_ms:
            break
        start = begins
    return _parts([(arrived, part) for sent, arrived, _, part in extra if sent >= start])


def _parts(arrivals: Sequence[tuple[float, int]]) -> _Parts:
    return [[arrived for arrived, _ in rows] for _, rows in groupby(arrivals, key=itemgetter(1))]


def _steps(parts: _Parts) -> int:
    """Return the number of packets that arrived in the time `_span_ms`."""
    return sum(len(part) - 1 for part in parts)


def _span_ms(parts: _Parts) -> float:
    """Return the time from the first to the last arrival, summed over the parts."""
    return math.fsum(part[-1] - part[0] for part in parts)


def _rate(parts: _Parts, wire_bytes: float) -> tuple[float | None, float | None, float | None]:
    """Return the rate of the busy period with its 95 % interval, Mbit/s, or three times None while it is too short."""
    steps, span_ms = _steps(parts), _span_ms(parts)
    if steps < MIN_BUSY_PACKETS - 1 or span_ms < MIN_BUSY_MS:
        return None, None, None
    rate = _mbps(steps, wire_bytes, span_ms)
    bins = [one for part in parts for one in _bin_rates(part, wire_bytes)]
    if len(bins) < MIN_BINS:
        return rate, rate * (1 - UNSURE), rate * (1 + UNSURE)
    mean = math.fsum(bins) / len(bins)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in bins) / (len(bins) - 1))
    half = Z95 * spread / math.sqrt(len(bins))
    return rate, max(0.0, rate - half), rate + half


def _bin_rates(arrivals: Sequence[float], wire_bytes: float) -> list[float]:
    """Return the rate per twentieth of a second, Mbit/s, counted from packet to packet so that no interval is cut."""
    marks = [arrivals[0]]
    counts = [0]
    for arrived in arrivals[1:]:
        counts[-1] += 1
        if arrived - marks[-1] >= FINE_BIN_MS:
            marks.append(arrived)
            counts.append(0)
    return [_mbps(count, wire_bytes, end - start) for count, (start, end) in zip(counts, pairwise(marks), strict=False)]


def _mbps(packets: int, wire_bytes: float, span_ms: float) -> float:
    return packets * wire_bytes * 8.0 / 1000.0 / span_ms if span_ms >= LEAST_SPAN_MS else 0.0
