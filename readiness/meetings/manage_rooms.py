"""Rooms from the command line. Everything wrong is one line: a SettingError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from readiness.access.links import fleet_token, room_link
from readiness.access.rooms import give_code
from readiness.access.tokens import new_token
from readiness.errors import SettingError
from readiness.meetings.manage import LONGEST_LINK, planning, refuse_where_off
from readiness.meetings.planner import Planner
from readiness.meetings.rooms import NewRoom, read_settings, room_from
from readiness.settings import Settings
from reports.room_course import standing_of
from reports.store import Conflict
from reports.store.records import new_id
from reports.store.room_records import Room, RoomHook

__all__ = [
    "add_hook",
    "add_room",
    "close_room_links",
    "list_rooms",
    "make_room_link",
    "new_code",
    "remove_hooks",
    "revoke",
]

WRONG: Mapping[str, str] = {
    "name": "--name: a name of 1 to 60 characters",
    "place": "--building, --zone: at most 60 characters each",
    "contact": "--contact: no mail address",
}
Opener = Literal["room_manager", "fleet"]


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room in the list."""

    id: str
    building: str
    name: str
    state: str
    checked: str


async def add_room(
    settings: Settings, *, organisation: str, room: NewRoom, wished: Mapping[str, Any]
) -> tuple[str, str]:
    """Add a room and return its id and the code that enrols its PC."""
    async with planning(settings, organisation, needs_url=False) as desk:
        try:
            chosen = read_settings(wished, desk.organisation)
        except ValueError as error:
            raise SettingError(f"rooms add: {error}") from None
        made, problem = room_from(room, desk.organisation, desk.contacts, desk.now, chosen)
        if made is None:
            raise SettingError(WRONG[str(problem)])
        try:
            await desk.store.add_room(desk.actor, made)
        except Conflict:
            raise SettingError(f"--name: there is a room {made.name!r} already") from None
        return made.id, await give_code(desk.store, desk.contacts, desk.actor, made.id, desk.now)


async def new_code(settings: Settings, *, organisation: str, room: str) -> str:
    """Return a fresh code for a room, by its id or name; an earlier one ends."""
    async with planning(settings, organisation, needs_url=False) as desk:
        return await give_code(desk.store, desk.contacts, desk.actor, (await _room(desk, room)).id, desk.now)


async def list_rooms(settings: Settings, *, organisation: str) -> list[RoomRow]:
    """Return the organisation's rooms by building and name."""
    async with planning(settings, organisation, needs_url=False) as desk:
        return [
            RoomRow(
                one.id,
                one.building,
                one.name,
                standing_of(one, desk.now).state,
                f"{one.checked_at:%Y-%m-%d %H:%MZ}" if one.checked_at else "-",
            )
            for one in await desk.store.rooms(desk.actor)
        ]


async def revoke(settings: Settings, *, organisation: str, room: str, forget: bool) -> int:
    """Close a room's keys, or with `forget` remove it with its history; return how many keys were open."""
    async with planning(settings, organisation, needs_url=False) as desk:
        found = await _room(desk, room)
        closed = await desk.store.revoke_room(desk.actor, found.id, desk.now)
        if forget:
            await desk.store.remove_room(desk.actor, found.id)
        return closed


async def make_room_link(settings: Settings, kind: Opener, *, organisation: str, lasts: timedelta) -> str:
    """Return a fresh link to the pages of rooms, or a token with which a program reads how they are."""
    if not timedelta() < lasts <= LONGEST_LINK:
        raise SettingError(f"--days: it opens for 1 to {LONGEST_LINK.days} days")
    async with planning(settings, organisation, needs_url=kind == "room_manager") as desk:
        refuse_where_off(desk, kind)
        if kind == "fleet":
            return await fleet_token(desk.store, desk.organisation, desk.now, lasts)
        return await room_link(desk.store, desk.organisation, desk.base_url, desk.now, lasts)


async def close_room_links(settings: Settings, kind: Opener, *, organisation: str) -> int:
    """Close every link or token of this kind with the pages they opened; return how many."""
    async with planning(settings, organisation, needs_url=False) as desk:
        return await desk.store.revoke_links(desk.organisation.id, kind, desk.now)


async def add_hook(settings: Settings, *, organisation: str, url: str) -> str:
    """Let an address be told of every change, and return the secret that signs what it is told."""
    parts = urlsplit(url)
    is_near = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.scheme not in ({"https", "http"} if is_near else {"https"}) or parts.username:
        raise SettingError(f"rooms hook: {url!r} is no https address; write it as https://fleet.example/rooms")
    secret = new_token()
    async with planning(settings, organisation, needs_url=False) as desk:
        close = desk.contacts.close
        hook = RoomHook(new_id(), desk.organisation.id, close(url), close(secret), desk.now)
        await desk.store.add_room_hook(desk.actor, hook)
    return secret


async def remove_hooks(settings: Settings, *, organisation: str) -> int:
    """Let nobody be told any more; return how many addresses there were."""
    async with planning(settings, organisation, needs_url=False) as desk:
        return await desk.store.remove_room_hooks(desk.actor)


async def _room(desk: Planner, named: str) -> Room:
    rooms = await desk.store.rooms(desk.actor)
    found = next((one for one in rooms if named in {one.id, one.name}), None)
    if found is None:
        raise SettingError(f"there is no room {named!r}; `readiness rooms list` shows them")
    return found
