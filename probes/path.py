"""The media path that ICE found: from the browser's selected candidate pair to ``network.path``.

Names follow RFC 8445 (host, srflx, prflx, relay) and the W3C statistics ``candidateType`` and ``relayProtocol``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.measurement import Measurement, not_measured

__all__ = ["path_measurements"]

DIRECT = frozenset({"host", "srflx", "prflx"})
RELAYS = {"udp": "relay-udp", "tcp": "relay-tcp", "tls": "relay-tls"}


def path_measurements(data: Mapping[str, Any]) -> list[Measurement]:
    """Return ``network.path`` and ``network.setup_time`` (ms) from the page's `connect` samples.

    A test whose media never connected still has its socket, so the path is ``tcp-only``.
    """
    if data["state"] != "connected":
        no_setup = not_measured("network.setup_time", "no_media", "ms")
        return [Measurement("network.path", "tcp-only", samples=1), no_setup]
    setup_ms = data.get("setup_ms")
    setup = (
        Measurement("network.setup_time", float(setup_ms), "ms", samples=1)
        if setup_ms is not None
        else not_measured("network.setup_time", "no_value", "ms")
    )
    return [_path(data), setup]


def _path(data: Mapping[str, Any]) -> Measurement:
    """Return the path of a connection that came about; without its candidate it may as well be a relay's."""
    candidate = data.get("local_candidate_type")
    if candidate == "relay":
        return Measurement("network.path", RELAYS.get(str(data.get("relay_protocol")), "relay-udp"), samples=1)
    if data.get("protocol") == "tcp":
        return Measurement("network.path", "tcp-only", samples=1)
    if candidate not in DIRECT:
        return not_measured("network.path", "no_value")
    return Measurement("network.path", "udp", samples=1)
