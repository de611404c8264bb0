"""Series as a real test would leave them, from a seed: an ordinary line, and one that is bad in known places."""

from __future__ import annotations

from random import Random
from typing import Any

PHASES = [("clock", 0, 2500), ("downlink", 2600, 5200), ("tcp_down", 5300, 7800), ("tcp_up", 7900, 10400)]


def made_series(seed: int = 7, *, bad: bool = False) -> dict[str, Any]:
    """Ten seconds of a line: 48 ms, 4 Mbit/s; a `bad` one has 12 lost packets, long queues and half the rate."""
    random = Random(seed)
    times = [20 * number for number in range(520) if in_a_phase(20 * number)]
    queue = {t: (260 * (t - 5300) / 2500 if 5300 < t < 7800 else 0) if bad else 0 for t in times}
    rtt = [[t, round(48 + random.expovariate(1 / 3) + queue[t], 2)] for t in times]
    lost = [[t, 1 + random.randrange(3)] for t in range(3000, 5000, 400)] if bad else []
    rate = 0.9 if bad else 2.2
    offered = [[t, 1.875] for t in range(2600, 10400, 100) if in_a_phase(t)]
    return {
        "schema": "readiness.series/1",
        "phases": [{"name": name, "from_ms": begin, "to_ms": end} for name, begin, end in PHASES],
        "rtt_ms": rtt,
        "delay_up_ms": [[t, round(random.expovariate(1 / 2), 2)] for t in times],
        "delay_down_ms": [[t, round(random.expovariate(1 / 2) + queue[t], 2)] for t in times],
        "rate_up_mbps": [[t, round(random.gauss(rate, 0.1), 3)] for t, _ in offered],
        "rate_down_mbps": [[t, round(random.gauss(rate + 0.4, 0.1), 3)] for t, _ in offered],
        "sent_up_mbps": offered,
        "sent_down_mbps": [[t, 2.5] for t, _ in offered],
        "lost_up": lost,
        "lost_down": [],
    }


def in_a_phase(t_ms: float) -> bool:
    """Whether anything was measured at that moment."""
    return any(begin <= t_ms < end for _, begin, end in PHASES)
