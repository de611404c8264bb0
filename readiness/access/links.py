"""Capability links: a 256-bit token in the URL's fragment, stored as a hash, swapped for a session and its cookie.

A link opens one thing for one participant, leader or office of support, and is no proof of identity. Unknown, expired,
revoked and malformed tokens are all the same to the caller.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from readiness.errors import AccessError
from reports.store import Store
from reports.store.records import Invitation, Organisation, Session, new_id

__all__ = [
    "DROP_IN_LIFE",
    "SESSION_MARGIN",
    "SUPPORT_LIFE",
    "SUPPORT_SESSION",
    "cookie_name",
    "give_support_link",
    "hash_token",
    "new_token",
    "redeem",
    "start_drop_in",
]

TOKEN_BYTES = 32
"""256 bits; above 112 a plain hash is enough to store (OWASP ASVS 6.5.2)."""
SESSION_BYTES = 18
"""144 bits for the public id and the cookie's secret alike."""
DROP_IN_LIFE = timedelta(hours=24)
"""How long a drop-in test and its report are kept."""
SESSION_MARGIN = timedelta(hours=1)
"""A link tests until the meeting's end plus this."""
SUPPORT_LIFE = timedelta(days=90)
"""How long a link of support opens, unless told otherwise."""
SUPPORT_SESSION = timedelta(hours=12)
"""A working day; then the link has to be opened again, so that a forgotten page does not stay open for months."""
LINK_NOT_VALID = "link.not_valid"


def new_token() -> str:
    """Return a fresh token, 43 characters of base64url."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """Return what is stored of a token or a cookie secret: its SHA-256, 32 bytes."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def cookie_name(session_id: str, *, secure: bool) -> str:
    """Return the cookie's name: one per session, so that two links in two tabs never mix.

    On plain http (loopback, or a trial on the local network) the ``__Host-`` prefix would be refused by browsers.
    """
    return f"__Host-rd-{session_id}" if secure else f"rd-{session_id}"


async def redeem(store: Store, *, organisation: str, token: str, now: datetime) -> tuple[Session, str]:
    """Swap a link's token for a session. Returns the session and its cookie's secret.

    Raises AccessError("link.not_valid") for anything that opens nothing, whatever the reason.
    """
    invitation = await store.find_invitation(organisation, hash_token(token), now)
    if invitation is None or invitation.kind in {"api", "feed"}:
        raise AccessError(LINK_NOT_VALID)
    is_office = invitation.kind in {"support", "organiser"}
    session = Session(
        id=secrets.token_urlsafe(SESSION_BYTES),
        kind=invitation.kind,
        organisation_id=invitation.organisation_id,
        invitation_id=invitation.id,
        meeting_id=invitation.meeting_id,
        participant_id=invitation.participant_id,
        expires_at=min(invitation.expires_at, now + SUPPORT_SESSION) if is_office else invitation.expires_at,
    )
    return session, await _keep(store, session)


async def give_support_link(
    store: Store, organisation: Organisation, base_url: str, now: datetime, lasts: timedelta = SUPPORT_LIFE
) -> str:
    """Mint a link that opens the page of support of `organisation`."""
    token = new_token()
    invitation = Invitation(
        id=new_id(),
        organisation_id=organisation.id,
        kind="support",
        meeting_id=None,
        participant_id=None,
        expires_at=now + lasts,
        revoked_at=None,
    )
    await store.add_invitation(invitation, hash_token(token))
    return f"{base_url}/o/{organisation.slug}/support#{token}"


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


async def _keep(store: Store, session: Session) -> str:
    secret = secrets.token_urlsafe(SESSION_BYTES)
    await store.add_session(session, hash_token(secret))
    return secret
