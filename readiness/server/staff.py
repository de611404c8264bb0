"""Staff's own pages: sign in at a provider, what one may open, sign out. Rendered on the server; no script.

From a form of ours the browser may not be sent elsewhere (``form-action 'self'``, which holds for every redirect that
follows): the answer to one is a page that goes on by itself, with a link for who does not like to wait.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from readiness.access.sessions import cookie_name
from readiness.access.sign_in import NoRole, attempt_cookie, held_attempts
from readiness.errors import AccessError, InputError
from readiness.server.bodies import form_body
from readiness.server.demo_staff import ROLES as DEMO_ROLES
from readiness.server.demo_staff import is_offered
from readiness.server.pages import organisation_of_path, render_page
from readiness.server.services import SERVICES, caller, session_of, set_session_cookie
from reports.store.records import Organisation, Session

__all__ = ["routes"]

routes = web.RouteTableDef()
PAGE: Final = "staff/index.html"
STAFF: Final = frozenset({"staff"})
OFFICES: Final = {
    "administrator": "settings",
    "support": "support",
    "organiser": "plan",
    "leader": "board",
    "room_manager": "rooms",
    "reader": "overview",
}
"""The page that a role opens, by the beginning of its path."""
MOST_TOKEN_BYTES: Final = 96 * 1024
MOST_ATTEMPTS: Final = 5
"""Most attempts that a browser holds at once; the oldest goes."""


def _own(request: web.Request, path: str) -> str:
    """Return an address of ours as the provider has it registered."""
    return f"{request.app[SERVICES].settings.public_url or caller(request).origin}{path}"


def _back(request: web.Request) -> str:
    return _own(request, f"/sign-in/{request.match_info['name']}/callback")


def _page(request: web.Request, organisation: Organisation | None, state: str, **values: Any) -> web.Response:
    return render_page(request, PAGE, organisation, {"state": state, **values}, compress=False)


@routes.get("/o/{organisation}/staff")
async def choose(request: web.Request) -> web.Response:
    """Show where staff of this organisation sign in. Nothing is asked of anybody yet."""
    organisation = await organisation_of_path(request)
    providers = request.app[SERVICES].sign_in.providers_of(organisation)
    roles = DEMO_ROLES if is_offered(request, organisation) else ()
    if not providers and not roles:
        raise AccessError("page.not_found")
    return _page(request, organisation, "choose", providers=providers, roles=roles)


@routes.post("/o/{organisation}/staff/{name}")
async def begin(request: web.Request) -> web.Response:
    """Begin to sign in at one provider: a cookie for this attempt, and a page that goes there."""
    services, organisation = request.app[SERVICES], await organisation_of_path(request)
    who = caller(request)
    services.sign_ins.take(who.address)
    begun = await services.sign_in.begin(request.match_info["name"], organisation, _back(request))
    page = _page(request, organisation, "going", address=begun.address)
    life = {"path": "/", "httponly": True, "secure": who.is_secure, "samesite": "Lax"}
    page.set_cookie(attempt_cookie(begun.state, secure=who.is_secure), begun.secret, max_age=600, **life)  # type: ignore[arg-type]
    for name in [*held_attempts(request.cookies, secure=who.is_secure)][: 1 - MOST_ATTEMPTS]:
        page.del_cookie(name, path="/", secure=who.is_secure, httponly=True, samesite="Lax")
    return page


@routes.get("/sign-in/{name}/callback")
async def finish(request: web.Request) -> web.StreamResponse:
    """Take the provider's answer, once, from the browser that began: open the session, or say whom to ask."""
    services, who = request.app[SERVICES], caller(request)
    if len(request.query) != len(set(request.query)):
        raise InputError("request.malformed")
    try:
        opened = await services.sign_in.finish(
            request.match_info["name"], dict(request.query), request.cookies, _back(request), secure=who.is_secure
        )
    except NoRole as refused:
        organisation = await services.store.organisation_by_id(refused.organisation_id)
        page = _page(request, organisation, "no_role", ask=refused.provider.ask, title=refused.provider.title)
        page.set_status(403)
        return page
    reply = web.Response(status=303, headers={"Location": f"/staff/{opened.session.id}"})
    set_session_cookie(request, reply, opened.session, opened.secret)
    state = request.query.get("state", "")
    reply.del_cookie(
        attempt_cookie(state, secure=who.is_secure), path="/", secure=who.is_secure, httponly=True, samesite="Lax"
    )
    return reply


@routes.get("/staff/{session}")
async def signed_in(request: web.Request) -> web.Response:
    """Show who is signed in, and what the person may open."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=STAFF)
    organisation = await services.store.organisation_by_id(session.organisation_id)
    who = await services.store.staff_of(session)
    return _page(
        request, organisation, "in", session=session.id, name=who.name if who else "", offices=_offices(session)
    )


def _offices(session: Session) -> list[tuple[str, str]]:
    return [(role, f"/{OFFICES[role]}/{session.id}") for role in session.roles]


@routes.post("/staff/{session}/sign-out")
async def sign_out(request: web.Request) -> web.Response:
    """Close the session here at once, then go to the provider to end its own."""
    services, who = request.app[SERVICES], caller(request)
    session = await session_of(request, request.match_info["session"], kinds=STAFF)
    await form_body(request)
    organisation = await services.store.organisation_by_id(session.organisation_id)
    address = await services.sign_in.sign_out(session, request.cookies, _own(request, "/sign-in/signed-out"))
    page = _page(request, organisation, "out" if address is None else "leaving", address=address or "")
    for name in (cookie_name(session.id, secure=who.is_secure), *held_attempts(request.cookies, secure=who.is_secure)):
        page.del_cookie(name, path="/", secure=who.is_secure, httponly=True, samesite="Lax")
    return page


@routes.get("/sign-in/signed-out")
async def signed_out(request: web.Request) -> web.Response:
    """Say that one is signed out: where the provider sends the browser afterwards."""
    return _page(request, request.app[SERVICES].health.organisation, "out", address="")


@routes.post("/sign-in/{name}/back-channel")
async def end_from_provider(request: web.Request) -> web.Response:
    """Close what the provider has signed out, by its signed token; it asks by itself, without a browser."""
    token = (await form_body(request, MOST_TOKEN_BYTES)).get("logout_token", "")
    try:
        await request.app[SERVICES].sign_in.end_from_provider(request.match_info["name"], token)
    except AccessError as error:
        if error.code == "page.not_found":
            raise
        raise InputError("sign_in.not_valid") from None
    return web.Response(status=200)
