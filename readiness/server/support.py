"""Support's page: shows the report for the code that a participant reads out, with pictures of the line.

Rendered completely on the server, so that pictures need no script and the page works without one. Only searches reports
of the session's own organisation. A GET changes nothing.
"""

from __future__ import annotations

from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from readiness.access.actors import actor_of, sessions_that_may
from readiness.errors import AccessError
from readiness.meetings.delivery import OURS
from readiness.server.bodies import form_body
from readiness.server.firewall import openings
from readiness.server.pages import render_page, staff_language_of
from readiness.server.services import SERVICES, Services, caller, session_of
from readiness.texts import LANGUAGES, catalogue, for_staff
from reports.render.phones import phone_in
from reports.render.report import line_view, report_view
from reports.render.words import Words
from reports.store.case_records import WaitingCase
from reports.store.records import Organisation, Session, StoredReport, clean_code

__all__ = ["routes"]

routes = web.RouteTableDef()
SUPPORTERS = sessions_that_may("case.take")
NEWEST = 20
"""Most reports in the list: those of the last hours on a busy day."""


@routes.get("/support/{session}")
async def support_page(request: web.Request) -> web.Response:
    """Show the field for a code, the requested report (``?code=``) and the newest ones."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=SUPPORTERS)
    organisation = await services.store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    asked = request.query.get("lang")
    asked = asked if asked in organisation.languages else None
    words = _words(staff_language_of(request, organisation), organisation)
    typed = request.query.get("code", "").strip()
    actor = actor_of(session)
    found, problem = await _look_up(services, session, typed)
    series = await services.store.series_of(actor, found.id) if found else None
    newest = await services.store.newest_reports(actor, NEWEST)
    zone, now = ZoneInfo(organisation.time_zone), services.now()
    cases = await services.store.waiting_cases(actor, now)
    view = {
        "session": session.id,
        "typed": typed[:20],
        "problem": problem,
        "asked_language": asked,
        "languages": {
            code: "?" + urlencode({"lang": code, "code": typed[:20]}) for code in map(for_staff, organisation.languages)
        },
        "report": found and report_view(found, series, words, zone=zone, now=now),
        "openings": _openings(request, found, words),
        "newest": [line_view(one, words, zone, asked) for one in newest],
        "stuck": [
            (words.t(f"support.stuck.{channel}"), words.t(f"delivery.{code}"))
            for channel, code in sorted((await services.store.stuck(OURS, session.organisation_id)).items())
        ],
        "cases": [_case_view(case, words, zone, asked) for case in cases],
    }
    page = render_page(request, "support/index.html", organisation, {"view": view}, compress=False)
    page.set_status(404 if problem == "unknown" else 400 if problem else 200)
    return page


@routes.post("/support/{session}/taken")
async def take(request: web.Request) -> web.Response:
    """Take a case that a leader handed over, which takes it off the list, and show the page again."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=SUPPORTERS)
    form = await form_body(request)
    await services.store.take_case(actor_of(session), form.get("id", ""), now=services.now())
    asked = form.get("lang")
    query = "?" + urlencode({"lang": asked}) if asked in LANGUAGES else ""
    raise web.HTTPSeeOther(f"/support/{session.id}{query}")


def _case_view(case: WaitingCase, words: Words, zone: ZoneInfo, language: str | None) -> dict[str, object]:
    """Return a line about a handed-over participant: role, meeting, newest report; no name."""
    leaders = ", ".join(filter(None, case.leaders))
    return {
        "id": case.id,
        "when": words.t("support.handed_over", when=words.moment(case.opened_at, zone)),
        "meeting": words.t("support.meeting", when=words.moment(case.starts_at, zone)),
        "who": words.first(f"role.{case.role}", otherwise=case.role),
        "leader": words.t("support.leader", leader=leaders) if leaders else "",
        "report": line_view(case.report, words, zone, language) if case.report else None,
    }


async def _look_up(services: Services, session: Session, typed: str) -> tuple[StoredReport | None, str | None]:
    """Return the report, or the fault of the code. Raises LimitError for anyone guessing."""
    if not typed:
        return None, None
    code = clean_code(typed)
    if code is None:
        return None, "malformed"
    report = await services.store.report_by_code(actor_of(session), code)
    if report is None:
        services.lookups.failed(session.id)
        return None, "unknown"
    return report, None


def _words(language: str, organisation: Organisation) -> Words:
    return Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))


def _openings(request: web.Request, found: StoredReport | None, words: Words) -> list[str]:
    """Return the openings that IT must make, if the report shows that the network is in the way."""
    paths = [check for check in (found.body.get("checks", ()) if found else ()) if check.get("id") == "network.path"]
    if not any(check.get("outcome") in {"fail", "warn"} for check in paths):
        return []
    services = request.app[SERVICES]
    arrived_at = request.transport.get_extra_info("sockname")[0] if request.transport else "127.0.0.1"
    addresses = [address.public for address in services.health.media_addresses(arrived_at)]
    return openings(services.settings, caller(request), addresses, words)
