"""The demo's sign-in: pick a role. It exists in a demo on this machine alone and for callers on it, else it is 404.

No provider can be asked in a demo; what follows is the real thing: a member of staff, a session, the role's pages.
"""

from __future__ import annotations

import ipaddress
from typing import Final, get_args

from aiohttp import web

from readiness.access.contacts import ContactBox
from readiness.access.providers import is_loopback
from readiness.access.sign_in import STAFF_SESSION, Opened, new_session
from readiness.access.tokens import hash_token
from readiness.demo import DEMO_SLUG, demo_leader
from readiness.errors import AccessError
from readiness.server.services import SERVICES, Services, caller, set_session_cookie
from readiness.settings import Settings
from reports.store.records import Organisation, StaffRole, new_id
from reports.store.staff_records import Staff

__all__ = ["ROLES", "is_local", "is_offered", "routes"]

routes = web.RouteTableDef()
ROLES: Final[tuple[StaffRole, ...]] = get_args(StaffRole)
_OF_PROXIES: Final = ("Forwarded", "X-Real-IP", "Via")
"""Headers that no browser sends by itself, besides ``X-Forwarded-…``: with one of them a proxy stands between."""


def is_local(settings: Settings, bound: str) -> bool:
    """Return whether a server bound to this address is reached from this machine only, by no name and no proxy."""
    if settings.trusted_proxies or (settings.public_url and not is_loopback(settings.public_url)):
        return False
    return _is_loopback(bound)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def is_offered(request: web.Request, organisation: Organisation | None) -> bool:
    """Return whether this caller may pick a role: a demo on this machine, asked from it, by its own name and directly.

    A proxy on this machine that rewrites ``Host`` and adds nothing can't be seen.
    """
    services = request.app[SERVICES]
    if not services.demo_sign_in or organisation is None or organisation.slug != DEMO_SLUG:
        return False
    if any(name in request.headers for name in _OF_PROXIES) or any(
        name.lower().startswith("x-forwarded-") for name in request.headers
    ):
        return False
    who = caller(request)
    return _is_loopback(who.address) and is_loopback(who.origin)


@routes.post("/o/{organisation}/demo/{name}")
async def pick(request: web.Request) -> web.Response:
    """Open a session of staff with one role."""
    services = request.app[SERVICES]
    organisation = await services.store.organisation(request.match_info["organisation"])
    role = next((one for one in ROLES if one == request.match_info["name"]), None)
    if organisation is None or role is None or not is_offered(request, organisation):
        raise AccessError("page.not_found")
    opened = await _open(services, organisation, role)
    reply = web.Response(status=303, headers={"Location": f"/staff/{opened.session.id}"})
    set_session_cookie(request, reply, opened.session, opened.secret)
    return reply


async def _open(services: Services, organisation: Organisation, role: StaffRole) -> Opened:
    now = services.now()
    led_by = demo_leader(services.contacts) if role == "leader" else None
    identity = _identity(services.contacts, role)
    who = Staff(new_id(), organisation.id, identity, "demo", "Demo", (role,), now, person_hash=led_by)
    session, secret = new_session(organisation.id, now + STAFF_SESSION)
    await services.store.open_staff_session(who, session, hash_token(secret), None)
    return Opened(session, secret)


def _identity(contacts: ContactBox, role: StaffRole) -> bytes:
    return contacts.derive("staff", f"demo\0{role}")
