"""What is held of one person: everything a participant, or somebody who tested without a link, may ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from reports.series import unpack

from .actors import Actor
from .audit_part import AuditPart
from .audit_tables import audit_entry
from .records import Meeting, Participant, TakenOut
from .rows import meeting_of, participant_of, person_within
from .scope import meetings_in
from .tables import (
    case_note,
    feedback,
    invitation,
    meeting,
    outbox,
    participant,
    report,
    self_test,
    self_test_phase,
    session,
    support_case,
    taken_out,
)
from .trail import about

__all__ = ["SubjectPart"]

_MOST_LOOKS: Final = 10_000
"""Entries told, the oldest first: what one file holds."""
TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "participant": ("role", "label", "locale", "position", "together", "interprets", "last_verdict", "contact",
                    "reach", "given_as", "given_at", "told_at"),
    "meeting": ("title", "starts_at", "ends_at", "profile", "solution", "practical", "expected_people", "state",
                "contact", "companion", "assessed_by", "agenda_sent", "clinic_phone", "support_phone"),
    "invitation": ("kind", "expires_at", "revoked_at", "seen_at"),
    "session": ("kind", "expires_at"),
    "self_test": ("profile", "state", "started_at", "updated_at", "client"),
    "report": ("code", "verdict", "complete", "other_device", "created_at", "valid_until", "body",
               "judged"),
    "outbox": ("kind", "channel", "state", "created_at", "due_at", "sent_at", "error"),
    "feedback": ("role", "score", "problem", "satisfied", "again", "verdict", "week"),
    "support_case": ("opened_at", "taken_at", "done_at", "how"),
    "case_note": ("written_at", "text"),
}  # fmt: skip
"""Columns of each table that are of the person; not told are ids, hashes, and what says nothing of anybody."""
Rows = list[dict[str, Any]]


class SubjectPart(AuditPart):
    """The part of the store that tells people what it holds of them."""

    async def data_of(self, actor: Actor, participant_id: str | None, session_id: str | None) -> dict[str, Rows]:
        """Return what is held of a participant, or without one of a session, by table; sealed values stay sealed.

        With who looked at it, by kind and time. Empty for another organisation's.
        """
        scope = actor.require("data.own", participant_id)
        if participant_id is not None:
            mine = sa.select(participant.c.id).where(person_within(scope, participant_id))
            met = sa.select(participant.c.meeting_id).where(participant.c.id == participant_id)
            chosen = {participant: participant.c.id == participant_id, meeting: meeting.c.id.in_(met)}
            chosen |= {table: table.c.participant_id == participant_id for table in _OF_PARTICIPANT}
            helped = sa.select(support_case.c.id).where(support_case.c.participant_id == participant_id)
            chosen[case_note] = case_note.c.case_id.in_(helped)
        else:
            own = session.c.id == session_id
            mine = sa.select(session.c.id).where(own, session.c.organisation_id == actor.organisation_id)
            chosen = {session: own, self_test: self_test.c.session_id == session_id}
            chosen[report] = report.c.session_id == session_id
        if await self._first(mine.limit(1)) is None:
            return {}
        found = {table.name: await self._told(table, where) for table, where in chosen.items()}
        seen = [f"participant:{participant_id}" if participant_id is not None else f"session:{session_id}"]
        for table in (report, meeting):
            if table in chosen:
                seen += [f"{table.name}:{one}" for one in await self._ids(table, chosen[table])]
        return found | {"looked_at": await self._looked_at(actor, seen)}

    async def people_of(
        self, actor: Actor, is_meant: Callable[[Participant, bytes | None], bool] = lambda _, __: True
    ) -> list[tuple[Meeting, Participant, bytes | None]]:
        """Return those in meetings of the organisation who are meant, with the sealed number that was typed in.

        Each of them is told in the audit log.
        """
        scope = actor.require("meeting.find")
        columns = [participant.c[name].label(f"p_{name}") for name in (*Participant.__dataclass_fields__, "contact")]
        chosen = sa.select(meeting, *columns).join(participant, participant.c.meeting_id == meeting.c.id)
        chosen = chosen.where(meetings_in(scope))
        rows = await self._rows(chosen.order_by(meeting.c.starts_at, participant.c.position))
        people = [(meeting_of(row), participant_of(row, "p_"), row.p_contact) for row in rows]
        found = [one for one in people if is_meant(one[1], one[2])]
        about(*(f"participant:{person.id}" for _, person, _ in found))
        return found

    async def taken_out_of(
        self, actor: Actor, is_meant: Callable[[TakenOut], bool] = lambda _: True
    ) -> list[tuple[Meeting, TakenOut]]:
        """Return who was taken out of a meeting of the organisation, does not know it yet, and is meant.

        Each of them is told in the audit log.
        """
        scope = actor.require("meeting.find")
        columns = [taken_out.c[name].label(f"gone_{name}") for name in TakenOut.__dataclass_fields__]
        chosen = sa.select(meeting, *columns).join(taken_out, taken_out.c.meeting_id == meeting.c.id)
        chosen = chosen.where(meetings_in(scope))
        rows = await self._rows(chosen.order_by(meeting.c.starts_at, taken_out.c.id))
        names = TakenOut.__dataclass_fields__
        gone = [(meeting_of(row), TakenOut(**{name: getattr(row, f"gone_{name}") for name in names})) for row in rows]
        found = [one for one in gone if is_meant(one[1])]
        about(*(f"participant:{person.id}" for _, person in found))
        return found

    async def _told(self, table: sa.Table, where: sa.ColumnElement[bool]) -> Rows:
        columns = [table.c[name] for name in TOLD[table.name]]
        if table is self_test:
            columns.append(self_test.c.id)
        if table is report:
            columns.append(report.c.series)
        rows = [row._asdict() for row in await self._rows(sa.select(*columns).where(where))]
        for row in rows:
            if table is self_test:
                row["phases"] = await self._phases_of(row.pop("id"))
            if table is report:
                packed = row.pop("series")
                row["series"] = None if packed is None else unpack(bytes(packed))
        return rows

    async def _phases_of(self, test_id: str) -> dict[str, Any]:
        chosen = sa.select(self_test_phase.c.phase, self_test_phase.c.data).where(self_test_phase.c.test_id == test_id)
        return {row.phase: row.data for row in await self._rows(chosen)}

    async def _ids(self, table: sa.Table, where: sa.ColumnElement[bool]) -> list[str]:
        return [str(row.id) for row in await self._rows(sa.select(table.c.id).where(where))]

    async def _looked_at(self, actor: Actor, named: Iterable[str]) -> Rows:
        """Return when which kind of actor looked at or changed one of these; nobody's name or mark."""
        if self._database.audit is None:
            return []
        marks = [self.mark(one) for one in named]
        chosen = sa.select(audit_entry.c.at, audit_entry.c.kind, audit_entry.c.act, audit_entry.c.outcome).where(
            audit_entry.c.organisation_id == actor.organisation_id, audit_entry.c.object.in_(marks)
        )
        return [row._asdict() for row in await self._rows(chosen.order_by(audit_entry.c.seq).limit(_MOST_LOOKS))]


_OF_PARTICIPANT: Final = (invitation, session, self_test, report, outbox, feedback, support_case)
