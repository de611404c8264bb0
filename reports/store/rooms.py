"""Rooms, the one-time codes that enrol them, and their keys. Only digests of secrets come in and are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor
from .errors import Gone
from .part import StorePart, checked_hash
from .records import new_id
from .room_records import CODE_LIFE, OVERLAP, Room, RoomEventKind, RoomHook
from .room_tables import meeting_room, room, room_code, room_event, room_hook, room_key, room_notice

__all__ = ["RoomPart", "put_events", "room_of"]

_CHANGED = frozenset({"name", "building", "zone", "contact", "settings"})


class RoomPart(StorePart):
    """The part of the store that knows rooms and who speaks for them."""

    async def add_room(self, actor: Actor, added: Room) -> None:
        """Store a room. Raises Conflict where the organisation has one of that name."""
        actor.require("room.manage")
        if added.organisation_id != actor.organisation_id:
            raise ValueError("the room is of another organisation")
        async with self._database.write() as connection:
            await connection.execute(sa.insert(room).values(_values_of(added)))

    async def change_room(self, actor: Actor, room_id: str, changes: Mapping[str, Any]) -> None:
        """Change name, building, zone, contact or settings. Raises Gone, and Conflict for a name that is taken."""
        actor.require("room.manage")
        if set(changes) - _CHANGED:
            raise ValueError("only what somebody types can be changed")
        async with self._database.write() as connection:
            await _change(connection, actor, room_id, changes)

    async def remove_room(self, actor: Actor, room_id: str) -> bool:
        """Forget the room with everything it has sent; return whether it was there."""
        actor.require("room.manage")
        async with self._database.write() as connection:
            gone = sa.delete(room).where(room.c.id == room_id, room.c.organisation_id == actor.organisation_id)
            return (await connection.execute(gone)).rowcount > 0

    async def want_check(self, actor: Actor, room_id: str) -> str:
        """Ask the room's agent for a check and return the id of the wish; one that waits is kept. Raises Gone."""
        actor.require("room.manage")
        async with self._database.write() as connection:
            found = await _locked(connection, actor, room_id)
            wish = found.check_wanted or new_id()
            await _change(connection, actor, room_id, {"check_wanted": wish})
            return wish

    async def set_known(self, actor: Actor, room_id: str, until: datetime | None, now: datetime) -> None:
        """Say until when the room's trouble is known, or with None that it is no more. Raises Gone."""
        actor.require("room.manage")
        async with self._database.write() as connection:
            found = await _locked(connection, actor, room_id)
            await _change(connection, actor, room_id, {"known_until": until})
            kind: RoomEventKind = "known" if until is not None else "known_over"
            if until is not None or found.known_until is not None:
                await put_events(connection, found, [kind], now, is_known=until is not None)
        self.noticed.set()

    async def rooms(self, actor: Actor) -> list[Room]:
        """Return the organisation's rooms by building and name."""
        actor.require("room.read")
        return await self._rooms_of(actor)

    async def rooms_to_invite(self, actor: Actor) -> list[Room]:
        """Return the rooms that a meeting of the organisation can be in, by building and name."""
        actor.require("room.invite")
        return await self._rooms_of(actor)

    async def _rooms_of(self, actor: Actor) -> list[Room]:
        chosen = sa.select(room).where(room.c.organisation_id == actor.organisation_id)
        return [room_of(row) for row in await self._rows(chosen.order_by(room.c.building, room.c.name, room.c.id))]

    async def room(self, actor: Actor, room_id: str) -> Room | None:
        """Return the organisation's room with this id."""
        actor.require("room.read")
        return await self._room(actor, room_id)

    async def own_room(self, actor: Actor) -> Room | None:
        """Return the room that acts."""
        actor.require("room.report")
        return await self._room(actor, actor.id.removeprefix("room:"))

    async def _room(self, actor: Actor, room_id: str) -> Room | None:
        chosen = sa.select(room).where(room.c.id == room_id, room.c.organisation_id == actor.organisation_id)
        row = await self._first(chosen)
        return None if row is None else room_of(row)

    # ---- codes and keys

    async def add_room_code(self, actor: Actor, room_id: str, code_hash: bytes, now: datetime) -> None:
        """Store a one-time code that enrols the room's PC; an earlier one opens nothing any more. Raises Gone."""
        actor.require("room.manage")
        values = {"code_hash": checked_hash(code_hash), "room_id": room_id, "expires_at": now + CODE_LIFE}
        async with self._database.write() as connection:
            await _locked(connection, actor, room_id)
            await connection.execute(sa.delete(room_code).where(room_code.c.room_id == room_id))
            await connection.execute(sa.insert(room_code).values(values))

    async def enrol_room(
        self, code_hash: bytes, key_hash: bytes, now: datetime, *, agent: str, system: str
    ) -> Room | None:
        """Swap a code for a key and return the room; None for a code that is unknown, used or over. Earlier keys end.

        A code is used once, however many try it at the same moment.
        """
        used = sa.update(room_code).where(
            room_code.c.code_hash == checked_hash(code_hash),
            room_code.c.used_at.is_(None),
            room_code.c.expires_at > now,
        )
        async with self._database.write() as connection:
            row = (await connection.execute(used.values(used_at=now).returning(room_code.c.room_id))).first()
            if row is None:
                return None
            room_id: str = row.room_id
            old = sa.update(room_key).where(room_key.c.room_id == room_id, room_key.c.revoked_at.is_(None))
            await connection.execute(old.values(revoked_at=now))
            key = {"key_hash": checked_hash(key_hash), "room_id": room_id, "made_at": now, "used_at": now}
            await connection.execute(sa.insert(room_key).values(key))
            values = {"enrolled_at": now, "asked_at": now, "agent": agent, "system": system, "boots": []}
            values |= {"twins_at": None, "unknown_at": None}
            changed = sa.update(room).where(room.c.id == room_id).values(values).returning(*room.c)
            found = room_of((await connection.execute(changed)).one())
            await put_events(connection, found, ["enrolled"], now)
        self.noticed.set()
        return found

    async def room_of_key(self, key_hash: bytes, now: datetime) -> Room | None:
        """Return the room whose key this is, if it opens now. The first use of a newer key ends the older."""
        mine = room_key.c.key_hash == checked_hash(key_hash)
        is_open = sa.or_(room_key.c.expires_at.is_(None), room_key.c.expires_at > now)
        chosen = sa.select(*room.c, room_key.c.used_at).join(room_key, room_key.c.room_id == room.c.id)
        row = await self._first(chosen.where(mine, room_key.c.revoked_at.is_(None), is_open))
        if row is None:
            return None
        if row.used_at is None:
            async with self._database.write() as connection:
                await connection.execute(sa.update(room_key).where(mine).values(used_at=now))
                others = sa.update(room_key).where(room_key.c.room_id == row.id, ~mine, room_key.c.revoked_at.is_(None))
                await connection.execute(others.values(revoked_at=now))
        return room_of(row)

    async def rotate_room_key(self, actor: Actor, key_hash: bytes, now: datetime) -> None:
        """Add a key for the room that acts; the ones before hold until it is first used, a day at most."""
        actor.require("room.report")
        room_id = actor.id.removeprefix("room:")
        key = {"key_hash": checked_hash(key_hash), "room_id": room_id, "made_at": now}
        async with self._database.write() as connection:
            await _locked(connection, actor, room_id)
            unused = sa.delete(room_key).where(room_key.c.room_id == room_id, room_key.c.used_at.is_(None))
            await connection.execute(unused)
            before = sa.update(room_key).where(room_key.c.room_id == room_id, room_key.c.revoked_at.is_(None))
            await connection.execute(before.values(expires_at=now + OVERLAP))
            await connection.execute(sa.insert(room_key).values(key))

    async def revoke_room(self, actor: Actor, room_id: str, now: datetime) -> int:
        """Close the room's keys and codes at once and return how many keys were open. Raises Gone."""
        actor.require("room.manage")
        async with self._database.write() as connection:
            return await _revoke(connection, await _locked(connection, actor, room_id), now)

    async def leave_room(self, actor: Actor, now: datetime) -> None:
        """Close the keys of the room that acts, because its PC forgets the room."""
        actor.require("room.report")
        async with self._database.write() as connection:
            await _revoke(connection, await _locked(connection, actor, actor.id.removeprefix("room:")), now)

    async def room_asked(self, actor: Actor, now: datetime) -> None:
        """Note the sign of life of the room that acts."""
        actor.require("room.report")
        async with self._database.write() as connection:
            await _change(connection, actor, actor.id.removeprefix("room:"), {"asked_at": now})

    # ---- who else is told

    async def add_room_hook(self, actor: Actor, added: RoomHook) -> None:
        """Store an address that is told of every event of the organisation's rooms."""
        actor.require("room.manage")
        values = {name: getattr(added, name) for name in RoomHook.__dataclass_fields__}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(room_hook).values(values | {"organisation_id": actor.organisation_id}))

    async def room_hooks(self, actor: Actor) -> list[RoomHook]:
        """Return the organisation's hooks, the oldest first."""
        actor.require("room.read")
        chosen = sa.select(room_hook).where(room_hook.c.organisation_id == actor.organisation_id)
        return [RoomHook(**row._asdict()) for row in await self._rows(chosen.order_by(room_hook.c.made_at))]

    async def remove_room_hooks(self, actor: Actor) -> int:
        """Forget the organisation's hooks with what waits for them, and return how many there were."""
        actor.require("room.manage")
        async with self._database.write() as connection:
            gone = sa.delete(room_hook).where(room_hook.c.organisation_id == actor.organisation_id)
            return (await connection.execute(gone)).rowcount

    async def set_meeting_rooms(self, actor: Actor, meeting_id: str, room_ids: Sequence[str]) -> None:
        """Say in which rooms a meeting is. Raises Gone for a meeting or room that the organisation does not have."""
        scope = actor.require("room.invite")
        from .rows import locked  # noqa: PLC0415 - beside its only use

        async with self._changing_boards() as (connection, meetings):
            await locked(connection, scope, meeting_id)
            for room_id in sorted(set(room_ids)):
                await _locked(connection, actor, room_id)
            await connection.execute(sa.delete(meeting_room).where(meeting_room.c.meeting_id == meeting_id))
            rows = [{"meeting_id": meeting_id, "room_id": room_id} for room_id in dict.fromkeys(room_ids)]
            if rows:
                await connection.execute(sa.insert(meeting_room), rows)
            meetings.add(meeting_id)


def room_of(row: sa.Row[Any]) -> Room:
    """Read a row that has the room's columns."""
    values = {name: getattr(row, name) for name in Room.__dataclass_fields__}
    boots = tuple((str(name), datetime.fromisoformat(at)) for name, at in values["boots"])
    return Room(**{**values, "boots": boots})


def _values_of(record: Room) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in Room.__dataclass_fields__}
    return values | {"boots": [], "settings": dict(record.settings)}


async def _locked(connection: AsyncConnection, actor: Actor, room_id: str) -> Room:
    """Return the room and keep others from changing it until the transaction ends. Raises Gone."""
    mine = sa.select(room).where(room.c.id == room_id, room.c.organisation_id == actor.organisation_id)
    row = (await connection.execute(mine.with_for_update())).first()
    if row is None:
        raise Gone("no such room")
    return room_of(row)


async def _change(connection: AsyncConnection, actor: Actor, room_id: str, changes: Mapping[str, Any]) -> None:
    mine = sa.update(room).where(room.c.id == room_id, room.c.organisation_id == actor.organisation_id)
    if changes and not (await connection.execute(mine.values(**changes))).rowcount:
        raise Gone("no such room")


async def _revoke(connection: AsyncConnection, found: Room, now: datetime) -> int:
    await connection.execute(sa.delete(room_code).where(room_code.c.room_id == found.id))
    keys = sa.update(room_key).where(room_key.c.room_id == found.id, room_key.c.revoked_at.is_(None))
    closed = (await connection.execute(keys.values(revoked_at=now))).rowcount
    values = {"enrolled_at": None, "check_wanted": None, "state": "new", "since": None, "alarm_at": None}
    await connection.execute(sa.update(room).where(room.c.id == found.id).values(values))
    if closed:
        await put_events(connection, found, ["revoked"], now)
    return closed


async def put_events(
    connection: AsyncConnection,
    found: Room,
    kinds: Sequence[RoomEventKind],
    now: datetime,
    *,
    codes: Sequence[str] = (),
    is_known: bool | None = None,
) -> None:
    """Store events of a locked room, numbered on from its newest, and queue who is told of them.

    Hooks hear of everything; the contact of what somebody has to act on, unless it is known.
    """
    if not kinds:
        return
    known = found.known_until is not None and found.known_until > now if is_known is None else is_known
    newest = sa.select(room.c.sequence).where(room.c.id == found.id)
    sequence: int = (await connection.execute(newest)).scalar_one()
    chosen = sa.select(room_hook.c.id).where(room_hook.c.organisation_id == found.organisation_id)
    hooks: list[str | None] = list((await connection.execute(chosen)).scalars())
    for kind in kinds:
        sequence += 1
        event = {"room_id": found.id, "sequence": sequence, "kind": kind, "at": now, "is_known": known}
        await connection.execute(sa.insert(room_event).values(event | {"codes": list(codes)}))
        is_news = kind in TOLD_BY_MAIL and (kind != "recovery" or found.alarm_at is not None)
        by_mail = found.contact is not None and not known and is_news
        for hook in [*hooks, None] if by_mail else hooks:
            notice = {
                "id": new_id(), "organisation_id": found.organisation_id, "room_id": found.id, "sequence": sequence,
                "hook_id": hook, "state": "waiting", "created_at": now, "due_at": now, "attempts": 0,
            }  # fmt: skip
            await connection.execute(sa.insert(room_notice).values(notice))
    await connection.execute(sa.update(room).where(room.c.id == found.id).values(sequence=sequence))


TOLD_BY_MAIL: frozenset[RoomEventKind] = frozenset({"alarm", "recovery", "unknown", "heard", "two_agents"})
"""A first failure is repeated before anybody is written to."""
