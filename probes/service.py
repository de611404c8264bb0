"""Whether the browser can reach the site where the meeting will be held: ``meeting_service.reachable``.

The page requests one small file from the solution's host without reading the answer (WHATWG Fetch, mode ``no-cors``: an
opaque answer proves DNS, route, TLS and server). If the first request fails it tries again, with one to us in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.measurement import Measurement, not_measured

__all__ = ["service_measurement"]

CHECK = "meeting_service.reachable"


def service_measurement(data: Mapping[str, Any]) -> Measurement:
    """Return ``open`` or ``blocked``, and the time to the answer in ms; not measured if our own server was silent too.

    `data` holds reached, own (whether our own server answered meanwhile), tries and, if it was reached, ms.
    """
    if not data["reached"] and not data["own"]:
        return not_measured(CHECK, "own_line")
    details = {"answer_ms": float(data["ms"]) if "ms" in data else None}
    value = "open" if data["reached"] else "blocked"
    return Measurement(CHECK, value, samples=int(data["tries"]), details=details)
