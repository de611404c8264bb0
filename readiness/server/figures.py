"""How often "ready" was right: the sums of what participants and leaders said after their meetings.

As JSON for organisers and programs, and as a page for organisers. Sums over fewer than five people are never made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from readiness.errors import AccessError, InputError
from readiness.server.meetings_api import ORGANISERS, organiser_of
from readiness.server.pages import render_page, staff_language_of
from readiness.server.services import SERVICES, session_of
from readiness.texts import catalogue
from reports.model import READY_VERDICTS
from reports.render.phones import phone_in
from reports.render.words import Words
from reports.store.feedback import LEAST_ANSWERS
from reports.store.records import FeedbackCell

__all__ = ["routes"]

routes = web.RouteTableDef()
PAGE = "figures/index.html"
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
        }
    )


@routes.get("/plan/{session}/figures")
async def figures_page(request: web.Request) -> web.Response:
    """Show the organiser how meetings went, by what was told before."""
    services = request.app[SERVICES]
    session = await session_of(request, request.match_info["session"], kinds=ORGANISERS)
    organisation = await services.store.organisation_by_id(session.organisation_id)
    if organisation is None:
        raise AccessError("session.not_valid")
    asked, language = request.query.get("lang"), staff_language_of(request, organisation)
    words = Words(catalogue(language), language, phone=phone_in(language, organisation.support_phone))
    weeks = _weeks(request, services.now())
    cells = await services.store.feedback_summary(session.organisation_id, weeks)
    ready = _sum(cell for cell in cells if cell.verdict in READY_VERDICTS)
    view = {
        "session": session.id,
        "asked_language": asked if asked in organisation.languages else None,
        "weeks": words.t("figures.weeks", first=_named(weeks[0]), last=_named(weeks[1])),
        "right": words.t("figures.right", worked=ready["worked"], answers=ready["answers"]) if ready["answers"] else "",
        "rows": [_row(cell, words) for cell in _by_verdict(cells)],
        "least": words.t("figures.least", count=LEAST_ANSWERS),
    }
    return render_page(request, PAGE, organisation, {"view": view}, compress=False)


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
