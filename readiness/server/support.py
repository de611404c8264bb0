"""Support's pages: who needs help now, a report by the code that is read out, a person by number or name.

Rendered completely on the server, so that they work without a script, which only adds news, sound and keys. Only the
session's own organisation is looked in. A GET changes nothing. What is searched for never stands in an address: names
and numbers are posted, and the answer leads on by ids.
"""

from __future__ import annotations

import contextlib

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.access.sessions import MOST_COOKIES, held_sessions
from readiness.errors import AccessError
from readiness.meetings.addresses import called_number, phone_hash
from readiness.server.bodies import form_body
from readiness.server.desk_view import LONGEST_TYPED, MOST_FOUND, SUPPORTERS, Desk, desk_for
from readiness.server.services import caller, session_of
from readiness.server.streams import HEADERS, counted, next_change, say, say_nothing
from readiness.server.strict import is_id
from reports.store.desk_records import FoundPerson, desk_of
from reports.store.follow_records import Following
from reports.store.records import StoredReport, clean_code

__all__ = ["routes"]

routes = web.RouteTableDef()
LEAST_NAME = 2
"""Fewest letters of a name that is looked for."""
LOOK_EVERY = 5
"""Every so many times that a stream finds no change it looks all the same: time alone brings people on the list."""


@routes.get("/support/call")
async def call(request: web.Request) -> web.Response:
    """Open who calls from ``?number=``, for switchboards: in the newest page of support that this browser has open."""
    is_secure = caller(request).is_secure
    for session_id in [*held_sessions(request.cookies, secure=is_secure)][: -MOST_COOKIES - 1 : -1]:
        with contextlib.suppress(AccessError):
            desk = await desk_for(request, session_id)
            return await _searched(desk, request.query.get("number", ""), by_number=True)
    raise AccessError("session.not_valid")


@routes.get("/support/{session}")
async def support_page(request: web.Request) -> web.Response:
    """Show the list; with ``?person=`` a case, with ``?code=`` a report, with ``?who=`` whom a search found.

    With ``?follow=`` somebody who lets support follow a test: the case where there is a meeting.
    """
    desk = await desk_for(request)
    if "person" in request.query:
        return await desk.person_page(request.query["person"])
    if "follow" in request.query:
        return await desk.follow_page(request.query["follow"])
    typed = request.query.get("code", "").strip()
    if typed:
        code = clean_code(typed)
        if code is None:
            return await desk.page(status=400, problem="malformed", typed=typed)
        report = await desk.services.store.report_by_code(desk.actor, code)
        return await desk.report_page(report) if report else await _unknown(desk, typed)
    ids = [one for one in request.query.get("who", "").split(".")[:MOST_FOUND] if is_id(one)]
    found = await desk.services.store.people(desk.actor, ids, desk.now) if ids else []
    return await desk.page(found=found)


async def _unknown(desk: Desk, typed: str, problem: str = "unknown") -> web.Response:
    """Count a search that found nothing, and say so. Raises LimitError for anyone guessing."""
    desk.services.lookups.failed(desk.session.id)
    return await desk.page(status=404, problem=problem, typed=typed)


@routes.post("/support/{session}/find")
async def find(request: web.Request) -> web.Response:
    """Look for a report's code, a phone number or a name, and go on to what was found."""
    desk = await desk_for(request)
    form = await form_body(request)
    desk.asked = desk.kept(form)
    return await _searched(desk, form.get("q", ""))


async def _searched(desk: Desk, typed: str, *, by_number: bool = False) -> web.Response:
    typed = typed.strip()[:LONGEST_TYPED]
    if not typed:
        return await desk.page(status=404 if by_number else 400, problem="number" if by_number else "nothing")
    report = None if by_number else await _report_of(desk, typed)
    if report is not None:
        raise web.HTTPSeeOther(desk.address(desk.asked, code=report.code))
    followed = None if by_number else await _followed_by(desk, typed)
    if followed is not None:
        raise web.HTTPSeeOther(desk.address(desk.asked, follow=followed.id))
    found = await _people_of(desk, typed, by_number=by_number)
    if not found:
        problem = "number" if by_number else "unknown" if clean_code(typed) else "nothing"
        return await _unknown(desk, "" if by_number else typed, problem)
    if len(found) == 1:
        raise web.HTTPSeeOther(desk.address(desk.asked, person=found[0].participant.id))
    raise web.HTTPSeeOther(desk.address(desk.asked, who=".".join(one.participant.id for one in found)))


async def _report_of(desk: Desk, typed: str) -> StoredReport | None:
    code = clean_code(typed)
    return None if code is None else await desk.services.store.report_by_code(desk.actor, code)


async def _followed_by(desk: Desk, typed: str) -> Following | None:
    """Return who lets support follow a test and reads out this code."""
    code = clean_code(typed)
    if code is None:
        return None
    followed = await desk.services.store.followings(desk.actor, desk.now)
    return next((one for one in followed if one.code == code), None)


async def _people_of(desk: Desk, typed: str, *, by_number: bool) -> list[FoundPerson]:
    """Return whom a number belongs to; of nobody's, unless it must be a number, whose label holds what was typed."""
    store, contacts = desk.services.store, desk.services.contacts
    number = called_number(typed, desk.organisation) or called_number(f"+{typed}", desk.organisation)
    hashed = phone_hash(contacts, number)
    found = await store.find_by_phone(desk.actor, hashed, desk.now) if hashed is not None else []
    if found:
        return found
    return [] if by_number or len(typed) < LEAST_NAME else await store.find_by_label(desk.actor, typed, desk.now)


@routes.get("/api/v1/desks/{session}/events", name="stream.desk")
async def watch_desk(request: web.Request) -> web.StreamResponse:
    """Send how the list stands as server-sent events: at the start, after every change, and now and then."""
    desk = await desk_for(request)
    services, session = desk.services, desk.session
    response = web.StreamResponse(headers=HEADERS)
    watched = desk_of(session.organisation_id)
    async with counted(services, session.id), services.store.watch(watched) as changes:
        await response.prepare(request)
        quiet = 0
        with contextlib.suppress(ConnectionError):  # the page was closed
            await say(response, "desk", await desk.events())
            while not services.draining:
                changed = await next_change(changes)
                try:
                    session = await session_of(request, session.id, kinds=SUPPORTERS)
                    desk.actor = actor_of(session)  # another sign-in may have changed the units
                except AccessError:
                    await say(response, "closed")
                    break
                quiet = 0 if changed else quiet + 1
                if changed or quiet % LOOK_EVERY == 0:
                    await say(response, "desk", await desk.events())
                else:
                    await say_nothing(response)
    return response
