"""The audit log for those who ask: kept, shown, verified, and purged by whole segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from reports.overview import months_back

from .actors import Actor
from .audit import SKEW, AuditLog, Keys, month_of, signed_segment
from .audit_check import verify
from .audit_records import AuditCheck, AuditEntry, AuditHead
from .audit_tables import audit_entry, audit_head, audit_segment
from .part import StorePart
from .staff_tables import staff
from .tables import organisation
from .trail import Deed

__all__ = ["AuditPart"]

BEGUN: Final = "begun"
"""Outcome of what is logged before it is done, because how often it is done is counted."""
MOST_LOOKED_BACK: Final = 50_000
"""Entries among which is counted: more than a server writes in ten minutes, and found by their number."""
_ENTRY: Final = [audit_entry.c[name] for name in AuditEntry.__dataclass_fields__]


class AuditPart(StorePart):
    """The part of the store that knows who did what."""

    def keep_audit(self, keys: Keys, now: Callable[[], datetime] | None = None) -> None:
        """Log from now on, under these keys; again changes nothing."""
        if self._database.audit is None:
            self._database.audit = AuditLog(keys) if now is None else AuditLog(keys, now)

    def mark(self, named: str) -> str:
        """Return what the log has in place of an id such as ``report:<id>``."""
        return self._audit.keys.mark(named)

    async def log_deed(
        self,
        organisation_id: str,
        act: str,
        *,
        kind: str = "",
        named: str = "",
        outcome: str = "done",
        detail: str = "",
    ) -> None:
        """Log what changes no row, such as a sign-in that is refused; without a `kind` by whoever acts in the trail."""
        deed = Deed(organisation_id, kind, kind, act, named, outcome=outcome, detail=detail)
        async with self._database.write() as connection:
            self._did(connection, deed)

    async def begin_if_few(self, organisation_id: str, act: str, *, most: int, since: datetime, detail: str) -> bool:
        """Log that `act` begins, unless it began `most` times since then; return whether it may.

        All processes write one log and so count together; of two at once the second one waits and counts the first.
        """
        whose = sa.select(organisation.c.id).where(organisation.c.id == organisation_id).with_for_update()
        newest = sa.select(audit_head.c.seq).scalar_subquery()
        begun = sa.select(sa.func.count()).select_from(audit_entry).where(
            audit_entry.c.seq > newest - MOST_LOOKED_BACK, audit_entry.c.organisation_id == organisation_id,
            audit_entry.c.act == act, audit_entry.c.outcome == BEGUN, audit_entry.c.at > since,
        )  # fmt: skip
        async with self._database.write() as connection:
            await connection.execute(whose)
            if (await connection.execute(begun)).scalar_one() >= most:
                return False
            self._did(connection, Deed(organisation_id, "", "", act, "", outcome=BEGUN, detail=detail))
        return True

    async def audit_entries(
        self,
        actor: Actor,
        *,
        between: tuple[datetime, datetime],
        after: int = 0,
        most: int = 500,
        whose: str = "",
        about: str = "",
        act: str = "",
    ) -> list[AuditEntry]:
        """Return entries of the actor's organisation in the half-open span, numbered above `after`, oldest first.

        With what is nobody's: what the service did for all of them, such as retention.
        `whose` and `about` are an actor's and an object's id as `Actor.id` has them (``staff:<id>``, ``report:<id>``).
        """
        actor.require("audit.read")
        mine = (audit_entry.c.organisation_id.in_((actor.organisation_id, "")), audit_entry.c.seq > after)
        chosen = sa.select(*_ENTRY).where(*mine, audit_entry.c.at >= between[0], audit_entry.c.at < between[1])
        for column, wanted in ((audit_entry.c.actor, whose), (audit_entry.c.object, about)):
            chosen = chosen.where(column == self.mark(wanted)) if wanted else chosen
        chosen = chosen.where(audit_entry.c.act == act) if act else chosen
        return [AuditEntry(**row._asdict()) for row in await self._rows(chosen.order_by(audit_entry.c.seq).limit(most))]

    async def staff_names(self, actor: Actor) -> dict[str, str]:
        """Return what staff who are still known are called, by their mark in the log."""
        actor.require("audit.read")
        chosen = sa.select(staff.c.id, staff.c.name).where(staff.c.organisation_id == actor.organisation_id)
        return {self.mark(f"staff:{row.id}"): row.name for row in await self._rows(chosen)}

    async def audit_head(self) -> AuditHead:
        """Return the newest entry, to be noted outside the database."""
        row = await self._first(sa.select(audit_head.c.seq, audit_head.c.mac))
        return AuditHead(0, b"") if row is None else AuditHead(row.seq, bytes(row.mac))

    async def verify_audit(self, anchors: Sequence[AuditHead] = ()) -> AuditCheck:
        """Return how the log stands, in one snapshot, however long it takes.

        `anchors` are heads that were noted outside the database.
        """
        async with self._database.snapshot() as connection:
            return await verify(connection, self._audit.keys, anchors)

    async def audit_due(self, now: datetime, months: int) -> list[int]:
        """Return the segments whose newest entry is of a month that ended more than `months` ago; never the open one.

        One that was written while the clock stood ahead is as old as what was written after it.
        """
        after = audit_segment.alias()
        chosen = sa.select(audit_segment.c.number, audit_segment.c.purged_at, audit_entry.c.at)
        chosen = chosen.join(after, after.c.number == audit_segment.c.number + 1)
        chosen = chosen.outerjoin(audit_entry, audit_entry.c.seq == after.c.first - 1)
        due, is_over, oldest = [], False, _month_before(now, months)
        for row in await self._rows(chosen.order_by(audit_segment.c.number.desc())):
            if row.purged_at is not None:
                is_over = True
            elif row.at is not None:
                is_over = is_over if row.at > now + SKEW else month_of(row.at) < oldest
                due += [row.number] if is_over else []
        return due[::-1]

    async def audit_entries_due(self, now: datetime, months: int) -> int:
        """Return how many entries `purge_audit` would delete."""
        numbers = await self.audit_due(now, months)
        chosen = sa.select(sa.func.count().label("due")).where(audit_entry.c.segment.in_(numbers))
        row = await self._first(chosen)
        return 0 if row is None else int(row.due)

    async def purge_audit(self, now: datetime, months: int) -> int:
        """Delete the entries of segments that are due, keep their heads, and log it; return how many entries."""
        gone = 0
        for number in await self.audit_due(now, months):
            gone += await self._purge_segment(number, now)
        return gone

    async def _purge_segment(self, number: int, now: datetime) -> int:
        mine = audit_segment.c.number == number
        deed = Deed("", "clock", "clock", "audit.purge", f"segment {number}")
        async with self._database.write() as connection:
            row = dict((await connection.execute(sa.select(audit_segment).where(mine))).mappings().one())
            deleted = sa.delete(audit_entry).where(audit_entry.c.segment == number)
            count = (await connection.execute(deleted)).rowcount
            if row["last"] is None:  # left open under another key
                following = sa.select(audit_segment.c.first, audit_segment.c.start)
                after = (await connection.execute(following.where(audit_segment.c.number == number + 1))).one()
                row |= {"last": after.first - 1, "head": after.start}
            row["key"] = self._audit.keys.name  # nothing is left that another could check
            purged = signed_segment(self._audit.keys, {**row, "purged_at": now})
            await connection.execute(sa.update(audit_segment).where(mine).values(purged))
            head = bytes(row["head"]).hex()[:16]
            deed.detail = f"entries={count} first={row['first']} last={row['last']} head={head}"
            self._did(connection, deed)
        return count

    @property
    def _audit(self) -> AuditLog:
        if self._database.audit is None:
            raise ValueError("no audit log is kept here: keep_audit comes first")
        return self._database.audit


def _month_before(now: datetime, months: int) -> str:
    """Return the month so many months before this one, such as ``2026-11``."""
    return months_back(month_of(now), months)
