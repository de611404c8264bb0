"""Feedback on meetings: one answer from each participant and leader, and sums that single nobody out."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import sqlalchemy as sa

from .part import StorePart
from .records import Feedback, FeedbackCell, Host, Session
from .tables import feedback, host, invitation, session

__all__ = ["LEAST_ANSWERS", "FeedbackPart"]

LEAST_ANSWERS: Final = 5
"""Least people in a published sum."""
WORKED: Final = 4
"""Least score that means that sound and picture worked."""
_COLUMNS: Final = [feedback.c[name] for name in Feedback.__dataclass_fields__]
_Cell = tuple[str, str, str, str | None]
_GROUP: Final = ("role", "profile", "solution", "verdict")


class FeedbackPart(StorePart):
    """The part of the store that keeps feedback."""

    async def add_feedback(self, added: Feedback) -> None:
        """Store an answer, or change the earlier one of this participant or host."""
        whose = [name for name in ("participant_id", "host_id") if getattr(added, name) is not None]
        if len(whose) != 1:
            raise ValueError("an answer is one participant's or one host's")
        values = {name: getattr(added, name) for name in Feedback.__dataclass_fields__}
        insert = self._insert(feedback).values(values)
        kept = ("score", "problem", "satisfied", "again", "verdict", "report_id", "week")
        changed = {name: values[name] for name in kept}
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=whose, set_=changed))

    async def feedback_for(self, opened: Session) -> Feedback | None:
        """Return the answer of this session's participant or host."""
        if opened.participant_id is not None:
            mine = feedback.c.participant_id == opened.participant_id
        else:
            given = sa.select(invitation.c.host_id).where(invitation.c.id == opened.invitation_id)
            mine = feedback.c.host_id == given.scalar_subquery()
        row = await self._first(sa.select(*_COLUMNS).where(mine))
        return None if row is None else Feedback(**row._asdict())

    async def answered(self, meeting_id: str) -> set[str]:
        """Return the participants of a meeting who have said how it went."""
        chosen = sa.select(feedback.c.participant_id).where(feedback.c.meeting_id == meeting_id)
        return {row.participant_id for row in await self._rows(chosen) if row.participant_id is not None}

    async def host_of_session(self, session_id: str) -> Host | None:
        """Return the leader or technical host whose link opened this session."""
        chosen = (
            sa.select(*(host.c[name] for name in Host.__dataclass_fields__))
            .join(invitation, invitation.c.host_id == host.c.id)
            .join(session, session.c.invitation_id == invitation.c.id)
            .where(session.c.id == session_id)
        )
        row = await self._first(chosen)
        return None if row is None else Host(**row._asdict())

    async def feedback_summary(self, organisation_id: str, weeks: tuple[str, str]) -> list[FeedbackCell]:
        """Return the sums from the first to the last ISO week (``2026-W48``), without cells of too few people."""
        first, last = weeks
        cell_of = [feedback.c[name] for name in _GROUP]
        counted = sa.select(*cell_of, feedback.c.problem, feedback.c.score, sa.func.count().label("number"))
        counted = counted.where(
            feedback.c.organisation_id == organisation_id, feedback.c.week >= first, feedback.c.week <= last
        )
        counted = counted.group_by(*cell_of, feedback.c.problem, feedback.c.score)
        cells: dict[_Cell, list[tuple[str, int, int]]] = defaultdict(list)
        for row in await self._rows(counted):
            cell = (row.role, row.profile, row.solution, row.verdict)
            cells[cell].append((row.problem, row.score, row.number))
        found = [_cell(cell, answers) for cell, answers in cells.items()]
        return sorted((one for one in found if one.answers >= LEAST_ANSWERS), key=lambda one: (-one.answers, repr(one)))


def _cell(cell: _Cell, answers: list[tuple[str, int, int]]) -> FeedbackCell:
    problems: dict[str, int] = defaultdict(int)
    for problem, _score, number in answers:
        problems[problem] += number
    role, profile, solution, verdict = cell
    return FeedbackCell(
        role=role,
        profile=profile,
        solution=solution,
        verdict=verdict,
        answers=sum(number for *_, number in answers),
        worked=sum(number for _, score, number in answers if score >= WORKED),
        problems={word: number for word, number in sorted(problems.items()) if word and number >= LEAST_ANSWERS},
    )
