"""What participants and leaders said after their meetings, in sums: by unit, and how often "ready" was right.

As JSON for organisers and programs, as a page and a table for organisers, leaders and support. Sums over fewer than
ten people are never made. They are of one whole month, as in the overview, so that none is the difference of two.
Leaders and support read shares by unit only: answers told in a second way, or step by step, would tell of few.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from readiness.access.actors import actor_of
from readiness.errors import AccessError, InputError
from readiness.meetings.tables import guarded
from readiness.server.afterwards import AGAIN
from readiness.server.board import LEADERS
from readiness.server.desk_view import SUPPORTERS
from readiness.server.meetings_api import ORGANISERS, organiser_of
from readiness.server.overview import is_told_month
from readiness.server.pages import render_page, staff_language_of
from readiness.server.services import SERVICES, session_of
from readiness.texts import catalogue
from reports.model import READY_VERDICTS
from reports.overview import last_month, months_back, weeks_of
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store import Actor
from reports.store.actors import ActorKind
from reports.store.feedback import LEAST_ANSWERS
from reports.store.feedback_records import FeedbackCell, FeedbackSum
from reports.store.records import Organisation, Session
from reports.sums import Cell

__all__ = ["routes"]

routes = web.RouteTableDef()
PAGE = "figures/index.html"
SESSION: Final = "Readiness-Session"
"""Header by which pages of organisers say whose they are."""
STEPS = (5, 4, 3, 2, 1)
GOOD = (5, 4)
"""Steps of an answer, and those that count as worked or satisfied."""
COLUMNS = (
    *("unit", "who", "answers", *(f"worked_{step}" for step in STEPS), *(f"satisfied_{step}" for step in STEPS)),
    *(*(f"again_{word}" for word in AGAIN), "whose"),
)
SHARES = ("unit", "who", "answers", "worked_percent", "satisfied_percent", "again_percent")
"""Columns for leaders and support."""
READERS: Final[Mapping[str, tuple[frozenset[str], ActorKind]]] = {
    "plan": (ORGANISERS, "organiser"),
    "support": (SUPPORTERS, "support"),
    "board": (LEADERS, "leader"),
}
"""Whose pages lead to the sums: those single nobody out, so that whoever works with meetings may read them."""


@routes.get("/api/v1/feedback/summary")
async def summary(request: web.Request) -> web.Response:
    """Return the sums of the month ``?month=`` (such as ``2026-10``), by default of the newest that is over.

    Not found for staff whose roles reach different units.
    """
    services = request.app[SERVICES]
    organisation, actor = await organiser_of(request)
    if actor.kind == "staff" and not _is_all(await session_of(request, request.headers[SESSION], kinds=ORGANISERS)):
        raise AccessError("page.not_found")
    month = _month(request, services.now(), organisation)
    weeks = weeks_of(month)
    cells = await services.store.feedback_summary(actor, weeks)
    told_ready = [cell for cell in cells if cell.verdict in READY_VERDICTS]
    return web.json_response(
        {
            "month": month,
            "from": weeks[0],
            "to": weeks[1],
            "least": LEAST_ANSWERS,
            "ready": _sum(told_ready),
            "all": _sum(cells),
            "cells": [asdict(cell) for cell in cells],
            "sums": [asdict(one) for one in await services.store.feedback_sums(actor, weeks)],
        }
    )


@routes.get("/plan/{session}/figures")
@routes.get("/support/{session}/figures")
@routes.get("/board/{session}/figures")
async def figures_page(request: web.Request) -> web.Response:
    """Show how meetings went, by unit, and to organisers by what was told before."""
    services = request.app[SERVICES]
    session, organisation, actor, plans = await _reader(request)
    asked, language = request.query.get("lang"), staff_language_of(request, organisation)
    words = Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))
    month = _month(request, services.now(), organisation)
    weeks, earlier, later = weeks_of(month), months_back(month, 1), months_back(month, -1)
    cells = await services.store.feedback_summary(actor, weeks) if plans else []
    ready = _sum(cell for cell in cells if cell.verdict in READY_VERDICTS)
    home = f"/{request.path.split('/')[1]}/{session.id}"
    view = {
        "home": home,
        "csv": f"{home}/figures.csv?" + urlencode({"month": month}),
        "asked_language": asked if asked in organisation.languages else None,
        "earlier": earlier if is_told_month(earlier, services.now(), organisation) else "",
        "later": later if is_told_month(later, services.now(), organisation) else "",
        "steps": plans,
        "weeks": words.t("figures.weeks", first=_named(weeks[0]), last=_named(weeks[1])),
        "right": words.t("figures.right", worked=ready["worked"], answers=ready["answers"]) if ready["answers"] else "",
        "rows": [_row(cell, words) for cell in _by_verdict(cells)],
        "sums": [
            _sum_row(one, words, plans=plans)
            for one in await services.store.feedback_sums(actor, weeks, by_share=not plans)
        ],
        "least": words.t("figures.least", count=LEAST_ANSWERS),
        "least_share": "" if plans else words.t("figures.least_share", count=LEAST_ANSWERS),
    }
    return render_page(request, PAGE, organisation, {"view": view}, compress=False)


@routes.get("/plan/{session}/figures.csv")
@routes.get("/support/{session}/figures.csv")
@routes.get("/board/{session}/figures.csv")
async def figures_table(request: web.Request) -> web.Response:
    """Give the sums by unit as a table, to organisers with all steps of each answer; no cell is taken for a formula."""
    services = request.app[SERVICES]
    _session, organisation, actor, plans = await _reader(request)
    weeks = weeks_of(_month(request, services.now(), organisation))
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(COLUMNS if plans else SHARES)
    for one in await services.store.feedback_sums(actor, weeks, by_share=not plans):
        table.writerow([guarded(str(cell)) for cell in (_table_row(one) if plans else _share_row(one))])
    headers = {"Content-Disposition": 'attachment; filename="figures.csv"'}
    text = "\ufeff" + written.getvalue()
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)


async def _reader(request: web.Request) -> tuple[Session, Organisation, Actor, bool]:
    """Return the session, its organisation, who reads, and whether they read every step of an answer.

    Only organisers do. Whoever has roles for different units reads the same on every page, of all these units and as
    shares: what is told of some units could be subtracted from what is told of more. Raises AccessError where the
    organisation is gone.
    """
    page = request.path.split("/")[1]
    kinds, role = READERS[page]
    session = await session_of(request, request.match_info["session"], kinds=kinds)
    organisation = await request.app[SERVICES].store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    is_all = _is_all(session, role)
    actor = actor_of(session)
    return session, organisation, actor.only(role) if is_all else actor, is_all and page == "plan"


def _is_all(session: Session, role: ActorKind = "organiser") -> bool:
    """Return whether this role alone reaches every unit whose sums the reader's roles reach together."""
    whole = actor_of(session)
    return whole.kind != "staff" or whole.scope("sums.read").units == whole.only(role).scope("sums.read").units


def _table_row(one: FeedbackSum) -> list[object]:
    """Return the cells of `COLUMNS`; what too few people answered is empty."""
    unit = "*" if one.unit is None else one.unit
    satisfied = [one.satisfied.get(step, 0) if one.satisfied else "" for step in STEPS]
    again = [one.again.get(word, 0) if one.again else "" for word in AGAIN]
    whose = " ".join(f"{word}:{number}" for word, number in one.whose.items())
    return [unit, one.who, one.answers, *(one.scores.get(step, 0) for step in STEPS), *satisfied, *again, whose]


def _share_row(one: FeedbackSum) -> list[object]:
    """Return the cells of `SHARES`."""
    said = ((one.scores, GOOD), (one.satisfied, GOOD), (one.again, ("yes",)))
    shares = [_percent_told(found, wanted) for found, wanted in said]
    return ["*" if one.unit is None else one.unit, one.who, one.answers, *shares]


def _sum_row(one: FeedbackSum, words: Words, *, plans: bool) -> Mapping[str, Any]:
    """Return a line of the page: shares of those who answered the question."""
    share = _share if plans else _share_told
    names = {None: words.t("figures.other_units"), "": words.t("figures.no_unit")}
    whose = [f"{_whose(word, words)} ({number})" for word, number in one.whose.items()]
    return {
        "unit": names.get(one.unit) or one.unit,
        "who": words.t(f"figures.{one.who}"),
        "answers": one.answers,
        "worked": share(one.scores, GOOD),
        "steps": ", ".join(f"{step}: {one.scores.get(step, 0)}" for step in STEPS),
        "satisfied": share(one.satisfied, GOOD),
        "again": share(one.again, ("yes",)),
        "whose": ", ".join(whose),
    }


def _whose(word: str, words: Words) -> str:
    return words.t("board.after.whose_self") if word == "self" else words.first(f"role.{word}", otherwise=word)


def _share(said: Mapping[Any, int], wanted: Sequence[Any]) -> str:
    """Return for example ``12 (80 %)``, or nothing where too few answered."""
    answers, found = sum(said.values()), sum(said.get(one, 0) for one in wanted)
    return f"{found} ({round(100 * found / answers)} %)" if answers else ""


def _percent_told(said: Mapping[Any, int], wanted: Sequence[Any]) -> str:
    """Return for example ``80``; nothing where those who said so, or the others, are too few to be told."""
    cell = Cell(sum(said.values()), sum(said.get(one, 0) for one in wanted))
    return str(round(100 * cell.share)) if cell.is_told() else ""


def _share_told(said: Mapping[Any, int], wanted: Sequence[Any]) -> str:
    percent = _percent_told(said, wanted)
    return f"{percent} %" if percent else "-"


def _month(request: web.Request, now: datetime, organisation: Organisation) -> str:
    """Return the month that is asked for. Raises InputError for any that is not told, and for a span of weeks."""
    month = request.query.get("month") or last_month(now.date())
    if {"from", "to"} & set(request.query) or not is_told_month(month, now, organisation):
        raise InputError("figures.month")
    return month


def _named(week: str) -> str:
    year, _, number = week.partition("-W")
    return f"{int(number)}/{year}"


def _sum(cells: Iterable[FeedbackCell]) -> dict[str, int]:
    found = list(cells)
    return {"answers": sum(cell.answers for cell in found), "worked": sum(cell.worked for cell in found)}


def _by_verdict(cells: Sequence[FeedbackCell]) -> list[FeedbackCell]:
    """Return the cells with those that were told "ready" first: the ones that have to be right."""
    order = ["ready", "ready_with_warnings", "not_ready", "incomplete", None]
    return sorted(cells, key=lambda cell: (order.index(cell.verdict), -cell.answers))


def _row(cell: FeedbackCell, words: Words) -> Mapping[str, Any]:
    verdict = words.t(f"state.{cell.verdict or 'not_tested'}")
    problems = [f"{words.t(f'after.problem_{word}')} ({number})" for word, number in cell.problems.items()]
    return {
        "verdict": verdict,
        "role": words.first(f"role.{cell.role}", f"host.{cell.role}"),
        "kind": words.first(f"plan.profile.{cell.profile}", otherwise=cell.profile),
        "answers": cell.answers,
        "worked": cell.worked,
        "share": round(100 * cell.worked / cell.answers),
        "problems": ", ".join(problems),
    }
