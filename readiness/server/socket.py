"""The session socket, ``GET /api/v1/session``: who may open it, how much may pass through it, and how it ends.

See ``readiness/docs/protocol.md`` for the messages. A test whose socket drops is stored as incomplete with its last
phase; a reconnect with the test's id within 10 minutes continues from the store, on any process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from readiness.access.limits import TokenBucket, prefix_of
from readiness.access.origin import refuse_foreign_socket
from readiness.errors import AccessError, InputError, LimitError, ReadinessError
from readiness.logs import log_event
from readiness.media.pool import PoolFull
from readiness.server.attempt import Attempt
from readiness.server.live_test import WorkerLost
from readiness.server.protocol import BINARY, parse_message, split_binary
from readiness.server.services import SERVICES, Nameless, Services, caller, session_of
from reports.kinds import TESTERS
from reports.store import StoreUnavailable, TakenOver

__all__ = ["routes"]

routes = web.RouteTableDef()
log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 1024
HEARTBEAT_S = 20.0
HELLO_TIMEOUT_S = 10.0
JSON_PER_S, JSON_BURST = 20.0, 40.0
BINARY_BYTES_PER_S, BINARY_BURST_BYTES = 1_500_000.0, 6_000_000.0
"""Byte budget of binary messages; stills, sound and one headroom burst fit well within it."""
MAX_SOCKETS = 1000
"""Most open session sockets per process; beyond that a browser is asked to come back."""
MAX_NAMELESS, MAX_NAMELESS_OF_PREFIX = 400, 100
"""Most sockets without a hello, in all and per /32 or /64. A page says hello at once, so the oldest is not a page."""
NAMELESS_S = 2.0
"""How long a socket may take to say hello before a newer one takes its place."""
LONGEST_S = 30 * 60.0
"""Longest time of one worker for a page. The invited then continue with a fresh one; for others the test ends."""
IDLE_S = 10 * 60.0
"""A page that is silent for this long loses its worker, and gets another one when it speaks again."""
IDLE_GUEST_S = 2 * 60.0
"""The same for a person without an invitation, while others wait."""
GUEST_STEP_S = 10 * 60.0
"""A test without an invitation ends if it finishes no step for this long (RTC-3); an invited one never does."""
LOOK_S = 5.0
"""Interval between checks that a page is still active."""
MAX_FAULTS = 5
"""Number of malformed messages that closes the socket."""
RIGHTS_S = 1.0
"""Rights are rechecked with each JSON message, and with sound or a picture if the last check is older than this.

Not with the bytes of the TCP probe, whose arrival is being measured.
"""
REPLACE_S = 1.0
"""How long a replaced socket may take to close before it is cut off; a page that comes back must not wait for it."""
ALIVE_S = 4.0
"""Interval of messages to the page that we are alive; browsers hide pings and dead connections from pages."""
CLOSE_S = 2.0
"""How long a peer may take to answer our goodbye; anything else it sends meanwhile is discarded."""


@routes.get("/api/v1/session", name="stream.session")
async def session_socket(request: web.Request) -> web.StreamResponse:
    """Upgrade the connection, exchange hellos, run the test, say goodbye."""
    services = request.app[SERVICES]
    if "Sec-WebSocket-Protocol" in request.headers:  # our page never sends this, and aiohttp would log its text
        raise InputError("request.malformed")
    refuse_foreign_socket(request, caller(request), services.settings.public_url)
    prefix = prefix_of(caller(request).address)
    if services.draining or len(services.sockets) >= MAX_SOCKETS or not _room_for_nameless(services, prefix):
        raise LimitError("shutting_down" if services.draining else "server.busy", retry_after_s=15)
    socket = web.WebSocketResponse(
        max_msg_size=MAX_MESSAGE_BYTES, compress=False, heartbeat=HEARTBEAT_S, timeout=CLOSE_S
    )
    services.nameless[socket] = Nameless(prefix, time.monotonic(), request)
    try:
        await socket.prepare(request)
    except BaseException:
        services.nameless.pop(socket, None)
        raise
    connection = Connection(request, services, socket)
    try:
        await connection.serve()
    except ReadinessError as error:
        await connection.say_error(error, fatal=True)
    except StoreUnavailable:
        await connection.say_error(ReadinessError("store.unavailable", retry_after_s=5), fatal=True)
    except TakenOver as lost:
        await connection.say_replaced(lost)
    except (ConnectionError, TimeoutError):
        log_event(log, logging.INFO, "socket.ended")
    except asyncio.CancelledError:
        raise
    except Exception:
        log.exception("socket.failed")
        await connection.say_error(ReadinessError("internal"), fatal=True)
    finally:
        await connection.close()
    return socket


class _Awake(Exception):  # noqa: N818 - a state, not an error
    """The page speaks again after its worker was released, and must reconnect for another one."""


class Connection:
    """One open socket and the attempt at a test on it."""

    def __init__(self, request: web.Request, services: Services, socket: web.WebSocketResponse) -> None:
        self._request, self._services, self._socket = request, services, socket
        self._json = TokenBucket(rate_per_s=JSON_PER_S, burst=JSON_BURST, clock=time.monotonic)
        self._binary = TokenBucket(rate_per_s=BINARY_BYTES_PER_S, burst=BINARY_BURST_BYTES, clock=time.monotonic)
        self._faults = 0
        self._session_id = ""
        self._heard_at_s = self._rights_at_s = time.monotonic()
        self.bytes_up = 0
        self.bytes_down = 0

    async def serve(self) -> None:
        """Run the whole exchange. Raises the ReadinessError that ends it."""
        hello = await self._hello()
        session = await session_of(self._request, hello["session"], kinds=TESTERS)
        self._session_id = session.id
        self._services.nameless.pop(self._socket, None)
        local = self._request.transport.get_extra_info("sockname") if self._request.transport else None
        attempt = Attempt(
            self._services, session, hello, send=self.send, send_bytes=self.send_bytes, counter=self,
            address=caller(self._request).address,
        )  # fmt: skip
        await attempt.claim()
        await self._replace_older()
        try:
            await self._begin(attempt, local[0] if local else "127.0.0.1")
            await self._run(attempt)
        finally:
            await attempt.close()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one JSON message; the reading side notices a page that is gone."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.send_json(dict(message))

    async def send_bytes(self, payload: bytes) -> None:
        """Send one binary message."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self._socket.send_bytes(payload)
            self.bytes_down += len(payload)

    async def say_error(self, error: ReadinessError, *, fatal: bool = False) -> None:
        """Send an error by code; the page has the words."""
        message: dict[str, Any] = {"type": "error", "code": error.code, "message": error.message, "fatal": fatal}
        if error.retry_after_s:
            message["retry_after_s"] = error.retry_after_s
        await self.send(message)

    async def say_replaced(self, lost: TakenOver) -> None:
        """Tell the page that another page has its test; the page has the words."""
        log_event(log, logging.INFO, "selftest.taken_over", refused=str(lost))
        await self.send({"type": "bye", "code": "replaced"})

    async def close(self) -> None:
        """Close the socket and forget it."""
        if self._services.sockets.get(self._session_id) is self._socket:
            del self._services.sockets[self._session_id]
        with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
            async with asyncio.timeout(5):
                await self._socket.close()
        self._services.nameless.pop(self._socket, None)

    async def _hello(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                received = await self._socket.receive()
        except TimeoutError:
            raise InputError("protocol.invalid", "no hello") from None
        if received.type is not WSMsgType.TEXT:
            raise InputError("protocol.invalid", "hello comes first")
        message = parse_message(received.data)
        if message["type"] != "hello":
            raise InputError("protocol.invalid", "hello comes first")
        return message

    async def _replace_older(self) -> None:
        """Close the session's older socket in this process at once, because it may be dead without having noticed.

        Its test is ours by now, so it stores nothing; a socket in another process learns that by polling.
        """
        older = self._services.sockets.get(self._session_id)
        self._services.sockets[self._session_id] = self._socket
        if older is not None:
            with contextlib.suppress(ConnectionError, RuntimeError, TimeoutError):
                async with asyncio.timeout(REPLACE_S):
                    await older.send_json({"type": "bye", "code": "replaced"})
                    await older.close()

    async def _begin(self, attempt: Attempt, local_address: str) -> None:
        """Wait in the queue for as long as the page stays, then begin."""
        waiting = asyncio.create_task(self._until_gone())
        try:
            await attempt.begin(local_address, gone=waiting)
        except PoolFull:
            raise LimitError("server.busy", retry_after_s=60) from None
        finally:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

    async def _until_gone(self) -> None:
        """Return when the page leaves the queue."""
        while True:
            received = await self._socket.receive()
            if received.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
                return

    async def _run(self, attempt: Attempt) -> None:
        """Read from the page and from the worker until one of them ends the test or another page takes it over."""
        reading = asyncio.create_task(self._read(attempt))
        following = asyncio.create_task(attempt.run.follow_worker())
        losing = asyncio.create_task(attempt.until_lost())
        beating = asyncio.create_task(self._beat())
        idling = asyncio.create_task(self._until_idle(attempt))
        try:
            await asyncio.wait({reading, following, losing, idling}, return_when=asyncio.FIRST_COMPLETED)
            if idling.done() and not (reading.done() or following.done() or losing.done()) and idling.result():
                await attempt.rest()
                await asyncio.wait({reading, losing}, return_when=asyncio.FIRST_COMPLETED)
            if losing.done():
                await losing
            elif attempt.is_resting:
                await self._wake(attempt, reading)
            elif idling.done() and not reading.done():
                reading.cancel()
                await attempt.end_broken("interrupted")
                await self.send({"type": "bye", "code": "ended"})
            elif following.done() and not reading.done():
                reading.cancel()
                error = following.exception()
                if isinstance(error, TakenOver):
                    raise error
                await attempt.end_broken(error.cause if isinstance(error, WorkerLost) else "worker_died")
                await self.send({"type": "bye", "code": "ended"})
            else:
                await self._end(attempt, reading)
        finally:
            for task in (reading, following, losing, beating, idling):
                task.cancel()
            await asyncio.gather(reading, following, losing, beating, idling, return_exceptions=True)

    async def _until_idle(self, attempt: Attempt) -> bool:
        """Wait until the page is idle. Returns True if its worker was released, False if the test is over."""
        began_s = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            now_s = time.monotonic()
            is_old = now_s - began_s >= LONGEST_S
            if attempt.is_guest and (is_old or now_s - attempt.run.stepped_at_s >= GUEST_STEP_S):
                return False
            is_wanted = attempt.is_guest and self._services.admission.waiting > 0
            if is_old or now_s - self._heard_at_s >= (IDLE_GUEST_S if is_wanted else IDLE_S):
                return True

    async def _wake(self, attempt: Attempt, reading: asyncio.Task[bool]) -> None:
        """Wait until the page speaks again, then end this socket, so that it reconnects; or until it is gone."""
        try:
            await self._end(attempt, reading)
        except _Awake:
            await attempt.check_claims()
            await self._socket.close()

    async def _beat(self) -> None:
        """Tell the page regularly that we are alive, for as long as the test lasts."""
        while True:
            await asyncio.sleep(ALIVE_S)
            await self.send({"type": "alive"})

    async def _end(self, attempt: Attempt, reading: asyncio.Task[bool]) -> None:
        """Store the result of the reading side. An error that ended the test is re-raised after that."""
        try:
            finished = await reading
        except (StoreUnavailable, TakenOver, ConnectionError, _Awake):
            raise
        except Exception as error:
            cause = "interrupted" if isinstance(error, ReadinessError) else "server_died"
            await attempt.end_broken(cause, tell=not isinstance(error, AccessError))
            raise
        if finished:
            await attempt.end_finished()
            await self.send({"type": "bye", "code": "ended"})
        else:
            await attempt.end_broken("shutting_down" if self._services.draining else "disconnected")

    async def _read(self, attempt: Attempt) -> bool:
        """Handle messages until the page finishes (True) or leaves (False)."""
        async for received in self._socket:
            self._heard_at_s = time.monotonic()
            if attempt.is_resting and not _is_goodbye(received):
                raise _Awake
            if received.type is WSMsgType.TEXT:
                if await self._on_text(attempt, received.data):
                    return True
            elif received.type is WSMsgType.BINARY:
                await self._on_binary(attempt, received.data)
            else:
                break
        return False

    async def _on_text(self, attempt: Attempt, text: str) -> bool:
        self.bytes_up += len(text)
        if not self._json.take():
            raise LimitError("rate.limited", retry_after_s=5)
        try:
            message = parse_message(text)
        except InputError as error:
            self._faults += 1
            log_event(log, logging.INFO, "message.invalid", where=error.message)
            if self._faults >= MAX_FAULTS:
                raise
            await self.say_error(error)
            return False
        if message["type"] == "bye":
            await self._socket.close()
            return False
        await self._look_at_rights()
        return await attempt.run.on_message(message)

    async def _look_at_rights(self) -> None:
        """Raise AccessError if the session or its link was revoked meanwhile."""
        await session_of(self._request, self._session_id, kinds=TESTERS)
        self._rights_at_s = time.monotonic()

    async def _on_binary(self, attempt: Attempt, payload: bytes) -> None:
        self.bytes_up += len(payload)
        if not self._binary.take(len(payload)):
            raise LimitError("rate.limited", retry_after_s=5)
        if payload[:1] == bytes([BINARY.HEADROOM_UP]):
            await attempt.run.on_binary(BINARY.HEADROOM_UP, 0, payload)
            return
        kind, t_ms, rest = split_binary(payload)
        if kind not in BINARY.STAMPED:
            raise InputError("protocol.invalid", "unknown binary kind")
        if time.monotonic() - self._rights_at_s >= RIGHTS_S:
            await self._look_at_rights()
        await attempt.run.on_binary(kind, t_ms, rest)


def _room_for_nameless(services: Services, prefix: str) -> bool:
    """Whether `prefix` may open another socket without a hello; closes the oldest one if necessary."""
    mine = [socket for socket, one in services.nameless.items() if one.prefix == prefix]
    if len(mine) < MAX_NAMELESS_OF_PREFIX and len(services.nameless) < MAX_NAMELESS:
        return True
    oldest = mine[0] if len(mine) >= MAX_NAMELESS_OF_PREFIX else next(iter(services.nameless))
    if time.monotonic() - services.nameless[oldest].since_s < NAMELESS_S:
        return False
    services.nameless.pop(oldest).abort()
    return True


def _is_goodbye(received: WSMessage) -> bool:
    """Whether the page is leaving or has left."""
    if received.type is WSMsgType.TEXT:
        with contextlib.suppress(InputError):
            return bool(parse_message(received.data)["type"] == "bye")
    return received.type not in {WSMsgType.TEXT, WSMsgType.BINARY}
