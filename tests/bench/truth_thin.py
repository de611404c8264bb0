"""Lines that are thin in both directions: each direction's own rate, or that it was not measured, and nothing else.

What arrived downwards is told over the uplink, so a full uplink must not make the downlink look slow. Real Chromium on
emulated links (`tests.link`); the truth is the link's own rate. Nothing was tuned on these pairs.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench.figures import Figure, rate
from tests.link.drive import check, network_page, network_part
from tests.link.lab import Lab, lab_unavailable
from tests.link.model import Direction, Link

__all__ = ["run"]

PAIRS_MBPS: Final = (
    (0.6, 0.6), (0.3, 0.6), (0.6, 0.3), (0.3, 0.3), (0.4, 0.4), (1.0, 1.0), (1.2, 0.6), (0.6, 1.2), (0.25, 1.5),
)  # fmt: skip
"""Upwards, downwards."""
QUEUES_MS: Final = (50.0, 200.0, 1000.0)
DELAYS_MS: Final = (10.0, 60.0)
OFF: Final = 0.1
"""A rate is wrong that is further than this share of it from the truth: the bar."""
LATE_S: Final = 0.004
"""Where the emulator itself was later than this for 1 % of the packets, the run is told to be void, and left out."""
RUN_S: Final = 60.0
"""Longest wait for one network part: it ends a bench that hangs, and measures nothing."""
WAYS: Final = ("up", "down")


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of one direction whose rate is known."""

    way: str
    true_mbps: float
    value_mbps: float | None
    cause: str | None

    @property
    def off(self) -> float | None:
        """How far the value is from the truth, as a share of it; None where there is no value."""
        return None if self.value_mbps is None else self.value_mbps / self.true_mbps - 1


async def run(*, quick: bool) -> list[Figure]:
    """Return how near the rates are, on every pair with every queue; on one of each where `quick`."""
    if reason := lab_unavailable():
        print(f"  no lab: {reason}", file=sys.stderr)
        return []
    said: list[Said] = []
    void = 0
    with tempfile.TemporaryDirectory() as folder, Lab(Link(), seed=1) as lab:
        async with network_page(lab, Path(folder), CAPACITY="2") as page:
            for link in links(quick=quick):
                lab.change(link)
                await asyncio.sleep(1.5)
                since = time.monotonic()
                async with asyncio.timeout(RUN_S):
                    found = await network_part(page)
                late_s = _late_s(lab, since)
                is_void = late_s > LATE_S
                void += is_void
                both = [_said(found, way, link) for way in WAYS]
                said += [] if is_void else both
                print(f"  {_line(link, both)}{' void: the emulator was late' if is_void else ''}", file=sys.stderr)
    return [*figures(said), Figure("thin both ways: void runs", "", [float(void)])]


def links(*, quick: bool) -> Iterator[Link]:
    """Yield every pair with queues and delays that go through their values."""
    for n, (up, down) in enumerate(PAIRS_MBPS):
        for k, queue_ms in enumerate(QUEUES_MS[n % 3 : n % 3 + 1] if quick else QUEUES_MS):
            delay_ms = DELAYS_MS[(n + k) % 2]
            yield Link(Direction(up, queue_ms, delay_ms), Direction(down, queue_ms, delay_ms))


def figures(said: Sequence[Said]) -> list[Figure]:
    """Return the shares of rates that are wrong and that are missing, each direction, and how far off the rest are."""
    made = []
    for way in WAYS:
        mine = [one for one in said if one.way == way]
        offs = [abs(one.off) for one in mine if one.off is not None]
        name = f"thin both ways, {way}"
        made.append(rate(f"{name}: rate wrong by over 10 %", [off > OFF for off in offs], at_most=0))
        made.append(rate(f"{name}: not measured", [one.off is None for one in mine]))
        made.append(Figure(f"{name}: rate off by", "%", [100 * off for off in offs]))
    return made


def _said(found: Mapping[str, Any], way: str, link: Link) -> Said:
    one = check(dict(found), f"throughput_{way}")
    true_mbps = (link.up if way == "up" else link.down).rate_mbps
    return Said(way, true_mbps or 0.0, one["value"], one["cause"])


def _late_s(lab: Lab, since: float) -> float:
    logs = [lab.log(way).select(since=since) for way in ("up", "down")]
    late = sorted(float(one) for log in logs for one in log.late_s[log.passed])
    return late[int(0.99 * len(late))] if late else 0.0


def _line(link: Link, both: Sequence[Said]) -> str:
    told = ", ".join(
        f"{one.way} {one.true_mbps}: {one.cause if one.value_mbps is None else f'{one.value_mbps:.3f}'}" for one in both
    )
    return f"queue {link.up.queue_ms:.0f} ms, delay {link.up.delay_ms:.0f} ms: {told}"


if __name__ == "__main__":
    from tests.bench.figures import table

    print(table("truth", asyncio.run(run(quick="--quick" in sys.argv))))
