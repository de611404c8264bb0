"""Transport-wide feedback: the draft's own layout, hostile bytes, and the rate of links whose truth is known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.feedback import CLOCK_SPAN_MS, Feedback, downlink_rate, parse_twcc


def fci(base: int, count: int, reference: int, number: int, chunks: list[int], deltas: bytes) -> bytes:
    head = base.to_bytes(2, "big") + count.to_bytes(2, "big") + reference.to_bytes(3, "big", signed=True)
    return head + bytes([number]) + b"".join(chunk.to_bytes(2, "big") for chunk in chunks) + deltas


def test_a_run_of_small_deltas() -> None:
    """Three packets received, 250 us units counting on from the reference time of 64 ms units."""
    found = parse_twcc(fci(7, 3, 2, 9, [0x2003], bytes([4, 8, 0])))
    assert found == Feedback(7, 128.0, 9, ((7, 129.0), (8, 131.0), (9, 131.0)))


def test_lost_packets_and_large_and_negative_deltas() -> None:
    """A two-bit vector: received, lost, large, negative large; what is left of the chunk is padding."""
    chunk = 0b11 << 14 | 1 << 12 | 0 << 10 | 2 << 8 | 2 << 6
    deltas = bytes([4]) + (4000).to_bytes(2, "big", signed=True) + (-8).to_bytes(2, "big", signed=True)
    assert parse_twcc(fci(0, 4, 0, 0, [chunk], deltas)).arrivals == ((0, 1.0), (1, None), (2, 1001.0), (3, 999.0))


def test_a_one_bit_vector_and_the_wrap_of_sequences() -> None:
    """65 535 is followed by 0."""
    found = parse_twcc(fci(65_535, 2, 0, 0, [0b10_1100_0000_0000_00], bytes([4, 4])))
    assert found.arrivals == ((65_535, 1.0), (0, 2.0))


def test_the_reference_time_is_signed() -> None:
    """The draft says 24 bits signed."""
    assert parse_twcc(fci(0, 1, -1, 0, [0x2001], bytes([0]))).reference_ms == -64


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(7),
        fci(0, 1, 0, 0, [], b""),
        fci(0, 2, 0, 0, [0x2002], bytes([1])),
        fci(0, 1, 0, 0, [0x4001], bytes([1])),
        fci(0, 1, 0, 0, [0x6001], bytes(4)),
        fci(0, 65_535, 0, 0, [0], b""),
    ],
    ids=["empty", "short head", "no chunk", "delta missing", "large delta cut", "reserved status", "chunks of nothing"],
)
def test_malformed_feedback_raises_value_error(data: bytes) -> None:
    """Whatever is missing or reserved."""
    with pytest.raises(ValueError, match="feedback"):
        parse_twcc(data)


@given(st.binary(max_size=300))
def test_any_bytes_parse_or_raise_value_error(data: bytes) -> None:
    """Nothing else comes out, and never more packets than 16 bits count."""
    try:
        found = parse_twcc(data)
    except ValueError:
        return
    assert len(found.arrivals) <= 65_535
    assert all(arrival is None or math.isfinite(arrival) for _, arrival in found.arrivals)


def link(
    *,
    offered_mbps: float,
    bottleneck_mbps: float,
    seconds: float = 2.0,
    wire_bytes: int = 1200,
    lost: set[int] | None = None,
) -> tuple[dict[int, float], list[tuple[int, float | None]]]:
    """Paced packets through one queue: send times by the server's clock, arrivals by another one."""
    gap, service = (wire_bytes * 8 / mbps / 1000 for mbps in (offered_mbps, bottleneck_mbps))
    sent: dict[int, float] = {}
    arrivals: list[tuple[int, float | None]] = []
    free = 0.0
    for index in range(int(seconds * 1000 / gap)):
        seq = (65_500 + index) % 65_536
        sent[seq] = index * gap
        free = max(free, index * gap) + service
        arrivals.append((seq, None if lost and index in lost else free + 5_000_000.0))
    return sent, arrivals


def messages(arrivals: list[tuple[int, float | None]], size: int = 20) -> list[Feedback]:
    pieces = [arrivals[start : start + size] for start in range(0, len(arrivals), size)]
    return [Feedback(piece[0][0], 5_000_000.0, n % 256, tuple(piece)) for n, piece in enumerate(pieces)]


def test_a_wide_line_gives_what_was_offered() -> None:
    """1.9 Mbit/s through 50: 1.9, and no queue, also where the sequence wraps."""
    sent, arrivals = link(offered_mbps=1.9, bottleneck_mbps=50)
    found = downlink_rate(sent, messages(arrivals), 1200)
    assert found is not None
    assert found.rate_mbps == pytest.approx(1.9, rel=0.01)
    assert found.extra_delay_p95_ms == pytest.approx(0, abs=0.01)
    assert found.missing_pct == 0
    assert found.packets == found.covered == len(sent)


def test_a_thin_line_gives_the_bottleneck_and_its_queue() -> None:
    """1.9 Mbit/s through 1.2: 1.2, and after two seconds a queue of 2 x (1.9 / 1.2 - 1) s."""
    sent, arrivals = link(offered_mbps=1.9, bottleneck_mbps=1.2)
    found = downlink_rate(sent, messages(arrivals), 1200)
    assert found is not None
    assert found.rate_mbps == pytest.approx(1.2, rel=0.01)
    assert found.extra_delay_p95_ms == pytest.approx(0.95 * 2000 * (1.9 / 1.2 - 1), rel=0.02)


def test_a_lost_feedback_does_not_make_the_line_slow() -> None:
    """Every third message gone: the rate holds, and only what was covered counts as covered."""
    sent, arrivals = link(offered_mbps=1.9, bottleneck_mbps=50)
    kept = [message for n, message in enumerate(messages(arrivals)) if n % 3]
    found = downlink_rate(sent, kept, 1200)
    assert found is not None
    assert found.rate_mbps == pytest.approx(1.9, rel=0.01)
    assert found.missing_pct == 0
    assert found.covered < len(sent)


def test_lost_packets_lower_the_rate_and_are_told() -> None:
    """Every tenth packet lost: nine tenths arrive."""
    sent, arrivals = link(offered_mbps=1.9, bottleneck_mbps=50, lost=set(range(0, 400, 10)))
    found = downlink_rate(sent, messages(arrivals), 1200)
    assert found is not None
    assert found.missing_pct == pytest.approx(10, abs=0.5)
    assert found.rate_mbps == pytest.approx(1.9 * 0.9, rel=0.02)


def test_a_later_message_may_correct_an_earlier_one() -> None:
    """A packet reported missing and then received is received."""
    sent, arrivals = link(offered_mbps=1.9, bottleneck_mbps=50)
    early = Feedback(arrivals[0][0], 5_000_000.0, 0, tuple((seq, None) for seq, _ in arrivals))
    found = downlink_rate(sent, [early, *messages(arrivals)], 1200)
    assert found is not None
    assert found.missing_pct == 0


def test_the_turn_of_the_receivers_clock_is_no_delay() -> None:
    """Every 12.4 days the reference time starts again, possibly inside a test."""
    sent, arrivals = link(offered_mbps=1.9, bottleneck_mbps=50)
    turned = [
        (seq, arrival if n < 100 or arrival is None else arrival - CLOCK_SPAN_MS)
        for n, (seq, arrival) in enumerate(arrivals)
    ]
    found = downlink_rate(sent, messages(turned), 1200)
    assert found is not None
    assert found.rate_mbps == pytest.approx(1.9, rel=0.01)


@pytest.mark.parametrize("count", [0, 1, 19])
def test_too_few_arrivals_are_no_rate(count: int) -> None:
    """Under 20 packets, no figure."""
    sent, arrivals = link(offered_mbps=1.9, bottleneck_mbps=50)
    assert downlink_rate(sent, messages(arrivals[:count]), 1200) is None


def test_feedback_about_packets_never_sent_is_ignored() -> None:
    """A receiver that speaks of other packets proves nothing, and does not raise."""
    _, arrivals = link(offered_mbps=1.9, bottleneck_mbps=50)
    assert downlink_rate({}, messages(arrivals), 1200) is None
    assert downlink_rate(dict.fromkeys(range(30_000, 30_100), 0.0), messages(arrivals), 1200) is None


@given(
    st.lists(
        st.builds(
            Feedback,
            st.integers(0, 99),
            st.floats(-1e9, 1e9),
            st.integers(0, 255),
            st.lists(st.tuples(st.integers(0, 99), st.none() | st.floats(-1e9, 1e9)), max_size=100).map(tuple),
        ),
        max_size=5,
    )
)
def test_any_feedback_gives_a_finite_rate_or_none(feedback: list[Feedback]) -> None:
    """Arrivals in any order and at any time."""
    found = downlink_rate({seq: 10.0 * seq for seq in range(100)}, feedback, 1200)
    assert found is None or (math.isfinite(found.rate_mbps) and found.rate_mbps >= 0)
