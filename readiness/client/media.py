"""A client's media connection: pings on the clock channel, padded sound up, feedback about incoming video.

An aiortc peer that does what the self-test's page does in a browser. No sound or picture is encoded or decoded.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription

from readiness.client.errors import NoAnswerError
from readiness.client.packets import feedback_packets, padded_frame, transport_number, unwrapped
from readiness.media import aiortc_private as private
from readiness.media.clock_echo import PING, PONG
from readiness.media.limits import IP_UDP_BYTES, SRTP_TAG_BYTES
from readiness.media.sdp_policy import TRANSPORT_CC

__all__ = ["Line", "MediaPeer", "Pong"]

PING_KIND, PONG_KIND = 1, 2
PING_EVERY_S = 0.02
FEEDBACK_EVERY_S = 0.05
"""Interval of feedback, as in browsers."""
CONNECT_S = 45.0
"""Longest wait for the clock channel; a busy machine takes its time over DTLS."""
FEEDBACK_SSRC = 1
"""Sender of our feedback; arbitrary, because we send no video."""


class Line(Protocol):
    """An emulated line for media. Times are those of `time.perf_counter`, s."""

    def up(self, now_s: float, size_bytes: int) -> float | None:
        """Return when a packet sent now reaches the other side, or None if it is lost."""

    def down(self, now_s: float, size_bytes: int) -> float | None:
        """Return when a packet that comes in now arrives over this line, or None if it is lost."""


@dataclass(frozen=True, slots=True)
class Pong:
    """An answered ping; `t2_us` and `t3_us` are on the server's clock, the others on ours."""

    seq: int
    t1_us: int
    t2_us: int
    t3_us: int
    t4_us: int
    server_seq: int
    """Running number of the server's pongs; a gap is a lost pong."""


@dataclass(slots=True)
class _Track:
    """One track of sound upwards."""

    raw: private.RawMedia
    packets: int = 0


class MediaPeer:
    """One connection: offer, accept, wait until it is open, measure, close."""

    def __init__(self, *, tracks: int, feedback: bool = True, line: Line | None = None) -> None:
        """`tracks` is the number of sound tracks. Without `feedback` the peer is like a browser that lacks it."""
        private.extend_tables()
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.received = 0
        """Packets of video so far."""
        self.pongs: list[Pong] = []
        self.pings_sent = 0
        self._feedback, self._line = feedback, line
        self._video = self.pc.addTransceiver("video", direction="recvonly")
        self._audio = [self.pc.addTransceiver("audio", direction="sendonly") for _ in range(tracks)]
        self.channel = self.clock_channel()
        self.channel.on("message", self._on_pong)
        self._is_open = asyncio.Event()
        self.channel.on("open", self._is_open.set)
        self._epoch_s = time.perf_counter()
        self._tracks: list[_Track] = []
        self._arrived: dict[int, float] = {}
        """Arrival by transport-wide number, s, of packets that no feedback has reported yet."""
        self._next_told = 0
        self._newest = 0
        self._feedback_count = 0
        self._media_ssrc = 0
        self._extension_id = 0
        self._send_raw: Callable[[bytes], Awaitable[None]] | None = None
        self._reporting: asyncio.Task[None] | None = None
        self._on_their_way: set[asyncio.Task[None]] = set()

    def clock_channel(self) -> RTCDataChannel:
        """Open the channel for pings: unordered and without retransmission, so that a late ping delays no other."""
        return self.pc.createDataChannel("clock", ordered=False, maxRetransmits=0)

    def now_us(self) -> int:
        """Return the time of this peer's clock, µs."""
        return int((time.perf_counter() - self._epoch_s) * 1e6)

    async def offer(self) -> str:
        """Return the SDP to offer."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        private.tap_media(self.pc, self._take)
        lines = self.pc.localDescription.sdp.split("\r\n")
        if not self._feedback:
            lines = [line for line in lines if TRANSPORT_CC not in line and "transport-cc" not in line]
        return "\r\n".join(lines)

    async def accept(self, answer: str) -> None:
        """Apply the SDP answer and start to connect. Raises ValueError if it does not fit our offer."""
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def opened(self, timeout_s: float = CONNECT_S) -> None:
        """Wait until media can flow. Raises NoAnswerError."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._is_open.wait()
        except TimeoutError:
            raise NoAnswerError("no_answer.media") from None
        self._tracks = [_Track(raw) for one in self._audio if (raw := private.raw_media(one, "audio/opus"))]
        # All goes over the transport of the first section; the others are left over from aiortc's bundling.
        video = private.raw_media(self._video, "video/VP8")
        if video is not None:
            self._send_raw = video.send
        if self._feedback and video is not None and video.transport_cc_id is not None:
            self._extension_id = video.transport_cc_id
            self._reporting = asyncio.create_task(self._report())

    async def ping(self, count: int, *, every_s: float = PING_EVERY_S, tag: int = 0) -> None:
        """Send pings while the channel is open; `pongs` collects the answers."""
        for _ in range(count):
            if self.channel.readyState != "open":
                return
            self.channel.send(PING.pack(PING_KIND, tag, 0, self.pings_sent, self.now_us(), 0))
            self.pings_sent += 1
            await asyncio.sleep(every_s)

    def rows(self) -> list[list[int]]:
        """Return seq, t1, t2, t3, t4 in µs of each answered ping, as `clock` and `uplink` send them."""
        return [[pong.seq, pong.t1_us, pong.t2_us, pong.t3_us, pong.t4_us] for pong in self.pongs]

    async def send_frame(self, *, run: int, track: int, number: int, size_bytes: int) -> None:
        """Send one stamped frame of sound. It is lost if the connection is gone or the answer took fewer tracks."""
        if track >= len(self._tracks):
            return
        sender = self._tracks[track]
        packet = padded_frame(
            ssrc=sender.raw.ssrc, payload_type=sender.raw.payload_type, count=sender.packets, run=run, track=track,
            number=number, size_bytes=size_bytes, sent_us=self.now_us(),
        )  # fmt: skip
        sender.packets += 1
        if self._line is None:
            await self._send(packet)
            return
        now_s = time.perf_counter()
        there_s = self._line.up(now_s, len(packet) + IP_UDP_BYTES + SRTP_TAG_BYTES)
        if there_s is not None:
            asyncio.get_running_loop().call_later(max(0.0, there_s - now_s), self._start, packet)

    async def close(self) -> None:
        """Close the connection; packets on their way are lost."""
        tasks = [*self._on_their_way, *([self._reporting] if self._reporting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.pc.close()

    def _start(self, packet: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._send(packet))
        self._on_their_way.add(task)
        task.add_done_callback(self._on_their_way.discard)

    def _on_pong(self, message: object) -> None:
        if not isinstance(message, bytes) or len(message) != PONG.size:
            return
        kind, _, _, seq, t1_us, t2_us, t3_us, server_seq, _ = PONG.unpack(message)
        if kind == PONG_KIND:
            self.pongs.append(Pong(seq, t1_us, t2_us, t3_us, self.now_us(), server_seq))

    def _take(self, rtp: bytes) -> None:
        """Note the arrival of a packet of video."""
        now_s = time.perf_counter()
        arrived_s = self._line.down(now_s, len(rtp) + IP_UDP_BYTES + SRTP_TAG_BYTES) if self._line else now_s
        if arrived_s is None:
            return
        self.received += 1
        number = transport_number(rtp, self._extension_id)
        if number is not None:
            self._newest = unwrapped(number, self._newest)
            self._arrived[self._newest] = arrived_s
            self._media_ssrc = int.from_bytes(rtp[8:12], "big")

    async def _report(self) -> None:
        """Send feedback on new arrivals every `FEEDBACK_EVERY_S`."""
        while True:
            await asyncio.sleep(FEEDBACK_EVERY_S)
            now_s = time.perf_counter()
            ready = sorted(number for number, at_s in self._arrived.items() if at_s <= now_s)
            if not ready:
                continue
            first, last = min(self._next_told, ready[0]), ready[-1]
            self._next_told = last + 1
            arrivals = [self._arrived.pop(number, None) for number in range(first, last + 1)]
            for packet in feedback_packets(
                first, arrivals, count=self._feedback_count, sender_ssrc=FEEDBACK_SSRC, media_ssrc=self._media_ssrc
            ):
                self._feedback_count += 1
                await self._send(packet)

    async def _send(self, packet: bytes) -> None:
        """Send a packet; without a connection it is lost, as on a line."""
        if self._send_raw is not None:
            with contextlib.suppress(ConnectionError):
                await self._send_raw(packet)
