"""Organisations, meetings, their participants and hosts. What changes a meeting names its organisation too (AUT-2)."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .cases import close_cases
from .errors import Conflict, Gone
from .part import StorePart, checked_hash
from .records import (
    ANSWERS_AFTER_END,
    Host,
    Invitation,
    Meeting,
    MeetingLine,
    NewMeeting,
    Organisation,
    Outgoing,
    Participant,
)
from .tables import host, invitation, meeting, organisation, outbox, participant, report, session

__all__ = ["MeetingPart", "meeting_of", "participant_of"]

CHANGEABLE: Final = frozenset(Meeting.__dataclass_fields__) - {"id", "organisation_id", "state", "sequence"}
MOVES: Final = frozenset({"starts_at", "ends_at", "join_link", "solution"})
"""What a calendar has to be told of."""
KEYS_AT_ONCE: Final = 500
"""Well below what either database takes as parameters of one statement."""
OF_PERSON: Final = frozenset({"role", "label", "locale", "together", "reach", "contact"})
OF_HOST: Final = frozenset({"role", "label", "locale", "reach", "person_hash"})


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

    async def add_meeting(
        self, added: Meeting, participants: Sequence[Participant], hosts: Sequence[Host] = ()
    ) -> None:
        """Store a meeting and all who take part and lead it, or nothing at all."""
        await self.add_meetings([NewMeeting(added, participants, hosts)])

    async def add_meetings(self, batch: Sequence[NewMeeting]) -> None:
        """Store many meetings, each with its people, links and what is to be sent to them: all of it, or nothing."""
        async with self._database.write() as connection:
            await _add(connection, batch)
            for added in batch:
                await self._put_outgoing(connection, added.messages)
        if any(added.messages for added in batch):
            self.queued.set()

    async def change_meeting(
        self,
        organisation_id: str,
        meeting_id: str,
        changes: Mapping[str, Any],
        *,
        messages: Sequence[Outgoing] = (),
        drops: Collection[str] = (),
    ) -> Meeting:
        """Change fields of a meeting and return it. Its links and open pages last until the new end; `Gone`: no such.

        `sequence` counts up where the time or the link changed. Give only what is really another: an encrypted link
        looks different each time. Waiting messages of the kinds `drops` are dropped, then `messages` queued.
        """
        if not set(changes) <= CHANGEABLE:
            raise ValueError(f"not to be changed: {sorted(set(changes) - CHANGEABLE)}")
        async with self._changing_boards() as (connection, meetings):
            found = await _locked(connection, organisation_id, meeting_id)
            changed = replace(found, **changes)
            if any(getattr(changed, name) != getattr(found, name) for name in MOVES):
                changed = replace(changed, sequence=found.sequence + 1)
            if changed == found:
                return found
            await connection.execute(sa.update(meeting).where(meeting.c.id == meeting_id).values(_values(changed)))
            if changed.ends_at != found.ends_at:
                until = changed.ends_at + ANSWERS_AFTER_END
                links = invitation.c.meeting_id == meeting_id
                await connection.execute(sa.update(invitation).where(links).values(expires_at=until))
                pages = session.c.meeting_id == meeting_id
                await connection.execute(sa.update(session).where(pages).values(expires_at=until))
            await self._drop_waiting(connection, meeting_id, drops)
            await self._put_outgoing(connection, messages)
            meetings.add(meeting_id)
        if messages:
            self.queued.set()
        return changed

    async def cancel_meeting(
        self, organisation_id: str, meeting_id: str, now: datetime, *, messages: Sequence[Outgoing] = ()
    ) -> Meeting:
        """Cancel the meeting: close its participants' links and support cases, drop what waits, then queue `messages`.

        Again changes nothing.
        """
        async with self._changing_boards() as (connection, meetings):
            found = await _locked(connection, organisation_id, meeting_id)
            if found.state == "cancelled":
                return found
            changed = replace(found, state="cancelled", sequence=found.sequence + 1)
            await connection.execute(sa.update(meeting).where(meeting.c.id == meeting_id).values(_values(changed)))
            links = sa.update(invitation).where(
                invitation.c.meeting_id == meeting_id, invitation.c.kind == "participant"
            )
            await connection.execute(links.where(invitation.c.revoked_at.is_(None)).values(revoked_at=now))
            await self._drop_waiting(connection, meeting_id, None)
            await close_cases(connection, meeting_id, now)
            await self._put_outgoing(connection, messages)
            meetings.add(meeting_id)
        if messages:
            self.queued.set()
        return changed

    @staticmethod
    async def _drop_waiting(connection: AsyncConnection, meeting_id: str, kinds: Collection[str] | None) -> None:
        waiting = sa.update(outbox).where(outbox.c.meeting_id == meeting_id, outbox.c.state == "waiting")
        if kinds is not None:
            waiting = waiting.where(outbox.c.kind.in_(kinds))
        await connection.execute(waiting.values(state="dropped"))

    async def meeting_in(self, organisation_id: str, meeting_id: str) -> Meeting | None:
        """Return the meeting with this id if it is this organisation's."""
        row = await self._first(_meeting_in(organisation_id, meeting_id))
        return None if row is None else meeting_of(row)

    async def meeting_by_key(self, organisation_id: str, import_key: bytes) -> Meeting | None:
        """Return the meeting that was imported, or asked for, under this key."""
        chosen = sa.select(meeting).where(
            meeting.c.organisation_id == organisation_id, meeting.c.import_key == import_key
        )
        row = await self._first(chosen)
        return None if row is None else meeting_of(row)

    async def meetings_by_keys(self, organisation_id: str, import_keys: Sequence[bytes]) -> dict[bytes, Meeting]:
        """Return the meetings that were imported under these keys, by key."""
        found: dict[bytes, Meeting] = {}
        for at in range(0, len(import_keys), KEYS_AT_ONCE):
            some = import_keys[at : at + KEYS_AT_ONCE]
            chosen = sa.select(meeting).where(meeting.c.organisation_id == organisation_id)
            rows = await self._rows(chosen.where(meeting.c.import_key.in_(some)))
            found |= {bytes(row.import_key): meeting_of(row) for row in rows}
        return found

    async def meetings_in_series(self, organisation_id: str, series: Sequence[bytes]) -> list[Meeting]:
        """Return the planned meetings that were imported as occurrences of these series."""
        found: list[Meeting] = []
        for at in range(0, len(series), KEYS_AT_ONCE):
            chosen = sa.select(meeting).where(
                meeting.c.organisation_id == organisation_id,
                meeting.c.import_series.in_(series[at : at + KEYS_AT_ONCE]),
                meeting.c.state == "planned",
            )
            found += [meeting_of(row) for row in await self._rows(chosen.order_by(meeting.c.starts_at, meeting.c.id))]
        return found

    async def people_of_version(
        self, organisation_id: str, version: str, starts: tuple[datetime, datetime]
    ) -> list[tuple[Meeting, Participant]]:
        """Return everybody in planned meetings of this import version that start in the half-open span."""
        columns = [participant.c[name].label(f"p_{name}") for name in Participant.__dataclass_fields__]
        chosen = sa.select(meeting, *columns).join(participant, participant.c.meeting_id == meeting.c.id)
        chosen = chosen.where(
            meeting.c.organisation_id == organisation_id,
            meeting.c.import_version == version,
            meeting.c.starts_at >= starts[0],
            meeting.c.starts_at < starts[1],
            meeting.c.state == "planned",
        )
        return [(meeting_of(row), participant_of(row, "p_")) for row in await self._rows(chosen)]

    async def people_at(self, organisation_id: str, starts: Sequence[datetime]) -> list[tuple[Meeting, Participant]]:
        """Return everybody in a planned meeting that starts at one of these moments, with the meeting."""
        found: list[tuple[Meeting, Participant]] = []
        columns = [participant.c[name].label(f"p_{name}") for name in Participant.__dataclass_fields__]
        for at in range(0, len(starts), KEYS_AT_ONCE):
            chosen = sa.select(meeting, *columns).join(participant, participant.c.meeting_id == meeting.c.id)
            chosen = chosen.where(
                meeting.c.organisation_id == organisation_id,
                meeting.c.starts_at.in_(starts[at : at + KEYS_AT_ONCE]),
                meeting.c.state == "planned",
            )
            found += [(meeting_of(row), participant_of(row, "p_")) for row in await self._rows(chosen)]
        return found

    async def meetings(
        self,
        organisation_id: str,
        *,
        starts: tuple[datetime, datetime],
        now: datetime,
        after: str | None = None,
        most: int = 100,
        search: str = "",
    ) -> list[MeetingLine]:
        """Return meetings that start in the half-open span `starts`, the earliest first, at most `most`.

        `after`: the id of the last one seen. `search`: a part of a title or of a participant's or leader's label. Four
        queries, however many there are.
        """
        chosen = sa.select(meeting).where(
            meeting.c.organisation_id == organisation_id,
            meeting.c.starts_at >= starts[0],
            meeting.c.starts_at < starts[1],
        )
        if after is not None:
            last = sa.select(meeting.c.starts_at).where(
                meeting.c.id == after, meeting.c.organisation_id == organisation_id
            )
            chosen = chosen.where(
                sa.tuple_(meeting.c.starts_at, meeting.c.id) > sa.tuple_(last.scalar_subquery(), after)
            )
        if search:
            chosen = chosen.where(_matches(search))
        rows = await self._rows(chosen.order_by(meeting.c.starts_at, meeting.c.id).limit(most))
        return await self._lines([meeting_of(row) for row in rows], now) if rows else []

    async def meetings_of_person(
        self, organisation_id: str, person_hash: bytes, *, starts: tuple[datetime, datetime]
    ) -> list[Meeting]:
        """Return the meetings that this person leads or runs and that start in the half-open span, earliest first."""
        mine = sa.select(host.c.meeting_id).where(host.c.person_hash == person_hash)
        chosen = sa.select(meeting).where(
            meeting.c.organisation_id == organisation_id,
            meeting.c.id.in_(mine),
            meeting.c.starts_at >= starts[0],
            meeting.c.starts_at < starts[1],
        )
        return [meeting_of(row) for row in await self._rows(chosen.order_by(meeting.c.starts_at, meeting.c.id))]

    async def _lines(self, found: Sequence[Meeting], now: datetime) -> list[MeetingLine]:
        ids = [one.id for one in found]
        newest = sa.select(sa.func.max(report.c.number)).where(report.c.meeting_id.in_(ids))
        newest = newest.group_by(report.c.participant_id)
        said = sa.select(report.c.participant_id, report.c.verdict, report.c.valid_until)
        people = sa.select(participant.c.id, participant.c.meeting_id, participant.c.label)
        people = people.where(participant.c.meeting_id.in_(ids)).order_by(participant.c.position)
        leads = sa.select(host.c.meeting_id, host.c.label).where(host.c.meeting_id.in_(ids), host.c.role == "leader")
        async with self._database.read() as connection:
            reports = (await connection.execute(said.where(report.c.number.in_(newest)))).all()
            listed = (await connection.execute(people)).all()
            leaders = (await connection.execute(leads.order_by(host.c.label))).all()
        states = {one.participant_id: "stale" if one.valid_until <= now else one.verdict for one in reports}
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for person in listed:
            counts[person.meeting_id][states.get(person.id, "not_tested")] += 1
        labels, names = _labels(listed), _labels(leaders)
        return [MeetingLine(one, dict(counts[one.id]), labels[one.id], names[one.id]) for one in found]

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

    async def participants(self, meeting_id: str) -> list[Participant]:
        """Return everybody in the meeting, in order."""
        chosen = sa.select(participant).where(participant.c.meeting_id == meeting_id).order_by(participant.c.position)
        return [participant_of(row) for row in await self._rows(chosen)]

    async def add_participant(
        self, organisation_id: str, meeting_id: str, added: Participant, *, most: int | None = None
    ) -> Participant:
        """Store one more participant, after the others, and return it with its position.

        `Gone`: no such meeting. `Conflict`: it has `most` already, however many are added at the same moment.
        """
        if added.meeting_id != meeting_id:
            raise ValueError("the participant names another meeting")
        async with self._changing_boards() as (connection, meetings):
            await _locked(connection, organisation_id, meeting_id)
            last = sa.select(sa.func.max(participant.c.position)).where(participant.c.meeting_id == meeting_id)
            count = sa.select(sa.func.count()).where(participant.c.meeting_id == meeting_id)
            if most is not None and ((await connection.execute(count)).scalar() or 0) >= most:
                raise Conflict("the meeting is full")
            position = (await connection.execute(last)).scalar()
            stored = replace(added, position=0 if position is None else position + 1)
            await connection.execute(sa.insert(participant).values(_values(stored)))
            meetings.add(meeting_id)
            return stored

    async def change_participant(
        self, organisation_id: str, meeting_id: str, participant_id: str, changes: Mapping[str, Any]
    ) -> Participant:
        """Change fields of a participant and return it. `Gone`: no such one in this organisation's meeting."""
        if not set(changes) <= OF_PERSON:
            raise ValueError(f"not to be changed: {sorted(set(changes) - OF_PERSON)}")
        async with self._changing_boards() as (connection, meetings):
            await _locked(connection, organisation_id, meeting_id)
            mine = sa.and_(participant.c.id == participant_id, participant.c.meeting_id == meeting_id)
            if changes:
                await connection.execute(sa.update(participant).where(mine).values(dict(changes)))
            row = (await connection.execute(sa.select(participant).where(mine))).first()
            if row is None:
                raise Gone("no such participant")
            meetings.add(meeting_id)
            return participant_of(row)

    async def remove_participant(self, organisation_id: str, meeting_id: str, participant_id: str) -> bool:
        """Take somebody out, with links, pages, messages and reports; False where there is no such one."""
        async with self._changing_boards() as (connection, meetings):
            await _locked(connection, organisation_id, meeting_id)
            mine = sa.and_(participant.c.id == participant_id, participant.c.meeting_id == meeting_id)
            meetings.add(meeting_id)
            return (await connection.execute(sa.delete(participant).where(mine))).rowcount == 1

    async def hosts(self, meeting_id: str) -> list[Host]:
        """Return the leaders and technical hosts of the meeting, leaders first."""
        chosen = sa.select(host).where(host.c.meeting_id == meeting_id).order_by(host.c.role, host.c.id)
        return [_host_of(row) for row in await self._rows(chosen)]

    async def host(self, host_id: str) -> Host | None:
        """Return the leader or technical host with this id."""
        row = await self._first(sa.select(host).where(host.c.id == host_id))
        return None if row is None else _host_of(row)

    async def add_host(self, organisation_id: str, meeting_id: str, added: Host) -> Host:
        """Store one more leader or technical host. `Gone`: no such meeting."""
        if added.meeting_id != meeting_id:
            raise ValueError("the host names another meeting")
        async with self._changing_boards() as (connection, meetings):
            found = await _locked(connection, organisation_id, meeting_id)
            await connection.execute(sa.insert(host).values(_values(added)))
            await _carry_feeds(connection, found, [added])
            meetings.add(meeting_id)
            return added

    async def change_host(
        self, organisation_id: str, meeting_id: str, host_id: str, changes: Mapping[str, Any]
    ) -> Host:
        """Change fields of a host and return it. `Gone`: no such one in this organisation's meeting."""
        if not set(changes) <= OF_HOST:
            raise ValueError(f"not to be changed: {sorted(set(changes) - OF_HOST)}")
        async with self._changing_boards() as (connection, meetings):
            found = await _locked(connection, organisation_id, meeting_id)
            mine = sa.and_(host.c.id == host_id, host.c.meeting_id == meeting_id)
            if changes:
                await connection.execute(sa.update(host).where(mine).values(dict(changes)))
            row = (await connection.execute(sa.select(host).where(mine))).first()
            if row is None:
                raise Gone("no such host")
            await _carry_feeds(connection, found, [_host_of(row)])
            meetings.add(meeting_id)
            return _host_of(row)

    async def remove_host(self, organisation_id: str, meeting_id: str, host_id: str) -> bool:
        """Take a host out, with links, pages and messages; False where there is no such one."""
        async with self._changing_boards() as (connection, meetings):
            await _locked(connection, organisation_id, meeting_id)
            mine = sa.and_(host.c.id == host_id, host.c.meeting_id == meeting_id)
            meetings.add(meeting_id)
            return (await connection.execute(sa.delete(host).where(mine))).rowcount == 1

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


def participant_of(row: sa.Row[Any], prefix: str = "") -> Participant:
    """Read a row that has the participant's columns, each under `prefix`."""
    return Participant(**{name: getattr(row, prefix + name) for name in Participant.__dataclass_fields__})


def _host_of(row: sa.Row[Any]) -> Host:
    return Host(**{name: getattr(row, name) for name in Host.__dataclass_fields__})


def _organisation_of(row: sa.Row[Any]) -> Organisation:
    values = {name: getattr(row, name) for name in Organisation.__dataclass_fields__}
    return Organisation(**{**values, "languages": tuple(values["languages"])})


def _labels(rows: Iterable[Any]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for row in rows:
        found[row.meeting_id] += (row.label,) if row.label else ()
    return found


def _values(record: Meeting | Participant | Host | Invitation) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _meeting_in(organisation_id: str, meeting_id: str) -> sa.Select[Any]:
    return sa.select(meeting).where(meeting.c.id == meeting_id, meeting.c.organisation_id == organisation_id)


async def _locked(connection: AsyncConnection, organisation_id: str, meeting_id: str) -> Meeting:
    """Return the meeting and keep others from changing it until the transaction ends. Raises `Gone`."""
    row = (await connection.execute(_meeting_in(organisation_id, meeting_id).with_for_update())).first()
    if row is None:
        raise Gone("no such meeting")
    return meeting_of(row)


async def _add(connection: AsyncConnection, batch: Sequence[NewMeeting]) -> None:
    """Insert all rows, table by table: one statement each, however many meetings they are."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {meeting: [], participant: [], host: [], invitation: []}
    latest: dict[bytes | None, tuple[Meeting, Host]] = {}
    for added in batch:
        named = {person.meeting_id for person in added.participants} | {one.meeting_id for one in added.hosts}
        if named - {added.meeting.id}:
            raise ValueError("a participant or host names another meeting")
        rows[meeting].append(_values(added.meeting))
        rows[participant] += [_values(person) for person in added.participants]
        rows[host] += [_values(one) for one in added.hosts]
        rows[invitation] += [
            _values(link) | {"token_hash": checked_hash(token_hash), "code_hash": code_hash}
            for link, token_hash, code_hash in added.links
        ]
        for one in added.hosts:
            if one.person_hash not in latest or latest[one.person_hash][0].ends_at < added.meeting.ends_at:
                latest[one.person_hash] = (added.meeting, one)
    for table, values in rows.items():
        if values:
            await connection.execute(sa.insert(table), values)
    for found, one in latest.values():
        await _carry_feeds(connection, found, [one])


async def _carry_feeds(connection: AsyncConnection, found: Meeting, hosts: Sequence[Host]) -> None:
    """Let the calendar links of these people hang on this meeting where it ends later than the one they hung on."""
    until = found.ends_at + ANSWERS_AFTER_END
    for one in hosts:
        if one.person_hash is None:
            continue
        same = sa.select(host.c.id).where(host.c.person_hash == one.person_hash)
        feeds = sa.update(invitation).where(
            invitation.c.kind == "feed",
            invitation.c.organisation_id == found.organisation_id,
            invitation.c.host_id.in_(same),
            invitation.c.expires_at < until,
        )
        await connection.execute(feeds.values(host_id=one.id, meeting_id=found.id, expires_at=until))


def _matches(search: str) -> sa.ColumnElement[bool]:
    """Titles and labels that contain `search`; SQLite knows small and capital letters of ASCII only.

    Names that were stored before letters were composed (Å as A and a ring) are found by that spelling.
    """
    search = unicodedata.normalize("NFC", search)
    written = {search, search.lower(), search.upper(), search.capitalize(), search.title()}
    spellings = {unicodedata.normalize(form, one) for one in written for form in ("NFC", "NFD")}

    def within(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
        return sa.or_(*(column.icontains(one, autoescape=True) for one in sorted(spellings)))

    people = sa.select(participant.c.meeting_id).where(within(participant.c.label))
    leaders = sa.select(host.c.meeting_id).where(within(host.c.label))
    return sa.or_(within(meeting.c.title), meeting.c.id.in_(people), meeting.c.id.in_(leaders))
