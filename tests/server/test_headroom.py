"""TCP headroom up: enough is proven, and nothing is concluded from a burst."""

from __future__ import annotations

import pytest

from readiness.server.headroom import CHUNK_BYTES, MAX_BYTES, MOST_BYTES, Downstream, Upstream

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
    """A chunk too much at most; nothing is sent where nothing is left."""
    sent: list[int] = []

    async def send(chunk: bytes) -> None:
        sent.append(len(chunk))

    await Downstream(send).run(PROBE_MBPS, left_bytes)
    assert max(0, left_bytes) <= sum(sent) < max(1, left_bytes + CHUNK_BYTES)
    upstream = Upstream(PROBE_MBPS, left_bytes)
    assert upstream.most_bytes == max(0, left_bytes)
    stopped = [upstream.arrived(CHUNK_BYTES, number / 1000) for number in range(5)].index(True)
    assert stopped * CHUNK_BYTES <= max(0, left_bytes)
