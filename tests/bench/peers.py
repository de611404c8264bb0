"""Side by side on the same emulated links: speedtest-cli, @cloudflare/speedtest, iperf3, irtt, and our network part.

LibreSpeed is left out: no registry has its client (the package of that name on PyPI is empty).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from tests.bench.figures import Figure
from tests.browser.person import Person, check
from tests.integration.support import ROOT, ServerProcess
from tests.link.lab import ADDRESSES, Lab, lab_unavailable
from tests.link.model import Direction, Link

__all__ = ["run"]

SEED = 1
SERVER = ADDRESSES["server"]
PEERS = ROOT / ".cache" / "peers"
CLOUDFLARE = "@cloudflare/speedtest@1.14.1"
CLOUDFLARE_PORT, IPERF_PORT, IRTT_PORT = "8090", "5201", "2112"
IPERF_S, IRTT_S = 5, 10
OTHER_PHASES = frozenset({"devices", "picture", "sound", "speaker", "practical", "finish"})
GOOD = "20/10 Mbit/s, 20 ms"
OURS = "our network part"
MOST_S, MOST_MB = 8.0, 2.0
"""Bars of our own network part on the good line."""
CATCH_SPEED = """
window.caughtSpeeds = [];
document.addEventListener("readiness:speed", ({ detail }) => window.caughtSpeeds.push(detail));
"""


def link(up_mbps: float, down_mbps: float, rtt_ms: float, loss_pct: float = 0.0) -> Link:
    """A link with the same delay and loss each way and the usual queue."""
    ways = [Direction(rate_mbps=rate, delay_ms=rtt_ms / 2, loss_pct=loss_pct) for rate in (up_mbps, down_mbps)]
    return Link(up=ways[0], down=ways[1])


LINKS = {
    GOOD: link(10, 20, 20),
    "4/2 Mbit/s, 60 ms, 2 % loss": link(2, 4, 60, 2.0),
    "3/1.5 Mbit/s, 60 ms": link(1.5, 3, 60),
}


@dataclass
class Row:
    """What a tool found; None is what it does not tell."""

    tool: str
    down_mbps: float | None = None
    up_mbps: float | None = None
    rtt_ms: float | None = None
    loss_down_pct: float | None = None
    loss_up_pct: float | None = None
    at_least: frozenset[str] = frozenset()
    """Directions whose rate was proven and not measured."""
    note: str = ""
    began: float = 0.0
    """On ``time.monotonic()``, as the emulator's log."""
    ended: float = 0.0
    wire_mb: float = 0.0
    """Both ways, IP heads included, by the emulator's log."""
    lost_down_pct: float = float("nan")
    """What the emulator did to packets meanwhile: drops of a full queue too."""
    lost_up_pct: float = float("nan")

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class Bench:
    """What every tool needs."""

    lab: Lab
    server: ServerProcess
    browser: Browser
    folder: Path


Tool = Callable[[Bench, Row], Awaitable[None]]


async def run(*, quick: bool) -> list[Figure]:
    """Run every tool on every link, one after the other; quick: the good line only, without the slowest."""
    if reason := lab_unavailable():
        print(f"  no link lab: {reason}", file=sys.stderr)
        return [Figure("links measured", "", [])]
    install()
    found: list[Figure] = []
    for name, shape in list(LINKS.items())[: 1 if quick else None]:
        rows = await on(shape, [tool for tool in TOOLS if not (quick and tool == "@cloudflare/speedtest")])
        print(told(name, shape, rows), file=sys.stderr, flush=True)
        for row in rows:
            found += figures(name, shape, row)
    return found


def install() -> None:
    """Fetch the package that is no dependency of ours, by name, into the cache; speedtest-cli the tests have."""
    if not (PEERS / "node_modules" / "@cloudflare" / "speedtest").exists():
        PEERS.mkdir(parents=True, exist_ok=True)
        command = [
            "npm",
            "install",
            "--prefix",
            PEERS,
            "--no-fund",
            "--no-audit",
            "--ignore-scripts",
            "--loglevel=error",
        ]
        subprocess.run([*command, CLOUDFLARE], check=True, stdout=sys.stderr)


async def on(shape: Link, tools: list[str]) -> list[Row]:
    """Run `tools` on one link."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder, Lab(shape, SEED) as lab:
        server = await asyncio.to_thread(lab.serve, Path(folder))
        dist = PEERS / "node_modules" / "@cloudflare" / "speedtest" / "dist"
        cloudflare = [sys.executable, "-m", "tests.bench.side_by_side.cloudflare", SERVER, CLOUDFLARE_PORT, dist]
        turn = [
            "turnserver", "-n", "-a", "-u", "u:p", "-r", "lab", "--listening-ip", SERVER, "--relay-ip", SERVER,
            "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--pidfile", f"{folder}/turn.pid",
            "--allow-loopback-peers",
        ]  # fmt: skip
        for command in (
            cloudflare, turn, ["iperf3", "-s", "-B", SERVER, "-p", IPERF_PORT],
            ["irtt", "server", "-b", f"{SERVER}:{IRTT_PORT}"],
        ):  # fmt: skip
            lab.popen("server", command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        async with async_playwright() as playwright:
            origins = f"{server.base},http://{SERVER}:{CLOUDFLARE_PORT}"
            browser = await lab.chromium(playwright, base=origins)
            bench = Bench(lab, server, browser, Path(folder))
            for tool in tools:
                rows.append(await one(bench, tool))
                print(f"  {tool}: {rows[-1].seconds:.1f} s {rows[-1].note}", file=sys.stderr, flush=True)
            await browser.close()
    return rows


async def one(bench: Bench, tool: str) -> Row:
    """Run one tool and add what the emulator saw meanwhile."""
    row = Row(tool)
    await asyncio.sleep(1.0)
    row.began = time.monotonic()
    try:
        await TOOLS[tool](bench, row)
    except Exception as error:
        row.note = f"failed: {type(error).__name__} {str(error)[:100]}"
    row.ended = row.ended or time.monotonic()
    logs = {way: bench.lab.log(way).select(since=row.began, until=row.ended) for way in ("up", "down")}
    row.wire_mb = sum(int(log.size.sum()) for log in logs.values()) / 1e6
    row.lost_down_pct, row.lost_up_pct = logs["down"].loss_pct, logs["up"].loss_pct
    return row


# ---- the tools


async def ours(bench: Bench, row: Row) -> None:
    """Our self-test page; the clock runs from its offer to the last figure of the network part."""
    context = await bench.browser.new_context(viewport={"width": 360, "height": 740}, locale="nb-NO")
    person = Person(await context.new_page())
    marks: list[float] = []
    person.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: _mark(marks, frame)))
    await person.open(bench.server.links["dropin_url"])
    await person.start()
    report = await person.finish(look=False, timeout_s=120)
    row.began, row.ended = marks[0], marks[-1]
    values = {name: check(report, f"network.{name}") for name in ("rtt", "loss_up", "loss_down")}
    rates = {way: check(report, f"network.throughput_{way}") for way in ("up", "down")}
    row.down_mbps, row.up_mbps = rates["down"]["value"], rates["up"]["value"]
    row.at_least = frozenset(way for way, one in rates.items() if one["outcome"] == "pass")
    row.rtt_ms = values["rtt"]["value"]
    row.loss_up_pct, row.loss_down_pct = values["loss_up"]["value"], values["loss_down"]["value"]
    network = [one for one in report["checks"] if one["id"].startswith("network")]
    missing = [one["id"] for one in network if one["outcome"] == "not_measured"]
    row.note = report["verdict"] + (f"; without {missing}" if missing else "")
    await context.close()


def _mark(marks: list[float], frame: str | bytes) -> None:
    """Note the time of the offer and of every last word about a phase of the network."""
    if isinstance(frame, bytes):
        return
    message = json.loads(frame)
    if message["type"] == "offer" or (
        message["type"] == "samples" and message.get("kind") == "final" and message.get("phase") not in OTHER_PHASES
    ):
        marks.append(time.monotonic())


async def our_full_speed(bench: Bench, row: Row) -> None:
    """The button behind the figures, without the self-test before it: the page's own modules with its own session."""
    context = await bench.browser.new_context(locale="nb-NO")
    page = await context.new_page()
    await page.goto(bench.server.links["selftest_url"])
    await page.wait_for_selector("[data-action=start]:enabled")
    await page.evaluate(CATCH_SPEED)
    row.began = time.monotonic()
    await page.evaluate("() => document.querySelector('[data-action=speed]').click()")
    await page.wait_for_function("() => window.caughtSpeeds.length === 1", timeout=60_000)
    row.ended = time.monotonic()
    (found,) = await page.evaluate("window.caughtSpeeds")
    row.down_mbps, row.up_mbps = found["down_mbps"], found["up_mbps"]
    await context.close()


async def speedtest_cli(bench: Bench, row: Row) -> None:
    """Unmodified, against our own Speedtest Mini routes."""
    base = bench.server.base
    env = {"PATH": os.environ["PATH"], "http_proxy": base, "no_proxy": SERVER}
    program = Path(sys.executable).parent / "speedtest-cli"
    found = json.loads(await _said(bench, [program, "--mini", f"{base}/mini/", "--json"], env=env, timeout=90))
    row.down_mbps, row.up_mbps, row.rtt_ms = found["download"] / 1e6, found["upload"] / 1e6, found["ping"]


async def cloudflare(bench: Bench, row: Row) -> None:
    """The package's engine with its default measurements, packet loss through our own TURN included."""
    page: Page = await bench.browser.new_page()
    await page.goto(f"http://{SERVER}:{CLOUDFLARE_PORT}/")
    await page.wait_for_function("() => window.test")
    row.began = time.monotonic()
    await page.evaluate("() => window.test.play()")
    await page.wait_for_function("() => window.found !== null", timeout=240_000)
    row.ended = time.monotonic()
    found = await page.evaluate("window.found")
    row.down_mbps, row.up_mbps = (_mbps(found.get(name)) for name in ("download", "upload"))
    row.rtt_ms = found.get("latency")
    if (loss := found.get("packetLoss")) is not None:
        row.loss_up_pct = row.loss_down_pct = 100 * loss
        row.note = "one loss for both ways"
    failed = await page.evaluate("window.failed")
    row.note += f" {failed[:1]}" if failed else ""
    await page.close()


async def iperf3(bench: Bench, row: Row) -> None:
    """TCP with CUBIC, up and then down."""
    command = ["iperf3", "-c", SERVER, "-p", IPERF_PORT, "-C", "cubic", "-t", IPERF_S, "-J"]
    up = json.loads(await _said(bench, command))["end"]["sum_received"]["bits_per_second"]
    down = json.loads(await _said(bench, [*command, "-R"]))["end"]["sum_received"]["bits_per_second"]
    row.up_mbps, row.down_mbps = up / 1e6, down / 1e6


async def irtt(bench: Bench, row: Row) -> None:
    """UDP pings of 160 bytes each 20 ms."""
    command = ["irtt", "client", "-i", "20ms", "-d", f"{IRTT_S}s", "-l", 160, "-Q", "-o", "-", f"{SERVER}:{IRTT_PORT}"]
    found = json.loads(await _said(bench, command))["stats"]
    row.rtt_ms = found["rtt"]["median"] / 1e6
    row.loss_up_pct, row.loss_down_pct = found["upstream_loss_percent"], found["downstream_loss_percent"]


async def _said(bench: Bench, command: list[Any], **options: Any) -> str:
    done = await asyncio.to_thread(bench.lab.run, "client", command, **options)
    return done.stdout


def _mbps(bits_per_s: float | None) -> float | None:
    return None if bits_per_s is None else bits_per_s / 1e6


TOOLS: dict[str, Tool] = {
    OURS: ours,
    "our full speed test": our_full_speed,
    "speedtest-cli": speedtest_cli,
    "@cloudflare/speedtest": cloudflare,
    "iperf3": iperf3,
    "irtt": irtt,
}


# ---- the table


def figures(name: str, shape: Link, row: Row) -> list[Figure]:
    """What a tool took and how far it was from the truth; bars for our own on the good line only."""
    bars = {"s": MOST_S, "MB": MOST_MB} if row.tool == OURS and name == GOOD else {}
    stem = f"{name}: {row.tool}"
    found = [
        Figure(f"{stem}, time", "s", [row.seconds], at_most=bars.get("s")),
        Figure(f"{stem}, wire", "MB", [row.wire_mb], at_most=bars.get("MB")),
    ]
    for what, unit, error in errors(shape, row):
        found.append(Figure(f"{stem}, {what}", unit, [error]))
    return found


def errors(shape: Link, row: Row) -> list[tuple[str, str, float]]:
    """How far each figure is from the truth: rates in %, RTT in ms, loss in percentage points.

    A link's rate counts heads, which no tool does; its loss is the random one. Rates that are "at least" have no error.
    """
    truth_ms = shape.up.delay_ms + shape.down.delay_ms
    found = []
    for way, value, truth in (("down", row.down_mbps, shape.down.rate_mbps), ("up", row.up_mbps, shape.up.rate_mbps)):
        if value is not None and truth is not None and way not in row.at_least:
            found.append((f"error of rate {way}", "%", 100 * (value / truth - 1)))
    if row.rtt_ms is not None:
        found.append(("error of RTT", "ms", row.rtt_ms - truth_ms))
    for way, value, truth in (
        ("down", row.loss_down_pct, shape.down.loss_pct),
        ("up", row.loss_up_pct, shape.up.loss_pct),
    ):
        if value is not None:
            found.append((f"error of loss {way}", "pp", value - truth))
    return found


def told(name: str, shape: Link, rows: list[Row]) -> str:
    """The rows of one link as a Markdown table; in brackets the emulator's own count of lost packets meanwhile."""
    up, down = shape.up, shape.down
    truth = (
        f"{down.rate_mbps:g} | {up.rate_mbps:g} | {up.delay_ms + down.delay_ms:g} | {down.loss_pct:g} | {up.loss_pct:g}"
    )
    lines = [
        f"\n{name}",
        "| tool | down Mbit/s | up Mbit/s | RTT ms | loss down % | loss up % | time s | wire MB | |",
        "|---|---|---|---|---|---|---|---|---|",
        f"| **truth** | {truth} | | | |",
    ]
    for row in rows:
        cells = [
            _cell(row.down_mbps, "≥ " if "down" in row.at_least else ""),
            _cell(row.up_mbps, "≥ " if "up" in row.at_least else ""),
            _cell(row.rtt_ms),
            f"{_cell(row.loss_down_pct)} ({row.lost_down_pct:.2f})",
            f"{_cell(row.loss_up_pct)} ({row.lost_up_pct:.2f})",
            f"{row.seconds:.1f}",
            f"{row.wire_mb:.2f}",
            row.note,
        ]
        lines.append(f"| {row.tool} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float | None, before: str = "") -> str:
    return "–" if value is None else f"{before}{value:.2f}"
