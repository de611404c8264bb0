"""Pages and static files. A GET never changes anything: mail scanners open every link."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from readiness.errors import AccessError, ReadinessError
from readiness.meetings.guides import GUIDES, guide_html, page_html
from readiness.server.board import LEADERS
from readiness.server.mangled import meant
from readiness.server.phone_hours import phone_opens_at
from readiness.server.policies import BARE_POLICY, POLICY
from readiness.server.services import SERVICES, Services, session_of
from readiness.texts import LANGUAGES, catalogue, for_staff, negotiate
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store.records import Organisation
from reports.store.setting_records import MOST_MONTHS

__all__ = [
    "error_page",
    "language_of",
    "notice_html",
    "organisation_of_path",
    "page_that_is_meant",
    "render_page",
    "routes",
    "staff_language_of",
]

routes = web.RouteTableDef()
FOREVER = f"public, max-age={int(timedelta(days=365).total_seconds())}, immutable"
A_DAY = "public, max-age=86400"
WORKER_ENDS = "worker.js"
"""How the names of workers' scripts end: a worker goes by its own script's policy, everything else by its page's."""
SELFTEST, BOARD, ERROR = "selftest/index.html", "board/index.html", "shared/error.html"
SUPPORT, CODE, PLAN, ROOMS = "support/index.html", "code/index.html", "plan/index.html", "rooms/index.html"
GUIDE = "guide/index.html"
TEMPLATES = {"t": SELFTEST, "try": SELFTEST, "support": SUPPORT, "plan": PLAN, "code": CODE, "rooms": ROOMS}
"""By the last part of a link's path; the board is made with its guides."""
OVERVIEW, SETTINGS = "overview/index.html", "settings/index.html"
FOR_STAFF = frozenset(
    {BOARD, SUPPORT, PLAN, ROOMS, OVERVIEW, SETTINGS, "staff/index.html", "figures/index.html", "api/index.html"}
)
"""Pages in the languages that have texts for staff."""


@routes.get("/")
async def front(request: web.Request) -> web.Response:
    """The start page names the organisation and its support phone, and nothing else."""
    return render_page(request, ERROR, await _only_organisation(request), {"code": "front", "status": 200})


@routes.get("/o/{organisation}/t")
@routes.get("/o/{organisation}/try")
async def selftest_by_link(request: web.Request) -> web.Response:
    """The self-test page for a link (its token stays in the fragment) or for a drop-in test."""
    return render_page(request, SELFTEST, await organisation_of_path(request))


@routes.get("/t/{session}")
async def selftest_by_session(request: web.Request) -> web.Response:
    """The self-test page after the link was redeemed; reloading works as long as the cookie."""
    return render_page(request, SELFTEST, await _only_organisation(request))


@routes.get("/o/{organisation}/board")
async def board_by_link(request: web.Request) -> web.Response:
    """The leader's board for a link (its token stays in the fragment)."""
    return _board_page(request, await organisation_of_path(request))


@routes.get("/board/{session}")
async def board_by_session(request: web.Request) -> web.Response:
    """The leader's board after the link was redeemed, with the guides of the session's organisation."""
    try:
        session = await session_of(request, request.match_info["session"], kinds=LEADERS)
    except AccessError:
        return _board_page(request, await _only_organisation(request))
    organisation = await request.app[SERVICES].store.organisation_by_id(session.organisation_id)
    return _board_page(request, organisation, staff=session.id if session.kind == "staff" else "")


@routes.get("/o/{organisation}/code")
async def type_a_code(request: web.Request) -> web.Response:
    """The page for typing the code of a letter, which opens the same session as the letter's link."""
    return render_page(request, CODE, await organisation_of_path(request))


@routes.get("/o/{organisation}/support")
async def support_by_link(request: web.Request) -> web.Response:
    """The page of support for a link (its token stays in the fragment); it then opens ``/support/<session>``."""
    return render_page(request, SUPPORT, await organisation_of_path(request), {"view": None})


@routes.get("/o/{organisation}/privacy")
async def privacy_notice(request: web.Request) -> web.Response:
    """What participants are told of a video meeting, and of how what is known of them is used."""
    return await _guide_page(request, "privacy")


@routes.get("/o/{organisation}/tips")
async def tips(request: web.Request) -> web.Response:
    """How to get the best internet, sound and picture: no test is needed to read it."""
    return await _guide_page(request, "tips")


@routes.get("/static/{version}/{name:.+}")
async def static_file(request: web.Request) -> web.Response:
    """One file of ``web/``, cached for ever under the version it belongs to."""
    assets = request.app[SERVICES].assets
    name = request.match_info["name"]
    asset = assets.get(name)
    if asset is None:
        raise AccessError("page.not_found")
    current = request.match_info["version"] == assets.version
    headers = {"Cache-Control": FOREVER if current else "no-store", "Content-Type": asset.content_type}
    body = asset.plain
    if asset.compressed is not None:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = asset.compressed
    answer = web.Response(body=body, headers=headers)
    if not name.endswith(WORKER_ENDS):
        answer[POLICY] = BARE_POLICY
    return answer


@routes.get("/robots.txt")
async def robots(_request: web.Request) -> web.Response:
    """Ask search engines to index nothing."""
    return web.Response(text="User-agent: *\nDisallow: /\n")


@routes.get("/favicon.ico")
async def favicon(request: web.Request) -> web.Response:
    """The icon in the tab."""
    asset = request.app[SERVICES].assets.get("shared/icon.svg")
    if asset is None:
        raise AccessError("page.not_found")
    return web.Response(body=asset.plain, headers={"Content-Type": asset.content_type, "Cache-Control": A_DAY})


async def page_that_is_meant(request: web.Request) -> web.Response | None:
    """Return the intended page of a mangled link, None for any other address. Does not read what is appended."""
    slug, page = meant(request.raw_path) or ("", "")
    organisation = await request.app[SERVICES].store.organisation(slug) if slug else None
    if organisation is None:
        return None
    if page == "board":
        return _board_page(request, organisation)
    return render_page(request, TEMPLATES[page], organisation, {"view": None})


def error_page(
    request: web.Request, error: ReadinessError, *, status: int, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Return a page that says what happened and whom to call. Identical errors give identical bytes."""
    response = render_page(
        request, ERROR, request.app[SERVICES].health.organisation, {"code": error.code, "status": status}
    )
    response.set_status(status)
    response.headers.update(headers)
    return response


def language_of(request: web.Request, organisation: Organisation | None) -> str:
    """Return the language to answer participants in."""
    offered = organisation.languages if organisation else LANGUAGES
    return negotiate(request.query.get("lang"), request.headers.get("Accept-Language", ""), offered)


def staff_language_of(request: web.Request, organisation: Organisation | None) -> str:
    """Return the language to answer staff in: what theirs falls back to, where it has no texts for them."""
    return for_staff(language_of(request, organisation))


def render_page(
    request: web.Request,
    template: str,
    organisation: Organisation | None,
    values: Mapping[str, object] | None = None,
    *,
    compress: bool = True,
) -> web.Response:
    """Return the page rendered from `template`. `compress` only content whose length reveals no secret."""
    services: Services = request.app[SERVICES]
    offered = organisation.languages if organisation else LANGUAGES
    language, choices = language_of(request, organisation), offered
    if template in FOR_STAFF:
        language, choices = for_staff(language), tuple(dict.fromkeys(for_staff(code) for code in offered))
    shown = {
        "lang": language,
        "languages": choices,
        "offered": offered,
        "static": services.assets.base,
        "t": catalogue(language),
        "texts": {code: catalogue(code) for code in (*offered, *choices)},
        "organisation": _shown(organisation) | {"opens": opens_words(organisation, language, services.now())},
        "speedtest": services.settings.speedtest != "off",
        **(values or {}),
    }
    headers = {"Content-Language": language, "Vary": "Accept-Language, Accept-Encoding"}
    page = web.Response(text=services.assets.render(template, shown), content_type="text/html", headers=headers)
    if compress and "gzip" in request.headers.get("Accept-Encoding", ""):
        page.enable_compression(web.ContentCoding.gzip)
    return page


async def _guide_page(request: web.Request, name: str) -> web.Response:
    organisation = await organisation_of_path(request)
    language = language_of(request, organisation)
    html = notice_html(organisation, name, language, request.app[SERVICES].now())
    return render_page(request, GUIDE, organisation, {"guide": html, "name": name})


def notice_html(organisation: Organisation, name: str, language: str, now: datetime) -> str:
    """Return one of the pages that anybody may read, with the organisation's numbers, as HTML."""
    words, phone = catalogue(language), organisation.support_phone
    hours = organisation.support_hours
    filled = {
        "phone": _called(organisation, language, now),
        "clinic": phone_in(language, organisation.clinic_phone or phone),
        "hours": f"{words['help.hours']} {hours}." if hours else "",
        "legal": organisation.choices.get("notice_legal") or words["notice.legal"],
        "dpo": organisation.choices.get("notice_dpo") or words["notice.dpo"],
        "months": str(organisation.choices.get("figures_months", MOST_MONTHS)),
    }
    return page_html(organisation, name, language, filled)


def _board_page(request: web.Request, organisation: Organisation | None, *, staff: str = "") -> web.Response:
    """Return the board with its guides in every language, so that they can be read when the network is down.

    `staff` is the session of who signed in.
    """
    guides = {name: _guide(organisation, name) for name in GUIDES} if organisation else {}
    return render_page(request, BOARD, organisation, {"guides": guides, "staff": staff})


def _guide(organisation: Organisation, name: str) -> dict[str, str]:
    read = dict.fromkeys(for_staff(language) for language in organisation.languages)
    return {language: guide_html(organisation, name, language) for language in read}


def opens_words(organisation: Organisation | None, language: str, now: datetime) -> str:
    """Return the day and time at which the organisation's phone opens; empty while it is open, or that is not known."""
    opens_at = phone_opens_at(organisation, now) if organisation else None
    if organisation is None or opens_at is None:
        return ""
    return Words(catalogue(language), language).moment(opens_at, ZoneInfo(organisation.time_zone))


def _called(organisation: Organisation, language: str, now: datetime) -> str:
    """Return the number for technical help as it stands in a sentence, with when it opens while it is closed."""
    phone, opens = phone_in(language, organisation.support_phone), opens_words(organisation, language, now)
    return Words(catalogue(language), language).t("help.opens", phone=phone, when=opens) if opens else phone


def _shown(organisation: Organisation | None) -> dict[str, str]:
    if organisation is None:
        return {"slug": "", "name": "", "support_phone": "", "support_hours": "", "clinic_phone": "", "may_try": "",
                "routine_link": "", "routine_name": ""}  # fmt: skip
    return {
        "slug": organisation.slug,
        "name": organisation.name,
        "support_phone": organisation.support_phone,
        "support_hours": organisation.support_hours,
        "clinic_phone": organisation.clinic_phone,
        "may_try": "yes" if organisation.drop_in_allowed else "",
        **{name: organisation.choices.get(name, "") for name in ("routine_link", "routine_name")},
    }


async def organisation_of_path(request: web.Request) -> Organisation:
    """Return the organisation that the address names, ignoring case."""
    store, slug = request.app[SERVICES].store, request.match_info["organisation"]
    organisation = await store.organisation(slug) or await store.organisation(slug.lower())
    if organisation is None:
        raise AccessError("page.not_found")
    return organisation


async def _only_organisation(request: web.Request) -> Organisation | None:
    """Return the organisation if this server has just one, so that even an error page says whom to call."""
    return request.app[SERVICES].health.organisation
