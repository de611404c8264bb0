"""Tells of rooms: every event to the organisation's own programs, signed, and what has to be acted on by mail.

Like the outbox of meetings: queued in the transaction of what it tells, claimed by one process, tried again for a day,
and settled after the receiver took it, so that a process which dies in between tells it twice rather than never.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import aiohttp

from readiness.access.actors import clock_of
from readiness.access.contacts import ContactBox
from readiness.logs import log_event
from readiness.meetings.delivery import DeliveryError
from readiness.meetings.mail import MailSender, build_mail
from readiness.meetings.messages import Message
from readiness.meetings.outbox import CLAIM_S, MOST_CLAIMED, POLL_S, retry_delay
from readiness.meetings.sms import proxy_for
from readiness.meetings.tls import tls_trouble
from readiness.settings import Settings
from readiness.texts import catalogue, for_staff
from reports.model import rfc3339
from reports.render.rooms import line_of
from reports.render.words import Words
from reports.room_course import standing_of
from reports.store import Store, StoreError
from reports.store.room_records import Room, RoomEvent, RoomHook, RoomNotice

__all__ = ["RoomNotices", "event_json", "signature"]

log = logging.getLogger(__name__)
HOOK_TIMEOUT_S: Final = 15.0
GIVES_UP_AFTER: Final = timedelta(hours=24)
SILENCE_EVERY_S: Final = 60.0
FIRST_LOOK_S: Final = 900.0
"""After our own outage rooms have yet to come back: agents ask again after ten minutes at the latest."""
TAKEN: Final = range(200, 300)


def signature(secret: str, at: int, body: bytes) -> str:
    """Return ``t=<seconds>,v1=<hex>``: HMAC-SHA256 of time, a dot and the body, so that neither can be exchanged."""
    return f"t={at},v1={hmac.digest(secret.encode(), f'{at}.'.encode() + body, 'sha256').hex()}"


def event_json(room: Room, event: RoomEvent, now: datetime) -> dict[str, Any]:
    """Return what a program is told of an event: codes and moments; the number says in which order."""
    return {
        "schema": "readiness.room_event/1",
        "room": {"id": room.id, "name": room.name, "building": room.building, "state": standing_of(room, now).state},
        "sequence": event.sequence,
        "kind": event.kind,
        "at": rfc3339(event.at),
        "known": event.is_known,
        "findings": list(event.codes),
    }


class RoomNotices:
    """Tells what is due until it is cancelled, and notices rooms that have gone silent."""

    def __init__(self, store: Store, contacts: ContactBox, settings: Settings, *, now: Callable[[], datetime]) -> None:
        self._store, self._contacts, self._settings, self._now = store, contacts, settings, now

    async def run(self) -> None:
        """Tell until cancelled; a fault of one notice or of the database never ends it."""
        noticed = self._store.noticed
        while True:
            noticed.clear()
            found = 0
            try:
                found = await self.send_due()
            except StoreError as error:
                log_event(log, logging.WARNING, "room_notices.postponed", cause=type(error).__name__)
            except Exception:
                log.exception("room_notices.failed")
            if not found:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await noticed.wait()

    async def watch_silence(self) -> None:
        """Note once a minute which rooms were not heard of for two planned checks, until cancelled."""
        await asyncio.sleep(FIRST_LOOK_S)
        while True:
            try:
                await self.note_silence()
            except StoreError as error:
                log_event(log, logging.WARNING, "room_notices.postponed", cause=type(error).__name__)
            except Exception:
                log.exception("room_notices.silence_failed")
            await asyncio.sleep(SILENCE_EVERY_S)

    async def note_silence(self) -> int:
        """Note the rooms that were not heard of for two planned checks, and return how many are new."""
        now = self._now()
        return await self._store.rooms_silent(now, lambda one: standing_of(one, now).state == "unknown")

    async def send_due(self) -> int:
        """Claim some notices that are due and tell them, hooks side by side; return how many were claimed."""
        claimed = await self._store.claim_room_notices(self._now(), MOST_CLAIMED, CLAIM_S)
        if not claimed:
            return 0
        timeout = aiohttp.ClientTimeout(total=HOOK_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as http, MailSender(self._settings) as mail:
            hooks = (self._tell(one, http, mail) for one in claimed if one.hook_id)
            ended = await asyncio.gather(*hooks, return_exceptions=True)
            for notice in claimed:
                if not notice.hook_id:
                    await self._tell(notice, http, mail)
        for failure in filter(None, ended):
            raise failure
        return len(claimed)

    async def _tell(self, notice: RoomNotice, http: aiohttp.ClientSession, mail: MailSender) -> None:
        store = self._store
        try:
            found = await store.room_event(notice)
            hook = await self._hook(notice) if notice.hook_id else None
            if found is None or (notice.hook_id and hook is None):
                await store.settle_room_notice(notice.id, state="dropped", now=self._now(), error="over")
                return
            if hook is not None:
                await self._post(hook, *found, http)
            else:
                await self._write(notice, *found, mail)
        except DeliveryError as error:
            await self._failed(notice, error.code, is_final=error.is_final)
        except StoreError:
            raise  # the claim ends by itself
        except Exception:
            log.exception("room_notices.notice_failed")
            await self._failed(notice, "fault", is_final=False)
        else:
            await store.settle_room_notice(notice.id, state="sent", now=self._now())

    async def _failed(self, notice: RoomNotice, code: str, *, is_final: bool) -> None:
        now = self._now()
        due_at = now + retry_delay(notice.attempts)
        if not is_final and due_at < notice.created_at + GIVES_UP_AFTER:
            await self._store.settle_room_notice(notice.id, state="waiting", now=now, error=code, due_at=due_at)
            return
        log_event(log, logging.WARNING, "room_notices.gave_up", channel="hook" if notice.hook_id else "mail", code=code)
        await self._store.settle_room_notice(notice.id, state="failed", now=now, error=code)

    async def _hook(self, notice: RoomNotice) -> RoomHook | None:
        hooks = await self._store.room_hooks(clock_of(notice.organisation_id))
        return next((one for one in hooks if one.id == notice.hook_id), None)

    async def _post(self, hook: RoomHook, room: Room, event: RoomEvent, http: aiohttp.ClientSession) -> None:
        """Post the event. Raises DeliveryError for any answer but a 2xx; a redirect is none."""
        url, secret = self._contacts.open(hook.url), self._contacts.open(hook.secret)
        if url is None or secret is None:
            raise DeliveryError("fault", is_final=True)
        now = self._now()
        body = json.dumps(event_json(room, event, now), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Readiness-Event": f"{room.id}:{event.sequence}",
            "Readiness-Signature": signature(secret, int(now.timestamp()), body),
        }
        try:
            async with http.post(
                url, data=body, headers=headers, allow_redirects=False, proxy=proxy_for(url)
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise tls_trouble(error) or DeliveryError("unreachable", detail=type(error).__name__) from None
        if status not in TAKEN:
            raise DeliveryError("request", detail=str(status))

    async def _write(self, notice: RoomNotice, room: Room, event: RoomEvent, mail: MailSender) -> None:
        """Write to the room's contact. Raises DeliveryError where it can't be sent."""
        to = self._contacts.open(room.contact) if room.contact else None
        organisation = await self._store.organisation_by_id(room.organisation_id)
        if to is None or organisation is None:
            raise DeliveryError("no_address", is_final=True)
        if not self._settings.smtp_url:
            raise DeliveryError("no_mail_server", is_final=True)
        language = for_staff(organisation.languages[0])
        words, now = Words(catalogue(language), language), self._now()
        newest = (await self._store.newest_room_results(clock_of(room.organisation_id))).get(room.id)
        line = line_of(room, newest, words, ZoneInfo(organisation.time_zone), now)
        place = ", ".join(filter(None, (room.name, room.building, room.zone)))
        said = words.t(f"room.event.{event.kind}")
        told = [place, said, line["said"], line["finding"] or "", line["remedy"] or "", line["who"], line["last_step"]]
        message = Message(words.t("mail.room.subject", room=room.name, said=said), "\n".join(filter(None, told)) + "\n")
        written = build_mail(
            message,
            to=to,
            sender=self._settings.mail_from,
            sender_name=organisation.name,
            message_id=notice.id,
            language=language,
            now=now,
        )
        await mail.send(written)
