"""Retention: ends the link to a person in time, and keeps only anonymous figures.

Each step is a short transaction of its own and may be repeated. Run it before the service opens, because a restored
backup brings deleted data back, and regularly after that.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from reports.kept_figures import kept_figures

from .audit_tables import audit_entry, audit_head
from .engine import Database
from .follow_tables import following
from .participation import ParticipationPart, client_class, iso_week
from .purged import Purged
from .records import ANSWERS_AFTER_END, new_id
from .room_tables import room_code, room_event, room_key, room_notice, room_result
from .setting_records import FIGURES_KEPT, figures_kept
from .setting_tables import setting_change
from .staff_tables import sign_in, staff
from .tables import (
    case_note,
    feedback,
    host,
    invitation,
    meeting,
    organisation,
    outbox,
    participant,
    participation,
    report,
    self_test,
    self_test_phase,
    session,
    support_case,
    taken_out,
    unlinked_report,
)
from .trail import Deed

__all__ = ["RetentionPart"]

PERSON_KEPT: Final = timedelta(hours=24)
"""Time after a meeting's end, or after a drop-in report was made."""
RUN_KEPT: Final = timedelta(hours=24)
"""Time for results of single phases, after the last one; a reconnect is possible for 10 minutes."""
SESSION_KEPT: Final = timedelta(hours=24)
"""Time after a session, or a link without a meeting, expired."""
STAFF_KEPT: Final = timedelta(days=90)
"""Time after a person's last sign-in; the next one begins a new row."""
MEETING_KEPT: Final = ANSWERS_AFTER_END
"""Time after a meeting's end; until then its links open the question how it went."""
BATCH: Final = 200
"""Reports that are unlinked in one transaction, so that nobody waits long."""
_FIGURE_FIELDS: Final = ("id", "outcome", "value", "unit", "pass", "fail", "cause", "responsible")
_OF_PEOPLE: Final = (participant, host, meeting, report, self_test, self_test_phase, outbox, session, invitation,
                     feedback, support_case, case_note, staff, sign_in,
                     taken_out, following, setting_change)  # fmt: skip
"""Tables that have held something of a person."""
OF_PEOPLE: Final = tuple(table.name for table in _OF_PEOPLE)
_ACTED: Final = ("opened_by", "taken_by", "done_by")
"""Of a support case: who did it."""
_NOBODY: Final[Mapping[str, Any]] = {
    "label": "", "contact": None, "reach": None, "interprets": "", "phone_hash": None, "contact_hash": None,
}  # fmt: skip
"""What is left of a participant as a person."""
_shuffler: Final = random.SystemRandom()


class RetentionPart(ParticipationPart):
    """The part of the store that forgets."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._forgotten, self._told_on = Purged(), ""

    async def purge(self, now: datetime) -> Purged:
        """Delete, empty or unlink all data that is due at `now`; return how much it was.

        The first time that anything goes it is logged at once, later on each day's first time as a sum.
        """
        due = _due(now, await self._shorter())
        past = meeting.c.ends_at < now - PERSON_KEPT
        later = [name for name in due if name not in {"drop_in_reports", "meetings"}]
        counts = {"drop_in_reports": await self._run(due["drop_in_reports"])}
        await self._count_people(past)
        counts["unlinked_reports"] = await self._unlink(sa.select(meeting.c.id).where(past))
        counts |= {name: await self._run(due[name]) for name in later}
        counts["room_figures"] = await self._forget_rooms(now)
        counts["meetings"] = await self._forget_meetings(past, due["meetings"])
        purged = Purged(**counts)
        self._forgotten += purged
        if self._forgotten and f"{now:%Y-%m-%d}" != self._told_on:
            await self.log_forgotten()
            self._told_on = f"{now:%Y-%m-%d}"
        await self._database.scrub()
        return purged

    async def purge_counts(self, now: datetime, audit_months: int) -> Purged:
        """Return how much `purge`, and the audit log's own purge, would take at `now`; nothing is changed.

        By the same conditions, counted. What goes along with its parent, such as a session with its link, counts twice.
        """
        due = _due(now, await self._shorter()) | {
            "unlinked_reports": sa.delete(report).where(report.c.meeting_id.in_(_ended(now)))
        }
        due["room_figures"] = _room_figures(now)
        async with self._database.read() as connection:
            counts: dict[str, int] = {}
            for name, one in due.items():
                counts[name] = (await connection.execute(_count(one))).scalar_one()
        return Purged(**counts, audit_entries=await self.audit_entries_due(now, audit_months))

    async def log_forgotten(self) -> None:
        """Log how much was forgotten since this was last logged."""
        told, self._forgotten = self._forgotten, Purged()
        if not told or self._database.audit is None:
            return
        try:
            async with self._database.write() as connection:
                self._did(connection, Deed("", "clock", "clock", "retention.purge", detail=told.said))
        except BaseException:
            self._forgotten += told
            raise

    async def take_night(self, since: datetime) -> Sequence[str]:
        """Return the tables to `vacuum`, to the first process that asks after `since`, and log it; none to others."""
        if self._database.is_sqlite or self._database.audit is None:
            return ()
        async with self._database.write() as connection:
            newest = await connection.execute(sa.select(audit_head.c.segment).with_for_update())
            taken = sa.select(audit_entry.c.seq).where(
                audit_entry.c.segment == newest.scalar_one(), audit_entry.c.act == "retention.rewrite",
                audit_entry.c.at >= since,
            )  # fmt: skip
            if (await connection.execute(taken.limit(1))).first() is not None:
                return ()
            self._did(connection, Deed("", "clock", "clock", "retention.rewrite"))
        return OF_PEOPLE

    async def vacuum(self, tables: Sequence[str] = OF_PEOPLE) -> tuple[list[str], list[str]]:
        """Take what was deleted out of PostgreSQL's files too; on SQLite nothing is left there.

        Rewrites the tables with data of people, which are as small as a day's tests; not its write-ahead log. Returns
        those that were left: in use, so that it may be tried again, and too large.
        """
        return await self._database.rewrite(tables)

    async def _shorter(self) -> dict[str, timedelta]:
        """Return how long organisations keep figures that keep them for a shorter time than others, by their ids."""
        rows = await self._rows(sa.select(organisation.c.id, organisation.c.choices))
        kept = {row.id: figures_kept(row.choices) for row in rows}
        return {whose: lasts for whose, lasts in kept.items() if lasts < FIGURES_KEPT}

    async def _run(self, statement: sa.Update | sa.Delete) -> int:
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount

    async def _forget_rooms(self, now: datetime) -> int:
        """Forget what rooms found long ago, and codes, keys and notices that are over; return how many results."""
        over = now - SESSION_KEPT
        ended = sa.or_(room_key.c.revoked_at < over, room_key.c.expires_at < over)
        told = sa.and_(room_notice.c.state.in_(("sent", "failed", "dropped")), room_notice.c.due_at < over)
        await self._run(sa.delete(room_code).where(room_code.c.expires_at < over))
        await self._run(sa.delete(room_key).where(ended))
        await self._run(sa.delete(room_notice).where(told))
        await self._run(sa.delete(room_event).where(room_event.c.at < now - FIGURES_KEPT))
        return await self._run(_room_figures(now))

    async def _forget_meetings(self, past: sa.ColumnElement[bool], over: sa.Update | sa.Delete) -> int:
        """Empty fields that identify people; delete meetings with closed links, with people, links and messages."""
        told = (meeting.c.title, meeting.c.join_from, meeting.c.contact, meeting.c.assessed_by, meeting.c.companion)
        named = sa.or_(
            *(one != "" for one in told), meeting.c.join_link.is_not(None), meeting.c.import_key.is_not(None)
        )
        emptied = (
            sa.update(meeting)
            .where(past, named)
            .values(
                title="",
                join_link=None,
                join_from="",
                contact="",
                assessed_by="",
                companion="",
                import_key=None,
                import_series=None,
                import_version="",
            )
        )
        await self._run(emptied)
        return await self._run(over)

    async def _unlink(self, ended: sa.Select[tuple[str]]) -> int:
        """Replace the reports of ended meetings by figures that name nobody."""
        total = 0
        chosen = sa.select(report.c.number).where(report.c.meeting_id.in_(ended)).order_by(report.c.number).limit(BATCH)
        remove = sa.delete(report).where(report.c.number.in_(chosen))
        remove_returning = remove.returning(
            report.c.number,
            report.c.id,
            report.c.participant_id,
            report.c.organisation_id,
            report.c.created_at,
            report.c.verdict,
            report.c.judged,
            report.c.figures,
            report.c.body,
        )
        while True:
            async with self._database.write() as connection:
                rows: list[Any] = list((await connection.execute(remove_returning)).all())
                _shuffler.shuffle(rows)  # the order of rows must not reveal the order of people
                if rows:
                    answers = await _take_answers(connection, [row.id for row in rows])
                    figures = [{**_figures(row), **answers.get(row.id, _NO_ANSWER)} for row in rows]
                    await connection.execute(sa.insert(unlinked_report), figures)
                    await _keep_verdicts(connection, rows)
            total += len(rows)
            if len(rows) < BATCH:
                return total


def _room_figures(now: datetime) -> sa.Delete:
    """Return the statement for what rooms found long ago."""
    return sa.delete(room_result).where(room_result.c.ended_at < now - FIGURES_KEPT)


def _ended(now: datetime) -> sa.Select[tuple[str]]:
    """Return a query for the meetings whose people are forgotten."""
    return sa.select(meeting.c.id).where(meeting.c.ends_at < now - PERSON_KEPT)


def _old(figures: sa.Table, now: datetime, shorter: Mapping[str, timedelta]) -> sa.ColumnElement[bool]:
    """Return which figures are too old, by their week: for each organisation after its own time."""
    own = [
        sa.and_(figures.c.organisation_id == whose, figures.c.week < iso_week(now - lasts))
        for whose, lasts in shorter.items()
    ]
    return sa.or_(figures.c.week < iso_week(now - FIGURES_KEPT), *own)


def _due(now: datetime, shorter: Mapping[str, timedelta]) -> dict[str, sa.Update | sa.Delete]:
    """Return the statements of one purge by what `Purged` calls their rows, in the order in which they are run."""
    ended = _ended(now)
    people = sa.select(participant.c.id).where(participant.c.meeting_id.in_(ended))
    idle = sa.or_(self_test.c.updated_at < now - RUN_KEPT, self_test.c.participant_id.in_(people))
    named = sa.or_(
        participant.c.label != "",
        participant.c.contact.is_not(None),
        participant.c.reach.is_not(None),
        participant.c.interprets != "",
    )
    emptied = sa.update(participant).where(participant.c.meeting_id.in_(ended), named)
    led = sa.or_(host.c.label != "", host.c.reach.is_not(None), host.c.person_hash.is_not(None))
    leaders = sa.update(host).where(host.c.meeting_id.in_(ended), led)
    acted = sa.or_(*(support_case.c[name].is_not(None) for name in _ACTED))
    cases = sa.update(support_case).where(support_case.c.meeting_id.in_(ended), acted)
    noted = sa.select(support_case.c.id).where(support_case.c.meeting_id.in_(ended))
    alone = sa.and_(invitation.c.meeting_id.is_(None), invitation.c.expires_at < now - SESSION_KEPT)
    past_drop_ins = sa.and_(report.c.meeting_id.is_(None), report.c.created_at < now - PERSON_KEPT)
    return {
        "drop_in_reports": sa.delete(report).where(past_drop_ins),
        "people": emptied.values(_NOBODY),
        "hosts": leaders.values(label="", reach=None, person_hash=None, phone_hash=None),
        "taken_out": sa.delete(taken_out).where(taken_out.c.meeting_id.in_(ended)),
        "cases": cases.values(dict.fromkeys(_ACTED)),
        "notes": sa.delete(case_note).where(case_note.c.case_id.in_(noted)),
        "self_tests": sa.delete(self_test).where(idle),
        "links": sa.delete(invitation).where(alone),
        "sessions": sa.delete(session).where(session.c.expires_at < now - SESSION_KEPT),
        "sign_ins": sa.delete(sign_in).where(sign_in.c.expires_at < now),
        "staff": sa.delete(staff).where(staff.c.signed_in_at < now - STAFF_KEPT),
        "old_figures": sa.delete(unlinked_report).where(_old(unlinked_report, now, shorter)),
        "old_counts": sa.delete(participation).where(_old(participation, now, shorter)),
        "answers": sa.delete(feedback).where(_old(feedback, now, shorter)),
        "changes": sa.delete(setting_change).where(setting_change.c.at < now - FIGURES_KEPT),
        "meetings": sa.delete(meeting).where(meeting.c.ends_at < now - MEETING_KEPT),
    }


def _count(statement: sa.Update | sa.Delete) -> sa.Select[Any]:
    """Return a query for how many rows a statement would touch, by its own condition."""
    if statement.whereclause is None:
        raise ValueError("retention takes no table whole")
    return sa.select(sa.func.count()).select_from(statement.table).where(statement.whereclause)


_NO_ANSWER: Final[Mapping[str, Any]] = {"score": None, "problem": None}


async def _take_answers(connection: AsyncConnection, report_ids: list[str]) -> dict[str, dict[str, Any]]:
    """Return score and problem by report, and unlink the answers from their reports."""
    followed = feedback.c.report_id.in_(report_ids)
    chosen = sa.select(feedback.c.report_id, feedback.c.score, feedback.c.problem).where(followed)
    rows = (await connection.execute(chosen)).all()
    await connection.execute(sa.update(feedback).where(followed).values(report_id=None))
    return {row.report_id: {"score": row.score, "problem": row.problem} for row in rows}


async def _keep_verdicts(connection: AsyncConnection, rows: list[Any]) -> None:
    """Store the newest report's verdict with each participant, for the question how the meeting went.

    If reports are unlinked in several batches, the oldest go first.
    """
    newest = {row.participant_id: row.verdict for row in sorted(rows, key=lambda row: row.number)}
    for participant_id, verdict in newest.items():
        kept = sa.update(participant).where(participant.c.id == participant_id)
        await connection.execute(kept.values(last_verdict=verdict))


def _figures(row: sa.Row[Any]) -> dict[str, Any]:
    """Return the figures of a report that may be kept without its participant."""
    body: Mapping[str, Any] = row.body
    profile, checks = str(body.get("profile", "")), body.get("checks", ())
    return {
        "id": new_id(),
        "organisation_id": row.organisation_id,
        "week": iso_week(row.created_at),
        "client_class": client_class(body.get("client")),
        "profile": profile,
        "verdict": str(body.get("verdict", "")),
        "judged": row.judged,
        "checks": [_check_figures(check) for check in checks if isinstance(check, Mapping)],
        "figures": row.figures or kept_figures(profile, checks),
    }


def _check_figures(check: Mapping[str, Any]) -> dict[str, Any]:
    """Return a check's figures; of practical questions only whether they were answered, never the answer."""
    kept = {name: check.get(name) for name in _FIGURE_FIELDS}
    if str(check.get("id", "")).startswith("practical."):
        kept["value"] = None
    return kept
