"""The conditions that keep a query within what its actor reaches: an organisation, or a part of it."""

from __future__ import annotations

import sqlalchemy as sa

from .actors import Part, Scope
from .tables import host, meeting

__all__ = ["also_in", "meetings_in", "units_in", "within"]


def meetings_in(scope: Scope, meetings: sa.FromClause = meeting) -> sa.ColumnElement[bool]:
    """Return the condition on a row of `meeting`, or of an alias of it, that it is in the scope."""
    mine = meetings.c.organisation_id == scope.organisation_id
    if scope.is_whole:
        return mine
    return sa.and_(mine, sa.or_(sa.false(), *(_in_part(part, meetings) for part in scope.parts)))


def _in_part(part: Part, meetings: sa.FromClause) -> sa.ColumnElement[bool]:
    narrowed: list[sa.ColumnElement[bool]] = []
    if part.units is not None:
        narrowed.append(meetings.c.unit.in_(sorted(part.units)))
    if part.led_by is not None:
        led = sa.exists().where(host.c.meeting_id == meetings.c.id, host.c.person_hash == part.led_by)
        narrowed.append(led.correlate(meetings))
    return sa.and_(sa.true(), *narrowed)


def within(scope: Scope, meeting_id: str | sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the condition that the meeting with this id, or of this column, is in the scope."""
    return sa.exists().where(meeting.c.id == meeting_id, meetings_in(scope))


def also_in(scope: Scope, table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition on a row that has an organisation and perhaps a meeting.

    Where only a part of the organisation is reached, a row without a meeting is not.
    """
    mine = table.c.organisation_id == scope.organisation_id
    if scope.is_whole:
        return mine
    reached = sa.select(meeting.c.id).where(meetings_in(scope))
    return sa.and_(mine, table.c.meeting_id.in_(reached.correlate(None)))


def units_in(scope: Scope, table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition on a row of sums, which has an organisation and a unit."""
    mine = table.c.organisation_id == scope.organisation_id
    return mine if scope.units is None else sa.and_(mine, table.c.unit.in_(sorted(scope.units)))
