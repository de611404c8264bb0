"""From the peer's logs and the page's samples to measurements, by the formulas of `probes.network`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from probes.measurement import Measurement, not_measured
from probes.network import (
    DownlinkRate,
    Feedback,
    PingLog,
    clock_measurements,
    downlink_rate,
    parse_twcc,
    throughput_measurement,
)
from readiness.media.downlink import DownlinkLog
from readiness.media.lag import LagMonitor
from readiness.media.loopback import Loopback

__all__ = ["Measured", "measure_clock", "measure_downlink"]

Measured = tuple[list[Measurement], dict[str, Any]]
_PACKET_NUMBERS = 0xFFFF
_MAX_SLIPPED = 0.05
"""Share of the schedule we may miss before a low rate is our own."""
_CARRIED = 0.9
"""A line that delivered this share of what was sent did not hold it back."""


def measure_clock(peer: Loopback | None, data: Mapping[str, Any], lag: LagMonitor) -> Measured:
    """Return the clock's measurements. The numbers say how late we were ourselves while it ran."""
    rows = peer.clock.rows if peer else []
    found = clock_measurements(
        data.get("rows") or (),
        sent=int(data.get("sent") or 0),
        tags=data.get("tags") or {},
        server=[PingLog(row.seq, row.t2_us, row.t3_us) for row in rows],
    )
    lag_ms = _lag_during(peer, lag)
    numbers = {
        "pings": len(rows),
        "ignored": peer.clock.ignored if peer else 0,
        "unanswered": sum(row.t3_us is None for row in rows),
        "server_lag_p99_ms": lag_ms,
    }
    return [_with_detail(measurement, "server_lag_p99_ms", lag_ms) for measurement in found], numbers


def measure_downlink(peer: Loopback | None, data: Mapping[str, Any]) -> Measured:
    """Return what paced RTP, and TCP where `data` says so, proves of the way down.

    `data` is the page's final sample; loss is its own count (feedback gets lost too), `tcp_mbps` may be added.
    """
    log = peer.downlink if peer else None
    rate = None
    if peer and log:
        sent = {number & _PACKET_NUMBERS: at_ms for number, at_ms in log.sent.items()}
        rate = downlink_rate(sent, _parsed(peer.feedback), log.wire_bytes)
    received, lost = _count(data, "packets_received"), _count(data, "packets_lost")
    loss_pct = 100.0 * max(lost, 0) / (received + max(lost, 0)) if received > 0 else None
    busy = log is not None and rate is not None and _held_back(log, rate)
    tcp_mbps = data.get("tcp_mbps")
    if busy and log and (tcp_mbps or 0.0) < log.rate_mbps:
        measurement = not_measured("network.throughput_down", "server_busy", "mbps")
    else:
        measurement = throughput_measurement(
            "down",
            tcp_mbps=tcp_mbps,
            rtp_mbps=rate.rate_mbps if rate else None,
            loss_pct=loss_pct,
            samples=rate.packets if rate else 0,
            cause="not_reached" if peer is None else "too_few_samples",
        )
    numbers: dict[str, Any] = {
        "rtp_mbps": rate.rate_mbps if rate else None,
        "loss_pct": loss_pct,
        "samples": rate.packets if rate else 0,
        "extra_delay_p95_ms": rate.extra_delay_p95_ms if rate else None,
        "missing_pct": rate.missing_pct if rate else None,
        "slipped_ms": round(log.slipped_ms, 1) if log else None,
        "rate_mbps": log.rate_mbps if log else None,
        "server_busy": busy,
    }
    return [measurement], numbers


def _held_back(log: DownlinkLog, rate: DownlinkRate) -> bool:
    """Whether we ourselves sent clearly less than asked and the line carried what we sent: our fault, not its."""
    slipped = log.slipped_ms / max(log.span_ms, 1.0)
    offered_mbps = len(log.sent) * log.wire_bytes * 8.0 / 1000.0 / max(log.span_ms, 1.0)
    return slipped > _MAX_SLIPPED and rate.rate_mbps >= _CARRIED * offered_mbps


def _parsed(feedback: Sequence[bytes]) -> list[Feedback]:
    """Return the feedback that can be read; nonsense is left out, as if it had been lost."""
    found = []
    for fci in feedback:
        try:
            found.append(parse_twcc(fci))
        except ValueError:
            continue
    return found


def _lag_during(peer: Loopback | None, lag: LagMonitor) -> float | None:
    """Return the 99th percentile of our event loop's lag while pings came in, ms."""
    window = peer.clock_window_s() if peer else None
    found = lag.p99_ms(*window) if window else None
    return None if found is None else round(found, 2)


def _with_detail(measurement: Measurement, name: str, value: float | None) -> Measurement:
    return replace(measurement, details={**measurement.details, name: value})


def _count(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0
