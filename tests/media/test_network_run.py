"""The network part as a worker runs it, against a client that sends and counts like a browser's page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from probes import ladder
from probes.ladder import Tier
from probes.measurement import Measurement
from readiness.client.line_test import LineTest
from readiness.client.media import MediaPeer
from readiness.media import network, trials
from readiness.media.lag import LagMonitor
from readiness.media.limits import Budget
from readiness.media.loopback import Loopback
from readiness.media.network import NetworkTest
from reports.kinds import LINE_BYTES
from tests.link.model import Direction, EmulatedLine, Link
from tests.media.support import Inbox, pool_of
from tests.patience import PATIENCE_S

TIERS = (Tier("720p", 1.5), Tier("360p", 0.65), Tier("audio", 0.1))


class Lag(LagMonitor):
    """Says that this process was late, as often as it is asked to; the real one would depend on the machine."""

    def __init__(self) -> None:
        super().__init__()
        self.late = 0

    def p99_ms(self, since_s: float = 0.0, until_s: float = float("inf")) -> float | None:
        self.late -= 1
        return 90.0 if self.late >= 0 else 0.5


@dataclass
class Trial:
    """Everything of one test."""

    run: NetworkTest
    page: LineTest
    peer: Loopback
    lag: Lag

    async def idle(self, *, again: bool = False) -> dict[str, Any]:
        await self.run.idle(again=again)
        return dict(await self.page.ended("clock"))

    async def load(self, *ways: str, need_mbps: float = 1.5, most_bytes: int = LINE_BYTES) -> None:
        chosen: Any = ways or ("up", "down")
        await self.run.load(chosen, TIERS, need_mbps=need_mbps, factor=1.25, most_bytes=most_bytes)

    def found(self, phase: str, **data: Any) -> dict[str, Measurement]:
        return {one.check: one for one in self.run.measure(phase, data)[0]}

    def states(self, phase: str) -> list[str]:
        return [message["state"] for message in self.page.messages if message["phase"] == phase]


@contextlib.asynccontextmanager
async def measured(link: Link | None = None, *, marks: bool = True, feedback: bool = True) -> AsyncIterator[Trial]:
    """A peer of ours and a client in one process, joined by real sockets."""
    lag = Lag()
    events: list[tuple[str, str | None]] = []
    peer = Loopback((("127.0.0.1", "127.0.0.1"),), None, budget=Budget(), on_event=lambda *event: events.append(event))
    client = MediaPeer(tracks=2, feedback=feedback, line=EmulatedLine(link) if link else None)
    test: list[NetworkTest] = []

    async def mark(phase: str, data: dict[str, Any]) -> None:
        if marks:
            test[0].mark({"phase": phase, "data": data})

    page = LineTest(client, mark)
    test.append(NetworkTest(lambda: peer, lag, page.follow))
    try:
        await client.accept(await peer.answer(await client.offer()))
        await client.opened()
        async with asyncio.timeout(PATIENCE_S):
            while not peer.is_connected:
                await asyncio.sleep(0.01)
        yield Trial(test[0], page, peer, lag)
    finally:
        await page.close()
        await client.close()
        await peer.close()


pytestmark = pytest.mark.quiet


@pytest.fixture(autouse=True)
def short_and_calm(monkeypatch):
    """Trials of about a second: rules and order are the same, and a busy machine is not our subject here."""
    monkeypatch.setattr(ladder, "CARRIED_S", 1.2)
    monkeypatch.setattr(ladder, "CONFIRM_S", 0.7)
    monkeypatch.setattr(network, "IDLE_S", 1.2)
    monkeypatch.setattr(network, "MARK_TIMEOUT_S", 2.0)
    monkeypatch.setattr(trials, "run_wait_s", lambda: 0.0)


@pytest.mark.alone
async def test_a_good_line_is_measured_both_ways_at_once():
    """Idle: round trips, jitter and loss of each way. Load: both ways carry 1.875, and loss goes on counting."""
    async with measured(Link(up=Direction(delay_ms=10), down=Direction(delay_ms=5))) as test:
        assert await test.idle() == {"again": False}
        idle = test.found("clock")
        assert {name for name, one in idle.items() if one.value is not None} == set(idle)
        assert set(idle) == {
            "network.rtt",
            *(f"network.{kind}_{way}" for kind in ("jitter", "loss") for way in ("up", "down")),
        }
        assert idle["network.loss_up"].value == idle["network.loss_down"].value == 0
        assert idle["network.loss_up"].samples >= 100
        assert idle["network.jitter_up"].metric("source") == idle["network.jitter_down"].metric("source") == "rtp"
        await test.load()
        assert await test.page.ended("uplink") == await test.page.ended("downlink") == {"measured": True}
        for phase, way in (("downlink", "down"), ("uplink", "up")):
            found = test.found(phase, rows=[], lag_ms=1.0)
            rate = found[f"network.throughput_{way}"]
            assert rate.value == pytest.approx(1.875), way
            assert (rate.metric("tier"), rate.metric("limit"), rate.metric("method")) == ("720p", "none", "rtp")
            assert rate.metric("device_lag_p99_ms") == 1.0
            assert found[f"network.loss_{way}"].value < 2
            assert found[f"network.loss_{way}"].samples > 150
        assert found["network.rtt_loaded"].cause == "too_few_samples", "the page told no pings"
        series = test.run.series.to_json()
        assert {"delay_up_ms", "delay_down_ms", "rate_up_mbps", "rate_down_mbps", "phases", "rtt_ms"} <= set(series)
        assert {one["name"] for one in series["phases"]} == {"clock", "uplink", "downlink"}


@pytest.mark.alone
async def test_a_thin_line_is_measured_in_its_direction_only():
    """1.0 Mbit/s up and everything down: up is 360p by about its rate, down is 720p."""
    async with measured(Link(up=Direction(rate_mbps=1.0, queue_ms=300))) as test:
        await test.idle()
        await test.load()
        up, down = (
            test.found(phase, rows=[])[f"network.throughput_{way}"]
            for phase, way in (("uplink", "up"), ("downlink", "down"))
        )
        assert 0.8 < float(up.value) < 1.5, "a machine that stands still for a moment reads too much"
        assert (up.metric("tier"), up.metric("limit")) == ("360p", "line")
        assert (down.value, down.metric("tier")) == (1.875, "720p"), (down, test.page.messages)
        runs = [message["values"]["run"] for message in test.page.messages if message["state"] == "run"]
        assert len(runs) == len(set(runs)) >= 3, "each trial has a number of its own"


async def test_what_we_could_not_send_ourselves_is_never_the_devices_fault(monkeypatch):
    """Downwards we are the sender: too little sent is tried once more, and then it is our machine that was busy."""
    monkeypatch.setattr(trials, "SENT_ENOUGH", 2.0)
    async with measured(Link()) as test:
        await test.idle()
        await test.load("down")
        found = test.found("downlink")["network.throughput_down"]
        assert (found.value, found.cause) == (None, "server_busy")
        assert (await test.page.ended("downlink")) == {"measured": True}


async def test_a_thin_line_down_is_seen_by_the_browsers_feedback():
    """1.0 Mbit/s down, by arrival times alone."""
    async with measured(Link(down=Direction(rate_mbps=1.0, queue_ms=300))) as test:
        await test.idle()
        await test.load("down")
        found = test.found("downlink")["network.throughput_down"]
        assert 0.8 < float(found.value) < 1.5
        assert found.metric("tier") == "360p"


async def test_loss_is_counted_by_the_far_end_of_each_way():
    """Ten percent lost up and nothing down."""
    async with measured(Link(up=Direction(loss_pct=10))) as test:
        await test.idle()
        await test.load("up", need_mbps=0.1)
        assert 3 < test.found("uplink", rows=[])["network.loss_up"].value < 20
        assert test.found("clock")["network.loss_down"].value == 0


async def test_a_browser_without_feedback_has_no_rate_down():
    """The cause is said, no trial is run, and the way up is measured all the same."""
    async with measured(feedback=False) as test:
        await test.idle()
        await test.load()
        down = test.found("downlink")["network.throughput_down"]
        assert (down.value, down.cause) == (None, "no_feedback")
        assert test.states("downlink") == ["ended"]
        assert await test.page.ended("downlink") == {"measured": False}
        assert test.found("uplink", rows=[])["network.throughput_up"].value == 1.875


async def test_a_page_that_never_tells_its_counts_has_no_figures(monkeypatch):
    """Idle ends by itself, each direction ends by itself, and nothing is made up."""
    monkeypatch.setattr(network, "MARK_TIMEOUT_S", 0.3)
    async with measured(marks=False) as test:
        assert await test.idle() == {"again": False}
        await test.load()
        assert await test.page.ended("uplink") == await test.page.ended("downlink") == {"measured": False}
        for phase, way in (("uplink", "up"), ("downlink", "down")):
            found = test.found(phase, rows=[])
            assert (found[f"network.throughput_{way}"].value, found[f"network.throughput_{way}"].cause) == (
                None,
                "disconnected",
            )
        assert test.found("clock")["network.rtt"].cause == "too_few_samples"
        assert {name for name, one in test.found("clock").items() if one.value is not None} <= {
            "network.jitter_up",
            "network.jitter_down",
        }, "nobody counted what arrived: no loss is known, and all lost least of all"


async def test_a_peer_that_goes_in_mid_trial_is_no_thin_line(monkeypatch):
    """The page still tells its counts over the socket: the way is `disconnected`, not too thin, and it ends soon."""
    monkeypatch.setattr(ladder, "CARRIED_S", 2.0)
    async with measured() as test:
        await test.idle()
        loading = asyncio.create_task(test.load())
        await asyncio.sleep(0.5)
        await test.peer.close()
        async with asyncio.timeout(PATIENCE_S):
            await loading
        for phase, way in (("uplink", "up"), ("downlink", "down")):
            found = test.found(phase, rows=[])[f"network.throughput_{way}"]
            assert (found.value, found.cause) == (None, "disconnected"), way


async def test_no_trial_takes_the_line_beyond_the_promised_bytes():
    """With an allowance for less than one trial none runs, and the report says why; TCP may be tried."""
    async with measured() as test:
        await test.idle()
        spent = sum(test.peer.meter.wire_bytes())
        await test.load(most_bytes=spent + 50_000)
        assert sum(test.peer.meter.wire_bytes()) < spent + 50_000
        causes = {way: test.found(f"{way}link")[f"network.throughput_{way}"].cause for way in ("up", "down")}
        assert causes == {"up": "data_limit", "down": "data_limit"}
        assert await test.page.ended("uplink") == await test.page.ended("downlink") == {"measured": False}


@pytest.mark.alone
async def test_no_further_run_for_the_loss_goes_beyond_the_promised_bytes(monkeypatch):
    """The loss is still open and the bytes are gone: nothing more is sent, and the report says why it is not known."""
    monkeypatch.setattr(network, "decide_loss", lambda _runs: "open")
    async with measured() as test:
        await test.idle()
        await test.load("down")
        assert test.found("downlink")["network.loss_down"].value is not None
        assert test.states("downlink").count("run") == 1 + network.LOSS_RUNS, "the rate, and all that the loss may take"
        bytes_per_s = trials.BESIDE_BYTES_PER_S + network.IDLE_MBPS * 1e6 / 8
        whole = sum(test.peer.meter.wire_bytes()) + int((1.875e6 / 8 + trials.BESIDE_BYTES_PER_S) * ladder.CARRIED_S)
        trial = test.run._trial

        async def and_all_is_used(*args: Any) -> Any:
            done = await trial(*args)
            test.run._allowance.most_bytes = sum(test.peer.meter.wire_bytes()) + int(bytes_per_s * network.IDLE_S) - 1
            return done

        monkeypatch.setattr(test.run, "_trial", and_all_is_used)
        await test.load("up", most_bytes=whole)
        found = test.found("uplink", rows=[])
        assert found["network.throughput_up"].value is not None
        assert (found["network.loss_up"].value, found["network.loss_up"].cause) == (None, "data_limit")
        assert test.states("uplink").count("run") == 1
        assert sum(test.peer.meter.wire_bytes()) <= whole


def test_a_trial_that_is_refused_takes_nothing_from_the_other_way():
    """Only what runs is booked, and no longer than it runs."""
    allowance = trials.Allowance(lambda: 100_000)
    allowance.most_bytes = 800_000
    rung = ladder.Rung(1.6, 1.5, 3.0, "720p")
    assert allowance.book("up", rung.rate_mbps, rung.carried_s)
    assert not allowance.book("down", rung.rate_mbps, rung.carried_s)
    assert allowance.used_bytes == 700_000 + 3 * trials.BESIDE_BYTES_PER_S
    allowance.clear("up")
    assert allowance.book("down", rung.rate_mbps, rung.carried_s)


async def test_a_repeat_that_the_bytes_do_not_allow_leaves_the_server_busy():
    """The first trial fell short while we were late: that is ours, whether or not it can be tried again."""
    async with measured(Link(up=Direction(rate_mbps=1.0, queue_ms=300))) as test:
        await test.idle()
        test.lag.late = 99
        await test.load("up", most_bytes=sum(test.peer.meter.wire_bytes()) + 300_000)
        found = test.found("uplink", rows=[])["network.throughput_up"]
        assert (found.value, found.cause) == (None, "server_busy")
        assert test.states("uplink").count("run") == 1


async def test_without_a_peer_everything_is_said_to_have_failed():
    """No media path: idle fails, each way ends, and all causes are the line's absence."""
    told = []
    test = NetworkTest(lambda: None, Lag(), told.append)
    await test.idle(again=False)
    assert (told[0]["phase"], told[0]["state"], told[0]["code"]) == ("clock", "failed", "disconnected")
    await test.load(("up", "down"), TIERS, need_mbps=1.5, factor=1.25, most_bytes=LINE_BYTES)
    assert [one["values"] for one in told[1:]] == [{"measured": False}] * 2
    found = {one.check: one.cause for phase in ("uplink", "downlink") for one in test.measure(phase, {"rows": []})[0]}
    assert found["network.throughput_up"] == found["network.throughput_down"] == "disconnected"


async def test_a_late_server_measures_the_idle_line_once_more():
    """Late in the first run: again. Late in the second too: it stands, and is said to be ours."""
    async with measured() as test:
        test.lag.late = 1
        assert await test.idle() == {"again": True}
        assert await test.idle(again=True) == {"again": False}
        assert test.run.measure("clock", {})[1]["busy"] is False
        test.lag.late = 1
        assert await test.idle(again=True) == {"again": False}
        numbers = test.run.measure("clock", {})[1]
        assert numbers["busy"] is True
        assert numbers["server_lag_p99_ms"] == 90.0


async def test_a_late_server_repeats_a_bad_trial_once():
    """Late once: the line is tried again and measured. Late again: not measured, `server_busy`, never the line."""
    async with measured(Link(up=Direction(rate_mbps=1.0, queue_ms=300))) as test:
        await test.idle()
        test.lag.late = 1
        await test.load("up")
        found = test.found("uplink", rows=[])["network.throughput_up"]
        assert 0.8 < float(found.value) < 1.5
        assert found.metric("server_lag_p99_ms") == 90.0
        await test.page.ended("uplink")
        test.run._ways["up"] = trials.Direction()
        test.lag.late = 99
        await test.load("up")
        found = test.found("uplink", rows=[])["network.throughput_up"]
        assert (found.value, found.cause) == (None, "server_busy")
        assert await test.page.ended("uplink") == {"measured": True}, "TCP through a late server would say no more"


@pytest.mark.alone
async def test_a_late_server_does_not_take_away_what_the_line_carried():
    """Lateness only makes figures worse: a rate that was carried all the same is proven."""
    async with measured() as test:
        await test.idle()
        test.lag.late = 99
        await test.load("up")
        found = test.found("uplink", rows=[])["network.throughput_up"]
        assert (found.value, found.metric("tier")) == (1.875, "720p")


async def test_runs_of_one_test_are_bounded(monkeypatch):
    """A page that starts for ever gets no further run after the last."""
    monkeypatch.setattr(network, "MAX_RUNS", 2)
    monkeypatch.setattr(network, "IDLE_S", 0.05)
    async with measured() as test:
        for _ in range(2):
            assert "again" in await test.idle()
        assert await test.idle() == {}
        assert test.states("clock")[-1] == "failed"


async def test_marks_nobody_waits_for_are_nothing():
    """Unknown runs, wrong phases, twice the same: no effect and no exception."""
    test = NetworkTest(lambda: None, Lag(), lambda message: None)
    for phase, run in (("clock", 1), ("uplink", 65535), ("nowhere", 3), ("clock", 1)):
        test.mark({"phase": phase, "data": {"run": run, "rows": [], "sent": 2**32 - 1, "received": -1}})
    assert {one.cause for one in test.measure("clock", {})[0]} == {"too_few_samples"}


@pytest.mark.parametrize("count", [None, -5, True, "7", 1e9, 2**40])
async def test_absurd_counts_never_raise(count):
    """Whatever a page says it sent or received: a share between 0 and 100, or none."""
    async with measured(marks=False) as test:
        running = asyncio.create_task(test.run.idle(again=False))
        await asyncio.sleep(0.3)
        test.run.mark({"phase": "clock", "data": {"run": 1, "rows": [["x"], None], "sent": count, "received": count}})
        await running
        for one in test.found("clock").values():
            assert one.value is None or 0 <= float(one.value) <= 100 or one.check == "network.rtt"


async def test_a_whole_network_part_in_a_worker_of_its_own(monkeypatch):
    """The real process with its real times: idle, both ways, marks and measures over its socket."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        client = MediaPeer(tracks=2, line=EmulatedLine(Link(up=Direction(delay_ms=5))))

        async def mark(phase: str, data: dict[str, Any]) -> None:
            await worker.send({"op": "net", "step": "mark", "phase": phase, "data": data})

        page = LineTest(client, mark)

        async def follow() -> None:
            while True:
                page.follow(await inbox.get("net", timeout_s=60))

        following = asyncio.create_task(follow())
        try:
            await worker.send({"op": "offer", "sdp": await client.offer()})
            await client.accept((await inbox.get("answer"))["sdp"])
            await client.opened()
            await worker.send({"op": "net", "step": "idle"})
            await page.ended("clock")
            tiers = [[tier.name, tier.need_mbps] for tier in TIERS]
            load = {
                "op": "net",
                "step": "load",
                "tiers": tiers,
                "need_mbps": 1.5,
                "factor": 1.25,
                "most_bytes": LINE_BYTES,
            }
            for way in ("up", "down"):
                await worker.send({**load, "ways": [way]})
            pinging = asyncio.create_task(page.ping_under_load())
            await asyncio.gather(page.ended("uplink"), page.ended("downlink"))
            pinging.cancel()
            await asyncio.gather(pinging, return_exceptions=True)
            answers = {}
            for phase, data in (("clock", {}), ("downlink", {}), ("uplink", {"rows": client.rows()})):
                await worker.send({"op": "finish", "phase": phase, "data": data})
                answers[phase] = await inbox.get("measured", where=lambda one, phase=phase: one["phase"] == phase)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await page.close()
            await client.close()
        await worker.close()
    assert worker.end_cause is None
    assert worker.farewell["failures"] == 0
    assert not [one for one in answers.values() if "error" in one]
    found = {row["check"]: row for answer in answers.values() for row in answer["measurements"]}
    assert found["network.rtt"]["value"] < 100
    assert found["network.loss_up"]["samples"] > 200
    for phase, way in (("uplink", "up"), ("downlink", "down")):
        rate = found[f"network.throughput_{way}"]
        assert rate["value"] == pytest.approx(1.875) or answers[phase]["numbers"]["lag_p99_ms"] > 5, rate
    assert answers["uplink"]["series"]["schema"] == "readiness.series/1"
    assert "series" not in answers["downlink"]
    if found["network.throughput_up"]["value"] == 1.875:
        assert found["network.rtt_loaded"]["value"] is not None
