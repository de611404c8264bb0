"""Links and the sessions they are exchanged for. Only hashes of secrets are passed in, stored and compared.

An unknown, expired, revoked or foreign link gives one answer, None, from one query, so that neither the answer nor its
time tells them apart. The comparison is a search for a SHA-256 in an index; what its timing could reveal about a digest
reveals nothing about the 256-bit token.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from .part import StorePart, checked_hash
from .records import TESTS_AFTER_END, HeldLink, Host, Invitation, InvitationKind, Session
from .rows import limits_of
from .staff_tables import staff
from .tables import host, invitation, meeting, organisation, participant, session
from .trail import Deed

__all__ = ["MOST_PIN_TRIES", "AccessPart"]

MOST_PIN_TRIES: Final = 5
_LINK: Final = [invitation.c[name] for name in Invitation.__dataclass_fields__]
_TOLD: Final = {"testing_until", "roles", "limits", "person_hash"}
"""Of a session: what other tables know."""
_OWN: Final = [name for name in Session.__dataclass_fields__ if name not in _TOLD]
STAFF_IDLE: Final = timedelta(minutes=30)
"""A staff member's page that nobody used for so long is closed."""


class AccessPart(StorePart):
    """The part of the store that keeps links and sessions."""

    async def add_invitation(self, added: Invitation, token_hash: bytes, code_hash: bytes | None = None) -> None:
        """Store a link by the SHA-256 of its token, and the code for typing it by its keyed hash."""
        values = {name: getattr(added, name) for name in Invitation.__dataclass_fields__}
        values["code_hash"] = None if code_hash is None else checked_hash(code_hash)
        async with self._database.write() as connection:
            await connection.execute(sa.insert(invitation).values(token_hash=checked_hash(token_hash), **values))
            self._did(connection, _of_link(added, "link.make"))

    async def give_invitation(
        self,
        added: Invitation,
        hashes: tuple[bytes, bytes | None],
        now: datetime,
        *,
        replace: bool = False,
        hash_of: Callable[[str], bytes],
    ) -> Invitation:
        """Return the person's open link of this kind, else store `added` and return it; one transaction.

        One link is open afterwards, however many callers there are. `replace` closes earlier ones of every kind.
        Without it an existing link counts only if its token can be derived again, that is, if `hash_of` gives its hash.
        """
        whose = (
            invitation.c.participant_id == added.participant_id
            if added.participant_id
            else invitation.c.host_id == added.host_id
        )
        table, person = (participant, added.participant_id) if added.participant_id else (host, added.host_id)
        values = {name: getattr(added, name) for name in Invitation.__dataclass_fields__}
        values |= {"token_hash": checked_hash(hashes[0]), "code_hash": hashes[1] and checked_hash(hashes[1])}
        open_ones = sa.select(*_LINK, invitation.c.token_hash).where(whose, invitation.c.kind == added.kind, _open(now))
        async with self._changing_boards() as (connection, meetings):
            await connection.execute(sa.select(table.c.id).where(table.c.id == person).with_for_update())
            if replace:
                closing = sa.update(invitation).where(whose, _open(now)).values(revoked_at=now)
                closed = list((await connection.execute(closing.returning(invitation.c.meeting_id))).scalars())
                meetings.update(closed)
                if closed:
                    self._did(connection, _of_link(added, "link.revoke", detail=f"links={len(closed)}"))
            for row in (await connection.execute(open_ones.order_by(invitation.c.expires_at.desc()))).all():
                if bytes(row.token_hash) == hash_of(row.id):
                    return Invitation(**{name: getattr(row, name) for name in Invitation.__dataclass_fields__})
            await connection.execute(sa.insert(invitation).values(values))
            self._did(connection, _of_link(added, "link.make"))
        return added

    async def find_invitation(self, organisation_slug: str, token_hash: bytes, now: datetime) -> Invitation | None:
        """Return the link if it opens anything in this organisation now; one with `seen_at` opens for few only."""
        return await self._usable(_at(organisation_slug), invitation.c.token_hash == checked_hash(token_hash), now)

    async def find_code(self, organisation_slug: str, code_hash: bytes, now: datetime) -> Invitation | None:
        """Return the link of a typed code, if it opens anything in this organisation now."""
        return await self._usable(_at(organisation_slug), invitation.c.code_hash == checked_hash(code_hash), now)

    async def link_by_hash(self, kind: InvitationKind, token_hash: bytes, now: datetime) -> Invitation | None:
        """Return the open link of one kind, for programs and calendars, whose tokens come without an organisation."""
        return await self._link(
            invitation.c.kind == kind, invitation.c.token_hash == checked_hash(token_hash), _open(now)
        )

    async def invitation_for(
        self, *, participant_id: str | None = None, host_id: str | None = None, kind: InvitationKind, now: datetime
    ) -> Invitation | None:
        """Return the open link of this kind of a participant or host; of several the one that lasts longest."""
        whose = invitation.c.participant_id == participant_id if participant_id else invitation.c.host_id == host_id
        return await self._link(whose, invitation.c.kind == kind, invitation.c.seen_at.is_(None), _open(now))

    async def held_link(
        self, *, participant_id: str | None = None, host_id: str | None = None, kind: InvitationKind, now: datetime
    ) -> HeldLink | None:
        """Return the link of `invitation_for`, with the hash of its token."""
        whose = invitation.c.participant_id == participant_id if participant_id else invitation.c.host_id == host_id
        return await self._held(whose, invitation.c.kind == kind, invitation.c.seen_at.is_(None), _open(now))

    async def invitation(self, invitation_id: str) -> Invitation | None:
        """Return one link, open or not."""
        return await self._link(invitation.c.id == invitation_id)

    async def replace_seen(
        self, old: Invitation, new: Invitation, hashes: tuple[bytes, bytes | None], now: datetime
    ) -> bool:
        """Replace a link whose token others may have read by `new`; False if it was replaced already.

        The old one's sessions and typed code go on. `hashes` are those of the new link's token and code.
        """
        token_hash, code_hash = hashes
        values = {name: getattr(new, name) for name in Invitation.__dataclass_fields__}
        values |= {"token_hash": checked_hash(token_hash), "code_hash": code_hash and checked_hash(code_hash)}
        closing = sa.update(invitation).where(invitation.c.id == old.id, invitation.c.seen_at.is_(None), _open(now))
        async with self._database.write() as connection:
            if (await connection.execute(closing.values(seen_at=now))).rowcount != 1:
                return False
            await connection.execute(sa.insert(invitation).values(**values))
            self._did(connection, _of_link(new, "link.renew"))
            return True

    async def invitations(self, meeting_id: str) -> list[Invitation]:
        """Return all links of the meeting, revoked ones too."""
        rows = await self._rows(
            sa.select(*_LINK).where(invitation.c.meeting_id == meeting_id).order_by(invitation.c.id)
        )
        return [Invitation(**row._asdict()) for row in rows]

    async def feed_of(self, organisation_id: str, wanted: Host, now: datetime) -> HeldLink | None:
        """Return the open calendar link, with its hash, of this host or the same person in another meeting."""
        same = host.c.id == wanted.id
        if wanted.person_hash is not None:
            same = sa.or_(same, host.c.person_hash == wanted.person_hash)
        return await self._held(
            invitation.c.organisation_id == organisation_id,
            invitation.c.kind == "feed",
            invitation.c.host_id.in_(sa.select(host.c.id).where(same)),
            _open(now),
        )

    async def _usable(
        self, place: sa.ColumnElement[bool], secret: sa.ColumnElement[bool], now: datetime
    ) -> Invitation | None:
        """Return the open link with this secret, unless the organisation has switched its kind off."""
        chosen = sa.select(*_LINK, organisation.c.links_off).join(organisation).where(place, secret, _open(now))
        row = await self._first(chosen)
        if row is None or row.kind in row.links_off:
            return None
        return Invitation(**{name: getattr(row, name) for name in Invitation.__dataclass_fields__})

    async def _held(self, *conditions: sa.ColumnElement[bool]) -> HeldLink | None:
        chosen = sa.select(*_LINK, invitation.c.token_hash).where(*conditions)
        row = await self._first(chosen.order_by(invitation.c.expires_at.desc(), invitation.c.id).limit(1))
        if row is None:
            return None
        link = Invitation(**{name: getattr(row, name) for name in Invitation.__dataclass_fields__})
        return HeldLink(link, bytes(row.token_hash))

    async def _link(self, *conditions: sa.ColumnElement[bool]) -> Invitation | None:
        chosen = sa.select(*_LINK).where(*conditions)
        row = await self._first(chosen.order_by(invitation.c.expires_at.desc(), invitation.c.id).limit(1))
        return None if row is None else Invitation(**row._asdict())

    async def revoke_invitation(self, invitation_id: str, now: datetime) -> bool:
        """Close the link and its sessions; wake the meeting's watchers, who then check their session."""
        statement = (
            sa.update(invitation)
            .where(invitation.c.id == invitation_id, invitation.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(*_LINK)
        )
        async with self._changing_boards() as (connection, meetings):
            row = (await connection.execute(statement)).first()
            if row is not None:
                self._did(connection, _of_link(Invitation(**row._asdict()), "link.revoke"))
                if row.meeting_id is not None:
                    meetings.add(row.meeting_id)
            return row is not None

    async def revoke_links(self, organisation_id: str, kind: InvitationKind, now: datetime) -> int:
        """Close all open links of one kind in this organisation with their sessions; return how many links."""
        statement = (
            sa.update(invitation)
            .where(
                invitation.c.organisation_id == organisation_id,
                invitation.c.kind == kind,
                invitation.c.revoked_at.is_(None),
                invitation.c.expires_at > now,
            )
            .values(revoked_at=now)
        )
        async with self._database.write() as connection:
            closed = (await connection.execute(statement)).rowcount
            detail = f"kind={kind} links={closed}"
            self._did(connection, Deed(organisation_id, "", "", "link.revoke", detail=detail))
            return closed

    async def revoke_of(self, now: datetime, *, participant_id: str | None = None, host_id: str | None = None) -> int:
        """Close all open links of a participant or host with their sessions; return how many."""
        whose = invitation.c.participant_id == participant_id if participant_id else invitation.c.host_id == host_id
        statement = sa.update(invitation).where(whose, _open(now)).values(revoked_at=now)
        async with self._changing_boards() as (connection, meetings):
            found = [Invitation(**row._asdict()) for row in await connection.execute(statement.returning(*_LINK))]
            meetings.update(one.meeting_id for one in found if one.meeting_id is not None)
            for one in found:
                self._did(connection, _of_link(one, "link.revoke"))
            return len(found)

    async def set_pin(self, session_id: str, pin_hash: bytes, expires_at: datetime) -> None:
        """Store the one-time code that a page may try, in place of an earlier one."""
        values = {"pin_hash": checked_hash(pin_hash), "pin_expires_at": expires_at, "pin_tries": 0}
        async with self._database.write() as connection:
            await connection.execute(sa.update(session).where(session.c.id == session_id).values(values))

    async def try_pin(self, session_id: str, pin_hash: bytes, now: datetime, unlocked_until: datetime) -> bool:
        """Try the one-time code. It opens once, and never after five tries, also with several callers at once."""
        right = session.c.pin_hash == checked_hash(pin_hash)
        statement = (
            sa.update(session)
            .where(
                session.c.id == session_id,
                session.c.pin_hash.is_not(None),
                session.c.pin_expires_at > now,
                session.c.pin_tries < MOST_PIN_TRIES,
            )
            .values(
                pin_tries=session.c.pin_tries + 1,
                unlocked_until=sa.case((right, unlocked_until), else_=session.c.unlocked_until),
                pin_hash=sa.case((right, sa.null()), else_=session.c.pin_hash),
            )
            .returning(session.c.pin_hash)
        )
        async with self._database.write() as connection:
            row = (await connection.execute(statement)).first()
            return row is not None and row.pin_hash is None

    async def unlocked(self, session_id: str, now: datetime) -> bool:
        """Return whether the page may show phone numbers now."""
        chosen = sa.select(session.c.id).where(session.c.id == session_id, session.c.unlocked_until > now)
        return await self._first(chosen) is not None

    async def add_session(self, added: Session, secret_hash: bytes) -> None:
        """Store a session by the SHA-256 of its cookie."""
        values = {name: getattr(added, name) for name in _OWN}
        async with self._database.write() as connection:
            await connection.execute(sa.insert(session).values(secret_hash=checked_hash(secret_hash), **values))
            if added.invitation_id is not None:
                link, opened = f"link:{added.invitation_id}", f"session:{added.id}"
                self._did(connection, Deed(added.organisation_id, added.kind, link, "link.use", opened))

    async def session_by_id(self, session_id: str) -> Session | None:
        """Return the session, expired or not, without checking its secret; for the server's own work only."""
        row = await self._first(_sessions().where(session.c.id == session_id))
        return None if row is None else _session_of(row)

    async def find_session(self, session_id: str, secret_hash: bytes, now: datetime) -> Session | None:
        """Return the session if the secret is right, it has not expired, and its link is still open."""
        row = await self._first(
            _sessions()
            .outerjoin(invitation, invitation.c.id == session.c.invitation_id)
            .where(
                session.c.id == session_id,
                session.c.secret_hash == checked_hash(secret_hash),
                session.c.expires_at > now,
                sa.or_(session.c.invitation_id.is_(None), _open(now)),
                sa.or_(session.c.staff_id.is_(None), session.c.seen_at > now - STAFF_IDLE),
            )
        )
        return None if row is None or _is_off(row) else _session_of(row)


def _is_off(row: sa.Row[Any]) -> bool:
    """Return whether a session was opened by a link of a kind that its organisation has switched off."""
    return row.invitation_id is not None and row.kind in row.links_off


def _sessions() -> sa.Select[Any]:
    columns = [session.c[name] for name in _OWN]
    chosen = sa.select(
        *columns, meeting.c.ends_at, staff.c.roles, staff.c.limits, staff.c.person_hash, organisation.c.links_off
    )
    chosen = chosen.join_from(session, organisation, organisation.c.id == session.c.organisation_id)
    chosen = chosen.outerjoin(meeting, meeting.c.id == session.c.meeting_id)
    return chosen.outerjoin(staff, staff.c.id == session.c.staff_id)


def _session_of(row: sa.Row[Any]) -> Session:
    until = None if row.ends_at is None or row.kind != "participant" else row.ends_at + TESTS_AFTER_END
    own = {name: getattr(row, name) for name in _OWN}
    staff_only = {"roles": tuple(row.roles or ()), "limits": limits_of(row), "person_hash": row.person_hash}
    return Session(**own, testing_until=until, **staff_only)


def _at(slug: str) -> sa.ColumnElement[bool]:
    chosen = sa.select(organisation.c.id).where(organisation.c.slug == slug)
    return invitation.c.organisation_id == chosen.scalar_subquery()


def _open(now: datetime) -> sa.ColumnElement[Any]:
    return sa.and_(invitation.c.revoked_at.is_(None), invitation.c.expires_at > now)


def _of_link(link: Invitation, act: str, *, detail: str = "") -> Deed:
    """Return what is logged of a link that is made, renewed or closed, by whoever acts."""
    said = f"kind={link.kind} {detail}".rstrip()
    return Deed(link.organisation_id, "", "", act, f"link:{link.id}", detail=said)
