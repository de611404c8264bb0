"""What is read out of a link's log."""

from __future__ import annotations

import numpy as np
import pytest

from tests.link.emulator import BLOCKED, LOST_QUEUE, LOST_RANDOM, ON_ITS_WAY, PASSED
from tests.link.lab import TCP, UDP, PacketLog

FATES = [PASSED, PASSED, LOST_RANDOM, PASSED, LOST_QUEUE, LOST_QUEUE, BLOCKED, ON_ITS_WAY]
DELAYS_MS = [20, 30, np.nan, 25, np.nan, np.nan, np.nan, np.nan]


@pytest.fixture
def log() -> PacketLog:
    """Eight packets, 10 ms apart, of 1000 bytes and more."""
    count = len(FATES)
    time_in = 5.0 + np.arange(count) / 100
    return PacketLog(
        time_in=time_in,
        time_out=time_in + np.array(DELAYS_MS) / 1e3,
        late_s=np.zeros(count, np.float32),
        size=np.arange(1000, 1000 + count).astype(np.uint16),
        protocol=np.array([UDP] * 6 + [TCP] * 2, np.uint8),
        source_port=np.full(count, 50_000, np.uint16),
        target_port=np.array([443] * 4 + [53] * 4, np.uint16),
        fate=np.array(FATES, np.uint8),
        head=np.zeros((count, 16), np.uint8),
    )


def test_loss_is_of_packets_whose_fate_is_decided(log):
    """Three of six: what is blocked was never on the line, and what is on its way is not lost."""
    assert (len(log), log.lost_random, log.lost_queue, log.lost) == (8, 1, 2, 3)
    assert log.loss_pct == 50
    assert np.isnan(log.select(protocol=TCP).loss_pct)


def test_delays_are_those_of_packets_that_came_out(log):
    assert log.delay_ms == pytest.approx([20, 30, 25])
    assert log.delay_quantiles_ms(0, 0.5, 1) == pytest.approx([20, 25, 30])
    assert log.extra_delay_ms == pytest.approx([0, 10, 5])
    assert log.extra_delay_p95_ms == pytest.approx(9.5)


def test_rates_leave_out_the_first_packets_bytes(log):
    """Bytes after the first packet over the time since it: in 35 ms out, in 70 ms in."""
    assert log.carried_mbps == pytest.approx((1001 + 1003) * 8 / 0.035 / 1e6)
    assert log.offered_mbps == pytest.approx(sum(range(1001, 1008)) * 8 / 0.07 / 1e6)
    assert np.isnan(log.select(max_size=1000).carried_mbps)


@pytest.mark.parametrize(
    ("chosen", "sizes"),
    [
        ({"protocol": UDP}, range(1000, 1006)),
        ({"port": 53}, range(1004, 1008)),
        ({"port": 50_000}, range(1000, 1008)),
        ({"min_size": 1002, "max_size": 1004}, range(1002, 1005)),
        ({"since": 5.015, "until": 5.045}, range(1002, 1005)),
        ({"port": 53, "protocol": UDP}, range(1004, 1006)),
    ],
)
def test_packets_are_chosen_by_what_is_known_of_them(log, chosen, sizes):
    assert log.select(**chosen).size.tolist() == list(sizes)
    assert len(log.select(**chosen).head) == len(sizes)
