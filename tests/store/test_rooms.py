"""Rooms on both databases: a code used once, keys in turns, results with what they change, notices, and the newest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from readiness.access.actors import room_actor
from reports.store import Actor, Conflict, Gone, Store
from reports.store.room_records import NewResult, RoomHook
from tests.fleet import room
from tests.store import cast

MANAGER = Actor("room_manager", "org-sunnaas", "link:rita")
FJORDEN = room(organisation_id="org-sunnaas", made_at=cast.NOW, contact=b"sealed")


def found(number: int, verdict: str = "not_ready") -> NewResult:
    """A result of a check that ended so many minutes after the beginning."""
    ended = cast.NOW + timedelta(minutes=number)
    body = {"findings": [{"code": "room.unheard"}], "checks": []}
    return NewResult(
        f"result-{number}", cast.digest(str(number)), verdict, None, "timetable", None, ended, ended, 0, "b", body
    )


async def test_a_room_on_this_database(store: Store):
    """From its code to its removal; however many post at the same moment, events have no gap and no number twice."""
    await store.add_room(MANAGER, FJORDEN)
    with pytest.raises(Conflict):
        await store.add_room(MANAGER, replace(FJORDEN, id="another"))
    hook = RoomHook("hook", "org-sunnaas", b"url", b"secret", cast.NOW)
    await store.add_room_hook(MANAGER, hook)
    await store.add_room_code(MANAGER, FJORDEN.id, cast.digest("code"), cast.NOW)
    tries = [
        store.enrol_room(cast.digest("code"), cast.digest(f"key {one}"), cast.NOW, agent="a", system="linux")
        for one in range(3)
    ]
    opened = [one for one in await asyncio.gather(*tries) if one is not None]
    assert [one.id for one in opened] == [FJORDEN.id]
    actor, now = room_actor(opened[0]), cast.NOW + timedelta(hours=1)

    async def post(one: NewResult) -> str:
        return await store.add_room_result(actor, one, now, follow=lambda _room, past: ["alarm"] if past else ["fail"])

    assert await post(found(1)) == "new"
    assert await asyncio.gather(*(post(found(one)) for one in (3, 2))) == ["new"] * 2
    assert await post(found(3)) == "again"
    assert await post(replace(found(3), digest=cast.digest("other"))) == "conflict"
    events = await store.room_events(MANAGER, FJORDEN.id)
    assert [one.sequence for one in events] == list(range(len(events), 0, -1))
    assert events[0].codes == ("room.unheard",)
    assert (await store.newest_room_results(MANAGER))[FJORDEN.id].id == "result-3"
    claimed = await store.claim_room_notices(now + timedelta(hours=1), 20, 60.0)
    assert {one.hook_id for one in claimed} == {"hook", None}
    assert await store.claim_room_notices(now + timedelta(hours=1), 20, 60.0) == []
    await store.settle_room_notice(claimed[0].id, state="waiting", now=now, error="request", due_at=now)
    assert [one.attempts for one in await store.claim_room_notices(now + timedelta(hours=1), 20, 60.0)] == [2]
    told = await store.room_event(claimed[0])
    assert told is not None
    assert told[0].id == FJORDEN.id
    await store.set_meeting_rooms(cast.OTTO, "meeting-anna", [FJORDEN.id])
    beside = await store.meeting_rooms(cast.LARS, "meeting-anna")
    assert [(one.room.name, one.newest.id if one.newest else None) for one in beside] == [("Fjorden", "result-3")]
    with pytest.raises(Gone):
        await store.set_meeting_rooms(cast.OTTO, "meeting-anna", ["none"])
    for stranger in (replace(MANAGER, organisation_id="org-ahus"),):
        assert await store.rooms(stranger) == []
        assert await store.room(stranger, FJORDEN.id) is None
        assert await store.room_results(stranger, FJORDEN.id, cast.NOW) == []
        assert await store.room_events(stranger, FJORDEN.id) == []
        assert await store.newest_room_results(stranger) == {}
        assert await store.room_hooks(stranger) == []
        assert not await store.remove_room(stranger, FJORDEN.id)
        for refused in (store.want_check(stranger, FJORDEN.id), store.revoke_room(stranger, FJORDEN.id, now)):
            with pytest.raises(Gone):
                await refused
    assert await store.remove_room(MANAGER, FJORDEN.id)
    assert await store.room_results(MANAGER, FJORDEN.id, cast.NOW) == []
