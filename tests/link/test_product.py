"""The network part in real browsers on emulated links, held against the link's own log.

A busy machine may keep our server from measuring: then it says so of itself, which is right, and the run is repeated.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.link.drive import SCRIPT, check, network_page, network_part
from tests.link.lab import UDP, Lab, PacketLog
from tests.link.model import Direction, Link
from tests.link.starve import busy_loops
from tests.patience import BUSY, was_busy

pytestmark = [pytest.mark.needs_root, pytest.mark.browser, pytest.mark.slow]
GOOD = Link(up=Direction(rate_mbps=10, delay_ms=10), down=Direction(rate_mbps=20, delay_ms=10))
THIN = Link(
    up=Direction(rate_mbps=1.0, delay_ms=20, queue_ms=300), down=Direction(rate_mbps=5, delay_ms=20, queue_ms=300)
)
LOSSY = Link(
    up=Direction(rate_mbps=10, delay_ms=30, loss_pct=6), down=Direction(rate_mbps=20, delay_ms=30, jitter_ms=10)
)
TRIES = 3


async def measured(lab: Lab, page, link: Link) -> tuple[dict, PacketLog, PacketLog]:
    """The page's findings on `link` and what the link saw; again while our own machine was too busy to tell."""
    lab.change(link)
    await asyncio.sleep(0.5)
    for _ in range(TRIES):
        since = time.monotonic()
        found = await network_part(page)
        if not was_busy(found["report"]):
            break
    return found, lab.log("up").select(since=since), lab.log("down").select(since=since)


@pytest.mark.alone
async def test_what_is_said_is_what_the_link_did(make_lab, tmp_path):
    """A good line, a thin one upwards, and one that loses and jitters: rates, delays and losses against the log."""
    lab = make_lab(GOOD)
    async with network_page(lab, tmp_path) as page:
        found, up, down = await measured(lab, page, GOOD)
        assert check(found, "path")["value"] == "udp"
        for way in ("up", "down"):
            rate = check(found, f"throughput_{way}")
            assert rate["outcome"] == "pass", rate
            assert rate["details"]["tier"] == "720p"
            assert check(found, f"loss_{way}")["value"] == 0
        assert abs(check(found, "rtt")["low"] - 20) < 15
        assert up.size.sum() + down.size.sum() < 2_000_000, "the promised data"

        found, up, _ = await measured(lab, page, THIN)
        thin, wide = check(found, "throughput_up"), check(found, "throughput_down")
        assert (thin["outcome"], thin["advice"]) == ("fail", "network.too_thin"), thin
        assert thin["value"] == pytest.approx(1.0, rel=0.1)
        assert thin["details"]["tier"] == "360p"
        assert wide["outcome"] == "pass", wide
        assert up.lost_queue > 0, "our own trial filled the queue"
        assert check(found, "loss_up")["outcome"] == "pass", "and that is nobody's loss"

        found, up, down = await measured(lab, page, LOSSY)
        loss = check(found, "loss_up")
        probe = up.select(protocol=UDP, min_size=1000)
        assert loss["outcome"] == "fail", loss
        assert abs(loss["value"] - probe.loss_pct) < 2.0, "and that in the few idle packets beside"
        assert check(found, "loss_down")["value"] == 0
        assert check(found, "throughput_up")["outcome"] == "pass", "random loss says nothing of the rate"
        idle = down.select(protocol=UDP, min_size=118, max_size=122)
        assert abs(check(found, "jitter_down")["value"] - idle.extra_delay_p95_ms) < 5


@pytest.mark.quiet
async def test_where_udp_is_blocked_the_rest_is_measured(make_lab, tmp_path):
    """The path says so and who can mend it, and TCP gives the rates."""
    blocked = Link(up=GOOD.up, down=GOOD.down, udp_blocked=True)
    lab = make_lab(blocked)
    async with network_page(lab, tmp_path) as page:
        found = await network_part(page)
    path = check(found, "path")
    assert (path["value"], path["advice"], path["responsible"]) == ("tcp-only", "network.udp_blocked", "local_it")
    for way in ("up", "down"):
        rate = check(found, f"throughput_{way}")
        assert rate["details"]["method"] == "tcp"
        assert rate["value"] > 1.0
    assert check(found, "rtt")["outcome"] == "not_measured"
    assert found["report"]["verdict"] == "not_ready"


@pytest.mark.alone
async def test_a_starved_machine_blames_nobody(make_lab, tmp_path):
    """Four busy loops in mid-test: no network check fails; what has no value is laid at the machine's door."""
    lab = make_lab(GOOD)
    async with network_page(lab, tmp_path) as page:
        running = asyncio.create_task(network_part(page))
        await asyncio.sleep(1.5)
        with busy_loops():
            found = await running
    network = [one for one in found["report"]["checks"] if one["id"].startswith("network.")]
    assert [one for one in network if one["outcome"] == "fail"] == []
    open_causes = {one["cause"] for one in network if one["outcome"] == "not_measured"}
    assert open_causes <= BUSY | {"too_few_samples", "step_died"}


@pytest.mark.alone
async def test_firefox_finds_the_same(make_lab, tmp_path):
    """Firefox has no way to fix its video's rate; sound carries the probe there too."""
    lab = make_lab(THIN)
    server = lab.serve(tmp_path / "server")
    async with lab.firefox(tmp_path / "profile") as page:
        await page.goto(server.links["dropin_url"])
        for _ in range(TRIES):
            found = await page.evaluate(SCRIPT)
            if not was_busy(found["report"]):
                break
    assert check(found, "path")["value"] == "udp"
    thin, wide = check(found, "throughput_up"), check(found, "throughput_down")
    assert (thin["outcome"], thin["details"]["method"], thin["details"]["tier"]) == ("fail", "rtp", "360p"), thin
    assert thin["value"] == pytest.approx(1.0, rel=0.1)
    assert (wide["outcome"], wide["details"]["method"]) == ("pass", "rtp"), wide
    assert check(found, "rtt")["value"] > 38
