"""The server by itself: how fast it starts, what a media worker costs, how many reports it commits."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import tempfile
import time
from pathlib import Path

import psutil

from readiness.media.pool import MediaSettings, MediaWorker, WorkerPool
from reports.store import Store
from tests.bench.figures import Figure
from tests.browser.conftest import CLIP_FOLDER, LiveServer
from tests.data.clips import camera_clip
from tests.store.cast import CLOCK, fill, made_report, self_test

__all__ = ["run"]

MB = 1e6
WORKERS, QUICK_WORKERS = 10, 4


async def run(*, quick: bool) -> list[Figure]:
    """Return the figures of the server side."""
    count = QUICK_WORKERS if quick else WORKERS
    return [
        Figure("start until it serves", "s", await asyncio.to_thread(_starts, 2 if quick else 5), at_most=3.0),
        *await _workers(count),
        *await _commits(1.5 if quick else 5.0),
    ]


def _starts(times: int) -> list[float]:
    """Start and stop the whole server with a new data folder each time."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder:
            server = LiveServer(Path(folder))
            before = time.perf_counter()
            server.start()
            found.append(time.perf_counter() - before)
            server.stop()
    return found


async def _workers(count: int) -> list[Figure]:
    """Start workers from nothing, from a preloaded fork server, and take them from the warm ones."""
    pool = WorkerPool(MediaSettings(), capacity=2 * count + 2, warm=0)
    await pool.start()
    first, held, times = await _acquire(pool), [], []
    for _ in range(count):
        worker, taken_ms = await _acquire(pool)
        held.append(worker)
        times.append(taken_ms)
    idle = [_memory(worker) for worker in held]
    await asyncio.gather(*(_work(worker) for worker in held[:2]))
    busy = [_memory(worker) for worker in held[:2]]
    await asyncio.gather(*(worker.close() for worker in (first[0], *held)))
    await pool.close()
    return [
        Figure("worker start, first of all", "ms", [first[1]]),
        Figure("worker start, preloaded", "ms", times),
        Figure("worker taken from the warm ones", "ms", await _warm(count)),
        Figure("memory of a worker, resident (idle)", "MB", [rss for rss, _ in idle]),
        Figure("memory of a worker, own share (idle)", "MB", [pss for _, pss in idle]),
        Figure("memory of a worker, resident (in a test)", "MB", [rss for rss, _ in busy]),
        Figure("memory of a worker, own share (in a test)", "MB", [pss for _, pss in busy]),
    ]


async def _warm(count: int) -> list[float]:
    pool = WorkerPool(MediaSettings(), capacity=count, warm=1)
    await pool.start()
    times = []
    for _ in range(count):
        async with asyncio.timeout(30):
            while not pool._warm:
                await asyncio.sleep(0.05)
        worker, taken_ms = await _acquire(pool)
        times.append(taken_ms)
        await worker.close()
    await pool.close()
    return times


async def _acquire(pool: WorkerPool) -> tuple[MediaWorker, float]:
    before = time.perf_counter()
    worker = await pool.acquire()
    return worker, (time.perf_counter() - before) * 1000


async def _work(worker: MediaWorker) -> None:
    """Let the worker look at a still and hear a second of sound, so that it holds both models."""
    clip = camera_clip("good", CLIP_FOLDER).read_bytes()
    jpeg = clip[: clip.index(b"\xff\xd8\xff", 3)]
    await worker.send({"op": "still", "t_ms": 0}, _shrunk(jpeg))
    await worker.send({"op": "pcm", "t_ms": 0}, struct.pack("<16000h", *([1000, -1000] * 8000)))
    seen: set[str] = set()
    async with asyncio.timeout(20):
        async for message, _ in worker.messages():
            seen.add(message["op"])
            if {"still", "sound"} <= seen:
                return


def _shrunk(jpeg: bytes) -> bytes:
    """Return the frame as the page would send it."""
    import cv2
    import numpy as np

    picture = cv2.resize(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), (640, 360))
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 70])[1])


def _memory(worker: MediaWorker) -> tuple[float, float]:
    """Resident and proportional set size, MB: the second splits what processes share among them."""
    info = psutil.Process(worker.pid).memory_full_info()
    return info.rss / MB, info.pss / MB


async def _commits(seconds: float) -> list[Figure]:
    """Commit reports to SQLite on disk, one after the other and twenty at a time."""
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as folder:
        store = await Store.open(f"sqlite:///{folder}/bench.sqlite3", migrate=True)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(store.close)
            await fill(store)
            alone = await _rate(store, "alone", 1, seconds)
            together = await _rate(store, "together", 20, seconds)
    return [
        Figure("tests begun and reports committed, one at a time", "1/s", [alone]),
        Figure("tests begun and reports committed, twenty at a time", "1/s", [together]),
    ]


async def _rate(store: Store, name: str, writers: int, seconds: float) -> float:
    deadline, counts = time.monotonic() + seconds, [0] * writers
    begun = time.monotonic()

    async def write(writer: int) -> None:
        while time.monotonic() < deadline:
            made = made_report(f"{name}-{writer}-{counts[writer]}")
            await store.start_self_test(self_test(id=made.self_test_id))
            await store.save_report(CLOCK, made, claim=1)
            counts[writer] += 1

    await asyncio.gather(*(write(writer) for writer in range(writers)))
    return sum(counts) / (time.monotonic() - begun)
