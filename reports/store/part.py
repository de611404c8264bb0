"""The base of the store's parts: database, events, and a transaction that notifies watchers after its commit.

Here, too, every call by an actor gets into the audit log: each public method whose first argument is an actor is
wrapped when its class is made, so that none can be forgotten.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from inspect import Signature, iscoroutinefunction, signature
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor
from .audit import DEEDS
from .engine import Database
from .errors import NotAllowed
from .guard import guard
from .notify import BoardEvents, PostgresListener
from .passing import Passing
from .records import NewMeeting, Outgoing
from .tables import outbox
from .trail import OPEN_CALL, TRAIL, Call, Deed

__all__ = ["StorePart", "checked_hash"]

_HASH_BYTES: Final = hashlib.sha256().digest_size
_NAMED_BY: Final = ("report_id", "case_id", "participant_id", "host_id", "room_id", "meeting_id", "session_id")
"""Arguments that name what a call is about; of several the first."""


def checked_hash(value: bytes) -> bytes:
    """Return `value` if it has the length of a SHA-256. Raises for anything else: no token may come this far."""
    if len(value) != _HASH_BYTES:
        raise ValueError("expected a SHA-256 digest of 32 bytes")
    return value


class StorePart:
    """Base of the parts; other modules make a `Store` only."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Let every public method that takes an actor be logged."""
        super().__init_subclass__(**options)
        for name, method in [*vars(cls).items()]:
            if not name.startswith("_") and iscoroutinefunction(method):
                taken = signature(method)
                if list(taken.parameters)[1:2] == ["actor"]:
                    setattr(cls, name, _logged(method, taken))

    def __init__(self, database: Database) -> None:
        self._database = database
        self._events = BoardEvents()
        self.queued = asyncio.Event()
        """Set when this process queues a message; cleared by the sender."""
        self.noticed = asyncio.Event()
        """The same for what is to be told of a room."""
        self._passing = Passing()
        self._listener = None
        if not database.is_sqlite:
            self._listener = PostgresListener(database.url, self._events, self._passing)

    def _did(self, connection: AsyncConnection, deed: Deed) -> None:
        """Log `deed` with this transaction; who did it, where that is not said, is who acts in the trail."""
        if self._database.audit is None:
            return
        trail = TRAIL.get()
        if not deed.kind:
            deed.kind, deed.actor = ("clock", "clock") if trail is None else (trail.kind, trail.actor)
        connection.info.setdefault(DEEDS, []).append(deed)

    async def keep_trail(self) -> None:
        """Log what was looked at in this request or command; to be called before anybody gets to see it."""
        trail = TRAIL.get()
        if self._database.audit is not None and trail is not None and trail.pending:
            async with self._database.write():
                pass

    async def _log_views(self, call: Call, result: object) -> None:
        """Log what a call did outside a transaction of its own, at once or with the trail."""
        audit, trail = self._database.audit, TRAIL.get()
        if audit is None or not call.deeds:
            return
        found = bool(result) if isinstance(result, Mapping | Sequence) else result is not None
        named = _named(type(result).__name__, result)
        deeds = [deed for deed in call.deeds if audit.logs(deed)]
        call.deeds = []
        for deed in deeds:
            deed.by_change = False
            deed.outcome = deed.outcome if found or deed.outcome != "done" else "nothing"
            deed.object = deed.object or named
        fresh = [*{deed.view: deed for deed in deeds if audit.is_new_view(deed)}.values()]
        if trail is not None and trail.waits:
            trail.pending += fresh
        elif fresh:
            call.deeds = fresh
            async with self._database.write():
                pass

    def _insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """Return an INSERT with ON CONFLICT, which both databases spell alike."""
        return sqlite.insert(table) if self._database.is_sqlite else postgresql.insert(table)

    @asynccontextmanager
    async def _changing_boards(self) -> AsyncGenerator[tuple[AsyncConnection, set[str]]]:
        """Yield a transaction and a set for ids of changed meetings, or `desk_of`; their watchers are woken then."""
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


def _logged(method: Callable[..., Awaitable[Any]], taken: Signature) -> Callable[..., Awaitable[Any]]:
    """Return `method`, with what its actor is let through to in the audit log: changes with it, views after it."""

    @wraps(method)
    async def logged(self: StorePart, actor: Actor, *args: Any, **options: Any) -> Any:
        if self._database.audit is None:
            return await method(self, actor, *args, **options)
        call = Call(_objects(taken, (self, actor, *args), options))
        token = OPEN_CALL.set(call)
        try:
            try:
                result = await method(self, actor, *args, **options)
            except NotAllowed:
                objects = call.objects or ("",)
                call.deeds = [_refused(actor, method.__name__, one) for one in objects]
                await self._log_views(call, None)
                raise
            await self._log_views(call, result)
            return result
        finally:
            OPEN_CALL.reset(token)

    return logged


def _refused(actor: Actor, what: str, one: str) -> Deed:
    return Deed(actor.organisation_id, actor.kind, actor.id, what, one, outcome="refused")


def _objects(taken: Signature, args: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a call is about, by its arguments: ``report:<id>``; several where it makes several."""
    given = taken.bind(*args, **options).arguments
    for value in given.values():
        if isinstance(value, Sequence) and value and isinstance(value[0], NewMeeting):
            return tuple(f"meeting:{one.meeting.id}" for one in value)
    added = given.get("added")
    if named := _named(type(added).__name__, added):
        return (named,)
    for name in _NAMED_BY:
        if isinstance(given.get(name), str):
            return (f"{name.removesuffix('_id')}:{given[name]}",)
    return ()


def _named(kind: str, record: object) -> str:
    """Return ``report:<id>`` for a record, and nothing for anything else."""
    one = getattr(record, "id", None)
    return f"{kind.removeprefix('Stored').removeprefix('New').lower()}:{one}" if isinstance(one, str) else ""
