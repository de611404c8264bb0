"""Passes on what nobody stores: figures of a test that is followed, and what support says to its page.

Whoever listens to a topic gets what is passed on from then on, in this process and over PostgreSQL in others. Nothing
is kept for those who come later, and what is not fetched in time is lost: each message must be of use by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

__all__ = ["MOST_BYTES", "Passing", "Receiver", "written"]

MOST_BYTES: Final = 7_500
"""Of one message: a notice of PostgreSQL takes 8,000 with its topic."""
MOST_WAITING: Final = 32
"""Messages that wait for one receiver; of more the oldest are lost."""


def written(message: Mapping[str, Any]) -> str:
    """Return the message as JSON. Raises ValueError if it is too long to be passed on."""
    text = json.dumps(message, ensure_ascii=True, separators=(",", ":"))
    if len(text) > MOST_BYTES:
        raise ValueError(f"a message of {len(text)} bytes is too long to be passed on")
    return text


class Receiver:
    """The messages of one topic, for one who listens."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._come = asyncio.Event()

    def give(self, text: str) -> None:
        """Let a message wait to be fetched."""
        self._waiting.append(text)
        self._come.set()

    async def fetch(self, wait_s: float) -> dict[str, Any] | None:
        """Return the next message, or None if there is none within `wait_s`."""
        if not self._waiting:
            self._come.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._come.wait()
            except TimeoutError:
                return None
        found: dict[str, Any] = json.loads(self._waiting.popleft())
        return found


class Passing:
    """Who listens in this process, by topic."""

    def __init__(self) -> None:
        self._receivers: dict[str, set[Receiver]] = defaultdict(set)

    def give(self, topic: str, text: str) -> None:
        """Hand a message to all who listen to the topic."""
        for receiver in self._receivers.get(topic, ()):
            receiver.give(text)

    @asynccontextmanager
    async def listen(self, topic: str) -> AsyncGenerator[Receiver]:
        """Yield what is passed on under the topic from now on."""
        receiver = Receiver()
        self._receivers[topic].add(receiver)
        try:
            yield receiver
        finally:
            self._receivers[topic].discard(receiver)
            if not self._receivers[topic]:
                del self._receivers[topic]
