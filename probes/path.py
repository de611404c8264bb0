"""The media path that ICE found: from the browser's selected candidate pair to ``network.path``.

Names follow RFC 8445 (host, srflx, prflx, relay) and the W3C statistics ``candidateType`` and ``relayProtocol``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.measurement import Measurement, not_measured

__all__ = ["path_measurements"]

RELAYS = {"udp": "relay-udp", "tcp": "relay-tcp", "tls": "relay-tls"}


def path_measurements(data: Mapping[str, Any]) -> list[Measurement]:
    """Return ``network.path`` and ``network.setup_time`` (ms) from the page's `connect` samples.

    A test whose media never connected still has its socket, so the path is ``tcp-only``.
    """
    if data["state"] != "connected":
        no_setup = not_measured("network.setup_time", "no_media", "ms")
        return [Measurement("network.path", "tcp-only", samples=1), no_setup]
    is_relay = data.get("local_candidate_type") == "relay"
    path = RELAYS.get(str(data.get("relay_protocol")), "relay-udp") if is_relay else "udp"
    if not is_relay and data.get("protocol") == "tcp":
        path = "tcp-only"
    setup_ms = data.get("setup_ms")
    setup = (
        Measurement("network.setup_time", float(setup_ms), "ms", samples=1)
        if setup_ms is not None
        else not_measured("network.setup_time", "no_value", "ms")
    )
    return [Measurement("network.path", path, samples=1), setup]
