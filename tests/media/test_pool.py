"""RTC-4: processes that die, freeze or use too much hurt nobody else and are noticed; none is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from readiness.media.limits import WorkerLimits
from readiness.media.pool import MediaSettings, PoolFull, WorkerPool
from tests.media.support import Inbox, connected, pool_of, process_exists, until
from tests.media.test_worker import jpeg
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


def parent_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except FileNotFoundError:
        return None


async def test_start_returns_at_once_and_workers_follow():
    """The server is not kept waiting by the preload; `ready` says when workers can be had."""
    pool = WorkerPool(MediaSettings(), capacity=2)
    await pool.start()
    assert not pool.ready, "it waited for a worker"
    await until(lambda: pool.ready)
    await pool.close()
    assert not pool.ready


async def test_above_capacity_is_full_and_a_closed_test_makes_room():
    """The caller queues people; the pool never takes one too many."""
    async with pool_of(2) as pool:
        first, _second = await pool.acquire(), await pool.acquire()
        with pytest.raises(PoolFull):
            await pool.acquire()
        await first.close()
        assert pool.live == 1
        await pool.acquire()


async def test_whoever_is_let_in_gets_a_warm_worker():
    """A person who is let in does not wait for a process."""
    async with pool_of(4, warm=2) as pool:
        await until(lambda: len(pool._warm) == 2)
        waiting = set(pool._warm)
        worker = await pool.acquire()
        assert worker in waiting
        await worker.close()


@pytest.mark.parametrize(
    ("harm", "cause"),
    [(signal.SIGKILL, "worker_died"), (signal.SIGSTOP, "worker_frozen"), (signal.SIGSEGV, "worker_died")],
)
async def test_a_worker_that_dies_or_freezes_ends_its_own_test_only(harm, cause):
    """Its messages end with the cause; the other test goes on; a new worker serves."""
    async with pool_of(3, warm=1) as pool:
        victim, other = await pool.acquire(), await pool.acquire()
        inbox, others = Inbox(victim), Inbox(other)
        async with connected(other, others) as client:
            os.kill(victim.pid, harm)
            await inbox.get("ended")
            assert victim.end_cause == cause
            assert not process_exists(victim.pid)
            fresh = await pool.acquire()
            await client.ping(20)
            await until(lambda: len(client.pongs) == 20)
        await victim.send({"op": "still", "t_ms": 1}, b"x")  # to a dead worker: dropped, no error
        await asyncio.gather(victim.close(), other.close(), fresh.close())
        assert other.end_cause is None


async def test_the_pool_survives_its_fork_server():
    """When the fork server itself is killed, its workers end with a cause and new ones come from a new one."""
    async with pool_of(3, warm=1) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        killed = parent_of(worker.pid)
        os.kill(killed, signal.SIGKILL)
        await inbox.get("ended")
        assert worker.end_cause == "worker_died"
        await until(lambda: pool.ready and any(not warm.ended for warm in pool._warm))
        while parent_of((fresh := await pool.acquire()).pid) not in {forkserver._forkserver._forkserver_pid} - {killed}:
            await fresh.close()  # it has lost its parent: it ends, or was just being forked and would serve as well
        async with connected(fresh, Inbox(fresh)) as client:
            await client.ping(3)
        await fresh.close()


async def test_a_worker_out_of_processor_time_ends_with_its_cause():
    """100 % CPU: the kernel ends it at its limit (here one second), the pool says `worker_limit`."""
    settings = MediaSettings(limits=WorkerLimits(cpu_s=1))
    async with pool_of(settings=settings) as pool:
        worker = await pool.acquire()
        inbox = Inbox(worker)
        picture = jpeg(1280, 720)

        async def flood() -> None:
            while not worker.ended:
                await worker.send({"op": "still", "t_ms": 1}, picture)
                await asyncio.sleep(0.02)

        flooding = asyncio.create_task(flood())
        await inbox.get("ended")
        await flooding
        assert worker.end_cause == "worker_limit"


ADDRESS_SPACE = """
import resource, sys
pid, *limits = map(int, sys.argv[1:])
print(*resource.prlimit(pid, resource.RLIMIT_AS, *([tuple(limits)] if limits else [])))
"""


def address_space_limit(pid: int, *limits: int) -> int:
    """The soft limit of a worker's address space in bytes, soft and hard set to `limits` where they are given.

    As the worker's own user: a container's root may have no right to look at another's.
    """
    process = psutil.Process(pid)
    done = subprocess.run(
        [sys.executable, "-c", ADDRESS_SPACE, str(pid), *map(str, limits)],
        user=process.uids().real, group=process.gids().real, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout.split()[0])


async def test_a_worker_out_of_memory_has_no_numbers_and_hurts_nobody():
    """The pool limits its address space; with one MiB left of it, it ends, or says that it failed; it never grows."""
    async with pool_of() as pool:
        worker, other = await pool.acquire(), await pool.acquire()
        limit, used = address_space_limit(worker.pid), psutil.Process(worker.pid).memory_info().vms
        assert used < limit <= used + (WorkerLimits().memory_mb << 20)
        address_space_limit(worker.pid, used + (1 << 20), used + (1 << 20))
        inbox = Inbox(worker)
        for _ in range(20):
            await worker.send({"op": "still", "t_ms": 1}, jpeg(1280, 720))
            await asyncio.sleep(0.02)

        def outcome() -> bool:
            codes = {message.get("code") for message in inbox.seen}
            return worker.ended or bool(codes & {"still.failed", "still.rejected"})

        await until(outcome)
        assert not [message for message in inbox.seen if message["op"] == "still"]
        assert worker.end_cause in {None, "worker_limit"}
        assert not other.ended


async def test_the_wall_clock_ends_a_forgotten_worker():
    """A worker that nobody closes ends by the system's alarm, counted from its acquisition."""
    async with pool_of(settings=MediaSettings(limits=WorkerLimits(wall_s=1))) as pool:
        await asyncio.sleep(1.5)
        worker = await pool.acquire()
        inbox = Inbox(worker)
        await inbox.get("ended")
        assert worker.end_cause == "worker_limit"


async def test_ctrl_c_and_a_service_managers_signal_leave_workers_alone():
    """The terminal's group gets SIGINT, a unit's group SIGTERM; only the web process ends workers."""
    async with pool_of() as pool:
        worker = await pool.acquire()
        parent = parent_of(worker.pid)
        for pid in (worker.pid, parent):
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGTERM)
        await asyncio.sleep(0.3)
        inbox = Inbox(worker)
        async with connected(worker, inbox):
            pass
        assert not worker.ended
        assert process_exists(parent)
        await (await pool.acquire()).close()
        await worker.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_close_reaps_every_process_and_descriptor():
    """After `close` no worker runs, and the pool's descriptors are back to what they were."""
    async with pool_of() as warmed:  # the fork server's own descriptors come with the first pool
        await until(lambda: warmed.ready)
    before = descriptors()
    pids = []
    async with pool_of(4, warm=2) as pool:
        await until(lambda: pool.ready)
        pids += [(await pool.acquire()).pid for _ in range(3)]
        pids += [worker.pid for worker in pool._warm]
    assert not [pid for pid in pids if process_exists(pid)]
    await until(lambda: descriptors() <= before + 1)


async def test_close_gives_running_tests_their_grace():
    """A drain waits for a test that ends in time."""
    pool = WorkerPool(MediaSettings(), capacity=2, warm=1)
    await pool.start()
    worker = await pool.acquire()
    closing = asyncio.create_task(pool.close(grace_s=10 * PATIENCE_S))
    await asyncio.sleep(0.2)
    with pytest.raises(PoolFull):
        await pool.acquire()
    assert not worker.ended
    async with asyncio.timeout(PATIENCE_S):
        await worker.close()
        await closing


WEB = textwrap.dedent("""
    import asyncio, sys
    from readiness.media.pool import WorkerPool, MediaSettings
    import readiness.media.health
    async def main():
        pool = WorkerPool(MediaSettings(), capacity=3, warm=1)
        await pool.start()
        workers = [await pool.acquire() for _ in range(2)]
        heavy = {"aiortc", "aioice", "av", "cv2", "onnxruntime"} & set(sys.modules)
        print(*(worker.pid for worker in workers), "heavy:" + ",".join(heavy), flush=True)
        %s
    asyncio.run(main())
""")


def run_web(ending: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WEB % ending], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def said(web: subprocess.Popen[str]) -> tuple[list[int], str]:
    words = web.stdout.readline().split() if web.stdout else []
    return [int(word) for word in words[:2]], words[2]


def wait_for_the_end_of(*pids: int) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while any(process_exists(pid) for pid in pids) and time.monotonic() < until_s:
        time.sleep(0.05)


@pytest.mark.parametrize("frozen", [False, True])
def test_no_orphan_when_the_web_process_is_killed(frozen):
    """After kill -9 of the web process workers, fork server and tracker end by themselves, a frozen worker too."""
    with run_web("await asyncio.sleep(60)") as web:
        pids, _ = said(web)
        forkserver = parent_of(pids[0])
        if frozen:
            os.kill(pids[0], signal.SIGSTOP)
        web.kill()
        web.wait(PATIENCE_S)
        wait_for_the_end_of(*pids, forkserver)
        alive = [pid for pid in (*pids, forkserver) if process_exists(pid)]
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert not alive


def test_the_web_process_never_imports_what_workers_need():
    """Neither aiortc nor OpenCV nor onnxruntime: a hostile peer meets a worker, never the web process."""
    with run_web("await pool.close()") as web:
        _, heavy = said(web)
        assert web.wait(PATIENCE_S) == 0
        assert heavy == "heavy:"


def test_an_exit_without_close_does_not_hang():
    """A crash of the web process's main ends the workers and itself."""
    with run_web("raise SystemExit(3)") as web:
        pids, _ = said(web)
        assert web.wait(PATIENCE_S) == 3
        wait_for_the_end_of(*pids)
        assert not any(process_exists(pid) for pid in pids)
