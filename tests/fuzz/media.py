"""Fuzz targets of the media side: offers, candidates, STUN, SCTP, data-channel messages, RTP and RTCP."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from aioice import stun
from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCSctpTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, parse_packet
from google_crc32c import value as crc32c

from probes.feedback import FeedbackLog
from readiness.media import aiortc_private
from readiness.media.aiortc_private import Meter
from readiness.media.limits import Budget
from readiness.media.loopback import Loopback
from readiness.media.sdp_policy import SdpRejected, check_offer
from readiness.media.uplink import MAGIC, STAMP, UplinkLog
from tests.fuzz.engine import ODD, Stateless, Target, of_bytes
from tests.patience import PATIENCE_S
from tests.security import sdp_fuzz

TRIES = 10


def loopback() -> Loopback:
    return Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda _state, _code: None)


class Offers(Stateless):
    """Whole offers, half of them past the policy."""

    bytes_share = 0.2

    def __init__(self) -> None:
        self.seeds = [offer.encode() for offer in sdp_fuzz.OFFERS]
        self._turn = 0

    def change(self, rng: random.Random, data: bytes) -> bytes:
        lines = data.decode("utf-8", "replace").split("\r\n")
        rng.choice(sdp_fuzz.MUTATIONS)(rng, lines)
        return "\r\n".join(lines).encode()

    async def take(self, data: bytes) -> str:
        self._turn += 1
        bypass = self._turn % 2 == 1
        offer = data.decode("utf-8", "replace")
        if bypass:
            offer = offer.replace(".local", ".invalid")
        return await asyncio.wait_for(sdp_fuzz.try_offer(offer, bypass=bypass), PATIENCE_S)


@contextlib.asynccontextmanager
async def offers() -> AsyncIterator[Target]:
    aiortc_private.extend_tables()
    yield Offers()


class Candidates(Stateless):
    """Candidate lines in an otherwise right offer: none of them ever reaches aiortc, right or wrong."""

    bytes_share = 0.4

    def __init__(self) -> None:
        self.seeds = [
            b"candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host generation 0 ufrag abcd network-id 1",
            b"candidate:842163049 1 udp 1677729535 203.0.113.7 61000 typ srflx raddr 10.0.0.1 rport 61000 generation 0",
            b"candidate:2 1 UDP 2122252543 4c7ae5d5-4c3a-4f0b-9b6a-0e3f0b9f0a11.local 52000 typ host",
            b"candidate:3 1 tcp 1518280447 2001:db8::1 9 typ host tcptype active generation 0",
            b"candidate:4 2 udp 41885439 198.51.100.3 3478 typ relay raddr 0.0.0.0 rport 0",
        ]
        self._offer = sdp_fuzz.OFFERS[0]

    def change(self, rng: random.Random, data: bytes) -> bytes:
        parts = data.split(b" ")
        at = rng.randrange(len(parts))
        odd = (b"0", b"-1", b"65536", b"9" * 30, b"::", b"[::1]", b"127.0.0.1", b"169.254.169.254", b"\xc3\xa9", b"typ")
        kind = rng.randrange(3)
        parts[at : at + (kind > 0)] = [rng.choice(odd)] * (kind < 2)
        return b" ".join(parts)

    async def take(self, data: bytes) -> str:
        line = data.decode("utf-8", "replace")
        try:
            left = check_offer(self._offer.replace("a=ice-ufrag:", f"a={line}\r\na=ice-ufrag:", 1))
        except SdpRejected as error:
            return error.code
        if re.search(r"(?im)^a=(candidate|end-of-candidates|remote-candidates)", left):
            raise AssertionError("a candidate passed the policy")
        return "answered"


@contextlib.asynccontextmanager
async def candidates() -> AsyncIterator[Target]:
    yield Candidates()


class Stun:
    """Datagrams to an answered peer from 40 addresses; every second one is signed by who knows the password."""

    bytes_share = 0.4

    EACH_PEER = 1500

    def __init__(self, sink: socket.socket) -> None:
        self._sink = sink.getsockname()[1]
        self._peer: Loopback | None = None
        self._protocol: Any = None
        self._left = 0
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, transaction_id=b"fuzz" * 3)
        request.attributes.update(
            {"USERNAME": "x:y", "PRIORITY": 1853824767, "ICE-CONTROLLING": 1, "USE-CANDIDATE": None}
        )
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=b"fuzz" * 3)
        answer.attributes["XOR-MAPPED-ADDRESS"] = ("192.0.2.1", 5000)
        failed = stun.Message(stun.Method.BINDING, stun.Class.ERROR, transaction_id=b"fuzz" * 3)
        failed.attributes["ERROR-CODE"] = (487, "Role Conflict")
        self.seeds = [
            bytes(request),
            bytes(answer),
            bytes(failed),
            bytes([22, 254, 253]) + bytes(60),
            bytes([128]) * 40,
        ]

    def change(self, rng: random.Random, data: bytes) -> bytes:
        """Attributes: their kind, their length, and one more of them; the head's length."""
        kind = rng.randrange(3)
        number = rng.choice((6, 8, 9, 0x20, 0x24, 0x25, 0x8028, 0x8029, 0x802A, rng.randrange(65536)))
        if kind == 0:
            length = rng.choice((0, 1, 4, 8, 20, 65535, 255))
            return data[:20] + struct.pack("!HH", number, length) + rng.randbytes(min(length, 40)) + data[20:]
        if kind == 1 and len(data) > 24:
            return data[:20] + struct.pack("!HH", number, rng.choice((0, 3, 5, 65535))) + data[24:]
        return data[:2] + struct.pack("!H", rng.choice((0, 4, 65535, max(0, len(data) - 20)))) + data[4:]

    async def take(self, data: bytes) -> str:
        if self._left == 0:
            await self.renew()
        self._left -= 1
        if self._left % 2 and len(data) >= 20:
            data = self._signed(data)
        before = self._protocol._meter.strangers
        self._protocol.datagram_received(data, ("127.0.0.1", self._sink if self._left % 3 else 40000 + self._left % 40))
        if self._left % 50 == 0:
            await asyncio.sleep(0)
        return "stranger" if self._protocol._meter.strangers > before else "answered"

    def _signed(self, data: bytes) -> bytes:
        connection = self._protocol.receiver
        with contextlib.suppress(Exception):
            message = stun.parse_message(data)
            message.attributes["USERNAME"] = f"{connection.local_username}:{connection.remote_username}"
            for name in ("MESSAGE-INTEGRITY", "FINGERPRINT"):
                message.attributes.pop(name, None)
            message.add_message_integrity(connection.local_password.encode())
            return bytes(message)
        return data

    async def renew(self) -> None:
        await self.close()
        for _ in range(TRIES):  # an answer has five seconds of the clock, which a busy machine may not give it
            self._peer = loopback()
            with contextlib.suppress(SdpRejected):
                await self._peer.answer(sdp_fuzz.OFFERS[0])
                break
        (transport,) = aiortc_private._private(self._peer._pc, "iceTransports")
        (self._protocol,) = transport._connection._protocols
        self._left = self.EACH_PEER

    async def close(self) -> None:
        self._left = 0
        if self._peer:
            await self._peer.close()


@contextlib.asynccontextmanager
async def stun_packets() -> AsyncIterator[Target]:
    aiortc_private.extend_tables()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        target = Stun(sink)
        try:
            yield target
        finally:
            await target.close()


class Wire:
    """One end of a DTLS transport's stand-in: what one end sends, the other is handed at once."""

    def __init__(self, role: str) -> None:
        self.state = "connected"
        self._role = role
        self.sent: list[bytes] = []
        self.receiver: Any = None

    def _register_data_receiver(self, receiver: Any) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self.receiver = None

    async def _send_data(self, data: bytes) -> None:
        self.sent.append(data)


class Association:
    """An open SCTP association with a clock channel, our guarded end and a browser's, and what that one sent."""

    def __init__(self) -> None:
        self.ours_wire, self.theirs_wire = Wire("server"), Wire("client")
        self.ours: Any = RTCSctpTransport(self.ours_wire)
        self.theirs: Any = RTCSctpTransport(self.theirs_wire)
        self.peer = loopback()
        self.alarms: list[str] = []
        self.peer.meter = Meter(25_000_000, self.alarms.append, arrived_s=time.perf_counter())
        pc: Any = SimpleNamespace(sctp=self.ours)
        aiortc_private.bound_messages(pc, Budget().unfinished_bytes, self.peer.meter)
        self.ours.on("datachannel", self.peer._channel_opened)
        self.said: list[bytes] = []

    async def open(self) -> None:
        capabilities = RTCSctpCapabilities(maxMessageSize=65536)
        await self.ours.start(capabilities, 5000)
        await self.theirs.start(capabilities, 5000)
        channel = RTCDataChannel(
            self.theirs, RTCDataChannelParameters(label="clock", ordered=False, maxRetransmits=0, id=1)
        )
        for step in range(8):
            await self._carry()
            if step == 5 and channel.readyState == "open":
                channel.send(struct.pack("!BBHIQQ", 1, 0, 0, 1, 0, 0))
                await asyncio.sleep(0)

    async def _carry(self) -> None:
        await asyncio.sleep(0)
        for data in self._taken(self.theirs_wire):
            self.said.append(data)
            await self.ours._handle_data(data)
        for data in self._taken(self.ours_wire):
            await self.theirs._handle_data(data)

    @staticmethod
    def _taken(wire: Wire) -> list[bytes]:
        sent, wire.sent = wire.sent, []
        return sent

    async def close(self) -> None:
        for end in (self.ours, self.theirs):
            with contextlib.suppress(Exception):
                await end._abort()
            with contextlib.suppress(Exception):
                await end.stop()


class Sctp:
    """Packets with the right tag and sum: chunks of every kind, and messages on channels."""

    bytes_share = 0.5

    EACH = 40
    CHUNKS = (
        b"\x05\x00\x00\x08\x00\x00\x00\x00",
        b"\x04\x00\x00\x08\x00\x01\x00\x04",
        b"\x06\x00\x00\x04",
        b"\x07\x00\x00\x08\x00\x00\x00\x01",
        b"\x0e\x00\x00\x04",
        b"\x09\x00\x00\x08\x00\x06\x00\x04",
        b"\xc0\x00\x00\x0c\x00\x00\x00\x05\x00\x01\x00\x01",
        b"\x82\x00\x00\x14\x00\x0d\x00\x10\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01",
        b"\x82\x00\x00\x10\x00\x11\x00\x0c\x00\x00\x00\x01\x00\x02\x00\x00",
        b"\x03\x00\x00\x18\x00\x00\x00\x01\x00\x01\x00\x00\x00\x01\x00\x01\x00\x02\x00\x09\x00\x00\x00\x01",
        b"\x03\x00\x00\x10\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\xff\xff",
        b"\x01\x00\x00\x14\x00\x00\x00\x01\x00\x02\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00",
        b"\x0a\x00\x00\x08\x00\x00\x00\x00",
        b"\x00\x03\x00\x10" + bytes(12),
    )

    def __init__(self, seeds: list[bytes]) -> None:
        heads = seeds[0][:12]
        self.seeds = [*seeds, *(heads + chunk for chunk in self.CHUNKS)]
        self._one: Association | None = None
        self._left = 0

    def change(self, rng: random.Random, data: bytes) -> bytes:
        """A chunk's kind, flags or length; one chunk more."""
        if len(data) < 16 or rng.random() < 0.4:
            return data + rng.choice(self.CHUNKS)
        kind = rng.choice((data[12], rng.randrange(256), 0, 3, 192, 130))
        length = rng.choice((len(data) - 12, 0, 1, 3, 4, 65535, 17))
        return data[:12] + struct.pack("!BBH", kind, rng.choice((data[13], 3, 7, 255)), length & 0xFFFF) + data[16:]

    async def take(self, data: bytes) -> str:
        if self._left == 0 or self._one is None or self._one.alarms:
            await self.renew()
        one = self._one
        assert one is not None
        self._left -= 1
        await one.ours._handle_data(self.signed(one, data))
        one.ours_wire.sent.clear()
        return one.alarms[0] if one.alarms else "answered"

    def signed(self, one: Association, data: bytes) -> bytes:
        data = data[:12].ljust(12, b"\0") + data[12:]
        tag = 0 if len(data) > 12 and data[12] == 1 else one.ours._local_verification_tag
        if len(data) >= 28 and data[12] == 0 and self._left % 4:  # most data comes next in turn
            following = (one.ours._last_received_tsn + 1) & 0xFFFFFFFF
            data = data[:16] + struct.pack("!L", following) + data[20:]
        data = struct.pack("!HHL", 5000, 5000, tag) + b"\0\0\0\0" + data[12:]
        return data[:8] + struct.pack("<L", crc32c(data)) + data[12:]

    async def renew(self) -> None:
        await self.close()
        self._one = Association()
        await self._one.open()
        self._left = self.EACH

    async def close(self) -> None:
        self._left = 0
        if self._one:
            await self._one.close()


class Messages(Sctp):
    """What is said on channels: stream, kind of payload and payload, in data chunks that come in turn."""

    def __init__(self, seeds: list[bytes]) -> None:
        super().__init__(seeds)
        opening = struct.pack("!HL", 3, 50) + b"\x03\x81\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00clock"
        ping = struct.pack("!HL", 1, 53) + struct.pack("!BBHIQQ", 1, 0, 0, 7, 123456, 0)
        text = struct.pack("!HL", 1, 51) + "hei på deg".encode()
        self.seeds = [opening, ping, text, struct.pack("!HL", 1, 50) + b"\x02", struct.pack("!HL", 1, 57) + b"\0"]

    def change(self, rng: random.Random, data: bytes) -> bytes:
        head = struct.pack(
            "!HL", rng.choice((0, 1, 2, 3, 65535)), rng.choice((50, 51, 52, 53, 54, 56, 57, 0, 2**32 - 1))
        )
        kind = rng.randrange(3)
        if kind == 0:
            return head + data[6:]
        if kind == 1:
            return data[:6] + rng.choice(ODD) + data[7:]
        return data[:6] + struct.pack("!BBHLHH", 3, rng.randrange(256), 0, 0, rng.choice((0, 5, 65535)), 0) + data[18:]

    def signed(self, one: Association, data: bytes) -> bytes:
        data = data.ljust(6, b"\0")[:60_000]
        stream, payload = data[:2], data[6:]
        number = one.ours._inbound_streams[1].sequence_number if 1 in one.ours._inbound_streams else 0
        chunk = b"\0\0\0\0" + stream + struct.pack("!H", number & 0xFFFF) + data[2:6] + payload
        packet = bytes(12) + struct.pack("!BBH", 0, 7 if self._left % 2 else 3, 4 + len(chunk)) + chunk
        self._left += self._left % 4 == 0  # always in turn
        return super().signed(one, packet + bytes(-len(packet) % 4))


@contextlib.asynccontextmanager
async def _associated(make: type[Sctp]) -> AsyncIterator[Target]:
    first = Association()
    await first.open()
    await first.close()
    assert len(first.said) >= 3, "a right beginning is what mutations start from"
    assert all(parse_packet(data) for data in first.said)
    target = make(first.said)
    try:
        yield target
    finally:
        await target.close()


def sctp() -> contextlib.AbstractAsyncContextManager[Target]:
    return _associated(Sctp)


def messages() -> contextlib.AbstractAsyncContextManager[Target]:
    return _associated(Messages)


class Rtp(Stateless):
    """Decrypted RTP and RTCP, as our taps take them, and the figures made of them."""

    bytes_share = 0.3

    EACH = 2000

    def __init__(self) -> None:
        head = struct.pack("!BBHLL", 0x80, 111, 7, 1000, 0x1234)
        frame = STAMP.pack(MAGIC, 1, 0, 5, 123456) + bytes(80)
        extended = struct.pack("!BBHLLHHL", 0x90, 111, 8, 1010, 0x1234, 0xBEDE, 1, 0x10FF0000)
        fci = struct.pack("!HHL", 1, 8, 0x00000100) + struct.pack("!HH", 0x2008, 0xD555) + b"\x04\x08" * 8
        feedback = struct.pack("!BBHLL", 0x8F, 205, 2 + len(fci) // 4, 1, 2) + fci
        report = struct.pack("!BBHL", 0x81, 201, 7, 1) + bytes(24)
        self.seeds = [
            head + frame,
            extended + frame,
            feedback,
            report + feedback,
            struct.pack("!BBHL", 0x81, 203, 1, 1),
        ]
        self._left = 0

    def change(self, rng: random.Random, data: bytes) -> bytes:
        kind = rng.randrange(4)
        if kind == 0:  # a frame of the open run, or nearly
            stamp = STAMP.pack(rng.choice((MAGIC, MAGIC, 1)), rng.choice((1, 1, 2)), 0, rng.randrange(40_000), 7)
            return data[:12] + stamp + data[12 + STAMP.size :]
        if kind == 1:  # feedback of any shape in a packet of the right length
            fci = rng.randbytes(4) + struct.pack("!HH", rng.choice((0, 1, 8, 65535)), rng.randrange(65536))
            fci += rng.randbytes(4 * rng.randrange(12))
            return struct.pack("!BBHLL", 0x8F, 205, 2 + len(fci) // 4, 1, 2) + fci
        head = bytes([rng.choice((0x80, 0x90, 0xA0, 0x8F, 0x81, 0xBF)), rng.choice((111, 205, 206, 200, 239))])
        return head + of_bytes(rng, data[2:], [seed[2:] for seed in self.seeds])

    async def take(self, data: bytes) -> str:
        if self._left == 0:
            self._up, self._down, self._left = UplinkLog(), FeedbackLog(), self.EACH
            self._up.begin(1)
        self._left -= 1
        before = (self._up.ignored, self._down.nonsense)
        self._up.take(data, 1.0)
        for fci in aiortc_private._feedback(data):
            self._down.add(fci)
        return "answered" if before == (self._up.ignored, self._down.nonsense) else "ignored"


@contextlib.asynccontextmanager
async def rtp() -> AsyncIterator[Target]:
    yield Rtp()
