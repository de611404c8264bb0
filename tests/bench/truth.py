"""Right on strangers: every bar on people and places that set no limit, picture and sound, shares with intervals.

``python -m tests.bench --area truth``. Each module ``truth_*.py`` of this folder is a part, with a `run(quick)` of its
own that may also be run alone: ``python -m tests.bench.truth picture``. Material is split in two by a hash of its name
(`figures.half_of`): limits are set on one half, the figures are those of the other. The lines come first and alone,
because whatever runs beside them makes them late; then the other parts, as many at once as there are cores.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.bench import sound_people, strangers
from tests.bench.figures import Figure, table

FOLDER = Path(__file__).parent
ALONE = {"thin"}
LONGEST = ("sound", "picture")
"""Parts to begin with, so that none of them is left for the end."""


def parts() -> list[str]:
    """Return the names of the parts: what stands behind ``truth_`` in the modules' names."""
    return sorted(path.stem.removeprefix("truth_") for path in FOLDER.glob("truth_*.py"))


async def run(*, quick: bool, chosen: list[str] | None = None) -> list[Figure]:
    """Return every figure of the chosen parts, or of all."""
    wanted = chosen or parts()
    found = {part: await _module(part).run(quick=quick) for part in wanted if part in ALONE}
    beside = sorted((part for part in wanted if part not in ALONE), key=lambda part: part not in LONGEST)
    if beside:
        strangers.fetch()
        sound_people.fetch()
        found |= await asyncio.to_thread(_at_once, beside, quick)
    return [figure for part in wanted for figure in found[part]]


def _at_once(beside: list[str], quick: bool) -> dict[str, list[Figure]]:
    """Run each part in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(beside), os.cpu_count() or 1), context) as pool:
        running = {part: pool.submit(_figures, part, quick) for part in beside}
        return {part: future.result() for part, future in running.items()}


def _figures(part: str, quick: bool) -> list[Figure]:
    print(f"  truth: {part} ...", file=sys.stderr, flush=True)
    return asyncio.run(_module(part).run(quick=quick))


def _module(part: str):
    return importlib.import_module(f"tests.bench.truth_{part}")


if __name__ == "__main__":
    print(
        table("truth", asyncio.run(run(quick="--quick" in sys.argv, chosen=[p for p in sys.argv[1:] if p in parts()])))
    )
