"""Running self-tests: the results of ended phases, so that a reconnect to any process goes on with the rest.

A test belongs to the page with its newest claim. Beginning it is its first claim, taking it over raises the number, and
a write under an older number raises `TakenOver`, on whichever process the older page still is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .errors import Gone, TakenOver
from .guard import guard
from .part import StorePart
from .records import SelfTest, SelfTestState, Session
from .tables import participant, self_test, self_test_phase, session

__all__ = ["SelfTestPart", "change_claimed"]

_OWN = [name for name in SelfTest.__dataclass_fields__ if name != "phases"]


class SelfTestPart(StorePart):
    """The part of the store that keeps running tests, their phases and their claims."""

    # ---- claims

    async def claim_self_tests(
        self, whose: Session, since: datetime, now: datetime, *, resume: str | None = None
    ) -> dict[str, int]:
        """Take over the person's running runs, and `resume` if this session can go on with it; return the new claims.

        Runs last updated before `since` are left alone.
        """
        resumable = sa.and_(
            self_test.c.id == resume, self_test.c.session_id == whose.id, self_test.c.state != "finished"
        )
        async with self._database.write() as connection:
            await _lock_person(connection, whose)
            wanted = sa.or_(self_test.c.state == "running", resumable)
            return await _raise_claims(connection, now, _of_person(whose), self_test.c.updated_at >= since, wanted)

    async def start_self_test(self, test: SelfTest) -> None:
        """Store a new run; the board shows it as running. The person's other runs go on."""
        async with self._changing_boards() as (connection, meetings):
            await self._add(connection, test)
            meetings.update(await _meeting_of_test(connection, test.id))

    async def begin_self_test(self, test: SelfTest, whose: Session, since: datetime) -> list[SelfTest]:
        """Store a run that replaces the person's running ones; return those, each under a new claim.

        The caller owns those now and must end them. Of runs that begin at the same moment one is left.
        """
        async with self._changing_boards() as (connection, meetings):
            others = await self._take_others(connection, whose, since, test.updated_at)
            await self._add(connection, test)
            meetings.update(await _meeting_of_test(connection, test.id))
            return others

    async def resume_self_test(
        self, test_id: str, whose: Session, since: datetime, now: datetime, *, claim: int
    ) -> list[SelfTest]:
        """Continue a claimed run; return the person's other running ones, like `begin_self_test`.

        Raises TakenOver if `claim` is not the newest one, Gone if there is no such run.
        """
        async with self._changing_boards() as (connection, meetings):
            others = await self._take_others(connection, whose, since, now, self_test.c.id != test_id)
            await change_claimed(connection, test_id, claim, "resume", state="running", updated_at=now)
            meetings.update(await _meeting_of_test(connection, test_id))
            return others

    async def claim_left_over(self, test: SelfTest, idle_since: datetime) -> int | None:
        """Take over an abandoned run and return the claim; None if another was first or the page came back.

        This is no sign of life: if the caller dies, the run is left to the next one.
        """
        statement = (
            sa.update(self_test)
            .where(self_test.c.id == test.id, self_test.c.claim == test.claim)
            .where(self_test.c.state == "running", self_test.c.updated_at < idle_since)
            .values(claim=self_test.c.claim + 1)
            .returning(self_test.c.claim)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).first()
            return None if row is None else int(row.claim)

    async def claim_of(self, test_id: str) -> int | None:
        """Return the newest claim of a run, or None if there is no such run."""
        row = await self._first(sa.select(self_test.c.claim).where(self_test.c.id == test_id))
        return None if row is None else int(row.claim)

    # ---- reading

    async def self_test(self, test_id: str, session_id: str) -> SelfTest | None:
        """Return the run with its phases if this session made it."""
        tests = await self._tests(self_test.c.id == test_id, self_test.c.session_id == session_id)
        return tests[0] if tests else None

    async def recent_self_tests(self, whose: Session, since: datetime) -> list[SelfTest]:
        """Return the runs of the session, or of its participant in any session, updated since, oldest first."""
        return await self._tests(_of_person(whose), self_test.c.updated_at >= since)

    async def stale_self_tests(self, before: datetime) -> list[SelfTest]:
        """Return the running runs without an update since `before`; their process or person is gone."""
        return await self._tests(self_test.c.state == "running", self_test.c.updated_at < before)

    # ---- writing under a claim

    async def save_phase(self, test_id: str, phase: str, data: Mapping[str, Any], now: datetime, *, claim: int) -> None:
        """Store a phase's results in place of earlier ones; committed on return. Raises TakenOver, Gone."""
        async with self._database.write() as connection:
            await change_claimed(connection, test_id, claim, "phase", updated_at=now)
            await self._put_phase(connection, test_id, phase, data, now)

    async def touch_self_test(self, test_id: str, now: datetime, *, claim: int) -> None:
        """Note a sign of life of a page where no phase has ended: somebody is reading or thinking.

        Raises TakenOver, Gone.
        """
        async with self._database.write() as connection:
            await change_claimed(connection, test_id, claim, "touch", updated_at=now)

    async def end_self_test(self, test_id: str, *, claim: int) -> None:
        """End a run as incomplete without a report of its own. Raises TakenOver, Gone."""
        async with self._changing_boards() as (connection, meetings):
            await change_claimed(connection, test_id, claim, "end", state="incomplete")
            meetings.update(await _meeting_of_test(connection, test_id))

    # ---- inside a transaction

    async def _add(self, connection: AsyncConnection, test: SelfTest) -> None:
        values = {name: getattr(test, name) for name in _OWN} | {"client": guard(test.client)}
        await connection.execute(sa.insert(self_test).values(values))
        for phase, data in test.phases.items():
            await self._put_phase(connection, test.id, phase, data, test.updated_at)

    async def _take_others(
        self,
        connection: AsyncConnection,
        whose: Session,
        since: datetime,
        now: datetime,
        *conditions: sa.ColumnElement[bool],
    ) -> list[SelfTest]:
        """Claim the person's running runs that meet the conditions; one page of a person at a time."""
        await _lock_person(connection, whose)
        running = (_of_person(whose), self_test.c.state == "running", self_test.c.updated_at >= since, *conditions)
        claims = await _raise_claims(connection, now, *running)
        return await _read_tests(connection, self_test.c.id.in_(claims)) if claims else []

    async def _tests(self, *conditions: sa.ColumnElement[bool]) -> list[SelfTest]:
        async with self._database.read() as connection:
            return await _read_tests(connection, *conditions)

    async def _put_phase(
        self, connection: AsyncConnection, test_id: str, phase: str, data: Mapping[str, Any], now: datetime
    ) -> None:
        values = {"data": guard(data), "saved_at": now}
        insert = self._insert(self_test_phase).values(test_id=test_id, phase=phase, **values)
        await connection.execute(insert.on_conflict_do_update(index_elements=["test_id", "phase"], set_=values))


async def change_claimed(
    connection: AsyncConnection, test_id: str, claim: int, what: str, **values: SelfTestState | datetime
) -> None:
    """Change a run inside a transaction, under the newest claim only. Raises TakenOver(`what`) or Gone.

    Waits for a transaction that is raising the claim.
    """
    mine = (self_test.c.id == test_id, self_test.c.claim == claim)
    statement = sa.update(self_test).where(*mine).values(claim=claim, **values)
    if (await connection.execute(statement)).rowcount == 1:
        return
    rows = await connection.execute(sa.select(self_test.c.id).where(self_test.c.id == test_id))
    raise Gone("no such self-test") if rows.first() is None else TakenOver(what)


def _of_person(whose: Session) -> sa.ColumnElement[bool]:
    """Return the condition for a participant's runs in any session, or a drop-in's runs in this session."""
    if whose.participant_id is None:
        return self_test.c.session_id == whose.id
    return self_test.c.participant_id == whose.participant_id


async def _lock_person(connection: AsyncConnection, whose: Session) -> None:
    """Lock out the person's other pages while one begins or takes over; SQLite has one writer anyway.

    Rows that refer to the person may be written meanwhile.
    """
    table, key = (participant, whose.participant_id) if whose.participant_id else (session, whose.id)
    await connection.execute(sa.select(table.c.id).where(table.c.id == key).with_for_update(key_share=True))


async def _raise_claims(
    connection: AsyncConnection, now: datetime, *conditions: sa.ColumnElement[bool]
) -> dict[str, int]:
    values = {"claim": self_test.c.claim + 1, "updated_at": now}
    raising = sa.update(self_test).where(*conditions).values(values).returning(self_test.c.id, self_test.c.claim)
    return {row.id: row.claim for row in await connection.execute(raising)}


async def _read_tests(connection: AsyncConnection, *conditions: sa.ColumnElement[bool]) -> list[SelfTest]:
    chosen = sa.select(self_test).where(*conditions).order_by(self_test.c.started_at, self_test.c.id)
    rows = (await connection.execute(chosen)).all()
    phases = await _phases(connection, [row.id for row in rows])
    return [SelfTest(**row._asdict(), phases=phases.get(row.id, {})) for row in rows]


async def _meeting_of_test(connection: AsyncConnection, test_id: str) -> set[str]:
    """Return the meeting whose board shows this run; a drop-in has none."""
    taken = session.join(self_test, self_test.c.session_id == session.c.id)
    statement = sa.select(session.c.meeting_id).select_from(taken)
    found = await connection.execute(statement.where(self_test.c.id == test_id, session.c.meeting_id.is_not(None)))
    return set(found.scalars())


async def _phases(connection: AsyncConnection, test_ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    phases: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    if test_ids:
        chosen = sa.select(self_test_phase).where(self_test_phase.c.test_id.in_(test_ids))
        for row in await connection.execute(chosen):
            phases[row.test_id][row.phase] = row.data
    return phases
