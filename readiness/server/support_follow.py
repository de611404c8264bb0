"""Support follows a test that the person lets it follow: live steps and figures, hints of the catalogue to the page."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.errors import AccessError, InputError, LimitError
from readiness.server.bodies import json_body
from readiness.server.desk_view import SUPPORTERS, Desk, desk_for
from readiness.server.services import session_of
from readiness.server.streams import HEADERS, Looks, counted, say, say_nothing
from readiness.server.strict import is_id
from reports.render.follow import hints_of, seen_view
from reports.store.follow_records import HINT_EVERY, Following, line_of_follow

__all__ = ["routes"]

routes = web.RouteTableDef()
FOLLOW = "/api/v1/desks/{session}/follow/{following}"


async def _following(desk: Desk, following_id: str) -> Following:
    """Return who is followed. Raises AccessError where nobody is, any more or at all."""
    found = None
    if is_id(following_id):
        found = await desk.services.store.following(desk.actor, following_id, desk.services.now())
    if found is None:
        raise AccessError("person.not_found")
    return found


@routes.get(FOLLOW + "/events", name="stream.follow_desk")
async def watch(request: web.Request) -> web.StreamResponse:
    """Send what happens in a followed test as server-sent events, in words, until it is followed no more."""
    desk = await desk_for(request)
    services = desk.services
    following = await _following(desk, request.match_info["following"])
    line = line_of_follow(following.id)
    response = web.StreamResponse(headers=HEADERS)
    async with counted(services, desk.session.id), services.store.listen(line) as receiver:
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the page was closed
            await services.store.pass_on(line, {"type": "ask"})
            looks = Looks()
            while not services.draining:
                message = await receiver.fetch(looks.left_s()) or {"type": ""}
                if not looks.left_s() or message["type"] == "ended":
                    if gone := await _gone(request, desk, following.id):
                        await say(response, gone)
                        break
                    await say_nothing(response)
                    await services.store.pass_on(line, {"type": "here"})
                    looks.looked()
                await _tell(response, desk, message)
    return response


async def _tell(response: web.StreamResponse, desk: Desk, message: Mapping[str, Any]) -> None:
    """Send what the desk shows of a message; the rest is for the test and its page."""
    match message["type"]:
        case "test":
            await say(response, "test", seen_view(message, desk.words))
        case "over":
            await say(response, "over", {"href": desk.address(desk.asked, code=message["code"])})
        case "shown":
            await say(response, "shown", {"hint": message["id"]})


async def _gone(request: web.Request, desk: Desk, following_id: str) -> str:
    """Return what ends the stream: "closed" for the desk, "ended" for the test; empty where both go on."""
    try:
        session = await session_of(request, desk.session.id, kinds=SUPPORTERS)
        desk.actor = actor_of(session)  # another sign-in may have changed the units
    except AccessError:
        return "closed"
    try:
        await _following(desk, following_id)
    except AccessError:
        return "ended"
    return ""


@routes.post(FOLLOW + "/hint")
async def give_hint(request: web.Request) -> web.Response:
    """Send a hint of the closed catalogue to the page, which shows it in the person's language."""
    desk = await desk_for(request)
    code = (await json_body(request)).get("code")
    following = await _following(desk, request.match_info["following"])
    if code not in hints_of(desk.words.catalogue):
        raise InputError("request.malformed")
    hint = await desk.services.store.give_hint(desk.actor, following.id, str(code), desk.services.now())
    if hint is None:
        raise LimitError("rate.limited", retry_after_s=HINT_EVERY.total_seconds())
    return web.json_response({"hint": hint})
