"""The media path: derives ``network.path`` from the candidate pair that the browser selected.

Names follow RFC 8445 (host, srflx, prflx, relay) and the W3C statistics ``candidateType`` and ``relayProtocol``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probes.measurement import Measurement, not_measured

__all__ = ["PATHS", "RELAYS", "path_measurements", "relay_measurements"]

DIRECT = frozenset({"host", "srflx", "prflx"})
RELAYS = ("relay-udp", "relay-tcp", "relay-tls")
"""The paths through a TURN server, by the protocol between browser and server."""
PATHS = {path: f"network.path_{path.replace('-', '_')}" for path in ("direct", *RELAYS)}
"""Path to the check that reports it."""


def relay_measurements(tried: Sequence[Mapping[str, Any]], *, direct: bool) -> list[Measurement]:
    """Return one measurement per path that was tried: ``open`` or ``blocked``, with set-up time and round trip in ms.

    `tried` holds path, state and, for an open path, setup_ms and rtt_ms. `direct` says whether media went without a
    relay; if not, ICE had tried that first, so the direct path is closed.
    """
    found = {PATHS["direct"]: Measurement(PATHS["direct"], "open" if direct else "blocked", samples=1)}
    for one in tried:
        check = PATHS[one["path"]]
        details = {name: float(one[name]) if name in one else None for name in ("setup_ms", "rtt_ms")}
        found[check] = Measurement(check, one["state"], samples=1, details=details)
    return list(found.values())


def path_measurements(data: Mapping[str, Any]) -> list[Measurement]:
    """Return ``network.path`` and ``network.setup_time`` (ms) from the page's `connect` samples.

    If media never connected, the test still has its socket, so the path is ``tcp-only``.
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
    """Return the path of an established connection; without its candidate it could also be a relay's."""
    candidate = data.get("local_candidate_type")
    if candidate == "relay":
        return Measurement("network.path", f"relay-{data.get('relay_protocol', 'udp')}", samples=1)
    if data.get("protocol") == "tcp":
        return Measurement("network.path", "tcp-only", samples=1)
    if candidate not in DIRECT:
        return not_measured("network.path", "no_value")
    return Measurement("network.path", "udp", samples=1)
