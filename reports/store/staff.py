"""Staff who sign in: attempts that have begun, who they turned out to be, and the sessions they opened.

An attempt is taken once, by whoever has both its state and the secret of the browser that began it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .part import StorePart, checked_hash
from .records import Session
from .rows import limits_of
from .staff_records import BegunSignIn, Staff
from .staff_tables import sign_in, staff
from .tables import session
from .trail import Deed

__all__ = ["StaffPart"]

_WHOSE = (session.c.organisation_id, session.c.staff_id)
_STAFF = [staff.c[name] for name in Staff.__dataclass_fields__]


class StaffPart(StorePart):
    """The part of the store that knows the staff."""

    async def begin_sign_in(self, begun: BegunSignIn) -> None:
        """Store an attempt."""
        values = {name: getattr(begun, name) for name in BegunSignIn.__dataclass_fields__}
        checked_hash(begun.state_hash)
        checked_hash(begun.secret_hash)
        async with self._database.write() as connection:
            await connection.execute(sa.insert(sign_in).values(values))

    async def take_sign_in(self, state_hash: bytes, secret_hash: bytes, provider: str, now: datetime) -> str | None:
        """End an attempt and return its organisation; None if it is unknown, used, late or of another browser."""
        taken = sa.delete(sign_in).where(
            sign_in.c.state_hash == checked_hash(state_hash),
            sign_in.c.secret_hash == checked_hash(secret_hash),
            sign_in.c.provider == provider,
            sign_in.c.expires_at > now,
        )
        async with self._database.write() as connection:
            return (await connection.execute(taken.returning(sign_in.c.organisation_id))).scalar()

    async def drop_sign_ins(self, secret_hashes: list[bytes]) -> None:
        """End the attempts that a browser holds the secrets of."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(sign_in).where(sign_in.c.secret_hash.in_(secret_hashes)))

    async def open_staff_session(
        self, who: Staff, opened: Session, secret_hash: bytes, provider_session: bytes | None
    ) -> Staff:
        """Store who signed in, anew or as of now, and their session; return them with the id they have.

        Earlier sessions of the same person have the new roles and units too, and none where there are none.
        """
        values = {name: getattr(who, name) for name in Staff.__dataclass_fields__}
        values |= {"roles": list(who.roles), "limits": [list(pair) for pair in sorted(who.limits)]}
        checked_hash(who.identity)
        fresh = {name: value for name, value in values.items() if name not in {"id", "organisation_id", "identity"}}
        insert = self._insert(staff).values(values)
        known = insert.on_conflict_do_update(index_elements=["organisation_id", "identity"], set_=fresh)
        async with self._database.write() as connection:
            staff_id = (await connection.execute(known.returning(staff.c.id))).scalar_one()
            row = {
                "id": opened.id,
                "kind": opened.kind,
                "organisation_id": opened.organisation_id,
                "expires_at": opened.expires_at,
                "seen_at": who.signed_in_at,
                "staff_id": staff_id,
                "secret_hash": checked_hash(secret_hash),
                "provider_session": None if provider_session is None else checked_hash(provider_session),
            }
            await connection.execute(sa.insert(session).values(row))
            signed_in = _of_staff(who.organisation_id, staff_id, "staff.sign_in", detail=f"provider={who.provider}")
            self._did(connection, signed_in)
        return replace(who, id=staff_id)

    async def take_roles(self, organisation_id: str, identity: bytes) -> None:
        """Note that this person has no role here any more: pages that are still open show nothing."""
        known = sa.and_(staff.c.organisation_id == organisation_id, staff.c.identity == checked_hash(identity))
        async with self._database.write() as connection:
            changed = sa.update(staff).where(known).values(roles=[], limits=[], person_hash=None).returning(staff.c.id)
            staff_id = (await connection.execute(changed)).scalar()
            self._did(connection, _of_staff(organisation_id, staff_id, "staff.sign_in", outcome="refused"))

    async def staff_of(self, opened: Session) -> Staff | None:
        """Return who opened a session by signing in."""
        row = await self._first(sa.select(*_STAFF).where(staff.c.id == opened.staff_id))
        return None if row is None else Staff(**{**row._asdict(), "roles": tuple(row.roles), "limits": limits_of(row)})

    async def touch_session(self, session_id: str, now: datetime) -> None:
        """Note that a page of staff is in use."""
        seen = sa.update(session).where(session.c.id == session_id, session.c.seen_at < now)
        async with self._database.write() as connection:
            await connection.execute(seen.values(seen_at=now))

    async def close_session(self, session_id: str) -> bool:
        """Delete a session; whether there was one."""
        async with self._database.write() as connection:
            gone = sa.delete(session).where(session.c.id == session_id).returning(*_WHOSE)
            return self._signed_out(connection, list(await connection.execute(gone)), "staff.sign_out") > 0

    async def close_staff_sessions(self, identity: bytes | None, provider_session: bytes | None) -> int:
        """Delete one person's sessions everywhere, or that of one session at the provider; return how many."""
        whose: list[sa.ColumnElement[bool]] = []
        if identity is not None:
            known = sa.select(staff.c.id).where(staff.c.identity == checked_hash(identity))
            whose.append(session.c.staff_id.in_(known))
        if provider_session is not None:
            whose.append(session.c.provider_session == checked_hash(provider_session))
        if not whose:
            raise ValueError("nobody's sessions")
        async with self._database.write() as connection:
            gone = sa.delete(session).where(*whose).returning(*_WHOSE)
            return self._signed_out(connection, list(await connection.execute(gone)), "staff.signed_out")

    def _signed_out(self, connection: AsyncConnection, closed: list[sa.Row[Any]], act: str) -> int:
        """Log whose sessions were closed: by themselves, or with ``staff.signed_out`` by their provider."""
        for one in closed:
            self._did(connection, _of_staff(one.organisation_id, one.staff_id, act))
        return len(closed)


def _of_staff(organisation_id: str, staff_id: str | None, act: str, *, outcome: str = "done", detail: str = "") -> Deed:
    """Return what is logged of somebody of the staff; one who never had a role here is unknown."""
    named = f"staff:{staff_id}" if staff_id is not None else "staff"
    return Deed(organisation_id, "staff", named, act, outcome=outcome, detail=detail)
