"""What a participant's page knows about its meeting besides the time: the solution, and if a short check suffices.

The connection to the solution's own site is tried by a web worker. Its script comes from here, for this session alone,
with a policy that names the only host it may contact. The page itself may contact nobody but us.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.errors import AccessError
from readiness.meetings.subject import data_of
from readiness.server.policies import POLICY
from readiness.server.services import SERVICES, Services, session_of
from reports.kinds import TESTERS, profile_of, solution_of
from reports.model import rfc3339
from reports.solution import load_solution
from reports.store.feedback_records import Feedback
from reports.store.records import Meeting, Organisation, Participant, Session, StoredReport
from reports.validity import carry_over, is_over, recheck_due

__all__ = ["JOINS_BEFORE", "asked_of", "page_questions", "people_at", "routes", "session_extras"]

routes = web.RouteTableDef()
WORKER = "selftest/js/reach-worker.js"
JOINS_BEFORE = timedelta(minutes=15)
"""So long before the start the page shows the meeting's own link: the guideline lets people in five to ten before."""


@routes.get("/t/{session}/reach.js")
async def reach_worker(request: web.Request) -> web.Response:
    """Return the web worker's script; it may contact the host of this session's meeting only."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=TESTERS)
    meeting = await services.store.meeting(actor_of(session), session.meeting_id) if session.meeting_id else None
    host, asset = _host(services, meeting), services.assets.get(WORKER)
    if host is None or asset is None:
        raise AccessError("page.not_found")
    response = web.Response(body=asset.plain, headers={"Content-Type": asset.content_type})
    response[POLICY] = f"default-src 'none'; connect-src https://{host}"
    return response


@routes.get("/api/v1/sessions/{session}/data")
async def own_data(request: web.Request) -> web.Response:
    """Return all that is held of the session's person, or of the session where it is a guest's, as one JSON file."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=TESTERS)
    whose = {"participant_id": session.participant_id} if session.participant_id else {"session_id": session.id}
    found = await data_of(services.store, services.contacts, actor_of(session), services.now(), **whose)
    if found is None:
        raise AccessError("report.not_found")
    text = json.dumps(found, ensure_ascii=False, indent=1)
    saved_as = 'attachment; filename="readiness-data.json"'
    return web.Response(text=text, content_type="application/json", headers={"Content-Disposition": saved_as})


def session_extras(
    services: Services,
    session: Session,
    meeting: Meeting | None,
    organisation: Organisation | None,
    report: StoredReport | None,
) -> dict[str, Any]:
    """Return solution, service, recheck and over for the page's session."""
    now, zone = services.now(), organisation.time_zone if organisation else "UTC"
    solution, host = load_solution(solution_of(meeting)), _host(services, meeting)
    return {
        "over": meeting is not None and is_over(meeting, now),
        "join": _join(services, meeting) if session.participant_id else None,
        "solution": {
            "title": solution.title,
            "program_on": sorted(solution.program_on),
            "practice": solution.practice,
        },
        "service": host
        and {"title": solution.title or host, "host": host, "url": f"https://{host}{solution.probe_path}"},
        "recheck": _recheck(report, meeting, zone, services) if session.participant_id else None,
    }


def page_questions(asked: Iterable[str]) -> list[str]:
    """Return the practical questions for the page's last step; how many there are is asked beside the picture."""
    return [question for question in asked if question != "people"]


def people_at(meeting: Meeting | None, participant: Participant | None) -> int:
    """Return how many people should be seen at a device: as many as are planned to sit together; a host sits alone."""
    if participant is None:
        return profile_of(None).expected_people
    planned = meeting.expected_people if meeting else profile_of(None).expected_people
    return max(planned, participant.together)


def _host(services: Services, meeting: Meeting | None) -> str | None:
    """Return the host of the meeting's own page, or None if unknown."""
    if meeting is None:
        return None
    link = services.contacts.open(meeting.join_link) if meeting.join_link else None
    return load_solution(solution_of(meeting)).host_for(link)


def _join(services: Services, meeting: Meeting | None) -> dict[str, Any] | None:
    """Return how this participant gets into the meeting; the meeting's own link from a quarter of an hour before.

    ``from`` says where the link comes from where it is kept back; ``begun`` is true from the start to the planned end.
    None: no meeting, or it is over.
    """
    now = services.now()
    if meeting is None or is_over(meeting, now):
        return None
    opens_at, is_kept = meeting.starts_at - JOINS_BEFORE, meeting.join_link is None or meeting.join_shown == "kept"
    link = services.contacts.open(meeting.join_link) if meeting.join_link and not is_kept and now >= opens_at else None
    return {
        "opens_at": rfc3339(opens_at),
        "open": now >= opens_at,
        "begun": meeting.starts_at <= now < meeting.ends_at,
        "link": link,
        "here": not is_kept,
        "from": meeting.join_from,
    }


def _recheck(
    report: StoredReport | None, meeting: Meeting | None, zone: str, services: Services
) -> dict[str, Any] | None:
    """Return the device for which a short check suffices, if one is due, else None."""
    now = services.now()
    if meeting is None or report is None or not recheck_due(report, meeting, zone, now):
        return None
    client = report.body.get("client") or {}
    if carry_over(report, profile_of(meeting), solution_of(meeting), client, now) is None:
        return None
    kept = {name: str(client.get(name) or "") for name in ("browser", "os", "form")}
    return {"tested_at": rfc3339(report.created_at), "client": kept}


def asked_of(meeting: Meeting | None, given: Feedback | None, now: datetime) -> dict[str, Any] | None:
    """Return the state of the question for a page: None before the meeting's end, else the answer (0: none yet)."""
    if meeting is None or meeting.state == "cancelled" or now < meeting.ends_at:
        return None
    said = {"score": given.score if given else 0, "problem": given.problem if given else ""}
    more = {"satisfied": given.satisfied, "again": given.again} if given else {}
    return said | {name: value for name, value in more.items() if value is not None}
