"""A real SMTP server and a real HTTP gateway on loopback, which keep what they are given."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiohttp import web
from aiosmtpd.smtp import SMTP


@dataclass
class Mailbox:
    """Every mail that was taken, in order; `answers` is said instead of taking mail to an address."""

    mails: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    url: str = ""

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(message_from_bytes(envelope.original_content, policy=policy.default))
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]


@contextlib.asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """A running SMTP server on a free port, in this loop."""
    kept = Mailbox()
    loop = asyncio.get_running_loop()
    sessions: list[SMTP] = []

    def session() -> SMTP:
        sessions.append(SMTP(kept, enable_SMTPUTF8=True, loop=loop))
        return sessions[-1]

    server = await loop.create_server(session, "127.0.0.1", 0)
    kept.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield kept
    finally:
        server.close()
        for one in sessions:
            if one.transport is not None:
                one.transport.abort()
        await asyncio.sleep(0)  # a socket is closed a turn of the loop after its transport


@dataclass
class Gateway:
    """Every request that came, as (method, path with query, headers, body); answers with `status` and `says`."""

    requests: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    status: int = 200
    says: str = ""
    url: str = ""

    def sent(self) -> list[dict[str, str]]:
        return [json.loads(body) for *_, body in self.requests]


@contextlib.asynccontextmanager
async def gateway() -> AsyncIterator[Gateway]:
    """A running HTTP gateway on a free port."""
    kept = Gateway()

    async def take(request: web.Request) -> web.Response:
        kept.requests.append((request.method, request.raw_path, dict(request.headers), await request.text()))
        return web.Response(status=kept.status, text=kept.says)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield kept
    finally:
        await runner.cleanup()
