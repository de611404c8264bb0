"""The peer that a browser measures against: passive ICE, no ICE servers, no media decoded, everything bounded.

aiortc raises many kinds of exceptions on bad input, from `close` too. Any of them becomes SdpRejected with a mapped
code here, and whatever aiortc left open is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable

from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription

from probes.feedback import FeedbackLog
from readiness.media import aiortc_private as private
from readiness.media.aiortc_private import Meter, NoMediaPort
from readiness.media.clock_echo import ClockEcho
from readiness.media.downlink import PacedSender
from readiness.media.limits import (
    ANSWER_TIMEOUT_S,
    CLOCK_LABEL,
    CLOSE_TIMEOUT_S,
    MAX_FEEDBACK_PACKETS,
    Budget,
)
from readiness.media.sdp_policy import SdpRejected, check_offer
from readiness.media.uplink import FRAME_MS, UplinkLog

__all__ = ["Loopback", "NoMediaPort", "SdpRejected", "now_us", "perf_ms", "public_answer"]

_EPOCH_S = time.perf_counter()
"""Clock stamps count from here, so that nobody learns the machine's time since boot."""
_OPUS = re.compile(r"a=rtpmap:\d+ opus/", re.IGNORECASE)
PeerEvent = Callable[[str, str | None], None]


def now_us() -> int:
    """Return the time by this process's monotonic clock, µs."""
    return int((time.perf_counter() - _EPOCH_S) * 1e6)


def perf_ms(at_us: float) -> float:
    """Convert a stamp of `now_us` to ms of `time.perf_counter`."""
    return at_us / 1e3 + _EPOCH_S * 1e3


class Loopback:
    """One peer connection, from offer to close. `on_event` gets (state, code): connected, failed or closed."""

    def __init__(
        self,
        addresses: tuple[tuple[str, str], ...],
        ports: tuple[int, int] | None,
        *,
        budget: Budget,
        on_event: PeerEvent,
    ) -> None:
        self.clock = ClockEcho(now_us)
        self.feedback = FeedbackLog()
        self.uplink = UplinkLog()
        self.sender: PacedSender | None = None
        """The sender of the downlink; None if no video section was negotiated."""
        self.close_failures = 0
        self.setup_ms: float | None = None
        self.meter = Meter(budget.bytes_each_way, self._exceed)
        self._addresses = addresses
        self._ports = ports
        self._budget = budget
        self._on_event = on_event
        self._pc: RTCPeerConnection | None = None
        self._channels = 0
        self._clock_channel: RTCDataChannel | None = None
        self._measuring_s = 0
        self._pings_before = 0
        self._state = "new"
        self._answered_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._deadline: asyncio.TimerHandle | None = None

    async def answer(self, offer: str) -> str:
        """Return the answer to `offer`. Raises SdpRejected or NoMediaPort, and then leaves nothing open."""
        return await self.answer_unchecked(check_offer(offer))

    async def answer_unchecked(self, offer: str) -> str:
        """As `answer`, without the SDP policy: for text that the policy wrote, and for tests of this class."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await self._negotiate(offer)
        except (SdpRejected, NoMediaPort):
            await self.close()
            raise
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever aiortc makes of it
            await self.close()
            raise SdpRejected("sdp.rejected") from None
        self._answered_s = time.perf_counter()
        self._deadline = asyncio.get_running_loop().call_later(self._budget.connect_s, self._check_connected)
        return answer

    @property
    def is_connected(self) -> bool:
        """Whether media can flow."""
        return self._state == "connected"

    def tick(self) -> None:
        """Count the seconds in which something was measured. Call once a second."""
        pings = len(self.clock.rows) + self.clock.ignored
        if pings > self._pings_before or (self.sender and self.sender.active):
            self._measuring_s += 1
        self._pings_before = pings
        if self._measuring_s > self._budget.measuring_s:
            self.meter.alarm("budget.time")

    async def close(self) -> None:
        """Close the connection in whatever state it is. Never raises."""
        pc, self._pc = self._pc, None
        if self._deadline:
            self._deadline.cancel()
        if pc is None:
            return
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await pc.close()
        except Exception:  # noqa: BLE001 - seen: AttributeError after a rejected offer
            self.close_failures += 1
        await private.force_close(pc)
        if self._state not in {"failed", "closed"}:
            self._state = "closed"

    async def _negotiate(self, offer: str) -> str:
        pc = self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        await pc.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        video = _directions(pc.getTransceivers())
        failures = private.bind_transports(pc, _locals(self._addresses), self._ports, self.meter)
        private.stamp_arrivals(pc, self.meter)
        private.tap_feedback(pc, self._take_feedback)
        private.tap_media(pc, self._take_media)
        private.bound_messages(pc, self._budget.unfinished_bytes, self.meter)
        pc.on("connectionstatechange", self._state_changed)
        pc.on("datachannel", self._channel_opened)
        await pc.setLocalDescription(await pc.createAnswer())
        answer = public_answer(pc.localDescription.sdp, self._addresses)
        if "\r\na=candidate:" not in answer:
            raise NoMediaPort(failures[0] if failures else "address_unavailable")
        raw = private.raw_media(video, "video/VP8") if video else None
        self.sender = PacedSender(raw) if raw else None
        return answer

    def _take_feedback(self, fci: bytes) -> None:
        if self.feedback.messages < MAX_FEEDBACK_PACKETS:
            self.feedback.add(fci)

    def _take_media(self, rtp: bytes) -> None:
        self.uplink.take(rtp, self.meter.arrived_s * 1e3)

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        self._channels += 1
        if self._channels > self._budget.data_channels:
            self.meter.alarm("budget.channels")
        elif channel.label == CLOCK_LABEL and self._clock_channel is None and not channel.ordered:
            self._clock_channel = channel
            channel.on("message", self._pinged)

    def _pinged(self, message: object) -> None:
        channel = self._clock_channel
        if channel is None or channel.readyState != "open":
            return
        arrived_us = int((self.meter.arrived_s - _EPOCH_S) * 1e6)
        pong = self.clock.answer(message, arrived_us=arrived_us, can_send=channel.bufferedAmount == 0)
        if pong is not None:
            with contextlib.suppress(Exception):  # the channel may be closing: the ping counts, the pong is lost
                channel.send(pong)

    def _state_changed(self) -> None:
        state = self._pc.connectionState if self._pc else "closed"
        if state in {"connected", "failed", "closed"} and state != self._state:
            if state == "connected":
                self.setup_ms = round((time.perf_counter() - self._answered_s) * 1e3, 1)
            self._tell(state, None)

    def _check_connected(self) -> None:
        if self._state == "new":
            self._exceed("budget.connect")

    def _exceed(self, code: str) -> None:
        """Close this peer and report the reason."""
        if self._state != "closed":
            self._tell("closed", code)
            task = asyncio.get_running_loop().create_task(self.close())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _tell(self, state: str, code: str | None) -> None:
        if self._state != "closed":
            self._state = state
            self._on_event(state, code)


def _locals(addresses: tuple[tuple[str, str], ...]) -> list[str]:
    """Return the distinct local addresses, in order."""
    return list(dict.fromkeys(local for _, local in addresses))


def _directions(transceivers: list[RTCRtpTransceiver]) -> RTCRtpTransceiver | None:
    """Set directions (audio up, video down) and return the one video section that we may send on."""
    video = None
    for transceiver in transceivers:
        transceiver.direction = "recvonly" if transceiver.kind == "audio" else "sendonly"
        if transceiver.kind == "video":
            video = transceiver
    return video


def public_answer(answer: str, addresses: tuple[tuple[str, str], ...]) -> str:
    """Return `answer` with each local address replaced by its public one, without candidates of other addresses.

    Requests sound in frames of 10 ms: twice the packets, so one track carries twice the rate.
    """
    publics: dict[str, list[str]] = {}
    for public, local in addresses:
        publics.setdefault(local, []).append(public)
    lines: list[str] = []
    for line in answer.split("\r\n"):
        if line.startswith("a=candidate:"):
            lines += _public_candidates(line, publics)
        elif line.startswith(("c=", "o=")):
            lines.append(_any_address(line))
        else:
            lines.append(line)
            if _OPUS.match(line):
                lines.append(f"a=ptime:{FRAME_MS}")
    return "\r\n".join(lines)


def _public_candidates(line: str, publics: dict[str, list[str]]) -> list[str]:
    """Return one candidate line per public address of the line's local address; host candidates only."""
    parts = line.split(" ")
    if parts[6:] != ["typ", "host"]:
        return []
    found = []
    for index, public in enumerate(publics.get(parts[4], [])):
        head = f"{parts[0]}{index}" if index else parts[0]
        found.append(" ".join([head, *parts[1:4], public, *parts[5:]]))
    return found


def _any_address(line: str) -> str:
    """Return a c= or o= line with the unspecified address (the candidates hold the real ones)."""
    head, _, _ = line.rpartition(" IN ")
    return f"{head} IN IP4 0.0.0.0" if line.startswith("o=") else "c=IN IP4 0.0.0.0"
