"""Runs the server: binds, prints the address, serves, and drains on SIGTERM.

One process by default; `workers` processes share the port (SO_REUSEPORT) and the PostgreSQL database.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Semaphore
from typing import Any

from readiness.demo import DEMO_SLUG, prepare_demo
from readiness.errors import SettingError
from readiness.logs import log_event, set_up_logging
from readiness.opening import cannot_use, open_store
from readiness.server.app import make_app, make_runner, make_services
from readiness.server.certificates import Certificate
from readiness.server.demo_staff import is_local
from readiness.server.door import (
    ENOUGH_FOR_A_HOSPITAL,
    KEPT_DESCRIPTORS,
    MOST_CONNECTIONS,
    Door,
    DoorSite,
    raise_descriptor_limit,
)
from readiness.server.services import Services
from readiness.settings import PREFIX, Settings, prepare_folder
from reports.store import StoreError

__all__ = ["base_url", "serve"]

log = logging.getLogger(__name__)
DRAIN_S = 60.0
LOOK_S = 0.5
"""Interval between checks of the server processes."""
RESTART_AFTER_S = 1.0
"""Delay before a dead process is replaced: one that dies at once must not keep the machine busy."""
WILDCARDS = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not bound to


def serve(settings: Settings, *, demo: bool, as_json: bool) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status; raises SettingError before anything is served."""
    set_up_logging(settings.log_level)
    _forget_variables()
    prepare_folder(settings)
    certificate = Certificate.of(settings)
    with _bind(settings) as listener:
        if settings.workers == 1:
            return asyncio.run(_serve_one(settings, listener, certificate, partial(_say, as_json=as_json), demo=demo))
        return _serve_many(settings, listener, demo=demo, as_json=as_json)


def _forget_variables() -> None:
    """Remove our variables from the environment, which media workers inherit: some are secrets, and all were read."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


async def _serve_one(
    settings: Settings,
    listener: socket.socket,
    certificate: Certificate | None,
    serving: Callable[[Mapping[str, str]], None],
    *,
    demo: bool,
) -> int:
    """Serve in this process; `serving` is called with the addresses once it answers."""
    store = await open_store(settings)
    services = make_services(settings, store)
    services.base_url = base = base_url(settings, listener.getsockname())
    services.door = _door(settings)
    runner = make_runner(make_app(services))
    try:
        await runner.setup()
        links = await _prepare_demo(settings, services, base) if demo else {"base_url": base}
        if demo:
            services.health.organisation = await store.only_organisation()
            services.demo_sign_in = is_local(settings, listener.getsockname()[0])
        if services.demo_sign_in:
            links = {**links, "staff_url": f"{base}/o/{DEMO_SLUG}/staff"}
    except StoreError as error:  # such as a full disk
        await runner.cleanup()
        raise cannot_use(settings, error) from None
    except SettingError:
        await runner.cleanup()
        raise
    tls = None if certificate is None else certificate.context
    site = DoorSite(runner, listener, services.door, ssl_context=tls)
    stopping = _stop_on_signals()
    looking = asyncio.create_task(_keep_fresh(certificate), name="certificate")
    await site.start()
    serving(links)
    await stopping.wait()
    looking.cancel()
    await _drain(services)
    await runner.cleanup()
    return 0


async def _prepare_demo(settings: Settings, services: Services, base: str) -> Mapping[str, str]:
    """Create the demo's meeting. Raises SettingError, one sentence, if the database can't store it."""
    try:
        return await prepare_demo(services.store, services.contacts, base, services.now())
    except StoreError as error:
        raise cannot_use(settings, error) from None


def _door(settings: Settings) -> Door:
    """Return the door that counts connections, with as much room as the system's descriptor limit allows."""
    most = min(MOST_CONNECTIONS, max(2, raise_descriptor_limit() - KEPT_DESCRIPTORS))
    if most < ENOUGH_FOR_A_HOSPITAL:
        log_event(log, logging.WARNING, "connections.few", most=most)
    return Door(most=most, trusted=settings.trusted_proxies)


def _serve_many(settings: Settings, listener: socket.socket, *, demo: bool, as_json: bool) -> int:
    """Migrate once, start the processes, restart any that dies, and forward the stop signal to all."""
    host, port = listener.getsockname()[:2]
    base = base_url(settings, (host, port))
    links = asyncio.run(_prepare_shared(settings, base, demo=demo))
    context = multiprocessing.get_context("spawn")
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    serving = context.Semaphore(0)
    children: list[BaseProcess] = [_child(context, settings, serving) for _ in range(settings.workers)]
    if settings.tls_cert:
        signal.signal(signal.SIGHUP, lambda *_: _send(children, signal.SIGHUP))
    listener.close()
    to_come = len(children)
    while not stopping.is_set():
        if to_come and serving.acquire(timeout=LOOK_S):
            to_come -= 1
            if not to_come:
                _say(links, as_json=as_json)
        elif to_come or not stopping.wait(LOOK_S):
            _restart_dead(children, lambda: _child(context, settings, serving), stopping)
    _send(children, signal.SIGTERM)
    for child in children:
        child.join(DRAIN_S + 15)
        if child.is_alive():
            child.kill()
    return 0


def _send(children: Sequence[BaseProcess], name: signal.Signals) -> None:
    for child in children:
        if child.pid and child.is_alive():
            os.kill(child.pid, name)


def _restart_dead(children: list[BaseProcess], start: Callable[[], BaseProcess], stopping: threading.Event) -> None:
    for index, child in enumerate(children):
        if not child.is_alive():
            log_event(log, logging.ERROR, "process.died", exit_status=child.exitcode)
            if not stopping.wait(RESTART_AFTER_S):
                children[index] = start()


def _child(context: SpawnContext, settings: Settings, serving: Semaphore) -> BaseProcess:
    child = context.Process(target=_child_main, args=(settings, serving), name="readiness-web")
    child.start()
    return child


def _child_main(settings: Settings, serving: Semaphore) -> None:
    set_up_logging(settings.log_level)
    listener = _bind(settings)
    certificate = Certificate.of(settings)
    sys.exit(asyncio.run(_serve_one(settings, listener, certificate, lambda _links: serving.release(), demo=False)))


async def _prepare_shared(settings: Settings, base: str, *, demo: bool) -> Mapping[str, str]:
    """Do once what the processes share, and refuse here what would stop each of them again and again."""
    store = await open_store(settings)
    try:
        services = make_services(settings, store)
        try:
            await services.sign_in.check()
        finally:
            await services.sign_in.close()
        return await _prepare_demo(settings, services, base) if demo else {"base_url": base}
    finally:
        await store.close()


async def _drain(services: Services) -> None:
    """Accept no new tests, say so on /readyz, and give running ones at most a minute to finish."""
    services.draining = True
    log_event(log, logging.WARNING, "draining", live_tests=len(services.sockets))
    try:
        async with asyncio.timeout(DRAIN_S):
            while services.sockets:  # noqa: ASYNC110 - sockets leave one by one, from many places
                await asyncio.sleep(0.1)
    except TimeoutError:
        log_event(log, logging.WARNING, "drain.timeout", live_tests=len(services.sockets))
    for open_socket in list(services.sockets.values()):
        await open_socket.close()


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    return stopping


async def _keep_fresh(certificate: Certificate | None) -> None:
    """Serve a renewed certificate when it is found, or at once on SIGHUP. Does nothing without TLS."""
    if certificate is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, certificate.reload)
        await certificate.keep_fresh()


def _bind(settings: Settings) -> socket.socket:
    """Return a bound socket. Raises SettingError if the port is in use or the host is not ours."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.workers > 1:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingError(
                f"READINESS_PORT: port {settings.port} on {settings.host} is in use; stop the other program or choose "
                "another port"
            ) from None
        raise SettingError(f"READINESS_HOST: can't listen on {settings.host}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


def base_url(settings: Settings, bound: Sequence[Any]) -> str:
    """Return the base address of printed links."""
    if settings.public_url:
        return settings.public_url
    host = "127.0.0.1" if settings.host in WILDCARDS else settings.host
    scheme = "https" if settings.tls_cert else "http"
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{bound[1]}"


def _say(links: Mapping[str, str], *, as_json: bool) -> None:
    """Print the addresses to standard output once the server is ready."""
    if as_json:
        print(json.dumps(dict(links)), flush=True)  # noqa: T201 - this is the command's output
        return
    names = {
        "base_url": "Readiness serves at   ",
        "selftest_url": "Demo self-test        ",
        "board_url": "Demo leader's board   ",
        "organiser_url": "Demo organiser's pages",
        "support_url": "Demo support page     ",
        "dropin_url": "Drop-in test          ",
        "rooms_url": "Demo meeting rooms    ",
        "room_code": "Code of the demo room ",
        "staff_url": "Demo sign-in of staff ",
    }
    for key, link in links.items():
        print(f"{names.get(key, key)} {link}", flush=True)  # noqa: T201
    print("Stop with Ctrl-C.", flush=True)  # noqa: T201
