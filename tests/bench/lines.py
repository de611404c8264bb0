"""Network figures of real Chromium runs on emulated links, each held against the link's own log of every packet."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.link.drive import check, network_page, network_part
from tests.link.lab import UDP, Lab, PacketLog, lab_unavailable
from tests.link.model import Bursts, Direction, Link
from tests.link.starve import busy_loops
from tests.patience import BUSY

__all__ = ["run"]

IDLE_SIZES = (118, 122)
"""Our idle packets on the wire, bytes; pings and their answers are 117 and 133."""
BIG = 800
RTTS_MS = (2, 5, 10, 20, 40, 60, 90, 120, 180, 250, 400, 600)
RUN_S = 60.0
STARVED_AFTER_S = 1.5
VOID_LATE_S = 0.004
"""A run in which the emulator itself was later than this for 1 % of the packets tells nothing; it is run again."""


async def run(*, quick: bool = False) -> list[Figure]:
    """Measure and return the figures."""
    if reason := lab_unavailable():
        print(f"  no lab: {reason}", file=sys.stderr)
        return []
    samples: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, Lab(Link(), seed=1) as lab:
        async with network_page(lab, Path(folder), CAPACITY="2") as page:
            bench = _Bench(lab, page, samples)
            for rtt_ms in RTTS_MS[:: 3 if quick else 1]:
                await bench.delay(rtt_ms)
            for link in _lossy(4 if quick else 10):
                await bench.loss(link)
            for link in _thin(6 if quick else 20):
                await bench.rate(link)
            for _ in range(2 if quick else 5):
                await bench.good()
            for _ in range(3 if quick else 20):
                await bench.starved()
    return _figures(samples)


class _Bench:
    def __init__(self, lab: Lab, page: Any, samples: dict[str, list[float]]) -> None:
        self._lab, self._page, self._samples = lab, page, samples

    async def delay(self, rtt_ms: float) -> None:
        way = Direction(rate_mbps=50, delay_ms=rtt_ms / 2)
        found, up, down = await self._measured(Link(up=way, down=way))
        value = check(found, "rtt")["value"]
        self._note("rtt error", abs(value - rtt_ms) if value is not None else 999.0, f"{rtt_ms} ms: {value}")
        self._note(
            "rtt error over its bar", abs(value - rtt_ms) / max(5.0, 0.03 * rtt_ms) if value is not None else 9.0
        )
        self._jitter(found, up, down)

    async def loss(self, link: Link) -> None:
        found, up, down = await self._measured(link)
        self._jitter(found, up, down)
        for way, log in (("up", up), ("down", down)):
            one = check(found, f"loss_{way}")
            media = log.select(protocol=UDP, min_size=BIG)
            idle = log.select(protocol=UDP, min_size=IDLE_SIZES[0], max_size=IDLE_SIZES[1])
            lost, sent = media.lost + idle.lost, len(media) + len(idle)
            if one["value"] is None or one["samples"] != sent:
                print(f"  {way}: {one['samples']} counted of {sent}: {one['cause']}", file=sys.stderr)
            error = abs(one["value"] - 100 * lost / sent) if one["value"] is not None else 99.0
            packets = abs(one["details"].get("lost", 0) - lost)
            said = f"{way} {one['value']} % of {one['samples']}, truth {lost} of {sent}"
            self._note("loss error, packets", packets, said)
            self._note("loss wrong (3 packets or 0.2 points)", float(packets > 3 and error > 0.2))

    async def rate(self, link: Link) -> None:
        found, _, _ = await self._measured(link)
        for way, direction in (("up", link.up), ("down", link.down)):
            one = check(found, f"throughput_{way}")
            value, truth = one["value"], direction.rate_mbps
            error = 100.0 * abs(value / truth - 1) if value is not None and truth else 100.0
            self._note("rate error", error, f"{way} {value} of {truth}, queue {direction.queue_ms} {one['cause']}")
            self._note("rate wrong (6 %)", float(error > 6.0))
            tier = next((name for name, need in TIERS if need <= (truth or 99)), "none")
            self._note("tier wrong", float(one["details"].get("tier") != tier))
        said_ms = next((mark[0] for mark in found["marks"] if mark[2] == "stop"), found["took_ms"])
        self._note("too thin said after", said_ms / 1000)

    async def good(self) -> None:
        link = Link(up=Direction(rate_mbps=10, delay_ms=10), down=Direction(rate_mbps=20, delay_ms=10))
        found, up, down = await self._measured(link)
        self._note("good line: time", found["took_ms"] / 1000)
        self._note("good line: bytes both ways", (int(up.size.sum()) + int(down.size.sum())) / 1e6)
        self._note("good line: passed", float(all(check(found, one)["outcome"] == "pass" for one in CHECKS)))

    async def starved(self) -> None:
        """Four busy loops from the middle of the test on: nothing may fail, and the machine takes the blame."""
        way = Direction(rate_mbps=20, delay_ms=10)
        self._lab.change(Link(up=way, down=way))
        running = asyncio.create_task(network_part(self._page))
        await asyncio.sleep(STARVED_AFTER_S)
        with busy_loops():
            async with asyncio.timeout(RUN_S):
                found = await running
        network = [one for one in found["report"]["checks"] if one["id"].startswith("network.")]
        failed = [(one["id"], one["value"]) for one in network if one["outcome"] == "fail"]
        self._note("starved: wrong failures", float(len(failed)), str(failed) if failed else "")
        busy = any(one["cause"] in BUSY for one in network)
        whole = all(one["outcome"] in {"pass", "skipped"} for one in network)
        self._note("starved: busy said, or all passed", float(busy or whole))
        self._note("starved: busy said", float(busy))

    async def _measured(self, link: Link) -> tuple[dict[str, Any], PacketLog, PacketLog]:
        for _ in range(3):
            self._lab.change(link)
            await asyncio.sleep(0.7)
            since = time.monotonic()
            async with asyncio.timeout(RUN_S):
                found = await network_part(self._page)
            up, down = self._lab.log("up").select(since=since), self._lab.log("down").select(since=since)
            late = sorted([*up.late_s[up.passed], *down.late_s[down.passed]])
            if late[int(0.99 * len(late))] <= VOID_LATE_S:
                break
            print("  the emulator was late; again", file=sys.stderr)
        busy = [one["id"] for one in found["report"]["checks"] if one["cause"] == "server_busy"]
        self._note("server busy", float(bool(busy)))
        return found, up, down

    def _jitter(self, found: dict[str, Any], up: PacketLog, down: PacketLog) -> None:
        for way, log in (("up", up), ("down", down)):
            idle = log.select(protocol=UDP, min_size=IDLE_SIZES[0], max_size=IDLE_SIZES[1])
            value = check(found, f"jitter_{way}")["value"]
            if value is None or not idle.passed.any():
                continue
            truth = idle.extra_delay_p95_ms
            self._note(f"extra delay p95 error, {way}", abs(value - truth), f"{way} {value:.2f}, truth {truth:.2f}")
            self._note("extra delay over its bar (2 ms or 15 %)", abs(value - truth) / max(2.0, 0.15 * truth))

    def _note(self, name: str, value: float, said: str = "") -> None:
        self._samples[name].append(value)
        if said:
            print(f"  {name} {value:.2f}: {said}", file=sys.stderr, flush=True)


CHECKS = ("path", "rtt", "jitter_up", "jitter_down", "loss_up", "loss_down", "throughput_up", "throughput_down")
TIERS = (("720p", 1.5), ("360p", 0.65), ("audio", 0.1))


MUST_BE_ALL = {"good line: passed", "starved: busy said, or all passed"}


def _lossy(count: int) -> list[Link]:
    """Random and bursty loss, with and without jitter."""
    seeded = random.Random(3)
    return [Link(up=_lossy_way(seeded), down=_lossy_way(seeded)) for _ in range(count)]


def _lossy_way(seeded: random.Random) -> Direction:
    loss_pct = seeded.choice((0.5, 1.0, 2.0, 5.0))
    burst = Bursts(into_pct=loss_pct / (100 - loss_pct) * 25, out_pct=25) if seeded.random() < 0.4 else None
    delay_ms, jitter_ms = seeded.uniform(5, 80), seeded.choice((0, 5, 15, 30))
    return Direction(
        rate_mbps=20, delay_ms=delay_ms, jitter_ms=jitter_ms, loss_pct=0 if burst else loss_pct, burst=burst
    )


def _thin(count: int) -> list[Link]:
    """Rates below the probe's 1.875 Mbit/s, not within 6 % of what a tier needs."""
    seeded = random.Random(5)
    return [Link(up=_thin_way(seeded), down=_thin_way(seeded)) for _ in range(count)]


def _thin_way(seeded: random.Random) -> Direction:
    while True:
        rate = round(seeded.uniform(0.2, 1.75), 3)
        if all(abs(rate / need - 1) > 0.06 for _, need in TIERS):
            break
    queue_ms, jitter_ms = seeded.choice((50, 100, 200, 500, 1000)), seeded.choice((0, 0, 5, 10))
    return Direction(rate_mbps=rate, delay_ms=seeded.uniform(5, 100), queue_ms=queue_ms, jitter_ms=jitter_ms)


def _figures(samples: dict[str, list[float]]) -> list[Figure]:
    bars = {
        "rate wrong (6 %)": 0.05,
        "tier wrong": 0.03,
        "rtt error over its bar": 1.0,
        "extra delay over its bar (2 ms or 15 %)": 1.0,
        "loss wrong (3 packets or 0.2 points)": 0.0,
        "too thin said after": 5.0,
        "starved: wrong failures": 0.0,
        "good line: time": 8.0,
        "good line: bytes both ways": 2.0,
    }
    units = {"error": "ms", "rate error": "%", "time": "s", "after": "s", "bytes": "MB"}
    figures = []
    for name, values in samples.items():
        unit = next((found for word, found in units.items() if word in name), "")
        shown = [sum(values) / len(values)] if "wrong" in name or "busy" in name or "passed" in name else values
        at_least = 1.0 if name in MUST_BE_ALL else None
        figures.append(Figure(f"{name} ({len(values)} runs)", unit, shown, at_most=bars.get(name), at_least=at_least))
    return figures
