"""Support's desk: who needs help now, who takes whom, what was done, and who it is that calls.

Taking is one conditional write for each person, so that of two at support exactly one has somebody, on either database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor, Scope
from .case_records import Solved, SupportCase
from .cases import CASE_COLUMNS, HANDED_OVER
from .desk_records import CaseNote, DeskLine, DeskPerson, FoundPerson, desk_of
from .part import StorePart, checked_hash
from .records import TESTS_AFTER_END, StoredReport, new_id
from .rows import LISTED, contains, host_of, listed_report, meeting_of, participant_of
from .scope import also_in, meetings_in
from .staff_tables import staff
from .tables import case_note, host, meeting, outbox, participant, report, self_test, support_case
from .trail import about

__all__ = ["AHEAD", "MOST_LINES", "DeskPart"]

AHEAD: Final = timedelta(hours=24)
"""Who has no usable test is on the list from so long before the meeting."""
LONGEST_MEETING: Final = timedelta(hours=12)
"""A meeting that began earlier is over, whatever its end says; keeps the search in the index of starts."""
FOUND_BEFORE: Final = timedelta(days=1)
FOUND_AHEAD: Final = timedelta(days=60)
"""Meetings in which somebody who calls is looked for."""
MOST_LINES: Final = 100
"""Most of each kind on the list: more than a desk gets through in a day."""
MOST_FOUND: Final = 20
_FAILED: Final = ("not_ready", "incomplete")
_BADNESS: Final = {"not_ready": 0, "incomplete": 1, "ready_with_warnings": 3, "ready": 4}
_UNTESTED: Final = 2
_NOTE: Final = [case_note.c[name] for name in CaseNote.__dataclass_fields__]
_NOT_DONE: Final = support_case.c.done_at.is_(None)


class DeskPart(StorePart):
    """The part of the store that support works with."""

    async def desk(self, actor: Actor, now: datetime) -> list[DeskLine]:
        """Return who needs help now, the most urgent first: by start of the meeting, then the worst test.

        Takes four queries, however long the list is.
        """
        scope = actor.require("case.list")
        async with self._database.read() as connection:
            return await _lines(connection, scope, now)

    async def take_next(self, actor: Actor, now: datetime) -> str | None:
        """Take the most urgent one whom nobody has, and return the participant's id; None if there is nobody."""
        scope = actor.require("case.take")
        async with self._changing_boards() as (connection, meetings):
            for line in await _lines(connection, scope, now, waiting_only=True):
                if await self._take(connection, actor, (line.meeting_id, line.participant_id), now):
                    meetings |= {line.meeting_id, desk_of(actor.organisation_id)}
                    about(f"participant:{line.participant_id}")
                    return line.participant_id
        return None

    async def take_person(self, actor: Actor, participant_id: str, now: datetime, *, over: str | None = None) -> bool:
        """Take one person, with a case of their own where none is open; False if somebody else has them.

        `over` is who has the case, as the caller saw it: then it is taken over from them.
        """
        scope = actor.require("case.take")
        async with self._changing_boards() as (connection, meetings):
            meeting_id = (await connection.execute(_meeting_of(scope, participant_id))).scalar()
            if meeting_id is None or not await self._take(connection, actor, (meeting_id, participant_id), now, over):
                return False
            meetings |= {meeting_id, desk_of(actor.organisation_id)}
            return True

    async def _take(
        self,
        connection: AsyncConnection,
        actor: Actor,
        whom: tuple[str, str],
        now: datetime,
        over: str | None = None,
    ) -> bool:
        """Take the open case of `whom` (meeting, participant) that waits or is `over`'s, else open one that is taken.

        False if somebody was first.
        """
        meeting_id, participant_id = whom
        free = support_case.c.taken_at.is_(None) if over is None else support_case.c.taken_by == over
        waiting = sa.update(support_case).where(support_case.c.participant_id == participant_id, _NOT_DONE, free)
        taken = waiting.values(taken_at=now, taken_by=actor.id).returning(support_case.c.id)
        if (await connection.execute(taken)).first() is not None:
            return True
        if over is not None:
            return False
        newest = sa.select(report.c.id).where(report.c.participant_id == participant_id)
        opened = self._insert(support_case).values(
            id=new_id(), organisation_id=actor.organisation_id, meeting_id=meeting_id, participant_id=participant_id,
            report_id=newest.order_by(report.c.number.desc()).limit(1).scalar_subquery(),
            opened_at=now, opened_by=actor.id, taken_at=now, taken_by=actor.id,
        )  # fmt: skip
        is_new = await connection.execute(opened.on_conflict_do_nothing().returning(support_case.c.id))
        return is_new.first() is not None

    async def put_back(self, actor: Actor, participant_id: str) -> bool:
        """Put a case of one's own back on the list; False if it is not one's own.

        One that support opened itself and noted nothing in is forgotten: nobody asked for it.
        """
        scope = actor.require("case.take")
        own = _held(actor, scope, participant_id)
        noted = sa.exists().where(case_note.c.case_id == support_case.c.id).correlate(support_case)
        unasked = sa.delete(support_case).where(*own, ~HANDED_OVER, ~noted)
        return await self._change_one(
            actor, unasked, sa.update(support_case).where(*own).values(taken_at=None, taken_by=None)
        )

    async def end_case(self, actor: Actor, participant_id: str, how: Solved, now: datetime) -> bool:
        """End a case of one's own, and say how it was solved; False if it is not one's own."""
        scope = actor.require("case.take")
        ended = sa.update(support_case).where(*_held(actor, scope, participant_id))
        return await self._change_one(actor, ended.values(done_at=now, done_by=actor.id, how=how))

    async def _change_one(self, actor: Actor, *changes: sa.Delete | sa.Update) -> bool:
        """Make the first of these changes that fits a case; False if none does."""
        async with self._changing_boards() as (connection, meetings):
            for change in changes:
                row = (await connection.execute(change.returning(support_case.c.meeting_id))).first()
                if row is not None:
                    meetings |= {row.meeting_id, desk_of(actor.organisation_id)}
                    return True
        return False

    async def add_note(self, actor: Actor, participant_id: str, text: bytes, now: datetime) -> bool:
        """Keep a note, encrypted by the caller, with a case of one's own; False if it is not one's own."""
        scope = actor.require("case.take")
        async with self._database.write() as connection:
            mine = sa.select(support_case.c.id).where(*_held(actor, scope, participant_id))
            case_id = (await connection.execute(mine)).scalar()
            if case_id is None:
                return False
            note = {"id": new_id(), "case_id": case_id, "written_at": now, "written_by": actor.id, "text": text}
            await connection.execute(sa.insert(case_note).values(note))
            return True

    async def desk_person(self, actor: Actor, participant_id: str, now: datetime) -> DeskPerson | None:
        """Return one participant of the actor's organisation with the meeting, cases and notes."""
        scope = actor.require("person.help")
        async with self._database.read() as connection:
            chosen = sa.select(participant).where(participant.c.id.in_(_mine(scope, participant_id)))
            row = (await connection.execute(chosen)).first()
            if row is None:
                return None
            met = (await connection.execute(sa.select(meeting).where(meeting.c.id == row.meeting_id))).one()
            leads = sa.select(host).where(host.c.meeting_id == row.meeting_id).order_by(host.c.role, host.c.id)
            hosts = [host_of(one) for one in await connection.execute(leads)]
            mine = sa.select(*CASE_COLUMNS).where(support_case.c.participant_id == participant_id)
            mine = mine.order_by(support_case.c.opened_at, _NOT_DONE, support_case.c.id)
            cases = [SupportCase(**one._asdict()) for one in await connection.execute(mine)]
            notes = sa.select(*_NOTE).where(case_note.c.case_id.in_([one.id for one in cases]))
            kept = [
                CaseNote(**one._asdict())
                for one in await connection.execute(notes.order_by(case_note.c.written_at, case_note.c.id))
            ]
            invited = sa.select(sa.func.count()).where(
                outbox.c.participant_id == participant_id, outbox.c.kind == "invitation",
                outbox.c.created_at > now - timedelta(days=1),
            )  # fmt: skip
            sent = (await connection.execute(invited)).scalar_one()
            acted = {one.taken_by for one in cases} | {one.done_by for one in cases} | {one.written_by for one in kept}
            names = await _names(connection, actor, acted)
        return DeskPerson(participant_of(row), meeting_of(met), hosts, cases, kept, row.contact, sent, names)

    async def names_of_staff(self, actor: Actor, ids: Collection[str | None]) -> dict[str, str]:
        """Return the names of staff of the actor's organisation, by their actors' ids; links have none."""
        actor.require("case.list")
        async with self._database.read() as connection:
            return await _names(connection, actor, ids)

    async def find_by_phone(self, actor: Actor, phone_hash: bytes, now: datetime) -> list[FoundPerson]:
        """Return participants with this number, and those whose meeting somebody with it leads; soonest first."""
        scope = actor.require("person.help")
        whose = checked_hash(phone_hash)
        theirs = sa.select(participant.c.id).where(
            sa.or_(participant.c.phone_hash == whose, participant.c.contact_hash == whose)
        )
        led = sa.select(participant.c.id).join(host, host.c.meeting_id == participant.c.meeting_id)
        return await self._found(scope, sa.union(theirs, led.where(host.c.phone_hash == whose)), now)

    async def find_by_label(self, actor: Actor, label: str, now: datetime) -> list[FoundPerson]:
        """Return participants whose label contains these words, whatever the case; soonest first."""
        scope = actor.require("person.help")
        near = sa.select(meeting.c.id).where(*_about(scope, now))
        named = sa.select(participant.c.id).where(contains(participant.c.label, label))
        return await self._found(scope, named.where(participant.c.meeting_id.in_(near)), now)

    async def people(self, actor: Actor, ids: Collection[str], now: datetime) -> list[FoundPerson]:
        """Return those of the participants with these ids whom a search could have found."""
        scope = actor.require("person.help")
        return await self._found(scope, sa.select(participant.c.id).where(participant.c.id.in_(ids)), now)

    async def _found(
        self, scope: Scope, ids: sa.Select[Any] | sa.CompoundSelect[Any], now: datetime
    ) -> list[FoundPerson]:
        """Return the participants with these ids in meetings about now; that each was shown is logged."""
        chosen = sa.select(participant, meeting.c.starts_at.label("starts"))
        chosen = chosen.join(meeting, meeting.c.id == participant.c.meeting_id)
        chosen = chosen.where(participant.c.id.in_(ids), *_about(scope, now))
        chosen = chosen.order_by(meeting.c.starts_at, participant.c.position, participant.c.id).limit(MOST_FOUND)
        found = [FoundPerson(participant_of(row), row.starts) for row in await self._rows(chosen)]
        about(*(f"participant:{one.participant.id}" for one in found))
        return found


def _about(scope: Scope, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for planned meetings in which somebody who calls may be."""
    return (
        meetings_in(scope),
        meeting.c.starts_at > now - FOUND_BEFORE,
        meeting.c.starts_at < now + FOUND_AHEAD,
        meeting.c.state == "planned",
    )


async def _lines(
    connection: AsyncConnection, scope: Scope, now: datetime, *, waiting_only: bool = False
) -> list[DeskLine]:
    """Return the list, in order, inside a transaction; with `waiting_only` without those whom somebody has."""
    opened = _open_cases(scope, now)
    opened = opened.where(support_case.c.taken_at.is_(None)) if waiting_only else opened
    handed = (await connection.execute(opened)).all()
    failing = (await connection.execute(_failing(scope, now))).all()
    reports = await _newest_of(connection, [row.participant_id for row in (*handed, *failing)])
    leaders = await _leaders_of(connection, {row.meeting_id for row in handed})
    lines = [
        DeskLine(
            participant_id=row.participant_id,
            meeting_id=row.meeting_id,
            role=row.role,
            starts_at=row.starts_at,
            case=_case_of(row) if has_case else None,
            report=reports.get(row.participant_id),
            running=bool(row.running),
            leaders=leaders.get(row.meeting_id, ()),
        )
        for rows, has_case in ((handed, True), (failing, False))
        for row in rows
    ]
    return sorted(lines, key=_urgency)


def _urgency(line: DeskLine) -> tuple[Any, ...]:
    """Return what the list is sorted by: start, how bad the test was, who asked, since when."""
    badness = _BADNESS[line.report.verdict] if line.report else _UNTESTED
    return (line.starts_at, badness, line.case is None, line.since, line.participant_id)


def _case_of(row: sa.Row[Any]) -> SupportCase:
    return SupportCase(**{name: getattr(row, name) for name in SupportCase.__dataclass_fields__})


def _running() -> sa.ColumnElement[bool]:
    is_running = sa.exists().where(self_test.c.participant_id == participant.c.id, self_test.c.state == "running")
    return is_running.label("running")


def _open_cases(scope: Scope, now: datetime) -> sa.Select[Any]:
    """Return a query for the cases that are not done, while their meetings' links still open a test."""
    chosen = sa.select(*CASE_COLUMNS, meeting.c.starts_at, participant.c.role, _running())
    chosen = chosen.join(meeting, meeting.c.id == support_case.c.meeting_id)
    chosen = chosen.join(participant, participant.c.id == support_case.c.participant_id).where(
        also_in(scope, support_case),
        _NOT_DONE,
        meeting.c.state == "planned",
        meeting.c.ends_at > now - TESTS_AFTER_END,
    )
    return chosen.order_by(meeting.c.starts_at, support_case.c.opened_at, support_case.c.id).limit(MOST_LINES)


def _failing(scope: Scope, now: datetime) -> sa.Select[Any]:
    """Return a query for those whose newest test is no use shortly before the meeting, and whom nobody helped since."""
    newest = sa.select(sa.func.max(report.c.number)).where(report.c.participant_id == participant.c.id)
    newest = newest.correlate(participant)
    helped = sa.exists().where(
        support_case.c.participant_id == participant.c.id,
        sa.or_(_NOT_DONE, support_case.c.done_at >= report.c.created_at),
    )
    chosen = sa.select(participant.c.id.label("participant_id"), participant.c.role, participant.c.meeting_id)
    chosen = chosen.add_columns(meeting.c.starts_at, _running())
    chosen = chosen.join(meeting, meeting.c.id == participant.c.meeting_id)
    chosen = chosen.join(report, report.c.number == newest.scalar_subquery()).where(
        meetings_in(scope),
        meeting.c.starts_at > now - LONGEST_MEETING,
        meeting.c.starts_at <= now + AHEAD,
        meeting.c.ends_at > now - TESTS_AFTER_END,
        meeting.c.state == "planned",
        report.c.verdict.in_(_FAILED),
        ~helped,
    )
    return chosen.order_by(meeting.c.starts_at, participant.c.id).limit(MOST_LINES)


async def _newest_of(connection: AsyncConnection, participant_ids: Iterable[str]) -> dict[str, StoredReport]:
    """Return each participant's newest report, if any, with as much of it as a list shows."""
    newest = sa.select(sa.func.max(report.c.number)).where(report.c.participant_id.in_(list(participant_ids)))
    chosen = sa.select(*LISTED).where(report.c.number.in_(newest.group_by(report.c.participant_id)))
    return {row.participant_id: listed_report(row) for row in await connection.execute(chosen)}


async def _leaders_of(connection: AsyncConnection, meeting_ids: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the labels of each meeting's leaders."""
    chosen = sa.select(host.c.meeting_id, host.c.label).where(host.c.meeting_id.in_(meeting_ids))
    labels: dict[str, list[str]] = defaultdict(list)
    for row in await connection.execute(chosen.where(host.c.role == "leader").order_by(host.c.label)):
        labels[row.meeting_id].append(row.label)
    return {meeting_id: tuple(called) for meeting_id, called in labels.items()}


async def _names(connection: AsyncConnection, actor: Actor, ids: Iterable[str | None]) -> dict[str, str]:
    """Return the names of those of `ids` who are staff of the actor's organisation."""
    known = {one.removeprefix("staff:"): one for one in ids if one is not None and one.startswith("staff:")}
    chosen = sa.select(staff.c.id, staff.c.name).where(
        staff.c.id.in_(list(known)), staff.c.organisation_id == actor.organisation_id
    )
    return {known[row.id]: row.name for row in await connection.execute(chosen)} if known else {}


def _held(actor: Actor, scope: Scope, participant_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for the actor's own open case of a participant."""
    return (
        support_case.c.participant_id == participant_id,
        also_in(scope, support_case),
        support_case.c.taken_by == actor.id,
        _NOT_DONE,
    )


def _mine(scope: Scope, participant_id: str) -> sa.Select[Any]:
    """Return a query for the participant with this id, if in the scope."""
    chosen = sa.select(participant.c.id).join(meeting, meeting.c.id == participant.c.meeting_id)
    return chosen.where(participant.c.id == participant_id, meetings_in(scope))


def _meeting_of(scope: Scope, participant_id: str) -> sa.Select[Any]:
    """Return a query for the planned meeting that a participant is in, if in the scope."""
    chosen = sa.select(meeting.c.id).join(participant, participant.c.meeting_id == meeting.c.id)
    mine = (participant.c.id == participant_id, meetings_in(scope))
    return chosen.where(*mine, meeting.c.state == "planned")
