"""Support cases: participants whom a leader handed over to support."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor
from .case_records import SupportCase, WaitingCase
from .errors import Gone
from .part import StorePart
from .records import TESTS_AFTER_END, StoredReport, new_id
from .tables import host, meeting, participant, report, support_case

__all__ = ["CasePart", "close_cases"]

MAX_WAITING: Final = 50
"""Most waiting cases on support's page."""
_COLUMNS: Final = [support_case.c[name] for name in SupportCase.__dataclass_fields__]
_REPORT: Final = [report.c[name] for name in StoredReport.__dataclass_fields__]
_NOT_DONE: Final = support_case.c.done_at.is_(None)


class CasePart(StorePart):
    """The part of the store that keeps support cases."""

    async def open_case(self, actor: Actor, meeting_id: str, participant_id: str, *, now: datetime) -> bool:
        """Open a case for a participant; False if one is waiting already.

        A case that support has taken is ended, as ``opened_again``. Raises `Gone` without such a participant in a
        meeting of the actor's organisation.
        """
        actor.require("case.open")
        mine = sa.select(participant.c.id).join(meeting, meeting.c.id == participant.c.meeting_id)
        mine = mine.where(
            participant.c.id == participant_id,
            meeting.c.id == meeting_id,
            meeting.c.organisation_id == actor.organisation_id,
        )
        newest = sa.select(report.c.id).where(report.c.participant_id == participant_id)
        added = self._insert(support_case).values(
            id=new_id(),
            organisation_id=actor.organisation_id,
            meeting_id=meeting_id,
            participant_id=participant_id,
            report_id=newest.order_by(report.c.number.desc()).limit(1).scalar_subquery(),
            opened_at=now,
            opened_by=actor.id,
        )
        earlier = sa.update(support_case).where(
            support_case.c.participant_id == participant_id, support_case.c.taken_at.is_not(None), _NOT_DONE
        )
        async with self._changing_boards() as (connection, meetings):
            if (await connection.execute(mine)).first() is None:
                raise Gone("no such participant")
            await connection.execute(earlier.values(done_at=now, how="opened_again"))
            is_new = (await connection.execute(added.on_conflict_do_nothing().returning(support_case.c.id))).first()
            if is_new is not None:
                meetings.add(meeting_id)
            return is_new is not None

    async def take_case(self, actor: Actor, case_id: str, *, now: datetime) -> bool:
        """Take a case for the actor; False if there is none, or somebody has it already."""
        actor.require("case.take")
        waiting = sa.and_(support_case.c.taken_at.is_(None), _NOT_DONE)
        mine = sa.and_(support_case.c.id == case_id, support_case.c.organisation_id == actor.organisation_id)
        taken = sa.update(support_case).where(mine, waiting).values(taken_at=now, taken_by=actor.id)
        async with self._changing_boards() as (connection, meetings):
            row = (await connection.execute(taken.returning(support_case.c.meeting_id))).first()
            if row is not None:
                meetings.add(row.meeting_id)
            return row is not None

    async def cases_of(self, actor: Actor, meeting_id: str) -> list[SupportCase]:
        """Return the meeting's cases, oldest first; of the same moment the open one comes last."""
        actor.require("case.read")
        chosen = sa.select(*_COLUMNS).where(
            support_case.c.meeting_id == meeting_id, support_case.c.organisation_id == actor.organisation_id
        )
        rows = await self._rows(chosen.order_by(support_case.c.opened_at, _NOT_DONE, support_case.c.id))
        return [SupportCase(**row._asdict()) for row in rows]

    async def waiting_cases(self, actor: Actor, now: datetime) -> list[WaitingCase]:
        """Return the cases that nobody has taken, oldest first, while their meetings' links still open a test.

        Takes three queries.
        """
        actor.require("case.list")
        waiting = (
            sa.select(support_case, meeting.c.starts_at, participant.c.role)
            .join(meeting, meeting.c.id == support_case.c.meeting_id)
            .join(participant, participant.c.id == support_case.c.participant_id)
            .where(
                support_case.c.organisation_id == actor.organisation_id,
                support_case.c.taken_at.is_(None),
                _NOT_DONE,
                meeting.c.state == "planned",
                meeting.c.ends_at > now - TESTS_AFTER_END,
            )
        )
        cases = await self._rows(waiting.order_by(support_case.c.opened_at, support_case.c.id).limit(MAX_WAITING))
        reports = await self._newest_of([case.participant_id for case in cases])
        leaders = await self._leaders_of({case.meeting_id for case in cases})
        return [
            WaitingCase(
                id=case.id,
                opened_at=case.opened_at,
                starts_at=case.starts_at,
                role=case.role,
                leaders=leaders.get(case.meeting_id, ()),
                report=reports.get(case.participant_id),
            )
            for case in cases
        ]

    async def _newest_of(self, participant_ids: list[str]) -> dict[str, StoredReport]:
        """Return each participant's newest report, if any."""
        newest = sa.select(sa.func.max(report.c.number)).where(report.c.participant_id.in_(participant_ids))
        chosen = sa.select(*_REPORT).where(report.c.number.in_(newest.group_by(report.c.participant_id)))
        return {row.participant_id: StoredReport(**row._asdict()) for row in await self._rows(chosen)}

    async def _leaders_of(self, meeting_ids: set[str]) -> dict[str, tuple[str, ...]]:
        """Return the labels of each meeting's leaders."""
        chosen = sa.select(host.c.meeting_id, host.c.label).where(host.c.meeting_id.in_(meeting_ids))
        labels: dict[str, list[str]] = defaultdict(list)
        for row in await self._rows(chosen.where(host.c.role == "leader").order_by(host.c.label)):
            labels[row.meeting_id].append(row.label)
        return {meeting_id: tuple(called) for meeting_id, called in labels.items()}


async def close_cases(connection: AsyncConnection, meeting_id: str, now: datetime) -> None:
    """End the cases of a meeting, inside the transaction that cancels it."""
    ended = sa.update(support_case).where(support_case.c.meeting_id == meeting_id, _NOT_DONE)
    await connection.execute(ended.values(done_at=now, how="meeting_cancelled"))
