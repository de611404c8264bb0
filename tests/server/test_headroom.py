"""TCP headroom up: enough is proven, and nothing is concluded from a burst."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from probes.measurement import not_measured
from readiness.server import headroom
from readiness.server.headroom import (
    CHUNK_BYTES,
    ENOUGH_S,
    MAX_BYTES,
    MOST_BYTES,
    Downstream,
    Upstream,
    least_bytes,
)
from reports.assembly import Ending, make_report
from reports.kinds import SELF_TEST, profile_of
from reports.phases import FinishedPhase
from tests.server.test_board import phases

PROBE_MBPS = 2.0


def fed(upstream: Upstream, *, total: int, start_s: float = 0.0, every_s: float) -> float | None:
    """Feed chunks until `total` bytes or the stop; returns when it stopped (s), or None."""
    for number in range(total // CHUNK_BYTES):
        if upstream.arrived(CHUNK_BYTES, start_s + number * every_s):
            return start_s + number * every_s
    return None


def test_a_good_line_is_proven_in_a_second():
    """It stops as soon as the probe rate is proven, with less than a megabyte."""
    upstream = Upstream(PROBE_MBPS)
    stopped = fed(upstream, total=MAX_BYTES, every_s=CHUNK_BYTES * 8 / 8e6)
    assert stopped is not None
    assert 0.8 <= stopped < 0.9
    assert upstream.rate_mbps == pytest.approx(8.0, rel=0.05)


def test_a_megabyte_in_one_burst_proves_no_rate_and_does_not_end_it():
    """After a pause everything comes at once: it goes on, and what follows is measured."""
    upstream = Upstream(PROBE_MBPS)
    assert fed(upstream, total=MAX_BYTES, every_s=0.0005) is None
    assert upstream.rate_mbps is None
    assert fed(upstream, total=MAX_BYTES, start_s=0.4, every_s=CHUNK_BYTES * 8 / 8e6) is not None
    assert upstream.rate_mbps is not None
    assert upstream.rate_mbps > PROBE_MBPS


def test_nobody_sends_for_ever():
    """Two megabytes end it, whatever they prove; nothing after the end counts."""
    upstream = Upstream(PROBE_MBPS)
    assert fed(upstream, total=2 * MOST_BYTES, every_s=0.0001) is not None
    assert not upstream.arrived(CHUNK_BYTES, 9.0)


@pytest.mark.parametrize("left_bytes", [-CHUNK_BYTES, 0, 50_000])
async def test_neither_way_goes_beyond_what_is_left_of_the_promise(left_bytes):
    """Not by a single chunk; nothing is sent where nothing is left."""
    sent: list[int] = []

    async def send(chunk: bytes) -> None:
        sent.append(len(chunk))

    await Downstream(send).run(PROBE_MBPS, left_bytes)
    assert sum(sent) == max(0, left_bytes) // CHUNK_BYTES * CHUNK_BYTES
    upstream = Upstream(PROBE_MBPS, left_bytes)
    assert upstream.most_bytes == max(0, left_bytes)
    stopped = [upstream.arrived(CHUNK_BYTES, number / 1000) for number in range(5)].index(True)
    assert stopped * CHUNK_BYTES <= max(0, left_bytes)


async def test_the_fewest_bytes_that_are_given_can_prove_the_rate(monkeypatch):
    """They are spread over the time that a proof takes."""
    points: list[tuple[float, int]] = []
    now_s = 0.0

    async def sleep(wait_s: float) -> None:
        nonlocal now_s
        now_s += wait_s

    async def send(chunk: bytes) -> None:
        points.append((1e3 * now_s, (points[-1][1] if points else 0) + len(chunk)))

    monkeypatch.setattr(headroom, "time", SimpleNamespace(monotonic=lambda: now_s))
    monkeypatch.setattr(headroom, "asyncio", SimpleNamespace(sleep=sleep, Event=asyncio.Event))
    few = least_bytes(PROBE_MBPS)
    downstream = Downstream(send)
    await downstream.run(PROBE_MBPS, few)
    assert few - CHUNK_BYTES < downstream.bytes_sent <= few
    assert points[-1][0] == pytest.approx(1e3 * ENOUGH_S * (1 - CHUNK_BYTES / few), rel=0.05)
    assert (downstream.rate_mbps(points) or 0.0) > PROBE_MBPS


def test_a_rate_that_the_bytes_did_not_allow_says_so_in_the_report():
    """Not measured, for the reason that stands in words, whichever way was left without bytes."""
    found = phases(network__throughput_down=None)
    found["downlink"] = FinishedPhase([not_measured("network.throughput_down", "data_limit", "mbps")]).to_json()
    found["tcp_down"] = FinishedPhase(figures={"tcp_mbps": None, "cause": "data_limit"}).to_json()
    now = datetime.now(tz=UTC)
    ending = Ending(
        kind=SELF_TEST, report_id="", code="", started_at=now, now=now, duration_s=0.0, client={}, bytes_up=0,
        bytes_down=0, software_version="",
    )  # fmt: skip
    report = make_report(found, profile_of(None), (), ending)
    (check,) = [one for one in report.checks if one.id == "network.throughput_down"]
    assert (check.outcome, check.cause) == ("not_measured", "data_limit")
