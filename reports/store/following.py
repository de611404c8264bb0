"""Who lets support follow a test: given by the person, ended by them, by the clock, or with their link.

Only that it is so is stored. What is followed is passed on (`passing`) and never written.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .actors import Actor, Scope
from .desk_records import desk_of
from .follow_records import HINT_EVERY, Following, follow_of, line_of_follow
from .follow_tables import following
from .part import StorePart
from .passing import Receiver, written
from .records import new_code, new_id
from .scope import also_in
from .tables import invitation, meeting, participant, session
from .trail import Deed, about

__all__ = ["FollowPart"]

MOST_FOLLOWED: Final = 50
"""On the desk, the newest first: more than a desk can talk to."""
ENDED: Final = written({"type": "ended"})
"""Passed on when somebody is not followed any more."""


class FollowPart(StorePart):
    """The part of the store that knows who may be followed, and passes on what is not stored."""

    async def let_follow(self, actor: Actor, session_id: str, now: datetime, until: datetime) -> Following | None:
        """Let support follow the tests of the actor's session from now on; None where the session is not theirs.

        Again while it is so, only the end moves.
        """
        scope = actor.require("follow.give")
        async with self._changing_boards() as (connection, changed):
            chosen = sa.select(session.c.participant_id, session.c.id.label("session_id")).where(
                session.c.id == session_id, session.c.organisation_id == actor.organisation_id
            )
            whose = (await connection.execute(chosen)).first()
            if whose is None:
                return None
            about(_named(whose))
            old = sa.delete(following).where(following.c.session_id == session_id, following.c.until <= now)
            await connection.execute(old)
            given = self._insert(following).values(
                id=new_id(), session_id=session_id, organisation_id=actor.organisation_id, code=new_code(),
                participant_id=whose.participant_id, since=now, until=until,
            )  # fmt: skip
            await connection.execute(given.on_conflict_do_update(index_elements=["session_id"], set_={"until": until}))
            changed |= {desk_of(actor.organisation_id), follow_of(session_id)}
            rows = await connection.execute(_of_session(scope, session_id, now))
            return Following(**rows.one()._asdict())

    async def end_following(self, actor: Actor, session_id: str) -> bool:
        """End that the actor's session is followed; False if it was not."""
        actor.require("follow.end")
        mine = (following.c.session_id == session_id, following.c.organisation_id == actor.organisation_id)
        return await self._end(*mine) > 0

    async def end_followings_due(self, now: datetime) -> int:
        """End what is over by the clock, or with the link or session that it was given in; return how many."""
        return await self._end(following.c.id.not_in(_open_ids(now)), by_clock=True)

    async def _end(self, *where: sa.ColumnElement[bool], by_clock: bool = False) -> int:
        gone = sa.delete(following).where(*where).returning(
            following.c.id, following.c.session_id, following.c.organisation_id, following.c.participant_id
        )  # fmt: skip
        async with self._changing_boards() as (connection, changed):
            rows = (await connection.execute(gone)).all()
            for row in rows:
                whose = _named(row)
                if by_clock:
                    self._did(connection, Deed(row.organisation_id, "clock", "clock", "follow.end", whose))
                else:
                    about(whose)
                changed |= {desk_of(row.organisation_id), follow_of(row.session_id)}
                await self._announce(connection, line_of_follow(row.id), ENDED)
        for row in rows:
            self._passing.give(line_of_follow(row.id), ENDED)
        return len(rows)

    async def following_of(self, actor: Actor, session_id: str, now: datetime) -> Following | None:
        """Return whether the actor's session is followed."""
        scope = actor.require("follow.own")
        row = await self._first(_of_session(scope, session_id, now))
        return None if row is None else Following(**row._asdict())

    async def follow_until(self, actor: Actor, session_id: str, until: datetime) -> None:
        """Move the end of what is followed, where it is: the test goes on, or is over."""
        actor.require("follow.own")
        mine = (following.c.session_id == session_id, following.c.organisation_id == actor.organisation_id)
        async with self._database.write() as connection:
            await connection.execute(sa.update(following).where(*mine).values(until=until))

    async def followings(self, actor: Actor, now: datetime) -> list[Following]:
        """Return who lets support of the actor's organisation follow right now, the newest first."""
        scope = actor.require("case.list")
        chosen = _followed(scope, now).order_by(following.c.since.desc(), following.c.id).limit(MOST_FOLLOWED)
        return [Following(**row._asdict()) for row in await self._rows(chosen)]

    async def following(self, actor: Actor, following_id: str, now: datetime) -> Following | None:
        """Return one who lets support follow; that somebody looked is logged."""
        scope = actor.require("follow.read")
        row = await self._first(_followed(scope, now).where(following.c.id == following_id))
        if row is None:
            return None
        about(_named(row))
        return Following(**row._asdict())

    async def give_hint(self, actor: Actor, following_id: str, code: str, now: datetime) -> str | None:
        """Pass a hint of the catalogue on to the page, and return its number.

        None where nobody is followed any more, or within `HINT_EVERY` of the hint before.
        """
        scope = actor.require("follow.hint")
        hint_id, line = new_id(), line_of_follow(following_id)
        hint = written({"type": "hint", "id": hint_id, "code": code})
        earlier = sa.or_(following.c.hinted_at.is_(None), following.c.hinted_at <= now - HINT_EVERY)
        async with self._database.write() as connection:
            given = sa.update(following).where(
                following.c.id == following_id, _reached(scope),
                following.c.id.in_(_open_ids(now)), earlier,
            )  # fmt: skip
            returned = given.values(hinted_at=now).returning(following.c.participant_id, following.c.session_id)
            row = (await connection.execute(returned)).first()
            if row is None:
                return None
            about(_named(row))
            await self._announce(connection, line, hint)
        self._passing.give(line, hint)
        return hint_id

    # ---- passing on

    async def pass_on(self, topic: str, message: Mapping[str, Any]) -> None:
        """Hand a message to all who listen to the topic, in any process. ValueError if it is too long."""
        text = written(message)
        if self._listener is not None:
            async with self._database.write() as connection:
                await self._announce(connection, topic, text)
        self._passing.give(topic, text)

    async def _announce(self, connection: AsyncConnection, topic: str, text: str) -> None:
        """Hand a message to the other processes, if there can be any, with this transaction."""
        if self._listener is not None:
            await self._listener.pass_on(connection, topic, text)

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncGenerator[Receiver]:
        """Yield what is passed on under the topic from now on."""
        if self._listener is not None:
            await self._listener.start()
        async with self._passing.listen(topic) as receiver:
            yield receiver


def _named(row: Any) -> str:
    """Return whose test it is, for the audit log."""
    return f"participant:{row.participant_id}" if row.participant_id else f"session:{row.session_id}"


def _open_ids(now: datetime) -> sa.Select[tuple[str]]:
    """Return a query for all that are followed: the time is not over, and the session and its link are open."""
    chosen = sa.select(following.c.id).join(session, session.c.id == following.c.session_id)
    chosen = chosen.outerjoin(invitation, invitation.c.id == session.c.invitation_id)
    link_is_open = sa.and_(invitation.c.revoked_at.is_(None), invitation.c.expires_at > now)
    opened = sa.or_(session.c.invitation_id.is_(None), link_is_open)
    return chosen.where(following.c.until > now, session.c.expires_at > now, opened)


def _reached(scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition that the session that is followed is in the scope; one without a meeting is of no unit."""
    mine = following.c.organisation_id == scope.organisation_id
    return (
        mine
        if scope.is_whole
        else mine & following.c.session_id.in_(sa.select(session.c.id).where(also_in(scope, session)))
    )


def _followed(scope: Scope, now: datetime) -> sa.Select[Any]:
    """Return a query for who is followed in the actor's organisation, with the role and the meeting's start."""
    own = [following.c[name] for name in ("id", "session_id", "participant_id", "code", "since", "until")]
    chosen = sa.select(*own, participant.c.role, meeting.c.starts_at)
    chosen = chosen.outerjoin(participant, participant.c.id == following.c.participant_id)
    chosen = chosen.outerjoin(meeting, meeting.c.id == participant.c.meeting_id)
    return chosen.where(_reached(scope), following.c.id.in_(_open_ids(now)))


def _of_session(scope: Scope, session_id: str, now: datetime) -> sa.Select[Any]:
    return _followed(scope, now).where(following.c.session_id == session_id)
