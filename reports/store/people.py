"""Participants and hosts of a meeting. Every change takes an actor and the meeting's id (AUT-2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from .actors import Actor, Scope
from .errors import Conflict, Gone
from .part import StorePart
from .records import GivenAs, Host, Outgoing, Participant, TakenOut
from .rows import carry_feeds, host_of, locked, participant_of, values_of
from .scope import within
from .tables import host, participant, taken_out

__all__ = ["PeoplePart"]

OF_PERSON: Final = frozenset({"role", "label", "locale", "together", "reach", "contact", "interprets", "phone_hash"})
OF_HOST: Final = frozenset({"role", "label", "locale", "reach", "person_hash", "phone_hash"})


class PeoplePart(StorePart):
    """The part of the store that keeps participants and hosts."""

    async def participant(self, actor: Actor, participant_id: str) -> Participant | None:
        """Return the participant with this id, in a meeting of the actor's organisation."""
        scope = actor.require("person.read", participant_id)
        row = await self._first(sa.select(participant).where(_person(scope, participant_id)))
        return None if row is None else participant_of(row)

    async def participants(self, actor: Actor, meeting_id: str) -> list[Participant]:
        """Return the meeting's participants in order; nobody for another organisation's meeting."""
        scope = actor.require("people.read")
        mine = sa.and_(participant.c.meeting_id == meeting_id, within(scope, meeting_id))
        chosen = sa.select(participant).where(mine).order_by(participant.c.position)
        return [participant_of(row) for row in await self._rows(chosen)]

    async def add_participant(
        self, actor: Actor, meeting_id: str, added: Participant, *, most: int | None = None
    ) -> Participant:
        """Store a participant after the others; return it with its position.

        Raises `Gone` without such a meeting; `Conflict` if it has `most` participants, however many callers there are.
        """
        scope = actor.require("meeting.change")
        if added.meeting_id != meeting_id:
            raise ValueError("the participant names another meeting")
        async with self._changing_boards() as (connection, meetings):
            await locked(connection, scope, meeting_id)
            last = sa.select(sa.func.max(participant.c.position)).where(participant.c.meeting_id == meeting_id)
            count = sa.select(sa.func.count()).where(participant.c.meeting_id == meeting_id)
            if most is not None and ((await connection.execute(count)).scalar() or 0) >= most:
                raise Conflict("the meeting is full")
            position = (await connection.execute(last)).scalar()
            stored = replace(added, position=0 if position is None else position + 1)
            await connection.execute(sa.insert(participant).values(values_of(stored)))
            meetings.add(meeting_id)
            return stored

    async def change_participant(
        self, actor: Actor, meeting_id: str, participant_id: str, changes: Mapping[str, Any]
    ) -> Participant:
        """Change fields of a participant and return it. Raises `Gone` if the organisation's meeting has no such one."""
        scope = actor.require("meeting.change")
        if not set(changes) <= OF_PERSON:
            raise ValueError(f"not to be changed: {sorted(set(changes) - OF_PERSON)}")
        async with self._changing_boards() as (connection, meetings):
            await locked(connection, scope, meeting_id)
            mine = sa.and_(participant.c.id == participant_id, participant.c.meeting_id == meeting_id)
            if changes:
                await connection.execute(sa.update(participant).where(mine).values(dict(changes)))
            row = (await connection.execute(sa.select(participant).where(mine))).first()
            if row is None:
                raise Gone("no such participant")
            meetings.add(meeting_id)
            return participant_of(row)

    async def remove_participant(
        self,
        actor: Actor,
        meeting_id: str,
        participant_id: str,
        *,
        keeps: bool = False,
        messages: Sequence[Outgoing] = (),
    ) -> bool:
        """Delete a participant with links, sessions, messages and reports; queue `messages`. False if there is none.

        With `keeps`, name and address stay in `taken_out` until they are told.
        """
        scope = actor.require("meeting.change")
        return await self._take_out(scope, meeting_id, participant, participant_id, messages, keeps=keeps)

    async def note_given(
        self, actor: Actor, meeting_id: str, people: Sequence[str], *, given_as: GivenAs, at: datetime
    ) -> None:
        """Note that the links of these participants and hosts were handed to the organiser, in which form and when."""
        scope = actor.require("meeting.change")
        await self._note(scope, meeting_id, people, {"given_as": given_as, "given_at": at})

    async def note_told(self, actor: Actor, meeting_id: str, person_id: str, *, at: datetime) -> bool:
        """Note that the organiser told a participant or host themselves; False if the meeting has no such one."""
        scope = actor.require("meeting.change")
        return await self._note(scope, meeting_id, [person_id], {"told_at": at}) == 1

    async def _note(self, scope: Scope, meeting_id: str, people: Sequence[str], noted: Mapping[str, Any]) -> int:
        """Set columns of these people; return of how many. Raises `Gone` without such a meeting."""
        async with self._database.write() as connection:
            await locked(connection, scope, meeting_id)
            changes = [
                sa.update(table).where(table.c.meeting_id == meeting_id, table.c.id.in_(people)).values(dict(noted))
                for table in (participant, host)
            ]
            return sum([(await connection.execute(one)).rowcount for one in changes])

    async def hosts(self, actor: Actor, meeting_id: str) -> list[Host]:
        """Return the meeting's hosts, leaders first; none for another organisation's meeting."""
        scope = actor.require("people.read")
        mine = sa.and_(host.c.meeting_id == meeting_id, within(scope, meeting_id))
        chosen = sa.select(host).where(mine).order_by(host.c.role, host.c.id)
        return [host_of(row) for row in await self._rows(chosen)]

    async def host(self, actor: Actor, host_id: str) -> Host | None:
        """Return the leader or technical host with this id, of a meeting of the actor's organisation."""
        scope = actor.require("host.read")
        mine = sa.and_(host.c.id == host_id, within(scope, host.c.meeting_id))
        row = await self._first(sa.select(host).where(mine))
        return None if row is None else host_of(row)

    async def add_host(self, actor: Actor, meeting_id: str, added: Host) -> Host:
        """Store a leader or technical host. Raises `Gone` without such a meeting."""
        scope = actor.require("meeting.change")
        if added.meeting_id != meeting_id:
            raise ValueError("the host names another meeting")
        async with self._changing_boards() as (connection, meetings):
            found = await locked(connection, scope, meeting_id)
            await connection.execute(sa.insert(host).values(values_of(added)))
            await carry_feeds(connection, found, [added])
            meetings.add(meeting_id)
            return added

    async def change_host(self, actor: Actor, meeting_id: str, host_id: str, changes: Mapping[str, Any]) -> Host:
        """Change fields of a host and return it. Raises `Gone` if the organisation's meeting has no such one."""
        scope = actor.require("meeting.change")
        if not set(changes) <= OF_HOST:
            raise ValueError(f"not to be changed: {sorted(set(changes) - OF_HOST)}")
        async with self._changing_boards() as (connection, meetings):
            found = await locked(connection, scope, meeting_id)
            mine = sa.and_(host.c.id == host_id, host.c.meeting_id == meeting_id)
            if changes:
                await connection.execute(sa.update(host).where(mine).values(dict(changes)))
            row = (await connection.execute(sa.select(host).where(mine))).first()
            if row is None:
                raise Gone("no such host")
            await carry_feeds(connection, found, [host_of(row)])
            meetings.add(meeting_id)
            return host_of(row)

    async def remove_host(
        self, actor: Actor, meeting_id: str, host_id: str, *, keeps: bool = False, messages: Sequence[Outgoing] = ()
    ) -> bool:
        """Delete a host with links, sessions and messages, and queue `messages`; as `remove_participant`."""
        scope = actor.require("meeting.change")
        return await self._take_out(scope, meeting_id, host, host_id, messages, keeps=keeps)

    async def _take_out(
        self,
        scope: Scope,
        meeting_id: str,
        table: sa.Table,
        person_id: str,
        messages: Sequence[Outgoing],
        *,
        keeps: bool,
    ) -> bool:
        async with self._changing_boards() as (connection, meetings):
            await locked(connection, scope, meeting_id)
            mine = sa.and_(table.c.id == person_id, table.c.meeting_id == meeting_id)
            kept = [table.c[name] for name in TakenOut.__dataclass_fields__]
            row = (await connection.execute(sa.delete(table).where(mine).returning(*kept))).first()
            if row is None:
                return False
            if keeps:
                await connection.execute(sa.insert(taken_out).values(row._asdict()))
            await self._put_outgoing(connection, messages)
            meetings.add(meeting_id)
        if messages:
            self.queued.set()
        return True

    async def taken_out(self, actor: Actor, meeting_id: str) -> list[TakenOut]:
        """Return who was taken out of the meeting; nobody for another organisation's."""
        scope = actor.require("people.read")
        mine = sa.and_(taken_out.c.meeting_id == meeting_id, within(scope, meeting_id))
        rows = await self._rows(sa.select(taken_out).where(mine).order_by(taken_out.c.label, taken_out.c.id))
        return [TakenOut(**row._asdict()) for row in rows]

    async def forget_taken_out(self, actor: Actor, meeting_id: str, person_id: str) -> bool:
        """Forget who was taken out, because they know; False if there is nobody."""
        scope = actor.require("meeting.change")
        mine = sa.and_(taken_out.c.id == person_id, taken_out.c.meeting_id == meeting_id)
        async with self._changing_boards() as (connection, meetings):
            await locked(connection, scope, meeting_id)
            meetings.add(meeting_id)
            return (await connection.execute(sa.delete(taken_out).where(mine))).rowcount == 1

    async def set_practical(
        self, actor: Actor, participant_id: str, *, phone_encrypted: bytes | None, phone_hash: bytes | None = None
    ) -> None:
        """Store or remove this participant's phone number, encrypted by the caller, with its keyed hash."""
        scope = actor.require("phone.give", participant_id)
        given = {"contact": phone_encrypted, "contact_hash": None if phone_encrypted is None else phone_hash}
        statement = sa.update(participant).where(_person(scope, participant_id)).values(given)
        async with self._database.write() as connection:
            if (await connection.execute(statement)).rowcount == 0:
                raise Gone("no such participant")

    async def phone(self, actor: Actor, participant_id: str) -> bytes | None:
        """Return the encrypted number that `set_practical` stored."""
        scope = actor.require("phone.read", participant_id)
        row = await self._first(sa.select(participant.c.contact).where(_person(scope, participant_id)))
        return None if row is None or row.contact is None else bytes(row.contact)


def _person(scope: Scope, participant_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for the participant with this id, in a meeting of the scope."""
    mine = within(scope, participant.c.meeting_id)
    return sa.and_(participant.c.id == participant_id, mine)
