"""Network: round trips, extra delay and loss of links whose truth is known, and rows that lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.measurement import Measurement
from probes.network import (
    ClockRow,
    PingLog,
    clock_measurements,
    clock_rows,
    loaded_measurement,
    tcp_headroom,
    throughput_measurement,
)

OFFSET_US = 987_654_321
"""How far the server's clock is ahead of the client's."""


class Link:
    """A made link: pings every 20 ms, with the delays and losses that are asked for."""

    def __init__(self, count: int = 200, *, up_ms: float = 20, down_ms: float = 30, held_ms: float = 5) -> None:
        self.count = count
        self.up = np.full(count, up_ms)
        self.down = np.full(count, down_ms)
        self.held = np.full(count, held_ms)
        self.lost_up: set[int] = set()
        self.lost_down: set[int] = set()
        self.unanswered: set[int] = set()
        self.drift = 0.0
        self.interval_us = 20_000

    def stamps(self, seq: int) -> tuple[int, int, int, int]:
        t1 = 5_000_000 + seq * self.interval_us
        t2 = t1 + self.up[seq] * 1000
        t3 = t2 + self.held[seq] * 1000
        there = [int(time * (1 + self.drift)) + OFFSET_US for time in (t2, t3)]
        return t1, there[0], there[1], int(t3 + self.down[seq] * 1000)

    def server(self) -> list[PingLog]:
        seqs = [seq for seq in range(self.count) if seq not in self.lost_up]
        return [
            PingLog(seq, self.stamps(seq)[1], None if seq in self.unanswered else self.stamps(seq)[2]) for seq in seqs
        ]

    def client(self) -> list[list[int]]:
        gone = self.lost_up | self.lost_down | self.unanswered
        return [[seq, *self.stamps(seq)] for seq in range(self.count) if seq not in gone]

    def measured(self, tags: dict[str, list[int]] | None = None) -> dict[str, Measurement]:
        found = clock_measurements(self.client(), sent=self.count, tags=tags or {}, server=self.server())
        return {measurement.check: measurement for measurement in found}


def test_a_steady_link_reads_as_it_is() -> None:
    """50 ms there and back without the 5 ms the server held it; no jitter, no loss, the clocks' offset nowhere."""
    found = Link().measured({"idle": [0, 199]})
    assert list(found) == [
        "network.rtt",
        "network.rtt_loaded",
        "network.jitter_up",
        "network.jitter_down",
        "network.loss_up",
        "network.loss_down",
    ]
    rtt = found["network.rtt"]
    assert (rtt.value, rtt.low, rtt.high, rtt.metric("min_ms"), rtt.metric("p95_ms"), rtt.samples) == (
        50,
        50,
        50,
        50,
        50,
        200,
    )
    assert found["network.jitter_up"].value == found["network.jitter_down"].value == 0
    assert found["network.loss_up"].value == found["network.loss_down"].value == 0
    assert found["network.rtt_loaded"].cause == "too_few_samples"


def test_jitter_belongs_to_its_direction() -> None:
    """Up to 40 ms extra on the way up and none on the way down are told apart; the round trip sees both."""
    link = Link(1000)
    link.up = link.up + np.random.default_rng(3).uniform(0, 40, 1000)
    found = link.measured()
    up = found["network.jitter_up"]
    assert up.value == pytest.approx(38, abs=1)
    assert up.low is not None
    assert up.high is not None
    assert up.low <= float(up.value or 0) <= up.high
    assert found["network.jitter_down"].value == 0
    assert found["network.rtt"].value == pytest.approx(70, abs=2)


def test_rfc3550_jitter_of_alternating_delay_is_known() -> None:
    """Every second packet 8 ms late: |D| is always 8 ms, so J goes to 8 ms; under 64 packets it is not told."""
    link = Link(400)
    link.up[::2] += 8
    assert link.measured()["network.jitter_up"].metric("rfc3550_ms") == pytest.approx(8, rel=1e-6)
    assert Link(63).measured()["network.jitter_up"].metric("rfc3550_ms") is None


@pytest.mark.parametrize("drift", [100e-6, -80e-6])
def test_drift_between_the_clocks_is_no_jitter(drift: float) -> None:
    """Over a minute 100 ppm would read as 6 ms; the line under the points takes it out, in both directions."""
    link = Link(3000)
    link.drift = drift
    link.up = link.up + np.random.default_rng(4).exponential(1.0, 3000)
    found = link.measured()
    assert found["network.jitter_up"].value == pytest.approx(3, abs=0.4)
    assert found["network.jitter_down"].value == pytest.approx(0, abs=0.2)


def test_a_growing_queue_is_not_taken_for_drift() -> None:
    """A delay that grows by 1 ms a second is no crystal: it stays in the figure."""
    link = Link(3000)
    link.up = link.up + np.arange(3000) * 0.02
    assert link.measured()["network.jitter_up"].value == pytest.approx(57, abs=1)


def test_loss_is_counted_by_the_receiver_of_each_direction() -> None:
    """Ten of 500 lost up and five of the rest lost down are 2 % and 1.02 %, not 3 % of anything."""
    link = Link(500)
    link.lost_up = set(range(100, 110))
    link.lost_down = {50, 150, 250, 251, 252}
    found = link.measured({"idle": [0, 499]})
    up, down = found["network.loss_up"], found["network.loss_down"]
    assert (up.value, up.samples, up.metric("lost"), up.metric("longest_burst")) == (2.0, 500, 10, 10)
    assert up.low is not None
    assert up.high is not None
    assert 1 < up.low < 2 < up.high < 3.7
    assert down.value == pytest.approx(100 * 5 / 490)
    assert (down.samples, down.metric("longest_burst")) == (490, 3)


def test_an_answer_the_server_never_sent_is_not_lost() -> None:
    """Pings left unanswered because our own buffer was full are no loss of the line."""
    link = Link(200)
    link.unanswered = set(range(0, 200, 2))
    down = link.measured()["network.loss_down"]
    assert (down.value, down.samples) == (0, 100)


def test_loss_at_both_ends_of_the_run_is_seen() -> None:
    """Sequences before the first and after the last arrival count by the sent counter, and as bursts by the range."""
    link = Link(300)
    link.lost_up = {*range(7), *range(280, 300)}
    up = link.measured({"idle": [0, 299]})["network.loss_up"]
    assert (up.metric("lost"), up.metric("longest_burst")) == (27, 20)


def test_nothing_arrived_is_all_lost() -> None:
    """A hundred pings that never came are 100 %, and everything that needs a round trip is missing."""
    found = clock_measurements([], sent=100, tags={"idle": [0, 99]}, server=[])
    by_check = {measurement.check: measurement for measurement in found}
    up = by_check.pop("network.loss_up")
    assert (up.value, up.high, up.metric("longest_burst")) == (100, 100, 100)
    assert all(measurement.cause == "too_few_samples" for measurement in by_check.values())


def test_only_idle_pings_tell_about_the_line() -> None:
    """What our own load does to delay and loss goes into rtt_loaded and nowhere else."""
    link = Link(300)
    link.down[200:] += 120
    link.lost_down = set(range(210, 230))
    found = link.measured({"idle": [0, 199], "loaded": [200, 299]})
    assert found["network.rtt"].metric("p95_ms") == 50
    assert found["network.jitter_down"].value == 0
    assert found["network.loss_down"].value == 0
    assert (found["network.rtt_loaded"].value, found["network.rtt_loaded"].samples) == (120, 80)


@pytest.mark.parametrize(("count", "enough"), [(49, False), (50, True)])
def test_fifty_pings_are_the_least(count: int, enough: bool) -> None:
    """49 give no figure at all, 50 give all."""
    found = Link(count).measured()
    found.pop("network.rtt_loaded")
    assert all((measurement.value is not None) is enough for measurement in found.values())


def test_loaded_needs_both_sides_and_has_an_interval() -> None:
    """20 round trips of either kind; the interval spans what the two medians allow."""
    idle = [ClockRow(seq, 0, 0, 0, 20_000 + seq % 10 * 100) for seq in range(100)]
    loaded = [ClockRow(seq, 0, 0, 0, 80_000 + seq % 10 * 1000) for seq in range(20)]
    found = loaded_measurement(idle, loaded)
    assert found.value == pytest.approx(64.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 64.05 < found.high
    assert loaded_measurement(idle, loaded[:19]).cause == "too_few_samples"
    assert loaded_measurement(idle[:19], loaded).cause == "too_few_samples"
    assert loaded_measurement([], []).value is None


def test_a_row_without_an_answer_has_no_round_trip() -> None:
    """t4 None is an open ping; a coarse clock never gives less than 0."""
    assert ClockRow(0, 0, 10, 20, None).rtt_ms is None
    assert ClockRow(0, 0, 10, 20_010, 5_000).rtt_ms == 0


def test_rows_that_cannot_be_true_are_dropped() -> None:
    """Backwards, repeated, never answered, of the wrong shape, or slower than a minute; the order does not matter."""
    server = [PingLog(seq, 1_000_000, 1_001_000) for seq in range(8)] + [PingLog(8, 1_000_000, None), PingLog(9, 5, 1)]
    good = [3, 100, 0, 0, 50_100]
    rows = [
        good,
        [3, 100, 0, 0, 99_999],
        [2, 100, 0, 0, 99],
        [1, 100, 0, 0, 100 + 61_000_000],
        [8, 100, 0, 0, 50_000],
        [9, 100, 0, 0, 50_000],
        [77, 100, 0, 0, 50_000],
        [4, 100, 0, 0],
        [5, 100, 0, 0, 50_000.5],
        [6, -1, 0, 0, 50_000],
        [7, 100, 0, 0, 2**53 + 1],
        [True, 100, 0, 0, 50_000],
        "rubbish",
        None,
        [0, 200, 9, 9, 30_000],
    ]
    found = clock_rows(rows, server)
    assert [row.seq for row in found] == [0, 3]
    assert found[1] == ClockRow(3, 100, 1_000_000, 1_001_000, 50_100)


def test_the_clients_copy_of_the_servers_stamps_is_not_believed() -> None:
    """A client that rewrites t2 and t3 changes nothing."""
    link = Link()
    forged = [[seq, t1, 0, 2**52, t4] for seq, t1, _, _, t4 in link.client()]
    assert clock_rows(forged, link.server()) == clock_rows(link.client(), link.server())


@pytest.mark.parametrize(
    "tags", [{"idle": [5, 1]}, {"idle": [0]}, {"idle": ["a", 2]}, {"idle": None}, {"loaded": [0, 2**60]}]
)
def test_tags_that_are_no_range_are_ignored(tags: Any) -> None:
    """All pings are idle then, and nothing raises."""
    found = clock_measurements(Link().client(), sent=200, tags=tags, server=Link().server())
    assert found[0].samples == 200


def test_an_absurd_sent_counter_costs_nothing_but_the_result() -> None:
    """Four thousand million pings are not counted one by one."""
    link = Link()
    found = clock_measurements(link.client(), sent=2**32 - 1, tags={"idle": [0, 2**32 - 1]}, server=link.server())
    assert found[4].value == pytest.approx(100, abs=0.001)
    small = clock_measurements(link.client(), sent=0, tags={}, server=link.server())
    assert small[4].value == 0


@given(
    st.lists(st.lists(st.integers() | st.floats() | st.none() | st.booleans(), max_size=6) | st.text(), max_size=30),
    st.lists(st.builds(PingLog, st.integers(0, 50), st.integers(), st.none() | st.integers()), max_size=80),
    st.integers(0, 2**32),
)
def test_no_rows_raise_and_no_figure_is_nan(rows: list[Any], server: list[PingLog], sent: int) -> None:
    """Whatever a client and the log hold."""
    for found in clock_measurements(rows, sent=sent, tags={"idle": [0, 40], "loaded": [41, 50]}, server=server):
        assert found.metric("value") == found.value
        assert found.value is not None or found.cause == "too_few_samples"


@given(st.sets(st.integers(0, 199)), st.sets(st.integers(0, 199)))
def test_loss_is_always_the_truth(lost_up: set[int], lost_down: set[int]) -> None:
    """For any set of lost pings and answers, each direction's share is exact and inside its interval."""
    link = Link(200)
    link.lost_up, link.lost_down = lost_up, lost_down
    found = link.measured({"idle": [0, 199]})
    up = found["network.loss_up"]
    assert up.value == pytest.approx(len(lost_up) / 2)
    assert up.low is not None
    assert up.high is not None
    assert up.low - 1e-9 <= float(up.value or 0) <= up.high + 1e-9
    if len(lost_up) <= 150:
        assert found["network.loss_down"].value == pytest.approx(100 * len(lost_down - lost_up) / (200 - len(lost_up)))


# --- TCP headroom


def test_steady_tcp_has_its_rate() -> None:
    """2 Mbit/s are 25 000 bytes every 100 ms."""
    assert tcp_headroom([(100 * i, 25_000 * i) for i in range(30)]) == pytest.approx(2.0)


def test_a_slow_start_does_not_count_against_the_line() -> None:
    """A second of ramp, then 8 Mbit/s: the best second decides."""
    points = [(100 * i, 100 * i * i) for i in range(11)]
    points += [(1000 + 100 * i, 10_000 + 100_000 * i) for i in range(1, 16)]
    assert tcp_headroom(points) == pytest.approx(8.0)


def test_a_burst_from_a_buffer_proves_little() -> None:
    """128 kB at once and then 1 Mbit/s: the second that holds the burst reads 2 Mbit/s, not hundreds."""
    points = [(0, 0), (5, 128_000), *((5 + 100 * i, 128_000 + 12_500 * i) for i in range(1, 40))]
    assert tcp_headroom(points) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0, 0)],
        [(0, 0), (1000, 99)],
        [(0, 0), (200, 50_000), (499, 90_000)],
        [(0, 5), (0, 6), (0, 7)],
        [None, 3, "x"],
    ],
)
def test_too_little_tcp_is_no_rate(points: Any) -> None:
    """Fewer than three points, or less than half a second."""
    assert tcp_headroom(points) is None


@given(st.lists(st.tuples(st.floats() | st.integers(), st.floats() | st.integers()) | st.none(), max_size=80))
def test_any_points_give_a_rate_or_none(points: list[Any]) -> None:
    """Backwards, repeated and infinite points are dropped."""
    rate = tcp_headroom(points)
    assert rate is None or (rate >= 0 and not math.isnan(rate))


def test_nothing_arriving_is_a_rate_of_zero() -> None:
    """A second of silence after the first byte is a finding."""
    assert tcp_headroom([(100 * i, 1) for i in range(20)]) == 0


# --- throughput


@pytest.mark.parametrize(
    ("tcp", "rtp", "value"), [(2.0, 1.9, 2.0), (0.8, 1.9, 1.9), (None, 1.9, 1.9), (2.5, None, 2.5), (0.0, None, 0.0)]
)
def test_throughput_is_the_highest_rate_that_was_proven(tcp: float | None, rtp: float | None, value: float) -> None:
    """TCP that loss slowed down does not take away what media proved."""
    found = throughput_measurement("down", tcp_mbps=tcp, rtp_mbps=rtp, loss_pct=4.0)
    assert (found.check, found.value, found.unit) == ("network.throughput_down", value, "mbps")
    assert (found.metric("tcp_mbps"), found.metric("rtp_mbps"), found.metric("loss_pct")) == (tcp, rtp, 4.0)


@pytest.mark.parametrize("rate", [None, math.nan, math.inf, -1.0])
def test_no_proof_is_no_throughput(rate: float | None) -> None:
    """Nothing, no number, or less than nothing."""
    found = throughput_measurement("up", tcp_mbps=rate, rtp_mbps=rate, cause="server_busy")
    assert (found.check, found.value, found.cause) == ("network.throughput_up", None, "server_busy")
