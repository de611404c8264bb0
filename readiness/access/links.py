"""Capability links: a 256-bit token in the URL's fragment, stored as a hash; `sessions` swaps it for a session.

A link opens one thing for one participant, leader or office, and is no proof of identity. Unknown, expired, revoked and
malformed tokens are all the same to the caller. Tokens of a meeting's links are derived from the service's key and
the link's id: a reminder carries the same link as the invitation though only a hash is stored (decision 013).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from readiness.access.contacts import ContactBox
from readiness.errors import AccessError
from reports.store import Store
from reports.store.records import (
    ANSWERS_AFTER_END,
    CODE_ALPHABET,
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
    "TYPED_LENGTH",
    "GivenLink",
    "Links",
    "api_token",
    "code_of",
    "give_support_link",
    "hash_code",
    "hash_token",
    "hashes_of",
    "link_of",
    "new_link",
    "new_token",
    "organiser_link",
    "renew_seen",
    "token_of",
]

TOKEN_BYTES = 32
"""256 bits; above 112 a plain hash is enough to store (OWASP ASVS 6.5.2)."""
TYPED_LENGTH = 10
"""Characters of the code in a letter: 50 bits, with few wrong tries a minute (LNK-6)."""
SUPPORT_LIFE = timedelta(days=90)
"""How long a link of support opens, unless told otherwise."""
ORGANISER_LIFE = timedelta(days=365)
"""How long a link of an organiser, or a program's token, opens, unless told otherwise."""
LINK_NOT_VALID = "link.not_valid"
_PAGES = {"participant": "t", "leader": "board", "support": "support", "organiser": "plan"}


@dataclass(frozen=True, slots=True)
class GivenLink:
    """A link as it is given out: the address, and for a participant the code that stands for it in a letter."""

    invitation: Invitation
    link: str
    code: str | None = None


def new_token() -> str:
    """Return a fresh token, 43 characters of base64url."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_of(contacts: ContactBox, invitation_id: str) -> str:
    """Return the token of a meeting's link, the same each time: 43 characters of base64url."""
    return base64.urlsafe_b64encode(contacts.derive("link", invitation_id)).rstrip(b"=").decode("ascii")


def code_of(contacts: ContactBox, invitation_id: str) -> str:
    """Return the code that stands for a link in a letter, the same each time: 10 characters."""
    number = int.from_bytes(contacts.derive("code", invitation_id))
    return "".join(CODE_ALPHABET[number >> 5 * place & 31] for place in range(TYPED_LENGTH))


def hash_token(token: str) -> bytes:
    """Return what is stored of a token or a cookie secret: its SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def hash_code(contacts: ContactBox, code: str) -> bytes:
    """Return what is stored of a typed code: 32 bytes, keyed, for 50 bits without a key could be tried one by one."""
    return contacts.derive("code-hash", code)


def link_of(contacts: ContactBox, invitation: Invitation, slug: str, base_url: str) -> str:
    """Return the address of a meeting's link. Raises ValueError for a kind that has none that could be made again."""
    token = token_of(contacts, invitation.id)
    if invitation.kind == "feed":
        return f"{base_url}/feed/{token}.ics"
    if invitation.kind not in {"participant", "leader"}:
        raise ValueError("the token of an office's link is random and not kept")
    return f"{base_url}/o/{slug}/{_PAGES[invitation.kind]}#{token}"


async def _in_its_place(store: Store, old: Invitation, now: datetime) -> Invitation:
    """Return the open link of who had `old`. Raises AccessError where there is none, or `old` was nobody's."""
    given = None
    if old.participant_id or old.host_id:
        given = await store.invitation_for(
            participant_id=old.participant_id, host_id=old.host_id, kind=old.kind, now=now
        )
    if given is None:
        raise AccessError(LINK_NOT_VALID)
    return given


async def renew_seen(store: Store, contacts: ContactBox, session: Session, *, base_url: str, now: datetime) -> str:
    """Return a link in the place of the one that opened `session`, whose token others may have read on the way.

    The old one opens nothing for others from now on. Where that was done before, a meeting's new link is given again;
    an office's can't be, because only its hash is kept: AccessError("link.not_valid").
    """
    old = await store.invitation(session.invitation_id) if session.invitation_id else None
    organisation = await store.organisation_by_id(session.organisation_id)
    if old is None or organisation is None or old.kind not in _PAGES:
        raise AccessError(LINK_NOT_VALID)
    new = replace(old, id=new_id(), seen_at=None)
    is_office = old.meeting_id is None
    token = new_token() if is_office else token_of(contacts, new.id)
    hashes = (hash_token(token), None) if is_office else hashes_of(contacts, new)
    if not await store.replace_seen(old, new, hashes, now):
        token = token_of(contacts, (await _in_its_place(store, old, now)).id)
    return f"{base_url}/o/{organisation.slug}/{_PAGES[old.kind]}#{token}"


def new_link(organisation_id: str, meeting: Meeting, whose: Participant | Host) -> Invitation:
    """Return a link of a participant, or of a host to the board, that is not stored yet."""
    until = meeting.ends_at + ANSWERS_AFTER_END
    if isinstance(whose, Host):
        return Invitation(new_id(), organisation_id, "leader", meeting.id, None, until, host_id=whose.id)
    return Invitation(new_id(), organisation_id, "participant", meeting.id, whose.id, until)


def hashes_of(contacts: ContactBox, invitation: Invitation) -> tuple[bytes, bytes | None]:
    """Return what is stored of a meeting's link: the hash of its token, and of a participant's code."""
    code = code_of(contacts, invitation.id) if invitation.kind == "participant" else None
    return hash_token(token_of(contacts, invitation.id)), hash_code(contacts, code) if code else None


@dataclass(frozen=True, slots=True)
class Links:
    """Gives the links of one organisation's meetings at one moment; each is the same however often it is asked for."""

    store: Store
    contacts: ContactBox
    organisation: Organisation
    base_url: str
    now: datetime

    async def of(self, meeting: Meeting, whose: Participant | Host, *, renew: bool = False) -> GivenLink:
        """Return the link of a participant, or of a host to the board: the open one, else a new one.

        With `renew` earlier ones are closed first.
        """
        wanted = new_link(self.organisation.id, meeting, whose)
        held = await self.store.held_link(
            participant_id=wanted.participant_id, host_id=wanted.host_id, kind=wanted.kind, now=self.now
        )
        return await self._give(wanted, held, renew=renew)

    async def feed(self, meeting: Meeting, host: Host) -> GivenLink:
        """Return the address of the calendar of everything this person leads.

        It hangs on the person's latest meeting (the store moves it on) and opens nothing a week after the last one.
        """
        until = meeting.ends_at + ANSWERS_AFTER_END
        wanted = Invitation(new_id(), self.organisation.id, "feed", meeting.id, None, until, host_id=host.id)
        return await self._give(wanted, await self.store.feed_of(self.organisation.id, host, self.now))

    async def _give(self, wanted: Invitation, held: HeldLink | None, *, renew: bool = False) -> GivenLink:
        """Give the link that is held if its token can be made again (the key may be another by now), else a new one."""
        if held is not None and not renew and held.token_hash == self._hash(held.link.id):
            given = held.link
        else:
            hashes = hashes_of(self.contacts, wanted)
            given = await self.store.give_invitation(wanted, hashes, self.now, replace=renew, hash_of=self._hash)
        code = code_of(self.contacts, given.id) if given.kind == "participant" else None
        return GivenLink(given, link_of(self.contacts, given, self.organisation.slug, self.base_url), code)

    def _hash(self, link_id: str) -> bytes:
        return hash_token(token_of(self.contacts, link_id))


async def give_support_link(
    store: Store, organisation: Organisation, base_url: str, now: datetime, lasts: timedelta = SUPPORT_LIFE
) -> str:
    """Mint a link that opens the page of support of `organisation`."""
    token = await _office(store, organisation, "support", now + lasts)
    return f"{base_url}/o/{organisation.slug}/support#{token}"


async def organiser_link(
    store: Store, organisation: Organisation, base_url: str, now: datetime, lasts: timedelta = ORGANISER_LIFE
) -> str:
    """Mint a link that opens the organiser's pages: make, move and cancel meetings, and invite to them."""
    token = await _office(store, organisation, "organiser", now + lasts)
    return f"{base_url}/o/{organisation.slug}/plan#{token}"


async def api_token(store: Store, organisation: Organisation, now: datetime, lasts: timedelta = ORGANISER_LIFE) -> str:
    """Mint a token that a program shows as ``Authorization: Bearer`` to do what an organiser may."""
    return await _office(store, organisation, "api", now + lasts)


async def _office(store: Store, organisation: Organisation, kind: InvitationKind, until: datetime) -> str:
    token = new_token()
    await store.add_invitation(Invitation(new_id(), organisation.id, kind, None, None, until), hash_token(token))
    return token
