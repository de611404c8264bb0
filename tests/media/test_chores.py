"""Work in confined processes: it is done, or ended by the operating system, and the next one works."""

from __future__ import annotations

import asyncio
import time

import pytest

from readiness.errors import InputError, Unavailable
from readiness.media import chores as chores_module
from readiness.media.limits import WorkerLimits
from readiness.meetings.wire import READ, decoded
from tests.media.support import pool_of, process_exists, until
from tests.meetings.files import CALENDAR

EVAL = "builtins:eval"
"""Makes bytes of bytes, whatever they cost."""
COUNT = b"str(sum(range(10 ** 12))).encode()"
HOARD = b"bytes(10 ** 10)"
SLEEP = b"__import__('time').sleep(1000)"
WHO = b"str(__import__('os').getpid()).encode()"
USED = b"str(__import__('time').process_time()).encode()"
ROOMY = WorkerLimits(cpu_s=4, memory_mb=256, wall_s=60)
"""On a busy machine a piece of work may take long by the clock."""
SMALL = WorkerLimits(cpu_s=1, memory_mb=256, wall_s=60)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """What a test does not time has all the time."""
    monkeypatch.setattr(chores_module, "WAIT_S", 120.0)


async def test_each_piece_of_work_has_a_process_of_its_own():
    """Confined, gone afterwards, and what it says comes back; so does what is wrong with a file."""
    async with pool_of(1, warm=0) as pool:
        pids = [int(await pool.chores.do(EVAL, WHO, limits=ROOMY)) for _ in range(2)]
        assert pids[0] != pids[1]
        await until(lambda: not any(process_exists(pid) for pid in pids))
        wanted, bad = decoded(await pool.chores.do(READ, CALENDAR.encode(), limits=ROOMY))
        assert (len(wanted), bad) == (2, [])
        with pytest.raises(InputError, match=r"import\.empty"):
            await pool.chores.do(READ, b"starts;role\n", limits=ROOMY)
        for fault in (b"1 / 0", b"__import__('os')._exit(3)", b"open('/tmp/written', 'wb').write(b'1')"):
            with pytest.raises(chores_module.ChoreFailed):
                await pool.chores.do(EVAL, fault, limits=ROOMY)


@pytest.mark.parametrize(("dear", "limits"), [(COUNT, SMALL), (HOARD, ROOMY)], ids=["processor time", "memory"])
async def test_what_costs_too_much_is_ended_and_told(dear, limits):
    """By the kernel, not by us; the next piece of work is done."""
    async with pool_of(1, warm=0) as pool:
        with pytest.raises(chores_module.ChoreCostly):
            await pool.chores.do(EVAL, dear, limits=limits)
        assert float(await pool.chores.do(EVAL, USED, limits=ROOMY)) < 2


async def test_what_only_takes_long_is_ended_too():
    """Without having used the processor it is the machine that was busy, and who asked may come again."""
    async with pool_of(1, warm=0) as pool:
        await pool.chores.do(EVAL, WHO, limits=ROOMY)
        with pytest.raises(Unavailable):
            await pool.chores.do(EVAL, SLEEP, limits=WorkerLimits(cpu_s=4, memory_mb=256, wall_s=1))


async def test_who_stops_waiting_leaves_nothing_running():
    """A request that is given up ends its process; one that finds the house full is told at once."""
    async with pool_of(1, warm=0) as pool:
        await pool.chores.do(EVAL, WHO, limits=ROOMY)
        asking = [asyncio.create_task(pool.chores.do(EVAL, SLEEP, limits=ROOMY)) for _ in range(12)]
        await until(lambda: len(pool.chores._running) == 2)
        pids = [one.process.pid for one in pool.chores._running]
        with pytest.raises(Unavailable):
            await pool.chores.do(EVAL, WHO, limits=ROOMY)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await until(lambda: not any(process_exists(pid) for pid in pids))
        assert await pool.chores.do(EVAL, WHO, limits=ROOMY)


async def test_a_shutdown_does_not_wait_for_work():
    """What is under way is ended with the pool."""
    async with pool_of(1, warm=0) as pool:
        await pool.chores.do(EVAL, WHO, limits=ROOMY)
        asking = asyncio.create_task(pool.chores.do(EVAL, COUNT, limits=WorkerLimits(cpu_s=600, wall_s=600)))
        await until(lambda: bool(pool.chores._running))
        (pid,) = [one.process.pid for one in pool.chores._running]
        began = time.process_time()
    with pytest.raises(Unavailable):
        await asking
    await until(lambda: not process_exists(pid))
    assert time.process_time() - began < 5
