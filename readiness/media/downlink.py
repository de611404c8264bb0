"""Paced RTP from server to client: constant rate, numbered for transport-wide feedback, never a decodable frame.

Packets look like the middle of a VP8 frame (constant timestamp, no marker, no start bit): complete junk frames made
Chromium ask for a key frame at every packet. Catching up is bounded: our own pause is no burst on the line.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from readiness.media.aiortc_private import RawVideo
from readiness.media.limits import CATCH_UP, MAX_BURST_S, MAX_DEBT_S, MAX_DOWNLINK_S, MAX_RATE_MBPS

__all__ = ["DownlinkLog", "PacedSender"]

PAYLOAD_BYTES = 1100
"""With all heads about 1170 bytes on the wire: below every usual MTU, also through TURN and IPv6."""
IP_UDP_BYTES = 28
_TIMESTAMP = 90_000
_ONE_BYTE_PROFILE = 0xBEDE
_NTP_EPOCH_S = 2_208_988_800
_MIN_SLEEP_S = 0.001


@dataclass(slots=True)
class DownlinkLog:
    """What was sent in one run; times in ms of `time.perf_counter`."""

    rate_mbps: float
    duration_s: float
    sent: dict[int, float] = field(default_factory=dict)
    """Transport-wide number (counting on past 65535) to the time it left, ms."""
    wire_bytes: int = 0
    """Size of one packet with SRTP, UDP and IP heads."""
    slipped_ms: float = 0.0
    """How much of the schedule was given up because we were late: our own fault, never the line's."""
    span_ms: float = 0.0
    code: str | None = None
    """Why it ended early: ``disconnected``, ``no_video``."""

    def summary(self) -> dict[str, object]:
        """Return the figures that the web process gets when the run has ended."""
        return {
            "sent": len(self.sent),
            "wire_bytes": self.wire_bytes,
            "rate_mbps": round(self.rate_mbps, 3),
            "span_ms": round(self.span_ms, 1),
            "slipped_ms": round(self.slipped_ms, 1),
            "code": self.code,
        }


class PacedSender:
    """Sends runs of packets over one raw video section and keeps the log of the latest run."""

    def __init__(self, video: RawVideo, *, bytes_sent: Callable[[], tuple[int, int]]) -> None:
        self.active = False
        self._video = video
        self._bytes_sent = bytes_sent
        self._next = 0

    async def run(self, *, rate_mbps: float, duration_s: float) -> DownlinkLog:
        """Send at `rate_mbps` on the wire for `duration_s`; both are cut to their limits."""
        log = DownlinkLog(min(max(rate_mbps, 0.05), MAX_RATE_MBPS), min(max(duration_s, 0.1), MAX_DOWNLINK_S))
        before = self._bytes_sent()
        self.active = True
        started = time.perf_counter()
        try:
            await self._pace(log, started)
        except ConnectionError:
            log.code = "disconnected"
        finally:
            self.active = False
        log.span_ms = (time.perf_counter() - started) * 1e3
        log.wire_bytes = self._wire_bytes(before) if log.sent else 0
        return log

    async def _pace(self, log: DownlinkLog, started: float) -> None:
        """Send by two schedules: the one asked for, and a slightly faster one that bounds the catching up."""
        interval = (PAYLOAD_BYTES + 70) * 8 / (log.rate_mbps * 1e6)
        due = fastest = started
        while (now := time.perf_counter()) - started < log.duration_s:
            fastest = max(fastest, now - MAX_BURST_S)
            if (at := max(due, fastest)) > now:
                await asyncio.sleep(max(at - now, _MIN_SLEEP_S))
                continue
            if now - due > MAX_DEBT_S:
                log.slipped_ms += (now - due - MAX_DEBT_S) * 1e3
                due = now - MAX_DEBT_S
            log.sent[self._next] = now * 1e3
            await self._video.send(self._packet())
            self._next += 1
            due += interval
            fastest += interval / CATCH_UP
        log.slipped_ms += max(0.0, started + log.duration_s - due) * 1e3

    def _wire_bytes(self, before: tuple[int, int]) -> int:
        after = self._bytes_sent()
        packets = after[1] - before[1]
        return round((after[0] - before[0]) / packets) + IP_UDP_BYTES if packets else 0

    def _packet(self) -> bytes:
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
        return head + extensions + bytes(PAYLOAD_BYTES)
