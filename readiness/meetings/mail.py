"""Mail over SMTP: one connection for consecutive messages, each error with a code."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote, urlsplit

import aiosmtplib

from readiness.meetings.delivery import DeliveryError
from readiness.meetings.mail_headers import MAIL_POLICY
from readiness.meetings.messages import Message
from readiness.meetings.smtp_answers import Stage, judged
from readiness.meetings.tls import tls_trouble
from readiness.outgoing import tls_context
from readiness.settings import Settings

__all__ = ["MailSender", "build_mail"]

SEND_TIMEOUT_S: Final = 20.0
PORTS: Final = {"smtp": 25, "smtps": 465}
SUBMISSION_PORT: Final = 587


def build_mail(
    message: Message, *, to: str, sender: str, sender_name: str, message_id: str, language: str, now: datetime
) -> EmailMessage:
    """Return the mail. Raises ValueError for a line break in anything that becomes a header.

    A message keeps its Message-ID over retries, so that mail servers can recognise copies.
    """
    mail = EmailMessage(policy=MAIL_POLICY)
    user, _, domain = sender.partition("@")
    mail["From"] = Address(display_name=sender_name, username=user, domain=domain)
    mail["To"] = to
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message_id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["Content-Language"] = language
    mail.set_content(message.text, cte="quoted-printable")
    if message.html:
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    if message.calendar:
        mail.add_attachment(
            message.calendar.content.decode("utf-8"),
            subtype="calendar",
            filename="invite.ics",
            cte="base64",
            params={"method": message.calendar.method},
        )
    return mail


class MailSender:
    """Hands mail to the configured server. A class because it holds the connection, from ``async with`` to its end."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.smtp_url.reveal()
        self._ca = settings.mail_ca
        self._context: ssl.SSLContext | None = None
        self._client: aiosmtplib.SMTP | None = None

    async def __aenter__(self) -> Self:
        """Connect at the first mail, not here."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye to the server."""
        await self._leave()

    async def send(self, mail: EmailMessage) -> None:
        """Hand `mail` over; returns when the server has taken it. Raises DeliveryError."""
        sender, to = (mail[name].addresses[0].addr_spec for name in ("From", "To"))
        content = mail.as_bytes()
        stage: Stage = "connect"
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                client = await self._connected()
                stage = "data"
                await client.sendmail(sender, [to], content)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if stage == "connect" or not isinstance(error, aiosmtplib.SMTPResponseException | _Refused):
                self._drop()
            raise _told(error, stage) from None

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is None or not self._client.is_connected:
            if self._context is None and self._ca:
                self._context = await asyncio.to_thread(tls_context, self._ca)
            self._client = _client(self._url, self._context)
            await self._client.connect()
        return self._client

    def _drop(self) -> None:
        """Close a connection that must not be used any more."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await client.quit()
        client.close()


_Refused = aiosmtplib.SMTPRecipientsRefused
"""Every recipient was refused; each mail has one."""


def _told(error: Exception, stage: Stage) -> DeliveryError:
    """Return the DeliveryError for `error`, which came at connecting or handing over a mail."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        (one,) = error.recipients
        return judged("recipient", one.code, one.message)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return judged(_stage_of(error, stage), error.code, error.message)
    said = str(error).upper()
    if type(error) is aiosmtplib.SMTPException and ("AUTH" in said or "STARTTLS" in said):
        return DeliveryError("login" if "AUTH" in said else "encryption", detail="not offered")
    return tls_trouble(error) or DeliveryError("unreachable", detail=type(error).__name__)


def _stage_of(error: aiosmtplib.SMTPResponseException, stage: Stage) -> Stage:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "login"
    return "sender" if isinstance(error, aiosmtplib.SMTPSenderRefused) else stage


def _client(url: str, context: ssl.SSLContext | None = None) -> aiosmtplib.SMTP:
    """Return a client for `url`. Never sends a password without TLS, except on this machine."""
    parts = urlsplit(url)
    host, starttls = parts.hostname or "", parts.query == "starttls"
    secret = parts.username is not None and not _is_local(host)
    port = parts.port or (SUBMISSION_PORT if starttls else PORTS[parts.scheme])
    is_tls = parts.scheme == "smtps"
    return aiosmtplib.SMTP(
        hostname=host,
        port=port,
        use_tls=is_tls,
        start_tls=False if is_tls else True if starttls or secret else None,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        timeout=SEND_TIMEOUT_S,
        tls_context=context,
    )


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
