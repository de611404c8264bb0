"""One attempt at a self-test over one socket: begin or resume it, end it, and keep its report.

The participant sees an answer only after it is committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

from readiness.errors import AccessError, ReadinessError
from readiness.logs import log_event
from readiness.media.pool import MediaWorker
from readiness.media.uplink import tracks_for
from readiness.meetings.validity import carry_over, is_over, profile_of, recheck_due, solution_of
from readiness.server.conduct import SelfTestRun, Send, SendBytes
from readiness.server.digits import digit_tries
from readiness.server.phases import (
    BUDGETS,
    CARRIED,
    RECHECK_PHASES,
    Ending,
    Phase,
    finished_phases,
    left_out,
    make_report,
)
from readiness.server.services import Services
from readiness.server.turn import ice_servers
from reports.model import Report
from reports.profile import Profile
from reports.series import check_series, thinned
from reports.store import CodeTaken, StoreUnavailable
from reports.store.records import SelfTest, SelfTestState, Session, StoredReport, new_code, new_id

__all__ = ["Attempt", "end_left_over", "keep_report", "usable_series"]

log = logging.getLogger(__name__)

RESUME_WITHIN = timedelta(minutes=10)
KEEP_TRIES_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Waits between tries to commit a report while the database is away, s."""
PROMISED_MB = 10
"""What the page says before the start; the measured figure stays well below."""


class ByteCounter(Protocol):
    """Who counts the bytes of the socket."""

    bytes_up: int
    bytes_down: int


class Attempt:
    """From hello to report."""

    run: SelfTestRun

    def __init__(
        self,
        services: Services,
        session: Session,
        hello: Mapping[str, Any],
        *,
        send: Send,
        send_bytes: SendBytes,
        counter: ByteCounter,
    ) -> None:
        self._services, self._session, self._hello = services, session, hello
        self._send, self._send_bytes, self._counter = send, send_bytes, counter
        self._worker: MediaWorker | None = None
        self._cpu_s: float | None = None
        self._began_s = time.monotonic()

    async def begin(self, local_address: str, *, gone: asyncio.Task[None]) -> None:
        """Wait for a place, then begin or resume, and send the plan. Raises PoolFull, ConnectionError when `gone`."""
        meeting = await self._services.store.meeting(self._session.meeting_id) if self._session.meeting_id else None
        if meeting is not None and is_over(meeting, self._services.now()):
            raise AccessError("meeting.over")
        self._worker = await self._admit(local_address, gone)
        self._meeting = meeting
        self._profile: Profile = profile_of(meeting)
        self._asked = tuple(meeting.practical) if meeting else ()
        expected_people = meeting.expected_people if meeting else self._profile.expected_people
        self._test = await self._resumed() or await self._started()
        self._tries = digit_tries(Random(self._test.id))  # the same after a resume: an answer may be on its way
        self.run = SelfTestRun(
            profile=self._profile,
            expected_people=expected_people,
            worker=self._worker,
            send=self._send,
            send_bytes=self._send_bytes,
            keep=self._keep_phase,
            keep_phone=self._keep_phone,
            phases=dict(self._test.phases),
            digits=[spoken for spoken, _ in self._tries],
            lines=self._services.admission.lines,
            heavy=self._services.admission.pool.heavy,
        )
        await self._send(self._plan(expected_people))

    async def end_finished(self) -> None:
        """The page is through: judge, commit, then tell."""
        await self._stop_worker()
        report = await self._keep_report(self._test.id, cause=None)
        await self._send({"type": "report", "report": report.to_json()})

    @property
    def test_id(self) -> str:
        """The self-test's id, once begun."""
        return self._test.id

    async def end_broken(self, cause: str, *, tell: bool = True) -> None:
        """The page or the worker is gone: keep what is finished as incomplete, and `tell` the page if it is there."""
        log_event(log, logging.WARNING, "selftest.broken", cause=cause, phase=self.run.phase)
        await self._stop_worker()
        report_id = self._test.id if cause.startswith("worker") else new_id()
        report = await self._keep_report(report_id, cause=cause)
        if tell:
            await self._send({"type": "report", "report": report.to_json()})

    async def close(self) -> None:
        """Let go of the worker, whatever happened."""
        if hasattr(self, "run"):
            await self.run.close()
        await self._stop_worker()

    # ---- beginning

    async def _admit(self, local_address: str, gone: asyncio.Task[None]) -> MediaWorker:
        addresses = [(a.public, a.local) for a in self._services.health.media_addresses(local_address)]

        async def tell(place: int, eta_s: float) -> None:
            await self._send({"type": "queued", "place": place, "eta_s": eta_s})

        admitting = asyncio.create_task(self._services.admission.admit(addresses, tell))
        await asyncio.wait({admitting, gone}, return_when=asyncio.FIRST_COMPLETED)
        if admitting.done():
            return admitting.result()
        admitting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await (await admitting).close()
        raise ConnectionError

    async def _resumed(self) -> SelfTest | None:
        """Return the test that the page wants to go on with, where it is its own and not too old."""
        test_id = self._hello.get("resume")
        test = await self._services.store.self_test(test_id, self._session.id) if test_id else None
        if test is None or test.state == "finished" or test.updated_at < self._services.now() - RESUME_WITHIN:
            return None
        done = finished_phases(test.phases)
        keep = {*done, "events", "elapsed", CARRIED, *({"series"} if "clock" in done else ())}
        phases = {name: phase for name, phase in test.phases.items() if name in keep}
        await self._services.store.set_self_test_state(test.id, "running", self._services.now())
        log_event(log, logging.INFO, "selftest.resumed", done=len(phases))
        return replace(test, phases=phases)

    async def _started(self) -> SelfTest:
        now = self._services.now()
        test = SelfTest(
            id=new_id(),
            session_id=self._session.id,
            organisation_id=self._session.organisation_id,
            participant_id=self._session.participant_id,
            profile=self._profile.name,
            state="running",
            started_at=now,
            updated_at=now,
            client={name: str(value)[:40] for name, value in self._hello["client"].items()},
            phases={},
        )
        await self._services.store.start_self_test(test)
        carried = await self._carried(test, now)
        if carried is None:
            return test
        await self._services.store.save_phase(test.id, CARRIED, carried, now)
        return replace(test, phases={CARRIED: carried})

    async def _carried(self, test: SelfTest, now: datetime) -> dict[str, Any] | None:
        """Return what a short check may take over, where the page asks for one that is due on this device."""
        meeting, session = self._meeting, self._session
        if self._hello.get("mode") != "recheck" or meeting is None or session.participant_id is None:
            return None
        organisation = await self._services.store.organisation_by_id(session.organisation_id)
        last = await self._services.store.latest_report(session.participant_id)
        zone = organisation.time_zone if organisation else "UTC"
        if last is None or not recheck_due(last, meeting, zone, now):
            return None
        return carry_over(last, self._profile, solution_of(meeting), test.client, now)

    def _plan(self, expected_people: int) -> dict[str, Any]:
        is_short = CARRIED in self._test.phases
        return {
            "type": "plan",
            "test": self._test.id,
            "profile": self._profile.name,
            "mode": "recheck" if is_short else "full",
            "phases": [
                {"name": name, "budget_s": seconds, "budget_bytes": size}
                for name, (seconds, size) in BUDGETS.items()
                if not is_short or name in RECHECK_PHASES
            ],
            "done": finished_phases(self._test.phases),
            "ice_servers": ice_servers(self._services.settings, self._session.id, self._services.now()),
            "ask": {"practical": list(self._asked), "expected_people": expected_people},
            "digits": [spoken for spoken, _ in self._tries],
            "choices": [choices for _, choices in self._tries],
            "probe": {
                "need_mbps": self._profile.need_mbps,
                "rate_mbps": self._profile.probe_mbps,
                "up_tracks": tracks_for(self._profile.probe_mbps),
            },
            "data_mb": PROMISED_MB,
        }

    # ---- keeping

    async def _keep_phase(self, phase: str, data: Mapping[str, Any]) -> None:
        await self._services.store.save_phase(self._test.id, phase, dict(data), self._services.now())

    async def _keep_phone(self, phone: str) -> None:
        if self._session.participant_id:
            sealed = self._services.contacts.close(phone)
            await self._services.store.set_practical(self._session.participant_id, phone_encrypted=sealed)

    async def _stop_worker(self) -> None:
        """End the media worker and keep what it cost; a second call does nothing."""
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        await worker.close()
        self._cpu_s = worker.cpu_s
        self._counter.bytes_up += int(worker.farewell.get("bytes_in") or 0)
        self._counter.bytes_down += int(worker.farewell.get("bytes_out") or 0)

    async def _keep_report(self, report_id: str, *, cause: str | None) -> Report:
        ending = Ending(
            report_id=report_id,
            code=new_code(),
            started_at=self._test.started_at,
            now=self._services.now(),
            duration_s=self._elapsed_s(),
            kind="self_test",
            client=dict(self._test.client),
            bytes_up=self._counter.bytes_up,
            bytes_down=self._counter.bytes_down,
            server_cpu_s=self._cpu_s,
            ended_in=self.run.phase if cause else None,
            cause=cause,
            solution=solution_of(self._meeting),
        )
        if cause:
            await self._remember_elapsed()
        report = make_report(self.run.phases, self._profile, self._asked, ending)
        series = usable_series(self.run.phases)
        return await keep_report(self._services, self._session, self._test, report, series=series)

    def _elapsed_s(self) -> float:
        """Seconds of this attempt and those before it, by the monotonic clock."""
        before = float(self._test.phases.get("elapsed", {}).get("elapsed_s", 0.0))
        return before + time.monotonic() - self._began_s

    async def _remember_elapsed(self) -> None:
        with contextlib.suppress(StoreUnavailable):
            await self._keep_phase("elapsed", {"elapsed_s": round(self._elapsed_s(), 1)})


async def keep_report(
    services: Services,
    session: Session | None,
    test: SelfTest,
    report: Report,
    *,
    series: Mapping[str, Any] | None = None,
) -> Report:
    """Commit `report` and return it as committed. Tries again while the database is away. Raises StoreUnavailable."""
    for wait_s in (*KEEP_TRIES_S, None):
        try:
            state: SelfTestState = "incomplete" if report.cause else "finished"
            row = _stored(session, test, report, services.now())
            stored = await services.store.save_report(row, self_test_state=state, series=series)
            return _with_code(report, stored.code)
        except CodeTaken:
            report = _with_code(report, new_code())
        except StoreUnavailable:
            if wait_s is None:
                raise
            await asyncio.sleep(wait_s)
    raise ReadinessError("internal")


def usable_series(phases: Mapping[str, Phase]) -> dict[str, Any] | None:
    """Return the series that the network part left, or None: a fault in them never costs anybody the answer."""
    if "series" not in phases:
        return None
    try:
        return check_series(thinned(phases["series"]))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        log_event(log, logging.ERROR, "series.refused", cause=str(error)[:80])
        return None


async def end_left_over(services: Services, now: datetime) -> int:
    """Store tests whose server died as incomplete, once nobody can resume them. Returns how many."""
    ended = 0
    for test in await services.store.stale_self_tests(now - RESUME_WITHIN):
        if not await services.store.set_self_test_state(test.id, "incomplete", now, idle_since=now - RESUME_WITHIN):
            continue  # another process was first, or the page came back
        if await _is_superseded(services, test):
            continue  # tested again meanwhile: the newer answer stands
        session = await services.store.session_by_id(test.session_id)
        meeting = await services.store.meeting(session.meeting_id) if session and session.meeting_id else None
        ending = Ending(
            report_id=test.id,
            code=new_code(),
            started_at=test.started_at,
            now=test.updated_at,
            duration_s=float(test.phases.get("elapsed", {}).get("elapsed_s", 0.0)),
            kind="self_test",
            client=dict(test.client),
            bytes_up=0,
            bytes_down=0,
            ended_in=left_out(test.phases),
            cause="server_died",
            solution=solution_of(meeting),
        )
        report = make_report(test.phases, profile_of(meeting), meeting.practical if meeting else (), ending)
        try:
            await keep_report(services, session, test, report, series=usable_series(test.phases))
        except StoreUnavailable:
            await services.store.set_self_test_state(test.id, "running", now)
            raise
        ended += 1
    return ended


async def _is_superseded(services: Services, test: SelfTest) -> bool:
    """Whether there is a report that is younger than the last sign of life of `test`."""
    store = services.store
    newest = await store.report_for_session(test.session_id)
    if test.participant_id:
        newest = await store.latest_report(test.participant_id)
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
