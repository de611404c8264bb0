"""A leader's actions on the board: send a link again, hand a person over to support, see phone numbers, print."""

from __future__ import annotations

import re
from datetime import timedelta

from aiohttp import web

from readiness.access.links import Links
from readiness.access.pins import PIN_LIFE, hash_pin, pin_of
from readiness.errors import AccessError, InputError, LimitError
from readiness.meetings.addresses import open_reach
from readiness.meetings.board_pdf import board_sheet
from readiness.meetings.confined import print_sheet
from readiness.meetings.inviting import RESEND_EVERY, refuse_too_many, sent_again
from readiness.server.board import LEADERS, Day, day_of, pin_channel, sheet_of
from readiness.server.bodies import json_body
from readiness.server.pages import staff_language_of
from readiness.server.services import SERVICES, session_of
from reports.store import Gone
from reports.store.records import Meeting, Outgoing, Participant, Session, new_id

__all__ = ["routes"]

routes = web.RouteTableDef()
UNLOCKED_FOR = timedelta(hours=12)
"""How long a code unlocks the numbers: a working day."""
PIN_EVERY = timedelta(seconds=30)
MOST_PINS, PIN_DAY = 5, timedelta(days=1)
"""Most codes for one leader in a day, with five tries each: a guesser with a stolen link has 25."""


@routes.post("/api/v1/boards/{session}/resend")
async def resend(request: web.Request) -> web.Response:
    """Send a participant's link again, through the known channel."""
    services = request.app[SERVICES]
    _session, day, meeting, person = await _participant(request)
    channel = open_reach(services.contacts, person.reach).channel()
    if channel is None:
        raise InputError("resend.no_address")
    now = services.now()
    links = Links(services.store, services.contacts, day.organisation, services.settings.public_url, now)
    await links.of(meeting, person)
    message = sent_again(person.id, meeting, channel, now)
    await refuse_too_many(services.store, day.actor, meeting.id, [person.id], now)
    if not await services.store.queue([message]):
        raise LimitError("resend.too_soon", retry_after_s=RESEND_EVERY.total_seconds())
    return web.json_response({"state": "waiting", "channel": channel})


@routes.post("/api/v1/boards/{session}/handover")
async def hand_over(request: web.Request) -> web.Response:
    """Put a participant on support's list; has no effect while the participant is already waiting there."""
    services = request.app[SERVICES]
    _session, day, meeting, person = await _participant(request)
    try:
        await services.store.open_case(day.actor, meeting.id, person.id, now=services.now())
    except Gone:
        raise AccessError("person.not_found") from None
    return web.json_response({"state": "waiting"})


@routes.post("/api/v1/boards/{session}/pin")
async def send_pin(request: web.Request) -> web.Response:
    """Send six digits to the phone or mail address that the organiser gave for the leader."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=LEADERS)
    await json_body(request)
    day = await day_of(services, session)
    channel = pin_channel(services, day.host)
    if day.host is None or channel is None:
        raise InputError("pin.no_address")
    now = services.now()
    codes = [
        one for one in await services.store.outgoing_of(day.actor, day.own.id)
        if one.kind == "pin" and one.host_id == day.host.id and one.created_at > now - PIN_DAY
    ]  # fmt: skip
    if len(codes) >= MOST_PINS:
        raise LimitError("rate.limited", retry_after_s=PIN_DAY.total_seconds())
    bucket = int(now.timestamp() // PIN_EVERY.total_seconds())
    message = Outgoing(
        id=new_id(), organisation_id=day.own.organisation_id, meeting_id=day.own.id, participant_id=None,
        host_id=day.host.id, kind="pin", channel=channel, once=f"pin:{day.host.id}:{bucket}",
        created_at=now, due_at=now,
    )  # fmt: skip
    if not await services.store.queue([message]):
        raise LimitError("rate.limited", retry_after_s=PIN_EVERY.total_seconds())
    pin = pin_of(services.contacts, message.id)
    await services.store.set_pin(session.id, hash_pin(services.contacts, session.id, pin), now + PIN_LIFE)
    return web.json_response({"channel": channel})


@routes.post("/api/v1/boards/{session}/pin/check")
async def check_pin(request: web.Request) -> web.Response:
    """Show phone numbers on this page from now on if the digits match those sent; allows five tries."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=LEADERS)
    pin = (await json_body(request)).get("pin")
    if not isinstance(pin, str) or not re.fullmatch(r"[0-9]{6}", pin):
        raise InputError("pin.not_valid")
    now = services.now()
    digest = hash_pin(services.contacts, session.id, pin)
    if not await services.store.try_pin(session.id, digest, now, now + UNLOCKED_FOR):
        raise InputError("pin.not_valid")
    return web.json_response({"unlocked": True})


@routes.get("/api/v1/boards/{session}/board.pdf")
async def print_board(request: web.Request) -> web.Response:
    """Return one sheet of the leader's day: the day of ``?meeting=``, else of the link's own meeting."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=LEADERS)
    day = await day_of(services, session)
    asked = request.query.get("meeting", day.own.id)
    shown = next((one for one in day.meetings if one.id == asked), None)
    if shown is None:
        raise AccessError("meeting.not_found")
    sheet = await sheet_of(services, session, day, shown, staff_language_of(request, day.organisation))
    body = await print_sheet(services.chores, board_sheet(sheet))
    headers = {"Content-Type": "application/pdf", "Content-Disposition": "inline; filename=board.pdf"}
    return web.Response(body=body, headers=headers)


async def _participant(request: web.Request) -> tuple[Session, Day, Meeting, Participant]:
    """Return the participant that the request names, in an upcoming or running meeting of the leader's day."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=LEADERS)
    wanted = (await json_body(request)).get("participant")
    if not isinstance(wanted, str):
        raise InputError("request.malformed")
    day = await day_of(services, session)
    person = await services.store.participant(day.actor, wanted)
    meeting = next((one for one in day.meetings if person is not None and one.id == person.meeting_id), None)
    if person is None or meeting is None:
        raise AccessError("person.not_found")
    if meeting.state != "planned" or meeting.ends_at <= services.now():
        raise InputError("meeting.not_open")
    return session, day, meeting, person
