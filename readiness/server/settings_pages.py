"""Pages where administrators change what holds for their organisation. Rendered here; no script.

A form carries what stood in it when it was drawn: where somebody else has changed that meanwhile, nothing is saved, and
what was typed stays. Every change can be taken back for as long as nobody has changed the same again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from readiness.access.actors import actor_of, sessions_that_may
from readiness.errors import AccessError, InputError
from readiness.meetings.delivery import DeliveryError
from readiness.meetings.trial_message import read_receiver, send_trial
from readiness.server.bodies import form_body
from readiness.server.limits_view import previews
from readiness.server.pages import SETTINGS, render_page, staff_language_of
from readiness.server.services import SERVICES, Services, session_of
from readiness.server.settings_parts import (
    CHANNELS,
    LIMITS_OF,
    PARTS,
    Reading,
    mark_of,
    read_clinic,
    read_form,
    seen_of,
)
from readiness.server.settings_view import SettingsView
from readiness.texts import catalogue, for_staff
from reports.limits import MOVABLE
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store import Actor, Conflict
from reports.store.records import Channel, Organisation
from reports.store.setting_records import Setting, changes_to, with_setting
from reports.store.stored_figures import figures_since

__all__ = ["routes"]

routes = web.RouteTableDef()
SETTERS: Final = sessions_that_may("settings.change")
MOST_BYTES: Final = 1024 * 1024
"""Of a form: three texts of the greatest length, each letter as a browser writes those beyond ASCII."""
MOST_CHANGES: Final = 20
"""In the list of the newest changes; older ones can't be taken back from the page."""
MOST_TRIALS: Final = 5
TRIALS_WITHIN: Final = timedelta(minutes=10)
"""Messages to try mail and SMS, of an organisation: some at once while somebody sets them up, for each may cost."""
STALE: Final = 409
"""Status of a page whose form was drawn before somebody else changed the same."""


class _Office:
    """What every page of one request needs."""

    def __init__(self, request: web.Request, session_id: str, actor: Actor, organisation: Organisation) -> None:
        self.request, self.session_id, self.actor, self.organisation = request, session_id, actor, organisation
        self.services: Services = request.app[SERVICES]
        language = staff_language_of(request, organisation)
        self.words = Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))
        asked = request.query.get("lang")
        self.asked = asked if asked in organisation.languages else None

    @property
    def view(self) -> SettingsView:
        """Return the organisation as it is by now, in the reader's words."""
        return SettingsView(self.organisation, self.words, self.services.now())

    def page(self, name: str, status: int = 200, **values: Any) -> web.Response:
        """Return a page; `name` is the part that it shows, ``""`` for all of them."""
        known = {
            "name": name,
            "session": self.session_id,
            "query": f"?{urlencode({'lang': self.asked})}" if self.asked else "",
            "languages": {code: f"?lang={code}" for code in map(for_staff, self.organisation.languages)},
            "said": self.request.query.get("said", "") if status == 200 else "",  # noqa: PLR2004 - as usual
            "problem": "",
            "is_limits": name in LIMITS_OF,
            "look": None,
        }
        shown = {"view": {**known, **values}}
        page = render_page(self.request, SETTINGS, self.organisation, shown, compress=False)
        page.set_status(status)
        return page

    def back(self, path: str, said: str) -> web.HTTPSeeOther:
        """Return the way back to a page after a form, which then says what was done."""
        language = {"lang": self.asked} if self.asked else {}
        return web.HTTPSeeOther(f"/settings/{self.session_id}{path}?{urlencode({'said': said, **language})}")

    async def change(self, wanted: Sequence[Setting], undoes: str | None = None) -> None:
        """Store changes, so that every page has them at once.

        Raises Conflict where somebody else was faster, with the organisation read again.
        """
        store, health = self.services.store, self.services.health
        try:
            self.organisation = await store.change_settings(self.actor, wanted, self.services.now(), undoes=undoes)
        except Conflict:
            self.organisation = await _organisation(self.services, self.organisation.id)
            raise
        if health.organisation is not None and health.organisation.id == self.organisation.id:
            health.organisation = self.organisation


async def _organisation(services: Services, organisation_id: str) -> Organisation:
    found = await services.store.organisation_by_id(organisation_id)
    if found is None:
        raise AccessError("session.not_valid")
    return found


async def _office(request: web.Request) -> _Office:
    session = await session_of(request, request.match_info["session"], kinds=SETTERS)
    organisation = await _organisation(request.app[SERVICES], session.organisation_id)
    return _Office(request, session.id, actor_of(session), organisation)


def _part(request: web.Request) -> str:
    part = request.match_info["part"]
    if part not in PARTS:
        raise AccessError("page.not_found")
    return part


@routes.get("/settings/{session}")
async def all_settings(request: web.Request) -> web.Response:
    """Show the parts, what whoever runs the server has set, and the newest changes."""
    return await _front(await _office(request))


@routes.post("/settings/{session}/undo")
async def undo(request: web.Request) -> web.Response:
    """Take one change back, which is a change itself; refused where the same was changed again since."""
    office, form = await _office(request), await form_body(request)
    made = await office.services.store.setting_change(office.actor, form.get("change", ""))
    if made is None:
        raise AccessError("page.not_found")
    try:
        await office.change([Setting(made.name, made.after, made.before)], undoes=made.id)
    except Conflict:
        return await _front(office, STALE, problem=office.words.t("settings.undo.stale"))
    raise office.back("", "undone")


@routes.get("/settings/{session}/{part}")
async def one_part(request: web.Request) -> web.Response:
    """Show one part with its forms."""
    office, part = await _office(request), _part(request)
    return office.page(part, forms=office.view.forms(part))


@routes.post("/settings/{session}/{part}")
async def save(request: web.Request) -> web.Response:
    """Save a form. The page again, with what was typed, where something is wrong or was changed by somebody else."""
    office, part = await _office(request), _part(request)
    form = await form_body(request, MOST_BYTES)
    if part == "messages":
        return await _try_messages(office, form)
    reading = read_clinic(form) if part == "clinics" else read_form(form, PARTS[part])
    if form.get("seen") != seen_of(office.organisation, reading.names):
        return _again(office, part, reading, STALE, "settings.stale")
    if reading.problems:
        return _again(office, part, reading, 400, "settings.problem")
    wanted = changes_to(office.organisation, reading.values)
    if not wanted:
        raise office.back(f"/{part}", "nothing")
    if part in LIMITS_OF and ("look" in form or form.get("looked") != _mark(office, reading)):
        return await _look(office, part, reading, wanted)
    try:
        await office.change(wanted)
    except Conflict:
        return _again(office, part, reading, STALE, "settings.stale")
    raise office.back(f"/{part}", "saved")


def _mark(office: _Office, reading: Reading) -> str:
    """Return what stands for these values beside all limits that hold now: those of other profiles count too.

    A form carries it, so that nothing is saved whose effect was not seen.
    """
    held = {name: one for name, one in office.organisation.choices.items() if name in MOVABLE}
    return mark_of([dict(reading.values), held])


async def _look(office: _Office, part: str, reading: Reading, wanted: Sequence[Setting]) -> web.Response:
    """Return the page with what was typed, and what it would have changed in the tests of the last weeks."""
    services, wished = office.services, office.organisation
    for one in wanted:
        wished = with_setting(wished, one.name, one.after)
    tests = await services.store.kept_tests(office.actor, services.now())
    made = await asyncio.to_thread(previews, office.organisation, wished, tests)
    made.sort(key=lambda one: one.profile != LIMITS_OF[part])  # that of the form first
    view = office.view
    looked = view.limits.look(made, figures_since(services.now()), _mark(office, reading))
    return office.page(part, forms=view.forms(part, reading), look=looked)


async def _try_messages(office: _Office, form: Mapping[str, str]) -> web.Response:
    """Send a message to the address or number that was typed, and say what became of it; what was typed stays."""
    office.actor.require("settings.change")  # so that the log knows who did it
    channel: Channel = next((one for one in CHANNELS if one in form), "mail")
    typed, words, services = form.get(channel, ""), office.words, office.services
    reading = Reading({channel: typed}, {}, {})
    try:
        to = read_receiver(channel, typed, office.organisation)
        if not await _may_try(office, channel):
            return _again(office, "messages", reading, 429, "settings.test.too_often")
        await send_trial(services.settings, channel, to, office.organisation, words=words, now=services.now())
    except InputError as error:
        reading = Reading({channel: typed}, {}, {channel: error.code})
        return _again(office, "messages", reading, 400, "settings.test.problem")
    except DeliveryError as error:
        await _log_trial(office, channel, error.code)
        problem = words.first(f"settings.test.{error.code}", f"delivery.{error.code}")  # nothing tries a trial again
        forms = office.view.forms("messages", reading)
        return office.page("messages", forms=forms, problem=problem)
    await _log_trial(office, channel, "done")
    raise office.back("/messages", "sent")


async def _may_try(office: _Office, channel: Channel) -> bool:
    """Log that a trial begins and return True; return False where the organisation has begun too many by now."""
    services, whose = office.services, office.organisation.id
    return await services.store.begin_if_few(
        whose, "settings.try", most=MOST_TRIALS, since=services.now() - TRIALS_WITHIN, detail=f"channel={channel}"
    )


async def _log_trial(office: _Office, channel: Channel, outcome: str) -> None:
    store, whose = office.services.store, office.organisation.id
    await store.log_deed(whose, "settings.try", detail=f"channel={channel}", outcome=outcome)


def _again(office: _Office, part: str, reading: Reading, status: int, problem: str) -> web.Response:
    """Return the page with what was typed; of what was changed meanwhile also what is stored now."""
    forms = office.view.forms(part, reading, is_stale=status == STALE)
    return office.page(part, status, forms=forms, problem=office.words.t(problem))


async def _front(office: _Office, status: int = 200, problem: str = "") -> web.Response:
    made = await office.services.store.setting_changes(office.actor, most=MOST_CHANGES)
    view = office.view
    return office.page(
        "",
        status,
        parts=view.summaries(),
        server=view.server(office.services.settings),
        changes=view.changes(made),
        problem=problem,
    )
