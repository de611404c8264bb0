"""Whether the person's browser reaches the page that the meeting will be held on: ``meeting_service.reachable``.

The page asks for one small file of the solution's own host without reading the answer (WHATWG Fetch, mode ``no-cors``:
an opaque answer proves name, way, TLS and server), twice where the first is in vain, and for one of ours in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.measurement import Measurement, not_measured

__all__ = ["service_measurement"]

CHECK = "meeting_service.reachable"


def service_measurement(data: Mapping[str, Any]) -> Measurement:
    """Return ``open`` or ``blocked``, and the time to the answer in ms; not measured where our own page was silent too.

    `data`: reached, own (whether our own server answered meanwhile), tries, and ms where it was reached.
    """
    if not data["reached"] and not data["own"]:
        return not_measured(CHECK, "own_line")
    details = {"answer_ms": float(data["ms"]) if "ms" in data else None}
    value = "open" if data["reached"] else "blocked"
    return Measurement(CHECK, value, samples=int(data["tries"]), details=details)
