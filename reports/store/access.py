"""Links and the sessions they are swapped for. Only hashes of secrets come in, are stored and are compared.

Unknown, expired, revoked and belonging to somebody else are one answer, None, from one query, so that neither the
answer nor its time tells them apart. The comparison is a search for a SHA-256 in an index: what its timing could tell
about a digest tells nothing about the 256-bit token.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from .part import StorePart, checked_hash
from .records import Invitation, Session
from .tables import invitation, organisation, session

__all__ = ["AccessPart"]


class AccessPart(StorePart):
    """The part of the store that knows who may open what."""

    async def add_invitation(self, added: Invitation, token_hash: bytes) -> None:
        """Store a link by the SHA-256 of its token."""
        values = {name: getattr(added, name) for name in Invitation.__dataclass_fields__}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(invitation).values(token_hash=checked_hash(token_hash), **values))

    async def find_invitation(self, organisation_slug: str, token_hash: bytes, now: datetime) -> Invitation | None:
        """Return the link if it opens anything in this organisation at this moment."""
        row = await self._first(
            sa.select(*(invitation.c[name] for name in Invitation.__dataclass_fields__))
            .join(organisation, organisation.c.id == invitation.c.organisation_id)
            .where(
                invitation.c.token_hash == checked_hash(token_hash),
                organisation.c.slug == organisation_slug,
                invitation.c.expires_at > now,
                invitation.c.revoked_at.is_(None),
            )
        )
        return None if row is None else Invitation(**row._asdict())

    async def revoke_invitation(self, invitation_id: str, now: datetime) -> bool:
        """Close the link and every session it opened; wake the meeting's watchers, who ask for their session again."""
        statement = (
            sa.update(invitation)
            .where(invitation.c.id == invitation_id, invitation.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(invitation.c.meeting_id)
        )
        async with self._changing_boards() as (connection, meetings):
            row = (await connection.execute(statement)).first()
            if row is not None and row.meeting_id is not None:
                meetings.add(row.meeting_id)
            return row is not None

    async def revoke_support_links(self, organisation_id: str, now: datetime) -> int:
        """Close every open link for support of this organisation, with its sessions; return how many links."""
        statement = (
            sa.update(invitation)
            .where(
                invitation.c.organisation_id == organisation_id,
                invitation.c.kind == "support",
                invitation.c.revoked_at.is_(None),
                invitation.c.expires_at > now,
            )
            .values(revoked_at=now)
        )
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount

    async def add_session(self, added: Session, secret_hash: bytes) -> None:
        """Store a session by the SHA-256 of its cookie."""
        values = {name: getattr(added, name) for name in Session.__dataclass_fields__}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(session).values(secret_hash=checked_hash(secret_hash), **values))

    async def session_by_id(self, session_id: str) -> Session | None:
        """Return the session without its secret, expired or not: for the server's own chores, never for a caller."""
        row = await self._first(
            sa.select(*(session.c[name] for name in Session.__dataclass_fields__)).where(session.c.id == session_id)
        )
        return None if row is None else Session(**row._asdict())

    async def find_session(self, session_id: str, secret_hash: bytes, now: datetime) -> Session | None:
        """Return the session if the secret is its own, it has not expired, and its link still opens."""
        row = await self._first(
            sa.select(*(session.c[name] for name in Session.__dataclass_fields__))
            .outerjoin(invitation, invitation.c.id == session.c.invitation_id)
            .where(
                session.c.id == session_id,
                session.c.secret_hash == checked_hash(secret_hash),
                session.c.expires_at > now,
                sa.or_(session.c.invitation_id.is_(None), _open(now)),
            )
        )
        return None if row is None else Session(**row._asdict())


def _open(now: datetime) -> sa.ColumnElement[Any]:
    return sa.and_(invitation.c.revoked_at.is_(None), invitation.c.expires_at > now)
