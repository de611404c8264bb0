"""The API of planning, for our own pages and for programs: JSON as ``web/api/openapi.json`` describes it.

Who asks is an organiser's session (header ``Readiness-Session`` and its cookie) or a program's token. Both belong to
one organisation, and nothing of any other is ever looked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from readiness.access.actors import actor_of, sessions_that_may
from readiness.access.tokens import hash_token
from readiness.errors import InputError, Unauthorized
from readiness.meetings.confined import print_sheet, read_import
from readiness.meetings.importing import import_file
from readiness.meetings.letter import letters_sheet
from readiness.meetings.meeting_rooms import find_rooms
from readiness.meetings.planner import Planner
from readiness.meetings.reading import MOST_BYTES
from readiness.meetings.views import line_json, meeting_json
from readiness.meetings.wanted import Bad
from readiness.meetings.wishes import Change, HostPlan, MeetingPlan, PersonPlan
from readiness.server.bodies import json_body, raw_body
from readiness.server.meeting_bodies import wish_of
from readiness.server.openapi import checked
from readiness.server.services import SERVICES, Services, caller, session_of
from readiness.server.strict import ID, is_id
from readiness.typed import one_line
from reports.store import Actor
from reports.store.records import Meeting, Organisation

__all__ = ["ORGANISERS", "organiser_of", "planner_of", "routes"]

routes = web.RouteTableDef()
ORGANISERS = sessions_that_may("meeting.change")
MAX_BODY_BYTES = 128 * 1024
MOST_LINES = 500
LINES = 200
AHEAD = timedelta(days=366)
LONGEST_KEY = 200
FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Of the span that is listed: clear of what a date can't hold in some zone."""
PLACE = "/api/v1/meetings/{meeting:" + ID + "}"


async def organiser_of(request: web.Request) -> tuple[Organisation, Actor]:
    """Return the organisation that this request may plan for, and who asks.

    Raises Unauthorized without a valid token or any session, AccessError for a session that is not an organiser's.
    """
    services = request.app[SERVICES]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    session_id = request.headers.get("Readiness-Session", "")
    if session_id and not scheme:
        session = await session_of(request, session_id, kinds=ORGANISERS)
        actor: Actor | None = actor_of(session).only("organiser")
    else:
        actor = await _bearer(request, services, token.strip()) if scheme.lower() == "bearer" else None
    if actor is None:
        raise Unauthorized("auth.required")
    organisation = await services.store.organisation_by_id(actor.organisation_id)
    if organisation is None:
        raise Unauthorized("auth.required")
    return organisation, actor


async def _bearer(request: web.Request, services: Services, token: str) -> Actor | None:
    link = await services.store.link_by_hash("api", hash_token(token), services.now())
    if link is None:
        services.failures.failed(caller(request).address)
        return None
    return actor_of(link)


async def planner_of(request: web.Request) -> Planner:
    """Return what plans for the one who asks."""
    services = request.app[SERVICES]
    organisation, actor = await organiser_of(request)
    base_url = services.settings.public_url or caller(request).origin
    return Planner(services.store, services.contacts, organisation, base_url, services.now(), actor)


@routes.get("/api/v1/meetings")
async def list_meetings(request: web.Request) -> web.Response:
    """List meetings by start."""
    planner = await planner_of(request)
    zone = ZoneInfo(planner.organisation.time_zone)
    today = datetime.combine(planner.now.astimezone(zone).date(), time(), tzinfo=zone)
    starts = _moment(request, "from", today, zone)
    most = request.query.get("most", str(LINES))
    after = request.query.get("after")
    if not most.isdecimal() or not 1 <= int(most[:6]) <= MOST_LINES or (after is not None and not is_id(after)):
        raise InputError("request.malformed", field="after" if most.isdecimal() else "most")
    search = one_line(request.query.get("search", "")[:100])
    lines = await planner.store.meetings(
        planner.actor,
        starts=(starts, _moment(request, "to", starts + AHEAD, zone)),
        now=planner.now,
        after=after,
        most=int(most),
        search=search,
    )
    following = lines[-1].meeting.id if len(lines) == int(most) else None
    return web.json_response({"meetings": [line_json(line, zone) for line in lines], "next": following})


@routes.post("/api/v1/meetings")
async def make_meeting(request: web.Request) -> web.Response:
    """Make a meeting, and invite whoever is to be invited at once."""
    planner = await planner_of(request)
    body = checked("NewMeeting", await json_body(request, MAX_BODY_BYTES))
    key = request.headers.get("Idempotency-Key") or body.get("import_key", "")
    if len(key) > LONGEST_KEY:
        raise InputError("request.malformed", field="Idempotency-Key")
    people = tuple(PersonPlan(**one) for one in body["participants"])
    hosts = tuple(HostPlan(**one) for one in body.get("hosts", ()))
    rooms = await find_rooms(planner.store, planner.actor, body.get("rooms", ()))
    wish = wish_of(body, planner.organisation)
    starts = wish.pop("starts")
    plan = MeetingPlan(starts=starts, people=people, hosts=hosts, **wish)
    made = await planner.make(replace(plan, key=f"api:{key}", version=_fingerprint(body)) if key else plan)
    if rooms and made.is_new:
        await planner.store.set_meeting_rooms(planner.actor, made.meeting.id, rooms)
    return await _answer(planner, made.meeting, status=201 if made.is_new else 200)


def _fingerprint(body: Mapping[str, Any]) -> str:
    """Return what tells one wish from another under the same key, and says nothing about it."""
    told = {name: value for name, value in body.items() if name != "import_key"}
    return hash_token(json.dumps(told, sort_keys=True)).hex()


@routes.post("/api/v1/meetings/import")
async def import_meetings(request: web.Request) -> web.Response:
    """Make and change meetings from a file, CSV or iCalendar by what it begins with."""
    planner = await planner_of(request)
    raw = await raw_body(request, MOST_BYTES)
    flags = {name: request.query.get(name) == "1" for name in ("skip_bad", "invite")}
    read = partial(read_import, request.app[SERVICES].chores)
    done = await import_file(planner, raw, read=read, skip_bad=flags["skip_bad"], invite=flags["invite"])
    told = {"bad": [_row_json(one) for one in done.bad], "notes": [_row_json(one) for one in done.notes]}
    return web.json_response({"made": done.made, "changed": done.changed, **told})


def _row_json(one: Bad) -> dict[str, Any]:
    return {"row": one.row, "reason": one.reason, "field": one.column, "found": one.found}


@routes.get(PLACE)
async def read_meeting(request: web.Request) -> web.Response:
    """Read a meeting with its people and their states."""
    planner = await planner_of(request)
    return await _answer(planner, await planner.meeting(request.match_info["meeting"]))


@routes.patch(PLACE)
async def change_meeting(request: web.Request) -> web.Response:
    """Move or change a meeting."""
    planner = await planner_of(request)
    body = checked("MeetingChange", await json_body(request, MAX_BODY_BYTES))
    rooms = await find_rooms(planner.store, planner.actor, body.get("rooms", ()))
    changed = await planner.change(request.match_info["meeting"], Change(**wish_of(body, planner.organisation)))
    if "rooms" in body:
        await planner.store.set_meeting_rooms(planner.actor, changed.id, rooms)
    return await _answer(planner, changed)


@routes.delete(PLACE)
async def cancel_meeting(request: web.Request) -> web.Response:
    """Cancel a meeting."""
    planner = await planner_of(request)
    return await _answer(planner, await planner.cancel(request.match_info["meeting"]))


@routes.post(PLACE + "/participants")
async def add_participant(request: web.Request) -> web.Response:
    """Add a participant."""
    planner = await planner_of(request)
    wish = PersonPlan(**checked("NewParticipant", await json_body(request, MAX_BODY_BYTES)))
    await planner.add_person(request.match_info["meeting"], wish)
    return await _meeting(request, planner, status=201)


@routes.patch(PLACE + "/participants/{participant:" + ID + "}")
async def change_participant(request: web.Request) -> web.Response:
    """Change a participant."""
    planner = await planner_of(request)
    wish = checked("ParticipantChange", await json_body(request, MAX_BODY_BYTES))
    await planner.change_person(request.match_info["meeting"], request.match_info["participant"], wish)
    return await _meeting(request, planner)


@routes.delete(PLACE + "/participants/{participant:" + ID + "}")
async def remove_participant(request: web.Request) -> web.Response:
    """Take a participant out."""
    planner = await planner_of(request)
    await planner.remove_person(request.match_info["meeting"], request.match_info["participant"])
    return await _meeting(request, planner)


@routes.post(PLACE + "/hosts")
async def add_host(request: web.Request) -> web.Response:
    """Add a leader or technical host."""
    planner = await planner_of(request)
    await planner.add_person(
        request.match_info["meeting"], HostPlan(**checked("NewHost", await json_body(request, MAX_BODY_BYTES)))
    )
    return await _meeting(request, planner, status=201)


@routes.patch(PLACE + "/hosts/{host:" + ID + "}")
async def change_host(request: web.Request) -> web.Response:
    """Change a leader or technical host."""
    planner = await planner_of(request)
    wish = checked("HostChange", await json_body(request, MAX_BODY_BYTES))
    await planner.change_host(request.match_info["meeting"], request.match_info["host"], wish)
    return await _meeting(request, planner)


@routes.delete(PLACE + "/hosts/{host:" + ID + "}")
async def remove_host(request: web.Request) -> web.Response:
    """Take a leader or technical host out."""
    planner = await planner_of(request)
    await planner.remove_host(request.match_info["meeting"], request.match_info["host"])
    return await _meeting(request, planner)


@routes.delete(PLACE + "/taken-out/{person:" + ID + "}")
async def forget_taken_out(request: web.Request) -> web.Response:
    """Take somebody who was taken out off the list of those to call."""
    planner = await planner_of(request)
    await planner.forget_taken_out(request.match_info["meeting"], request.match_info["person"])
    return await _meeting(request, planner)


@routes.post(PLACE + "/told/{person:" + ID + "}")
async def told(request: web.Request) -> web.Response:
    """Note that somebody was told by the organiser: by phone, by hand, at the desk."""
    planner = await planner_of(request)
    await planner.told(request.match_info["meeting"], request.match_info["person"])
    return await _meeting(request, planner)


@routes.get(PLACE + "/letters.pdf")
async def read_letters(request: web.Request) -> web.Response:
    """Make letters to print, and note that they were. Each has the person's link, the same one each time."""
    planner = await planner_of(request)
    meeting = await planner.meeting(request.match_info["meeting"])
    asked = request.query.get("people", "")
    chosen = [one for one in asked.split(",") if one] or None
    letters = await planner.letters(meeting, chosen)
    pdf = await print_sheet(request.app[SERVICES].chores, letters_sheet(letters))
    await planner.printed(meeting, chosen)
    headers = {"Content-Disposition": 'inline; filename="letters.pdf"'}
    return web.Response(body=pdf, content_type="application/pdf", headers=headers)


@routes.post(PLACE + "/invitations")
async def invite(request: web.Request) -> web.Response:
    """Invite people, or get links and codes to hand over."""
    planner = await planner_of(request)
    body = checked("NewInvitations", await json_body(request, MAX_BODY_BYTES))
    people = None if body["people"] == "all" else body["people"]
    answers = await planner.invite(
        request.match_info["meeting"], people, body["channel"], renew=body.get("replace", False)
    )
    shown = [
        {name: getattr(one, name) for name in ("id", "state", "link", "code") if getattr(one, name) is not None}
        for one in answers
    ]
    return web.json_response({"invitations": shown})


async def _meeting(request: web.Request, planner: Planner, *, status: int = 200) -> web.Response:
    return await _answer(planner, await planner.meeting(request.match_info["meeting"]), status=status)


async def _answer(planner: Planner, found: Meeting, *, status: int = 200) -> web.Response:
    return web.json_response(await meeting_json(planner, found), status=status)


def _moment(request: web.Request, name: str, otherwise: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment that a parameter names; a day begins on the organisation's own clock."""
    asked = request.query.get(name)
    if asked is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(asked.replace(" ", "+"))
        if len(asked) == len("2026-12-01"):
            moment = moment.replace(tzinfo=zone)
    except ValueError:
        raise InputError("request.malformed", field=name) from None
    if moment.tzinfo is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InputError("request.malformed", field=name)
    return moment
