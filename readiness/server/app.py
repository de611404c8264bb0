"""The aiohttp application: routes, middleware, and what lives as long as the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from aiohttp import web

from readiness.access.contacts import contact_box
from readiness.logs import log_event
from readiness.media.pool import MediaSettings, WorkerPool
from readiness.meetings.outbox import OutboxRunner
from readiness.meetings.reminders import Reminders
from readiness.server import (
    afterwards,
    api,
    board_api,
    calendar,
    figures,
    health,
    meetings_api,
    openapi,
    pages,
    participant,
    plan_pages,
    socket,
    speedtest,
    support,
)
from readiness.server.admission import Admission
from readiness.server.assets import Assets
from readiness.server.attempt import end_left_over
from readiness.server.health import Health
from readiness.server.middleware import answer_malformed_ourselves, guard, set_security_headers
from readiness.server.services import SERVICES, Services
from readiness.settings import Settings
from reports.store import Store, StoreError

__all__ = ["make_app", "make_services"]

log = logging.getLogger(__name__)
CHORES_EVERY_S = 60.0
WARM_WORKERS = 2
STOP_OUTBOX_S = 5.0
"""How long the message in hand has when the server stops."""
MAX_BODY_BYTES = 64 * 1024
PARTS = (
    pages,
    plan_pages,
    api,
    board_api,
    calendar,
    figures,
    meetings_api,
    openapi,
    participant,
    afterwards,
    support,
    socket,
    speedtest,
    health,
)
"""The modules with routes."""


def make_services(settings: Settings, store: Store) -> Services:
    """Put together what the handlers share. The pool starts with the application."""
    capacity = max(1, settings.capacity // settings.workers)
    addresses = tuple((a.public, a.local) for a in settings.media_addresses)
    media = MediaSettings(addresses=addresses, ports=settings.media_ports)
    pool = WorkerPool(media, capacity=capacity, warm=min(WARM_WORKERS, capacity))
    return Services(
        settings=settings,
        store=store,
        admission=Admission(pool),
        assets=Assets(),
        health=Health(settings=settings, store=store, pool=pool),
        contacts=contact_box(settings),
        base_url=settings.public_url,
    )


def make_app(services: Services) -> web.Application:
    """Return the application."""
    answer_malformed_ourselves()
    app = web.Application(middlewares=[guard], client_max_size=MAX_BODY_BYTES)
    app[SERVICES] = services
    for part in PARTS:
        app.add_routes(part.routes)
    app.on_response_prepare.append(set_security_headers)
    app.cleanup_ctx.append(_living)
    return app


async def _living(app: web.Application) -> AsyncIterator[None]:
    """Start the workers and the chores; stop them in the end."""
    services = app[SERVICES]
    pool = services.admission.pool
    await pool.start()
    await services.store.purge(services.now())  # before anybody is answered: a restored backup forgets first
    services.health.organisation = await services.store.only_organisation()
    outbox = OutboxRunner(services)
    chores = [
        asyncio.create_task(work)
        for work in (
            _chores(services),
            services.health.watch(),
            outbox.run(),
            Reminders(services).run(),
        )
    ]
    yield
    await outbox.stop(STOP_OUTBOX_S)
    for chore in chores:
        chore.cancel()
    await asyncio.gather(*chores, return_exceptions=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            await pool.close(0.0)
    await services.store.close()


async def _chores(services: Services) -> None:
    """Once a minute: end tests whose server died, and delete what is past its time. One never keeps the other."""
    while True:
        for chore in (lambda: end_left_over(services, services.now()), lambda: services.store.purge(services.now())):
            try:
                await chore()
            except StoreError as error:
                log_event(log, logging.WARNING, "chores.postponed", cause=type(error).__name__)
            except Exception:
                log.exception("chores.failed")
        await asyncio.sleep(CHORES_EVERY_S)
