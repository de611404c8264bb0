"""What a room's agent asks: to be enrolled, its settings, to take its results, another key, a test of its line.

The key goes with every request but the first and is looked up each time, so that one which was revoked opens nothing
from the next request on. It reads the room's own settings and posts the room's own results, and nothing else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp import web

from readiness.access.actors import room_actor
from readiness.access.rooms import enrol, open_line
from readiness.access.sessions import cookie_name
from readiness.access.tokens import hash_token, new_token
from readiness.errors import AccessError, InputError, TooLarge, Unauthorized, Unavailable
from readiness.server.bodies import json_body, raw_body
from readiness.server.openapi import checked
from readiness.server.protocol import strict_json
from readiness.server.room_bodies import AGENT, read_result
from readiness.server.services import SERVICES, Services, caller
from reports.model import rfc3339
from reports.room_course import changes_of
from reports.store.room_records import Room, RoomSettings

__all__ = ["routes", "settings_json"]

routes = web.RouteTableDef()
SETTINGS_SCHEMA = "readiness.room_settings/1"
MAX_RESULT_BYTES = 64 * 1024
AHEAD = timedelta(hours=48)
BEHIND = timedelta(hours=2)
"""The longest guard: a meeting that has just ended still keeps its room free."""
ALIVE_EVERY = timedelta(seconds=30)
"""A sign of life is written at most so often."""


async def _room_of(request: web.Request) -> Room:
    """Return the room whose key the request shows. Raises Unauthorized, the same for every key that opens nothing."""
    services = request.app[SERVICES]
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthorized("auth.required")
    found = await services.store.room_of_key(hash_token(key.strip()), services.now())
    if found is None:
        services.failures.failed(caller(request).address)
        raise Unauthorized("room_key_revoked")
    return found


@routes.post("/api/rooms/enrol")
async def enrol_room(request: web.Request) -> web.Response:
    """Swap the one-time code that somebody typed for the room's key and settings."""
    services = request.app[SERVICES]
    body = checked("RoomEnrolment", await json_body(request))
    if not AGENT.fullmatch(body["agent"]):
        raise InputError("request.malformed", field="agent")
    address = caller(request).address
    codes = services.codes_of(None)
    codes.failed(address)  # counted before the look-up, so that parallel guesses all count
    opened = await enrol(
        services.store,
        services.contacts,
        body["code"],
        services.now(),
        agent=body["agent"],
        system=body["system"],
    )
    if opened is None:
        raise AccessError("room.code_not_valid")
    codes.forgive(address)
    room, key = opened
    return web.json_response({**await settings_json(services, room), "key": key}, status=201)


@routes.get("/api/rooms/settings")
async def read_settings(request: web.Request) -> web.Response:
    """Give the room its settings and the times of its meetings; the question is its sign of life."""
    services = request.app[SERVICES]
    room = await _room_of(request)
    if room.asked_at is None or room.asked_at < services.now() - ALIVE_EVERY:
        await services.store.room_asked(room_actor(room), services.now())
    return web.json_response(await settings_json(services, room))


@routes.post("/api/rooms/results")
async def take_result(request: web.Request) -> web.Response:
    """Store what the room found, once however often it is sent."""
    services = request.app[SERVICES]
    room = await _room_of(request)
    if request.content_type != "application/json":
        raise InputError("request.not_json")
    try:
        raw = await raw_body(request, MAX_RESULT_BYTES)
    except InputError:
        raise TooLarge("request.too_large") from None
    now = services.now()
    added = read_result(_object(raw), now)
    services.room_results.take_of(room.id)
    done = await services.store.add_room_result(
        room_actor(room),
        added,
        now,
        follow=lambda was, past: changes_of(was, past, verdict=added.verdict, boot=added.boot, now=now),
    )
    if done == "conflict":
        return web.json_response(
            {"error": {"code": "room.result_differs", "message": "room.result_differs"}}, status=409
        )
    return web.json_response({"id": added.id}, status=201 if done == "new" else 200)


@routes.post("/api/rooms/keys")
async def rotate_key(request: web.Request) -> web.Response:
    """Give the room another key; the one it shows holds until the new one is used, a day at most."""
    services = request.app[SERVICES]
    room = await _room_of(request)
    services.room_openings.take_of(room.id)
    key = new_token()
    await services.store.rotate_room_key(room_actor(room), hash_token(key), services.now())
    return web.json_response({"key": key}, status=201)


@routes.delete("/api/rooms/enrolment")
async def leave(request: web.Request) -> web.Response:
    """Close the room's keys, because its PC forgets the room."""
    services = request.app[SERVICES]
    room = await _room_of(request)
    await services.store.leave_room(room_actor(room), services.now())
    return web.Response(status=204)


@routes.post("/api/rooms/line")
async def test_line(request: web.Request) -> web.Response:
    """Open a session for one test of the room's line over the session socket."""
    services = request.app[SERVICES]
    room = await _room_of(request)
    if services.draining:
        raise Unavailable("server.busy", retry_after_s=60)
    services.room_openings.take_of(room.id)
    session, secret = await open_line(services.store, room, services.now())
    is_secure = caller(request).is_secure
    cookie = cookie_name(session.id, secure=is_secure)
    told = {"session": session.id, "self_test": session.id, "token": secret, "cookie": cookie}
    response = web.json_response(told, status=201)
    response.set_cookie(cookie, secret, path="/", httponly=True, secure=is_secure, samesite="Lax")
    return response


async def settings_json(services: Services, room: Room) -> dict[str, Any]:
    """Return what the room's agent is told: settings, and of its meetings times only."""
    now = services.now()
    organisation = await services.store.organisation_by_id(room.organisation_id)
    meetings = await services.store.room_meetings(room_actor(room), now - BEHIND, now + AHEAD)
    return {
        "schema": SETTINGS_SCHEMA,
        "room": {
            "id": room.id,
            "name": room.name,
            "building": room.building,
            "organisation": organisation.name if organisation else "",
        },
        "settings": RoomSettings.read(room.settings).to_json(),
        "meetings": [{"starts_at": rfc3339(starts), "ends_at": rfc3339(ends)} for starts, ends in meetings],
        "check_wanted": room.check_wanted,
        "server_time": rfc3339(now),
    }


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = strict_json(raw)
    except ValueError:
        raise InputError("request.malformed") from None
    if not isinstance(body, dict):
        raise InputError("request.malformed")
    return body
