"""The overview for those who improve: one month as a page, a table (CSV), JSON, and a report on paper (PDF).

What is told, and what is too few to be told, is decided in `reports.overview`; here it gets words. Drawn on the server:
bars are SVG in the page, beside the numbers that they show.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from readiness.access.actors import actor_of, sessions_that_may
from readiness.errors import AccessError
from readiness.meetings.confined import print_sheet
from readiness.meetings.paper import Sheet
from readiness.meetings.tables import guarded
from readiness.server.pages import render_page, staff_language_of
from readiness.server.services import SERVICES, session_of
from readiness.texts import catalogue
from reports.overview import Measure, Overview, last_month, months_back, weeks_of
from reports.render.languages import TABLE
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.solution import load_solution, solution_names
from reports.store.participation import iso_week
from reports.store.records import Organisation, Session
from reports.store.setting_records import figures_kept
from reports.sums import LEAST, OTHERS

__all__ = ["is_told_month", "routes"]

routes = web.RouteTableDef()
PAGE: Final = "overview/index.html"
READERS: Final = sessions_that_may("figures.read")
CAME_FROM: Final = {"organiser": "plan", "support": "support"}
HEADLINES: Final = ("in_time", "first_try", "right", "satisfied", "solved")
_MONTH: Final = re.compile(r"^2\d{3}-(?:0[1-9]|1[0-2])$")
SIZES_PT: Final = (10.5, 9.5, 8.5)
PAGES: Final = 4
"""Most sheets of paper: two hold the month and its weeks, two the tables by unit and by room."""
MOST_ON_SCREEN, MOST_ON_PAPER = 20, 8
"""Lines of a table; the rest stands in the file."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One month of an organisation, with the words to tell it in."""

    session: Session
    organisation: Organisation
    month: str
    newest: str
    overview: Overview
    words: Words


@routes.get("/overview/{session}")
async def overview_page(request: web.Request) -> web.Response:
    """Show the month ``?month=``, by default the newest that is over."""
    shown = await _shown(request)
    asked = request.query.get("lang")
    earlier, folder = months_back(shown.month, 1), _came_from(shown.session)
    home = f"/{folder}/{shown.session.id}"
    view = {
        "session": shown.session.id,
        "back": home,
        "figures": f"{home}/figures" if folder in CAME_FROM.values() else "",
        "asked_language": asked if asked in shown.organisation.languages else None,
        "month": shown.month,
        "title": _named(shown),
        "earlier": earlier if is_told_month(earlier, request.app[SERVICES].now(), shown.organisation) else "",
        "later": months_back(shown.month, -1) if shown.month < shown.newest else "",
        "headlines": _headlines(shown),
        "tables": _tables(shown, MOST_ON_SCREEN),
        "least": shown.words.t("overview.least", count=LEAST),
    }
    return render_page(request, PAGE, shown.organisation, {"view": view}, compress=False)


@routes.get("/overview/{session}/overview.csv")
async def overview_csv(request: web.Request) -> web.Response:
    """Return the month as a table, one row for each share; no cell is a formula (INJ-1)."""
    shown = await _shown(request)
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(("month", "measure", "by", "group", "people", "counted", "percent", "low", "high"))
    for row in _lines(shown.overview):
        table.writerow([guarded(str(cell)) for cell in (shown.month, *row)])
    headers = {"Content-Disposition": f'attachment; filename="overview-{shown.month}.csv"'}
    return web.Response(
        body=("\ufeff" + written.getvalue()).encode(), content_type="text/csv", charset="utf-8", headers=headers
    )


@routes.get("/overview/{session}/overview.json")
async def overview_json(request: web.Request) -> web.Response:
    """Return the month for programs: shares with their denominators and intervals, by code."""
    shown = await _shown(request)
    names = ("measure", "by", "group", "people", "counted", "percent", "low", "high")
    rows = [dict(zip(names, row, strict=True)) for row in _lines(shown.overview)]
    return web.json_response({"month": shown.month, "weeks": weeks_of(shown.month), "least": LEAST, "rows": rows})


@routes.get("/overview/{session}/overview.pdf")
async def overview_pdf(request: web.Request) -> web.Response:
    """Return the month's report on paper, for the leader group."""
    shown = await _shown(request)
    words, language = shown.words, shown.words.language
    sheet = Sheet(
        "overview",
        {
            "lang": language,
            "dir": TABLE[language].dir,
            "organisation": shown.organisation.name,
            "title": f"{words.t('overview.title')}, {_named(shown)}",
            "none": words.t("overview.none"),
            "columns": [words.t(f"overview.{name}") for name in ("group", "people", "share")],
            "headlines": _headlines(shown),
            "tables": _tables(shown, MOST_ON_PAPER),
            "least": words.t("overview.least", count=LEAST),
        },
        sizes_pt=SIZES_PT,
        pages=PAGES,
    )
    body = await print_sheet(request.app[SERVICES].chores, sheet)
    headers = {"Content-Disposition": f'inline; filename="overview-{shown.month}.pdf"'}
    return web.Response(body=body, content_type="application/pdf", headers=headers)


async def _shown(request: web.Request) -> Shown:
    """Return the month that is asked for. A month that is not over, or no month, is the newest that is."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=READERS)
    organisation = await services.store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    language = staff_language_of(request, organisation)
    newest = last_month(services.now().date())
    asked = request.query.get("month", newest)
    month = asked if is_told_month(asked, services.now(), organisation) else newest
    overview = await services.store.overview(actor_of(session), weeks_of(month))
    words = Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))
    return Shown(session, organisation, month, newest, overview, words)


def _came_from(session: Session) -> str:
    """Return the beginning of the address of the page that leads here."""
    held = {session.kind, *session.roles}
    return next((folder for kind, folder in CAME_FROM.items() if kind in held), "staff")


def is_told_month(month: str, now: datetime, organisation: Organisation) -> bool:
    """Return whether this is a month that is over and of which no week is forgotten: any other would change."""
    if not _MONTH.match(month) or month > last_month(now.date()):
        return False
    return weeks_of(month)[0] >= iso_week(now - figures_kept(organisation.choices))


def _named(shown: Shown) -> str:
    year, _, month = shown.month.partition("-")
    return f"{shown.words.t(f'time.month_{int(month)}')} {year}"


def _percent(share: float | None) -> int | None:
    return None if share is None else round(100 * share)


def _headlines(shown: Shown) -> list[dict[str, Any]]:
    """Return each share of the whole month in words, without those of too few."""
    found: dict[str, Measure | None] = {name: getattr(shown.overview, name) for name in HEADLINES}
    words = shown.words
    return [{"name": words.t(f"overview.{name}"), **_bar(one, words)} for name, one in found.items() if one is not None]


def _bar(found: Measure, words: Words) -> dict[str, Any]:
    low, high, is_told = round(100 * found.low), round(100 * found.high), found.hits is not None
    return {
        "percent": _percent(found.share),
        "low": low,
        "high": high,
        "people": found.number,
        "of": words.t("overview.of", hits=found.hits, number=found.number) if is_told else "",
        "interval": words.t("overview.interval", low=low, high=high),
    }


def _tables(shown: Shown, most: int) -> list[dict[str, Any]]:
    """Return the tables that have more than one line, for with one the whole month says it already.

    Of more than `most` lines, those further down are counted, but for the last: there the small ones stand, if any.
    """
    words, overview = shown.words, shown.overview
    tables: list[dict[str, Any]] = []
    for measure, by in (("in_time", overview.in_time_by), ("first_try", overview.first_try_by)):
        for dimension, cells in by.items():
            title = f"{words.t(f'overview.{measure}')}: {words.t(f'overview.by.{dimension}')}"
            names = _order(dimension, cells)
            rows = [{"name": _group(words, dimension, name), **_bar(cells[name], words)} for name in names]
            tables.append({"title": title, "shares": True, "rows": rows})
    for name, dimension, counts in (
        ("causes", "check", overview.causes),
        ("solved_within", "within", overview.solved_within),
    ):
        rows = [{"name": _group(words, dimension, one), "people": counts[one]} for one in _order(dimension, counts)]
        tables.append({"title": words.t(f"overview.{name}"), "shares": False, "rows": rows})
    return [_cut(one, most, words) for one in tables if len(one["rows"]) > 1]


def _cut(table: dict[str, Any], most: int, words: Words) -> dict[str, Any]:
    rows, left_out = table["rows"], max(0, len(table["rows"]) - most)
    kept = [*rows[: most - 1], rows[-1]] if left_out else rows
    return table | {"rows": kept, "more": words.t("overview.more", count=left_out) if left_out else ""}


def _order(dimension: str, cells: Mapping[str, Any]) -> list[str]:
    """Return the groups of a table in order, the small ones last.

    Weeks and times as they go, units and rooms with those first that surely lack most, others by size.
    """
    if dimension == "week":
        return sorted(cells, key=lambda name: (name == OTHERS, name))
    if dimension == "within":
        return sorted(cells, key=lambda name: (name == OTHERS, name.zfill(9)))
    if dimension in {"unit", "room"}:
        return sorted(cells, key=lambda name: (name == OTHERS, cells[name].high, name))
    return list(cells)


def _group(words: Words, dimension: str, name: str) -> str:
    """Return what a group is called."""
    if name == OTHERS:
        return words.t("overview.others")
    if dimension == "week":
        return words.t("overview.week", week=int(name.rpartition("W")[2]))
    if dimension == "within":
        return words.t("overview.within", minutes=name)
    if dimension in {"unit", "room"}:
        return name or words.t(f"overview.no_{dimension}")
    if dimension == "system":
        system, _, form = name.partition("/")
        return ", ".join(filter(None, (system, words.first(f"form.{form}")))) or words.t("overview.unknown")
    otherwise = name or words.t("overview.unknown")
    if dimension == "solution" and name in solution_names():
        otherwise = load_solution(name).title or words.t("plan.solution.other")
    prefixes: Mapping[str, str] = {"profile": "plan.profile", "check": "check"}
    return words.first(f"{prefixes.get(dimension, 'overview.of')}.{name}", otherwise=otherwise)


def _lines(overview: Overview) -> Iterable[tuple[str | int, ...]]:
    """Yield every share and count by code: measure, by what, group, people, counted, percent and its interval."""
    for name in HEADLINES:
        found: Measure | None = getattr(overview, name)
        if found is not None:
            yield (name, "", "", *_figures(found))
    for measure, by in (("in_time", overview.in_time_by), ("first_try", overview.first_try_by)):
        for dimension, cells in by.items():
            for group, one in cells.items():
                yield (measure, dimension, group, *_figures(one))
    for name, counts in (("causes", overview.causes), ("solved_within", overview.solved_within)):
        for group, count in counts.items():
            yield (name, "", group, count, "", "", "", "")


def _figures(one: Measure) -> tuple[int | str, ...]:
    """Return people, counted, percent and its interval; the interval alone where more would tell of few."""
    low, high = round(100 * one.low), round(100 * one.high)
    if one.number is None or one.hits is None:
        return "", "", "", low, high
    return one.number, one.hits, round(100 * one.hits / one.number), low, high
