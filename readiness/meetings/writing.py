"""Writing: makes a message of the outbox from the state at sending, or finds that it is of no more use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from readiness.access.actors import clock_of
from readiness.access.contacts import ContactBox
from readiness.access.links import Links
from readiness.access.pins import PIN_LIFE, pin_of
from readiness.meetings.addresses import Person, opened
from readiness.meetings.delivery import DeliveryError
from readiness.meetings.kinds import KINDS
from readiness.meetings.marks import state_mark
from readiness.meetings.meeting_rooms import state_on_board
from readiness.meetings.message_parts import MessageContext, Tally, Wants
from readiness.meetings.messages import Message, render_message
from readiness.meetings.values import HOST_ROLES
from readiness.settings import Settings
from reports.store import Actor, Store
from reports.store.records import Host, HostRole, Meeting, Organisation, Outgoing, Participant, StoredReport
from reports.validity import recheck_due, state_of

__all__ = ["OverError", "Writer", "Written"]


class OverError(Exception):
    """Raised where the message is of no more use."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message ready for delivery, with receiver and sender."""

    message: Message
    context: MessageContext
    person: Person


@dataclass(frozen=True, slots=True)
class _About:
    """The meeting, person and organisation that a message is about."""

    organisation: Organisation
    meeting: Meeting
    whose: Participant | Host
    host: Host | None


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes messages at one moment."""

    store: Store
    contacts: ContactBox
    settings: Settings
    base_url: str
    now: datetime

    async def write(self, outgoing: Outgoing) -> Written:
        """Return the message. Raises OverError if it is of no more use, DeliveryError if it can't be sent."""
        context, person = await self._context(outgoing)
        return Written(render_message(outgoing, context), context, person)

    async def _context(self, outgoing: Outgoing) -> tuple[MessageContext, Person]:
        """Return the values for the message and its receiver. Each exception is a reason not to send it."""
        kind = KINDS.get(outgoing.kind)
        if kind is None:  # queued by a newer version, which may send it
            raise DeliveryError("fault")
        about = await self._about(outgoing)
        person = opened(self.contacts, about.whose)
        if not (person.reach.mail if outgoing.channel == "mail" else person.reach.phone):
            raise DeliveryError("no_address", is_final=True)
        is_as_known = outgoing.data.get("was", "") == state_mark(self.contacts, about.meeting)
        if is_as_known or kind.is_over(outgoing, about.meeting, self.now):
            raise OverError
        wants: Wants = "test"
        if kind.asks and outgoing.participant_id:
            clock = clock_of(outgoing.organisation_id)
            newest = await self.store.latest_report(clock, outgoing.participant_id)
            zone = about.organisation.time_zone
            if kind.is_answered(newest, about.meeting, self.now, zone):
                raise OverError
            wants = _wanted(newest, about.meeting, zone, self.now)
        if kind.has_link and not self.base_url:
            raise DeliveryError("fault")
        if kind.needs_open_link and not await self._is_open(about.whose):
            raise OverError
        links = Links(self.store, self.contacts, about.organisation, self.base_url, self.now)
        moved_from = outgoing.data.get("moved_from")
        leads = about.host if kind.shows == "feed" and outgoing.channel == "mail" else None
        joined = about.meeting.join_link if about.meeting.join_shown == "mail" else None
        context = MessageContext(
            organisation=about.organisation,
            meeting=about.meeting,
            language=about.whose.locale,
            now=self.now,
            person_id=about.whose.id,
            link=(await links.of(about.meeting, about.whose)).link if kind.has_link else "",
            feed=(await links.feed(about.meeting, leads)).link if leads else "",
            host_role=about.host.role if about.host else None,
            mail=person.reach.mail,
            wants=wants,
            join=(self.contacts.open(joined) or "") if joined else "",
            privacy=f"{self.base_url}/o/{about.organisation.slug}/privacy",
            sender=self.settings.mail_from,
            moved_from=datetime.fromisoformat(moved_from) if isinstance(moved_from, str) else None,
            day=await self._day(about, about.host) if kind.shows == "day" and about.host else (),
            changed=await self._changed(outgoing) if kind.shows == "change" else None,
            pin=pin_of(self.contacts, outgoing.id) if kind.shows == "code" else "",
            pin_minutes=int(PIN_LIFE.total_seconds() // 60),
        )
        return context, person

    async def _about(self, outgoing: Outgoing) -> _About:
        """Look up what the message is about. Raises OverError if that is gone, DeliveryError without a sender."""
        if outgoing.channel == "mail" and not self.settings.smtp_url:
            raise DeliveryError("no_mail_server", is_final=True)
        if outgoing.channel == "sms" and not self.settings.sms_url:
            raise DeliveryError("no_sms_gateway", is_final=True)
        clock = clock_of(outgoing.organisation_id)
        meeting = await self.store.meeting(clock, outgoing.meeting_id)
        organisation = await self.store.organisation_by_id(outgoing.organisation_id)
        person, host = None, None
        if outgoing.participant_id:
            person = await self.store.participant(clock, outgoing.participant_id)
        elif outgoing.host_id:
            host = await self.store.host(clock, outgoing.host_id)
        elif meeting is not None:
            person, host = await self._taken_out(clock, outgoing)
        whose = person or host
        if meeting is None or organisation is None or whose is None:
            raise OverError
        return _About(organisation, meeting, whose, host)

    async def _taken_out(self, clock: Actor, outgoing: Outgoing) -> tuple[Participant | None, Host | None]:
        """Return who was taken out, as they were; (None, None) if they are told already."""
        people = await self.store.taken_out(clock, outgoing.meeting_id)
        one = next((one for one in people if one.id == outgoing.data.get("taken_out")), None)
        if one is None:
            return None, None
        if one.role in HOST_ROLES:
            role: HostRole = "leader" if one.role == "leader" else "technical_host"
            return None, Host(one.id, one.meeting_id, role, one.label, one.locale, one.reach)
        return Participant(one.id, one.meeting_id, one.role, one.label, one.locale, 0, reach=one.reach), None

    async def _is_open(self, whose: Participant | Host) -> bool:
        if isinstance(whose, Host):
            return await self.store.invitation_for(host_id=whose.id, kind="leader", now=self.now) is not None
        return await self.store.invitation_for(participant_id=whose.id, kind="participant", now=self.now) is not None

    async def _day(self, about: _About, host: Host) -> tuple[Tally, ...]:
        """Return the state of each meeting that this leader has on the day of the message's meeting."""
        zone = ZoneInfo(about.organisation.time_zone)
        midnight = about.meeting.starts_at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        span = (midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC))
        meetings, clock = [about.meeting], clock_of(about.organisation.id)
        if host.person_hash is not None:
            meetings = await self.store.meetings_of_person(clock, host.person_hash, starts=span)
        tallies = []
        for meeting in meetings:
            if meeting.state == "planned":
                rows = await self.store.board(clock, meeting.id)
                people = [(row.participant.role, state_of(row.report, self.now)) for row in rows]
                rooms = await self.store.meeting_rooms(clock, meeting.id)
                people += [("meeting_room", state_on_board(one.room, self.now)) for one in rooms]
                hosts = await self.store.host_board(clock, meeting.id)
                led = tuple((row.host.role, state_of(row.report, self.now)) for row in hosts)
                tallies.append(Tally(meeting.starts_at, tuple(people), led))
        return tuple(tallies)

    async def _changed(self, outgoing: Outgoing) -> tuple[str, str]:
        """Return the role and present state of the participant that an alert is about."""
        rows = await self.store.board(clock_of(outgoing.organisation_id), outgoing.meeting_id)
        about = outgoing.data.get("participant")
        row = next((row for row in rows if row.participant.id == about), None)
        if row is None:
            raise OverError
        return row.participant.role, state_of(row.report, self.now)


def _wanted(newest: StoredReport | None, meeting: Meeting, zone: str, now: datetime) -> Wants:
    """Return what a participant is asked for: a first test, another one, a fresh one, or the day's short check."""
    if newest is None or newest.verdict == "incomplete":
        return "test"
    if newest.verdict == "not_ready":
        return "again"
    return "short" if recheck_due(newest, meeting, zone, now) and newest.valid_until > meeting.starts_at else "test"
