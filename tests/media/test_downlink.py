"""The pacer: rate, size, stop, catching up, and what it says of its own lateness."""

from __future__ import annotations

import asyncio
import struct

import pytest

from readiness.media import downlink
from readiness.media.aiortc_private import RawMedia
from readiness.media.downlink import HEADS_BYTES, DownlinkRun, PacedSender


class Clock:
    """The sender's time: it passes while somebody sleeps or blocks, and at no other moment."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def perf_counter(self) -> float:
        return self.now_s

    def time(self) -> float:
        return 1_800_000_000 + self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)

    async def past(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            await asyncio.sleep(0)


CLOCK = Clock()


@pytest.fixture(autouse=True)
def no_real_time(monkeypatch):
    """How busy this machine is does not matter here."""
    monkeypatch.setattr(downlink, "time", CLOCK)
    monkeypatch.setattr(downlink, "asyncio", CLOCK)


class Line:
    """Takes packets, notes when; blocks the event loop once, if asked, as a busy server would; then may break."""

    def __init__(self, *, block_at: int = -1, block_s: float = 0.0, breaks_at: int = -1) -> None:
        self.packets: list[tuple[float, bytes]] = []
        self._block = (block_at, block_s)
        self._breaks_at = breaks_at

    async def send(self, packet: bytes) -> None:
        if len(self.packets) == self._breaks_at:
            raise ConnectionError("gone")
        if len(self.packets) == self._block[0]:
            CLOCK.now_s += self._block[1]
        self.packets.append((CLOCK.now_s, packet))

    def sender(self, *, feedback: bool = True) -> PacedSender:
        return PacedSender(
            RawMedia(
                ssrc=7,
                payload_type=96,
                abs_send_time_id=2,
                transport_cc_id=4 if feedback else None,
                send=self.send,
            )
        )


async def sent(line: Line, rate_mbps: float, longest_s: float) -> DownlinkRun:
    run = DownlinkRun(rate_mbps, longest_s)
    await line.sender().run(run)
    return run


async def test_packets_are_rtp_that_no_decoder_takes_for_a_frame():
    """Constant timestamp, no marker, no start bit, one-byte extensions with send time and number (RFC 8285)."""
    line = Line()
    run = await sent(line, 1.0, 0.3)
    assert len(line.packets) == len(run.sent)
    for number, (_, packet) in enumerate(line.packets):
        first, second, seq, timestamp, ssrc, profile, words = struct.unpack_from("!BBHIIHH", packet)
        assert (first, second, seq, timestamp, ssrc, profile, words) == (0x90, 96, number, 90_000, 7, 0xBEDE, 2)
        assert packet[16] == 2 << 4 | 2
        assert packet[20] == 4 << 4 | 1
        assert int.from_bytes(packet[21:23], "big") == number
        assert packet[24] == 0


@pytest.mark.parametrize(("rate", "size"), [(0.096, 120), (0.5, 625), (2.0, 1170)])
async def test_packets_have_the_size_on_the_wire_that_was_asked(rate, size):
    """Small ones for small rates, so that a hundred a second come; all of one size, heads counted."""
    line = Line()
    run = await sent(line, rate, 0.2)
    assert run.wire_bytes == size
    assert {len(packet) + HEADS_BYTES for _, packet in line.packets} == {size}


@pytest.mark.parametrize("rate", [0.096, 0.5, 2.0, 6.0])
async def test_the_rate_is_the_one_asked_for(rate):
    """On the wire, with all heads, within 12 %, or short by what was given up."""
    line = Line()
    run = await sent(line, rate, 1.0)
    expected = rate * 1e6 / 8 / run.wire_bytes
    assert expected * (0.88 - run.slipped_ms / 1e3) <= len(run.sent) <= expected * 1.12
    assert run.span_ms >= 1000


async def test_a_run_ends_when_it_is_stopped():
    """Within some packets, and not at its longest."""
    line = Line()
    run, sender = DownlinkRun(2.0, 5.0), line.sender()
    running = asyncio.create_task(sender.run(run))
    await CLOCK.past(0.2)
    assert sender.active
    run.stopped = True
    await running
    count = len(line.packets)
    assert not sender.active
    assert run.span_ms < 300
    assert len(run.sent) == count
    await asyncio.sleep(0)
    assert len(line.packets) == count


async def test_numbers_go_on_from_run_to_run():
    """Feedback of one run is never taken for that of another."""
    line = Line()
    sender = line.sender()
    first, second = DownlinkRun(1.0, 0.1), DownlinkRun(1.0, 0.1)
    await sender.run(first)
    await sender.run(second)
    assert list(first.sent) == list(range(len(first.sent)))
    assert list(second.sent) == list(range(len(first.sent), len(first.sent) + len(second.sent)))
    assert list(second.sent.values()) == sorted(second.sent.values())


async def test_a_pause_of_ours_is_caught_up_gently():
    """After 100 ms away the missing packets follow at no more than 1.2 times the rate, five ms of them at once."""
    line = Line(block_at=50, block_s=0.1)
    run = await sent(line, 2.0, 1.2)
    expected = 1.2 * 2.0e6 / 8 / 1170
    assert expected * (0.88 - run.slipped_ms / 1e3) <= len(run.sent) <= expected * 1.12
    times = [at for at, _ in line.packets]
    for start in range(len(times) - 20):
        assert times[start + 20] - times[start] > 20 * 0.00468 / 1.2 - 0.02


async def test_of_a_long_pause_the_rest_is_given_up_and_counted():
    """Half a second away is never a half-second's burst; what was given up is said."""
    run = await sent(Line(block_at=10, block_s=0.5), 2.0, 0.8)
    assert run.slipped_ms > 200


async def test_a_broken_line_ends_the_run_and_is_said():
    """No exception: a code, and the sender is free again."""
    line = Line(breaks_at=5)
    sender, run = line.sender(), DownlinkRun(2.0, 2.0)
    await sender.run(run)
    assert (run.code, sender.active, len(line.packets)) == ("disconnected", False, 5)


async def test_rate_and_time_are_cut_to_their_limits():
    """A mistake in the web process never floods a participant's line."""
    line = Line()
    sender, run = line.sender(), DownlinkRun(500.0, 1e9)
    running = asyncio.create_task(sender.run(run))
    await CLOCK.past(0.3)
    assert len(line.packets) * 1170 * 8 / 1e6 < 0.3 * 6.0 * 1.3 + 0.1
    assert (run.rate_mbps, run.longest_s) == (6.0, 10.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not sender.active
    least = DownlinkRun(-1.0, -1.0)
    await sender.run(least)
    assert (least.rate_mbps, least.longest_s) == (0.05, 0.1)


def test_a_browser_that_numbers_nothing_gives_no_feedback():
    """The extension has to be negotiated."""
    assert Line().sender().has_feedback
    assert not Line().sender(feedback=False).has_feedback
