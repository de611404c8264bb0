"""Converts rows of meetings and people to records and back; conditions and locks for changes of a meeting."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Scope
from .errors import Gone
from .records import ANSWERS_AFTER_END, Host, Invitation, Meeting, Participant, StaffRole, StoredReport
from .scope import meetings_in
from .tables import host, invitation, meeting, participant, report

__all__ = [
    "LISTED",
    "carry_feeds",
    "contains",
    "host_of",
    "limits_of",
    "listed_report",
    "locked",
    "meeting_in",
    "meeting_of",
    "participant_of",
    "person_within",
    "values_of",
]


_LISTED_PARTS: Final = ("advice", "client")
LISTED: Final = (
    *(report.c[name] for name in StoredReport.__dataclass_fields__ if name != "body"),
    *(report.c.body[name].label(name) for name in _LISTED_PARTS),
)
"""Columns of a report in a list: of its body what `listed_report` keeps; to read a whole one takes a millisecond."""


def listed_report(row: sa.Row[Any]) -> StoredReport:
    """Return the report in a row with the columns `LISTED`; its body has what to do and the device, and no checks."""
    values = {name: getattr(row, name) for name in StoredReport.__dataclass_fields__ if name != "body"}
    parts = {name: getattr(row, name) for name in _LISTED_PARTS}
    return StoredReport(**values, body={name: part for name, part in parts.items() if part is not None})


def meeting_of(row: sa.Row[Any]) -> Meeting:
    """Return the meeting in a row with the meeting's columns."""
    values = {name: getattr(row, name) for name in Meeting.__dataclass_fields__}
    lists = {name: tuple(values[name]) for name in ("practical", "reminders")}
    return Meeting(**{**values, **lists})


def participant_of(row: sa.Row[Any], prefix: str = "") -> Participant:
    """Return the participant in a row with the participant's columns, each under `prefix`."""
    return Participant(**{name: getattr(row, prefix + name) for name in Participant.__dataclass_fields__})


def host_of(row: sa.Row[Any]) -> Host:
    """Return the host in a row with the host's columns."""
    return Host(**{name: getattr(row, name) for name in Host.__dataclass_fields__})


def limits_of(row: sa.Row[Any]) -> frozenset[tuple[StaffRole, str]]:
    """Return the units of roles in a row with that column of `staff`, or with none of staff."""
    return frozenset((role, unit) for role, unit in row.limits or ())


def values_of(record: Meeting | Participant | Host | Invitation) -> dict[str, Any]:
    """Return the columns of a record."""
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def meeting_in(scope: Scope, meeting_id: str) -> sa.Select[Any]:
    """Return a query for the meeting with this id if it is in the scope."""
    return sa.select(meeting).where(meeting.c.id == meeting_id, meetings_in(scope))


def person_within(scope: Scope, participant_id: str) -> sa.ColumnElement[bool]:
    """Return the condition that the participant with this id is in a meeting of the scope."""
    theirs = sa.and_(participant.c.meeting_id == meeting.c.id, meetings_in(scope))
    return sa.exists().where(participant.c.id == participant_id, theirs)


def contains(column: sa.Column[Any], search: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column's text contains `search`. SQLite ignores the case of ASCII only.

    Names stored before letters were composed (Å as A and a ring) are found by that spelling.
    """
    search = unicodedata.normalize("NFC", search)
    written = {search, search.lower(), search.upper(), search.capitalize(), search.title()}
    spellings = {unicodedata.normalize(form, one) for one in written for form in ("NFC", "NFD")}
    return sa.or_(*(column.icontains(one, autoescape=True) for one in sorted(spellings)))


async def locked(connection: AsyncConnection, scope: Scope, meeting_id: str) -> Meeting:
    """Return the meeting and keep others from changing it until the transaction ends. Raises `Gone`."""
    row = (await connection.execute(meeting_in(scope, meeting_id).with_for_update())).first()
    if row is None:
        raise Gone("no such meeting")
    return meeting_of(row)


async def carry_feeds(connection: AsyncConnection, found: Meeting, hosts: Sequence[Host]) -> None:
    """Move these people's calendar links to this meeting if it ends later than the present one of each link."""
    until = found.ends_at + ANSWERS_AFTER_END
    for one in hosts:
        if one.person_hash is None:
            continue
        same = sa.select(host.c.id).where(host.c.person_hash == one.person_hash)
        feeds = sa.update(invitation).where(
            invitation.c.kind == "feed",
            invitation.c.organisation_id == found.organisation_id,
            invitation.c.host_id.in_(same),
            invitation.c.expires_at < until,
        )
        await connection.execute(feeds.values(host_id=one.id, meeting_id=found.id, expires_at=until))
