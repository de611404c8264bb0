"""The room's own PC: load, memory, disk, power, clock, link and display, by psutil and the system's own files."""

from __future__ import annotations

import importlib
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from probes.hardware.display import connected_displays
from probes.measurement import Measurement, not_measured

__all__ = ["machine_measurements", "measure_machine"]

LOOK_S: Final = 2.0
"""How long the load is looked at: this check's own start is over by then."""
NETWORKS: Final = Path("/sys/class/net")
WIRELESS: Final = re.compile(r"(?i)^(wl|wi-?fi|wireless)")
WIRED: Final = re.compile(r"(?i)^(en\d|eth|ethernet)")
UNITS: Final = {"machine.load": "pct", "machine.memory": "pct", "machine.disk": "pct", "machine.power": None}


def measure_machine(_request: object) -> dict[str, Any]:
    """Return load, memory and disk in use, percent, and whether a PC with a battery lives on it (None: has none)."""
    system = importlib.import_module("psutil")
    load_pct = system.cpu_percent(interval=LOOK_S)
    battery = system.sensors_battery() if hasattr(system, "sensors_battery") else None
    return {
        "load_pct": load_pct,
        "memory_pct": system.virtual_memory().percent,
        "disk_pct": system.disk_usage(Path.home().anchor).percent,
        "on_battery": None if battery is None or battery.power_plugged is None else not battery.power_plugged,
        "displays": connected_displays(),
        **link_of(system),
    }


def link_of(system: Any, address: str | None = None, classes: Path = NETWORKS) -> dict[str, Any]:
    """Return ``{link, link_mbps}`` of the way out: wired, wireless, other or none, and its speed where it is known.

    `system` is psutil. `address` is our own on the way out; None asks the system's routes, without sending anything.
    """
    own = own_address() if address is None else address
    for name, addresses in system.net_if_addrs().items():
        if own and any(one.address == own for one in addresses):
            states = system.net_if_stats()
            speed = states[name].speed if name in states else 0
            return {"link": _kind(name, classes), "link_mbps": speed or None}
    return {"link": "none" if not own else "other", "link_mbps": None}


def own_address() -> str:
    """Return the address that this PC would send from, or nothing where there is no way out."""
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            try:
                one.connect((far, 9))
                return str(one.getsockname()[0])
            except OSError:
                continue
    return ""


def _kind(name: str, classes: Path) -> str:
    if (classes / name / "wireless").exists() or WIRELESS.match(name):
        return "wireless"
    if sys.platform == "linux":
        return "wired" if (classes / name / "device").exists() else "other"
    return "wired" if WIRED.match(name) else "other"


def machine_measurements(found: Mapping[str, Any]) -> list[Measurement]:
    """Return the measurements from the result of `measure_machine`; a cause in ``error`` applies to all of them."""
    if found.get("error"):
        return [not_measured(check, str(found["error"]), unit) for check, unit in UNITS.items()]
    numbers = [
        Measurement(f"machine.{name}", float(found[f"{name}_pct"]), "pct", samples=1) for name in ("load", "memory")
    ]
    unwritable = {"unwritable": int(bool(found.get("unwritable")))}
    numbers.append(Measurement("machine.disk", float(found["disk_pct"]), "pct", samples=1, details=unwritable))
    if found["on_battery"] is not None:
        numbers.append(Measurement("machine.power", "battery" if found["on_battery"] else "mains", samples=1))
    if found.get("displays") is not None:
        numbers.append(Measurement("machine.display", int(found["displays"]), samples=1))
    if found.get("link") is not None:
        speed = found.get("link_mbps")
        kind = "connected" if found["link"] == "wired" and speed is None else str(found["link"])
        numbers.append(Measurement("machine.link", kind, samples=1, details={"link_mbps": speed}))
    return numbers
