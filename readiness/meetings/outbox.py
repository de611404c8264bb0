"""The outbox's runner: claims due messages, writes them from the present state, delivers them and stores the outcome.

Delivery is at least once: a message is settled after the receiver accepted it, so one whose process dies in between is
sent again when the claim expires. Every server process has a runner; the store never lets two hold the same message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from readiness.access.contacts import ContactBox
from readiness.logs import log_event
from readiness.meetings.delivery import OURS, PASSING, DeliveryError
from readiness.meetings.mail import MailSender, build_mail
from readiness.meetings.sms import SmsSender
from readiness.meetings.writing import OverError, Writer
from readiness.settings import Settings
from reports.store import Store, StoreError
from reports.store.records import Channel, Outgoing

__all__ = ["CLAIM_S", "MOST_CLAIMED", "POLL_S", "OutboxRunner", "retry_delay"]

log = logging.getLogger(__name__)
CLAIM_S = 90.0
"""How long a process may hold messages before another one may send them."""
HELD_S = 60.0
"""Latest start of a message within a claim; one takes at most 20 s, so none outlives its claim."""
MOST_CLAIMED = 8
POLL_S = 5.0
"""Time between polls, for messages that other processes queued or that waited for their time."""
FIRST_DELAY_S: Final = 30.0
LONGEST_DELAY_S: Final = 3600.0
GIVES_UP_AFTER: Final = timedelta(hours=24)


def retry_delay(attempts: int) -> timedelta:
    """Return the wait after `attempts` failures: 30 s, doubled each time up to an hour, randomised by a fifth."""
    delay_s = min(FIRST_DELAY_S * 2 ** min(attempts - 1, 10), LONGEST_DELAY_S)
    return timedelta(seconds=delay_s * random.uniform(0.8, 1.2))


class OutboxRunner:
    """Sends queued messages until it is cancelled. A class because it holds the two senders."""

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
        """End `run` after the message in hand; cancelled in the middle, it might be sent twice."""
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
        """Claim some due messages and send them one after the other; return how many were claimed."""
        store, began = self._store, time.monotonic()
        claimed = await store.claim_outgoing(self._now(), MOST_CLAIMED, CLAIM_S)
        async with MailSender(self._settings) as mail, SmsSender(self._settings) as sms:
            for outgoing in claimed:
                if self._is_stopping or time.monotonic() - began > HELD_S:
                    now = self._now()  # any free process sends the rest
                    await store.settle_outgoing(outgoing.id, state="waiting", now=now, due_at=now)
                else:
                    await self._send(outgoing, mail, sms)
        return len(claimed)

    async def _send(self, outgoing: Outgoing, mail: MailSender, sms: SmsSender) -> None:
        store, now = self._store, self._now()
        try:
            await self._hand_over(outgoing, mail, sms)
        except OverError:
            await store.settle_outgoing(outgoing.id, state="dropped", now=now, error="over")
        except DeliveryError as error:
            self._note(outgoing.channel, error)
            is_final = error.is_final or (error.tries is not None and outgoing.attempts >= error.tries)
            await self._failed(outgoing, error.code, is_final=is_final)
        except StoreError:
            raise  # the claim expires by itself
        except Exception:
            log.exception("outbox.message_failed")
            await self._failed(outgoing, "fault", is_final=False)
        else:
            if self._trouble.get(outgoing.channel):
                self._note(outgoing.channel, None)
            await store.settle_outgoing(outgoing.id, state="sent", now=self._now())

    def _note(self, channel: Channel, error: DeliveryError | None) -> None:
        """Log a fault of ours that stops a channel, once until it changes or is gone."""
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

    async def _hand_over(self, outgoing: Outgoing, mail: MailSender, sms: SmsSender) -> None:
        writer = Writer(self._store, self._contacts, self._settings, self._base_url(), self._now())
        written = await writer.write(outgoing)
        if outgoing.channel == "sms":
            await sms.send(written.person.reach.phone, written.message.text)
            return
        context = written.context
        message = build_mail(
            written.message,
            to=context.mail,
            sender=context.sender,
            sender_name=context.organisation.name,
            message_id=outgoing.id,
            language=context.language,
            now=context.now,
        )
        await mail.send(message)
