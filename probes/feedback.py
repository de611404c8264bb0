"""Transport-wide congestion control feedback: when each packet reached the other side.

Follows draft-holmer-rmcat-transport-wide-cc-extensions-01. The bytes come from a stranger: malformed input raises
ValueError and nothing else. Feedback itself gets lost too, so only packets that some feedback covers have a known fate;
the total loss comes from the receiver's own counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Feedback", "FeedbackLog", "parse_twcc"]

REFERENCE_MS: Final = 64.0
"""Unit of the reference time."""
DELTA_MS: Final = 0.25
"""Unit of the receive deltas."""
CLOCK_SPAN_MS: Final = REFERENCE_MS * 2**24
"""The 24-bit reference time wraps after 12.4 days."""
SEQUENCES: Final = 2**16
_HEADER: Final = 8
_NOT_RECEIVED, _LARGE_DELTA = 0, 2


@dataclass(frozen=True, slots=True)
class Feedback:
    """One feedback message: the packets it covers, and when each arrived by the receiver's clock."""

    reference_ms: float
    """Base time of the deltas, in ms of the receiver's clock (signed 24 bits of 64 ms)."""
    arrivals: tuple[tuple[int, float | None], ...]
    """Transport sequence number (16 bits) and arrival in ms of the receiver's clock; None if not received."""


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
    return Feedback(reference_ms, tuple(arrivals))


def _statuses(fci: bytes, count: int) -> tuple[list[int], int]:
    """Return `count` packet statuses and the offset of the deltas. Raises ValueError if the chunks end too early."""
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


class FeedbackLog:
    """Collects feedback as it arrives. A test may use each of the 65,536 transport-wide numbers once."""

    def __init__(self) -> None:
        self.messages = 0
        self.nonsense = 0
        self._origin_ms = 0.0
        self._arrived: dict[int, float | None] = {}

    def add(self, fci: bytes) -> None:
        """Add one message; ignore a malformed one, as if it had been lost."""
        try:
            message = parse_twcc(fci)
        except ValueError:
            self.nonsense += 1
            return
        if self.messages == 0:
            self._origin_ms = message.reference_ms
        self.messages += 1
        for seq, arrival in message.arrivals:
            if arrival is not None and self._arrived.get(seq) is None:
                turns = (arrival - self._origin_ms + CLOCK_SPAN_MS / 2) // CLOCK_SPAN_MS
                self._arrived[seq] = arrival - turns * CLOCK_SPAN_MS
            self._arrived.setdefault(seq, None)

    def rows(self, sent: Mapping[int, float]) -> tuple[list[float], list[float | None]]:
        """Return send and arrival times (None: not received) of the packets that feedback covers, ms, as sent.

        `sent`: the packet's number to the time it left, ms, in sending order.
        """
        covered = [(at, self._arrived[seq % SEQUENCES]) for seq, at in sent.items() if seq % SEQUENCES in self._arrived]
        return [at for at, _ in covered], [arrival for _, arrival in covered]

    def unheard(self, sent: Mapping[int, float]) -> list[int]:
        """Return, for each row of `rows`, how many packets sent since the previous row no feedback covers.

        Packets before the first row count with it; feedback on those after the last one may still come.
        """
        gaps, gap = [], 0
        for seq in sent:
            if seq % SEQUENCES in self._arrived:
                gaps.append(gap)
                gap = 0
            else:
                gap += 1
        return gaps
