"""Server-sent events: how many may be open, and the wait for the next change with a look at the session in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from readiness.errors import LimitError
from readiness.server.services import Services
from reports.store import Watcher

__all__ = ["HEADERS", "counted", "next_change"]

EVENT_KEEPALIVE_S = 4.0
"""Interval at which a stream rechecks its session: a revoked link goes dark within 5 s."""
STREAMS_OF_SESSION, MOST_STREAMS = 5, 200
"""Most event streams of one session, and of a process. A page without one polls every few seconds."""
HEADERS: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


@contextlib.asynccontextmanager
async def counted(services: Services, session_id: str) -> AsyncIterator[None]:
    """Count an event stream in and out. Raises LimitError if there are too many."""
    streams = services.streams
    if streams[session_id] >= STREAMS_OF_SESSION or streams.total() >= MOST_STREAMS:
        raise LimitError("rate.limited", retry_after_s=EVENT_KEEPALIVE_S)
    streams[session_id] += 1
    try:
        yield
    finally:
        streams[session_id] -= 1
        if not streams[session_id]:
            del streams[session_id]


async def next_change(changes: Watcher) -> bool:
    """Wait for the next change; return False when it is time to recheck the session."""
    try:
        async with asyncio.timeout(EVENT_KEEPALIVE_S):
            await anext(changes)
    except TimeoutError:
        return False
    except StopAsyncIteration:  # the store is closing, and so is the server
        await asyncio.sleep(EVENT_KEEPALIVE_S)
        return False
    return True
