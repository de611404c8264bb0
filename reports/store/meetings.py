"""Meetings: stored, changed, cancelled, found and listed by actors of their organisation (AUT-2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor, Scope
from .cases import close_cases
from .part import StorePart, checked_hash
from .records import ANSWERS_AFTER_END, Host, Meeting, MeetingLine, NewMeeting, Outgoing, Participant
from .rows import carry_feeds, contains, locked, meeting_in, meeting_of, participant_of, values_of
from .scope import meetings_in
from .tables import host, invitation, meeting, outbox, participant, report, session

__all__ = ["MeetingPart"]

CHANGEABLE: Final = frozenset(Meeting.__dataclass_fields__) - {"id", "organisation_id", "state", "sequence"}
MOVES: Final = frozenset({"starts_at", "ends_at", "join_link", "solution"})
"""Fields whose change calendars must be told."""
KEYS_AT_ONCE: Final = 500
"""Keys in one query; well below either database's limit of parameters."""


class MeetingPart(StorePart):
    """The part of the store that keeps meetings."""

    async def add_meetings(self, actor: Actor, batch: Sequence[NewMeeting]) -> None:
        """Store meetings with their people, links and messages: all of them or nothing.

        Raises ValueError if a meeting, link or message is of another organisation than the actor's, or a meeting of
        a unit out of reach.
        """
        scope = actor.require("meeting.change")
        if {owner for added in batch for owner in _owners(added)} - {actor.organisation_id}:
            raise ValueError("a meeting, link or message of another organisation")
        _refuse_other_units(scope, *(added.meeting for added in batch))
        async with self._database.write() as connection:
            await _add(connection, batch)
            for added in batch:
                await self._put_outgoing(connection, added.messages)
        if any(added.messages for added in batch):
            self.queued.set()

    async def change_meeting(
        self,
        actor: Actor,
        meeting_id: str,
        changes: Mapping[str, Any],
        *,
        messages: Sequence[Outgoing] = (),
        drops: Collection[str] = (),
    ) -> Meeting:
        """Change fields of a meeting and return it; its links and sessions last until the new end. Raises `Gone`.

        `sequence` is raised if the time or the link changed. Pass only fields that differ: an encrypted link looks
        different each time. Waiting messages of the kinds `drops` are dropped, then `messages` are queued.
        """
        scope = actor.require("meeting.change")
        if not set(changes) <= CHANGEABLE:
            raise ValueError(f"not to be changed: {sorted(set(changes) - CHANGEABLE)}")
        async with self._changing_boards() as (connection, meetings):
            before = await locked(connection, scope, meeting_id)
            changed = replace(before, **changes)
            if any(getattr(changed, name) != getattr(before, name) for name in MOVES):
                changed = replace(changed, sequence=before.sequence + 1)
            if changed == before:
                return before
            _refuse_other_units(scope, changed)
            await connection.execute(sa.update(meeting).where(meeting.c.id == meeting_id).values(values_of(changed)))
            if changed.ends_at != before.ends_at:
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
        self, actor: Actor, meeting_id: str, now: datetime, *, messages: Sequence[Outgoing] = ()
    ) -> Meeting:
        """Cancel the meeting: close its support cases, drop what waits, then queue `messages`. Again changes nothing.

        Who was taken out before is still told of that. Its links stay open: whoever opens one is told.
        """
        scope = actor.require("meeting.change")
        async with self._changing_boards() as (connection, meetings):
            before = await locked(connection, scope, meeting_id)
            if before.state == "cancelled":
                return before
            changed = replace(before, state="cancelled", sequence=before.sequence + 1, changed_at=now)
            await connection.execute(sa.update(meeting).where(meeting.c.id == meeting_id).values(values_of(changed)))
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
        chosen = outbox.c.kind != "removed" if kinds is None else outbox.c.kind.in_(kinds)
        await connection.execute(waiting.where(chosen).values(state="dropped"))

    async def meeting(self, actor: Actor, meeting_id: str) -> Meeting | None:
        """Return the meeting with this id if it belongs to the actor's organisation."""
        scope = actor.require("meeting.read")
        row = await self._first(meeting_in(scope, meeting_id))
        return None if row is None else meeting_of(row)

    async def meeting_by_key(self, actor: Actor, import_key: bytes) -> Meeting | None:
        """Return the meeting that was imported or requested under this key."""
        scope = actor.require("meeting.find")
        chosen = sa.select(meeting).where(meetings_in(scope), meeting.c.import_key == import_key)
        row = await self._first(chosen)
        return None if row is None else meeting_of(row)

    async def meetings_by_keys(self, actor: Actor, import_keys: Sequence[bytes]) -> dict[bytes, Meeting]:
        """Return the meetings that were imported under these keys, by key."""
        scope = actor.require("meeting.find")
        by_key: dict[bytes, Meeting] = {}
        for at in range(0, len(import_keys), KEYS_AT_ONCE):
            some = import_keys[at : at + KEYS_AT_ONCE]
            chosen = sa.select(meeting).where(meetings_in(scope))
            rows = await self._rows(chosen.where(meeting.c.import_key.in_(some)))
            by_key |= {bytes(row.import_key): meeting_of(row) for row in rows}
        return by_key

    async def meetings_in_series(self, actor: Actor, series: Sequence[bytes]) -> list[Meeting]:
        """Return the planned meetings that were imported as occurrences of these series."""
        scope = actor.require("meeting.find")
        planned: list[Meeting] = []
        for at in range(0, len(series), KEYS_AT_ONCE):
            chosen = sa.select(meeting).where(
                meetings_in(scope),
                meeting.c.import_series.in_(series[at : at + KEYS_AT_ONCE]),
                meeting.c.state == "planned",
            )
            planned += [meeting_of(row) for row in await self._rows(chosen.order_by(meeting.c.starts_at, meeting.c.id))]
        return planned

    async def people_of_version(
        self, actor: Actor, version: str, starts: tuple[datetime, datetime]
    ) -> list[tuple[Meeting, Participant]]:
        """Return everybody in planned meetings of this import version that start in the half-open span."""
        scope = actor.require("meeting.find")
        columns = [participant.c[name].label(f"p_{name}") for name in Participant.__dataclass_fields__]
        chosen = sa.select(meeting, *columns).join(participant, participant.c.meeting_id == meeting.c.id)
        chosen = chosen.where(
            meetings_in(scope),
            meeting.c.import_version == version,
            meeting.c.starts_at >= starts[0],
            meeting.c.starts_at < starts[1],
            meeting.c.state == "planned",
        )
        return [(meeting_of(row), participant_of(row, "p_")) for row in await self._rows(chosen)]

    async def people_at(self, actor: Actor, starts: Sequence[datetime]) -> list[tuple[Meeting, Participant]]:
        """Return everybody in a planned meeting that starts at one of these moments, with the meeting."""
        scope = actor.require("meeting.find")
        people: list[tuple[Meeting, Participant]] = []
        columns = [participant.c[name].label(f"p_{name}") for name in Participant.__dataclass_fields__]
        for at in range(0, len(starts), KEYS_AT_ONCE):
            chosen = sa.select(meeting, *columns).join(participant, participant.c.meeting_id == meeting.c.id)
            chosen = chosen.where(
                meetings_in(scope),
                meeting.c.starts_at.in_(starts[at : at + KEYS_AT_ONCE]),
                meeting.c.state == "planned",
            )
            people += [(meeting_of(row), participant_of(row, "p_")) for row in await self._rows(chosen)]
        return people

    async def meetings(
        self,
        actor: Actor,
        *,
        starts: tuple[datetime, datetime],
        now: datetime,
        after: str | None = None,
        most: int = 100,
        search: str = "",
    ) -> list[MeetingLine]:
        """Return meetings that start in the half-open span `starts`, the earliest first, at most `most`.

        `after` is the id of the last one seen; `search` is a part of a title or of a participant's or leader's label.
        Takes four queries, however many meetings there are.
        """
        scope = actor.require("meeting.find")
        chosen = sa.select(meeting).where(
            meetings_in(scope),
            meeting.c.starts_at >= starts[0],
            meeting.c.starts_at < starts[1],
        )
        if after is not None:
            last = sa.select(meeting.c.starts_at).where(meeting.c.id == after, meetings_in(scope))
            chosen = chosen.where(
                sa.tuple_(meeting.c.starts_at, meeting.c.id) > sa.tuple_(last.scalar_subquery(), after)
            )
        if search:
            chosen = chosen.where(_matches(search))
        rows = await self._rows(chosen.order_by(meeting.c.starts_at, meeting.c.id).limit(most))
        return await self._lines([meeting_of(row) for row in rows], now) if rows else []

    async def meetings_of_person(
        self, actor: Actor, person_hash: bytes, *, starts: tuple[datetime, datetime]
    ) -> list[Meeting]:
        """Return this person's meetings, as leader or host, that start in the half-open span, earliest first."""
        scope = actor.require("day.read")
        mine = sa.select(host.c.meeting_id).where(host.c.person_hash == person_hash)
        chosen = sa.select(meeting).where(
            meetings_in(scope),
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


def _labels(rows: Iterable[Any]) -> Mapping[str, tuple[str, ...]]:
    leaders: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for row in rows:
        leaders[row.meeting_id] += (row.label,) if row.label else ()
    return leaders


def _refuse_other_units(scope: Scope, *meetings: Meeting) -> None:
    """Raise ValueError for a meeting of a unit that the actor does not reach; the edge has said so before."""
    if not all(scope.has_unit(one.unit) for one in meetings):
        raise ValueError("a meeting of a unit that is out of reach")


def _owners(added: NewMeeting) -> Iterator[str]:
    """Yield the organisation of a meeting, of its links and of its messages."""
    yield added.meeting.organisation_id
    yield from (link.organisation_id for link, *_ in added.links)
    yield from (message.organisation_id for message in added.messages)


async def _add(connection: AsyncConnection, batch: Sequence[NewMeeting]) -> None:
    """Insert all rows, table by table: one statement each, however many meetings they are."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {meeting: [], participant: [], host: [], invitation: []}
    latest: dict[bytes | None, tuple[Meeting, Host]] = {}
    for added in batch:
        named = {person.meeting_id for person in added.participants} | {one.meeting_id for one in added.hosts}
        if named - {added.meeting.id}:
            raise ValueError("a participant or host names another meeting")
        rows[meeting].append(values_of(added.meeting))
        rows[participant] += [values_of(person) for person in added.participants]
        rows[host] += [values_of(one) for one in added.hosts]
        rows[invitation] += [
            values_of(link) | {"token_hash": checked_hash(token_hash), "code_hash": code_hash}
            for link, token_hash, code_hash in added.links
        ]
        for one in added.hosts:
            if one.person_hash not in latest or latest[one.person_hash][0].ends_at < added.meeting.ends_at:
                latest[one.person_hash] = (added.meeting, one)
    for table, values in rows.items():
        if values:
            await connection.execute(sa.insert(table), values)
    for found, one in latest.values():
        await carry_feeds(connection, found, [one])


def _matches(search: str) -> sa.ColumnElement[bool]:
    """Return the condition that title or label contains `search`."""
    people = sa.select(participant.c.meeting_id).where(contains(participant.c.label, search))
    leaders = sa.select(host.c.meeting_id).where(contains(host.c.label, search))
    return sa.or_(contains(meeting.c.title, search), meeting.c.id.in_(people), meeting.c.id.in_(leaders))
