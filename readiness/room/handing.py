"""Results on their way to the server: as they are kept, and as they are sent; oldest first, each until it is taken."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from readiness.room.clocks import Clock
from readiness.room.errors import RefusedError
from readiness.room.service import AGENT
from readiness.room.spool import Spool, uuid7
from reports.model import rfc3339

__all__ = ["Server", "envelope", "hand_in"]

SCHEMA: Final = "readiness.room_result/1"
NEVER_TAKEN: Final = frozenset({400, 413, 422})
"""What the server says of a result itself; other refusals may be a proxy's, and pass."""
logger = logging.getLogger(__name__)


class Server(Protocol):
    """What a room wants of its server; tests have one of their own."""

    async def settings(self) -> dict[str, Any]:
        """Return settings, meetings and what is wanted. Raises RoomError."""

    async def send(self, result: Mapping[str, Any]) -> int:
        """Hand in one result. Raises RoomError."""

    async def new_key(self) -> str:
        """Return the key to use from now on. Raises RoomError."""


async def hand_in(spool: Spool, server: Server, *, clock: Clock, boot: str) -> None:
    """Send what waits. Raises RoomError where the server is away, and OSError where what was sent can't be removed."""
    spool.refresh()
    while (result := spool.oldest()) is not None:
        try:
            await server.send(_sent(result, spool, clock, boot))
        except RefusedError as error:
            if error.status not in NEVER_TAKEN:
                raise
            logger.warning("a result was refused and is given up: %s", error)
            spool.give_up(str(result["id"]))
        else:
            spool.done(str(result["id"]))


def envelope(
    check: Mapping[str, Any] | None,
    *,
    reason: str,
    planned: datetime | None,
    started: datetime,
    clock: Clock,
    boot: str,
    key_store: str,
    in_use_since: str = "",
) -> dict[str, Any]:
    """Return one result as it is kept: what the sending adds is not in it yet."""
    kept = {
        "schema": SCHEMA,
        "id": uuid7(clock.now().timestamp()),
        "check": check,
        "reason": reason,
        "planned_at": rfc3339(planned) if planned else None,
        "started_at": rfc3339(started),
        "ended_at": rfc3339(clock.now()),
        "ended_steady_s": clock.steady_s(),
        "boot_id": boot,
        "key_store": key_store,
        "agent": AGENT,
    }
    return kept if check is not None else {**kept, "not_checked": "in_use", "in_use_since": in_use_since}


def _sent(result: Mapping[str, Any], spool: Spool, clock: Clock, boot: str) -> dict[str, Any]:
    """Return what goes out: with how old it is by the clock that nobody sets, where that has gone on since."""
    age_s = clock.steady_s() - float(result["ended_steady_s"]) if result["boot_id"] == boot else None
    kept = {name: value for name, value in result.items() if name != "ended_steady_s"}
    return {
        **kept,
        "sent_at": rfc3339(clock.now()),
        "monotonic_age_s": round(age_s, 1) if age_s is not None and age_s >= 0 else None,
        "dropped": spool.dropped,
    }
