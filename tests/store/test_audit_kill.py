"""DUR-1 for the audit log: who did what was acknowledged before a kill is there, in a whole chain."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection

from reports.store import Store
from tests.patience import PATIENCE_S
from tests.store import cast
from tests.store.test_audit import ADMIN, EVER, KEYS
from tests.store.test_kill import fill, received

KILLS, LONGEST_LIFE_S = 4, 0.4
ANNA = "meeting-anna-anna"


def test_LOG_2_who_did_it_survives_kill_9_with_what_was_done(url: str) -> None:
    """Each change that was acknowledged has its entry, and nothing is half written."""
    asyncio.run(fill(url))
    moments = random.Random(20261130)
    acknowledged = sum(run_and_kill(url, moments.uniform(0.05, LONGEST_LIFE_S)) for _ in range(KILLS))
    entries, faults, numbers = asyncio.run(read_back(url))
    assert acknowledged >= KILLS
    assert acknowledged <= entries <= acknowledged + KILLS, "at most the last of each was done and not heard of"
    assert faults == 0
    assert numbers == entries


async def read_back(url: str) -> tuple[int, int, int]:
    """How many changes are logged, how many faults there are, and the newest entry's number."""
    store = await Store.open(url)
    store.keep_audit(KEYS)
    head = await store.audit_head()
    check = await store.verify_audit([head])
    found = [one async for page in pages(store) for one in page]
    await store.close()
    return len(found), len(check.faults), head.seq


async def pages(store: Store):
    """Every page of the log."""
    after = 0
    while page := await store.audit_entries(ADMIN, between=EVER, after=after, act="phone.give"):
        yield page
        after = page[-1].seq


def run_and_kill(url: str, life_s: float) -> int:
    """Let a child change something again and again, kill it, and return how often it said that it had."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=change_until_killed, args=(url, theirs))
    process.start()
    theirs.close()
    assert ours.poll(PATIENCE_S)
    ours.recv()
    assert ours.poll(PATIENCE_S), "nothing was acknowledged"
    time.sleep(life_s)
    if process.pid is not None:
        os.kill(process.pid, signal.SIGKILL)
    process.join(PATIENCE_S)
    return len(received(ours))


def change_until_killed(url: str, acknowledged: Connection) -> None:
    """Run in a process of its own."""
    asyncio.run(_change(url, acknowledged))


async def _change(url: str, acknowledged: Connection) -> None:
    store = await Store.open(url)
    store.keep_audit(KEYS)
    acknowledged.send(None)
    number = 0
    while True:
        number += 1
        await store.set_practical(cast.ANNA, ANNA, phone_encrypted=number.to_bytes(4))
        acknowledged.send(number)
