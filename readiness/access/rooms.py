"""A room's secrets: the code that is typed at its PC, its key, and the session in which it tests its line."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from readiness.access.contacts import ContactBox
from readiness.access.tokens import hash_token, new_token
from reports.store import Actor, Store
from reports.store.ids import CODE_ALPHABET
from reports.store.records import Session, clean_code
from reports.store.room_records import Room

__all__ = ["enrol", "give_code", "open_line"]

CODE_LENGTH = 8
"""40 bits, for a day, with few wrong attempts a minute."""
LINE_LIFE = timedelta(minutes=10)
SECRET_BYTES = 18


def _hash_code(contacts: ContactBox, code: str) -> bytes:
    return contacts.derive("room-code", code)


async def give_code(store: Store, contacts: ContactBox, actor: Actor, room_id: str, now: datetime) -> str:
    """Return a fresh one-time code for the room, such as ``K7MB-2QXR``; an earlier one ends. Raises Gone."""
    code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    await store.add_room_code(actor, room_id, _hash_code(contacts, code), now)
    return f"{code[:4]}-{code[4:]}"


async def enrol(
    store: Store, contacts: ContactBox, typed: str, now: datetime, *, agent: str, system: str
) -> tuple[Room, str] | None:
    """Swap a code, as it was typed, for the room and its key; None where it opens nothing."""
    code = clean_code(typed, CODE_LENGTH)
    if code is None:
        return None
    key = new_token()
    room = await store.enrol_room(_hash_code(contacts, code), hash_token(key), now, agent=agent, system=system)
    return None if room is None else (room, key)


async def open_line(store: Store, room: Room, now: datetime) -> tuple[Session, str]:
    """Open a session in which the room's PC takes one test of its line; return it with its cookie's secret."""
    session = Session(
        id=secrets.token_urlsafe(SECRET_BYTES),
        kind="room",
        organisation_id=room.organisation_id,
        invitation_id=None,
        meeting_id=None,
        participant_id=None,
        expires_at=now + LINE_LIFE,
    )
    secret = secrets.token_urlsafe(SECRET_BYTES)
    await store.add_session(session, hash_token(secret))
    return session, secret
