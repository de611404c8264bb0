"""The aiohttp application: routes, middleware, and everything that lives as long as the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from aiohttp import web

from readiness.access.audit import Keeper
from readiness.access.contacts import audit_keys, contact_box
from readiness.access.providers import load_providers
from readiness.access.sign_in import SignIn
from readiness.errors import SettingError
from readiness.logs import log_event
from readiness.media.limits import WorkerLimits
from readiness.media.pool import MediaSettings, WorkerPool
from readiness.meetings.outbox import OutboxRunner
from readiness.meetings.reminders import Reminders
from readiness.meetings.room_notices import RoomNotices
from readiness.server import (
    afterwards,
    api,
    blocked,
    board_api,
    calendar,
    demo_staff,
    figures,
    fleet_api,
    follow,
    health_routes,
    meetings_api,
    openapi,
    overview,
    pages,
    participant,
    plan_pages,
    room_api,
    room_pages,
    settings_pages,
    socket,
    speedtest,
    staff,
    support,
    support_acts,
    support_follow,
)
from readiness.server.admission import Admission
from readiness.server.assets import Assets
from readiness.server.clock import TimeOfDay
from readiness.server.ending import end_left_over
from readiness.server.health import Health
from readiness.server.middleware import answer_malformed_ourselves, guard, set_security_headers
from readiness.server.services import SERVICES, Services
from readiness.server.voices import load_voices
from readiness.settings import Settings
from reports.store import Store, StoreError

__all__ = ["make_app", "make_runner", "make_services"]

log = logging.getLogger(__name__)
CHORES_EVERY_S = 60.0
WARM_WORKERS = 2
STOP_OUTBOX_S = 5.0
"""How long the current message may take when the server stops."""
MAX_BODY_BYTES = 64 * 1024
KEEPALIVE_S = 15.0
"""How long an idle connection stays open between two requests."""
LINGERING_S = 2.0
"""How long a client's further bytes are discarded after the answer, before the connection is closed."""
MAX_FIELD_BYTES = 32 * 1024
"""Longest header line: all cookies of a browser are one line, including other services' on the same host."""
MAX_HEADERS = 64
SHUTDOWN_S = 5.0
"""How long open responses may take when the server stops."""
PARTS = (
    pages,
    plan_pages,
    api,
    blocked,
    board_api,
    calendar,
    demo_staff,
    figures,
    fleet_api,
    follow,
    meetings_api,
    openapi,
    overview,
    room_api,
    room_pages,
    settings_pages,
    participant,
    afterwards,
    staff,
    support,
    support_acts,
    support_follow,
    socket,
    speedtest,
    health_routes,
)
"""The modules with routes."""


def make_services(settings: Settings, store: Store) -> Services:
    """Build the services that the handlers share. The pool starts with the application."""
    capacity = max(1, settings.capacity // settings.workers)
    addresses = tuple((a.public, a.local) for a in settings.media_addresses)
    own_recordings = (str(settings.voices_dir.absolute()),) if settings.voices_dir else ()
    limits = WorkerLimits(reads=own_recordings)
    media = MediaSettings(addresses=addresses, ports=settings.media_ports, limits=limits)
    pool = WorkerPool(media, capacity=capacity, warm=min(WARM_WORKERS, capacity))
    voices = load_voices(settings.voices_dir)
    contacts = contact_box(settings)
    store.keep_audit(audit_keys(contacts))

    def now() -> datetime:
        return services.now()  # looked up each time: a test may turn the clock

    services = Services(
        settings=settings,
        store=store,
        admission=Admission(pool, processes=settings.workers),
        assets=Assets(more=voices.files()),
        voices=voices,
        health=Health(settings=settings, store=store, pool=pool),
        contacts=contacts,
        sign_in=SignIn(load_providers(settings.sign_in), store, contacts, now),
        base_url=settings.public_url,
    )
    return services


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


def make_runner(app: web.Application) -> web.AppRunner:
    """Return the runner of `app`. It never inflates bodies: a compressed one can cost a thousand times its size."""
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE_S,
        lingering_time=LINGERING_S,
        max_field_size=MAX_FIELD_BYTES,
        max_headers=MAX_HEADERS,
        shutdown_timeout=SHUTDOWN_S,
        handle_signals=False,
    )


async def _living(app: web.Application) -> AsyncIterator[None]:
    """Start the workers and the chores; stop them at the end."""
    services = app[SERVICES]
    pool = services.admission.pool
    try:
        await services.sign_in.check()
    except SettingError:
        await services.sign_in.close()
        await services.store.close()
        raise
    await pool.start()
    await services.store.purge(services.now())  # before anybody is answered: a restored backup forgets first
    services.health.organisation = await services.store.only_organisation()

    def now() -> datetime:
        return services.now()  # looked up each time: a test may turn the clock

    outbox = OutboxRunner(
        services.store,
        services.contacts,
        services.settings,
        now=now,
        base_url=lambda: services.base_url,
    )
    reminders = Reminders(services.store, services.contacts, now=now, can_sms=bool(services.settings.sms_url))
    notices = RoomNotices(services.store, services.contacts, services.settings, now=now)
    chores = [
        asyncio.create_task(work)
        for work in (
            _chores(services),
            services.health.watch(),
            outbox.run(),
            reminders.run(),
            notices.run(),
            notices.watch_silence(),
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
    await services.sign_in.close()
    with contextlib.suppress(StoreError):
        await services.store.log_forgotten()
    await services.store.close()


async def _chores(services: Services) -> None:
    """Do the chores once a minute. The start has just deleted what was due, so the first round deletes nothing."""

    def now() -> datetime:
        return services.now()  # looked up each time: a test may turn the clock

    clock, keeper = TimeOfDay(now), Keeper(services.store, services.settings)
    await _do_chores(services, clock, keeper, delete=False)
    while True:
        await asyncio.sleep(CHORES_EVERY_S)
        await _do_chores(services, clock, keeper)


async def _do_chores(
    services: Services, clock: TimeOfDay, keeper: Keeper | None = None, *, delete: bool = True
) -> None:
    """End tests whose server died, and `delete` expired data. A failure of one does not prevent the other.

    Right after the clock was set every running test looks abandoned, so nothing is ended or deleted until each of them
    has given a sign of life.
    """
    if services.csp_reports:
        log_event(log, logging.WARNING, "csp.violation", count=services.csp_reports)
        services.csp_reports = 0
    if jump_s := clock.jumped_s():
        log_event(log, logging.WARNING, "clock.jumped", seconds=round(jump_s))
        return
    chores: list[Callable[[], Awaitable[object]]] = [
        lambda: end_left_over(services, services.now()),
        lambda: services.store.end_followings_due(services.now()),
    ]
    if delete:
        chores.append(lambda: services.store.purge(services.now()))
    chores += keeper.chores(services.now()) if keeper is not None else []
    for chore in chores:
        try:
            await chore()
        except StoreError as error:
            log_event(log, logging.WARNING, "chores.postponed", cause=type(error).__name__)
        except Exception:
            log.exception("chores.failed")
