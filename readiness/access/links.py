"""Capability links: a 256-bit token in the URL's fragment, stored as a hash; `sessions` exchanges it for a session.

A link opens one thing for one participant, leader or office; it does not prove identity. Unknown, expired, revoked and
malformed tokens look the same to the caller. Tokens of a meeting's links are derived from the service's key and the
link's id, so a reminder carries the same link as the invitation although only a hash is stored (decision 013).
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from readiness.access.contacts import ContactBox
from readiness.access.tokens import PAGES, code_of, hash_token, hashes_of, link_of, new_token, token_of
from readiness.errors import AccessError
from reports.store import Store
from reports.store.records import (
    ANSWERS_AFTER_END,
    HeldLink,
    Host,
    Invitation,
    InvitationKind,
    Meeting,
    Organisation,
    Participant,
    Session,
    new_id,
)

__all__ = [
    "LINK_NOT_VALID",
    "ORGANISER_LIFE",
    "SUPPORT_LIFE",
    "GivenLink",
    "Links",
    "api_token",
    "fleet_token",
    "give_support_link",
    "new_link",
    "organiser_link",
    "renew_seen",
    "room_link",
]

SUPPORT_LIFE = timedelta(days=90)
"""Default lifetime of support's links."""
ORGANISER_LIFE = timedelta(days=365)
"""Default lifetime of an organiser's link or a program's token."""
ROOMS_LIFE = timedelta(days=90)
"""Default lifetime of a link to the pages of rooms. Its session lasts as long: a display on a wall has no hands."""
LINK_NOT_VALID = "link.not_valid"


@dataclass(frozen=True, slots=True)
class GivenLink:
    """A link as given out: the address and, for a participant, the code that replaces it in a letter."""

    invitation: Invitation
    link: str
    code: str | None = None


async def _in_its_place(store: Store, old: Invitation, now: datetime) -> Invitation:
    """Return the open link of the owner of `old`. Raises AccessError if there is none, or `old` had no owner."""
    given = None
    if old.participant_id or old.host_id:
        given = await store.invitation_for(
            participant_id=old.participant_id, host_id=old.host_id, kind=old.kind, now=now
        )
    if given is None:
        raise AccessError(LINK_NOT_VALID)
    return given


async def renew_seen(store: Store, contacts: ContactBox, session: Session, *, base_url: str, now: datetime) -> str:
    """Return a link that replaces the one that opened `session`, whose token others may have read in transit.

    The old one opens nothing for others from now on. If it was replaced before, a meeting's new link is returned again;
    an office's can't be, because only its hash is stored: AccessError("link.not_valid").
    """
    old = await store.invitation(session.invitation_id) if session.invitation_id else None
    organisation = await store.organisation_by_id(session.organisation_id)
    if old is None or organisation is None or old.kind not in PAGES:
        raise AccessError(LINK_NOT_VALID)
    new = replace(old, id=new_id(), seen_at=None)
    is_office = old.meeting_id is None
    token = new_token() if is_office else token_of(contacts, new.id)
    hashes = (hash_token(token), None) if is_office else hashes_of(contacts, new)
    if not await store.replace_seen(old, new, hashes, now):
        token = token_of(contacts, (await _in_its_place(store, old, now)).id)
    return f"{base_url}/o/{organisation.slug}/{PAGES[old.kind]}#{token}"


def new_link(organisation_id: str, meeting: Meeting, whose: Participant | Host) -> Invitation:
    """Return a new link of a participant, or of a host to the board, without storing it."""
    until = meeting.ends_at + ANSWERS_AFTER_END
    if isinstance(whose, Host):
        return Invitation(new_id(), organisation_id, "leader", meeting.id, None, until, host_id=whose.id)
    return Invitation(new_id(), organisation_id, "participant", meeting.id, whose.id, until)


@dataclass(frozen=True, slots=True)
class Links:
    """Gives the links of one organisation's meetings at one moment; repeated calls give the same link."""

    store: Store
    contacts: ContactBox
    organisation: Organisation
    base_url: str
    now: datetime

    async def of(self, meeting: Meeting, whose: Participant | Host, *, renew: bool = False) -> GivenLink:
        """Return the link of a participant, or of a host to the board: the open one, else a new one.

        With `renew` earlier ones are revoked first.
        """
        wanted = new_link(self.organisation.id, meeting, whose)
        finding = self.store.held_link(
            participant_id=wanted.participant_id, host_id=wanted.host_id, kind=wanted.kind, now=self.now
        )
        return await self._give(wanted, finding, renew=renew)

    async def feed(self, meeting: Meeting, host: Host) -> GivenLink:
        """Return the address of the calendar feed of all meetings that this person leads.

        It belongs to the person's latest meeting (the store keeps that up to date) and expires a week after the last
        one.
        """
        until = meeting.ends_at + ANSWERS_AFTER_END
        wanted = Invitation(new_id(), self.organisation.id, "feed", meeting.id, None, until, host_id=host.id)
        return await self._give(wanted, self.store.feed_of(self.organisation.id, host, self.now))

    async def _give(self, wanted: Invitation, finding: Awaitable[HeldLink | None], *, renew: bool = False) -> GivenLink:
        """Return the link found, if its token can be derived again (the key may have changed), else `wanted`."""
        held = await finding

        def hash_of(link_id: str) -> bytes:
            return hash_token(token_of(self.contacts, link_id))

        if held is not None and not renew and held.token_hash == hash_token(token_of(self.contacts, held.link.id)):
            given = held.link
        else:
            hashes = hashes_of(self.contacts, wanted)
            given = await self.store.give_invitation(wanted, hashes, self.now, replace=renew, hash_of=hash_of)
        code = code_of(self.contacts, given.id) if given.kind == "participant" else None
        return GivenLink(given, link_of(self.contacts, given, self.organisation.slug, self.base_url), code)


async def give_support_link(
    store: Store, organisation: Organisation, base_url: str, now: datetime, lasts: timedelta = SUPPORT_LIFE
) -> str:
    """Create a link to support's page of `organisation`."""
    token = await _office(store, organisation, "support", now + lasts)
    return f"{base_url}/o/{organisation.slug}/support#{token}"


async def organiser_link(
    store: Store, organisation: Organisation, base_url: str, now: datetime, lasts: timedelta = ORGANISER_LIFE
) -> str:
    """Create a link to the organiser's pages: create, move and cancel meetings, and invite to them."""
    token = await _office(store, organisation, "organiser", now + lasts)
    return f"{base_url}/o/{organisation.slug}/plan#{token}"


async def api_token(store: Store, organisation: Organisation, now: datetime, lasts: timedelta = ORGANISER_LIFE) -> str:
    """Create a token with which a program, by ``Authorization: Bearer``, may do what an organiser may."""
    return await _office(store, organisation, "api", now + lasts)


async def room_link(
    store: Store, organisation: Organisation, base_url: str, now: datetime, lasts: timedelta = ROOMS_LIFE
) -> str:
    """Create a link to the pages of rooms: how each is, and what can be done about it."""
    token = await _office(store, organisation, "room_manager", now + lasts)
    return f"{base_url}/o/{organisation.slug}/rooms#{token}"


async def fleet_token(
    store: Store, organisation: Organisation, now: datetime, lasts: timedelta = ORGANISER_LIFE
) -> str:
    """Create a token with which a program, by ``Authorization: Bearer``, reads how the rooms are and nothing else."""
    return await _office(store, organisation, "fleet", now + lasts)


async def _office(store: Store, organisation: Organisation, kind: InvitationKind, until: datetime) -> str:
    token = new_token()
    await store.add_invitation(Invitation(new_id(), organisation.id, kind, None, None, until), hash_token(token))
    return token
