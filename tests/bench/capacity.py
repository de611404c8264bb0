"""How many people can take a whole self-test at once on this machine, with every figure still inside its bar."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.integration.support import serving

__all__ = ["run"]

PLACES = 12
LONGEST_S = 240.0
RTT_MS, JITTER_MS, LOSS_PCT = 5.0, 15.0, 0.0
"""Bars on loopback, where the truth is next to nothing. Jitter has the crowd's own lateness in it."""


async def run(*, quick: bool = False) -> list[Figure]:
    """Send 13 people (5 in a quick run) to a server with 12 (4) places."""
    places = 4 if quick else PLACES
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), "--demo", CAPACITY=str(places)) as server:
        async with _crowd(server.base, places + 1) as found:
            people = found["people"]
    samples: dict[str, list[float]] = defaultdict(list)
    for person in people:
        _take(person, samples)
    waited = [person for person in people if person.get("queued")]
    figures = [
        Figure(f"people at once: {places}, all figures inside their bars", "of 1", samples["whole"], at_least=1.0),
        Figure("the next one was queued", "", [float(len(waited))], at_least=1.0),
        Figure("wrong failures", "", samples["wrong"], at_most=0.0),
        Figure("checks that said server_busy", "", samples["busy"]),
        Figure("server CPU, media worker", "CPU-s", samples["cpu"]),
        Figure("crowd's own CPU, each", "CPU-s", [found["client_cpu_s"] / len(people)]),
        Figure("test took", "s", samples["took"]),
    ]
    return [*figures, *(Figure(name, unit, samples[name]) for name, unit in UNITS.items())]


UNITS = {"rtt": "ms", "jitter_up": "ms", "jitter_down": "ms", "loss_up": "%", "loss_down": "%",
         "throughput_up": "Mbit/s", "throughput_down": "Mbit/s"}  # fmt: skip


def _take(person: dict[str, Any], samples: dict[str, list[float]]) -> None:
    if "error" in person:
        print(f"  {person['error']}", file=sys.stderr)
        samples["whole"].append(0.0)
        return
    report = person["report"]
    network = {one["id"].removeprefix("network."): one for one in report["checks"] if one["id"].startswith("network.")}
    for name in UNITS:
        if network[name]["value"] is not None:
            samples[name].append(network[name]["value"])
    value = {name: one["value"] for name, one in network.items()}
    whole = all(value[name] is not None for name in UNITS) and (
        value["rtt"] <= RTT_MS
        and max(value["jitter_up"], value["jitter_down"]) <= JITTER_MS
        and max(value["loss_up"], value["loss_down"]) <= LOSS_PCT
        and all(network[f"throughput_{way}"]["outcome"] == "pass" for way in ("up", "down"))
    )
    samples["whole"].append(float(whole))
    samples["wrong"].append(float(sum(one["outcome"] == "fail" for one in network.values())))
    samples["busy"].append(float(sum(one["cause"] == "server_busy" for one in network.values())))
    samples["cpu"].append(report["server_cpu_s"])
    samples["took"].append(person["took_s"])
    if not whole:
        print(f"  {json.dumps(value)}", file=sys.stderr)


@contextlib.asynccontextmanager
async def _crowd(base: str, count: int) -> AsyncIterator[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.crowd", base, str(count), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            said, _ = await process.communicate()
        yield json.loads(said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
