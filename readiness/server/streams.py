"""Server-sent events: how many may be open, and the wait for the next change with a look at the session in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiohttp import web

from readiness.errors import LimitError
from readiness.server.services import Services
from reports.store import Watcher

__all__ = ["EVENT_KEEPALIVE_S", "HEADERS", "Looks", "counted", "next_change", "say", "say_nothing"]

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


class Looks:
    """When a stream looks at its session again: by the clock, however much there is to send in between."""

    def __init__(self) -> None:
        self.looked()

    def looked(self) -> None:
        """Note that the stream has just looked."""
        self._due_s = time.monotonic() + EVENT_KEEPALIVE_S

    def left_s(self) -> float:
        """Return the seconds until the next look; 0 when it is due."""
        return max(0.0, self._due_s - time.monotonic())


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


async def say(response: web.StreamResponse, name: str, data: Mapping[str, Any] | None = None) -> None:
    """Send one event. Raises ConnectionError where the page is gone."""
    await response.write(f"event: {name}\ndata: {json.dumps(data or {}, ensure_ascii=True)}\n\n".encode())


async def say_nothing(response: web.StreamResponse) -> None:
    """Keep the connection open. Raises ConnectionError where the page is gone."""
    await response.write(b": still here\n\n")
