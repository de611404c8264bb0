"""Lets support follow one live test, for as long as the person allows it: steps, judged figures and hints.

Nothing leaves this process before the person has said yes, which the store is asked before each message. Messages
hold codes and numbers, never words, names of devices, sound or picture.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from readiness.access.actors import actor_of
from readiness.logs import log_event
from readiness.server.services import Services
from reports.model import CheckResult, Outcome
from reports.store import StoreUnavailable
from reports.store.follow_records import Following, follow_of, line_of_follow
from reports.store.passing import Receiver, written
from reports.store.records import Session

__all__ = ["ALIVE", "FOLLOWED_AFTER", "Follower", "message_of"]

log = logging.getLogger(__name__)

FOLLOWED_AFTER: Final = timedelta(minutes=10)
"""Without a test that runs it is over after this long: time to read the answer together and to test again."""
FOLLOWED_MOST: Final = timedelta(hours=1)
"""Longest time from the person's yes: nobody is followed who has forgotten it."""
ALIVE: Final = timedelta(minutes=2)
"""While a test runs, its process moves the end this far ahead; if the process dies, nothing moves it any more."""
ALIVE_EVERY_S: Final = 30.0
"""How often it moves it: well within `ALIVE`, so that one that fails or is late ends nothing."""
AT_ONCE_S: Final = 0.2
"""What changes within this time goes as one message."""
AGAIN_S: Final = 4.0
"""A message goes at least this often, for a desk that missed one; so long too until the next try after a failure."""
CHANGED: Final = written({"type": "changed"})
WAKING: Final = frozenset({"changed", "ask", "ended"})
_TOLD: Final = ("id", "outcome", "value", "unit", "pass", "fail", "cause", "advice")
"""Of a check: no details, in which there are words of the browser's."""


def message_of(phase: str, done: Sequence[str], hint: str, checks: Sequence[CheckResult]) -> dict[str, Any]:
    """Return what support is told of a test: what is done, where it is, the hint on the page and judged checks."""
    told = [{name: found for name, found in check.to_json().items() if name in _TOLD and found is not None}
            for check in checks if check.outcome is not Outcome.SKIPPED]  # fmt: skip
    return {"type": "test", "phase": phase, "done": list(done), "hint": hint, "checks": told}


class Follower:
    """Follows one attempt at a test. A class because it keeps who listens and what was last said."""

    def __init__(self, services: Services, session: Session) -> None:
        self._services, self._session, self._actor = services, session, actor_of(session)
        self._receiver: Receiver | None = None
        self._is_over = False
        self._moving = asyncio.Lock()
        """Held while the end is moved, so that no sign of life comes after the end of the test."""

    def changed(self) -> None:
        """Have it told, if anybody follows."""
        if self._receiver is not None:
            self._receiver.give(CHANGED)

    async def run(self, seen: Callable[[], Mapping[str, Any]]) -> None:
        """Pass on what is `seen` whenever the person allows it, until this is cancelled. Never breaks the test."""
        while True:
            try:
                async with self._services.store.watch(follow_of(self._session.id)) as changes:
                    while True:
                        following = await self._following()
                        if following is not None:
                            await self._pass_on(following, seen)
                        else:
                            await anext(changes)
            except StopAsyncIteration:  # the store is closing
                return
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)
            except Exception as error:  # noqa: BLE001 - whoever tests must not notice
                log_event(log, logging.ERROR, "follow.failed", cause=type(error).__name__)
                await asyncio.sleep(AGAIN_S)

    async def end(self, code: str) -> None:
        """Tell who follows that the test is over, after which nothing of it comes; minutes later it all ends."""
        self._is_over = True
        try:
            following = await self._following()
            if following is not None:
                await self._move(following, FOLLOWED_AFTER)
                await self._services.store.pass_on(line_of_follow(following.id), {"type": "over", "code": code})
        except StoreUnavailable:
            log_event(log, logging.WARNING, "follow.failed", cause="store.unavailable")

    async def _following(self) -> Following | None:
        return await self._services.store.following_of(self._actor, self._session.id, self._services.now())

    async def _pass_on(self, following: Following, seen: Callable[[], Mapping[str, Any]]) -> None:
        """Pass on what is seen until this following ends."""
        store, line = self._services.store, line_of_follow(following.id)
        async with store.listen(line) as receiver:
            self._receiver = receiver
            try:
                alive_s = -math.inf
                while (now := await self._following()) is not None and now.id == following.id:
                    if not self._is_over and time.monotonic() - alive_s >= ALIVE_EVERY_S:
                        alive_s = time.monotonic()
                        await self._move(following, ALIVE)
                    if not self._is_over:
                        await store.pass_on(line, seen())
                    await _next_change(receiver)
            finally:
                self._receiver = None

    async def _move(self, following: Following, ahead: timedelta) -> None:
        """Move the end of the following, which never outlasts its longest time; no sign of life comes after the end."""
        async with self._moving:
            if self._is_over and ahead == ALIVE:
                return
            until = min(self._services.now() + ahead, following.since + FOLLOWED_MOST)
            await self._services.store.follow_until(self._actor, self._session.id, until)


async def _next_change(receiver: Receiver) -> None:
    """Wait until there is something to tell, or it is time to tell it again. What passes besides is for others."""
    until_s = time.monotonic() + AGAIN_S
    while (left_s := until_s - time.monotonic()) > 0:
        message = await receiver.fetch(left_s)
        if message is None or message["type"] in WAKING:
            break
    await asyncio.sleep(AT_ONCE_S)
