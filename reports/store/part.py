"""The base of the store's parts: database, events, and a transaction that notifies watchers after its commit."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .engine import Database
from .guard import guard
from .notify import BoardEvents, PostgresListener
from .records import Outgoing
from .tables import outbox

__all__ = ["StorePart", "checked_hash"]

_HASH_BYTES: Final = hashlib.sha256().digest_size


def checked_hash(value: bytes) -> bytes:
    """Return `value` if it has the length of a SHA-256. Raises for anything else: no token may come this far."""
    if len(value) != _HASH_BYTES:
        raise ValueError("expected a SHA-256 digest of 32 bytes")
    return value


class StorePart:
    """Base of the parts; other modules make a `Store` only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events = BoardEvents()
        self.queued = asyncio.Event()
        """Set when this process queues a message; cleared by the sender."""
        self._listener = None if database.is_sqlite else PostgresListener(database.url, self._events)

    def _insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT with ON CONFLICT, which both databases spell alike."""
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)

    @asynccontextmanager
    async def _changing_boards(self) -> AsyncGenerator[tuple[AsyncConnection, set[str]]]:
        """Yield a transaction and a set for the ids of changed meetings, whose watchers are woken after the commit."""
        meetings: set[str] = set()
        async with self._database.write() as connection:
            yield connection, meetings
            if self._listener is not None:
                for meeting_id in meetings:
                    await self._listener.announce(connection, meeting_id)
        for meeting_id in meetings:
            self._events.publish(meeting_id)

    async def _put_outgoing(self, connection: AsyncConnection, messages: Sequence[Outgoing]) -> int:
        """Queue messages inside a transaction; return how many were new. The caller sets `queued` afterwards."""
        insert = self._insert(outbox).on_conflict_do_nothing().returning(outbox.c.id)
        added = 0
        for one in messages:
            row = {name: getattr(one, name) for name in Outgoing.__dataclass_fields__} | {"data": guard(one.data)}
            added += (await connection.execute(insert.values(row))).first() is not None
        return added

    async def _rows(self, statement: sa.Select[Any]) -> list[sa.Row[Any]]:
        async with self._database.read() as connection:
            return list((await connection.execute(statement)).all())

    async def _first(self, statement: sa.Select[Any]) -> sa.Row[Any] | None:
        rows = await self._rows(statement)
        return rows[0] if rows else None
