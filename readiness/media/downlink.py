"""Paced RTP from server to client: constant rate, numbered for transport-wide feedback, never a decodable frame.

Packets look like the middle of a VP8 frame (constant timestamp, no marker, no start bit): complete junk frames made
Chromium request a key frame for every packet. Catching up is bounded, so that a pause of ours does not end in a burst.
"""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import dataclass, field

from probes.trial import packet_bytes
from readiness.media.aiortc_private import RawMedia
from readiness.media.limits import (
    CATCH_UP,
    IP_UDP_BYTES,
    MAX_BURST_S,
    MAX_DEBT_S,
    MAX_DOWNLINK_S,
    MAX_RATE_MBPS,
    SRTP_TAG_BYTES,
)

__all__ = ["DownlinkRun", "PacedSender"]

HEADS_BYTES = IP_UDP_BYTES + SRTP_TAG_BYTES
"""Overhead on top of an RTP packet, bytes."""
_TIMESTAMP = 90_000
_ONE_BYTE_PROFILE = 0xBEDE
_NTP_EPOCH_S = 2_208_988_800
_MIN_SLEEP_S = 0.001


@dataclass(slots=True)
class DownlinkRun:
    """The packets sent in one run; times in ms of `time.perf_counter`."""

    rate_mbps: float
    longest_s: float
    sent: dict[int, float] = field(default_factory=dict)
    """Transport-wide sequence number (not wrapped at 65535) to departure time, ms."""
    wire_bytes: int = 0
    """Size of one packet including SRTP, UDP and IP headers."""
    slipped_ms: float = 0.0
    """How much of the schedule was skipped because we were late: our fault, never the line's."""
    span_ms: float = 0.0
    stopped: bool = False
    """Set to end the run."""
    code: str | None = None
    """Why it ended early: ``disconnected``."""


class PacedSender:
    """Sends runs of packets over one raw video section."""

    def __init__(self, video: RawMedia) -> None:
        self.active = False
        self._video = video
        self._next = 0

    @property
    def has_feedback(self) -> bool:
        """Whether the browser reports when each packet arrived."""
        return self._video.transport_cc_id is not None

    async def run(self, run: DownlinkRun) -> None:
        """Send at the run's wire rate until it is stopped or its time is up, both clamped to their limits."""
        run.rate_mbps = min(max(run.rate_mbps, 0.05), MAX_RATE_MBPS)
        run.longest_s = min(max(run.longest_s, 0.1), MAX_DOWNLINK_S)
        run.wire_bytes = packet_bytes(run.rate_mbps)
        payload = bytes(run.wire_bytes - HEADS_BYTES - len(self._packet(b"")))
        self.active = True
        started = time.perf_counter()
        try:
            await self._pace(run, started, payload)
        except ConnectionError:
            run.code = "disconnected"
        finally:
            self.active = False
        run.span_ms = (time.perf_counter() - started) * 1e3

    async def _pace(self, run: DownlinkRun, started: float, payload: bytes) -> None:
        """Send by two schedules: the requested one, and a slightly faster one that bounds catching up."""
        interval = run.wire_bytes * 8 / (run.rate_mbps * 1e6)
        due = fastest = started
        while not run.stopped and (now := time.perf_counter()) - started < run.longest_s:
            fastest = max(fastest, now - MAX_BURST_S)
            if (at := max(due, fastest)) > now:
                await asyncio.sleep(max(at - now, _MIN_SLEEP_S))
                continue
            if now - due > MAX_DEBT_S:
                run.slipped_ms += (now - due - MAX_DEBT_S) * 1e3
                due = now - MAX_DEBT_S
            run.sent[self._next] = now * 1e3
            await self._video.send(self._packet(payload))
            self._next += 1
            due += interval
            fastest += interval / CATCH_UP
        run.slipped_ms += max(0.0, min(time.perf_counter(), started + run.longest_s) - due) * 1e3

    def _packet(self, payload: bytes) -> bytes:
        number = self._next & 0xFFFF
        extensions = b""
        if self._video.abs_send_time_id is not None:
            stamp = int((time.time() + _NTP_EPOCH_S) * (1 << 18)) & 0xFFFFFF
            extensions += bytes([self._video.abs_send_time_id << 4 | 2]) + stamp.to_bytes(3, "big")
        if self._video.transport_cc_id is not None:
            extensions += bytes([self._video.transport_cc_id << 4 | 1]) + number.to_bytes(2, "big")
        extensions += bytes(-len(extensions) % 4)
        head = struct.pack(
            "!BBHIIHH",
            0x90,
            self._video.payload_type & 0x7F,
            number,
            _TIMESTAMP,
            self._video.ssrc,
            _ONE_BYTE_PROFILE,
            len(extensions) // 4,
        )
        return head + extensions + payload
