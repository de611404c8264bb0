"""A test whose line never opens: the page tells it by an ordinary request, so that support sees it and has a code.

The page goes on trying; a test that begins after all gives a newer report.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from aiohttp import web

from readiness import __version__
from readiness.access.actors import actor_of
from readiness.errors import AccessError, InputError
from readiness.logs import log_event
from readiness.server.bodies import MAX_BODY_BYTES, raw_body
from readiness.server.ending import keep_report
from readiness.server.protocol import parse_message
from readiness.server.services import SERVICES, Services, session_of
from reports.assembly import Ending, make_report
from reports.kinds import TESTERS, kind_of, solution_of
from reports.limits import limits_phase
from reports.store.records import Meeting, SelfTest, Session, new_code, new_id
from reports.validity import is_over

__all__ = ["routes"]

routes = web.RouteTableDef()
log = logging.getLogger(__name__)
CAUSE = "socket_blocked"
ONCE_IN = timedelta(minutes=10)
"""A page that keeps trying reports once: within this time it gets the same report."""


@routes.post("/api/v1/sessions/{session}/blocked")
async def line_is_blocked(request: web.Request) -> web.Response:
    """Store an incomplete report of a test that could not begin. The body is the `hello` that did not get through."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=TESTERS)
    if request.content_type != "application/json":
        raise InputError("request.not_json")
    raw = await raw_body(request, MAX_BODY_BYTES)
    hello = parse_message(raw.decode("utf-8", "replace"))
    if hello["type"] != "hello" or hello["session"] != session.id:
        raise InputError("request.malformed")
    meeting = await services.store.meeting(actor_of(session), session.meeting_id) if session.meeting_id else None
    if meeting is not None and is_over(meeting, services.now()):
        raise AccessError("meeting.over")
    return web.json_response({"report": await _report(services, session, meeting, hello["client"])})


async def _report(
    services: Services, session: Session, meeting: Meeting | None, client: dict[str, Any]
) -> dict[str, Any]:
    now = services.now()
    last = await services.store.report_for_session(actor_of(session), session.id)
    if last is not None and last.body.get("cause") == CAUSE and last.created_at > now - ONCE_IN:
        return dict(last.body)
    log_event(log, logging.WARNING, "selftest.blocked")
    kind = kind_of(session.kind)
    profile = kind.profile_of(meeting)
    test = SelfTest(
        id=new_id(),
        session_id=session.id,
        organisation_id=session.organisation_id,
        participant_id=session.participant_id,
        profile=profile.name,
        state="incomplete",  # it never began, so nobody can take it over
        started_at=now,
        updated_at=now,
        client={name: str(value)[:40] for name, value in client.items()},
    )
    await services.store.start_self_test(test)
    ending = Ending(
        kind=kind,
        report_id=test.id,
        code=new_code(),
        started_at=now,
        now=now,
        duration_s=0.0,
        client=dict(test.client),
        bytes_up=0,
        bytes_down=0,
        software_version=__version__,
        ended_in="connect",
        cause=CAUSE,
        solution=solution_of(meeting),
    )
    organisation = await services.store.organisation_by_id(session.organisation_id)
    limits = limits_phase(organisation.choices, profile) if organisation else {}
    report = make_report(limits, profile, kind.questions_of(meeting), ending)
    return (await keep_report(services, actor_of(session), session, test, report)).to_json()
