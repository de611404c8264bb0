"""A pool of real workers, what one of them says, and a peer connected to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from readiness.client.media import MediaPeer
from readiness.media.pool import MediaSettings, MediaWorker, WorkerPool
from tests.patience import PATIENCE_S

OFFERS = Path(__file__).parents[1] / "data" / "offers"


def recorded_offer(name: str) -> str:
    """Return a recorded offer, with its CRLF line ends."""
    return (OFFERS / f"{name}.sdp").read_bytes().decode()


class Inbox:
    """Collects what a worker says, so that a test can wait for one operation."""

    def __init__(self, worker: MediaWorker) -> None:
        self.seen: list[dict[str, Any]] = []
        self._worker = worker
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message, _ in self._worker.messages():
            self.seen.append(message)
            self._news.set()
        self.seen.append({"op": "ended"})
        self._news.set()

    async def get(
        self, op: str, *, timeout_s: float = PATIENCE_S, where: Callable[[dict], bool] = bool
    ) -> dict[str, Any]:
        """Return the next message `op`, taken out, waiting if need be. Raises TimeoutError with what came instead."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    self._news.clear()
                    for message in self.seen:
                        if message["op"] == op and where(message):
                            self.seen.remove(message)
                            return message
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"no {op!r} within {timeout_s} s, but {self.seen}") from None


@contextlib.asynccontextmanager
async def pool_of(
    capacity: int = 4, *, warm: int = 1, settings: MediaSettings | None = None
) -> AsyncIterator[WorkerPool]:
    """A pool that is closed whatever happens."""
    pool = WorkerPool(settings or MediaSettings(), capacity=capacity, warm=warm)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def connected(worker: MediaWorker, inbox: Inbox) -> AsyncIterator[MediaPeer]:
    """A client whose clock channel is open."""
    client = MediaPeer(tracks=0)
    try:
        await worker.send({"op": "offer", "sdp": await client.offer()})
        await client.accept((await inbox.get("answer"))["sdp"])
        await client.opened()
        yield client
    finally:
        await client.close()


async def until(condition: Callable[[], Any], timeout_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


def process_exists(pid: int) -> bool:
    """Whether `pid` runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
