"""Organisations, meetings and their participants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from .errors import Gone
from .part import StorePart
from .records import Meeting, Organisation, Participant
from .tables import meeting, organisation, participant

__all__ = ["MeetingPart", "meeting_of", "participant_of"]


class MeetingPart(StorePart):
    """The part of the store that knows who meets when."""

    async def ensure_organisation(self, wanted: Organisation) -> Organisation:
        """Store the organisation, or bring the one with this slug up to date; return it with the id it has."""
        values = {
            "name": wanted.name,
            "support_phone": wanted.support_phone,
            "support_hours": wanted.support_hours,
            "languages": list(wanted.languages),
            "time_zone": wanted.time_zone,
            "drop_in_allowed": wanted.drop_in_allowed,
            "texts": {name: dict(by_language) for name, by_language in wanted.texts.items()},
        }
        insert = self._insert(organisation).values(id=wanted.id, slug=wanted.slug, **values)
        statement = insert.on_conflict_do_update(index_elements=["slug"], set_=values).returning(*organisation.c)
        async with self._database.write() as connection:
            return _organisation_of((await connection.execute(statement)).one())

    async def organisation(self, slug: str) -> Organisation | None:
        """Return the organisation with this slug."""
        row = await self._first(sa.select(organisation).where(organisation.c.slug == slug))
        return None if row is None else _organisation_of(row)

    async def only_organisation(self) -> Organisation | None:
        """Return the organisation where there is exactly one: whom to call on a page that names none."""
        rows = await self._rows(sa.select(organisation).limit(2))
        return _organisation_of(rows[0]) if len(rows) == 1 else None

    async def organisation_by_id(self, organisation_id: str) -> Organisation | None:
        """Return the organisation with this id."""
        row = await self._first(sa.select(organisation).where(organisation.c.id == organisation_id))
        return None if row is None else _organisation_of(row)

    async def add_meeting(self, added: Meeting, participants: Sequence[Participant]) -> None:
        """Store a meeting and all who take part, or nothing at all."""
        if any(person.meeting_id != added.id for person in participants):
            raise ValueError("a participant names another meeting")
        values = {name: getattr(added, name) for name in Meeting.__dataclass_fields__}
        values |= {"practical": list(added.practical), "reminders": list(added.reminders)}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(meeting).values(values))
            if participants:
                rows = [{name: getattr(p, name) for name in Participant.__dataclass_fields__} for p in participants]
                await connection.execute(sa.insert(participant), rows)

    async def meeting(self, meeting_id: str) -> Meeting | None:
        """Return the meeting with this id."""
        row = await self._first(sa.select(meeting).where(meeting.c.id == meeting_id))
        if row is None:
            return None
        return meeting_of(row)

    async def participant(self, participant_id: str) -> Participant | None:
        """Return the participant with this id."""
        row = await self._first(sa.select(participant).where(participant.c.id == participant_id))
        return None if row is None else participant_of(row)

    async def set_practical(self, participant_id: str, *, phone_encrypted: bytes | None) -> None:
        """Keep or take away the number this participant can be reached at; the caller encrypted it."""
        statement = sa.update(participant).where(participant.c.id == participant_id).values(contact=phone_encrypted)
        async with self._database.write() as connection:
            if (await connection.execute(statement)).rowcount == 0:
                raise Gone("no such participant")

    async def phone(self, participant_id: str) -> bytes | None:
        """Return the number as `set_practical` got it."""
        row = await self._first(sa.select(participant.c.contact).where(participant.c.id == participant_id))
        return None if row is None or row.contact is None else bytes(row.contact)


def meeting_of(row: sa.Row[Any]) -> Meeting:
    """Read a row that has the meeting's columns."""
    values = {name: getattr(row, name) for name in Meeting.__dataclass_fields__}
    lists = {name: tuple(values[name]) for name in ("practical", "reminders")}
    return Meeting(**{**values, **lists})


def participant_of(row: sa.Row[Any]) -> Participant:
    """Read a row that has the participant's columns."""
    return Participant(**{name: getattr(row, name) for name in Participant.__dataclass_fields__})


def _organisation_of(row: sa.Row[Any]) -> Organisation:
    values = {name: getattr(row, name) for name in Organisation.__dataclass_fields__}
    return Organisation(**{**values, "languages": tuple(values["languages"])})
