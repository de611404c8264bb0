"""The model of a link, in virtual time."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.link.model import Bursts, Channel, Direction, Link

MILLISECOND_PACKET = 1500
"""Bytes that take 1 ms at `RATE_MBPS`."""
RATE_MBPS = 12.0


def send(channel, times_s, size=MILLISECOND_PACKET):
    """Offer packets at `times_s`; when each comes out."""
    return [channel.offer(now_s, size) for now_s in times_s]


def every(gap_s, count, start_s=0.0):
    return [start_s + number * gap_s for number in range(count)]


def came(outs):
    return [out for out in outs if out is not None]


def test_packets_at_once_leave_at_exactly_the_rate():
    """The rate is that of the packets with their heads, to the nanosecond."""
    outs = send(Channel(Direction(rate_mbps=RATE_MBPS, queue_ms=100), 1), [0.0] * 50)
    assert outs == pytest.approx([0.001 * (number + 1) for number in range(50)], abs=1e-9)


def test_an_idle_line_adds_transmission_and_delay_only():
    outs = send(Channel(Direction(rate_mbps=RATE_MBPS, delay_ms=30), 1), every(0.01, 5))
    assert outs == pytest.approx([now_s + 0.031 for now_s in every(0.01, 5)], abs=1e-9)


def test_an_unlimited_link_keeps_nobody():
    channel = Channel(Direction(delay_ms=7), 1)
    assert send(channel, [1.0] * 1000) == [1.007] * 1000
    assert channel.queue_ms(1.0) == 0


def test_the_queue_holds_its_depth_and_drops_the_newest():
    """Thirty packets at once into 20 ms of queue: the first twenty pass, the rest is dropped and counted."""
    channel = Channel(Direction(rate_mbps=RATE_MBPS, queue_ms=20), 1)
    outs = send(channel, [0.0] * 30)
    assert [out is not None for out in outs] == [True] * 20 + [False] * 10
    assert channel.queue_ms(0.0) == pytest.approx(20)
    assert channel.queue_ms(0.015) == pytest.approx(5)
    assert (channel.packets, channel.bytes) == (30, 30 * MILLISECOND_PACKET)
    assert (channel.lost_queue, channel.lost_random) == (10, 0)


def test_a_full_queue_still_takes_what_is_small_enough():
    channel = Channel(Direction(rate_mbps=RATE_MBPS, queue_ms=2.5), 1)
    assert None not in send(channel, [0.0] * 2)
    assert channel.offer(0.0, MILLISECOND_PACKET) is None
    assert channel.offer(0.0, MILLISECOND_PACKET // 2) == pytest.approx(0.0025)


def test_an_empty_queue_takes_a_packet_that_is_deeper_than_itself():
    """A short queue on a slow line must not block it."""
    channel = Channel(Direction(rate_mbps=0.5, queue_ms=5), 1)
    assert came(send(channel, every(0.1, 10))) == pytest.approx([now_s + 0.024 for now_s in every(0.1, 10)])


@pytest.mark.parametrize(("share", "loss"), [(0.9, 0.0), (1.25, 0.2), (2.0, 0.5)])
def test_what_is_offered_above_the_rate_is_lost_in_the_queue(share, loss):
    channel = Channel(Direction(rate_mbps=RATE_MBPS, queue_ms=200), 1)
    outs = send(channel, every(0.001 / share, 20_000))
    assert channel.lost_queue / channel.packets == pytest.approx(loss, abs=0.01)
    assert max(out - now for out, now in zip(outs, every(0.001 / share, 20_000), strict=True) if out) <= 0.2 + 1e-6


@pytest.mark.parametrize("loss_pct", [0.5, 2.0, 20.0])
def test_random_loss_has_its_share(loss_pct):
    """Within four standard deviations of 40 000 packets."""
    channel = Channel(Direction(loss_pct=loss_pct), 3)
    send(channel, every(0.001, 40_000))
    share = loss_pct / 100
    assert channel.lost_random / 40_000 == pytest.approx(share, abs=4 * (share * (1 - share) / 40_000) ** 0.5)


def test_a_packet_lost_at_random_takes_no_room():
    channel = Channel(Direction(rate_mbps=RATE_MBPS, loss_pct=100), 1)
    assert came(send(channel, [0.0] * 100)) == []
    assert channel.queue_ms(0.0) == 0
    assert (channel.lost_random, channel.lost_queue) == (100, 0)


def test_bursts_have_their_length_and_their_share():
    """Gilbert and Elliott: runs of 1 / out packets, into / (into + out) of all, here 5 and 4.76 %."""
    outs = send(Channel(Direction(burst=Bursts(into_pct=1, out_pct=20)), 5), every(0.001, 200_000))
    runs = [len(list(run)) for lost, run in itertools.groupby(out is None for out in outs) if lost]
    assert sum(runs) / len(runs) == pytest.approx(5, rel=0.07)
    assert sum(runs) / len(outs) == pytest.approx(1 / 21, rel=0.1)


def test_a_bad_state_that_loses_some_leaves_the_good_states_loss_alone():
    half = Bursts(into_pct=1, out_pct=9, loss_pct=50)
    channel = Channel(Direction(loss_pct=1, burst=half), 6)
    send(channel, every(0.001, 200_000))
    assert channel.lost_random / channel.packets == pytest.approx(0.1 * 0.5 + 0.9 * 0.01, rel=0.07)


def test_jitter_stays_in_its_bounds_and_in_order():
    """Far apart, delays are uniform; close together, the order is kept all the same."""
    wide, close = every(0.1, 5000), every(0.0001, 5000)
    apart = send(Channel(Direction(delay_ms=10, jitter_ms=20), 1), wide)
    delays = [out - now for out, now in zip(apart, wide, strict=True)]
    assert 0.01 <= min(delays) < 0.0102
    assert 0.0298 < max(delays) <= 0.03
    assert sum(delays) / len(delays) == pytest.approx(0.02, abs=0.0005)
    outs = send(Channel(Direction(delay_ms=10, jitter_ms=20), 1), close)
    assert outs == sorted(outs)
    assert max(out - now for out, now in zip(outs, close, strict=True)) <= 0.03 + 1e-9


def test_a_bucket_passes_at_once_and_fills_again_at_the_rate():
    channel = Channel(Direction(rate_mbps=RATE_MBPS, bucket_bytes=10 * MILLISECOND_PACKET), 1)
    first = send(channel, [0.0] * 15)
    assert first == pytest.approx([0.0] * 10 + [0.001, 0.002, 0.003, 0.004, 0.005])
    assert send(channel, [0.009] * 6) == pytest.approx([0.009] * 4 + [0.010, 0.011])
    assert send(channel, [9.0] * 11) == pytest.approx([9.0] * 10 + [9.001])


def test_the_same_seed_gives_the_same_fates_and_another_seed_others():
    everything = Direction(rate_mbps=3, delay_ms=20, jitter_ms=9, loss_pct=3, burst=Bursts(1, 20), bucket_bytes=9000)
    one, same, other = (send(Channel(everything, seed), every(0.002, 2000)) for seed in (7, 7, 8))
    assert one == same
    assert one != other


def test_jitter_does_not_change_which_packets_are_lost():
    """Two links that differ in one thing can be compared packet by packet."""
    calm, shaky = (send(Channel(Direction(loss_pct=10, jitter_ms=ms), 4), every(0.01, 500)) for ms in (0, 30))
    assert [out is None for out in calm] == [out is None for out in shaky]


def test_a_change_holds_from_then_on_and_overtakes_nothing():
    """From slow and far to fast and near: what was under way keeps its time, and the next follows it."""
    channel = Channel(Direction(rate_mbps=RATE_MBPS, delay_ms=100), 1)
    before = send(channel, [0.0] * 10)
    channel.change(Direction(rate_mbps=2 * RATE_MBPS, delay_ms=5), 0.001)
    after = send(channel, [0.001, 0.15])
    assert before == pytest.approx([0.101 + number / 1000 for number in range(10)])
    assert after == pytest.approx([0.110, 0.1555])
    channel.change(Direction(loss_pct=100), 0.2)
    assert channel.offer(0.2, 100) is None
    channel.change(Direction(), 0.3)
    assert channel.offer(0.3, 100) == 0.3


@pytest.mark.parametrize(("rate_mbps", "out_s"), [(2 * RATE_MBPS, 0.0605), (None, 0.060)])
def test_a_packet_waits_for_the_queue_that_was_there_before_the_change(rate_mbps, out_s):
    """Ten packets of 1 ms at once; the eleventh leaves after them, at the new rate, even where that has no limit."""
    channel = Channel(Direction(rate_mbps=RATE_MBPS), 1)
    send(channel, [0.0] * 10)
    channel.change(Direction(rate_mbps=rate_mbps, delay_ms=50), 0.001)
    assert channel.queue_ms(0.001) == pytest.approx(9)
    assert channel.offer(0.001, MILLISECOND_PACKET) == pytest.approx(out_s)


def test_a_change_ends_a_burst_and_brings_its_own_bucket():
    channel = Channel(Direction(rate_mbps=RATE_MBPS, burst=Bursts(100, 0)), 1)
    assert came(send(channel, [0.0] * 5)) == []
    channel.change(Direction(loss_pct=100), 1.0)
    assert came(send(channel, [1.0] * 5)) == []
    channel.change(Direction(rate_mbps=RATE_MBPS, bucket_bytes=2 * MILLISECOND_PACKET), 2.0)
    assert send(channel, [2.0] * 3) == pytest.approx([2.0, 2.0, 2.001])


directions = st.builds(
    Direction,
    rate_mbps=st.none() | st.floats(0.05, 100),
    queue_ms=st.floats(0, 1000),
    delay_ms=st.floats(0, 500),
    jitter_ms=st.floats(0, 100),
    loss_pct=st.floats(0, 100),
    burst=st.none() | st.builds(Bursts, st.floats(0, 100), st.floats(0, 100), st.floats(0, 100)),
    bucket_bytes=st.integers(0, 10**6),
)


@given(
    direction=directions,
    packets=st.lists(st.tuples(st.floats(0, 0.1), st.integers(20, 1500)), min_size=1, max_size=200),
    start_s=st.floats(0, 1e6),
)
def test_no_packet_is_early_overtakes_or_waits_longer_than_the_queue(direction, packets, start_s):
    """Whatever the link and the traffic: in order, within the bounds, and every packet accounted for."""
    channel, now_s, last_s, passed = Channel(direction, 1), start_s, 0.0, 0
    for gap_s, size in packets:
        now_s += gap_s
        out_s = channel.offer(now_s, size)
        if out_s is None:
            continue
        passed += 1
        own_ms = size * 8 / (direction.rate_mbps * 1e3) if direction.rate_mbps else 0
        most_ms = max(direction.queue_ms, own_ms) + direction.delay_ms + direction.jitter_ms
        assert direction.delay_ms - 1e-3 <= (out_s - now_s) * 1e3 <= most_ms + 1e-3
        assert out_s >= last_s
        last_s = out_s
    assert channel.packets == len(packets) == passed + channel.lost_random + channel.lost_queue


def test_a_link_survives_the_way_to_the_emulator():
    link = Link(Direction(rate_mbps=1.5, burst=Bursts(1, 20, 90)), Direction(jitter_ms=3), udp_blocked=True)
    assert Link.from_json(json.loads(json.dumps(link.to_json()))) == link


@pytest.mark.parametrize(
    "wrong", [{"rate_mbps": 0}, {"rate_mbps": -1}, {"loss_pct": 101}, {"delay_ms": -1}, {"jitter_ms": float("nan")}]
)
def test_an_impossible_link_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Direction(**wrong)
