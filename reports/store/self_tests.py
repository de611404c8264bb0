"""Self-tests while they run: what each ended phase found, so that a reconnect to any process goes on with the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .errors import Gone
from .guard import guard
from .part import StorePart
from .records import SelfTest, SelfTestState
from .tables import participant, self_test, self_test_phase

__all__ = ["SelfTestPart", "meeting_of_test", "set_state"]

_OWN = [name for name in SelfTest.__dataclass_fields__ if name != "phases"]


class SelfTestPart(StorePart):
    """The part of the store that keeps runs and their phases."""

    async def start_self_test(self, test: SelfTest) -> None:
        """Store a run that begins; the board shows it as running."""
        values = {name: getattr(test, name) for name in _OWN} | {"client": guard(test.client)}
        async with self._changing_boards() as (connection, meetings):
            await connection.execute(sa.insert(self_test).values(values))
            for phase, data in test.phases.items():
                await self._put_phase(connection, test.id, phase, data, test.updated_at)
            meetings.update(await meeting_of_test(connection, test.id))

    async def self_test(self, test_id: str, session_id: str) -> SelfTest | None:
        """Return the run with its phases, if this session made it."""
        found = await self._tests(self_test.c.id == test_id, self_test.c.session_id == session_id)
        return found[0] if found else None

    async def save_phase(self, test_id: str, phase: str, data: Mapping[str, Any], now: datetime) -> None:
        """Keep what a phase found, in place of what it found before; committed on return."""
        async with self._database.write() as connection:
            if not await _touch(connection, test_id, now):
                raise Gone("no such self-test")
            await self._put_phase(connection, test_id, phase, data, now)

    async def touch_self_test(self, test_id: str, now: datetime) -> None:
        """Note that the run is alive though no phase has ended: somebody is reading, or thinking."""
        async with self._database.write() as connection:
            if not await _touch(connection, test_id, now):
                raise Gone("no such self-test")

    async def set_self_test_state(
        self, test_id: str, state: SelfTestState, now: datetime, *, idle_since: datetime | None = None
    ) -> bool:
        """Change the state and return True; False where there is no such run.

        With `idle_since` the change is made only if the run is still running and was not updated since, so that of
        several processes that found it stale one gets True, and a run that came back meanwhile is left alone.
        """
        async with self._changing_boards() as (connection, meetings):
            conditions = []
            if idle_since is not None:
                conditions = [self_test.c.state == "running", self_test.c.updated_at < idle_since]
            changed = await set_state(connection, test_id, state, now, *conditions)
            if changed:
                meetings.update(await meeting_of_test(connection, test_id))
            return changed

    async def stale_self_tests(self, before: datetime) -> list[SelfTest]:
        """Return the running runs nobody updated since `before`: their process or their person is gone."""
        return await self._tests(self_test.c.state == "running", self_test.c.updated_at < before)

    async def _tests(self, *conditions: sa.ColumnElement[bool]) -> list[SelfTest]:
        chosen = sa.select(self_test).where(*conditions).order_by(self_test.c.started_at, self_test.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(chosen)).all()
            phases = await _phases(connection, [row.id for row in rows])
        return [SelfTest(**row._asdict(), phases=phases.get(row.id, {})) for row in rows]

    async def _put_phase(
        self, connection: AsyncConnection, test_id: str, phase: str, data: Mapping[str, Any], now: datetime
    ) -> None:
        values = {"data": guard(data), "saved_at": now}
        insert = self._insert(self_test_phase).values(test_id=test_id, phase=phase, **values)
        await connection.execute(insert.on_conflict_do_update(index_elements=["test_id", "phase"], set_=values))


async def set_state(
    connection: AsyncConnection,
    test_id: str,
    state: SelfTestState,
    now: datetime,
    *conditions: sa.ColumnElement[bool],
) -> bool:
    """Change the state of a run inside a transaction; False where none meets the conditions."""
    statement = sa.update(self_test).where(self_test.c.id == test_id, *conditions).values(state=state, updated_at=now)
    return (await connection.execute(statement)).rowcount == 1


async def meeting_of_test(connection: AsyncConnection, test_id: str) -> set[str]:
    """Return the meeting whose board shows this run; a drop-in has none."""
    statement = (
        sa.select(participant.c.meeting_id)
        .join(self_test, self_test.c.participant_id == participant.c.id)
        .where(self_test.c.id == test_id)
    )
    return set((await connection.execute(statement)).scalars())


async def _touch(connection: AsyncConnection, test_id: str, now: datetime) -> bool:
    statement = sa.update(self_test).where(self_test.c.id == test_id).values(updated_at=now)
    return (await connection.execute(statement)).rowcount == 1


async def _phases(connection: AsyncConnection, test_ids: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    if test_ids:
        chosen = sa.select(self_test_phase).where(self_test_phase.c.test_id.in_(test_ids))
        for row in await connection.execute(chosen):
            found[row.test_id][row.phase] = row.data
    return found
