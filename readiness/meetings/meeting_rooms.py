"""The rooms that a meeting is in: named by the organiser, a row on the leader's board, counted in the summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from readiness.errors import InputError
from readiness.meetings.board_pdf import BoardLine
from reports.model import rfc3339
from reports.render.rooms import room_line
from reports.room_course import standing_of
from reports.store import Actor, Store
from reports.store.room_records import MeetingRoom, Room

__all__ = ["find_rooms", "room_on_paper", "room_row", "rooms_json", "state_on_board"]

_ON_BOARD = {"unknown": "stale", "in_use": "stale", "new": "not_tested", "not_enrolled": "not_tested"}
"""What a room's state is among participants, who know ready, not ready, not tested and too old."""


def state_on_board(room: Room, now: datetime) -> str:
    """Return how the room stands, in the words of participants."""
    state = standing_of(room, now).state
    return _ON_BOARD.get(state, state)


async def find_rooms(store: Store, actor: Actor, named: Sequence[str]) -> list[str]:
    """Return the ids of rooms that were given by id or name. Raises InputError("room.not_found") with the place."""
    rooms = await store.rooms_to_invite(actor) if named else []
    known = {one.name: one.id for one in rooms} | {one.id: one.id for one in rooms}
    for place, name in enumerate(named):
        if name not in known:
            raise InputError("room.not_found", field=f"rooms.{place}")
    return [known[name] for name in named]


def rooms_json(found: Sequence[MeetingRoom], now: datetime) -> list[dict[str, Any]]:
    """Return the rooms of a meeting as the organiser's API gives them."""
    return [
        {
            "id": one.room.id,
            "name": one.room.name,
            "building": one.room.building,
            "state": state_on_board(one.room, now),
            "checked_at": rfc3339(one.room.checked_at) if one.room.checked_at else None,
        }
        for one in found
    ]


def room_on_paper(one: MeetingRoom, now: datetime) -> BoardLine:
    """Return a room as a line of the leader's printed sheet, with its newest check."""
    row = room_row(one, now)
    return BoardLine(row["role"], row["label"], row["state"], one.room.checked_at, kind="room")


def room_row(one: MeetingRoom, now: datetime) -> dict[str, Any]:
    """Return a room as a row of the board, with its newest check; nothing can be sent to it, and nobody calls it."""
    told = room_line(one.room, one.newest, now)
    row = {
        "id": one.room.id,
        "label": ", ".join(filter(None, (one.room.name, one.room.building))),
        "role": "meeting_room",
        "state": state_on_board(one.room, now),
        "room": True,
        "running": False,
        "together": 1,
        "invitation": None,
        "can_resend": None,
        "handed_over_at": None,
        "taken": False,
        "helped": False,
        "recheck_due": False,
        "responsible": told["responsible"],
    }
    return row | ({"tested_at": rfc3339(one.room.checked_at)} if one.room.checked_at else {})
