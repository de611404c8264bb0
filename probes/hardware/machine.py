"""The room's own PC: load, memory, disk and power, by psutil."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from probes.measurement import Measurement, not_measured

__all__ = ["machine_measurements", "measure_machine"]

LOOK_S: Final = 2.0
"""How long the load is measured; long enough that this check's own start does not dominate."""
UNITS: Final = {"machine.load": "pct", "machine.memory": "pct", "machine.disk": "pct", "machine.power": None}


def measure_machine(_request: object) -> dict[str, Any]:
    """Return load, memory and disk in use, percent, and whether the PC runs on its battery (None: has none)."""
    system = importlib.import_module("psutil")
    load_pct = system.cpu_percent(interval=LOOK_S)
    battery = system.sensors_battery() if hasattr(system, "sensors_battery") else None
    return {
        "load_pct": load_pct,
        "memory_pct": system.virtual_memory().percent,
        "disk_pct": system.disk_usage(Path.home().anchor).percent,
        "on_battery": None if battery is None or battery.power_plugged is None else not battery.power_plugged,
    }


def machine_measurements(found: Mapping[str, Any]) -> list[Measurement]:
    """Return the measurements from the result of `measure_machine`; a cause in ``error`` applies to all of them."""
    if found.get("error"):
        return [not_measured(check, str(found["error"]), unit) for check, unit in UNITS.items()]
    numbers = [
        Measurement(f"machine.{name}", float(found[f"{name}_pct"]), "pct", samples=1)
        for name in ("load", "memory", "disk")
    ]
    if found["on_battery"] is not None:
        numbers.append(Measurement("machine.power", "battery" if found["on_battery"] else "mains", samples=1))
    return numbers
