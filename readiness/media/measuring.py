"""From the peer's logs and the page's samples to measurements, by the formulas of `probes.network`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.measurement import Measurement
from readiness.media.lag import LagMonitor
from readiness.media.loopback import Loopback

__all__ = ["measure_clock", "measure_downlink"]

Measured = tuple[list[Measurement], dict[str, Any]]


def measure_clock(peer: Loopback | None, data: Mapping[str, Any], lag: LagMonitor) -> Measured:
    """Return the clock's measurements (rtt, jitter, loss)."""
    return [], {}


def measure_downlink(peer: Loopback | None, data: Mapping[str, Any]) -> Measured:
    """Return what paced RTP says of the way down."""
    return [], {}
