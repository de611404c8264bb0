"""What participants and leaders said after their meetings, in sums: by unit, and how often "ready" was right.

As JSON for organisers and programs, as a page and a table for organisers, leaders and support. Sums over fewer than
ten people are never made.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from readiness.errors import AccessError, InputError
from readiness.meetings.tables import guarded
from readiness.server.afterwards import AGAIN
from readiness.server.board import LEADERS
from readiness.server.desk_view import SUPPORTERS
from readiness.server.meetings_api import ORGANISERS, organiser_of
from readiness.server.pages import render_page, staff_language_of
from readiness.server.services import SERVICES, session_of
from readiness.texts import catalogue
from reports.model import READY_VERDICTS
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store.feedback import LEAST_ANSWERS
from reports.store.feedback_records import FeedbackCell, FeedbackSum
from reports.store.records import Organisation, Session

__all__ = ["routes"]

routes = web.RouteTableDef()
PAGE = "figures/index.html"
STEPS = (5, 4, 3, 2, 1)
GOOD = (5, 4)
"""Steps of an answer, and those that count as worked or satisfied."""
COLUMNS = (
    *("unit", "who", "answers", *(f"worked_{step}" for step in STEPS), *(f"satisfied_{step}" for step in STEPS)),
    *(*(f"again_{word}" for word in AGAIN), "whose"),
)
READERS = {"plan": ORGANISERS, "support": SUPPORTERS, "board": LEADERS}
"""Whose pages lead to the sums: those single nobody out, so that whoever works with meetings may read them."""
SHOWN = timedelta(weeks=13)
"""A quarter of a year, where nothing else is asked for."""
_WEEK = re.compile(r"^2\d{3}-W(?:0[1-9]|[1-4]\d|5[0-3])$")


@routes.get("/api/v1/feedback/summary")
async def summary(request: web.Request) -> web.Response:
    """Return the sums of the weeks ``?from=`` and ``?to=`` (such as ``2026-W48``), the last quarter by default."""
    services = request.app[SERVICES]
    organisation, _ = await organiser_of(request)
    weeks = _weeks(request, services.now())
    cells = await services.store.feedback_summary(organisation.id, weeks)
    told_ready = [cell for cell in cells if cell.verdict in READY_VERDICTS]
    return web.json_response(
        {
            "from": weeks[0],
            "to": weeks[1],
            "least": LEAST_ANSWERS,
            "ready": _sum(told_ready),
            "all": _sum(cells),
            "cells": [asdict(cell) for cell in cells],
            "sums": [asdict(one) for one in await services.store.feedback_sums(organisation.id, weeks)],
        }
    )


@routes.get("/plan/{session}/figures")
@routes.get("/support/{session}/figures")
@routes.get("/board/{session}/figures")
async def figures_page(request: web.Request) -> web.Response:
    """Show how meetings went, by unit and by what was told before."""
    services = request.app[SERVICES]
    session, organisation = await _reader(request)
    asked, language = request.query.get("lang"), staff_language_of(request, organisation)
    words = Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))
    weeks = _weeks(request, services.now())
    cells = await services.store.feedback_summary(organisation.id, weeks)
    ready = _sum(cell for cell in cells if cell.verdict in READY_VERDICTS)
    home = f"/{request.path.split('/')[1]}/{session.id}"
    view = {
        "home": home,
        "csv": f"{home}/figures.csv?" + urlencode({"from": weeks[0], "to": weeks[1]}),
        "asked_language": asked if asked in organisation.languages else None,
        "weeks": words.t("figures.weeks", first=_named(weeks[0]), last=_named(weeks[1])),
        "right": words.t("figures.right", worked=ready["worked"], answers=ready["answers"]) if ready["answers"] else "",
        "rows": [_row(cell, words) for cell in _by_verdict(cells)],
        "sums": [_sum_row(one, words) for one in await services.store.feedback_sums(organisation.id, weeks)],
        "least": words.t("figures.least", count=LEAST_ANSWERS),
    }
    return render_page(request, PAGE, organisation, {"view": view}, compress=False)


@routes.get("/plan/{session}/figures.csv")
@routes.get("/support/{session}/figures.csv")
@routes.get("/board/{session}/figures.csv")
async def figures_table(request: web.Request) -> web.Response:
    """Give the sums by unit as a table, with all steps of each answer; no cell is taken for a formula."""
    services = request.app[SERVICES]
    _session, organisation = await _reader(request)
    weeks = _weeks(request, services.now())
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(COLUMNS)
    for one in await services.store.feedback_sums(organisation.id, weeks):
        table.writerow([guarded(str(cell)) for cell in _table_row(one)])
    headers = {"Content-Disposition": 'attachment; filename="figures.csv"'}
    return web.Response(text=written.getvalue(), content_type="text/csv", charset="utf-8", headers=headers)


async def _reader(request: web.Request) -> tuple[Session, Organisation]:
    """Return the session of who may read the sums, by the kind of page, and its organisation."""
    kinds = READERS[request.path.split("/")[1]]
    session = await session_of(request, request.match_info["session"], kinds=kinds)
    organisation = await request.app[SERVICES].store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    return session, organisation


def _table_row(one: FeedbackSum) -> list[object]:
    """Return the cells of `COLUMNS`; what too few people answered is empty."""
    unit = "*" if one.unit is None else one.unit
    satisfied = [one.satisfied.get(step, 0) if one.satisfied else "" for step in STEPS]
    again = [one.again.get(word, 0) if one.again else "" for word in AGAIN]
    whose = " ".join(f"{word}:{number}" for word, number in one.whose.items())
    return [unit, one.who, one.answers, *(one.scores.get(step, 0) for step in STEPS), *satisfied, *again, whose]


def _sum_row(one: FeedbackSum, words: Words) -> Mapping[str, Any]:
    """Return a line of the page: shares of those who answered the question."""
    names = {None: words.t("figures.other_units"), "": words.t("figures.no_unit")}
    whose = [f"{_whose(word, words)} ({number})" for word, number in one.whose.items()]
    return {
        "unit": names.get(one.unit) or one.unit,
        "who": words.t(f"figures.{one.who}"),
        "answers": one.answers,
        "worked": _share(one.scores, GOOD),
        "steps": ", ".join(f"{step}: {one.scores.get(step, 0)}" for step in STEPS),
        "satisfied": _share(one.satisfied, GOOD),
        "again": _share(one.again, ("yes",)),
        "whose": ", ".join(whose),
    }


def _whose(word: str, words: Words) -> str:
    return words.t("board.after.whose_self") if word == "self" else words.first(f"role.{word}", otherwise=word)


def _share(said: Mapping[Any, int], wanted: Sequence[Any]) -> str:
    """Return for example ``12 (80 %)``, or nothing where too few answered."""
    answers, found = sum(said.values()), sum(said.get(one, 0) for one in wanted)
    return f"{found} ({round(100 * found / answers)} %)" if answers else ""


def _weeks(request: web.Request, now: datetime) -> tuple[str, str]:
    """Return the first and the last week that is asked for. Raises InputError for what is no week."""
    first = request.query.get("from") or _week_of(now - SHOWN)
    last = request.query.get("to") or _week_of(now)
    if not _WEEK.match(first) or not _WEEK.match(last):
        raise InputError("figures.week")
    return first, last


def _week_of(moment: datetime) -> str:
    year, week, _day = moment.isocalendar()
    return f"{year:04d}-W{week:02d}"


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
