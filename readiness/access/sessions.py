"""Sessions, for which a link, a typed code or a drop-in test is exchanged, and the cookies with their secrets."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from readiness.access.contacts import ContactBox
from readiness.access.links import LINK_NOT_VALID
from readiness.access.tokens import TYPED_LENGTH, hash_code, hash_token
from readiness.errors import AccessError
from reports.store import Store
from reports.store.records import Invitation, InvitationKind, Session, SessionKind, clean_code

__all__ = [
    "DROP_IN_LIFE",
    "MOST_COOKIES",
    "SUPPORT_SESSION",
    "cookie_name",
    "held_sessions",
    "redeem",
    "redeem_code",
    "start_drop_in",
    "start_host_test",
]

SESSION_BYTES = 18
"""144 bits each for the public id and the cookie's secret."""
DROP_IN_LIFE = timedelta(hours=24)
"""How long a drop-in test and its report are kept."""
SUPPORT_SESSION = timedelta(hours=12)
"""A working day; after that the link must be opened again, so that a forgotten page does not stay open."""
LEAST_LEFT = timedelta(hours=1)
"""Least remaining lifetime for a session to be reused when its link is opened again."""
IN_A_TEST = timedelta(minutes=10)
"""A running test without a sign of life for longer belongs to nobody."""
MOST_COOKIES = 20
"""Most sessions that a browser keeps and that are looked up; a shared computer opens hundreds."""
_SESSIONS: dict[InvitationKind, SessionKind] = {
    "participant": "participant",
    "leader": "leader",
    "support": "support",
    "organiser": "organiser",
    "room_manager": "room_manager",
}
"""Kind of session by kind of link; calendars and programs have no page."""


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
    """Return the sessions of a browser to look up, the newest first."""
    held = {**held_sessions(cookies or {}, secure=False), **held_sessions(cookies or {}, secure=True)}
    return dict(reversed([*held.items()][-MOST_COOKIES:]))


async def redeem(
    store: Store, *, organisation: str, token: str, now: datetime, cookies: Mapping[str, str] | None = None
) -> tuple[Session, str, bool]:
    """Exchange a link's token for a session. Returns it, its cookie's secret, and whether another link replaced it.

    A replaced link opens only for a caller whose `cookies` prove having opened it before. Raises
    AccessError("link.not_valid") for any token that opens nothing, whatever the reason.
    """
    invitation = await store.find_invitation(organisation, hash_token(token), now)
    if (
        invitation is not None
        and invitation.seen_at is not None
        and not await _has_opened(store, invitation, cookies, now)
    ):
        invitation = None
    session, secret = await _open(store, invitation, now, cookies)
    return session, secret, bool(invitation and invitation.seen_at)


async def _has_opened(store: Store, link: Invitation, cookies: Mapping[str, str] | None, now: datetime) -> bool:
    for session_id, secret in _newest_held(cookies).items():
        session = await store.find_session(session_id, hash_token(secret), now)
        if session is not None and session.invitation_id == link.id:
            return True
    return False


async def redeem_code(
    store: Store,
    contacts: ContactBox,
    *,
    organisation: str,
    code: str,
    now: datetime,
    cookies: Mapping[str, str] | None = None,
) -> tuple[Session, str]:
    """Exchange a letter's code, as typed, for a session, like `redeem`. The caller counts wrong codes."""
    plain = clean_code(code, TYPED_LENGTH) or ""
    return await _open(store, await store.find_code(organisation, hash_code(contacts, plain), now), now, cookies)


async def start_drop_in(store: Store, *, organisation: str, now: datetime) -> tuple[Session, str]:
    """Open a test without meeting or person, if the organisation allows it."""
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


async def start_host_test(
    store: Store, board: Session, now: datetime, cookies: Mapping[str, str] | None = None
) -> tuple[Session, str]:
    """Open the own test of whoever opened `board`, again the same one in the same browser.

    It belongs to the board's link: taking that back closes it, and by it the board knows whose test it was.
    """
    for session_id, secret in _newest_held(cookies).items():
        known = await store.find_session(session_id, hash_token(secret), now)
        if known is not None and known.kind == "host_test" and known.invitation_id == board.invitation_id:
            return known, secret
    session = Session(
        id=secrets.token_urlsafe(SESSION_BYTES),
        kind="host_test",
        organisation_id=board.organisation_id,
        invitation_id=board.invitation_id,
        meeting_id=board.meeting_id,
        participant_id=None,
        expires_at=board.expires_at,
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
        if known is None or known.kind != kind or known.invitation_id != invitation.id:
            continue
        if known.expires_at <= now + LEAST_LEFT:
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
    """Whether another page may share a session: not if one shows phone numbers or is in a test."""
    if session.kind == "leader":
        return not await store.unlocked(session.id, now)
    recent = await store.recent_self_tests(session, now - IN_A_TEST) if session.kind == "participant" else []
    return not any(test.session_id == session.id and test.state == "running" for test in recent)


async def _keep(store: Store, session: Session) -> str:
    secret = secrets.token_urlsafe(SESSION_BYTES)
    await store.add_session(session, hash_token(secret))
    return secret
