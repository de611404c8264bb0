"""What the handlers share: settings, store, media workers, limits and clocks, under typed application keys."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from readiness.access.bandwidth import Load, SpeedGate
from readiness.access.contacts import ContactBox
from readiness.access.limits import CODES_GLOBAL, FailureLimiter
from readiness.access.links import cookie_name, hash_token
from readiness.access.origin import Caller, caller_of
from readiness.errors import AccessError
from readiness.server.admission import Admission
from readiness.server.assets import Assets
from readiness.server.health import Health
from readiness.settings import Settings
from reports.store import Store
from reports.store.records import Session

__all__ = ["SERVICES", "TESTERS", "Services", "caller", "session_of", "utc_now"]

TESTERS = frozenset({"participant", "drop_in"})
"""Kinds of sessions that a self-test belongs to."""


def utc_now() -> datetime:
    """Return the time of day, aware, in UTC. For expiry and display; durations use the monotonic clock."""
    return datetime.now(tz=UTC)


@dataclass(slots=True)
class Services:
    """Made once at start, read by every handler."""

    settings: Settings
    store: Store
    admission: Admission
    assets: Assets
    health: Health
    contacts: ContactBox
    base_url: str = ""
    """Address that links in messages begin with; empty: none can be sent yet."""
    now: Callable[[], datetime] = utc_now
    failures: FailureLimiter = field(default_factory=lambda: FailureLimiter(time.monotonic))
    lookups: FailureLimiter = field(default_factory=lambda: FailureLimiter(time.monotonic))
    """Codes that support asked for in vain, by session."""
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    """The open session sockets by session id: a newer one replaces the older."""
    draining: bool = False
    """Set by SIGTERM: running tests finish, new ones are sent away."""
    speed: SpeedGate = field(init=False)
    codes: FailureLimiter = field(init=False)
    """Typed codes that open nothing; all processes together keep to the one budget."""

    def __post_init__(self) -> None:
        """Let the speed test see how busy the self-tests keep us, and share out the budget of wrong codes."""
        self.codes = FailureLimiter(time.monotonic, max(1, CODES_GLOBAL // self.settings.workers))
        self.speed = SpeedGate(self._load, time.monotonic)

    def _load(self) -> Load:
        pool = self.admission.pool
        return Load(running=pool.live, waiting=self.admission.waiting + self.draining, capacity=pool.capacity)


SERVICES = web.AppKey("services", Services)


def caller(request: web.Request) -> Caller:
    """Return who asks, as far as the network tells."""
    return caller_of(request, request.app[SERVICES].settings.trusted_proxies)


async def session_of(request: web.Request, session_id: str, *, kinds: frozenset[str]) -> Session:
    """Return the session `session_id` where the request holds its cookie. Fetching is authorising.

    Raises AccessError("session.not_valid") for everything else, without telling why.
    """
    services = request.app[SERVICES]
    name = cookie_name(session_id, secure=caller(request).is_secure)
    secret = request.cookies.get(name, "")
    session = await services.store.find_session(session_id, hash_token(secret), services.now())
    if session is None or session.kind not in kinds:
        raise AccessError("session.not_valid")
    return session
