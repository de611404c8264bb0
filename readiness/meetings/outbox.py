"""The outbox's runner: claims what is due, writes it from what is true now, hands it over, and says what became of it.

At least once: a message is settled after its receiver took it, so a process that dies in between sends it again when
its claim is over. Every server process runs one; the store sees to it that two never hold the same message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Final
from zoneinfo import ZoneInfo

from readiness.access.contacts import ContactBox
from readiness.access.links import feed_link, leader_link, participant_link
from readiness.access.pins import PIN_LIFE, pin_of
from readiness.logs import log_event
from readiness.meetings.addresses import Reach, open_reach
from readiness.meetings.delivery import OURS, PASSING, DeliveryError
from readiness.meetings.kinds import KINDS, MessageKind
from readiness.meetings.mail import MailSender, build_mail
from readiness.meetings.marks import state_mark
from readiness.meetings.message_parts import MessageContext, Tally
from readiness.meetings.messages import Message, render_message
from readiness.meetings.sms import SmsSender
from readiness.settings import Settings
from reports.store import Store, StoreError
from reports.store.records import Channel, Host, Meeting, Organisation, Outgoing, Participant
from reports.validity import state_of

__all__ = ["OutboxRunner", "retry_delay"]

log = logging.getLogger(__name__)
CLAIM_S = 90.0
"""How long a process may hold messages; after that another one sends them."""
HELD_S = 60.0
"""How long into a claim a message is begun; one takes at most 20 s, so the claim is never outlived."""
MOST_CLAIMED = 8
POLL_S = 5.0
"""Between looks, for what other processes queued and what waited for its time."""
FIRST_DELAY_S: Final = 30.0
LONGEST_DELAY_S: Final = 3600.0
GIVES_UP_AFTER: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Addressed:
    """One message with everything it is about."""

    outgoing: Outgoing
    kind: MessageKind
    organisation: Organisation
    meeting: Meeting
    whose: Participant | Host
    reach: Reach


class _OverError(Exception):
    """There is no more use for the message."""


def retry_delay(attempts: int) -> timedelta:
    """Return how long to wait after `attempts` failed ones: 30 s, doubled each time to an hour, spread by a fifth."""
    delay_s = min(FIRST_DELAY_S * 2 ** min(attempts - 1, 10), LONGEST_DELAY_S)
    return timedelta(seconds=delay_s * random.uniform(0.8, 1.2))


class OutboxRunner:
    """Sends what is queued until it is cancelled. A class because it holds the two senders."""

    def __init__(
        self,
        store: Store,
        contacts: ContactBox,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        base_url: Callable[[], str],
    ) -> None:
        self._store = store
        self._contacts = contacts
        self._settings = settings
        self._now = now
        self._base_url = base_url
        self._trouble: dict[Channel, str] = {}
        self._is_stopping = False
        self._stopped = asyncio.Event()

    async def stop(self, within_s: float) -> None:
        """End `run` after the message that is in hand: cancelled in the middle, it might be sent twice."""
        self._is_stopping = True
        self._store.queued.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._stopped.wait()

    async def run(self) -> None:
        """Send until `stop`; a fault of one message or of the database never ends it."""
        queued = self._store.queued
        while not self._is_stopping:
            queued.clear()
            try:
                found = await self.send_due()
            except StoreError as error:
                log_event(log, logging.WARNING, "outbox.postponed", cause=type(error).__name__)
                found = 0
            except Exception:
                log.exception("outbox.failed")
                found = 0
            if not found and not self._is_stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await queued.wait()
        self._stopped.set()

    async def send_due(self) -> int:
        """Claim some messages that are due and send them one after the other; return how many were claimed."""
        store, began = self._store, time.monotonic()
        claimed = await store.claim_outgoing(self._now(), MOST_CLAIMED, CLAIM_S)
        async with MailSender(self._settings) as mail, SmsSender(self._settings) as sms:
            for outgoing in claimed:
                if self._is_stopping or time.monotonic() - began > HELD_S:
                    now = self._now()  # whoever is free sends the rest
                    await store.settle_outgoing(outgoing.id, state="waiting", now=now, due_at=now)
                else:
                    await self._send(outgoing, mail, sms)
        return len(claimed)

    async def _send(self, outgoing: Outgoing, mail: MailSender, sms: SmsSender) -> None:
        store, now = self._store, self._now()
        try:
            await self._hand_over(await self._addressed(outgoing), mail, sms)
        except _OverError:
            await store.settle_outgoing(outgoing.id, state="dropped", now=now, error="over")
        except DeliveryError as error:
            self._note(outgoing.channel, error)
            is_final = error.is_final or (error.tries is not None and outgoing.attempts >= error.tries)
            await self._failed(outgoing, error.code, is_final=is_final)
        except StoreError:
            raise  # the claim ends by itself
        except Exception:
            log.exception("outbox.message_failed")
            await self._failed(outgoing, "fault", is_final=False)
        else:
            self._note(outgoing.channel, None)
            await store.settle_outgoing(outgoing.id, state="sent", now=self._now())

    def _note(self, channel: Channel, error: DeliveryError | None) -> None:
        """Log what of our own keeps a channel from sending, once until it is another or gone."""
        code = error.code if error and error.code in OURS else ""
        if error is not None and not code:
            return  # of this message only
        before, self._trouble[channel] = self._trouble.get(channel, ""), code
        if error is not None and code != before:
            log_event(log, logging.ERROR, "delivery.lost", channel=channel, code=code, detail=error.detail)
        elif before and not code:
            log_event(log, logging.WARNING, "delivery.back", channel=channel)

    async def _failed(self, outgoing: Outgoing, code: str, *, is_final: bool) -> None:
        store, now = self._store, self._now()
        due_at = now + retry_delay(outgoing.attempts)
        if not is_final and due_at < outgoing.created_at + GIVES_UP_AFTER:
            await store.settle_outgoing(outgoing.id, state="waiting", now=now, error=code, due_at=due_at)
            return
        told = "gave_up" if not is_final and code in PASSING else code
        log_event(log, logging.WARNING, "outbox.gave_up", kind=outgoing.kind, channel=outgoing.channel, code=code)
        await store.settle_outgoing(outgoing.id, state="failed", now=now, error=told)

    async def _addressed(self, outgoing: Outgoing) -> _Addressed:
        """Look up what the message is about. Raises _OverError where it is gone, DeliveryError without a way to it."""
        store, settings = self._store, self._settings
        kind = KINDS.get(outgoing.kind)
        if kind is None:  # queued by a newer process, which may send it
            raise DeliveryError("fault")
        if outgoing.channel == "mail" and not settings.smtp_url:
            raise DeliveryError("no_mail_server", is_final=True)
        if outgoing.channel == "sms" and not settings.sms_url:
            raise DeliveryError("no_sms_gateway", is_final=True)
        meeting = await store.meeting(outgoing.meeting_id)
        organisation = await store.organisation_by_id(outgoing.organisation_id)
        whose: Participant | Host | None = None
        if outgoing.participant_id:
            whose = await store.participant(outgoing.participant_id)
        elif outgoing.host_id:
            whose = await store.host(outgoing.host_id)
        if meeting is None or organisation is None or whose is None:
            raise _OverError
        reach = open_reach(self._contacts, whose.reach)
        if not (reach.mail if outgoing.channel == "mail" else reach.phone):
            raise DeliveryError("no_address", is_final=True)
        return _Addressed(outgoing, kind, organisation, meeting, whose, reach)

    async def _hand_over(self, one: _Addressed, mail: MailSender, sms: SmsSender) -> None:
        context = await self._context(one)
        message = render_message(one.outgoing, context)
        if one.outgoing.channel == "sms":
            await sms.send(one.reach.phone, message.text)
            return
        await mail.send(_as_mail(one, message, context))

    async def _context(self, one: _Addressed) -> MessageContext:
        """Return what the message is made of. Raises _OverError where it no longer applies."""
        outgoing, kind, meeting, now = one.outgoing, one.kind, one.meeting, self._now()
        is_as_known = outgoing.data.get("was", "") == state_mark(self._contacts, meeting)
        if kind.is_over(outgoing, meeting, now) or is_as_known:
            raise _OverError
        if kind.asks and outgoing.participant_id:
            newest = await self._store.latest_report(outgoing.participant_id)
            if kind.is_answered(newest, meeting, now):
                raise _OverError
        host = one.whose if isinstance(one.whose, Host) else None
        return MessageContext(
            organisation=one.organisation,
            meeting=meeting,
            language=one.whose.locale,
            now=now,
            person_id=one.whose.id,
            link=await self._link(one, now),
            feed=await self._feed(one, host, now),
            host_role=host.role if host else None,
            mail=one.reach.mail,
            sender=self._settings.mail_from,
            moved_from=_moment(outgoing.data.get("moved_from")),
            day=await self._day(one, host, now) if kind.shows == "day" and host else (),
            changed=await self._changed(outgoing, now) if kind.shows == "change" else None,
            pin=pin_of(self._contacts, outgoing.id) if kind.shows == "code" else "",
            pin_minutes=int(PIN_LIFE.total_seconds() // 60),
        )

    async def _link(self, one: _Addressed, now: datetime) -> str:
        """Return the person's own link, the same as in every earlier message."""
        whose, base_url = one.whose, self._base_url()
        if not one.kind.has_link:
            return ""
        if not base_url:
            raise DeliveryError("fault")
        if one.kind.needs_open_link and not await self._is_open(whose, now):
            raise _OverError
        common = (self._store, self._contacts, one.organisation, one.meeting)
        if isinstance(whose, Host):
            return (await leader_link(*common, whose, base_url=base_url, now=now)).link
        return (await participant_link(*common, whose, base_url=base_url, now=now)).link

    async def _feed(self, one: _Addressed, host: Host | None, now: datetime) -> str:
        """Return the address of the leader's calendar, where a mail tells of it."""
        if host is None or one.kind.shows != "feed" or one.outgoing.channel != "mail":
            return ""
        common = (self._store, self._contacts, one.organisation, one.meeting, host)
        return (await feed_link(*common, base_url=self._base_url(), now=now)).link

    async def _is_open(self, whose: Participant | Host, now: datetime) -> bool:
        store = self._store
        if isinstance(whose, Host):
            return await store.invitation_for(host_id=whose.id, kind="leader", now=now) is not None
        return await store.invitation_for(participant_id=whose.id, kind="participant", now=now) is not None

    async def _day(self, one: _Addressed, host: Host, now: datetime) -> tuple[Tally, ...]:
        """Return how the meetings stand that this leader has on the day of the message's meeting."""
        store, zone = self._store, ZoneInfo(one.organisation.time_zone)
        midnight = one.meeting.starts_at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        span = (midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC))
        meetings = [one.meeting]
        if host.person_hash is not None:
            meetings = await store.meetings_of_person(one.organisation.id, host.person_hash, starts=span)
        tallies = []
        for meeting in meetings:
            if meeting.state == "planned":
                rows = await store.board(meeting.id)
                people = tuple((row.participant.role, state_of(row.report, now)) for row in rows)
                tallies.append(Tally(meeting.starts_at, people))
        return tuple(tallies)

    async def _changed(self, outgoing: Outgoing, now: datetime) -> tuple[str, str]:
        """Return role and state now of the participant that an alert is about."""
        rows = await self._store.board(outgoing.meeting_id)
        about = outgoing.data.get("participant")
        row = next((row for row in rows if row.participant.id == about), None)
        if row is None:
            raise _OverError
        return row.participant.role, state_of(row.report, now)


def _as_mail(one: _Addressed, message: Message, context: MessageContext) -> EmailMessage:
    return build_mail(
        message,
        to=one.reach.mail,
        sender=context.sender,
        sender_name=one.organisation.name,
        message_id=one.outgoing.id,
        language=context.language,
        now=context.now,
    )


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
