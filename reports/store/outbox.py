"""Messages to send: queued in the transaction that they report, claimed by one process at a time, then settled.

Delivery is at least once: a dead process's claim expires, and another process tries. No text is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from .actors import Actor
from .part import StorePart
from .records import Meeting, Outgoing, OutgoingState, ReportMark
from .rows import meeting_of
from .scope import also_in, within
from .tables import meeting, outbox, report, taken_out

__all__ = ["OutboxPart"]

_COLUMNS = [outbox.c[name] for name in Outgoing.__dataclass_fields__]
_OPEN = ("waiting", "sending")


class OutboxPart(StorePart):
    """The part of the store that keeps messages to send."""

    async def queue(self, messages: Sequence[Outgoing]) -> int:
        """Store messages to send; return how many were new. One whose `once` exists already is left out."""
        if not messages:
            return 0
        async with self._changing_boards() as (connection, meetings):
            added = await self._put_outgoing(connection, messages)
            meetings.update({one.meeting_id for one in messages} if added else ())
        if added:
            self.queued.set()
        return added

    async def claim_outgoing(self, now: datetime, most: int, claim_s: float) -> list[Outgoing]:
        """Claim up to `most` due messages, longest due first; nobody else gets them for `claim_s`."""
        due = sa.select(outbox.c.id).where(outbox.c.state.in_(_OPEN), outbox.c.due_at <= now)
        due = due.order_by(outbox.c.due_at, outbox.c.id).limit(most).with_for_update(skip_locked=True)
        claimed = {"state": "sending", "attempts": outbox.c.attempts + 1, "due_at": now + timedelta(seconds=claim_s)}
        async with self._database.write() as connection:
            ids = list((await connection.execute(due)).scalars())
            if not ids:
                return []
            statement = sa.update(outbox).where(outbox.c.id.in_(ids)).values(claimed).returning(*_COLUMNS)
            found = {row.id: _outgoing_of(row) for row in await connection.execute(statement)}
        return [found[one] for one in ids]

    async def settle_outgoing(
        self,
        outgoing_id: str,
        *,
        state: OutgoingState,
        now: datetime,
        error: str | None = None,
        due_at: datetime | None = None,
    ) -> bool:
        """Store the outcome of a claimed message; ``waiting`` with `due_at` is a retry. False if it was not claimed."""
        if state == "waiting" and due_at is None:
            raise ValueError("to try again, say when")
        values: dict[str, Any] = {"state": state, "error": error}
        if due_at is not None:
            values["due_at"] = due_at
        if state == "sent":
            values["sent_at"] = now
        statement = sa.update(outbox).where(outbox.c.id == outgoing_id, outbox.c.state == "sending")
        async with self._changing_boards() as (connection, meetings):
            row = (await connection.execute(statement.values(values).returning(*_COLUMNS))).first()
            if row is not None:
                meetings.add(row.meeting_id)
            if row is not None and state == "sent" and row.kind == "removed":  # they know, so nothing is kept of them
                told = taken_out.c.id == row.data.get("taken_out")
                await connection.execute(sa.delete(taken_out).where(told))
            return row is not None

    async def stuck(self, codes: Collection[str], organisation_id: str | None = None) -> dict[str, str]:
        """Return those of `codes` with messages that wait for a retry, by channel; of all organisations by default."""
        chosen = sa.select(outbox.c.channel, sa.func.max(outbox.c.error).label("error"))
        chosen = chosen.where(outbox.c.state.in_(_OPEN), outbox.c.error.in_(codes)).group_by(outbox.c.channel)
        if organisation_id is not None:
            chosen = chosen.where(outbox.c.organisation_id == organisation_id)
        return {row.channel: row.error for row in await self._rows(chosen)}

    async def outgoing_of(self, actor: Actor, meeting_id: str) -> list[Outgoing]:
        """Return all messages about the meeting, oldest first; none for another organisation's."""
        scope = actor.require("people.read")
        mine = sa.and_(outbox.c.meeting_id == meeting_id, also_in(scope, outbox))
        chosen = sa.select(*_COLUMNS).where(mine)
        return [_outgoing_of(row) for row in await self._rows(chosen.order_by(outbox.c.created_at, outbox.c.id))]

    async def meetings_starting(self, starts: tuple[datetime, datetime]) -> list[Meeting]:
        """Return all organisations' planned meetings that start in the half-open span, for jobs by the clock."""
        chosen = sa.select(meeting).where(
            meeting.c.state == "planned", meeting.c.starts_at >= starts[0], meeting.c.starts_at < starts[1]
        )
        return [meeting_of(row) for row in await self._rows(chosen.order_by(meeting.c.starts_at, meeting.c.id))]

    async def report_marks(self, actor: Actor, meeting_id: str) -> list[ReportMark]:
        """Return the verdicts of all reports of the meeting's participants, oldest first."""
        scope = actor.require("people.read")
        columns = (report.c.participant_id, report.c.id.label("report_id"), report.c.verdict, report.c.created_at)
        mine = sa.and_(report.c.meeting_id == meeting_id, within(scope, meeting_id))
        chosen = sa.select(*columns).where(mine, report.c.participant_id.is_not(None))
        return [ReportMark(**row._asdict()) for row in await self._rows(chosen.order_by(report.c.number))]


def _outgoing_of(row: sa.Row[Any]) -> Outgoing:
    values: Mapping[str, Any] = row._asdict()
    return Outgoing(**values)
