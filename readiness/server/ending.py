"""Ends self-tests: commits the report under the claim of whoever ends the test; also ends tests left by their page.

A test is left if its server died or the person began another one. Whoever ends it takes it over first, as a page does,
so that it ends only once and a returning page is not overruled.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from readiness import __version__
from readiness.errors import ReadinessError
from readiness.logs import log_event
from readiness.server.owner import RESUME_WITHIN
from readiness.server.services import Services
from reports.assembly import Ending, Phases, left_out, make_report
from reports.kinds import kind_of, solution_of
from reports.model import Report
from reports.series import check_series, thinned
from reports.store import CodeTaken, StoreUnavailable, TakenOver
from reports.store.records import SelfTest, SelfTestState, Session, StoredReport, new_code, new_id

__all__ = ["end_left_over", "end_replaced", "keep_report", "usable_series"]

log = logging.getLogger(__name__)

KEEP_TRIES_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Waits between tries to commit a report while the database is away, s."""


async def keep_report(
    services: Services,
    session: Session | None,
    test: SelfTest,
    report: Report,
    *,
    ended_at: datetime | None = None,
    series: Mapping[str, Any] | None = None,
) -> Report:
    """Commit `report`, retrying while the database is down, and return it as committed. For `ended_at` see the store.

    Raises StoreUnavailable, and TakenOver if `test` has a newer claim.
    """
    for wait_s in (*KEEP_TRIES_S, None):
        try:
            state: SelfTestState = "incomplete" if report.cause else "finished"
            row = _stored(session, test, report, services.now())
            stored = await services.store.save_report(
                row, claim=test.claim, self_test_state=state, ended_at=ended_at, series=series
            )
            return _with_code(report, stored.code)
        except CodeTaken:
            report = _with_code(report, new_code())
        except StoreUnavailable:
            if wait_s is None:
                raise
            await asyncio.sleep(wait_s)
    raise ReadinessError("internal")


def usable_series(phases: Phases) -> dict[str, Any] | None:
    """Return the series of the network part, or None if they are faulty: that must never cost a person the answer."""
    if "series" not in phases:
        return None
    try:
        return check_series(thinned(phases["series"]))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        log_event(log, logging.ERROR, "series.refused", cause=str(error)[:80])
        return None


async def end_left_over(services: Services, now: datetime) -> int:
    """Store tests whose server died as incomplete once nobody can resume them; return their number."""
    ended = 0
    for test in await services.store.stale_self_tests(now - RESUME_WITHIN):
        claim = await services.store.claim_left_over(test, now - RESUME_WITHIN)
        if claim is None:
            continue  # another process was first, or the page came back
        claimed = replace(test, claim=claim)
        try:
            if await _is_answered(services, claimed):
                await services.store.end_self_test(claimed.id, claim=claim)
                continue
            await _keep_unfinished(services, claimed, report_id=test.id, cause="server_died", now=test.updated_at)
        except TakenOver:
            continue  # the page came back after all
        ended += 1
    return ended


async def end_replaced(services: Services, others: list[SelfTest]) -> None:
    """Store the tests that another one replaced as incomplete, under the claims by which it took them over."""
    for test in others:
        try:
            await _keep_unfinished(services, test, report_id=new_id(), cause="disconnected", now=services.now())
        except TakenOver as lost:
            log_event(log, logging.INFO, "selftest.taken_over", refused=str(lost))


async def _keep_unfinished(services: Services, test: SelfTest, *, report_id: str, cause: str, now: datetime) -> None:
    """Commit a report of the stored phases of `test`. Raises TakenOver, StoreUnavailable."""
    session = await services.store.session_by_id(test.session_id)
    meeting = await services.store.meeting(session.meeting_id) if session and session.meeting_id else None
    kind = kind_of(session.kind if session else None)
    ending = Ending(
        kind=kind,
        report_id=report_id,
        code=new_code(),
        started_at=test.started_at,
        now=now,
        duration_s=float(test.phases.get("elapsed", {}).get("elapsed_s", 0.0)),
        client=dict(test.client),
        bytes_up=0,
        bytes_down=0,
        software_version=__version__,
        ended_in=left_out(kind, test.phases),
        cause=cause,
        solution=solution_of(meeting),
    )
    report = make_report(test.phases, kind.profile_of(meeting), kind.questions_of(meeting), ending)
    await keep_report(services, session, test, report, ended_at=now, series=usable_series(test.phases))


async def _is_answered(services: Services, test: SelfTest) -> bool:
    """Whether the person has a report, of any test, that is newer than the last sign of life of `test`."""
    newest = await services.store.report_for_session(test.session_id)
    if test.participant_id:
        newest = await services.store.latest_report(test.participant_id)
    return newest is not None and newest.created_at >= test.updated_at


def _stored(session: Session | None, test: SelfTest, report: Report, now: datetime) -> StoredReport:
    return StoredReport(
        id=report.id,
        code=report.code,
        organisation_id=test.organisation_id,
        meeting_id=session.meeting_id if session else None,
        participant_id=test.participant_id,
        self_test_id=test.id,
        session_id=session.id if session else None,
        verdict=report.verdict.value,
        complete=report.complete,
        other_device=report.other_device,
        created_at=now,
        valid_until=report.valid_until,
        body=report.to_json(),
    )


def _with_code(report: Report, code: str) -> Report:
    return replace(report, code=code)
