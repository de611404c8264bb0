"""The pacer: rate, catching up, and whose fault a low rate is."""

from __future__ import annotations

import asyncio
import struct
import time

import pytest

from probes.network import DownlinkRate
from readiness.media.aiortc_private import RawVideo
from readiness.media.downlink import IP_UDP_BYTES, DownlinkLog, PacedSender
from readiness.media.measuring import _held_back


class Line:
    """Takes packets, notes when; blocks the event loop once, if asked, as a busy server would."""

    def __init__(self, *, block_at: int = -1, block_s: float = 0.0) -> None:
        self.packets: list[tuple[float, bytes]] = []
        self._block = (block_at, block_s)

    async def send(self, packet: bytes) -> None:
        if len(self.packets) == self._block[0]:
            time.sleep(self._block[1])
        self.packets.append((time.perf_counter(), packet))

    def sender(self) -> PacedSender:
        return PacedSender(
            RawVideo(ssrc=7, payload_type=96, abs_send_time_id=2, transport_cc_id=4, send=self.send),
            bytes_sent=lambda: (sum(len(packet) for _, packet in self.packets), len(self.packets)),
        )


async def test_packets_are_rtp_that_no_decoder_takes_for_a_frame():
    """Constant timestamp, no marker, no start bit, one-byte extensions with send time and number (RFC 8285)."""
    line = Line()
    log = await line.sender().run(rate_mbps=1.0, duration_s=0.3)
    assert len(line.packets) == len(log.sent)
    for number, (_, packet) in enumerate(line.packets):
        first, second, seq, timestamp, ssrc, profile, words = struct.unpack_from("!BBHIIHH", packet)
        assert (first, second, seq, timestamp, ssrc, profile, words) == (0x90, 96, number, 90_000, 7, 0xBEDE, 2)
        assert packet[16] == 2 << 4 | 2
        assert packet[20] == 4 << 4 | 1
        assert int.from_bytes(packet[21:23], "big") == number
        assert packet[24] == 0
    assert log.wire_bytes == len(line.packets[0][1]) + IP_UDP_BYTES


@pytest.mark.parametrize("rate", [0.5, 2.0, 6.0])
async def test_the_rate_is_the_one_asked_for(rate):
    """On the wire, with all heads, within 12 %."""
    line = Line()
    log = await line.sender().run(rate_mbps=rate, duration_s=1.0)
    sent_mbps = len(log.sent) * 1170 * 8 / 1e6
    assert sent_mbps == pytest.approx(rate, rel=0.12)


async def test_a_pause_of_ours_is_caught_up_gently():
    """After 100 ms away the missing packets follow at no more than 1.2 times the rate, five ms of them at once."""
    line = Line(block_at=50, block_s=0.1)
    log = await line.sender().run(rate_mbps=2.0, duration_s=1.2)
    assert len(log.sent) * 1170 * 8 / 1e6 / 1.2 == pytest.approx(2.0, rel=0.12)
    times = [at for at, _ in line.packets]
    for start in range(len(times) - 20):
        assert times[start + 20] - times[start] > 20 * 0.00468 / 1.2 - 0.02
    assert log.slipped_ms < 60


async def test_of_a_long_pause_the_rest_is_given_up_and_counted():
    """Half a second away is never a half-second's burst; what was given up is said."""
    line = Line(block_at=10, block_s=0.5)
    log = await line.sender().run(rate_mbps=2.0, duration_s=0.8)
    assert log.slipped_ms > 200


async def test_rate_and_time_are_cut_to_their_limits():
    """A mistake in the web process never floods a participant's line."""
    line = Line()
    sender = line.sender()
    running = asyncio.create_task(sender.run(rate_mbps=500.0, duration_s=1e9))
    await asyncio.sleep(0.3)
    assert len(line.packets) * 1170 * 8 / 1e6 < 0.3 * 6.0 * 1.3 + 0.1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not sender.active


@pytest.mark.parametrize(
    ("slipped_ms", "arrived_mbps", "ours"),
    [(0.0, 1.0, False), (300.0, 1.39, True), (300.0, 0.7, False), (30.0, 1.9, False)],
)
def test_a_low_rate_is_ours_only_when_we_sent_less_and_it_all_arrived(slipped_ms, arrived_mbps, ours):
    """LOD-5: a thin line stays the line's, a busy server is never the participant's failure."""
    sent = dict.fromkeys(range(150 if slipped_ms > 100 else 210), 0.0)
    log = DownlinkLog(2.0, 1.0, sent=sent, wire_bytes=1170, slipped_ms=slipped_ms, span_ms=1000.0)
    rate = DownlinkRate(rate_mbps=arrived_mbps, extra_delay_p95_ms=1, packets=100, covered=100, missing_pct=0)
    assert _held_back(log, rate) is ours
