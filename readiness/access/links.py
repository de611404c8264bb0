"""Capability links: a 256-bit token in the URL's fragment, stored as a hash, swapped for a session and its cookie.

A link opens one thing for one participant, leader or office, and is no proof of identity. Unknown, expired, revoked and
malformed tokens are all the same to the caller. Tokens of a meeting's links are derived from the service's key and
the link's id: a reminder carries the same link as the invitation though only a hash is stored (decision 013).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from readiness.access.contacts import ContactBox
from readiness.errors import AccessError
from reports.store import Store
from reports.store.records import (
    ANSWERS_AFTER_END,
    CODE_ALPHABET,
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
    "MOST_COOKIES",
    "ORGANISER_LIFE",
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
    "held_sessions",
    "leader_link",
    "link_of",
    "new_link",
    "new_token",
    "organiser_link",
    "participant_link",
    "redeem",
    "redeem_code",
    "renew_seen",
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
SUPPORT_LIFE = timedelta(days=90)
"""How long a link of support opens, unless told otherwise."""
ORGANISER_LIFE = timedelta(days=365)
"""How long a link of an organiser, or a program's token, opens, unless told otherwise."""
SUPPORT_SESSION = timedelta(hours=12)
"""A working day; then the link has to be opened again, so that a forgotten page does not stay open for months."""
LEAST_LEFT = timedelta(hours=1)
"""A session that ends sooner is not gone on with when its link is opened again."""
IN_A_TEST = timedelta(minutes=10)
"""A running test without a sign of life for longer is nobody's."""
MOST_COOKIES = 20
"""Sessions that one browser keeps, and that are looked up; a shared computer opens hundreds."""
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


def held_sessions(cookies: Mapping[str, str], *, secure: bool) -> dict[str, str]:
    """Return the secrets of the sessions that a browser holds, by session id, the oldest first."""
    prefix = cookie_name("", secure=secure)
    return {name.removeprefix(prefix): secret for name, secret in cookies.items() if name.startswith(prefix)}


def _newest_held(cookies: Mapping[str, str] | None) -> dict[str, str]:
    """Return the sessions of a browser that are looked up, the newest first."""
    held = {**held_sessions(cookies or {}, secure=False), **held_sessions(cookies or {}, secure=True)}
    return dict(reversed([*held.items()][-MOST_COOKIES:]))


async def redeem(
    store: Store, *, organisation: str, token: str, now: datetime, cookies: Mapping[str, str] | None = None
) -> tuple[Session, str, bool]:
    """Swap a link's token for a session. Returns it, its cookie's secret, and whether another link has its place.

    Such a link opens only for who has opened it before, by the caller's `cookies`. Raises AccessError("link.not_valid")
    for anything that opens nothing, whatever the reason.
    """
    found = await store.find_invitation(organisation, hash_token(token), now)
    if found is not None and found.seen_at is not None and not await _has_opened(store, found, cookies, now):
        found = None
    session, secret = await _open(store, found, now, cookies)
    return session, secret, bool(found and found.seen_at)


async def _has_opened(store: Store, link: Invitation, cookies: Mapping[str, str] | None, now: datetime) -> bool:
    for session_id, secret in _newest_held(cookies).items():
        session = await store.find_session(session_id, hash_token(secret), now)
        if session is not None and session.invitation_id == link.id:
            return True
    return False


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


async def redeem_code(
    store: Store,
    contacts: ContactBox,
    *,
    organisation: str,
    code: str,
    now: datetime,
    cookies: Mapping[str, str] | None = None,
) -> tuple[Session, str]:
    """Swap the code of a letter, as it was typed, for a session; as `redeem`. The caller keeps count of wrong ones."""
    plain = clean_code(code, TYPED_LENGTH) or ""
    return await _open(store, await store.find_code(organisation, hash_code(contacts, plain), now), now, cookies)


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
    link = new_link(organisation.id, meeting, participant)
    found = await store.invitation_for(participant_id=participant.id, kind="participant", now=now)
    return await _give(store, contacts, organisation, found, link, base_url=base_url, now=now, replace=replace)


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
    link = new_link(organisation.id, meeting, host)
    found = await store.invitation_for(host_id=host.id, kind="leader", now=now)
    return await _give(store, contacts, organisation, found, link, base_url=base_url, now=now, replace=replace)


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


async def _open(
    store: Store, invitation: Invitation | None, now: datetime, cookies: Mapping[str, str] | None
) -> tuple[Session, str]:
    kind = None if invitation is None else _SESSIONS.get(invitation.kind)
    if invitation is None or kind is None:
        raise AccessError(LINK_NOT_VALID)
    for session_id, secret in _newest_held(cookies).items():
        known = await store.find_session(session_id, hash_token(secret), now)
        if known is None or known.invitation_id != invitation.id or known.expires_at <= now + LEAST_LEFT:
            continue
        if await _may_be_shared(store, known, now):
            return known, secret
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


async def _may_be_shared(store: Store, session: Session, now: datetime) -> bool:
    """Whether another page may go on with a session: not where one shows phone numbers, or is in a test."""
    if session.kind == "leader":
        return not await store.unlocked(session.id, now)
    recent = await store.recent_self_tests(session, now - IN_A_TEST) if session.kind == "participant" else []
    return not any(test.session_id == session.id and test.state == "running" for test in recent)


async def _give(
    store: Store,
    contacts: ContactBox,
    organisation: Organisation,
    found: Invitation | None,
    wanted: Invitation,
    *,
    base_url: str,
    now: datetime,
    replace: bool = False,
) -> GivenLink:
    """Give the link that was found, if its token can be made again (the key may be another by now), else a new one."""
    known = await store.link_by_hash(found.kind, hash_token(token_of(contacts, found.id)), now) if found else None
    if found is not None and known is not None and known.id == found.id and not replace:
        given = found
    else:
        hashes = hashes_of(contacts, wanted)
        given = await store.give_invitation(
            wanted, hashes, now, replace=replace, hash_of=lambda link_id: hash_token(token_of(contacts, link_id))
        )
    code = code_of(contacts, given.id) if given.kind == "participant" else None
    return GivenLink(given, link_of(contacts, given, organisation.slug, base_url), code)


async def _office(store: Store, organisation: Organisation, kind: InvitationKind, until: datetime) -> str:
    token = new_token()
    await store.add_invitation(Invitation(new_id(), organisation.id, kind, None, None, until), hash_token(token))
    return token


async def _keep(store: Store, session: Session) -> str:
    secret = secrets.token_urlsafe(SESSION_BYTES)
    await store.add_session(session, hash_token(secret))
    return secret
