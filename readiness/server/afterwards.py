"""After the meeting: questions to each participant and leader; the answers feed the organisation's statistics.

Each answer is stored with the verdict before it, to show how often "ready" was right.
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.errors import AccessError, InputError
from readiness.meetings.values import ROLES
from readiness.server.bodies import json_body
from readiness.server.services import SERVICES, Services, session_of
from reports.store import Actor
from reports.store.feedback_records import Feedback
from reports.store.participation import iso_week
from reports.store.records import Meeting, Participant, Session, StoredReport, new_id
from reports.verdict import worst_verdict

__all__ = ["PROBLEMS", "routes"]

routes = web.RouteTableDef()
ASKED = frozenset({"participant", "leader"})
PROBLEMS = ("sound", "picture", "connection", "other")
"""Codes for what did not work; an empty one means that nothing was named."""
SCORES = range(1, 6)
AGAIN = ("yes", "maybe", "no")
"""Whether the person would take a video meeting again."""


@routes.post("/api/v1/sessions/{session}/feedback")
async def answer(request: web.Request) -> web.Response:
    """Store the answer of this session's participant or leader; a second answer replaces the first."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=ASKED)
    body = await json_body(request)
    score, problem = body.get("score"), body.get("problem", "")
    if isinstance(score, bool) or not isinstance(score, int) or score not in SCORES:
        raise InputError("feedback.malformed")
    if not isinstance(problem, str) or problem not in {"", *PROBLEMS}:
        raise InputError("feedback.malformed")
    satisfied, again = body.get("satisfied"), body.get("again")
    if satisfied is not None and (isinstance(satisfied, bool) or satisfied not in SCORES):
        raise InputError("feedback.malformed")
    if again is not None and again not in AGAIN:
        raise InputError("feedback.malformed")
    whose = body.get("whose", "")
    if not isinstance(whose, str) or whose not in ({"", "self", *ROLES} if session.kind == "leader" else {""}):
        raise InputError("feedback.malformed")
    meeting = await services.store.meeting(actor_of(session), session.meeting_id) if session.meeting_id else None
    if meeting is None or meeting.state == "cancelled":
        raise AccessError("session.not_valid")
    if services.now() < meeting.starts_at:
        raise InputError("feedback.too_early")
    added = await _answer(services, session, meeting, score=score, problem=problem)
    await services.store.add_feedback(replace(added, satisfied=satisfied, again=again, whose=whose))
    more = {"satisfied": satisfied, "again": again, "whose": whose}
    told = {"score": score, "problem": problem} | {name: value for name, value in more.items() if value}
    return web.json_response(told)


async def _answer(services: Services, session: Session, meeting: Meeting, *, score: int, problem: str) -> Feedback:
    """Return the answer as it is stored. Raises AccessError for a link that belongs to no particular person."""
    store, before = services.store, await services.store.feedback_for(session)
    host = None if session.participant_id else await store.host_of_session(session.id)
    actor = actor_of(session, host)
    person = await store.participant(actor, session.participant_id) if session.participant_id else None
    if person is None and host is None:
        raise AccessError("session.not_valid")
    report = await store.latest_report(actor, person.id) if person else None
    if report is not None and report.created_at > meeting.ends_at:
        report = None  # a test after the meeting is not the verdict that the answer follows
    verdict = _verdict_before(person, report) if person else await _verdict_of_all(services, actor, meeting)
    return Feedback(
        id=new_id(),
        organisation_id=session.organisation_id,
        meeting_id=meeting.id,
        participant_id=person.id if person else None,
        host_id=host.id if host else None,
        role=person.role if person else str(host.role if host else ""),
        profile=meeting.profile,
        solution=meeting.solution,
        verdict=verdict or (before.verdict if before else None),
        report_id=report.id if report else (before.report_id if before else None),
        score=score,
        problem=problem,
        week=iso_week(meeting.ends_at),  # an answer names no day
        unit=meeting.unit,
    )


def _verdict_before(person: Participant, report: StoredReport | None) -> str | None:
    return report.verdict if report else person.last_verdict


async def _verdict_of_all(services: Services, actor: Actor, meeting: Meeting) -> str | None:
    """Return the worst verdict among the participants; None if any of them had not tested."""
    rows = await services.store.board(actor, meeting.id)
    return worst_verdict(_verdict_before(row.participant, row.report) for row in rows)
