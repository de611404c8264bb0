"""Processes die, freeze and are told to stop; lines drop; places run out. Nothing finished is lost, all are told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from reports.store import Store
from tests.integration.chromium import chromium
from tests.integration.participant import PRESENT, Participant, board, participant, state_of
from tests.integration.support import ServerProcess, free_port, serving
from tests.integration.walking import (
    assert_finished,
    assert_network_measured,
    assert_words_shown,
    checks,
    report_of,
    walk,
)
from tests.patience import PATIENCE_S, until_kept

DRAIN_S = 60.0
"""How long a server that is told to end lets tests run on."""


@contextlib.asynccontextmanager
async def in_process(server: ServerProcess, pid: int, link: str = "") -> AsyncIterator[Participant]:
    """A participant whose running test is in the web process `pid`: the kernel deals out connections as it likes."""
    async with participant(server.base, link) as person:
        for _ in range(60):
            await person.begin()
            if server.owner_of(person.local_port).pid == pid:
                break
            await person.leave()
        else:
            raise AssertionError(f"no connection ever reached process {pid}")
        yield person


async def live_tests(server: ServerProcess) -> dict[int, int]:
    """How many tests each web process holds."""
    found: dict[int, int] = {}
    wanted = {process.pid for process in server.web_processes()}
    for _ in range(100):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        health = json.loads(await reader.readexactly(length))
        found[server.owner_of(writer.get_extra_info("sockname")[1]).pid] = health["live_tests"]
        writer.close()
        await writer.wait_closed()
        if wanted <= found.keys():
            break
    return found


async def gone(pids: list[int], timeout_s: float = PATIENCE_S) -> None:
    """Wait until none of these processes runs."""
    async with asyncio.timeout(timeout_s):
        while any(_runs(pid) for pid in pids):
            await asyncio.sleep(0.1)


async def kept(url: str, test_id: str, phase: str) -> None:
    """Wait until what was measured is committed: the page turns as it sends it."""
    store = await Store.open(url, migrate=False)
    try:
        await until_kept(store, test_id, phase)
    finally:
        await store.close()


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.browser
@pytest.mark.slow
async def test_a_test_goes_on_through_another_process_when_its_own_is_killed(tmp_path, postgres):
    """Nothing finished is asked again, and the report is complete; what the dead process had started ends too."""
    settings = {"WORKERS": "2", "PORT": str(free_port()), "DATABASE_URL": postgres.create()}
    with serving(tmp_path, "--demo", **settings) as server:
        async with chromium() as page:
            await page.goto(server.links["selftest_url"])
            await walk(page, until="speaker")
            await kept(settings["DATABASE_URL"], page.said("plan")[0]["test"], "sound")
            (victim,) = [pid for pid, tests in (await live_tests(server)).items() if tests == 1]
            survivors = {process.pid for process in server.web_processes()} - {victim}
            family = [child.pid for child in psutil.Process(victim).children(recursive=True)]
            os.kill(victim, signal.SIGKILL)
            killed = time.monotonic()
            while len(page.said("plan")) < 2:
                assert time.monotonic() - killed < PATIENCE_S, page.messages
                await asyncio.sleep(0.05)
            back_s = time.monotonic() - killed
            holders = {pid for pid, tests in (await live_tests(server)).items() if tests == 1}
            await walk(page)
            report = await report_of(page)
            await assert_words_shown(page)
        await gone(family)
        assert server.stop() == 0
    first, second = page.said("plan")
    print(f"page back after {back_s:.1f} s with {second['done']}")
    assert first["done"] == []
    assert second["test"] == first["test"]
    assert {"devices", "picture", "sound"} <= set(second["done"])
    assert holders <= survivors, "it went on in the process that lived"
    assert report["id"] == first["test"]
    assert_finished(report)
    assert_network_measured(report)
    found = checks(report)
    assert found["microphone.speech"]["value"] > 0
    assert found["camera.people"]["value"] == 1


@pytest.mark.slow
async def test_a_board_in_one_process_turns_when_a_report_comes_through_another(tmp_path, postgres):
    """And the running test is on it before."""
    settings = {"WORKERS": "2", "PORT": str(free_port()), "DATABASE_URL": postgres.create()}
    with serving(tmp_path, "--demo", **settings) as server:
        async with board(server.base, server.links["board_url"]) as watch:
            await watch.until(lambda shown: state_of(shown) == "not_tested")
            own = server.owner_of(watch.local_port).pid
            (other,) = {process.pid for process in server.web_processes()} - {own}
            async with in_process(server, other, server.links["selftest_url"]) as anna:
                await anna.send("devices", "final", PRESENT)
                seen = len(watch.boards)
                await anna.finish()
                told = time.monotonic()
                turned = await watch.until(lambda shown: state_of(shown) != "not_tested")
        print(f"board turned {turned - told:+.3f} s after the participant was told; {seen} boards before")
    assert seen > 0


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.slow
async def test_sigterm_lets_running_tests_finish_and_sends_new_ones_away(tmp_path, postgres, workers):
    """Then the process ends with status 0, an open board notwithstanding; /readyz says draining."""
    settings = {"WORKERS": workers, "PORT": str(free_port())}
    if workers != "1":
        settings["DATABASE_URL"] = postgres.create()
    with serving(tmp_path, "--demo", **settings) as server:
        async with (
            board(server.base, server.links["board_url"]) as watch,
            participant(server.base, server.links["selftest_url"]) as anna,
            participant(server.base) as eve,
        ):
            await watch.until(lambda shown: state_of(shown) == "not_tested")
            await anna.begin()
            server.process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            await asyncio.sleep(1.0)
            if workers == "1":
                async with aiohttp.ClientSession() as http, http.get(f"{server.base}/readyz") as response:
                    health = await response.json()
                    assert response.status == 503, health
                    assert health["draining"]
                    assert health["live_tests"] == 1
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await eve.open()
                assert refused.value.status == 429
                assert int(refused.value.headers["Retry-After"]) > 0
            await anna.send("devices", "final", PRESENT)
            await asyncio.sleep(2.0)
            report = await anna.finish()
            assert report["cause"] is None
            status = await asyncio.to_thread(server.process.wait, DRAIN_S)
        took_s = time.monotonic() - told
    print(f"{workers} process(es): exit status {status} after {took_s:.1f} s")
    assert status == 0
    assert "Traceback" not in server.log, server.log
    assert "socket.failed" not in server.log, server.log


@pytest.mark.parametrize(("fate", "cause"), [(signal.SIGKILL, "worker_died"), (signal.SIGSTOP, "worker_frozen")])
@pytest.mark.slow
async def test_a_lost_media_worker_ends_its_own_test_only(tmp_path, fate, cause):
    """Killed or frozen: told and kept as incomplete, while the neighbour's test goes on to measure."""
    with serving(tmp_path, "--demo") as server:
        async with participant(server.base, server.links["selftest_url"]) as anna, participant(server.base) as per:
            await anna.begin()
            await per.begin()
            await anna.send("devices", "final", PRESENT)
            await per.send("devices", "final", PRESENT)
            await per.media_port()
            worker = server.media_worker_on(await anna.media_port())
            worker.send_signal(fate)
            began = time.monotonic()
            report = (await anna.get("report"))["report"]
            took_s = time.monotonic() - began
            stored = await anna.last_report()
            await per.speak()
            neighbour = await per.finish()
        await gone([worker.pid])
    print(f"{cause}: told after {took_s:.1f} s")
    assert report["verdict"] == "incomplete"
    assert report["cause"] == cause
    assert not report["complete"]
    assert checks(report)["camera.present"]["outcome"] == "pass", "what was finished is kept"
    assert stored is not None
    assert stored["id"] == report["id"]
    assert neighbour["cause"] is None
    assert checks(neighbour)["microphone.speech"]["value"] > 1.0, checks(neighbour)["microphone.speech"]
    assert "Traceback" not in server.log


@pytest.fixture
def lone_server(tmp_path: Path):
    """A server with one place."""
    with serving(tmp_path, "--demo", CAPACITY="1") as server:
        yield server


async def test_a_dropped_line_is_kept_as_incomplete_with_the_phase_it_ended_in(lone_server):
    """The report names the phase; coming back goes on where it stopped, and replaces it."""
    async with participant(lone_server.base, lone_server.links["selftest_url"]) as anna:
        plan = await anna.begin()
        await anna.send("devices", "final", PRESENT)
        await anna.send("sound", "mark", {"step": "silence_start", "t_ms": 0})
        await asyncio.sleep(0.5)
        await anna.vanish()
        async with asyncio.timeout(PATIENCE_S):
            while (report := await anna.last_report()) is None:
                await asyncio.sleep(0.1)
        assert report["verdict"] == "incomplete"
        assert report["cause"] == "disconnected"
        assert report["ended_in"] == "sound"
        again = await anna.begin(resume=plan["test"])
        assert again["test"] == plan["test"]
        assert again["done"] == ["devices"]
        await anna.speak()
        final = await anna.finish()
        assert final["cause"] is None
        assert final["ended_in"] is None
        assert checks(final)["camera.present"]["outcome"] == "pass"
        assert checks(final)["microphone.speech"]["value"] > 1.0
        assert (await anna.last_report())["id"] == final["id"]


async def test_somebody_elses_test_is_never_resumed(lone_server):
    """A test's id opens nothing without its session: a new test begins."""
    async with participant(lone_server.base, lone_server.links["selftest_url"]) as anna:
        plan = await anna.begin()
        await anna.send("devices", "final", PRESENT)
        await anna.leave()
        async with participant(lone_server.base) as eve:
            own = await eve.begin(resume=plan["test"])
            assert own["test"] != plan["test"]
            assert own["done"] == []


async def test_above_capacity_one_waits_in_a_visible_queue(lone_server):
    """First come, first served; a place that is given up is the next one's, in order; who leaves the queue is gone."""
    base = lone_server.base
    async with (
        participant(base, lone_server.links["selftest_url"]) as anna,
        participant(base) as per,
        participant(base) as kari,
    ):
        await anna.begin()
        await per.open()
        assert (await per.get("queued"))["place"] == 1
        await kari.open()
        waiting = await kari.get("queued")
        assert waiting["place"] == 2
        assert waiting["eta_s"] > 0
        await anna.leave()
        left = time.monotonic()
        assert (await per.get("plan"))["done"] == []
        print(f"the next one began after {time.monotonic() - left:.1f} s")
        await kari.get("queued", where=lambda message: message["place"] == 1)
        await kari.leave()
        await per.leave()
        async with participant(base) as late:
            await late.begin()
