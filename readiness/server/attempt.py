"""One attempt at a self-test over one socket: begins or resumes the test, ends it and stores its report.

The participant sees an answer only after it is committed. Once another page has the test, every write here raises
TakenOver: nothing is stored, and this page is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Any, Protocol

from readiness import __version__
from readiness.access.actors import actor_of
from readiness.access.limits import prefix_of
from readiness.errors import AccessError
from readiness.logs import log_event
from readiness.media.pool import MediaWorker
from readiness.media.uplink import tracks_for
from readiness.meetings.addresses import called_number, phone_hash
from readiness.server.digits import digit_tries
from readiness.server.ending import end_replaced, keep_report, usable_series
from readiness.server.followed import Follower, message_of
from readiness.server.live_test import LiveTest
from readiness.server.owner import Owner
from readiness.server.participant import page_questions, people_at
from readiness.server.protocol import known_client
from readiness.server.services import Services
from readiness.server.steps.running import Send, SendBytes, Setup
from readiness.server.turn import ice_servers
from reports.assembly import CARRIED, Ending, finished_phases, make_report
from reports.kinds import LARGE_PARTS, LINE_BYTES, OTHER_BYTES, PROMISED_BYTES, kind_of, solution_of
from reports.limits import LIMITS, limits_phase, with_limits
from reports.model import Report
from reports.profile import Profile
from reports.store import StoreUnavailable
from reports.store.records import Organisation, SelfTest, Session, new_code, new_id
from reports.validity import carry_over, is_over, recheck_due

__all__ = ["Attempt"]

log = logging.getLogger(__name__)

PROMISED_MB = PROMISED_BYTES // 1_000_000
"""The figure that the page announces before the start."""
SPENT = "bytes"
"""Name under which a test that breaks off stores how many bytes it has cost so far."""


class ByteCounter(Protocol):
    """Counts the bytes of the socket."""

    bytes_up: int
    bytes_down: int


class Attempt:
    """From hello to report."""

    run: LiveTest

    def __init__(
        self,
        services: Services,
        session: Session,
        hello: Mapping[str, Any],
        *,
        send: Send,
        send_bytes: SendBytes,
        counter: ByteCounter,
        address: str,
    ) -> None:
        self._guest = prefix_of(address) if session.kind == "drop_in" else None
        self.is_resting = False
        """Whether the worker was released while the person is away from the page."""
        self._services, self._session, self._hello = services, session, hello
        self._send, self._send_bytes, self._counter = send, send_bytes, counter
        self._owner = Owner(services, session)
        self._follower = Follower(services, session)
        self._following: asyncio.Task[None] | None = None
        self._kind = kind_of(session.kind)
        self._worker: MediaWorker | None = None
        self._cpu_s: float | None = None
        self._began_s = time.monotonic()

    async def claim(self) -> None:
        """Take over the person's tests that run on other pages. Raises AccessError, StoreUnavailable."""
        store, session, actor = self._services.store, self._session, actor_of(self._session)
        meeting = await store.meeting(actor, session.meeting_id) if session.meeting_id else None
        if meeting is not None and is_over(meeting, self._services.now()):
            raise AccessError("meeting.over")
        self._meeting = meeting
        person = await store.participant(actor, session.participant_id) if session.participant_id else None
        self._expected_people = people_at(meeting, person)
        self._profile: Profile = self._kind.profile_of(meeting)
        self._asked = self._kind.questions_of(meeting)
        await self._owner.claim(self._hello.get("resume"))

    async def begin(self, local_address: str, *, gone: asyncio.Task[None]) -> None:
        """Wait for a place, then begin or resume, and send the plan.

        Raises PoolFull, ConnectionError if `gone` ends first, and TakenOver if another page came meanwhile.
        """
        self._worker = await self._admit(local_address, gone)
        expected_people = self._expected_people
        organisation = await self._services.store.organisation_by_id(self._session.organisation_id)
        self._test = await self._resumed() or await self._started(organisation)
        self._profile = with_limits(self._profile, self._test.phases.get(LIMITS, {}))
        self._tries = digit_tries(Random(self._test.id))  # the same after a resume: an answer may be in transit
        self._voices, folders = self._services.voices.of(organisation.slug if organisation else "")
        setup = Setup(
            kind=self._kind,
            profile=self._profile,
            expected_people=expected_people,
            worker=self._worker,
            send=self._send,
            send_bytes=self._send_bytes,
            keep=self._keep_phase,
            keep_phone=self._keep_phone,
            digits=[spoken for spoken, _ in self._tries],
            lines=self._services.admission.lines,
            heavy=self._services.admission.pool.heavy,
            voices=folders,
            invited=self._guest is None,
            noticed=self._follower.changed,
            line_bytes=self._of_allowance(LINE_BYTES),
        )
        self.run = LiveTest(setup, dict(self._test.phases))
        await self._send(self._plan(expected_people))
        self._following = asyncio.create_task(self._follower.run(self._seen))

    async def end_finished(self) -> None:
        """End a test that the page has finished: judge, commit, then send the report."""
        await self._stop_worker()
        report = await self._keep_report(self._test.id, cause=None)
        await self._send({"type": "report", "report": report.to_json()})

    async def end_broken(self, cause: str, *, tell: bool = True) -> None:
        """End a test whose page or worker is gone: store it as incomplete and, with `tell`, send that to the page."""
        await self.check_claims()
        log_event(log, logging.WARNING, "selftest.broken", cause=cause, phase=self.run.phase)
        await self._stop_worker()
        report = await self._keep_report(new_id(), cause=cause)  # resuming the test adds another report
        if tell:
            await self._send({"type": "report", "report": report.to_json()})

    async def check_claims(self) -> None:
        """Raise TakenOver if another page of the same person is known to have taken this test over."""
        await self._owner.check_claims()

    async def until_lost(self) -> None:
        """Wait, and raise TakenOver once another page of the same person takes this test over, on any process."""
        await self._owner.until_lost()

    @property
    def is_guest(self) -> bool:
        """Whether the test is taken without an invitation."""
        return self._guest is not None

    async def rest(self) -> None:
        """Release the worker while nothing happens. Finished phases are stored, and the page stays connected."""
        log_event(log, logging.INFO, "selftest.resting", phase=self.run.phase)
        self.is_resting = True
        await self.run.close()
        await self._stop_worker()

    async def close(self) -> None:
        """Release the worker, whatever happened."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        if hasattr(self, "run"):
            await self.run.close()
        await self._stop_worker()

    # ---- beginning

    async def _admit(self, local_address: str, gone: asyncio.Task[None]) -> MediaWorker:
        addresses = [(a.public, a.local) for a in self._services.health.media_addresses(local_address)]

        async def tell(place: int, eta_s: float) -> None:
            await self._send({"type": "queued", "place": place, "eta_s": eta_s})

        admitting = asyncio.create_task(self._services.admission.admit(addresses, tell, guest=self._guest))
        losing = asyncio.create_task(self._owner.until_lost())
        try:
            await asyncio.wait({admitting, losing, gone}, return_when=asyncio.FIRST_COMPLETED)
            if admitting.done():
                return admitting.result()
            admitting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await (await admitting).close()
            if losing.done():
                await losing
            raise ConnectionError
        finally:
            losing.cancel()
            await asyncio.gather(losing, return_exceptions=True)

    async def _resumed(self) -> SelfTest | None:
        """Return the test that the page wants to resume, if it is its own and not too old, else None."""
        test_id = self._hello.get("resume")
        resumed = await self._owner.resume(test_id) if test_id else None
        if resumed is None:
            return None
        test, others = resumed
        await end_replaced(self._services, others)
        done = finished_phases(self._kind, test.phases)
        keep = {*done, "events", "elapsed", SPENT, CARRIED, LIMITS, *({"series"} if "clock" in done else ())}
        phases = {name: phase for name, phase in test.phases.items() if name in keep}
        log_event(log, logging.INFO, "selftest.resumed", done=len(phases))
        return replace(test, phases=phases)

    async def _started(self, organisation: Organisation | None) -> SelfTest:
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
            client=known_client(self._hello["client"]),
        )
        phases: dict[str, Any] = limits_phase(organisation.choices, self._profile) if organisation else {}
        carried = await self._carried(test, organisation, now)
        if carried is not None:
            phases[CARRIED] = carried
        test = replace(test, phases=phases)
        await end_replaced(self._services, await self._owner.begin(test))
        return test

    async def _carried(self, test: SelfTest, organisation: Organisation | None, now: datetime) -> dict[str, Any] | None:
        """Return the results that a short check may reuse, if the page asks for one that is due on this device."""
        meeting, session = self._meeting, self._session
        if self._hello.get("mode") != "recheck" or meeting is None or session.participant_id is None:
            return None
        last = await self._services.store.latest_report(actor_of(session), session.participant_id)
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
                {
                    "name": phase.name,
                    "budget_s": phase.budget_s,
                    "budget_bytes": self._of_allowance(phase.budget_bytes),
                }
                for phase in self._kind.phases
                if phase.name in self._kind.course(is_short=is_short).phases
            ],
            "done": finished_phases(self._kind, self._test.phases),
            "ice_servers": ice_servers(self._services.settings, self._session.id, self._services.now()),
            "ask": {"practical": page_questions(self._asked), "expected_people": expected_people},
            "digits": [spoken for spoken, _ in self._tries],
            "choices": [choices for _, choices in self._tries],
            "voices": f"{self._services.assets.base}/{self._voices}",
            "probe": {
                "need_mbps": self._profile.need_mbps,
                "rate_mbps": self._profile.probe_mbps,
                "up_tracks": tracks_for(self._profile.probe_mbps),
            },
            "data_mb": PROMISED_MB,
        }

    def _of_allowance(self, budget_bytes: int) -> int:
        """Return a part's bytes: its budget, or a share if earlier attempts left too little for all parts to come."""
        spent = int(self._test.phases.get(SPENT, {}).get("total", 0))
        to_come = LARGE_PARTS - {*finished_phases(self._kind, self._test.phases)}
        wanted = OTHER_BYTES + sum(one.budget_bytes for one in self._kind.phases if one.name in to_come)
        return int(budget_bytes * max(0.0, min(1.0, (PROMISED_BYTES - spent) / wanted)))

    # ---- keeping

    async def _keep_phase(self, phase: str, data: Mapping[str, Any]) -> None:
        test = self._test
        await self._services.store.save_phase(test.id, phase, dict(data), self._services.now(), claim=test.claim)

    async def _keep_phone(self, phone: str) -> None:
        services, session = self._services, self._session
        if session.participant_id:
            organisation = await services.store.organisation_by_id(session.organisation_id)
            found = phone_hash(services.contacts, called_number(phone, organisation))
            await services.store.set_practical(
                actor_of(session),
                session.participant_id,
                phone_encrypted=services.contacts.close(phone),
                phone_hash=found,
            )

    async def _stop_worker(self) -> None:
        """End the media worker and store its cost; a second call does nothing."""
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        await worker.close()
        self._cpu_s = worker.cpu_s
        self._counter.bytes_up += int(worker.farewell.get("bytes_in") or 0)
        self._counter.bytes_down += int(worker.farewell.get("bytes_out") or 0)

    async def _keep_report(self, report_id: str, *, cause: str | None) -> Report:
        if cause:
            await self._remember_elapsed()
        report = self._judged(report_id, cause)
        series = usable_series(self.run.phases)
        actor = actor_of(self._session)
        kept = await keep_report(self._services, actor, self._session, self._test, report, series=series)
        await self._follower.end(kept.code)
        return kept

    def _judged(self, report_id: str, cause: str | None) -> Report:
        """Return the report of the phases that are finished."""
        ending = Ending(
            kind=self._kind,
            report_id=report_id,
            code=new_code(),
            started_at=self._test.started_at,
            now=self._services.now(),
            duration_s=self._elapsed_s(),
            client=dict(self._test.client),
            bytes_up=self._counter.bytes_up,
            bytes_down=self._counter.bytes_down,
            software_version=__version__,
            server_cpu_s=self._cpu_s,
            ended_in=self.run.phase if cause else None,
            cause=cause,
            solution=solution_of(self._meeting),
        )
        return make_report(self.run.phases, self._profile, self._asked, ending)

    def _seen(self) -> dict[str, Any]:
        """Return what support is told that follows: of the checks those that a finished phase has answered."""
        done = [phase for phase in self._kind.phases if phase.name in self.run.phases]
        answered = {check for phase in done for check in phase.checks}
        checks = [one for one in self._judged("", None).checks if one.id in answered]
        return message_of(self.run.phase, [phase.name for phase in done], self.run.hinted, checks)

    def _elapsed_s(self) -> float:
        """Return the seconds of this attempt and earlier ones, by the monotonic clock."""
        before = float(self._test.phases.get("elapsed", {}).get("elapsed_s", 0.0))
        return before + time.monotonic() - self._began_s

    async def _remember_elapsed(self) -> None:
        """Store the time and the bytes of this attempt, for the one that goes on."""
        with contextlib.suppress(StoreUnavailable):
            await self._keep_phase("elapsed", {"elapsed_s": round(self._elapsed_s(), 1)})
            before = int(self._test.phases.get(SPENT, {}).get("total", 0))
            await self._keep_phase(SPENT, {"total": before + self._counter.bytes_up + self._counter.bytes_down})
