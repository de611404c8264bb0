"""What rooms found, what changed with it, and what is to be told of that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from reports.model import READY_VERDICTS

from .actors import Actor
from .guard import guard
from .part import StorePart
from .records import OutgoingState
from .room_records import MeetingRoom, NewResult, Room, RoomAlarm, RoomEvent, RoomEventKind, RoomNotice, RoomResult
from .room_tables import meeting_room, room, room_event, room_notice, room_result
from .rooms import put_events, room_of
from .scope import meetings_in, within
from .tables import meeting

__all__ = ["RoomResultPart"]

_RESULT: Final = [room_result.c[name] for name in RoomResult.__dataclass_fields__]
_NOTICE: Final = [room_notice.c[name] for name in RoomNotice.__dataclass_fields__]
_MOST_BOOTS: Final = 4
_LOOKED_BACK: Final = 24
"""Earlier verdicts, of which the rules look at eight that were reached."""
_AHEAD: Final = timedelta(hours=24)
"""Boards of meetings that begin so soon hear of the room."""
Follow = Callable[[Room, Sequence[str]], Sequence[RoomEventKind]]
"""Says what a result changes: of the room as it was, and earlier verdicts, the newest first."""
Added = Literal["new", "again", "conflict"]


class RoomResultPart(StorePart):
    """The part of the store that knows how rooms were."""

    async def add_room_result(self, actor: Actor, added: NewResult, now: datetime, *, follow: Follow) -> Added:
        """Store a result of the room that acts, with what it changes; the same id with the same body is stored once.

        A check that is older than one already known changes nothing but the history.
        """
        actor.require("room.report")
        room_id = actor.id.removeprefix("room:")
        async with self._changing_boards() as (connection, meetings):
            mine = sa.select(room).where(room.c.id == room_id, room.c.organisation_id == actor.organisation_id)
            found = room_of((await connection.execute(mine.with_for_update())).one())
            known = sa.select(room_result.c.digest, room_result.c.room_id).where(room_result.c.id == added.id)
            if (row := (await connection.execute(known)).first()) is not None:
                return "again" if (bytes(row.digest), row.room_id) == (added.digest, room_id) else "conflict"
            values = {name: getattr(added, name) for name in NewResult.__dataclass_fields__ if name != "boot"}
            values |= {"room_id": room_id, "received_at": now, "body": guard(added.body)}
            await connection.execute(sa.insert(room_result).values(values))
            is_news = await self._follow(connection, found, added, now, follow)
            soon = sa.select(meeting.c.id).join(meeting_room, meeting_room.c.meeting_id == meeting.c.id)
            soon = soon.where(
                meeting_room.c.room_id == room_id, meeting.c.ends_at > now, meeting.c.starts_at < now + _AHEAD
            )
            meetings.update((await connection.execute(soon)).scalars())
        if is_news:
            self.noticed.set()
        return "new"

    async def _follow(
        self, connection: AsyncConnection, found: Room, added: NewResult, now: datetime, follow: Follow
    ) -> bool:
        """Let the room stand as this result says, unless a later check is known; return whether that is to be told."""
        boots = [*(one for one in found.boots if one[0] != added.boot), (added.boot, now)][-_MOST_BOOTS:]
        changes: dict[str, Any] = {"heard_at": now, "asked_at": now, "unknown_at": None}
        changes["boots"] = [(name, at.isoformat()) for name, at in boots]
        is_newest = found.checked_at is None or added.ended_at >= found.checked_at
        past = sa.select(room_result.c.verdict).where(room_result.c.room_id == found.id)
        past = past.where(room_result.c.id != added.id, room_result.c.verdict.is_not(None))
        past = past.order_by(room_result.c.ended_at.desc(), room_result.c.number.desc()).limit(_LOOKED_BACK)
        kinds = follow(found, list((await connection.execute(past)).scalars())) if is_newest else ()
        if is_newest:
            state = added.verdict or added.not_checked or ""
            changes |= {"state": state, "checked_at": added.ended_at, "check_wanted": None}
            if state != found.state:
                changes["since"] = added.ended_at
        if "alarm" in kinds:
            changes["alarm_at"] = added.ended_at
        if "recovery" in kinds:
            changes["alarm_at"] = None
        if "two_agents" in kinds:
            changes["twins_at"] = now
        await connection.execute(sa.update(room).where(room.c.id == found.id).values(changes))
        codes = [str(one.get("code")) for one in added.body.get("findings", ())]
        await put_events(connection, found, list(kinds), now, codes=codes)
        return bool(kinds)

    async def rooms_silent(
        self, now: datetime, is_silent: Callable[[Room], bool], organisation_id: str | None = None
    ) -> int:
        """Note rooms of which nothing is known since a while, and return how many are new. For the clock."""
        heard = sa.select(room).where(room.c.enrolled_at.is_not(None), room.c.unknown_at.is_(None))
        if organisation_id is not None:
            heard = heard.where(room.c.organisation_id == organisation_id)
        silent = [one for one in map(room_of, await self._rows(heard)) if is_silent(one)]
        for one in silent:
            async with self._database.write() as connection:
                still = sa.update(room).where(
                    room.c.id == one.id, room.c.unknown_at.is_(None), room.c.heard_at.is_not_distinct_from(one.heard_at)
                )
                if (await connection.execute(still.values(unknown_at=now))).rowcount:
                    await put_events(connection, one, ["unknown"], now)
        if silent:
            self.noticed.set()
        return len(silent)

    async def room_results(self, actor: Actor, room_id: str, since: datetime, most: int = 2000) -> list[RoomResult]:
        """Return the results of checks that ended since then, the newest first."""
        actor.require("room.read")
        chosen = sa.select(*_RESULT).join(room, room.c.id == room_result.c.room_id)
        chosen = chosen.where(room.c.id == room_id, room.c.organisation_id == actor.organisation_id)
        chosen = chosen.where(room_result.c.ended_at >= since)
        newest = chosen.order_by(room_result.c.ended_at.desc(), room_result.c.number.desc()).limit(most)
        return [RoomResult(**row._asdict()) for row in await self._rows(newest)]

    async def newest_room_results(self, actor: Actor) -> dict[str, RoomResult]:
        """Return the newest result of each room of the organisation, by room."""
        actor.require("room.read")
        return await self._newest_results(room.c.organisation_id == actor.organisation_id)

    async def meeting_rooms(self, actor: Actor, meeting_id: str) -> list[MeetingRoom]:
        """Return the rooms that the meeting is in, each with its newest result."""
        scope = actor.require("room.beside")
        mine = sa.and_(meeting_room.c.meeting_id == meeting_id, within(scope, meeting_id))
        chosen = sa.select(room).join(meeting_room, meeting_room.c.room_id == room.c.id).where(mine)
        found = [room_of(row) for row in await self._rows(chosen.order_by(room.c.building, room.c.name))]
        newest = await self._newest_results(room.c.id.in_([one.id for one in found])) if found else {}
        return [MeetingRoom(meeting_id, one, newest.get(one.id)) for one in found]

    async def meeting_rooms_passed(self, actor: Actor, meeting_id: str) -> dict[str, RoomResult]:
        """Return the newest check that passed of each room that the meeting is in, by room."""
        scope = actor.require("room.beside")
        here = sa.select(meeting_room.c.room_id).where(
            meeting_room.c.meeting_id == meeting_id, within(scope, meeting_id)
        )
        return await self._newest_results(room.c.id.in_(here), room_result.c.verdict.in_(READY_VERDICTS))

    async def room_meetings(self, actor: Actor, after: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
        """Return when the meetings are, from those that end after `after` on, that the acting room is invited to."""
        scope = actor.require("room.report")
        chosen = sa.select(meeting.c.starts_at, meeting.c.ends_at)
        chosen = chosen.join(meeting_room, meeting_room.c.meeting_id == meeting.c.id)
        mine = sa.and_(
            meeting_room.c.room_id == actor.id.removeprefix("room:"),
            meetings_in(scope),
            meeting.c.state == "planned",
        )
        chosen = chosen.where(mine, meeting.c.ends_at > after, meeting.c.starts_at < until)
        return [(row.starts_at, row.ends_at) for row in await self._rows(chosen.order_by(meeting.c.starts_at))]

    async def room_events(self, actor: Actor, room_id: str, after: int = 0, most: int = 200) -> list[RoomEvent]:
        """Return the room's events numbered above `after`, the newest first."""
        actor.require("room.read")
        chosen = sa.select(room_event).join(room, room.c.id == room_event.c.room_id)
        chosen = chosen.where(room.c.id == room_id, room.c.organisation_id == actor.organisation_id)
        chosen = chosen.where(room_event.c.sequence > after).order_by(room_event.c.sequence.desc()).limit(most)
        return [_event_of(row) for row in await self._rows(chosen)]

    async def rooms_in_alarm(self, actor: Actor, now: datetime) -> list[RoomAlarm]:
        """Return the rooms with an alarm that nobody knows of yet, with the next meeting in each; soonest first.

        Who reaches some units only is told of rooms that a meeting of theirs is to be in.
        """
        scope = actor.require("case.list")
        known = sa.and_(room.c.known_until.is_not(None), room.c.known_until > now)
        mine = sa.and_(room.c.organisation_id == actor.organisation_id, room.c.alarm_at.is_not(None), ~known)
        soon = sa.select(sa.func.min(meeting.c.starts_at)).join(meeting_room, meeting_room.c.meeting_id == meeting.c.id)
        soon = soon.where(meeting_room.c.room_id == room.c.id, meeting.c.ends_at > now, meeting.c.state == "planned")
        soon = soon.where(meetings_in(scope))
        chosen = sa.select(room, soon.correlate(room).scalar_subquery().label("next_at")).where(mine)
        rows = await self._rows(chosen.order_by(room.c.building, room.c.name, room.c.id))
        newest = await self._newest_results(mine) if rows else {}
        told = [row for row in rows if scope.is_whole or row.next_at is not None]
        found = [RoomAlarm(room_of(row), newest.get(row.id), row.next_at) for row in told]
        return sorted(found, key=lambda one: (one.next_at is None, one.next_at or now))

    async def _newest_results(
        self, where: sa.ColumnElement[bool], *such: sa.ColumnElement[bool]
    ) -> dict[str, RoomResult]:
        """Return the newest result of each room, or the newest `such`; one look-up in the index for each."""
        inner = sa.select(room_result.c.number).where(room_result.c.room_id == room.c.id, *such).correlate(room)
        inner = inner.order_by(room_result.c.ended_at.desc(), room_result.c.number.desc()).limit(1)
        chosen = sa.select(room.c.id.label("of"), *_RESULT)
        chosen = chosen.join(room_result, room_result.c.number == inner.scalar_subquery()).where(where)
        found = {}
        for row in await self._rows(chosen):
            values = row._asdict()
            room_id: str = values.pop("of")
            found[room_id] = RoomResult(**values)
        return found

    # ---- telling

    async def claim_room_notices(self, now: datetime, most: int, claim_s: float) -> list[RoomNotice]:
        """Take up to `most` notices that are due, the longest due first; nobody else gets them for `claim_s`."""
        due = sa.select(room_notice.c.id)
        due = due.where(room_notice.c.state.in_(("waiting", "sending")), room_notice.c.due_at <= now)
        due = due.order_by(room_notice.c.due_at, room_notice.c.id).limit(most).with_for_update(skip_locked=True)
        values: dict[str, Any] = {"state": "sending", "attempts": room_notice.c.attempts + 1}
        values["due_at"] = now + timedelta(seconds=claim_s)
        async with self._database.write() as connection:
            ids = list((await connection.execute(due)).scalars())
            if not ids:
                return []
            claimed = sa.update(room_notice).where(room_notice.c.id.in_(ids)).values(values).returning(*_NOTICE)
            found = {row.id: RoomNotice(**row._asdict()) for row in await connection.execute(claimed)}
        return [found[one] for one in ids]

    async def settle_room_notice(
        self,
        notice_id: str,
        *,
        state: OutgoingState,
        now: datetime,
        error: str | None = None,
        due_at: datetime | None = None,
    ) -> None:
        """Say what became of a claimed notice; ``waiting`` with `due_at` tries again."""
        values: dict[str, Any] = {"state": state, "error": error, "sent_at": now if state == "sent" else None}
        if due_at is not None:
            values["due_at"] = due_at
        statement = sa.update(room_notice).where(room_notice.c.id == notice_id, room_notice.c.state == "sending")
        async with self._database.write() as connection:
            await connection.execute(statement.values(values))

    async def room_event(self, notice: RoomNotice) -> tuple[Room, RoomEvent] | None:
        """Return what a claimed notice is about, or None where it is forgotten."""
        chosen = sa.select(room, room_event.c.kind, room_event.c.at, room_event.c.is_known, room_event.c.codes)
        chosen = chosen.add_columns(room_event.c.sequence.label("number"))
        chosen = chosen.join(room_event, room_event.c.room_id == room.c.id)
        row = await self._first(chosen.where(room.c.id == notice.room_id, room_event.c.sequence == notice.sequence))
        if row is None:
            return None
        return room_of(row), RoomEvent(row.id, row.number, row.kind, row.at, row.is_known, tuple(row.codes))


def _event_of(row: sa.Row[Any]) -> RoomEvent:
    return RoomEvent(row.room_id, row.sequence, row.kind, row.at, row.is_known, tuple(row.codes))
