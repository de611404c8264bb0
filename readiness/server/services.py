"""Services that the handlers share: settings, store, media workers, limits and clocks, under typed application keys."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from readiness.access.bandwidth import WEIGHT, Load, SpeedGate
from readiness.access.contacts import ContactBox
from readiness.access.limits import CODES_GLOBAL, CODES_RESERVE, FailureLimiter, PrefixBuckets
from readiness.access.origin import Caller, caller_of
from readiness.access.sessions import cookie_name
from readiness.access.sign_in import SignIn
from readiness.access.tokens import hash_token
from readiness.errors import AccessError
from readiness.media.chores import Chores
from readiness.server.admission import Admission
from readiness.server.assets import Assets
from readiness.server.door import Door
from readiness.server.health import Health
from readiness.server.strict import is_id
from readiness.server.voices import Voices
from readiness.settings import Settings
from reports.store import Store
from reports.store.records import Session

__all__ = ["SERVICES", "Nameless", "Services", "caller", "session_of", "set_session_cookie", "utc_now"]

SEEN_EVERY = timedelta(minutes=1)
"""How often it is noted that a page of staff is in use."""

ROOM_RESULTS_PER_S: Final = 1 / 60
ROOM_RESULTS_BURST: Final = 1_500
"""A room that was cut off for a week hands in a thousand at once; else it has a few a day."""
ROOM_OPENINGS_BURST: Final = 30
"""Keys and tests of the line: one of each with a check."""


def utc_now() -> datetime:
    """Return the time of day, aware, in UTC. For expiry and display; durations use the monotonic clock."""
    return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True)
class Nameless:
    """A session socket that has not said hello: its origin, and its start by the monotonic clock."""

    prefix: str
    since_s: float
    request: web.Request

    def abort(self) -> None:
        """Cut it off."""
        if self.request.transport is not None:
            self.request.transport.abort()


@dataclass(slots=True)
class Services:
    """Created once at start, used by every handler."""

    settings: Settings
    store: Store
    admission: Admission
    assets: Assets
    health: Health
    contacts: ContactBox
    sign_in: SignIn
    voices: Voices = field(default_factory=Voices)
    demo_sign_in: bool = False
    """Whether staff of the demo may pick a role; only on a server that nobody else can reach."""
    base_url: str = ""
    """Base address of links in messages; while it is empty no message can be sent."""
    now: Callable[[], datetime] = utc_now
    beginnings: PrefixBuckets = field(default_factory=lambda: PrefixBuckets(time.monotonic))
    """Limits new drop-in tests: each leaves a row for two days."""
    room_results: PrefixBuckets = field(
        default_factory=lambda: PrefixBuckets(time.monotonic, rate_per_s=ROOM_RESULTS_PER_S, burst=ROOM_RESULTS_BURST)
    )
    """Limits what one room's key can store, by room."""
    room_openings: PrefixBuckets = field(
        default_factory=lambda: PrefixBuckets(time.monotonic, rate_per_s=ROOM_RESULTS_PER_S, burst=ROOM_OPENINGS_BURST)
    )
    """Limits keys and tests of the line, by room: each leaves a row."""
    sign_ins: PrefixBuckets = field(default_factory=lambda: PrefixBuckets(time.monotonic))
    """Limits attempts to sign in: each leaves a row for ten minutes, and asks a provider."""
    csp_reports: int = 0
    """Reports of refused content since they were last logged."""
    failures: FailureLimiter = field(default_factory=lambda: FailureLimiter(time.monotonic))
    lookups: FailureLimiter = field(default_factory=lambda: FailureLimiter(time.monotonic))
    """Wrong codes typed by support, by session."""
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    """Open session sockets by session id; a newer one replaces the older."""
    nameless: dict[web.WebSocketResponse, Nameless] = field(default_factory=dict)
    """Session sockets that have not said hello, oldest first."""
    streams: Counter[str] = field(default_factory=Counter)
    """Open event streams by session id."""
    door: Door = field(default_factory=Door)
    draining: bool = False
    """Set by SIGTERM: running tests finish, new ones are turned away."""
    speed: SpeedGate = field(init=False)
    codes: FailureLimiter = field(init=False)
    """Counts typed codes for unknown organisations; all processes share one budget."""
    codes_by_organisation: dict[str, FailureLimiter] = field(default_factory=dict)
    """Counts wrong codes, with a budget per organisation."""

    def __post_init__(self) -> None:
        """Give the speed test access to the load of self-tests; divide the budget of wrong codes among processes."""
        self.codes = self._code_limiter()
        self.speed = SpeedGate(self._load, time.monotonic)
        self.admission.spoken_for = lambda: WEIGHT * self.speed.invited_runs

    def codes_of(self, organisation_id: str | None) -> FailureLimiter:
        """Return the counter of an organisation's wrong codes; unknown organisations share one."""
        if organisation_id is None:
            return self.codes
        return self.codes_by_organisation.setdefault(organisation_id, self._code_limiter())

    def _code_limiter(self) -> FailureLimiter:
        most = max(2, CODES_GLOBAL // self.settings.workers)
        reserve = max(1, most * CODES_RESERVE // CODES_GLOBAL)
        return FailureLimiter(time.monotonic, most - reserve, reserve=reserve)

    @property
    def chores(self) -> Chores:
        """Runs pieces of work in confined processes."""
        return self.admission.pool.chores

    def _load(self) -> Load:
        door = self.admission
        return Load(
            running=door.pool.live,
            waiting=door.waiting + self.draining,
            capacity=door.pool.capacity,
            guests_running=door.running_guests,
            guests_waiting=door.waiting_guests,
        )


SERVICES = web.AppKey("services", Services)


def caller(request: web.Request) -> Caller:
    """Return the caller, as far as the network identifies it."""
    settings = request.app[SERVICES].settings
    return caller_of(request, settings.trusted_proxies, settings.public_url)


def set_session_cookie(request: web.Request, reply: web.Response, opened: Session, secret: str) -> None:
    """Give the browser the cookie of a session, for as long as the session lasts."""
    is_secure = caller(request).is_secure
    reply.set_cookie(
        cookie_name(opened.id, secure=is_secure),
        secret,
        path="/",
        httponly=True,
        secure=is_secure,
        samesite="Lax",
        max_age=max(0, int((opened.expires_at - request.app[SERVICES].now()).total_seconds())),
    )


async def session_of(request: web.Request, session_id: str, *, kinds: frozenset[str]) -> Session:
    """Return the session `session_id` if the request has its cookie. Fetching is authorising.

    Raises AccessError("session.not_valid") otherwise, without saying why.
    """
    services = request.app[SERVICES]
    is_secure, now = caller(request).is_secure, services.now()
    if not is_id(session_id):
        raise AccessError("session.not_valid")
    secret = request.cookies.get(cookie_name(session_id, secure=is_secure), "")
    session = await services.store.find_session(session_id, hash_token(secret), now)
    if session is None or kinds.isdisjoint({session.kind, *session.roles}):
        raise AccessError("session.not_valid")
    looks_by_itself = request.method == "GET" and request.path.startswith("/api/")  # an open page, used by nobody
    if not looks_by_itself and session.seen_at is not None and session.seen_at < now - SEEN_EVERY:
        await services.store.touch_session(session.id, now)
    return session
