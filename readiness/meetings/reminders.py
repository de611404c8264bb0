"""Messages by the clock: reminders, the morning's short check, summaries, late alerts, the question afterwards.

Each is queued under a name of its own, so that it is sent once even if several processes run or one restarts. Nobody is
woken: a message due between nine in the evening and seven in the morning goes out at eight the evening before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from readiness.access.actors import clock_of
from readiness.access.contacts import ContactBox
from readiness.logs import log_event
from readiness.meetings.addresses import open_reach
from reports.model import READY_VERDICTS
from reports.store import Store, StoreError
from reports.store.records import (
    BoardRow,
    Channel,
    Host,
    Meeting,
    MessageName,
    Organisation,
    Outgoing,
    ReportMark,
    new_id,
)
from reports.validity import recheck_due

__all__ = ["Job", "Reminders", "jobs_of", "turned", "wake_nobody"]

log = logging.getLogger(__name__)
EVERY_S: Final = 20.0
HORIZON: Final = timedelta(days=31)
"""How far ahead meetings are looked at; the earliest reminder on offer is 30 days before."""
CATCH_UP: Final = timedelta(hours=3)
"""Longest delay at which a message is still sent: after an outage the service must not send everything at once."""
LAST_HOUR: Final = timedelta(hours=1)
MORNING: Final = time(7, 0)
EVENING: Final = time(20, 0)
NIGHT: Final = time(21, 0)
SUMMARY: Final = time(18, 0)
AFTER: Final = timedelta(minutes=10)
"""So long after the end the question goes out: nobody is still in the meeting, and everybody remembers it."""
ENDED: Final = timedelta(hours=24)
"""How far back ended meetings are looked at; then nobody's address is known any more."""
EARLY: Final = timedelta(minutes=60)
"""Least time between the morning's check and the meeting; with less, the check comes the evening before."""
Kind = Literal["reminder", "recheck", "summary"]


@dataclass(frozen=True, slots=True)
class Job:
    """A message to send about a meeting from `moment` on; `name` distinguishes it from the meeting's other jobs."""

    kind: Kind
    moment: datetime
    name: str


def wake_nobody(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return `moment`, or 20:00 the evening before if it is between 21:00 and 07:00 in `zone`."""
    local = moment.astimezone(zone)
    if MORNING <= local.time() < NIGHT:
        return moment
    day = local.date() if local.time() >= NIGHT else local.date() - timedelta(days=1)
    return datetime.combine(day, EVENING, tzinfo=zone).astimezone(UTC)


def after_the_night(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return `moment`, or 07:00 after it if it is between 21:00 and 07:00 in `zone`."""
    local = moment.astimezone(zone)
    if MORNING <= local.time() < NIGHT:
        return moment
    day = local.date() + timedelta(days=1) if local.time() >= NIGHT else local.date()
    return datetime.combine(day, MORNING, tzinfo=zone).astimezone(UTC)


def jobs_of(meeting: Meeting, zone: ZoneInfo) -> Iterator[Job]:
    """Yield the jobs of `meeting`, in no order. Reminders can be switched off, the rest can't."""
    starts, when = meeting.starts_at.astimezone(zone), f"{meeting.starts_at.astimezone(UTC):%Y%m%dT%H%M}"
    for minutes in meeting.reminders:
        moment = wake_nobody(meeting.starts_at - timedelta(minutes=minutes), zone)
        yield Job("reminder", moment, f"{minutes}:{when}")
    morning = datetime.combine(starts.date(), MORNING, tzinfo=zone).astimezone(UTC)
    early = datetime.combine(starts.date() - timedelta(days=1), EVENING, tzinfo=zone).astimezone(UTC)
    yield Job("recheck", morning if morning + EARLY <= meeting.starts_at else early, when)
    evening = datetime.combine(starts.date() - timedelta(days=1), SUMMARY, tzinfo=zone)
    yield Job("summary", evening.astimezone(UTC), starts.date().isoformat())


def turned(marks: Sequence[ReportMark], since: datetime) -> list[ReportMark]:
    """Return each participant's newest report since `since` that made them ready, or no longer ready.

    `marks` are all reports of a meeting, oldest first. A participant's first test is told
    if it is ready or not ready, but not if it was left unfinished.
    """
    ready: dict[str, bool] = {}
    newest: dict[str, ReportMark] = {}
    before: dict[str, bool | None] = {}
    for mark in marks:
        if mark.created_at >= since:
            before.setdefault(mark.participant_id, ready.get(mark.participant_id))
            newest[mark.participant_id] = mark
        ready[mark.participant_id] = mark.verdict in READY_VERDICTS
    return [
        mark
        for whose, mark in newest.items()
        if ready[whose] != before[whose] and (ready[whose] or before[whose] or mark.verdict == "not_ready")
    ]


class Reminders:
    """Queues messages by the clock until it is cancelled. A class because it remembers which are done."""

    def __init__(self, store: Store, contacts: ContactBox, *, now: Callable[[], datetime], can_sms: bool) -> None:
        self._store = store
        self._contacts = contacts
        self._now = now
        self._can_sms = can_sms
        self._done: dict[tuple[str, Kind, str], datetime] = {}

    async def run(self) -> None:
        """Queue due messages every few seconds, for ever."""
        while True:
            try:
                await self.queue_due()
            except StoreError as error:
                log_event(log, logging.WARNING, "reminders.postponed", cause=type(error).__name__)
            except Exception:
                log.exception("reminders.failed")
            await asyncio.sleep(EVERY_S)

    async def queue_due(self) -> int:
        """Queue the messages that are due now; return how many were new."""
        store, now = self._store, self._now()
        organisations: dict[str, Organisation | None] = {}
        added = 0
        for meeting in await store.meetings_starting((now, now + HORIZON)):
            if meeting.organisation_id not in organisations:
                organisations[meeting.organisation_id] = await store.organisation_by_id(meeting.organisation_id)
            organisation = organisations[meeting.organisation_id]
            if organisation is None:
                continue
            zone = ZoneInfo(organisation.time_zone)
            for job in self._due(meeting, zone, now):
                added += await store.queue(await self._messages(meeting, job, now, organisation.time_zone))
                self._done[meeting.id, job.kind, job.name] = meeting.starts_at
            if meeting.starts_at - now <= LAST_HOUR:
                added += await store.queue(await self._alerts(meeting, now))
        added += await self._ask_afterwards(organisations, now)
        self._done = {key: starts_at for key, starts_at in self._done.items() if starts_at > now}
        return added

    async def _ask_afterwards(self, known: Mapping[str, Organisation | None], now: datetime) -> int:
        """Queue the question to the participants of meetings that ended, where the organisation wants it asked."""
        store, added = self._store, 0
        organisations = dict(known)
        for meeting in await store.meetings_starting((now - ENDED - timedelta(hours=12), now)):
            if meeting.organisation_id not in organisations:
                organisations[meeting.organisation_id] = await store.organisation_by_id(meeting.organisation_id)
            organisation = organisations[meeting.organisation_id]
            if organisation is None or not organisation.asks_afterwards:
                continue
            moment = after_the_night(meeting.ends_at + AFTER, ZoneInfo(organisation.time_zone))
            if moment <= now < min(moment + CATCH_UP, meeting.ends_at + ENDED):
                added += await store.queue(await self._questions(meeting, now))
        return added

    async def _questions(self, meeting: Meeting, now: datetime) -> list[Outgoing]:
        clock, answered = clock_of(meeting.organisation_id), await self._store.answered(meeting.id)
        told = await self._told(meeting)
        messages = []
        for person in await self._store.participants(clock, meeting.id):
            sent = told.get(person.id)
            if sent is not None and person.id not in answered:
                once = f"afterwards:{person.id}"
                messages.append(_outgoing(meeting, "afterwards", sent[0], now, once, participant_id=person.id))
        return messages

    def _due(self, meeting: Meeting, zone: ZoneInfo, now: datetime) -> list[Job]:
        """Return the jobs that are due; of several reminders the last one only."""
        come = [job for job in jobs_of(meeting, zone) if job.moment <= now < job.moment + CATCH_UP]
        reminders = sorted((job for job in come if job.kind == "reminder"), key=lambda job: job.moment)
        wanted = [job for job in come if job.kind != "reminder"] + reminders[-1:]
        return [job for job in wanted if (meeting.id, job.kind, job.name) not in self._done]

    async def _messages(self, meeting: Meeting, job: Job, now: datetime, zone: str) -> list[Outgoing]:
        store, clock = self._store, clock_of(meeting.organisation_id)
        if job.kind == "summary":
            hosts = await store.hosts(clock, meeting.id)
            return [one for host in hosts if (one := self._to_host(meeting, host, job, now)) is not None]
        told = await self._told(meeting)
        rows = [row for row in await store.board(clock, meeting.id) if _concerns(row, job, meeting, zone, now)]
        messages = []
        for row in rows:
            person = row.participant
            sent = told.get(person.id)
            if sent is not None and sent[1] >= job.moment:
                continue  # the invitation came after this reminder was due
            channel = sent[0] if sent else open_reach(self._contacts, person.reach).channel()
            if (
                channel is None
                or await store.invitation_for(participant_id=person.id, kind="participant", now=now) is None
            ):
                continue
            once = f"{job.kind}:{person.id}:{job.name}"
            messages.append(_outgoing(meeting, job.kind, channel, now, once, participant_id=person.id))
        return messages

    async def _told(self, meeting: Meeting) -> dict[str, tuple[Channel, datetime]]:
        """Return channel and time of each participant's last invitation."""
        told: dict[str, tuple[Channel, datetime]] = {}
        for one in await self._store.outgoing_of(clock_of(meeting.organisation_id), meeting.id):
            if one.kind == "invitation" and one.participant_id and one.state in {"waiting", "sending", "sent"}:
                told[one.participant_id] = (one.channel, one.sent_at or one.created_at)
        return told

    def _to_host(self, meeting: Meeting, host: Host, job: Job, now: datetime) -> Outgoing | None:
        """Return a leader's summary of all meetings of the day, by mail where there is an address."""
        channel = open_reach(self._contacts, host.reach).channel()
        if channel is None:
            return None
        whose = host.person_hash.hex() if host.person_hash else host.id
        once = f"summary:{meeting.organisation_id}:{whose}:{job.name}"
        return _outgoing(meeting, "summary", channel, now, once, host_id=host.id)

    async def _alerts(self, meeting: Meeting, now: datetime) -> list[Outgoing]:
        """Return alerts to each leader: who became ready, or no longer is, in the last hour before the meeting."""
        clock = clock_of(meeting.organisation_id)
        marks = turned(await self._store.report_marks(clock, meeting.id), meeting.starts_at - LAST_HOUR)
        if not marks:
            return []
        messages = []
        for host in await self._store.hosts(clock, meeting.id):
            reach = open_reach(self._contacts, host.reach)
            channel: Channel | None = "sms" if reach.takes_sms and self._can_sms else reach.channel()
            if channel is None:
                continue
            messages += [
                _outgoing(
                    meeting,
                    "alert",
                    channel,
                    now,
                    f"alert:{host.id}:{mark.report_id}",
                    host_id=host.id,
                    data={"participant": mark.participant_id},
                )
                for mark in marks
            ]
        return messages


def _concerns(row: BoardRow, job: Job, meeting: Meeting, zone: str, now: datetime) -> bool:
    """Return whether a participant is to be asked.

    A reminder is for who has no finished test, or was not ready; the morning's check for whose test is older.
    """
    report = row.report
    if row.participant.reach is None or row.running:
        return False
    if report is None or report.verdict not in READY_VERDICTS:
        return job.kind == "reminder"
    return job.kind == "recheck" and (
        report.valid_until <= meeting.starts_at or recheck_due(report, meeting, zone, now)
    )


def _outgoing(
    meeting: Meeting,
    kind: MessageName,
    channel: Channel,
    now: datetime,
    once: str,
    *,
    participant_id: str | None = None,
    host_id: str | None = None,
    data: dict[str, str] | None = None,
) -> Outgoing:
    return Outgoing(
        id=new_id(),
        organisation_id=meeting.organisation_id,
        meeting_id=meeting.id,
        participant_id=participant_id,
        host_id=host_id,
        kind=kind,
        channel=channel,
        once=once,
        created_at=now,
        due_at=now,
        data=data or {},
    )
