"""``python -m tests.bench --area selftest --quick``: measure an area, or all of them, and print the figures."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.figures import Figure, as_json, table

FOLDER = Path(__file__).parent
NOT_AREAS = {
    *("__init__", "__main__", "besieged", "crowd", "figures", "pages", "picture_data", "room_pictures"),
    *("sound_data", "sound_people", "sound_rooms"),
}  # fmt: skip


def areas() -> list[str]:
    """Every module of this folder with a `run(quick)`."""
    return sorted(
        path.stem
        for path in FOLDER.glob("*.py")
        if path.stem not in NOT_AREAS and not path.stem.startswith(("test_", "truth_"))
    )


def main() -> int:
    """Measure, print, and return 1 where a bar is not met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--area", choices=areas(), action="append", help="what to measure; may be given again; all without it"
    )
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--list", action="store_true", help="list the areas")
    chosen = parser.parse_args()
    if chosen.list:
        for name in areas():
            print(f"{name}\t{_module(name).__doc__.strip().splitlines()[0]}")
        return 0
    found: dict[str, list[Figure]] = {}
    for name in chosen.area or areas():
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        found[name] = asyncio.run(_module(name).run(quick=chosen.quick))
    if chosen.json:
        print(
            json.dumps({**_machine(), "areas": {name: as_json(figures) for name, figures in found.items()}}, indent=1)
        )
    else:
        print(" · ".join(f"{key} {value}" for key, value in _machine().items()))
        for name, figures in found.items():
            print(f"\n{table(name, figures)}")
    return int(any(one.verdict not in {"", "ok"} for figures in found.values() for one in figures))


def _module(name: str):
    return importlib.import_module(f"tests.bench.{name}")


def _machine() -> dict[str, object]:
    """Where and when: figures mean nothing without it."""
    return {
        "at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
