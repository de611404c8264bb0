"""Each private part of aiortc and aioice that we touch: a new version that changes one fails here, by name.

If one of these fails after an upgrade, read `readiness/media/aiortc_private.py` beside the new source first.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
import socket
import struct
import threading
from importlib.metadata import version

import pytest
from aioice import ice, stun
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, codecs, rtcsctptransport
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtcsctptransport import DataChunk, RTCSctpTransport

from readiness.client.media import MediaPeer
from readiness.media import aiortc_private as private
from readiness.media.limits import Budget
from readiness.media.loopback import Loopback
from readiness.media.sdp_policy import TRANSPORT_CC, check_offer
from tests.media.support import recorded_offer, until


def new_meter(max_bytes: int = 10**9) -> private.Meter:
    return private.Meter(max_bytes, lambda code: None)


@pytest.fixture
async def pc():
    """A peer connection that has taken a browser's offer."""
    private.extend_tables()
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    offer = check_offer(recorded_offer("chromium-page"))
    await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    yield connection
    await connection.close()


def test_the_pinned_versions_are_installed():
    """What these tests were written against."""
    assert (version("aiortc"), version("aioice")) == ("1.16.0", "0.13.0")


def test_extension_and_feedback_tables_are_lists_we_can_add_to():
    """`extend_tables` adds each entry once, however often it is called."""
    private.extend_tables()
    private.extend_tables()
    extensions = codecs.HEADER_EXTENSIONS["video"]
    assert [extension.uri for extension in extensions].count(TRANSPORT_CC) == 1
    assert len({extension.id for extension in extensions}) == len(extensions)
    (vp8,) = [codec for codec in codecs.CODECS["video"] if codec.mimeType == "video/VP8"]
    assert [feedback.type for feedback in vp8.rtcpFeedback].count("transport-cc") == 1


async def test_the_answer_accepts_feedback_and_extensions_and_offers_no_retransmission(pc):
    """Transport-wide feedback and numbers are in the answer; nack and rtx are not."""
    (transceiver,) = pc.getTransceivers()
    transceiver.direction = "sendonly"
    private.bind_transports(pc, ["127.0.0.1"], None, new_meter())
    await pc.setLocalDescription(await pc.createAnswer())
    answer = pc.localDescription.sdp
    assert "a=rtcp-fb:96 transport-cc" in answer
    assert TRANSPORT_CC in answer
    assert "abs-send-time" in answer
    assert "nack" not in answer
    assert "rtx" not in answer
    assert "a=sendonly" in answer


async def test_name_mangled_transports_are_where_we_look(pc):
    """One ICE and one DTLS transport after bundling, found under the mangled names."""
    (ice_transport,) = private._private(pc, "iceTransports")
    (dtls,) = private._private(pc, "dtlsTransports")
    assert isinstance(dtls, RTCDtlsTransport)
    assert dtls.transport is ice_transport
    assert isinstance(ice_transport._connection, ice.Connection)


async def test_gathering_asks_the_connection_for_its_components_candidates(pc, monkeypatch):
    """The connection calls `get_component_candidates` by keywords; ours replaces it for one connection."""
    parameters = inspect.signature(ice.Connection.get_component_candidates).parameters
    assert list(parameters)[:3] == ["self", "component", "addresses"]
    assert "self.get_component_candidates(component=component, addresses=addresses)" in inspect.getsource(
        ice.Connection.gather_candidates
    )
    monkeypatch.setattr(ice, "get_host_addresses", None)  # the machine is not asked: a confined process may not
    low = 60_100 + secrets.randbelow(2000)
    failures = private.bind_transports(pc, ["127.0.0.1"], (low, low + 1), new_meter())
    await pc.setLocalDescription(await pc.createAnswer())
    (transport,) = private._private(pc, "iceTransports")
    (candidate,) = transport._connection.local_candidates
    assert (candidate.host, candidate.type) == ("127.0.0.1", "host")
    assert low <= candidate.port <= low + 1
    (protocol,) = transport._connection._protocols
    assert isinstance(protocol, private.GuardedProtocol)
    assert failures == []


async def test_no_name_is_looked_up_and_no_server_asked_without_ice_servers(pc, monkeypatch):
    """An explicit empty list means none; aiortc's own default would ask a public STUN server."""

    def refuse(*args, **kwargs):
        raise AssertionError("looked up a name")

    monkeypatch.setattr(socket, "gethostbyname", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    (transport,) = private._private(pc, "iceTransports")
    assert transport._connection.stun_server is None
    assert transport._connection.turn_server is None
    private.bind_transports(pc, ["127.0.0.1"], None, new_meter())
    await pc.setLocalDescription(await pc.createAnswer())


class Receiver:
    """What a guarded protocol needs of an ICE connection."""

    def __init__(self) -> None:
        self._check_list: list = []
        self._queue: asyncio.Queue = asyncio.Queue()
        self.requests = 0
        self.local_password = "p" * 22
        self.passed: list[bytes] = []

    def _valid_username(self, name: str) -> bool:
        return name == "ours:theirs"

    def request_received(self, message, addr, protocol) -> None:
        self.requests += 1

    def data_received(self, data, component) -> None:
        self.passed.append(data)


def check(password: str = "p" * 22, **changed) -> bytes:
    """A browser's connectivity check; an attribute that is None is left out."""
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    attributes = {"USERNAME": "ours:theirs", "PRIORITY": 1, "ICE_CONTROLLING": 1} | changed
    request.attributes.update(
        {name.replace("_", "-"): value for name, value in attributes.items() if value is not None}
    )
    if password:
        request.add_message_integrity(password.encode())
    return bytes(request)


class Pair:
    def __init__(self, address, state) -> None:
        self.remote_addr, self.state = address, state


@pytest.mark.parametrize("state", [state for state in ice.CandidatePair.State if state.name != "SUCCEEDED"])
async def test_only_a_pair_whose_check_succeeded_lets_datagrams_in(state):
    """B2 #6: DTLS and SRTP from anywhere else are dropped."""
    receiver = Receiver()
    meter = new_meter()
    protocol = private.GuardedProtocol(receiver, meter)
    protocol.local_candidate = type("Local", (), {"component": 1})()
    friend, stranger = ("192.0.2.1", 1000), ("192.0.2.2", 1000)
    receiver._check_list = [Pair(friend, ice.CandidatePair.State.SUCCEEDED), Pair(stranger, state)]
    for data in (b"\x16dtls", b"\x80srtp"):
        protocol.datagram_received(data, stranger)
        protocol.datagram_received(data, (friend[0], friend[1] + 1))
        protocol.datagram_received(data, friend)
    assert receiver.passed == [b"\x16dtls", b"\x80srtp"]
    assert meter.strangers == 4
    assert meter.bytes_in == 10


async def test_stun_requests_reach_the_connection_and_nonsense_does_not():
    """Checks are aioice's business; broken STUN, other protocols and empty datagrams are dropped in the socket."""
    receiver = Receiver()
    meter = new_meter()
    protocol = private.GuardedProtocol(receiver, meter)
    source = ("192.0.2.1", 1000)
    request = check()
    protocol.datagram_received(request, source)
    assert receiver.requests == 1
    unsigned = check(""), check("wrong"), check(USERNAME="ours:others"), check(USERNAME=None), check(PRIORITY=None)
    for data in (b"", b"\x00", request[:-1], b"GET / HTTP/1.1", bytes([0, 1, 255, 255]), b"\x40" * 30, *unsigned):
        protocol.datagram_received(data, source)
    assert receiver.requests == 1, "nobody without our password is answered, not even with an error"
    assert meter.strangers == 11
    receiver._check_list = [Pair((f"192.0.2.{n}", 1), ice.CandidatePair.State.FAILED) for n in range(100, 132)]
    protocol.datagram_received(request, source)
    assert receiver.requests == 1, "more than 32 addresses check"


async def test_transactions_and_their_answers_are_where_we_look():
    """Responses are handed to the pending transaction by its id."""
    receiver = Receiver()
    protocol = private.GuardedProtocol(receiver, new_meter())
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    heard = []
    protocol.transactions[request.transaction_id] = type(
        "Transaction", (), {"response_received": lambda self, message, addr: heard.append(message.transaction_id)}
    )()
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
    protocol.datagram_received(bytes(response), ("192.0.2.1", 1))
    assert heard == [request.transaction_id]


async def test_arrivals_are_stamped_between_socket_and_message(pc):
    """`_recv` of the ICE transport is what DTLS reads from."""
    assert "self.transport._recv()" in inspect.getsource(RTCDtlsTransport._recv_next)
    meter = new_meter()
    (transport,) = private._private(pc, "iceTransports")
    stamped = private._Stamped(b"x")
    stamped.arrived_s = 12.5

    async def receive():
        return stamped

    transport._recv = receive
    private.stamp_arrivals(pc, meter)
    assert await transport._recv() == b"x"
    assert meter.arrived_s == 12.5


async def test_rtcp_comes_through_the_tap(pc):
    """`_handle_rtcp_data` is looked up on the instance; 205/15 is found in a compound packet."""
    assert "self._handle_rtcp_data(data)" in inspect.getsource(RTCDtlsTransport._recv_next)
    found = []
    private.tap_feedback(pc, found.append)
    (dtls,) = private._private(pc, "dtlsTransports")
    receiver_report = struct.pack("!BBHI", 0x80, 201, 1, 1)
    feedback = struct.pack("!BBHII", 0x8F, 205, 4, 1, 2) + b"FCI-BYTE"
    nack = struct.pack("!BBHIIHH", 0x81, 205, 3, 1, 2, 7, 0)
    await dtls._handle_rtcp_data(receiver_report + feedback + nack)
    assert found == [b"FCI-BYTE"]
    for nonsense in (b"", b"\x8f", b"\x8f\xcd\xff\xff" + bytes(20), b"\x00" * 40, feedback[:-1]):
        await dtls._handle_rtcp_data(nonsense)
    assert found == [b"FCI-BYTE"]


async def test_rtp_comes_through_the_tap_and_to_nobody_else(pc):
    """`_handle_rtp_data` is looked up on the instance; what it is given reaches us byte for byte, and no router."""
    assert "self._handle_rtp_data(" in inspect.getsource(RTCDtlsTransport._recv_next)
    parameters = inspect.signature(RTCDtlsTransport._handle_rtp_data).parameters
    assert list(parameters) == ["self", "data", "arrival_time_ms"]
    found = []
    private.tap_media(pc, found.append)
    (dtls,) = private._private(pc, "dtlsTransports")
    routed = []
    dtls._rtp_router = type("Router", (), {"route_rtp": lambda self, packet: routed.append(packet)})()
    packet = struct.pack("!BBHII", 0x80, 111, 1, 2, 3) + b"sound"
    await dtls._handle_rtp_data(packet, arrival_time_ms=5)
    await dtls._handle_rtp_data(b"nonsense", arrival_time_ms=5)
    assert found == [packet, b"nonsense"]
    assert routed == []


async def test_sound_that_comes_up_starts_no_decoder():
    """Over real sockets: padded frames reach the log, and no decoder's thread is started."""
    started = inspect.getsource(RTCRtpReceiver.receive)
    assert "threading.Thread(" in started
    assert '"-decoder"' in started
    peer = Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda *_: None)
    client = MediaPeer(tracks=5)
    try:
        answer = await peer.answer(await client.offer())
        assert answer.count("m=audio ") == 5
        await client.accept(answer)
        await client.opened()
        run = peer.uplink.begin(1)
        for number in range(50):
            await client.send_frame(run=1, track=number % 5, number=number, size_bytes=200)
            await asyncio.sleep(0.002)
        await until(lambda: len(run.arrived) > 40)
        assert run.wire_bytes == 200 + 12 + 38
        decoders = [one.name for one in threading.enumerate() if "decoder" in one.name.lower()]
        assert decoders == []
    finally:
        await client.close()
        await peer.close()


async def test_raw_packets_need_these_of_the_sender(pc):
    """SSRC, payload type, extension numbers and the protecting send."""
    (transceiver,) = pc.getTransceivers()
    raw = private.raw_media(transceiver, "video/VP8")
    assert raw is not None
    assert raw.payload_type == 96
    assert raw.abs_send_time_id == 2
    assert raw.transport_cc_id is not None
    assert raw.ssrc == transceiver.sender._ssrc
    with pytest.raises(ConnectionError):
        await raw.send(b"\x80" * 20)
    assert "if not self.__track" in inspect.getsource(RTCRtpSender._run_rtp), "a sender without track sends nothing"


async def test_unfinished_messages_are_counted_by_the_advertised_window(pc):
    """`_receive_data_chunk` lowers `_advertised_rwnd` by what is unfinished; our bound reads that."""
    source = inspect.getsource(RTCSctpTransport._receive_data_chunk)
    assert "self._advertised_rwnd -= len(chunk.user_data)" in source
    assert "await self._receive_data_chunk(chunk)" in inspect.getsource(RTCSctpTransport._receive_chunk)
    alarms = []
    meter = private.Meter(10**9, alarms.append)
    private.bound_messages(pc, 5000, meter)
    sctp = pc.sctp
    sctp._last_received_tsn = 0
    for tsn in range(1, 20):
        chunk = DataChunk()
        chunk.flags = 2 if tsn == 1 else 0  # first fragment, never a last one
        chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.user_data = tsn, 0, 0, bytes(1000)
        await sctp._receive_data_chunk(chunk)
    assert alarms == ["budget.message"]
    assert 1024 * 1024 - sctp._advertised_rwnd == 5000


async def test_a_half_made_connection_is_closed_by_force():
    """Its own `close` may raise; sockets and tasks go all the same."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await connection.setRemoteDescription(RTCSessionDescription(check_offer(recorded_offer("firefox-full")), "offer"))
    private.bind_transports(connection, ["127.0.0.1"], None, new_meter())
    await connection.setLocalDescription(await connection.createAnswer())
    (transport,) = private._private(connection, "iceTransports")
    protocols = list(transport._connection._protocols)
    await private.force_close(connection)
    assert all(protocol.transport.is_closing() for protocol in protocols)
    await asyncio.sleep(0.1)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_every_peer_of_ours_names_its_servers():
    """No `RTCPeerConnection()` without an explicit, empty list."""
    for peer in (Loopback, MediaPeer):
        assert "RTCConfiguration(iceServers=[])" in inspect.getsource(peer)


def test_the_chunks_with_parameters_are_those_we_look_into():
    """A parameter of no length makes aiortc read it for ever; ours finds every such chunk."""
    kinds = {
        kind: 20 if issubclass(found, rtcsctptransport.BaseInitChunk) else 4
        for kind, found in rtcsctptransport.CHUNK_TYPES.items()
        if hasattr(found(), "params")
    }
    assert kinds == private._PARAMETERS_AT
    assert "pos += param_length + padl(param_length)" in inspect.getsource(rtcsctptransport.decode_params)
    for kind, at in kinds.items():
        for size, bad in ((0, True), (3, True), (4, False), (8, False), (60000, False)):
            body = bytes(at - 4) + struct.pack("!HH", 1, 4) + struct.pack("!HH", 2, size) + b"\0\3\0\4" * 3
            packet = bytes(12) + struct.pack("!BBH", 3, 0, 4) + struct.pack("!BBH", kind, 0, 4 + len(body)) + body
            assert private._has_empty_parameter(packet) is bad, (kind, size)
