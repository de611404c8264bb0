"""The JSON API that the pages use: redeem a link, start a drop-in test, look at a session, read and watch a board."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.access.links import renew_seen
from readiness.access.sessions import (
    MOST_COOKIES,
    cookie_name,
    held_sessions,
    redeem,
    redeem_code,
    start_drop_in,
    start_host_test,
)
from readiness.errors import AccessError, InputError
from readiness.meetings.clinics import clinic_contact, clinic_phone
from readiness.server.board import LEADERS, board_json, day_of, opened_by_link, organisation_json
from readiness.server.bodies import json_body
from readiness.server.owner import LIVE_WITHIN, unfinished_of
from readiness.server.participant import asked_of, page_questions, people_at, session_extras
from readiness.server.services import SERVICES, Services, caller, session_of, set_session_cookie
from readiness.server.streams import HEADERS, counted, next_change, say, say_nothing
from reports.kinds import TESTERS
from reports.model import rfc3339
from reports.store.records import Meeting, Session

__all__ = ["routes"]

routes = web.RouteTableDef()
log = logging.getLogger(__name__)
LINKED = frozenset({"participant", "leader", "support", "organiser", "room_manager"})
"""Kinds of session that a link opens."""
FOLDERS = {"leader": "board", "support": "support", "organiser": "plan", "room_manager": "rooms"}
"""Path of the page by kind of session; all others have the self-test."""


@routes.post("/api/v1/links/redeem")
async def redeem_link(request: web.Request) -> web.Response:
    """Exchange the token of a link, or the code of a letter, for a session; its public id names the cookie."""
    services = request.app[SERVICES]
    body = await json_body(request)
    organisation, token, code = body.get("organisation"), body.get("token"), body.get("code")
    if not isinstance(organisation, str) or not isinstance(code if token is None else token, str):
        raise InputError("request.malformed")
    if token is None:
        session, secret = await _redeem_code(request, services, organisation, str(code))
        return _opened(request, session, secret)
    try:
        session, secret, is_replaced = await redeem(
            services.store, organisation=organisation, token=token, now=services.now(), cookies=request.cookies
        )
    except AccessError:
        services.failures.failed(caller(request).address)
        raise
    return _opened(request, session, secret, is_replaced=is_replaced)


@routes.post("/api/v1/sessions/{session}/link")
async def renew_link(request: web.Request) -> web.Response:
    """Revoke the link that opened this session, for everybody else, and return its replacement.

    The page calls this at a person's first press if the token was in the path of the address, where servers and proxies
    could read it. A mail scanner presses nothing, so it takes nobody's link away.
    """
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=LINKED)
    await json_body(request)
    base_url = services.base_url or caller(request).origin
    link = await renew_seen(services.store, services.contacts, session, base_url=base_url, now=services.now())
    return web.json_response({"link": link})


async def _redeem_code(request: web.Request, services: Services, organisation: str, code: str) -> tuple[Session, str]:
    """Count the attempt before the look-up, so that parallel guesses all count; uncount it if the code is valid."""
    address = caller(request).address
    known = await services.store.organisation(organisation)
    codes = services.codes_of(known.id if known else None)
    codes.failed(address)
    opened = await redeem_code(
        services.store,
        services.contacts,
        organisation=organisation,
        code=code,
        now=services.now(),
        cookies=request.cookies,
    )
    codes.forgive(address)
    return opened


@routes.post("/api/v1/organisations/{organisation}/try")
async def try_it(request: web.Request) -> web.Response:
    """Start a drop-in test: its report has a code and no person, and is kept for 24 h."""
    services = request.app[SERVICES]
    await json_body(request)
    organisation = request.match_info["organisation"]
    services.beginnings.take(caller(request).address)
    session, secret = await start_drop_in(services.store, organisation=organisation, now=services.now())
    return _opened(request, session, secret)


@routes.post("/api/v1/boards/{session}/test")
async def test_as_host(request: web.Request) -> web.Response:
    """Open the own test of the leader or technical host whose board this is."""
    services = request.app[SERVICES]
    board = await session_of(request, request.match_info["session"], kinds=LEADERS)
    await json_body(request)
    services.beginnings.take(caller(request).address)
    board = await opened_by_link(services, board)
    session, secret = await start_host_test(services.store, board, services.now(), request.cookies)
    return _opened(request, session, secret)


@routes.get("/api/v1/sessions/{session}")
async def look_at_session(request: web.Request) -> web.Response:
    """Return the data that the self-test page shows before the start, with the session's last report."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=TESTERS)
    is_secure = caller(request).is_secure
    known = await _session_json(services, session)
    if not known["over"]:
        known["unfinished"] = await unfinished_of(
            services, session, lambda other: request.cookies.get(cookie_name(other, secure=is_secure), "")
        )
    return web.json_response(known)


@routes.delete("/api/v1/sessions/{session}/report")
async def delete_own_report(request: web.Request) -> web.Response:
    """Delete at once the tests that the session may see of its person, and the phone number: the person's right."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=TESTERS)
    actor, idle_since = actor_of(session), services.now() - LIVE_WITHIN
    if not await services.store.delete_everything_of(actor, session.id, idle_since):
        raise AccessError("report.not_found")
    return web.json_response({"deleted": True})


@routes.get("/api/v1/boards/{session}")
async def look_at_board(request: web.Request) -> web.Response:
    """Return the leader's board: one meeting and the leader's other meetings of the day."""
    session = await session_of(request, request.match_info["session"], kinds=LEADERS)
    return web.json_response(await board_json(request.app[SERVICES], session))


@routes.get("/api/v1/boards/{session}/events", name="stream.board")
async def watch_board(request: web.Request) -> web.StreamResponse:
    """Send the board as server-sent events: once at the start, then after every change."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=LEADERS)
    day = await day_of(services, session)
    response = web.StreamResponse(headers=HEADERS)
    async with counted(services, session.id), services.store.watch(*(one.id for one in day.meetings)) as changes:
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the leader closed the page
            await say(response, "board", await board_json(services, session))
            while not services.draining:
                changed = await next_change(changes)
                try:
                    session = await session_of(request, session.id, kinds=LEADERS)
                    board = await board_json(services, session) if changed else None
                except AccessError:  # also of who signed in and leads nothing any more
                    await say(response, "closed")
                    break
                if board is not None:
                    await say(response, "board", board)
                else:
                    await say_nothing(response)
    return response


@routes.post("/api/v1/csp-reports")
async def csp_report(request: web.Request) -> web.Response:
    """Count a browser's report of refused content without reading it; the log has the number once a minute."""
    request.app[SERVICES].csp_reports += 1
    return web.Response(status=204)


def _opened(request: web.Request, session: Session, secret: str, *, is_replaced: bool = False) -> web.Response:
    who = caller(request)
    path = f"/{FOLDERS.get(session.kind, 't')}/{session.id}"
    told = {"session": session.id, "kind": session.kind, "path": path} | ({"replaced": True} if is_replaced else {})
    response = web.json_response(told)
    set_session_cookie(request, response, session, secret)
    others = [one for one in held_sessions(request.cookies, secure=who.is_secure) if one != session.id]
    for one in others[: max(0, len(others) + 1 - MOST_COOKIES)]:
        response.del_cookie(
            cookie_name(one, secure=who.is_secure), path="/", secure=who.is_secure, httponly=True, samesite="Lax"
        )
    return response


async def _session_json(services: Services, session: Session) -> dict[str, Any]:
    store, actor = services.store, actor_of(session)
    organisation = await store.organisation_by_id(session.organisation_id)
    meeting = await store.meeting(actor, session.meeting_id) if session.meeting_id else None
    participant = await store.participant(actor, session.participant_id) if session.participant_id else None
    report = await store.report_for_session(actor, session.id)
    return {
        "session": session.id,
        "kind": session.kind,
        "locale": participant.locale if participant else None,
        "organisation": _called(organisation_json(organisation, services.now()), meeting),
        "meeting": meeting
        and {
            "starts_at": rfc3339(meeting.starts_at),
            "ends_at": rfc3339(meeting.ends_at),
            "time_zone": organisation.time_zone if organisation else "UTC",
            "state": meeting.state,
            "clinic_phone": clinic_phone(meeting, organisation) if organisation else meeting.clinic_phone,
            "contact": clinic_contact(meeting, organisation) if organisation else meeting.contact,
        },
        "practical": page_questions(meeting.practical) if meeting and participant else [],
        "expected_people": people_at(meeting, participant),
        "last_report": report.body if report else None,
        "service_ready": services.health.is_well and not services.draining,
        **session_extras(services, session, meeting, organisation, report),
        "followed": await store.following_of(actor, session.id, services.now()) is not None,
        "after": asked_of(meeting, await store.feedback_for(session), services.now()) if participant else None,
    }


def _called(organisation: dict[str, Any] | None, meeting: Meeting | None) -> dict[str, Any] | None:
    """Return the organisation with the number for technical help of this very meeting, where it has one of its own."""
    if organisation is None or meeting is None or not meeting.support_phone:
        return organisation
    return organisation | {"support_phone": meeting.support_phone, "opens_at": None}
