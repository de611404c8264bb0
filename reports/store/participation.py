"""What became of invitations: one row for each participant of a meeting that is over, without name, meeting or report.

Made when the people of a meeting are forgotten, under a new random id: whether and when they tested, with which answer,
what was wrong first and how long it took to be right. The week, not the day; browsers without versions; time in steps;
the meeting's unit and rooms by name. A row may still be of one known person to who remembers the week's only meeting of
a unit, so rows leave the store as an overview only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from reports.calibration import Calibration, Said, make_calibration
from reports.model import READY_VERDICTS
from reports.overview import Counted, Heard, Overview, make_overview

from .actors import Actor, Scope
from .audit_part import AuditPart
from .engine import Database
from .records import new_id
from .room_tables import meeting_room, room
from .scope import also_in, units_in
from .tables import feedback, meeting, participant, participation, report, unlinked_report

__all__ = ["SOLVED_STEPS_MIN", "ParticipationPart", "client_class", "iso_week"]

SOLVED_STEPS_MIN: Final = (5, 15, 30, 60, 240, 1440, 10_080)
"""Steps of the time from a failed test to one that passed; the last takes everything longer."""
KEPT_S: Final = 3600.0
MOST_KEPT: Final = 50
"""Overviews in memory, some 50 kB each, and for how long: people who were forgotten late still come in."""
TOGETHER: Final = " + "
"""Between the names of a meeting's rooms: who was in both is counted once."""
BATCH: Final = 50
"""Meetings in one transaction."""
_DIMENSIONS: Final = ("week", "profile", "solution", "client_class", "tested", "first_verdict", "last_verdict",
                      "cause", "solved_min", "unit", "room")  # fmt: skip


class ParticipationPart(AuditPart):
    """The part of the store that counts what became of invitations."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._overviews: dict[tuple[str, frozenset[str] | None, bool, str, str], tuple[float, Overview]] = {}

    async def overview(self, actor: Actor, weeks: tuple[str, str]) -> Overview:
        """Return the overview from the first to the last ISO week, both included, which have to be over.

        Without what was said afterwards for whoever reads sums of that of other units, see `Actor.reads_one_sum`.

        What was told once is told again for a while, by this process: of a month that is over hardly anything changes.
        """
        scope = actor.require("figures.read")
        hears = actor.reads_one_sum()
        key, now_s = (scope.organisation_id, scope.units, hears, *weeks), monotonic()
        kept = self._overviews.pop(key, None)
        if kept is None or kept[0] < now_s:
            said = await self._said_afterwards(scope, weeks) if hears else []
            kept = now_s + KEPT_S, make_overview(await self._counted(scope, weeks), said)
        self._overviews[key] = kept
        while len(self._overviews) > MOST_KEPT:
            self._overviews.pop(next(iter(self._overviews)))
        return kept[1]

    async def participation(self, actor: Actor, weeks: tuple[str, str]) -> list[Counted]:
        """Return the groups of the organisation's participants from the first to the last ISO week, both included."""
        scope = actor.require("figures.read")
        return await self._counted(scope, weeks)

    async def calibration(self, actor: Actor) -> Calibration:
        """Return what support said of the organisation's reports, of those that are figures by now and of others.

        Figures are of no unit: who reaches some units only is told of reports that are none yet.
        """
        scope = actor.require("figures.read")
        mine = unlinked_report.c.organisation_id == scope.organisation_id
        figures = mine if scope.is_whole else sa.false()
        fresh = also_in(scope, report)
        kept = sa.select(unlinked_report.c.judged, unlinked_report.c.checks)
        said = await self._rows(kept.where(figures, unlinked_report.c.judged.is_not(None)))
        told = sa.select(report.c.judged, report.c.body["checks"].label("checks"))
        said += await self._rows(told.where(fresh, report.c.judged.is_not(None)))
        number = 0
        for table, reached in ((unlinked_report, figures), (report, fresh)):
            number += (await self._rows(sa.select(sa.func.count()).select_from(table).where(reached)))[0][0]
        return make_calibration(number, [Said(row.judged, row.checks or ()) for row in said])

    async def _counted(self, scope: Scope, weeks: tuple[str, str]) -> list[Counted]:
        columns = [participation.c[name] for name in _DIMENSIONS]
        mine = (units_in(scope, participation), participation.c.week.between(*weeks))
        chosen = sa.select(sa.func.count().label("number"), *columns).where(*mine).group_by(*columns)
        return [Counted(**row._asdict()) for row in await self._rows(chosen)]

    async def _said_afterwards(self, scope: Scope, weeks: tuple[str, str]) -> list[Heard]:
        """Return what was said of meetings in these weeks, by what the test had said."""
        columns = [feedback.c[name] for name in ("role", "verdict", "score", "satisfied")]
        mine = (units_in(scope, feedback), feedback.c.week.between(*weeks))
        chosen = sa.select(sa.func.count().label("number"), *columns).where(*mine).group_by(*columns)
        return [Heard(**row._asdict()) for row in await self._rows(chosen)]

    async def _count_people(self, ended: sa.ColumnElement[bool]) -> int:
        """Make the rows of meetings that have ended and are not counted yet; return how many rows."""
        total = 0
        columns = (meeting.c.id, meeting.c.organisation_id, meeting.c.starts_at, meeting.c.profile, meeting.c.solution)
        due = (
            sa.select(*columns, meeting.c.state, meeting.c.unit).where(ended, meeting.c.counted.is_(False)).limit(BATCH)
        )
        while True:
            async with self._database.write() as connection:
                meetings = (await connection.execute(due.order_by(meeting.c.id).with_for_update())).all()
                ids = [one.id for one in meetings]
                rows = [row for one in meetings if one.state == "planned" for row in await _rows_of(connection, one)]
                if rows:
                    await connection.execute(sa.insert(participation), sorted(rows, key=lambda row: row["id"]))
                if ids:
                    counted = sa.update(meeting).where(meeting.c.id.in_(ids))
                    await connection.execute(counted.values(counted=True))
            total += len(rows)
            if len(ids) < BATCH:
                return total


async def _rows_of(connection: AsyncConnection, one: Any) -> list[dict[str, Any]]:
    people = sa.select(participant.c.id).where(participant.c.meeting_id == one.id)
    there = sa.select(room.c.name).join(meeting_room, meeting_room.c.room_id == room.c.id)
    there = there.where(meeting_room.c.meeting_id == one.id).order_by(room.c.name)
    rooms = TOGETHER.join((await connection.execute(there)).scalars())
    made = sa.select(report.c.participant_id, report.c.created_at, report.c.verdict, report.c.body)
    made = made.where(report.c.meeting_id == one.id).order_by(report.c.number)
    reports: dict[str, list[Any]] = defaultdict(list)
    for row in await connection.execute(made):
        reports[row.participant_id].append(row)
    return [_row(one, rooms, reports[person]) for person in (await connection.execute(people)).scalars()]


def _row(one: Any, rooms: str, reports: Sequence[Any]) -> dict[str, Any]:
    """Return what is kept of one participant."""
    first, last = (reports[0], reports[-1]) if reports else (None, None)
    body: Mapping[str, Any] = first.body if first is not None else {}
    tested = "never" if first is None else "in_time" if first.created_at < one.starts_at else "late"
    return {
        "id": new_id(),
        "organisation_id": one.organisation_id,
        "week": iso_week(one.starts_at),
        "profile": one.profile,
        "solution": one.solution,
        "unit": one.unit,
        "room": rooms,
        "client_class": client_class(body.get("client")),
        "tested": tested,
        "first_verdict": None if first is None else first.verdict,
        "last_verdict": None if last is None else last.verdict,
        "cause": _cause(body) if first is not None and first.verdict not in READY_VERDICTS else "",
        "solved_min": _solved_min(reports),
    }


def _cause(body: Mapping[str, Any]) -> str:
    """Return the first check that failed, else the first that was not measured; empty if there is none."""
    checks = [one for one in body.get("checks", ()) if isinstance(one, Mapping)]
    for outcome in ("fail", "not_measured"):
        for one in checks:
            if one.get("outcome") == outcome:
                return str(one.get("id", ""))
    return ""


def _solved_min(reports: Sequence[Any]) -> int | None:
    """Return the step of the time from the first test that was not ready to the next that was; None without one."""
    failed: datetime | None = None
    for one in reports:
        if one.verdict not in READY_VERDICTS:
            failed = failed or one.created_at
        elif failed is not None:
            minutes = (one.created_at - failed).total_seconds() / 60
            return next((step for step in SOLVED_STEPS_MIN if minutes <= step), SOLVED_STEPS_MIN[-1])
    return None


def client_class(client: object) -> str:
    """Return for example ``Chrome/Android/phone``, without versions: a rare one could single somebody out."""
    if not isinstance(client, Mapping):
        return ""
    words = [str(client.get(name) or "").split(" ") for name in ("browser", "os", "form")]
    return "/".join(word[0] for word in words)


def iso_week(moment: datetime) -> str:
    """Return for example ``2026-W48``; comparing the text compares the weeks."""
    year, week, _day = moment.isocalendar()
    return f"{year:04d}-W{week:02d}"
