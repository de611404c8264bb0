"""Tells watchers that a meeting's board changed: within the process, and between processes over PostgreSQL.

An event means "read again", no more. Several changes may come as one event, and an event may come without a change, but
no change comes without an event: after a lost connection to the database every watcher is woken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection

from .passing import Passing
from .records import new_id

__all__ = ["BoardEvents", "PostgresListener", "Watcher"]

CHANNEL: Final = "readiness_board"
LINE: Final = "readiness_line"
"""Brings whole messages, which are stored nowhere."""
_HEARTBEAT_S: Final = 10.0
"""Interval of checks whether an idle listening connection is alive."""
_ANSWER_LIMIT_S: Final = 5.0
"""Longest time for connecting, or for an answer to the heartbeat."""
_RETRY_FIRST_S: Final = 0.2
_RETRY_MOST_S: Final = 8.0
"""Longest pause between reconnects; pauses double and are randomised, so that processes do not come back in step."""

_log = logging.getLogger(__name__)


class Watcher:
    """The events of a watched meeting, to iterate over. Ends when the store closes."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """Note a change; several before the next look count as one."""
        self._changed.set()

    def end(self) -> None:
        """Let the iteration stop."""
        self._ended = True
        self._changed.set()

    def __aiter__(self) -> AsyncIterator[None]:
        return self

    async def __anext__(self) -> None:
        await self._changed.wait()
        if self._ended:
            raise StopAsyncIteration
        self._changed.clear()


class BoardEvents:
    """The watchers of this process, by meeting."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[Watcher]] = defaultdict(set)
        self._closed = False

    def publish(self, meeting_id: str) -> None:
        """Wake all watchers of this meeting."""
        for watcher in self._watchers.get(meeting_id, ()):
            watcher.wake()

    def publish_all(self) -> None:
        """Wake all watchers, because events may have been lost."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.wake()

    @asynccontextmanager
    async def subscribe(self, *meeting_ids: str) -> AsyncGenerator[Watcher]:
        """Yield the events of these meetings from now on; the caller reads the earlier state inside the block."""
        watcher = Watcher()
        if self._closed:
            watcher.end()
        for meeting_id in meeting_ids:
            self._watchers[meeting_id].add(watcher)
        try:
            yield watcher
        finally:
            for meeting_id in set(meeting_ids):
                self._watchers[meeting_id].discard(watcher)
                if not self._watchers[meeting_id]:
                    del self._watchers[meeting_id]

    def close(self) -> None:
        """End all watchers, present and future."""
        self._closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end()


class PostgresListener:
    """One listening connection for all watchers of this process, opened with the first of them."""

    def __init__(self, url: URL, events: BoardEvents, passing: Passing) -> None:
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._events, self._passing = events, passing
        self._origin = new_id()
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def announce(self, connection: AsyncConnection, meeting_id: str) -> None:
        """Notify the other processes if and when this transaction is committed."""
        await connection.execute(sa.select(sa.func.pg_notify(CHANNEL, f"{self._origin}:{meeting_id}")))

    async def pass_on(self, connection: AsyncConnection, topic: str, text: str) -> None:
        """Hand a message to the other processes if and when this transaction is committed."""
        await connection.execute(sa.select(sa.func.pg_notify(LINE, f"{self._origin} {topic} {text}")))

    async def start(self, *, wait_s: float = 2.0) -> None:
        """Start listening, within `wait_s` if the database allows; otherwise keep trying in the background."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="board listener")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._connected.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        import psycopg  # noqa: PLC0415 - a quarter of a second that a server on SQLite need not wait

        pause_s = _RETRY_FIRST_S
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("board_listener_lost", extra={"error": type(error).__name__})
            if self._connected.is_set():
                pause_s = _RETRY_FIRST_S
                self._connected.clear()
            await asyncio.sleep(random.uniform(0.0, pause_s))
            pause_s = min(2 * pause_s, _RETRY_MOST_S)

    async def _listen(self) -> None:
        """Listen until the connection is lost."""
        import psycopg  # noqa: PLC0415

        async with asyncio.timeout(_ANSWER_LIMIT_S):
            connection = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, application_name="readiness-listen", connect_timeout=int(_ANSWER_LIMIT_S)
            )
        async with connection:
            async with asyncio.timeout(_ANSWER_LIMIT_S):
                await connection.execute(f"LISTEN {CHANNEL}")
                await connection.execute(f"LISTEN {LINE}")
            self._connected.set()
            self._events.publish_all()
            while True:
                async for notice in connection.notifies(timeout=_HEARTBEAT_S):
                    self._heard(notice.channel, notice.payload)
                async with asyncio.timeout(_ANSWER_LIMIT_S):
                    await connection.execute("SELECT 1")

    def _heard(self, channel: str, payload: str) -> None:
        """Tell this process's watchers and listeners what another process has announced."""
        if channel == LINE:
            origin, topic, text = payload.split(" ", 2)
            if origin != self._origin:
                self._passing.give(topic, text)
            return
        origin, _, meeting_id = payload.partition(":")
        if origin != self._origin:
            self._events.publish(meeting_id)
