"""The uplink: padded sound frames, each carrying our own stamp, written by the page's transform.

Browsers send sound at once, unpaced and regardless of their bandwidth estimate, one frame per track every 10 ms. It is
the only constant-rate sender that all of them have. The page overwrites each encoded frame before it is
encrypted (W3C WebRTC Encoded Transform); nothing of the sound is left. Frame: u32 magic, u16 run, u16 track, u32 number
in the run over all tracks, u64 time it was handed over (µs of the page's worker), zeros. Network byte order.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from readiness.media.limits import IP_UDP_BYTES, MAX_PROBE_PACKETS, RTP_HEAD_BYTES, SRTP_TAG_BYTES

__all__ = ["FRAME_MS", "HEADS_BYTES", "MAX_PAYLOAD_BYTES", "UplinkLog", "UplinkRun", "payload_of", "tracks_for"]

FRAME_MS = 10
FRAMES_PER_S = 1000 // FRAME_MS
STAMP = struct.Struct("!IHHIQ")
MAGIC = 0x52445955
HEADS_BYTES = IP_UDP_BYTES + SRTP_TAG_BYTES + RTP_HEAD_BYTES
"""Overhead on top of a frame, bytes; our answer accepts no header extension for sound."""
MAX_PAYLOAD_BYTES = 1150
"""1200 on the wire: below any usual MTU, also through TURN and over IPv6."""
TRACK_MBPS = (MAX_PAYLOAD_BYTES + HEADS_BYTES) * 8 * FRAMES_PER_S / 1e6
"""Rate of one track with the largest frames: 0.96."""
REORDERED = 8
"""A packet counts as lost once this many later ones have arrived: more than a burst of all tracks."""
_VERSION = 2


def tracks_for(rate_mbps: float) -> int:
    """Return the number of tracks needed to send `rate_mbps`."""
    return max(1, -int(-rate_mbps // TRACK_MBPS))


def payload_of(rate_mbps: float, tracks: int) -> int:
    """Return the frame size, bytes, at which `tracks` tracks send `rate_mbps` on the wire."""
    return max(STAMP.size, min(MAX_PAYLOAD_BYTES, round(rate_mbps * 1e6 / 8 / FRAMES_PER_S / tracks) - HEADS_BYTES))


@dataclass(slots=True)
class UplinkRun:
    """The packets that arrived in one run."""

    arrived: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Number to (sent by the page's clock, arrived by ours), ms."""
    bytes: int = 0
    """Total wire bytes of the packets that arrived."""

    @property
    def wire_bytes(self) -> int:
        """Mean size of a packet on the wire; 0 if none arrived."""
        return round(self.bytes / len(self.arrived)) if self.arrived else 0

    def rows(self, sent: int | None = None) -> tuple[list[float], list[float | None]]:
        """Return send and arrival times (None: lost) of the packets whose fate is known, ms, in sending order.

        `sent`, the number that the page says it sent (capped at what we would keep), decides the fate of the last ones
        too. The send time of a lost packet is interpolated between its neighbours.
        """
        if not self.arrived:
            return [], []
        numbers = sorted(self.arrived)
        last = numbers[-1]
        known = numbers[-1 - REORDERED] if len(numbers) > REORDERED else numbers[0]
        end = last if sent is None else max(last, min(sent, MAX_PROBE_PACKETS) - 1)
        times: list[float] = []
        arrivals: list[float | None] = []
        before = self.arrived[numbers[0]][0]
        step = (self.arrived[last][0] - before) / max(1, last - numbers[0])
        for number in range(numbers[0] if sent is None else 0, end + 1):
            found = self.arrived.get(number)
            if found is None and sent is None and number > known:
                continue
            before = found[0] if found else before + step
            times.append(before)
            arrivals.append(found[1] if found else None)
        return times, arrivals


class UplinkLog:
    """Sorts arriving packets by run."""

    def __init__(self) -> None:
        self.runs: dict[int, UplinkRun] = {}
        self.ignored = 0
        """Packets that were not our probes, or beyond the limit."""
        self._open: int | None = None
        self._kept = 0

    def begin(self, run: int) -> UplinkRun:
        """Count packets of `run` from now on, and return its record."""
        self._open = run
        self.runs[run] = UplinkRun()
        return self.runs[run]

    def take(self, rtp: bytes, arrived_ms: float) -> None:
        """Take one decrypted RTP packet; ignore anything but a stamped frame of the current run."""
        frame = _payload(rtp)
        if frame is None or self._kept >= MAX_PROBE_PACKETS:
            self.ignored += 1
            return
        magic, run, _, number, sent_us = STAMP.unpack_from(frame)
        log = self.runs.get(run)
        if magic != MAGIC or log is None or run != self._open or number in log.arrived or number > MAX_PROBE_PACKETS:
            self.ignored += 1
            return
        self._kept += 1
        log.arrived[number] = (sent_us / 1e3, arrived_ms)
        log.bytes += len(rtp) + IP_UDP_BYTES + SRTP_TAG_BYTES


def _payload(rtp: bytes) -> memoryview | None:
    """Return the payload of an RTP packet (RFC 3550 section 5.1), or None if it cannot hold a stamp."""
    if len(rtp) < RTP_HEAD_BYTES + STAMP.size or rtp[0] >> 6 != _VERSION:
        return None
    start = RTP_HEAD_BYTES + 4 * (rtp[0] & 0x0F)
    if rtp[0] & 0x10:
        if len(rtp) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(rtp[start + 2 : start + 4], "big")
    return memoryview(rtp)[start:] if len(rtp) >= start + STAMP.size else None
