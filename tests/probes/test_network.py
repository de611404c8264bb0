"""Network: round trips and extra delay of links whose truth is known, rows that lie, and rates by TCP."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.measurement import Measurement
from probes.network import (
    ClockRow,
    PingLog,
    clock_rows,
    jitter_measurement,
    loaded_measurement,
    rtt_measurement,
    tcp_headroom,
    throughput_measurement,
)

OFFSET_US = 987_654_321
"""How far the server's clock is ahead of the client's."""


class Link:
    """A made link: pings every 20 ms, with the delays that are asked for."""

    def __init__(self, count: int = 200, *, up_ms: float = 20, down_ms: float = 30, held_ms: float = 5) -> None:
        self.count = count
        self.up = np.full(count, up_ms)
        self.down = np.full(count, down_ms)
        self.held = np.full(count, held_ms)
        self.drift = 0.0
        self.interval_us = 20_000

    def stamps(self, seq: int) -> tuple[int, int, int, int]:
        t1 = 5_000_000 + seq * self.interval_us
        t2 = t1 + self.up[seq] * 1000
        t3 = t2 + self.held[seq] * 1000
        there = [int(time * (1 + self.drift)) + OFFSET_US for time in (t2, t3)]
        return t1, there[0], there[1], int(t3 + self.down[seq] * 1000)

    def server(self) -> list[PingLog]:
        return [PingLog(seq, self.stamps(seq)[1], self.stamps(seq)[2]) for seq in range(self.count)]

    def client(self) -> list[list[int]]:
        return [[seq, *self.stamps(seq)] for seq in range(self.count)]

    def rows(self) -> list[ClockRow]:
        return clock_rows(self.client(), self.server())

    def media(self) -> list[tuple[float, float]]:
        """The same way up as stamps of media packets, ms."""
        return [(t1 / 1e3, t2 / 1e3) for t1, t2, _, _ in map(self.stamps, range(self.count))]

    def jitter(self, way: Literal["up", "down"]) -> Measurement:
        return jitter_measurement(way, [], self.rows())


def test_a_steady_link_reads_as_it_is() -> None:
    """50 ms there and back without the 5 ms the server held it; no jitter, the clocks' offset nowhere."""
    link = Link()
    rtt = rtt_measurement(link.rows())
    assert (rtt.check, rtt.unit) == ("network.rtt", "ms")
    assert (rtt.value, rtt.low, rtt.high, rtt.samples) == (50, 50, 50, 200)
    assert (rtt.metric("min_ms"), rtt.metric("p95_ms")) == (50, 50)
    up, down = link.jitter("up"), link.jitter("down")
    assert (up.check, down.check) == ("network.jitter_up", "network.jitter_down")
    assert up.value == down.value == 0


def test_jitter_belongs_to_its_direction() -> None:
    """Up to 40 ms extra on the way up and none on the way down are told apart; the round trip sees both."""
    link = Link(1000)
    link.up = link.up + np.random.default_rng(3).uniform(0, 40, 1000)
    up = link.jitter("up")
    assert up.value == pytest.approx(38, abs=1)
    assert up.low is not None
    assert up.high is not None
    assert up.low <= float(up.value or 0) <= up.high
    assert link.jitter("down").value == 0
    assert rtt_measurement(link.rows()).value == pytest.approx(70, abs=2)


def test_jitter_is_read_from_media_where_there_is_enough() -> None:
    """Fifty media packets speak for themselves, fewer leave it to the pings, and the source is told."""
    steady, uneven = Link(60), Link(60)
    uneven.up = uneven.up + np.random.default_rng(6).uniform(0, 40, 60)
    by_media = jitter_measurement("up", uneven.media(), steady.rows())
    assert by_media.metric("source") == "rtp"
    assert by_media.value == pytest.approx(38, abs=3)
    by_pings = jitter_measurement("up", uneven.media()[:49], steady.rows())
    assert (by_pings.metric("source"), by_pings.value) == ("pings", 0)
    assert jitter_measurement("down", uneven.media()[:49]).cause == "too_few_samples"


def test_rfc3550_jitter_of_alternating_delay_is_known() -> None:
    """Every second packet 8 ms late: |D| is always 8 ms, so J goes to 8 ms; under 64 packets it is not told."""
    link = Link(400)
    link.up[::2] += 8
    assert link.jitter("up").metric("rfc3550_ms") == pytest.approx(8, rel=1e-6)
    assert Link(63).jitter("up").metric("rfc3550_ms") is None


@pytest.mark.parametrize("drift", [100e-6, -80e-6])
def test_drift_between_the_clocks_is_no_jitter(drift: float) -> None:
    """Over a minute 100 ppm would read as 6 ms; the line under the points takes it out, in both directions."""
    link = Link(3000)
    link.drift = drift
    link.up = link.up + np.random.default_rng(4).exponential(1.0, 3000)
    assert link.jitter("up").value == pytest.approx(3, abs=0.4)
    assert link.jitter("down").value == pytest.approx(0, abs=0.2)


def test_a_growing_queue_is_not_taken_for_drift() -> None:
    """A delay that grows by 1 ms a second is no crystal: it stays in the figure."""
    link = Link(3000)
    link.up = link.up + np.arange(3000) * 0.02
    assert link.jitter("up").value == pytest.approx(57, abs=1)


@pytest.mark.parametrize(("count", "enough"), [(49, False), (50, True)])
def test_fifty_pings_are_the_least(count: int, enough: bool) -> None:
    """49 give no figure at all, 50 give all."""
    link = Link(count)
    for found in (rtt_measurement(link.rows()), link.jitter("up"), link.jitter("down")):
        assert (found.value is not None) is enough
        assert found.cause == (None if enough else "too_few_samples")


@given(st.permutations(range(60)))
def test_the_order_of_the_rows_is_nothing(order: list[int]) -> None:
    """Pongs overtake each other: the figures are the same."""
    link = Link(60)
    link.up = link.up + np.random.default_rng(2).uniform(0, 40, 60)
    client = link.client()
    rows = clock_rows([client[index] for index in order], link.server())
    assert rows == link.rows()
    assert jitter_measurement("up", [], rows) == link.jitter("up")


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


@given(
    st.lists(st.lists(st.integers() | st.floats() | st.none() | st.booleans(), max_size=6) | st.text(), max_size=30),
    st.lists(st.builds(PingLog, st.integers(0, 50), st.integers(), st.none() | st.integers()), max_size=80),
    st.lists(st.tuples(st.floats(-1e15, 1e15), st.floats(-1e15, 1e15)), max_size=80),
)
def test_no_rows_raise_and_no_figure_is_nan(
    client: list[Any], server: list[PingLog], stamps: list[tuple[float, float]]
) -> None:
    """Whatever a client and the log hold."""
    rows = clock_rows(client, server)
    found = [rtt_measurement(rows), loaded_measurement(rows[::2], rows[1::2])]
    for measurement in (*found, jitter_measurement("up", stamps, rows), jitter_measurement("down", stamps, rows)):
        assert measurement.metric("value") == measurement.value
        assert measurement.value is not None or measurement.cause == "too_few_samples"


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


# --- throughput by TCP


@pytest.mark.parametrize("rate", [2.0, 0.8, 0.0])
def test_throughput_by_tcp_is_at_least_so_much(rate: float) -> None:
    """No upper end, the method and the loss beside it, and no tier: TCP proves none."""
    found = throughput_measurement("down", tcp_mbps=rate, loss_pct=4.0)
    assert (found.check, found.value, found.unit) == ("network.throughput_down", rate, "mbps")
    assert (found.low, found.high) == (rate, None)
    assert (found.metric("method"), found.metric("limit"), found.metric("loss_pct")) == ("tcp", "line", 4.0)
    assert found.metric("tier") is None


@pytest.mark.parametrize("rate", [None, math.nan, math.inf, -1.0])
def test_no_proof_is_no_throughput(rate: float | None) -> None:
    """Nothing, no number, or less than nothing."""
    found = throughput_measurement("up", tcp_mbps=rate, cause="server_busy")
    assert (found.check, found.value, found.cause) == ("network.throughput_up", None, "server_busy")
