"""Capability links: a 256-bit token in the URL's fragment, stored as a hash, swapped for a session and its cookie.

A link opens one thing for one participant, leader or office, and is no proof of identity. Unknown, expired, revoked and
malformed tokens are all the same to the caller. Tokens of a meeting's links are derived from the service's key and
the link's id: a reminder carries the same link as the invitation though only a hash is stored (decision 013).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from readiness.access.contacts import ContactBox
from readiness.errors import AccessError
from reports.store import Store
from reports.store.records import (
    ANSWERS_AFTER_END,
    CODE_ALPHABET,
    TESTS_AFTER_END,
    Host,
    Invitation,
    InvitationKind,
    Meeting,
    Organisation,
    Participant,
    Session,
    SessionKind,
    clean_code,
    new_id,
)

__all__ = [
    "DROP_IN_LIFE",
    "ORGANISER_LIFE",
    "SESSION_MARGIN",
    "SUPPORT_LIFE",
    "SUPPORT_SESSION",
    "TYPED_LENGTH",
    "GivenLink",
    "api_token",
    "code_of",
    "cookie_name",
    "feed_link",
    "give_support_link",
    "hash_code",
    "hash_token",
    "hashes_of",
    "leader_link",
    "link_of",
    "new_link",
    "new_token",
    "organiser_link",
    "participant_link",
    "redeem",
    "redeem_code",
    "start_drop_in",
    "token_of",
]

TOKEN_BYTES = 32
"""256 bits; above 112 a plain hash is enough to store (OWASP ASVS 6.5.2)."""
SESSION_BYTES = 18
"""144 bits for the public id and the cookie's secret alike."""
TYPED_LENGTH = 10
"""Characters of the code in a letter: 50 bits, with few wrong tries a minute (LNK-6)."""
DROP_IN_LIFE = timedelta(hours=24)
"""How long a drop-in test and its report are kept."""
SESSION_MARGIN = TESTS_AFTER_END
"""A link tests until the meeting's end plus this."""
SUPPORT_LIFE = timedelta(days=90)
"""How long a link of support opens, unless told otherwise."""
ORGANISER_LIFE = timedelta(days=365)
"""How long a link of an organiser, or a program's token, opens, unless told otherwise."""
SUPPORT_SESSION = timedelta(hours=12)
"""A working day; then the link has to be opened again, so that a forgotten page does not stay open for months."""
LINK_NOT_VALID = "link.not_valid"
_PAGES = {"participant": "t", "leader": "board", "support": "support", "organiser": "plan"}
_SESSIONS: dict[InvitationKind, SessionKind] = {
    "participant": "participant",
    "leader": "leader",
    "support": "support",
    "organiser": "organiser",
}
"""What a link is swapped for; calendars and programs have no page."""


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


def cookie_name(session_id: str, *, secure: bool) -> str:
    """Return the cookie's name: one per session, so that two links in two tabs never mix.

    On plain http (loopback, or a trial on the local network) the ``__Host-`` prefix would be refused by browsers.
    """
    return f"__Host-rd-{session_id}" if secure else f"rd-{session_id}"


async def redeem(store: Store, *, organisation: str, token: str, now: datetime) -> tuple[Session, str]:
    """Swap a link's token for a session. Returns the session and its cookie's secret.

    Raises AccessError("link.not_valid") for anything that opens nothing, whatever the reason.
    """
    return await _open(store, await store.find_invitation(organisation, hash_token(token), now), now)


async def redeem_code(
    store: Store, contacts: ContactBox, *, organisation: str, code: str, now: datetime
) -> tuple[Session, str]:
    """Swap the code of a letter, as it was typed, for a session; as `redeem`. The caller keeps count of wrong ones."""
    plain = clean_code(code, TYPED_LENGTH) or ""
    return await _open(store, await store.find_code(organisation, hash_code(contacts, plain), now), now)


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


async def participant_link(
    store: Store,
    contacts: ContactBox,
    organisation: Organisation,
    meeting: Meeting,
    participant: Participant,
    *,
    base_url: str,
    now: datetime,
    replace: bool = False,
) -> GivenLink:
    """Return the participant's link: the open one, or a new one; with `replace` the old ones are closed first."""
    if replace:
        await store.revoke_of(now, participant_id=participant.id)
    link = new_link(organisation.id, meeting, participant)
    found = await store.invitation_for(participant_id=participant.id, kind="participant", now=now)
    return await _give(store, contacts, organisation, found, link, base_url=base_url, now=now)


async def leader_link(
    store: Store,
    contacts: ContactBox,
    organisation: Organisation,
    meeting: Meeting,
    host: Host,
    *,
    base_url: str,
    now: datetime,
    replace: bool = False,
) -> GivenLink:
    """Return the link to the board for a leader or technical host; as `participant_link`."""
    if replace:
        await store.revoke_of(now, host_id=host.id)
    link = new_link(organisation.id, meeting, host)
    found = await store.invitation_for(host_id=host.id, kind="leader", now=now)
    return await _give(store, contacts, organisation, found, link, base_url=base_url, now=now)


async def feed_link(
    store: Store,
    contacts: ContactBox,
    organisation: Organisation,
    meeting: Meeting,
    host: Host,
    *,
    base_url: str,
    now: datetime,
) -> GivenLink:
    """Return the address of the calendar of everything this person leads.

    It hangs on the person's latest meeting (the store moves it on) and opens nothing a week after the last one.
    """
    until = meeting.ends_at + ANSWERS_AFTER_END
    link = Invitation(new_id(), organisation.id, "feed", meeting.id, None, until, host_id=host.id)
    found = await store.feed_of(organisation.id, host, now)
    return await _give(store, contacts, organisation, found, link, base_url=base_url, now=now)


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


async def start_drop_in(store: Store, *, organisation: str, now: datetime) -> tuple[Session, str]:
    """Open a test that belongs to no meeting and no person, where the organisation allows it."""
    found = await store.organisation(organisation)
    if found is None or not found.drop_in_allowed:
        raise AccessError("drop_in.not_allowed")
    session = Session(
        id=secrets.token_urlsafe(SESSION_BYTES),
        kind="drop_in",
        organisation_id=found.id,
        invitation_id=None,
        meeting_id=None,
        participant_id=None,
        expires_at=now + DROP_IN_LIFE,
    )
    return session, await _keep(store, session)


async def _open(store: Store, invitation: Invitation | None, now: datetime) -> tuple[Session, str]:
    kind = None if invitation is None else _SESSIONS.get(invitation.kind)
    if invitation is None or kind is None:
        raise AccessError(LINK_NOT_VALID)
    is_office = kind in {"support", "organiser"}
    session = Session(
        id=secrets.token_urlsafe(SESSION_BYTES),
        kind=kind,
        organisation_id=invitation.organisation_id,
        invitation_id=invitation.id,
        meeting_id=invitation.meeting_id,
        participant_id=invitation.participant_id,
        expires_at=min(invitation.expires_at, now + SUPPORT_SESSION) if is_office else invitation.expires_at,
    )
    return session, await _keep(store, session)


async def _give(
    store: Store,
    contacts: ContactBox,
    organisation: Organisation,
    found: Invitation | None,
    wanted: Invitation,
    *,
    base_url: str,
    now: datetime,
) -> GivenLink:
    """Give the link that was found, if its token can be made again (the key may be another by now), else a new one."""
    if found is not None:
        known = await store.link_by_hash(found.kind, hash_token(token_of(contacts, found.id)), now)
        if known is None or known.id != found.id:
            found = None
    given = found or wanted
    code = code_of(contacts, given.id) if given.kind == "participant" else None
    if found is None:
        await store.add_invitation(given, *hashes_of(contacts, given))
    return GivenLink(given, link_of(contacts, given, organisation.slug, base_url), code)


async def _office(store: Store, organisation: Organisation, kind: InvitationKind, until: datetime) -> str:
    token = new_token()
    await store.add_invitation(Invitation(new_id(), organisation.id, kind, None, None, until), hash_token(token))
    return token


async def _keep(store: Store, session: Session) -> str:
    secret = secrets.token_urlsafe(SESSION_BYTES)
    await store.add_session(session, hash_token(secret))
    return secret
