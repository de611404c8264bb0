"""Transport-wide feedback: the draft's own layout, hostile bytes, and the rows that come of many messages."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.feedback import SEQUENCES, Feedback, FeedbackLog, parse_twcc


def fci(base: int, count: int, reference: int, number: int, chunks: list[int], deltas: bytes) -> bytes:
    head = base.to_bytes(2, "big") + count.to_bytes(2, "big") + reference.to_bytes(3, "big", signed=True)
    return head + bytes([number]) + b"".join(chunk.to_bytes(2, "big") for chunk in chunks) + deltas


def test_a_run_of_small_deltas() -> None:
    """Three packets received, 250 us units counting on from the reference time of 64 ms units."""
    found = parse_twcc(fci(7, 3, 2, 9, [0x2003], bytes([4, 8, 0])))
    assert found == Feedback(128.0, ((7, 129.0), (8, 131.0), (9, 131.0)))


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


def one_by_one(first: int, arrivals_ms: list[float | None], *, reference: int = 0) -> bytes:
    """Feedback about packets from `first` on; arrivals in ms after the reference time, whole quarters, in order."""
    chunks, deltas, at = [], b"", 0.0
    for arrival in arrivals_ms:
        chunks.append(0x0001 if arrival is None else 0x4001)
        if arrival is not None:
            deltas += round((arrival - at) / 0.25).to_bytes(2, "big", signed=True)
            at = arrival
    return fci(first % SEQUENCES, len(arrivals_ms), reference, 0, chunks, deltas)


def log_of(*messages: bytes) -> FeedbackLog:
    log = FeedbackLog()
    for message in messages:
        log.add(message)
    return log


def test_rows_pair_each_send_time_with_its_arrival() -> None:
    """In the order of sending; lost ones are None, and what no feedback covers is left out."""
    log = log_of(one_by_one(5, [10.0, None, 12.5]))
    assert log.rows({4: 0.0, 5: 1.0, 6: 2.0, 7: 3.0, 8: 4.0}) == ([1.0, 2.0, 3.0], [10.0, None, 12.5])
    assert (log.messages, log.nonsense) == (1, 0)
    assert FeedbackLog().rows({1: 1.0}) == ([], [])


def test_numbers_that_count_on_past_16_bits_are_found() -> None:
    """The sender counts on; the wire has 16 bits."""
    log = log_of(one_by_one(65_535, [1.0, 2.0]))
    assert log.rows({65_535: 0.5, 65_536: 1.5}) == ([0.5, 1.5], [1.0, 2.0])


def test_a_later_message_may_correct_an_earlier_one_only_for_the_better() -> None:
    """Reported missing and then received is received; reported received and then missing stays received."""
    sent = {1: 0.0, 2: 1.0}
    assert log_of(one_by_one(1, [None, None]), one_by_one(1, [4.0, None])).rows(sent)[1] == [4.0, None]
    assert log_of(one_by_one(1, [4.0, 5.0]), one_by_one(1, [None, 9.0])).rows(sent)[1] == [4.0, 5.0]


def test_the_turn_of_the_receivers_clock_is_no_delay() -> None:
    """Every 12.4 days the reference time starts again, possibly inside a test, from its largest to its least."""
    last, first = 2**23 - 1, -(2**23)
    _, arrivals = log_of(one_by_one(1, [1.0], reference=last), one_by_one(2, [1.0], reference=first)).rows(
        {1: 0.0, 2: 64.0}
    )
    assert arrivals[0] is not None
    assert arrivals[1] is not None
    assert arrivals[1] - arrivals[0] == pytest.approx(64.0)


def test_nonsense_is_counted_and_changes_nothing() -> None:
    """Feedback that does not parse is as good as lost."""
    log = log_of(b"", one_by_one(1, [2.0]), bytes(7), fci(0, 2, 0, 0, [0x2002], bytes([1])))
    assert (log.messages, log.nonsense) == (1, 3)
    assert log.rows({1: 0.0}) == ([0.0], [2.0])


@given(st.lists(st.none() | st.integers(0, 400), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_the_order_of_the_messages_is_nothing(quarters: list[int | None], random: Random) -> None:
    """Feedback may overtake feedback: the rows are the same, and the losses exactly those."""
    messages = [one_by_one(n, [None if at is None else at * 0.25], reference=n) for n, at in enumerate(quarters)]
    sent = {n: 10.0 * n for n in range(len(quarters))}
    rows = log_of(*messages).rows(sent)
    random.shuffle(messages)
    assert log_of(*messages).rows(sent) == rows
    assert [arrival is None for arrival in rows[1]] == [at is None for at in quarters]
    assert rows[0] == list(sent.values())


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_messages_give_finite_rows(messages: list[bytes]) -> None:
    """Whatever a stranger sends."""
    log = log_of(*messages)
    assert log.messages + log.nonsense == len(messages)
    sent = {n: float(n) for n in range(200)}
    times, arrivals = log.rows(sent)
    assert len(times) == len(arrivals) <= len(sent)
    assert all(arrival is None or math.isfinite(arrival) for arrival in arrivals)


def test_what_lost_feedback_would_have_told_is_counted_at_the_next_row():
    """How many packets nothing was heard of, before each one that was; what may still come is not counted."""
    sent = {seq: float(seq) for seq in range(1, 11)}
    log = log_of(one_by_one(3, [1.0, None]), one_by_one(7, [2.0]))
    assert log.unheard(sent) == [2, 0, 2]
    assert len(log.unheard(sent)) == len(log.rows(sent)[0])
    assert FeedbackLog().unheard(sent) == []
