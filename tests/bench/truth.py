"""Right on strangers: every bar on people and places that set no limit, picture and sound, shares with intervals.

``python -m tests.bench --area truth``. Each module ``truth_*.py`` of this folder is a part, with a `run(quick)` of its
own that may also be run alone: ``python -m tests.bench.truth picture``. Material is split in two by a hash of its name
(`figures.half_of`): limits are set on one half, the figures are those of the other.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

from tests.bench.figures import Figure, table

FOLDER = Path(__file__).parent


def parts() -> list[str]:
    """Return the names of the parts: what stands behind ``truth_`` in the modules' names."""
    return sorted(path.stem.removeprefix("truth_") for path in FOLDER.glob("truth_*.py"))


async def run(*, quick: bool, chosen: list[str] | None = None) -> list[Figure]:
    """Return every figure of the chosen parts, or of all."""
    found: list[Figure] = []
    for part in chosen or parts():
        print(f"  truth: {part} ...", file=sys.stderr, flush=True)
        found += await importlib.import_module(f"tests.bench.truth_{part}").run(quick=quick)
    return found


if __name__ == "__main__":
    print(
        table("truth", asyncio.run(run(quick="--quick" in sys.argv, chosen=[p for p in sys.argv[1:] if p in parts()])))
    )
