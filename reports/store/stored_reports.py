"""Reports: acknowledged after the commit, stored exactly once, deleted when their participant says so."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from reports.kept_figures import kept_figures
from reports.model import READY_VERDICTS
from reports.series import pack, unpack

from .actors import Actor, Scope
from .desk_records import ReportLine, desk_of
from .errors import CodeTaken, Conflict, StoreUnavailable
from .guard import guard
from .part import StorePart
from .records import CODE_ALPHABET, CODE_LENGTH, BoardRow, HostRow, Judged, SelfTestState, StoredReport
from .room_tables import meeting_room
from .rows import LISTED, host_of, listed_report, participant_of, person_within
from .scope import also_in, meetings_in, within
from .self_tests import change_claimed
from .tables import host, invitation, meeting, participant, report, self_test, session

__all__ = ["ReportPart"]

_COLUMNS: Final = [report.c[name] for name in StoredReport.__dataclass_fields__]


class ReportPart(StorePart):
    """The part of the store that keeps reports."""

    async def save_report(
        self,
        actor: Actor,
        added: StoredReport,
        *,
        claim: int | None = None,
        self_test_state: SelfTestState = "finished",
        ended_at: datetime | None = None,
        series: Mapping[str, Any] | None = None,
    ) -> StoredReport:
        """Store a report and end its self-test in one transaction; return the report as committed.

        `claim` is the caller's claim to the self-test; if another page has a newer one, `TakenOver` is raised and
        nothing stored. `ended_at` is the end of the self-test if it is not now; the test can be continued for a while
        from then. `series` are stored with the report and deleted with it; ValueError if they don't fit the schema.

        Saving an id again returns the stored row unchanged, so a client may retry until it gets an answer. Raises
        `CodeTaken` (make another code), `Conflict` (another session's id), `Gone` (deleted meanwhile), and ValueError
        for a report of another organisation than the actor's.
        """
        actor.require("report.save", added.participant_id)
        if added.organisation_id != actor.organisation_id:
            raise ValueError("the report is of another organisation")
        if (added.self_test_id is None) != (claim is None):
            raise ValueError("the report of a self-test needs the claim to it, and no other report has one")
        if len(added.code) != CODE_LENGTH or not set(added.code) <= set(CODE_ALPHABET):
            raise ValueError("a report code has 6 characters of Crockford's base32")
        values = {name: getattr(added, name) for name in StoredReport.__dataclass_fields__}
        packed = None if series is None else pack(series)
        figures = kept_figures(str(added.body.get("profile", "")), added.body.get("checks", ()))
        kept = {"body": guard(added.body), "series": packed, "figures": figures}
        insert = self._insert(report).values(values | kept)
        async with self._changing_boards() as (connection, meetings):
            is_new = (await connection.execute(insert.on_conflict_do_nothing().returning(report.c.id))).first()
            row = (await connection.execute(sa.select(*_COLUMNS).where(report.c.id == added.id))).first()
            if row is None:
                raise CodeTaken(added.code)
            stored = StoredReport(**row._asdict())
            if _owner(stored) != _owner(added):
                raise Conflict("this report id belongs to another session")
            if stored.self_test_id is not None and claim is not None:
                # A repeated save leaves the state as it is, but still only the owner gets the report back.
                ended = {"state": self_test_state, "updated_at": ended_at or stored.created_at}
                await change_claimed(connection, stored.self_test_id, claim, "report", **(ended if is_new else {}))
            if is_new is not None and stored.meeting_id is not None:
                meetings |= {stored.meeting_id, desk_of(actor.organisation_id)}
            return stored

    async def latest_report(self, actor: Actor, participant_id: str) -> StoredReport | None:
        """Return the participant's newest report, inside the actor's organisation."""
        scope = actor.require("report.last", participant_id)
        mine = person_within(scope, participant_id)
        return await self._newest(mine, report.c.participant_id == participant_id)

    async def report_for_session(self, actor: Actor, session_id: str) -> StoredReport | None:
        """Return the newest report that this session may see: its own, or an earlier one of the same participant."""
        actor.require("report.own")
        return await self._newest(_visible_to(actor, session_id))

    async def report_by_code(self, actor: Actor, code: str) -> StoredReport | None:
        """Return the report with this code, within the actor's organisation only."""
        scope = actor.require("report.find")
        return await self._newest(also_in(scope, report), report.c.code == code)

    async def report_lines(self, actor: Actor, most: int, before: int | None = None) -> list[ReportLine]:
        """Return reports of the actor's organisation, the newest first, at most `most`; those `before` a number.

        None of a room's line: each room has one every morning.
        """
        scope = actor.require("report.find")
        of_room = sa.exists().where(session.c.id == report.c.session_id, session.c.kind == "room")
        chosen = sa.select(*LISTED, report.c.number, participant.c.role, meeting.c.starts_at)
        chosen = chosen.outerjoin(participant, participant.c.id == report.c.participant_id)
        chosen = chosen.outerjoin(meeting, meeting.c.id == report.c.meeting_id)
        chosen = chosen.where(also_in(scope, report), ~of_room)
        if before is not None:
            chosen = chosen.where(report.c.number < before)
        rows = await self._rows(chosen.order_by(report.c.number.desc()).limit(most))
        return [ReportLine(row.number, listed_report(row), row.role, row.starts_at) for row in rows]

    async def report_of_person(self, actor: Actor, participant_id: str) -> StoredReport | None:
        """Return the newest report of a participant of the actor's organisation."""
        scope = actor.require("report.find")
        mine = person_within(scope, participant_id)
        return await self._newest(mine, report.c.participant_id == participant_id)

    async def reports_before(self, actor: Actor, about: StoredReport, most: int) -> list[StoredReport]:
        """Return the same person's earlier reports, the newest first: a participant's, or a leader's for any meeting.

        None of a test that is nobody's.
        """
        scope = actor.require("report.find")
        own = sa.select(report.c.number).where(report.c.id == about.id).scalar_subquery()
        if about.participant_id is not None:
            mine = person_within(scope, about.participant_id)
            theirs = sa.and_(report.c.participant_id == about.participant_id, mine)
        else:
            theirs = sa.and_(report.c.session_id.in_(_tests_of_same_host(scope, about)), also_in(scope, report))
        chosen = sa.select(*_COLUMNS).where(theirs, report.c.number < own)
        return [_report_of(row) for row in await self._rows(chosen.order_by(report.c.number.desc()).limit(most))]

    async def passed_in_room(self, actor: Actor, about: StoredReport) -> StoredReport | None:
        """Return the newest good report of whoever led or ran another meeting in the same room; None of participants.

        Those who lead sit in the meeting's room, participants do not.
        """
        scope = actor.require("report.find")
        if about.participant_id is not None or about.meeting_id is None:
            return None
        here, there = meeting_room.alias(), meeting_room.alias()
        beside = (
            sa.select(there.c.meeting_id)
            .join(here, sa.and_(here.c.room_id == there.c.room_id, here.c.meeting_id != there.c.meeting_id))
            .where(here.c.meeting_id == about.meeting_id, within(scope, about.meeting_id))
        )
        is_ours = also_in(scope, report)
        passed = sa.and_(report.c.participant_id.is_(None), report.c.verdict.in_(READY_VERDICTS))
        return await self._newest(report.c.meeting_id.in_(beside), is_ours, passed)

    async def passed_in_series(self, actor: Actor, about: StoredReport) -> StoredReport | None:
        """Return the newest good report of whoever has the same place in another meeting of the same series."""
        scope = actor.require("report.find")
        if about.participant_id is None or about.meeting_id is None:
            return None
        others, places = meeting.alias(), participant.alias()
        same = (
            sa.select(places.c.id)
            .join(others, others.c.id == places.c.meeting_id)
            .join(meeting, sa.and_(meeting.c.import_series == others.c.import_series, meeting.c.id != others.c.id))
            .join(participant, participant.c.meeting_id == meeting.c.id)
            .where(
                meeting.c.id == about.meeting_id,
                meetings_in(scope),
                meetings_in(scope, others),
                participant.c.id == about.participant_id,
                places.c.role == participant.c.role,
                places.c.position == participant.c.position,
            )
        )
        return await self._newest(report.c.participant_id.in_(same), report.c.verdict.in_(READY_VERDICTS))

    async def judge_report(self, actor: Actor, report_id: str, judged: Judged | None) -> bool:
        """Keep what support says of a report afterwards, or with None that it says nothing; False without it."""
        scope = actor.require("report.judge")
        mine = _report_in(scope, report_id)
        async with self._database.write() as connection:
            return (await connection.execute(sa.update(report).where(mine).values(judged=judged))).rowcount == 1

    async def judged(self, actor: Actor, report_id: str) -> Judged | None:
        """Return what support said of a report."""
        scope = actor.require("report.find")
        mine = _report_in(scope, report_id)
        row = await self._first(sa.select(report.c.judged).where(mine))
        return None if row is None else row.judged

    async def has_series(self, actor: Actor, report_id: str) -> bool:
        """Return whether series were stored with a report of the actor's organisation; they are large to read."""
        scope = actor.require("report.find")
        mine = _report_in(scope, report_id)
        return await self._first(sa.select(report.c.id).where(mine, report.c.series.is_not(None))) is not None

    async def series_of(self, actor: Actor, report_id: str) -> dict[str, Any] | None:
        """Return the series of a report of the actor's organisation, or None."""
        scope = actor.require("report.find")
        mine = _report_in(scope, report_id)
        chosen = sa.select(report.c.series).where(mine)
        row = await self._first(chosen)
        return None if row is None or row.series is None else unpack(bytes(row.series))

    async def delete_report(self, actor: Actor, report_id: str, session_id: str) -> bool:
        """Delete a report that this session may see, with its run; False if there is none.

        On SQLite the content is overwritten, also in the write-ahead log, before this returns.
        """
        actor.require("report.delete")
        statement = (
            sa.delete(report)
            .where(report.c.id == report_id, _visible_to(actor, session_id))
            .returning(report.c.self_test_id, report.c.meeting_id)
        )
        async with self._changing_boards() as (connection, meetings):
            row = (await connection.execute(statement)).first()
            if row is None:
                return False
            await connection.execute(sa.delete(self_test).where(self_test.c.id == row.self_test_id))
            if row.meeting_id is not None:
                meetings.add(row.meeting_id)
        with contextlib.suppress(StoreUnavailable):  # deleted and committed; the log is cleared by the next purge
            await self._database.scrub()
        return True

    async def delete_everything_of(self, actor: Actor, session_id: str, idle_since: datetime) -> bool:
        """Delete all reports that this session may see, their runs, and the typed phone number.

        A run with a sign of life since `idle_since` goes on, because somebody is taking it. False if there was nothing.
        """
        actor.require("report.delete")
        person, ours = _person_of(session_id), _is_ours(actor, session_id)
        own = sa.or_(self_test.c.session_id == session_id, self_test.c.participant_id == person)
        ended = sa.or_(self_test.c.state != "running", self_test.c.updated_at < idle_since)
        reports = sa.delete(report).where(_visible_to(actor, session_id)).returning(report.c.meeting_id)
        number = sa.update(participant).where(ours, participant.c.id == person, participant.c.contact.is_not(None))
        async with self._changing_boards() as (connection, meetings):
            gone = list((await connection.execute(reports)).scalars())
            runs = (await connection.execute(sa.delete(self_test).where(ours, own, ended))).rowcount
            numbers = (await connection.execute(number.values(contact=None, contact_hash=None))).rowcount
            meetings.update(meeting_id for meeting_id in gone if meeting_id is not None)
        with contextlib.suppress(StoreUnavailable):  # deleted and committed; the log is cleared by the next purge
            await self._database.scrub()
        return bool(gone or runs or numbers)

    async def board(self, actor: Actor, meeting_id: str) -> list[BoardRow]:
        """Return the meeting's participants in order, each with the newest report; takes two queries.

        Nobody if the meeting is another organisation's.
        """
        scope = actor.require("people.read")
        running = sa.exists().where(self_test.c.participant_id == participant.c.id, self_test.c.state == "running")
        mine = within(scope, meeting_id)
        people = sa.select(participant, running.label("running")).where(participant.c.meeting_id == meeting_id, mine)
        newest = sa.select(sa.func.max(report.c.number)).where(report.c.meeting_id == meeting_id, mine)
        newest = newest.group_by(report.c.participant_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(people.order_by(participant.c.position))).all()
            found = (await connection.execute(sa.select(*_COLUMNS).where(report.c.number.in_(newest)))).all()
        reports = {row.participant_id: StoredReport(**row._asdict()) for row in found}
        return [BoardRow(participant_of(row), reports.get(row.id), bool(row.running)) for row in rows]

    async def host_board(self, actor: Actor, meeting_id: str) -> list[HostRow]:
        """Return the meeting's hosts, leaders first, each with the newest test of that person in this organisation.

        Nobody if the meeting is another organisation's.
        """
        scope = actor.require("people.read")
        mine = sa.and_(host.c.meeting_id == meeting_id, within(scope, meeting_id))
        same = host.alias()
        theirs = sa.or_(same.c.id == host.c.id, same.c.person_hash == host.c.person_hash)
        opened = host.join(same, theirs).join(invitation, invitation.c.host_id == same.c.id)
        opened = opened.join(session, session.c.invitation_id == invitation.c.id)
        at_home = invitation.c.organisation_id == actor.organisation_id
        chosen = sa.select(host.c.id.label("host_id"), session.c.id.label("session_id")).select_from(opened)
        tests = chosen.where(mine, at_home, session.c.kind == "host_test").subquery()
        reported = tests.join(report, report.c.session_id == tests.c.session_id)
        newest = sa.select(tests.c.host_id, sa.func.max(report.c.number).label("number")).select_from(reported)
        latest = newest.group_by(tests.c.host_id).subquery()
        busy = sa.exists().where(
            tests.c.host_id == host.c.id, self_test.c.session_id == tests.c.session_id, self_test.c.state == "running"
        )
        told = [column.label(f"report_{column.name}") for column in _COLUMNS]
        whole = host.outerjoin(latest, latest.c.host_id == host.c.id)
        whole = whole.outerjoin(report, report.c.number == latest.c.number)
        wanted = sa.select(host, busy.label("running"), *told).select_from(whole).where(mine)
        rows = await self._rows(wanted.order_by(host.c.role, host.c.id))
        return [HostRow(host_of(row), _reported(row), bool(row.running)) for row in rows]

    async def _newest(self, *conditions: sa.ColumnElement[bool]) -> StoredReport | None:
        statement = sa.select(*_COLUMNS).where(*conditions).order_by(report.c.number.desc()).limit(1)
        row = await self._first(statement)
        return None if row is None else StoredReport(**row._asdict())


def _report_in(scope: Scope, report_id: str) -> sa.ColumnElement[bool]:
    """Return the condition on the report with this id, if it is in the scope."""
    return sa.and_(report.c.id == report_id, also_in(scope, report))


def _report_of(row: sa.Row[Any]) -> StoredReport:
    return StoredReport(**{name: getattr(row, name) for name in StoredReport.__dataclass_fields__})


def _reported(row: sa.Row[Any]) -> StoredReport | None:
    """Return the report in a row that has its columns beside others, or None if there is none."""
    if row.report_id is None:
        return None
    return StoredReport(**{name: getattr(row, f"report_{name}") for name in StoredReport.__dataclass_fields__})


def _owner(stored: StoredReport) -> tuple[str | None, ...]:
    return (stored.organisation_id, stored.meeting_id, stored.participant_id, stored.session_id)


def _tests_of_same_host(scope: Scope, about: StoredReport) -> sa.Select[tuple[str]]:
    """Return a query for the sessions in which the leader or technical host of this report tested."""
    asked, mine, same = invitation.alias(), host.alias(), host.alias()
    theirs = sa.or_(same.c.id == mine.c.id, same.c.person_hash == mine.c.person_hash)
    opened = sa.select(asked.c.host_id).join(session, session.c.invitation_id == asked.c.id)
    own = opened.where(session.c.id == about.session_id, session.c.kind == "host_test").scalar_subquery()
    tests = session.alias()
    chosen = sa.select(tests.c.id).join(invitation, invitation.c.id == tests.c.invitation_id)
    chosen = chosen.join(same, same.c.id == invitation.c.host_id).join(mine, theirs)
    at_home = invitation.c.organisation_id == scope.organisation_id
    return chosen.where(mine.c.id == own, at_home, tests.c.kind == "host_test")


def _person_of(session_id: str) -> sa.ScalarSelect[str | None]:
    """Return a query for the participant of a session."""
    mine = sa.and_(session.c.id == session_id, session.c.kind == "participant")
    return sa.select(session.c.participant_id).where(mine).scalar_subquery()


def _is_ours(actor: Actor, session_id: str) -> sa.ColumnElement[bool]:
    """Return the condition that the session is of the actor's organisation.

    The session is asked, because by the report's own organisation SQLite would read all its reports.
    """
    return sa.exists().where(session.c.id == session_id, session.c.organisation_id == actor.organisation_id)


def _visible_to(actor: Actor, session_id: str) -> sa.ColumnElement[bool]:
    """Return the condition for reports of the session, or of its participant. A leader sees none."""
    own = sa.or_(report.c.session_id == session_id, report.c.participant_id == _person_of(session_id))
    return sa.and_(_is_ours(actor, session_id), own)
