"""Pages of rooms: the list by building, one room, and a display for a wall. Rendered here, readable without a script.

Opened by a link of their own kind. A GET changes nothing; a code to enrol a room is shown once, as it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from readiness.access.actors import actor_of, sessions_that_may
from readiness.access.rooms import give_code
from readiness.errors import AccessError
from readiness.meetings.room_form import OWN, ROOM_FIELDS, changed_room, form_of
from readiness.meetings.rooms import NewRoom, room_from
from readiness.server.bodies import form_body
from readiness.server.pages import organisation_of_path, render_page, staff_language_of
from readiness.server.services import SERVICES, Services, session_of
from readiness.texts import LANGUAGES, catalogue, for_staff
from reports.render.phones import phone_in
from reports.render.rooms import DAYS, changed_since, check_lines, days_of, events_view, line_of, order_of, worked
from reports.render.words import Words
from reports.store import Actor, Conflict, Gone
from reports.store.records import Organisation
from reports.store.room_records import Room

__all__ = ["routes"]

routes = web.RouteTableDef()
ROOMS = "rooms/index.html"
LOOKERS = sessions_that_may("room.read")
LONGEST_KNOWN = timedelta(days=366)
MOST_EVENTS = 20
FIELDS = ("name", "building", "zone", "contact")
"""Of the form for another room."""
PLACE = "/rooms/{session}/room/{room}"


class _Desk:
    """What every page of one request needs."""

    def __init__(self, request: web.Request, session_id: str, actor: Actor, organisation: Organisation) -> None:
        self.request, self.actor, self.organisation, self.session_id = request, actor, organisation, session_id
        self.services: Services = request.app[SERVICES]
        self.now = self.services.now()
        self.zone = ZoneInfo(organisation.time_zone)
        language = staff_language_of(request, organisation)
        self.words = Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))
        asked = request.query.get("lang")
        self.asked = asked if asked in organisation.languages else None

    def page(self, name: str, status: int = 200, **values: Any) -> web.Response:
        """Return the page; `name` is the part of the template that is shown."""
        known = {"name": name, "session": self.session_id, "asked_language": self.asked, "problem": None, "code": None}
        known["query"] = "?" + urlencode({"lang": self.asked}) if self.asked else ""
        view = known | values | {"languages": {c: f"?lang={c}" for c in map(for_staff, self.organisation.languages)}}
        page = render_page(self.request, ROOMS, self.organisation, {"view": view}, compress=False)
        page.set_status(status)
        return page

    def back(self, path: str, language: str | None) -> web.HTTPSeeOther:
        """Return the way back to a page after a form."""
        query = "?" + urlencode({"lang": language}) if language in LANGUAGES else ""
        return web.HTTPSeeOther(f"/rooms/{self.session_id}{path}{query}")


async def _desk(request: web.Request) -> _Desk:
    session = await session_of(request, request.match_info["session"], kinds=LOOKERS)
    organisation = await request.app[SERVICES].store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    return _Desk(request, session.id, actor_of(session), organisation)


async def _found(desk: _Desk) -> Room:
    found = await desk.services.store.room(desk.actor, desk.request.match_info["room"])
    if found is None:
        raise AccessError("page.not_found")
    return found


@routes.get("/o/{organisation}/rooms")
async def rooms_by_link(request: web.Request) -> web.Response:
    """The page for a link of rooms (its token stays in the fragment); it then opens ``/rooms/<session>``."""
    return render_page(request, ROOMS, await organisation_of_path(request), {"view": None})


@routes.get("/rooms/{session}")
async def list_rooms(request: web.Request) -> web.Response:
    """Show the rooms by building, failed first, and the form for another one."""
    desk = await _desk(request)
    return desk.page("list", groups=await _groups(desk), typed=dict.fromkeys(FIELDS, ""))


@routes.get("/rooms/{session}/wall")
async def wall(request: web.Request) -> web.Response:
    """Show all rooms large, for a display that nobody touches; the page renews itself."""
    desk = await _desk(request)
    at = desk.words.t("room.at", when=desk.words.moment(desk.now, desk.zone))
    return desk.page("wall", groups=await _groups(desk), at=at)


@routes.get(PLACE)
async def show_room(request: web.Request) -> web.Response:
    """Show one room: now, its last thirty days, each check, and what can be done."""
    desk = await _desk(request)
    return await _room_page(desk, await _found(desk))


@routes.post("/rooms/{session}/add")
async def add_room(request: web.Request) -> web.Response:
    """Add a room and show the code that enrols its PC; the form again, with what is wrong, where it is not stored."""
    desk = await _desk(request)
    form = await form_body(request)
    typed = {name: form.get(name, "") for name in FIELDS}
    made, problem = room_from(NewRoom(**typed), desk.organisation, desk.services.contacts, desk.now)
    if made is not None:
        try:
            await desk.services.store.add_room(desk.actor, made)
        except Conflict:
            made, problem = None, "name_taken"
    if made is None:
        return desk.page("list", 400, groups=await _groups(desk), typed=typed, problem=problem)
    code = await give_code(desk.services.store, desk.services.contacts, desk.actor, made.id, desk.now)
    return await _room_page(desk, made, code=code)


@routes.post(PLACE + "/code")
async def new_code(request: web.Request) -> web.Response:
    """Show a fresh code to enrol the room's PC with; an earlier one ends."""
    desk = await _desk(request)
    found = await _found(desk)
    code = await give_code(desk.services.store, desk.services.contacts, desk.actor, found.id, desk.now)
    return await _room_page(desk, found, code=code)


@routes.post(PLACE + "/edit")
async def edit_room(request: web.Request) -> web.Response:
    """Change the room's name, place, contact and hours; the form again, with what is wrong, where it is not stored."""
    desk = await _desk(request)
    found, form = await _found(desk), await form_body(request)
    typed = {name: form.get(name, "") for name in ROOM_FIELDS}
    changes, problem = changed_room(typed, found, desk.organisation, desk.services.contacts, desk.now)
    if changes is not None:
        try:
            await desk.services.store.change_room(desk.actor, found.id, changes)
        except Conflict:
            problem = "name_taken"
    if problem is not None:
        return await _room_page(desk, found, status=400, wrong=problem, typed=typed)
    return await _room_page(desk, await _found(desk), is_saved=True)


@routes.post(PLACE + "/known")
async def set_known(request: web.Request) -> web.Response:
    """Say until which day the trouble is known, that day included; an empty day says that it is no more."""
    desk = await _desk(request)
    found, form = await _found(desk), await form_body(request)
    until = _end_of(form.get("until", ""), desk)
    if until == "wrong":
        return await _room_page(desk, found, status=400, problem="until")
    moment = until if isinstance(until, datetime) else None
    await desk.services.store.set_known(desk.actor, found.id, moment, desk.now)
    raise desk.back(f"/room/{found.id}", form.get("lang"))


@routes.post(PLACE + "/check")
async def want_check(request: web.Request) -> web.Response:
    """Ask the room's PC for a check now; where the room is in use it says so, and the wish is over."""
    desk = await _desk(request)
    found, form = await _found(desk), await form_body(request)
    await desk.services.store.want_check(desk.actor, found.id)
    raise desk.back(f"/room/{found.id}", form.get("lang"))


@routes.post(PLACE + "/revoke")
async def revoke(request: web.Request) -> web.Response:
    """Close the room's key: its PC can post nothing from the next request on."""
    desk = await _desk(request)
    found, form = await _found(desk), await form_body(request)
    try:
        await desk.services.store.revoke_room(desk.actor, found.id, desk.now)
    except Gone:
        raise AccessError("page.not_found") from None
    raise desk.back(f"/room/{found.id}", form.get("lang"))


async def _groups(desk: _Desk) -> list[dict[str, Any]]:
    """Return the rooms by building: where something is wrong comes first, inside and among buildings."""
    newest = await desk.services.store.newest_room_results(desk.actor)
    rooms = await desk.services.store.rooms(desk.actor)
    lines = [line_of(one, newest.get(one.id), desk.words, desk.zone, desk.now) for one in rooms]
    by_building = sorted(lines, key=lambda one: (one["building"], order_of(one)))
    groups = [
        {"building": building, "rooms": list(mine)}
        for building, mine in groupby(by_building, lambda one: one["building"])
    ]
    return sorted(groups, key=lambda group: (order_of(group["rooms"][0])[0], group["building"]))


async def _room_page(
    desk: _Desk,
    found: Room,
    *,
    status: int = 200,
    code: str | None = None,
    problem: str | None = None,
    wrong: str | None = None,
    typed: Mapping[str, str] | None = None,
    is_saved: bool = False,
) -> web.Response:
    """Return the room's page. `problem` is of the day until which its trouble is known, `wrong` of its own form."""
    store, words, zone = desk.services.store, desk.words, desk.zone
    results = await store.room_results(desk.actor, found.id, desk.now - timedelta(days=DAYS))
    newest = results[0] if results else (await store.newest_room_results(desk.actor)).get(found.id)
    base = desk.services.settings.public_url
    stored = form_of(found, desk.services.contacts)
    return desk.page(
        "room",
        status,
        room=line_of(found, newest, words, zone, desk.now),
        days=days_of(results, words, zone, desk.now),
        worked=worked(found, results, words, zone, desk.now),
        changed=changed_since(results, words, zone),
        checks=check_lines(results, words, zone),
        events=events_view(await store.room_events(desk.actor, found.id, most=MOST_EVENTS), words, zone),
        clock=words.t("room.clock") if newest is not None and newest.clock_off_s else "",
        wanted=found.check_wanted is not None,
        is_enrolled=found.enrolled_at is not None,
        today=desk.now.astimezone(zone).date().isoformat(),
        known_day=_day_of(found, desk),
        code=code,
        command=f"readiness room enrol {code} --server {base or _origin(desk.request)}" if code else "",
        problem=problem,
        wrong=wrong,
        form=typed or stored,
        has_own_plan=stored["days"] == OWN,
        is_saved=is_saved,
    )


def _origin(request: web.Request) -> str:
    from readiness.server.services import caller  # noqa: PLC0415 - beside its only use

    return caller(request).origin


def _day_of(found: Room, desk: _Desk) -> str:
    if found.known_until is None or found.known_until <= desk.now:
        return ""
    return (found.known_until.astimezone(desk.zone) - timedelta(seconds=1)).date().isoformat()


def _end_of(typed: str, desk: _Desk) -> datetime | str | None:
    """Return the end of the day that was typed, None for none, ``wrong`` for one that is past or too far."""
    if not typed.strip():
        return None
    try:
        day = date.fromisoformat(typed.strip()) + timedelta(days=1)
        until = datetime.combine(day, time(), tzinfo=desk.zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return "wrong"
    return until if desk.now < until < desk.now + LONGEST_KNOWN else "wrong"
