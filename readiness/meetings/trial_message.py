"""A message to somebody's own address that shows whether mail and SMS get through; sent at once, not queued."""

from __future__ import annotations

from datetime import datetime

from readiness.errors import InputError
from readiness.meetings.delivery import DeliveryError
from readiness.meetings.gsm import carried
from readiness.meetings.mail import MailSender, build_mail
from readiness.meetings.messages import Message
from readiness.meetings.sms import SmsSender
from readiness.reach import clean_mail, clean_phone, region_of, takes_sms
from readiness.settings import Settings
from reports.render.words import Words
from reports.store.records import Channel, Organisation, new_id

__all__ = ["read_receiver", "send_trial"]


def read_receiver(channel: Channel, typed: str, organisation: Organisation) -> str:
    """Return the address or number that was typed, in one form. Raises InputError for none, and for no mobile."""
    if channel == "mail":
        found = clean_mail(typed)
    else:
        found = clean_phone(typed, region_of(organisation.support_phone, organisation.time_zone))
        if found and not takes_sms(found):
            raise InputError("settings.mobile")
    if not found:
        raise InputError("settings.needed")
    return found


async def send_trial(
    settings: Settings, channel: Channel, to: str, organisation: Organisation, *, words: Words, now: datetime
) -> None:
    """Send it through the same server or gateway as every message. Raises DeliveryError where it is not taken."""
    text = words.t("settings.test.message", organisation=organisation.name)
    if channel == "sms":
        if not settings.sms_url:
            raise DeliveryError("no_sms_gateway")
        async with SmsSender(settings) as sms:
            await sms.send(to, carried(text))
        return
    if not settings.smtp_url:
        raise DeliveryError("no_mail_server")
    mail = build_mail(
        Message(words.t("settings.test.subject"), text),
        to=to,
        sender=settings.mail_from,
        sender_name=organisation.name,
        message_id=new_id(),
        language=words.language,
        now=now,
    )
    async with MailSender(settings) as sender:
        await sender.send(mail)
