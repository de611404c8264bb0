"""Support cases: participants whom a leader handed over to support."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor
from .case_records import SupportCase
from .desk_records import desk_of
from .errors import Gone
from .part import StorePart
from .records import new_id
from .scope import also_in, meetings_in
from .tables import invitation, meeting, participant, report, support_case

__all__ = ["CASE_COLUMNS", "HANDED_OVER", "CasePart", "close_cases"]

_LINK: Final = "link:"
_LED: Final = sa.exists().where(
    support_case.c.opened_by.startswith(_LINK),
    invitation.c.id == sa.func.substr(support_case.c.opened_by, len(_LINK) + 1),
    invitation.c.kind == "leader",
)
HANDED_OVER: Final = support_case.c.opened_by.is_not(None) & (
    support_case.c.opened_by.startswith("host:") | _LED.correlate(support_case)
)
"""The condition for a case that a leader or technical host opened, by a link of their own or one that names nobody."""
CASE_COLUMNS: Final = [
    HANDED_OVER.label(name) if name == "handed_over" else support_case.c[name]
    for name in SupportCase.__dataclass_fields__
]
_NOT_DONE: Final = support_case.c.done_at.is_(None)


class CasePart(StorePart):
    """The part of the store that keeps support cases."""

    async def open_case(self, actor: Actor, meeting_id: str, participant_id: str, *, now: datetime) -> bool:
        """Open a case for a participant; False if one is waiting already.

        A case that support has taken, or opened itself, is ended, as ``opened_again``. Raises `Gone` without such a
        participant in a meeting of the actor's organisation.
        """
        scope = actor.require("case.open")
        mine = sa.select(participant.c.id).join(meeting, meeting.c.id == participant.c.meeting_id)
        mine = mine.where(
            participant.c.id == participant_id,
            meeting.c.id == meeting_id,
            meetings_in(scope),
        )
        newest = sa.select(report.c.id).where(report.c.participant_id == participant_id)
        added = self._insert(support_case).values(
            id=new_id(),
            organisation_id=actor.organisation_id,
            meeting_id=meeting_id,
            participant_id=participant_id,
            report_id=newest.order_by(report.c.number.desc()).limit(1).scalar_subquery(),
            opened_at=now,
            opened_by=actor.host_id or actor.id,
        )
        earlier = sa.update(support_case).where(
            support_case.c.participant_id == participant_id,
            support_case.c.taken_at.is_not(None) | (support_case.c.opened_by.is_not(None) & ~HANDED_OVER),
            _NOT_DONE,
        )
        async with self._changing_boards() as (connection, meetings):
            if (await connection.execute(mine)).first() is None:
                raise Gone("no such participant")
            await connection.execute(earlier.values(done_at=now, how="opened_again"))
            is_new = (await connection.execute(added.on_conflict_do_nothing().returning(support_case.c.id))).first()
            if is_new is not None:
                meetings |= {meeting_id, desk_of(actor.organisation_id)}
            return is_new is not None

    async def cases_of(self, actor: Actor, meeting_id: str) -> list[SupportCase]:
        """Return the meeting's cases, oldest first; of the same moment the open one comes last."""
        scope = actor.require("case.read")
        chosen = sa.select(*CASE_COLUMNS).where(support_case.c.meeting_id == meeting_id, also_in(scope, support_case))
        rows = await self._rows(chosen.order_by(support_case.c.opened_at, _NOT_DONE, support_case.c.id))
        return [SupportCase(**row._asdict()) for row in rows]


async def close_cases(connection: AsyncConnection, meeting_id: str, now: datetime) -> None:
    """End the cases of a meeting, inside the transaction that cancels it."""
    ended = sa.update(support_case).where(support_case.c.meeting_id == meeting_id, _NOT_DONE)
    await connection.execute(ended.values(done_at=now, how="meeting_cancelled"))
