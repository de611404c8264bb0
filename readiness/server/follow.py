"""What the page of a self-test needs to be followed: the person's yes and no, hints as they come, and "shown"."""

from __future__ import annotations

import contextlib
import math
import time
from typing import Final

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.errors import AccessError, InputError
from readiness.server import streams
from readiness.server.bodies import json_body
from readiness.server.followed import FOLLOWED_AFTER
from readiness.server.services import SERVICES, session_of
from readiness.server.streams import HEADERS, Looks, counted, say, say_nothing
from readiness.server.strict import is_id
from reports.kinds import TESTERS
from reports.store.follow_records import Following, line_of_follow
from reports.store.records import Session

__all__ = ["routes"]

routes = web.RouteTableDef()
PEOPLE: Final = TESTERS - {"room"}
"""Whose tests may be followed: people's. A room's PC has nobody to ask."""
MISSED: Final = 2.5
"""A desk that was not heard for so many of its looks does not watch any more."""
OWN: Final = "/api/v1/sessions/{session}/follow"


async def _session(request: web.Request) -> Session:
    return await session_of(request, request.match_info["session"], kinds=PEOPLE)


async def _following(request: web.Request, session: Session) -> Following | None:
    services = request.app[SERVICES]
    return await services.store.following_of(actor_of(session), session.id, services.now())


@routes.get(OWN)
async def is_followed(request: web.Request) -> web.Response:
    """Return whether support may follow this session's tests, with the code that is read out; empty where not."""
    following = await _following(request, await _session(request))
    return web.json_response({"followed": following is not None, "code": following.code if following else ""})


@routes.post(OWN)
async def let_follow(request: web.Request) -> web.Response:
    """Let support follow this session's tests; return the code that is read out to support."""
    services, session = request.app[SERVICES], await _session(request)
    await json_body(request)
    now = services.now()
    given = await services.store.let_follow(actor_of(session), session.id, now, now + FOLLOWED_AFTER)
    if given is None:
        raise AccessError("session.not_valid")
    return web.json_response({"code": given.code})


@routes.delete(OWN)
async def stop(request: web.Request) -> web.Response:
    """Let support follow no more."""
    session = await _session(request)
    await request.app[SERVICES].store.end_following(actor_of(session), session.id)
    return web.json_response({"followed": False})


@routes.post(OWN + "/shown")
async def shown(request: web.Request) -> web.Response:
    """Tell support that a hint stands on the page."""
    session = await _session(request)
    hint = (await json_body(request)).get("hint")
    if not isinstance(hint, str) or not is_id(hint):
        raise InputError("request.malformed")
    following = await _following(request, session)
    if following is not None:
        await request.app[SERVICES].store.pass_on(line_of_follow(following.id), {"type": "shown", "id": hint})
    return web.json_response({"followed": following is not None})


@routes.get(OWN + "/events", name="stream.follow")
async def watch(request: web.Request) -> web.StreamResponse:
    """Send support's hints as server-sent events, until support follows no more; 204 where it does not."""
    services, session = request.app[SERVICES], await _session(request)
    following = await _following(request, session)
    if following is None:
        return web.Response(status=204)  # a browser asks again after any other answer
    response = web.StreamResponse(headers=HEADERS)
    async with counted(services, session.id), services.store.listen(line_of_follow(following.id)) as receiver:
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the page was closed
            await say(response, "followed", {"code": following.code})
            looks, watched = Looks(), _Watched()
            while not services.draining:
                message = await receiver.fetch(looks.left_s()) or {"type": ""}
                if not looks.left_s() or message["type"] == "ended":
                    if not await _is_followed(request, session):
                        await say(response, "ended")
                        break
                    await say_nothing(response)
                    looks.looked()
                if message["type"] == "hint":
                    await say(response, "hint", {"id": message["id"], "code": message["code"]})
                if watched.has_changed(message["type"]):
                    await say(response, "watched", {"watched": watched.is_so})
    return response


class _Watched:
    """Whether a desk looks on right now, by what it says of itself on the line."""

    def __init__(self) -> None:
        self.is_so, self._heard_s = False, -math.inf

    def has_changed(self, message_type: str) -> bool:
        """Take a message, or none, and return whether it is otherwise than before."""
        if message_type in {"ask", "here"}:
            self._heard_s = time.monotonic()
        before, self.is_so = self.is_so, time.monotonic() - self._heard_s < MISSED * streams.EVENT_KEEPALIVE_S
        return before != self.is_so


async def _is_followed(request: web.Request, session: Session) -> bool:
    """Whether the session still opens, and support still follows."""
    with contextlib.suppress(AccessError):
        return await _following(request, await session_of(request, session.id, kinds=PEOPLE)) is not None
    return False
