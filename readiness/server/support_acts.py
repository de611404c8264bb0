"""What support does at its desk: take the next one, note, send the link again, say how it was solved. All are forms."""

from __future__ import annotations

from typing import Final, get_args

from aiohttp import web

from readiness.access.links import Links
from readiness.meetings.addresses import open_reach
from readiness.meetings.inviting import MOST_INVITATIONS_A_DAY, sent_again
from readiness.server.bodies import form_body
from readiness.server.desk_view import LONGEST_NOTE, Desk, desk_for
from readiness.server.services import caller
from reports.render.desk import SOLVED
from reports.store.desk_records import DeskPerson
from reports.store.records import Judged

__all__ = ["routes"]

routes = web.RouteTableDef()
MOST_BYTES: Final = 16 * 1024
"""A note's letters may take twelve bytes each in a form."""
PERSON: Final = "/support/{session}/person/{participant}"


async def _form(request: web.Request) -> tuple[Desk, dict[str, str]]:
    desk, form = await desk_for(request), await form_body(request, MOST_BYTES)
    desk.asked = desk.kept(form)
    return desk, form


def _back(desk: Desk, form: dict[str, str], said: str | None, person: str | None = None) -> web.HTTPSeeOther:
    return web.HTTPSeeOther(desk.address(form, person=person, said=said))


async def _not_yours(desk: Desk, form: dict[str, str], person: str) -> web.HTTPSeeOther:
    """Return the way to the person, whose case is not one's own, or to the list where nobody is there any more.

    A meeting that is cancelled has closed its cases: that is said then.
    """
    known = await desk.services.store.desk_person(desk.actor, person, desk.now)
    if known is None:
        return _back(desk, form, "gone")
    return _back(desk, form, "cancelled" if known.meeting.state == "cancelled" else "not_yours", person)


@routes.post("/support/{session}/next")
async def take_next(request: web.Request) -> web.Response:
    """Take the most urgent one whom nobody has, and open the case."""
    desk, form = await _form(request)
    person = await desk.services.store.take_next(desk.actor, desk.now)
    raise _back(desk, form, None if person else "nobody", person)


@routes.post(f"{PERSON}/take")
async def take(request: web.Request) -> web.Response:
    """Take one person, or with ``over`` take them over from who has them; a ``text`` is a note not yet kept."""
    desk, form = await _form(request)
    person = request.match_info["participant"]
    taken = await desk.services.store.take_person(desk.actor, person, desk.now, over=form.get("over") or None)
    if text := form.get("text", ""):
        status, problem = (200, "") if taken else (409, "support.said.taken")
        return await desk.person_page(person, status=status, typed_note=text, note_problem=problem)
    known = taken or await desk.services.store.desk_person(desk.actor, person, desk.now)
    raise _back(desk, form, None if taken else "taken" if known else "gone", person if known else None)


@routes.post(f"{PERSON}/back")
async def put_back(request: web.Request) -> web.Response:
    """Put a case of one's own back on the list."""
    desk, form = await _form(request)
    person = request.match_info["participant"]
    if await desk.services.store.put_back(desk.actor, person):
        raise _back(desk, form, "back")
    raise await _not_yours(desk, form, person)


@routes.post(f"{PERSON}/done")
async def end(request: web.Request) -> web.Response:
    """Say how a case of one's own was solved, which takes it off the list."""
    desk, form = await _form(request)
    person = request.match_info["participant"]
    how = next((one for one in SOLVED if one == form.get("how")), None)
    if how is None:
        raise _back(desk, form, "how", person)
    if await desk.services.store.end_case(desk.actor, person, how, desk.now):
        raise _back(desk, form, "done")
    raise await _not_yours(desk, form, person)


@routes.post(f"{PERSON}/note")
async def note(request: web.Request) -> web.Response:
    """Keep a note with a case of one's own; else, or where it is too long, the page again with what was typed."""
    desk, form = await _form(request)
    person, text = request.match_info["participant"], form.get("text", "").replace("\r\n", "\n").strip()
    if len(text) > LONGEST_NOTE:
        return await desk.person_page(person, status=400, typed_note=text, note_problem="support.note_long")
    if not text:
        raise _back(desk, form, "empty", person)
    sealed = desk.services.contacts.close(text)
    if await desk.services.store.add_note(desk.actor, person, sealed, desk.now):
        raise _back(desk, form, "noted", person)
    return await desk.person_page(person, status=409, typed_note=text, note_problem="support.said.not_yours")


@routes.post(f"{PERSON}/resend")
async def resend(request: web.Request) -> web.Response:
    """Send the person's own link again, by SMS, which is read while one is on the phone."""
    desk, form = await _form(request)
    person = request.match_info["participant"]
    found = await _own_case(desk, person)
    if found is None:
        raise await _not_yours(desk, form, person)
    raise _back(desk, form, await _sent(desk, found), person)


@routes.post(f"{PERSON}/code")
async def show_code(request: web.Request) -> web.Response:
    """Show the code that opens the person's own link, to be read out; that it was shown is logged."""
    desk, form = await _form(request)
    person = request.match_info["participant"]
    found = await _own_case(desk, person)
    if found is None or found.meeting.state != "planned":
        raise await _not_yours(desk, form, person)
    services = desk.services
    base_url = services.settings.public_url or caller(request).origin
    links = Links(services.store, services.contacts, desk.organisation, base_url, desk.now)
    given = await links.of(found.meeting, found.participant)
    await services.store.log_deed(desk.organisation.id, "code.show", named=f"participant:{person}")
    return await desk.person_page(person, code=(given.code or "", f"{base_url}/o/{desk.organisation.slug}/code"))


async def _own_case(desk: Desk, person: str) -> DeskPerson | None:
    """Return the person whose case is one's own, else None."""
    found = await desk.services.store.desk_person(desk.actor, person, desk.now)
    return found if found is not None and found.case is not None and found.case.taken_by == desk.actor.id else None


async def _sent(desk: Desk, found: DeskPerson) -> str:
    """Queue the message, and return what to say of it."""
    services, meeting = desk.services, found.meeting
    if not services.settings.sms_url:
        return "no_sms"
    if not open_reach(services.contacts, found.participant.reach).takes_sms:
        return "no_mobile"
    if found.invited_today >= MOST_INVITATIONS_A_DAY:
        return "too_many"
    links = Links(services.store, services.contacts, desk.organisation, services.settings.public_url, desk.now)
    await links.of(meeting, found.participant)
    message = sent_again(found.participant.id, meeting, "sms", desk.now)
    return "sent" if await services.store.queue([message]) else "too_soon"


@routes.post("/support/{session}/report/{report}/judged")
async def judge(request: web.Request) -> web.Response:
    """Keep that a report was a false alarm, or overlooked something; the same once more takes it back."""
    desk, form = await _form(request)
    store, report_id = desk.services.store, request.match_info["report"]
    said: Judged | None = next((one for one in get_args(Judged) if one == form.get("judged")), None)
    known = await store.judged(desk.actor, report_id)
    is_there = await store.judge_report(desk.actor, report_id, None if said == known else said)
    raise web.HTTPSeeOther(desk.address(form, code=form.get("code", "")[:12], said="judged" if is_there else "gone"))
