"""``readiness rooms``: meeting rooms on the server, their codes, keys, links, and who else is told."""

from __future__ import annotations

import argparse
import asyncio
from datetime import timedelta
from typing import Any

from readiness.settings import Settings

__all__ = ["add_rooms"]

MOST_DAYS = 10_000
OPENERS = {
    "link": ("room_manager", "a link to the pages of rooms", 90),
    "token": ("fleet", "a token for a program that reads how the rooms are", 365),
}


def add_rooms(commands: Any) -> list[argparse.ArgumentParser]:
    """Add the command with its own ones, and return those, which take settings."""
    rooms = commands.add_parser("rooms", help="add, list and disconnect meeting rooms, and print links to their pages")
    actions = rooms.add_subparsers(title="commands", required=True, metavar="command")
    add = actions.add_parser("add", help="add a room and print the code that enrols its PC")
    add.add_argument("--name", required=True, help="what the house calls it")
    add.add_argument("--building", default="", help="where it is")
    add.add_argument("--zone", default="", help="floor or department")
    add.add_argument("--contact", default="", help="mail address that is told of alarms; a shared one")
    add.add_argument("--cron", default=None, help="when it is checked: minute hour day month weekday [0 6 * * 1-5]")
    add.add_argument("--hosts", default="", help="names that it should reach, with commas between")
    add.add_argument("--cancels-own-echo", action="store_true", help="its device removes its own sound")
    add.set_defaults(run=_add)
    code = actions.add_parser("code", help="print a fresh code for a room; an earlier one ends")
    code.set_defaults(run=_code)
    listed = actions.add_parser("list", help="list the rooms and how each is")
    listed.set_defaults(run=_list)
    revoke = actions.add_parser("revoke", help="close a room's key at once")
    revoke.add_argument("--forget", action="store_true", help="remove the room with all that it has sent, too")
    revoke.set_defaults(run=_revoke)
    hook = actions.add_parser("hook", help="let an address be told of every change, and print the secret that signs it")
    hook.add_argument("url", nargs="?", default="", help="such as https://fleet.example/rooms")
    hook.add_argument("--remove", action="store_true", help="remove every address instead")
    hook.set_defaults(run=_hook)
    made = [add, code, listed, revoke, hook]
    for name, (kind, text, days) in OPENERS.items():
        opener = actions.add_parser(name, help=f"print {text}, or close all of them")
        opener.add_argument("--days", type=int, default=days, help="how long it opens")
        opener.add_argument("--revoke", action="store_true", help="close every one given out so far, make none")
        opener.set_defaults(run=_open, kind=kind)
        made.append(opener)
    for one in (code, revoke):
        one.add_argument("room", help="the room's name or id")
    for one in made:
        one.add_argument("--organisation", required=True, help="the organisation's short name")
    return made


def _add(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage_rooms import add_room  # noqa: PLC0415 - keeps --help quick
    from readiness.meetings.rooms import NewRoom  # noqa: PLC0415

    wished: dict[str, Any] = {"hosts": tuple(one.strip() for one in options.hosts.split(",") if one.strip())}
    wished |= {"cancels_own_echo": options.cancels_own_echo}
    wished |= {"cron": options.cron} if options.cron else {}
    room = NewRoom(options.name, options.building, options.zone, options.contact)
    made, code = asyncio.run(add_room(settings, organisation=options.organisation, room=room, wished=wished))
    _print(f"added  {made}")
    _print(f"code   {code}")
    return 0


def _code(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage_rooms import new_code  # noqa: PLC0415 - keeps --help quick

    _print(asyncio.run(new_code(settings, organisation=options.organisation, room=options.room)))
    return 0


def _list(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage_rooms import list_rooms  # noqa: PLC0415 - keeps --help quick

    for one in asyncio.run(list_rooms(settings, organisation=options.organisation)):
        _print(f"{one.id}  {one.state}  {one.checked}  {one.building}  {one.name}")
    return 0


def _revoke(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage_rooms import revoke  # noqa: PLC0415 - keeps --help quick

    whose = {"organisation": options.organisation, "room": options.room}
    _print(f"closed {asyncio.run(revoke(settings, **whose, forget=options.forget))}")
    return 0


def _hook(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage_rooms import add_hook, remove_hooks  # noqa: PLC0415 - keeps --help quick

    if options.remove:
        _print(f"removed {asyncio.run(remove_hooks(settings, organisation=options.organisation))}")
        return 0
    _print(asyncio.run(add_hook(settings, organisation=options.organisation, url=options.url)))
    return 0


def _open(settings: Settings, options: argparse.Namespace) -> int:
    from readiness.meetings.manage_rooms import close_room_links, make_room_link  # noqa: PLC0415 - keeps --help quick

    if options.revoke:
        _print(f"closed {asyncio.run(close_room_links(settings, options.kind, organisation=options.organisation))}")
        return 0
    lasts = timedelta(days=max(0, min(options.days, MOST_DAYS)))
    _print(asyncio.run(make_room_link(settings, options.kind, organisation=options.organisation, lasts=lasts)))
    return 0


def _print(line: str) -> None:
    print(line)  # noqa: T201 - this is the command's output
