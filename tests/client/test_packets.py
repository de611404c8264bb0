"""What the client writes is read by the server's own readers, and the other way round."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.feedback import parse_twcc
from readiness.client.packets import feedback_packets, padded_frame, transport_number, unwrapped
from readiness.media.uplink import UplinkLog

ARRIVALS = st.lists(st.none() | st.floats(0, 60), max_size=600).map(
    lambda found: sorted_where_known(found),
)


def sorted_where_known(arrivals: list[float | None]) -> list[float | None]:
    """The same packets lost, the others in the order that they arrived in."""
    known = iter(sorted(one for one in arrivals if one is not None))
    return [None if one is None else next(known) for one in arrivals]


@given(first=st.integers(0, 200_000), arrivals=ARRIVALS)
def test_the_server_reads_what_feedback_tells(first, arrivals):
    """Every packet is told of once, lost or within a quarter of a millisecond, however far apart they came."""
    packets = list(feedback_packets(first, arrivals, count=250, sender_ssrc=1, media_ssrc=2))
    read = []
    for index, packet in enumerate(packets):
        head, kind, words, sender, media = struct.unpack_from("!BBHII", packet)
        assert (head, kind, 4 * (words + 1), sender, media) == (0x8F, 205, len(packet), 1, 2)
        assert len(packet) <= 1200
        assert packet[19] == (250 + index) % 256
        read += parse_twcc(packet[12:]).arrivals
    assert [number for number, _ in read] == [(first + index) % 2**16 for index in range(len(arrivals))]
    for (_, heard_ms), arrival in zip(read, arrivals, strict=True):
        assert heard_ms == (None if arrival is None else pytest.approx(arrival * 1e3, abs=0.25))


def test_a_padded_frame_is_one_of_the_servers_probe():
    """Run, number, send time and size on the wire."""
    log = UplinkLog()
    run = log.begin(7)
    for number in range(3):
        frame = padded_frame(
            ssrc=9, payload_type=96, count=70_000 + number, run=7, track=number % 2, number=number, size_bytes=200,
            sent_us=5_000 * number,
        )  # fmt: skip
        assert len(frame) == 212
        log.take(frame, 10.0 * number)
    assert run.arrived == {0: (0.0, 0.0), 1: (5.0, 10.0), 2: (10.0, 20.0)}
    assert (run.wire_bytes, log.ignored) == (200 + 12 + 38, 0)


@pytest.mark.parametrize(
    ("extensions", "number"),
    [
        (b"\x51\x12\x34\x00", 0x1234),
        (b"\x10\x00\x51\x12\x34\x00\x00\x00", 0x1234),
        (b"\x00\x51\x12\x34", 0x1234),
        (b"\x41\x12\x34\x00", None),
        (b"\x00\x00\x00\x51", None),
        (b"", None),
    ],
)
def test_the_transport_number_is_found_by_the_negotiated_id(extensions, number):
    """Behind others, behind padding, at the end; not under another id, and not where it is cut off."""
    head = struct.pack("!BBHII", 0x90, 97, 1, 2, 3) + struct.pack("!HH", 0xBEDE, len(extensions) // 4)
    assert transport_number(head + extensions, 5) == number
    assert transport_number(head, 5) is None
    assert transport_number(head[:14], 5) is None
    assert transport_number(b"\x80" + head[1:] + extensions, 5) is None


def test_numbers_of_16_bits_go_on_counting():
    """Forwards over the end, and backwards where packets overtake each other."""
    assert [unwrapped(2, 65_535), unwrapped(65_535, 65_538), unwrapped(5, 4)] == [65_538, 65_535, 5]
