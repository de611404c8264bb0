"""Feedback on meetings: one answer from each participant and leader, and sums that single nobody out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from reports.model import READY_VERDICTS
from reports.overview import HOSTS, WORKED
from reports.sums import LEAST, OTHERS, Cell, folded, told_of

from .actors import Actor
from .feedback_records import Feedback, FeedbackCell, FeedbackSum
from .part import StorePart
from .records import Host, Session
from .scope import meetings_in, units_in
from .tables import feedback, host, invitation, meeting, session

__all__ = ["LEAST_ANSWERS", "FeedbackPart"]

LEAST_ANSWERS: Final = LEAST
"""Least people in a published sum (PRV-3)."""
_COLUMNS: Final = [feedback.c[name] for name in Feedback.__dataclass_fields__]
_Cell = tuple[str, str, str, str | None]
_GROUP: Final = ("role", "profile", "solution", "verdict")
_ASKED: Final = ("score", "satisfied", "again", "whose")
"""What was asked, by column."""
_OF_OVERVIEW: Final = ("satisfied", "score")
"""Of these the overview tells a share of all."""


class FeedbackPart(StorePart):
    """The part of the store that keeps feedback."""

    async def add_feedback(self, added: Feedback) -> None:
        """Store an answer, or change the earlier one of this participant or host."""
        whose = [name for name in ("participant_id", "host_id") if getattr(added, name) is not None]
        if len(whose) != 1:
            raise ValueError("an answer is one participant's or one host's")
        values = {name: getattr(added, name) for name in Feedback.__dataclass_fields__}
        insert = self._insert(feedback).values(values)
        kept = ("score", "problem", "satisfied", "again", "whose", "unit", "verdict", "report_id", "week")
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

    async def feedback_summary(self, actor: Actor, weeks: tuple[str, str]) -> list[FeedbackCell]:
        """Return the sums from the first to the last ISO week (``2026-W48``), without cells of too few people."""
        scope = actor.require("sums.read")
        cell_of = [feedback.c[name] for name in _GROUP]
        counted = sa.select(*cell_of, feedback.c.problem, feedback.c.score, sa.func.count().label("number"))
        counted = counted.where(units_in(scope, feedback), feedback.c.week.between(*weeks))
        counted = counted.group_by(*cell_of, feedback.c.problem, feedback.c.score)
        cells: dict[_Cell, list[tuple[str, int, int]]] = defaultdict(list)
        for row in await self._rows(counted):
            cell = (row.role, row.profile, row.solution, row.verdict)
            cells[cell].append((row.problem, row.score, row.number))
        found = _of_enough([_cell(cell, answers) for cell, answers in cells.items()])
        return sorted(found, key=lambda one: (-one.answers, repr(one)))

    async def feedback_sums(self, actor: Actor, weeks: tuple[str, str], *, by_share: bool = False) -> list[FeedbackSum]:
        """Return what was answered in these weeks, by unit, participants and hosts apart; none of too few people.

        `by_share` is for readers of shares: without answers whose shares would tell of few beside the overview, which
        tells how many participants were satisfied, and how many of those told "ready" said that it worked.
        """
        scope = actor.require("sums.read")
        is_host = feedback.c.role.in_(HOSTS)
        parts = [is_host.label("is_host"), *(feedback.c[name] for name in ("unit", "verdict", *_ASKED))]
        chosen = sa.select(*parts, sa.func.count().label("number")).group_by(is_host, *parts[1:])
        mine = (units_in(scope, feedback), feedback.c.week.between(*weeks))
        by_unit: dict[tuple[bool, str], list[sa.Row[Any]]] = defaultdict(list)
        for row in await self._rows(chosen.where(*mine)):
            by_unit[bool(row.is_host), row.unit].append(row)
        unsaid = _unsaid(row for rows in by_unit.values() for row in rows) if by_share else {}
        sums = [_sums(by_unit, is_host=is_host, by_share=by_share) for is_host in (False, True)]
        return [replace(one, **unsaid) for alike in sums for one in alike]

    async def units(self, actor: Actor) -> list[str]:
        """Return the names of units that meetings have, so that nobody spells one in two ways; of some units those."""
        scope = actor.require("meeting.find")
        if scope.units is not None:
            return sorted(scope.units)
        chosen = sa.select(meeting.c.unit).where(meetings_in(scope), meeting.c.unit != "")
        return sorted(row.unit for row in await self._rows(chosen.distinct()))


def _unsaid(rows: Iterable[sa.Row[Any]]) -> dict[str, Any]:
    """Return no scores, where all of them less those that were told "ready" would be of few."""
    others = [row for row in rows if row.verdict not in READY_VERDICTS]
    rest = _share_of(_counted(others, "score"))
    return {} if rest.number == 0 or rest.is_told() else {"scores": {}}


def _sums(by_unit: Mapping[tuple[bool, str], list[sa.Row[Any]]], *, is_host: bool, by_share: bool) -> list[FeedbackSum]:
    """Return a sum for each unit of enough people, the largest first, and one for the other units together.

    Where these are too few together, the smallest unit that would be told joins them.
    """
    mine = {unit: rows for (host, unit), rows in by_unit.items() if host is is_host}
    told = folded({unit: Cell(_number(rows)) for unit, rows in mine.items()}, LEAST_ANSWERS)
    shown: list[tuple[str | None, list[sa.Row[Any]]]] = [(unit, mine[unit]) for unit in told if unit != OTHERS]
    if OTHERS in told:
        others = [row for unit, rows in mine.items() if unit not in told or unit == OTHERS for row in rows]
        shown.append((None, others))
    said = [{name: _counted(rows, name) for name in _ASKED} for _, rows in shown]
    shared = _OF_OVERVIEW if by_share else ()
    for name in dict.fromkeys(("satisfied", "again", *shared)):
        enough = told_of([_share_of(one[name]) if name in shared else Cell(sum(one[name].values())) for one in said])
        said = [one if is_told else {**one, name: {}} for one, is_told in zip(said, enough, strict=True)]
    return [_sum_of(unit, rows, one, is_host=is_host) for (unit, rows), one in zip(shown, said, strict=True)]


def _share_of(said: Mapping[int, int]) -> Cell:
    """Return how many answered, and how many of them that it worked, or that they were satisfied."""
    return Cell(sum(said.values()), sum(number for step, number in said.items() if step >= WORKED))


def _number(rows: Sequence[sa.Row[Any]]) -> int:
    return sum(row.number for row in rows)


def _sum_of(
    unit: str | None, rows: Sequence[sa.Row[Any]], said: Mapping[str, Mapping[Any, int]], *, is_host: bool
) -> FeedbackSum:
    return FeedbackSum(
        unit=unit,
        who="hosts" if is_host else "participants",
        answers=_number(rows),
        scores=said["score"],
        satisfied=said["satisfied"],
        again=said["again"],
        whose={word: number for word, number in said["whose"].items() if number >= LEAST_ANSWERS},
    )


def _counted(rows: Sequence[sa.Row[Any]], name: str) -> dict[Any, int]:
    """Return how often each answer to one question was given; no answer is none of them."""
    counts: dict[Any, int] = defaultdict(int)
    for row in rows:
        if (answer := getattr(row, name)) not in {None, ""}:
            counts[answer] += row.number
    return dict(sorted(counts.items()))


def _of_enough(found: Sequence[FeedbackCell]) -> list[FeedbackCell]:
    """Return the cells that may be told beside the sums of all who answered by unit, and of all who were told "ready".

    Left out are those of too few people, and as many of the others as it takes that these are not what is missing.
    """
    kinds: dict[tuple[bool, bool], list[FeedbackCell]] = defaultdict(list)
    for one in found:
        kinds[one.role in HOSTS, one.verdict in READY_VERDICTS].append(one)
    return [
        one
        for alike in kinds.values()
        for one, is_told in zip(alike, told_of([Cell(one.answers) for one in alike]), strict=True)
        if is_told
    ]


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
