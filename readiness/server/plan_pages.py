"""The organiser's pages: a shell with the available choices; everything about meetings comes from the API.

A GET changes nothing. A page is shown only to the session in its address.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.errors import AccessError
from readiness.meetings.values import LONGEST_LABEL, LONGEST_PHONE, LONGEST_TITLE, MOST_TOGETHER, ROLES
from readiness.reach import LONGEST_MAIL
from readiness.server.pages import organisation_of_path, render_page
from readiness.server.participant import page_questions
from readiness.server.services import SERVICES, session_of
from readiness.typed import LONGEST_LINK
from reports.profile import load_profile, profile_names
from reports.solution import load_solution, solution_names

__all__ = ["routes"]

routes = web.RouteTableDef()
ORGANISERS = frozenset({"organiser"})
PLAN = "plan/index.html"
PRACTICAL = "practical."
LIMITS = {
    "title": {"maxlength": LONGEST_TITLE},
    "label": {"maxlength": LONGEST_LABEL},
    "mail": {"maxlength": LONGEST_MAIL},
    "phone": {"maxlength": LONGEST_PHONE},
    "support_phone": {"maxlength": LONGEST_PHONE},
    "clinic_phone": {"maxlength": LONGEST_PHONE},
    "contact": {"maxlength": LONGEST_LABEL},
    "assessed_by": {"maxlength": LONGEST_LABEL},
    "companion": {"maxlength": LONGEST_LABEL},
    "interprets": {"maxlength": LONGEST_LABEL},
    "unit": {"maxlength": LONGEST_LABEL},
    "join_from": {"maxlength": LONGEST_LABEL},
    "join_link": {"maxlength": LONGEST_LINK},
    "together": {"min": 1, "max": MOST_TOGETHER},
}
"""Attributes of the page's fields, by the planner's limits, so that the form accepts nothing that the planner
rejects."""


@routes.get("/o/{organisation}/plan")
async def plan_by_link(request: web.Request) -> web.Response:
    """The page for an organiser's link (its token stays in the fragment); it then opens ``/plan/<session>``."""
    return render_page(request, PLAN, await organisation_of_path(request), {"view": None})


@routes.get("/plan/{session}")
async def list_page(request: web.Request) -> web.Response:
    """Show the meetings of today and later."""
    return await _page(request, "list")


@routes.get("/plan/{session}/new")
async def new_page(request: web.Request) -> web.Response:
    """Show the form for a new meeting."""
    return await _page(request, "new")


@routes.get("/plan/{session}/import")
async def import_page(request: web.Request) -> web.Response:
    """Show the page for importing many meetings from a file."""
    return await _page(request, "import")


@routes.get("/plan/{session}/meetings/{meeting}")
async def meeting_page(request: web.Request) -> web.Response:
    """Show one meeting; the API says whether it exists."""
    return await _page(request, "meeting")


async def _page(request: web.Request, name: str) -> web.Response:
    session = await session_of(request, request.match_info["session"], kinds=ORGANISERS)
    organisation = await request.app[SERVICES].store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    actor = actor_of(session).only("organiser")
    asked, profile = request.query.get("lang"), load_profile("consultation")
    view: dict[str, Any] = {
        "name": name,
        "session": session.id,
        "meeting": request.match_info.get("meeting", ""),
        "time_zone": organisation.time_zone,
        "asked_language": asked if asked in organisation.languages else None,
        "roles": ROLES,
        "profiles": profile_names(),
        "solutions": [load_solution(name) for name in solution_names()],
        "practical": page_questions(one.removeprefix(PRACTICAL) for one in profile.checks if one.startswith(PRACTICAL)),
        "asked": profile.practical,
        "limits": LIMITS,
        "is_of_units": actor.scope("meeting.change").units is not None,
        "units": await request.app[SERVICES].store.units(actor),
        "rooms": await request.app[SERVICES].store.rooms_to_invite(actor),
    }
    return render_page(request, PLAN, organisation, {"view": view}, compress=False)
