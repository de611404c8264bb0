"""Transport-wide congestion control feedback: when each packet reached the other side.

Follows draft-holmer-rmcat-transport-wide-cc-extensions-01. The bytes come from a stranger: anything that does not
parse raises ValueError and nothing else. Feedback gets lost too, so rates count only what some feedback covers, and
loss is the business of the receiver's own counters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from probes.estimates import quantile

__all__ = ["DownlinkRate", "Feedback", "downlink_rate", "parse_twcc"]

REFERENCE_MS: Final = 64.0
"""Unit of the reference time."""
DELTA_MS: Final = 0.25
"""Unit of the receive deltas."""
CLOCK_SPAN_MS: Final = REFERENCE_MS * 2**24
"""The 24-bit reference time comes round after 12.4 days."""
SEQUENCES: Final = 2**16
MIN_ARRIVALS: Final = 20
MIN_SPAN_MS: Final = 50.0
"""Fewest packets and shortest time for a rate."""
MIN_RUN_ARRIVALS: Final = 5
"""Shorter runs between lost feedback are mostly edge."""

_HEADER: Final = 8
_NOT_RECEIVED, _LARGE_DELTA = 0, 2


@dataclass(frozen=True, slots=True)
class Feedback:
    """One feedback message: what it covers, and when each packet arrived by the receiver's clock."""

    base_seq: int
    """First transport sequence number covered, 16 bits."""
    reference_ms: float
    """Time the deltas count from, in ms of the receiver's clock (signed 24 bits of 64 ms)."""
    feedback_count: int
    """The sender's running number of this message, 8 bits: a gap is a lost feedback."""
    arrivals: tuple[tuple[int, float | None], ...]
    """Transport sequence number (16 bits) and arrival in ms of the receiver's clock; None when not received."""


@dataclass(frozen=True, slots=True)
class DownlinkRate:
    """What paced media did on its way down."""

    rate_mbps: float
    """Arrival rate on the wire over the covered packets: the bottleneck's, or what was offered if that was less."""
    extra_delay_p95_ms: float
    """95th percentile of the delay over the least one: the depth of the queue."""
    packets: int
    """Packets with an arrival time."""
    covered: int
    """Packets that any feedback spoke of."""
    missing_pct: float
    """Covered packets without an arrival, in percent. Feedback can be late: real loss is the receiver's counter."""


def parse_twcc(fci: bytes) -> Feedback:
    """Return the feedback in `fci`, the part of the RTCP packet after the two SSRCs. Raises ValueError if malformed."""
    if len(fci) < _HEADER:
        raise ValueError("feedback is shorter than its header")
    base, count = int.from_bytes(fci[0:2], "big"), int.from_bytes(fci[2:4], "big")
    reference_ms = int.from_bytes(fci[4:7], "big", signed=True) * REFERENCE_MS
    statuses, position = _statuses(fci, count)
    arrivals: list[tuple[int, float | None]] = []
    time = reference_ms
    for offset, status in enumerate(statuses):
        seq = (base + offset) % SEQUENCES
        if status == _NOT_RECEIVED:
            arrivals.append((seq, None))
            continue
        large = status == _LARGE_DELTA
        size = 2 if large else 1
        if status > _LARGE_DELTA or position + size > len(fci):
            raise ValueError("feedback has a reserved status or too few deltas")
        time += int.from_bytes(fci[position : position + size], "big", signed=large) * DELTA_MS
        position += size
        arrivals.append((seq, time))
    return Feedback(base, reference_ms, fci[7], tuple(arrivals))


def _statuses(fci: bytes, count: int) -> tuple[list[int], int]:
    """Return `count` packet statuses and where the deltas begin. Raises ValueError when the chunks end too early."""
    statuses: list[int] = []
    position = _HEADER
    while len(statuses) < count:
        if position + 2 > len(fci):
            raise ValueError("feedback has too few status chunks")
        statuses.extend(_chunk(int.from_bytes(fci[position : position + 2], "big")))
        position += 2
    return statuses[:count], position


def _chunk(chunk: int) -> list[int]:
    """Return the statuses of a run length chunk, or of a vector of 14 one-bit or 7 two-bit symbols."""
    if not chunk & 0x8000:
        return [chunk >> 13 & 3] * (chunk & 0x1FFF)
    if chunk & 0x4000:
        return [chunk >> shift & 3 for shift in range(12, -1, -2)]
    return [chunk >> shift & 1 for shift in range(13, -1, -1)]


def downlink_rate(sent: Mapping[int, float], feedback: Sequence[Feedback], wire_bytes: int) -> DownlinkRate | None:
    """Return how fast packets of `wire_bytes` (with IP, UDP and SRTP heads) arrived, or None if too few did.

    `sent`: transport sequence number (16 bits, each used once) to send time in ms of the server's clock, in sending
    order. The rate is (n - 1) packets over the time from the first to the last arrival, summed over runs of packets
    that the feedback covers without a gap, so that a lost feedback does not read as a slow line.
    """
    covered = _covered(feedback)
    runs = [run for run in _runs(sent, covered) if len(run) >= MIN_RUN_ARRIVALS]
    packets = sum(len(run) for run in runs)
    span_ms = sum(max(run) - min(run) for run in runs)
    if packets < MIN_ARRIVALS or span_ms < MIN_SPAN_MS:
        return None
    delays = [arrival - sent[seq] for seq, arrival in covered.items() if arrival is not None and seq in sent]
    known = [seq for seq in covered if seq in sent]
    least = min(delays)
    return DownlinkRate(
        rate_mbps=(packets - len(runs)) * wire_bytes * 8.0 / 1000.0 / span_ms,
        extra_delay_p95_ms=(quantile(delays, 0.95) or 0.0) - least,
        packets=len(delays),
        covered=len(known),
        missing_pct=100.0 * (len(known) - len(delays)) / len(known),
    )


def _covered(feedback: Sequence[Feedback]) -> dict[int, float | None]:
    """Return the arrival of every packet that was spoken of, on one time line; a later "arrived" beats a "missing"."""
    covered: dict[int, float | None] = {}
    origin = feedback[0].reference_ms if feedback else 0.0
    for message in feedback:
        for seq, arrival in message.arrivals:
            if arrival is not None and covered.get(seq) is None:
                turns = (arrival - origin + CLOCK_SPAN_MS / 2) // CLOCK_SPAN_MS
                covered[seq] = arrival - turns * CLOCK_SPAN_MS
            covered.setdefault(seq, None)
    return covered


def _runs(sent: Mapping[int, float], covered: Mapping[int, float | None]) -> Iterator[list[float]]:
    """Return the arrivals of each stretch of sent packets without one that no feedback spoke of."""
    run: list[float] = []
    for seq in sent:
        if seq not in covered:
            if run:
                yield run
            run = []
        elif (arrival := covered[seq]) is not None:
            run.append(arrival)
    if run:
        yield run
