"""The one module that touches private parts of aiortc 1.16 and aioice 0.13, each touch pinned by a contract test.

Every change applies to the objects of one connection; only `extend_tables` changes a library's module, additively.
"""

# ruff: noqa: SLF001 - touching private members is what this module is for
from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from aioice import ice, stun
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aiortc import RTCPeerConnection, RTCRtpTransceiver, codecs, rtp
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters

from readiness.media.limits import IP_UDP_BYTES, MAX_CHECKED_PAIRS, MAX_MISORDERED_CHUNKS, MAX_QUEUED_DATAGRAMS
from readiness.media.sdp_policy import ABS_SEND_TIME, DYNAMIC, TRANSPORT_CC

__all__ = [
    "Meter",
    "NoMediaPort",
    "RawMedia",
    "bind_transports",
    "bound_messages",
    "extend_tables",
    "force_close",
    "raw_media",
    "stamp_arrivals",
    "tap_feedback",
    "tap_media",
]

_RTCP_TRANSPORT_FEEDBACK = 205
_FMT_TRANSPORT_CC = 15
_RTCP_VERSION = 2
_STUN_BELOW = 4
_SECURE = frozenset((*range(20, 64), *range(128, 192)))
"""First bytes of a STUN message, 0 to 3, and of DTLS, SRTP and SRTCP (RFC 7983)."""
_SCTP_HEAD_BYTES = 12
_PARAMETERS_AT = {1: 20, 2: 20, 4: 4, 5: 4, 6: 4, 9: 4, 130: 4}
"""SCTP chunk types that carry parameters (RFC 9260), and the offset of the first parameter."""
_SOCKET_BUFFER_BYTES = 512 * 1024
_FORCE_CLOSE_S = 1.0


class NoMediaPort(Exception):  # noqa: N818 - reads as what it says
    """No socket could be opened: `code` is ``ports_exhausted`` or ``address_unavailable``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Meter:
    """Counts the bytes of one connection's sockets and raises an alarm above the budget."""

    max_bytes: int
    on_exceeded: Callable[[str], None]
    bytes_in: int = 0
    bytes_out: int = 0
    datagrams_in: int = 0
    datagrams_out: int = 0
    strangers: int = 0
    """Datagrams dropped because they were malformed or their sender had not proved the ICE password."""
    arrived_s: float = 0.0
    """`time.perf_counter` at the arrival of the datagram that is being handled now."""
    alarms: set[str] = field(default_factory=set)

    def wire_bytes(self) -> tuple[int, int]:
        """Return bytes received and sent so far, including IP and UDP headers."""
        return self.bytes_in + IP_UDP_BYTES * self.datagrams_in, self.bytes_out + IP_UDP_BYTES * self.datagrams_out

    def count(self, *, received: int = 0, sent: int = 0) -> None:
        """Add bytes; raise the alarm, once, when the total exceeds the budget."""
        self.bytes_in += received
        self.bytes_out += sent
        if max(self.bytes_in, self.bytes_out) > self.max_bytes:
            self.alarm("budget.bytes")

    def alarm(self, code: str) -> None:
        """Report `code`, the first time only."""
        if code not in self.alarms:
            self.alarms.add(code)
            self.on_exceeded(code)


class _Stamped(bytes):
    """A datagram that knows when it arrived."""

    arrived_s: float


class GuardedProtocol(ice.StunProtocol):
    """Lets DTLS and SRTP in only from an address that proved the ICE password.

    aioice accepts them from any address, so one spoofed alert would kill a handshake (ASVS 17.2.6).
    """

    def __init__(self, receiver: ice.Connection, meter: Meter) -> None:
        super().__init__(receiver)
        self._meter = meter
        self._proved: set[tuple[str, int]] = set()

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Dispatch a datagram on its first byte (RFC 7983); drop anything but STUN, DTLS and SRTP."""
        source = (str(addr[0]), int(addr[1]))
        if not data or not isinstance(data, bytes):
            self._meter.strangers += 1
        elif data[0] < _STUN_BELOW:
            self._stun(data, source)
        elif data[0] in _SECURE and self._is_proved(source):
            self._pass_on(data)
        else:
            self._meter.strangers += 1

    async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
        """Send and count."""
        self._meter.datagrams_out += 1
        self._meter.count(sent=len(data))
        await super().send_data(data, addr)

    def _stun(self, data: bytes, source: tuple[str, int]) -> None:
        try:
            message = stun.parse_message(data)
            if message.message_class == stun.Class.REQUEST:
                if not self._is_signed(message):
                    self._meter.strangers += 1
                elif self._may_check(source):
                    self.receiver.request_received(message, source, self)
            elif transaction := self.transactions.get(message.transaction_id):
                transaction.response_received(message, source)
        except Exception:  # noqa: BLE001 - a stranger's datagram: whatever it upsets, it is only that datagram
            self._meter.strangers += 1

    def _is_signed(self, message: stun.Message) -> bool:
        """Whether the message is a complete check, signed with our ICE password.

        aioice would answer any other with an error, as a reflector does, and fails later on a check without priority.
        """
        receiver = self.receiver
        return (
            message.message_method == stun.Method.BINDING
            and {"USERNAME", "PRIORITY", "MESSAGE-INTEGRITY"} <= message.attributes.keys()
            and receiver._valid_username(message.attributes["USERNAME"])
            and message.check_message_integrity(receiver.local_password.encode("utf8"))
        )

    def _may_check(self, source: tuple[str, int]) -> bool:
        pairs = self.receiver._check_list
        return len(pairs) < MAX_CHECKED_PAIRS or any(pair.remote_addr == source for pair in pairs)

    def _is_proved(self, source: tuple[str, int]) -> bool:
        if source in self._proved:
            return True
        for pair in self.receiver._check_list:
            if pair.state == ice.CandidatePair.State.SUCCEEDED and pair.remote_addr == source:
                self._proved.add(source)
                return True
        return False

    def _pass_on(self, data: bytes) -> None:
        if self.receiver._queue.qsize() >= MAX_QUEUED_DATAGRAMS:
            return
        self._meter.datagrams_in += 1
        self._meter.count(received=len(data))
        stamped = _Stamped(data)
        stamped.arrived_s = time.perf_counter()
        self.receiver.data_received(stamped, self.local_candidate.component)


def extend_tables() -> None:
    """Make aiortc answer transport-wide feedback for VP8, name it, and keep any payload type. May be called twice."""
    rtp.DYNAMIC_PAYLOAD_TYPES = cast("Any", DYNAMIC)
    extensions = codecs.HEADER_EXTENSIONS["video"]
    if all(extension.uri != TRANSPORT_CC for extension in extensions):
        extensions.append(RTCRtpHeaderExtensionParameters(id=5, uri=TRANSPORT_CC))
    feedback = RTCRtcpFeedback(type="transport-cc")
    for codec in codecs.CODECS["video"]:
        if codec.mimeType == "video/VP8" and feedback not in codec.rtcpFeedback:
            codec.rtcpFeedback.append(feedback)


def bind_transports(
    pc: RTCPeerConnection, addresses: Sequence[str], ports: tuple[int, int] | None, meter: Meter
) -> list[str]:
    """Make `pc` gather on `addresses` and in `ports` only, with guarded sockets.

    Returns a list; gathering appends a code to it for each socket that could not be opened.
    """
    failures: list[str] = []
    for transport in _private(pc, "iceTransports"):
        _bind_connection(transport._connection, tuple(addresses), ports, meter, failures)
    return failures


def _bind_connection(
    connection: ice.Connection,
    own: tuple[str, ...],
    ports: tuple[int, int] | None,
    meter: Meter,
    failures: list[str],
) -> None:
    async def gather(component: int, **_machine: object) -> list[Candidate]:
        """Replace aioice's own gathering: use neither the machine's addresses nor STUN or TURN."""
        found = []
        for address in own:
            try:
                protocol = await _open(connection, address, ports, meter)
            except NoMediaPort as error:
                failures.append(error.code)
                continue
            connection._protocols.append(protocol)
            found.append(_describe(protocol, component))
        return found

    cast("Any", connection).get_component_candidates = gather
    # Without this aioice asks for the machine's addresses before it calls ours, which a confined process may not do.
    connection._transport_policy = ice.TransportPolicy.RELAY


async def _open(
    connection: ice.Connection, address: str, ports: tuple[int, int] | None, meter: Meter
) -> GuardedProtocol:
    loop = asyncio.get_running_loop()
    sock = _bound_socket(address, ports)
    try:
        _, protocol = await loop.create_datagram_endpoint(lambda: GuardedProtocol(connection, meter), sock=sock)
    except BaseException:
        sock.close()
        raise
    return protocol


def _bound_socket(address: str, ports: tuple[int, int] | None) -> socket.socket:
    """Return a UDP socket on `address`; with `ports`, on the first free one after a random start."""
    low, high = ports or (0, 0)
    size = high - low + 1
    first = secrets.randbelow(size)
    for step in range(size):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER_BYTES)
            sock.bind((address, low + (first + step) % size))
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise NoMediaPort("address_unavailable") from error
        else:
            return sock
    raise NoMediaPort("ports_exhausted")


def _describe(protocol: GuardedProtocol, component: int) -> Candidate:
    host, port = protocol.transport.get_extra_info("sockname")[:2]
    protocol.local_candidate = Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "host"),
        host=host,
        port=port,
        type="host",
    )
    return protocol.local_candidate


def stamp_arrivals(pc: RTCPeerConnection, meter: Meter) -> None:
    """Set `meter.arrived_s` to the arrival time of the datagram being handled, for as long as it is handled."""
    for transport in _private(pc, "iceTransports"):
        _stamp(transport, meter)


def _stamp(transport: Any, meter: Meter) -> None:
    receive: Callable[[], Awaitable[bytes]] = transport._recv

    async def stamped() -> bytes:
        data = await receive()
        meter.arrived_s = data.arrived_s if isinstance(data, _Stamped) else time.perf_counter()
        return data

    transport._recv = stamped


def tap_feedback(pc: RTCPeerConnection, on_feedback: Callable[[bytes], None]) -> None:
    """Pass the FCI of each transport-wide feedback to `on_feedback`; drop other RTCP, since we send no real video."""

    async def tap(data: bytes) -> None:
        for fci in _feedback(data):
            on_feedback(fci)

    for transport in _private(pc, "dtlsTransports"):
        transport._handle_rtcp_data = tap


def tap_media(pc: RTCPeerConnection, on_rtp: Callable[[bytes], None]) -> None:
    """Pass each decrypted RTP packet to `on_rtp` and none to a receiver: no decoder, no thread, no report."""

    async def tap(data: bytes, arrival_time_ms: int) -> None:  # noqa: ARG001 - the name is the caller's
        on_rtp(data)

    async def nothing(_parameters: object) -> None:
        return None

    for transport in _private(pc, "dtlsTransports"):
        transport._handle_rtp_data = tap
    for transceiver in pc.getTransceivers():
        cast("Any", transceiver.receiver).receive = nothing


def _feedback(data: bytes) -> list[bytes]:
    """Return the FCI of each transport-wide feedback in a compound RTCP packet, up to the first malformed part."""
    found = []
    position = 0
    while position + 12 <= len(data):
        head, packet_type, words = struct.unpack_from("!BBH", data, position)
        end = position + 4 * (words + 1)
        if head >> 6 != _RTCP_VERSION or end > len(data):
            break
        if packet_type == _RTCP_TRANSPORT_FEEDBACK and head & 0x1F == _FMT_TRANSPORT_CC:
            found.append(data[position + 12 : end])
        position = end
    return found


def bound_messages(pc: RTCPeerConnection, unfinished_bytes: int, meter: Meter) -> None:
    """Raise the alarm when unfinished data-channel messages exceed `unfinished_bytes`.

    aiortc rescans them for every chunk and never enforces the window it advertised. An exception from its parser (an
    assertion, text that is not UTF-8) raises the same alarm, instead of ending its receiving task.
    """
    sctp = cast("Any", pc.sctp)
    if sctp is None:
        return
    window = sctp._advertised_rwnd
    receive = sctp._receive_data_chunk

    async def bounded(chunk: Any) -> None:
        unfinished = window - sctp._advertised_rwnd + len(chunk.user_data)
        if unfinished > unfinished_bytes or len(sctp._sack_misordered) > MAX_MISORDERED_CHUNKS:
            meter.alarm("budget.message")
        if "budget.message" not in meter.alarms:
            await receive(chunk)

    async def guarded(data: bytes) -> None:
        try:
            if _has_empty_parameter(data):
                meter.alarm("budget.message")
            else:
                await handle(data)
        except (ConnectionError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - whatever a peer's bytes upset in aiortc ends this peer only, and is told
            meter.alarm("budget.message")

    handle = sctp._handle_data
    sctp._receive_data_chunk = bounded
    sctp._handle_data = guarded


def _has_empty_parameter(packet: bytes) -> bool:
    """Whether an SCTP chunk has a parameter shorter than its own header: aiortc 1.16 loops on it for ever."""
    at = _SCTP_HEAD_BYTES
    while at + 4 <= len(packet):
        kind, _, length = struct.unpack_from("!BBH", packet, at)
        if length < 4:  # noqa: PLR2004 - the head itself; aiortc refuses the packet
            return False
        parameter, end = at + _PARAMETERS_AT.get(kind, length), min(at + length, len(packet))
        while parameter + 4 <= end:
            (size,) = struct.unpack_from("!H", packet, parameter + 2)
            if size < 4:  # noqa: PLR2004
                return True
            parameter += size + -size % 4
        at += length + -length % 4
    return False


@dataclass(slots=True)
class RawMedia:
    """Sends ready-made RTP and RTCP packets on one media section, bypassing the encoder."""

    ssrc: int
    payload_type: int
    abs_send_time_id: int | None
    transport_cc_id: int | None
    send: Callable[[bytes], Awaitable[None]]
    """Encrypt and send one packet. Raises ConnectionError when not connected."""


def raw_media(transceiver: RTCRtpTransceiver, codec_name: str) -> RawMedia | None:
    """Return the raw sender of a section, or None if `codec_name` (as in ``video/VP8``) was not negotiated."""
    sender = transceiver.sender
    codec = next((codec for codec in transceiver._codecs if codec.mimeType.lower() == codec_name.lower()), None)
    if codec is None or codec.payloadType is None:
        return None
    numbers = {extension.uri: extension.id for extension in transceiver._headerExtensions}
    return RawMedia(
        ssrc=sender._ssrc,
        payload_type=codec.payloadType,
        abs_send_time_id=numbers.get(ABS_SEND_TIME),
        transport_cc_id=numbers.get(TRANSPORT_CC),
        send=sender.transport._send_rtp,
    )


async def force_close(pc: RTCPeerConnection) -> None:
    """Close every transport and stop every task of `pc`, even if its own `close` failed halfway."""
    for transport in list(_private(pc, "dtlsTransports")):
        await _quietly(transport.stop())
    for transport in list(_private(pc, "iceTransports")):
        await _quietly(transport.stop())
        await _quietly(transport._connection.close())
    for transceiver in pc.getTransceivers():
        for name in ("_RTCRtpSender__rtp_task", "_RTCRtpSender__rtcp_task"):
            if task := getattr(transceiver.sender, name, None):
                task.cancel()
    pc.remove_all_listeners()


async def _quietly(step: Awaitable[Any]) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_FORCE_CLOSE_S):
            await step


def _private(pc: RTCPeerConnection, name: str) -> Any:
    """Return the attribute that `RTCPeerConnection` hides by name mangling."""
    return getattr(pc, f"_RTCPeerConnection__{name}")
