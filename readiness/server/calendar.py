"""A leader's calendar as a feed that calendar programs fetch.

They send no cookie and run no script, so the token stands in the path: it opens times of meetings and nothing else,
and can be taken back (decision 018).
"""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.access.tokens import hash_token
from readiness.errors import AccessError
from readiness.meetings.calendars import feed_calendar
from readiness.server.services import SERVICES
from readiness.texts import catalogue
from reports.render.words import Words

__all__ = ["routes"]

routes = web.RouteTableDef()
BACK = timedelta(days=14)
AHEAD = timedelta(days=366)


@routes.get("/feed/{token:[A-Za-z0-9_-]{43}}.ics")
async def get_feed(request: web.Request) -> web.Response:
    """Return the meetings that the token's leader leads or runs. AccessError("link.not_valid") for any other token."""
    services = request.app[SERVICES]
    store, now = services.store, services.now()
    link = await store.link_by_hash("feed", hash_token(request.match_info["token"]), now)
    if link is None or link.host_id is None:
        raise AccessError("link.not_valid")
    actor = actor_of(link)
    host = await store.host(actor, link.host_id)
    if host is None:
        raise AccessError("link.not_valid")
    if host.person_hash is not None:
        span = (now - BACK, now + AHEAD)
        meetings = await store.meetings_of_person(actor, host.person_hash, starts=span)
    else:
        only = await store.meeting(actor, host.meeting_id)
        meetings = [only] if only else []
    content = feed_calendar(meetings, Words(catalogue(host.locale), host.locale), now)
    return web.Response(body=content, content_type="text/calendar", charset="utf-8")
