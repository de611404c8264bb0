"""What the store gives of followed tests: frozen values, like `records`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["HINT_EVERY", "Following", "follow_of", "line_of_follow"]

HINT_EVERY: Final = timedelta(seconds=2)
"""A person has to read a hint before the next one takes its place."""


def follow_of(session_id: str) -> str:
    """Return what a watcher subscribes to who wants to know when a session begins or ends to be followed."""
    return f"follow:{session_id}"


def line_of_follow(following_id: str) -> str:
    """Return the topic under which a followed test, its page and support pass on what happens."""
    return f"line:{following_id}"


@dataclass(frozen=True, slots=True)
class Following:
    """Somebody who lets support follow the tests of one session."""

    id: str
    session_id: str
    participant_id: str | None
    code: str
    """To be read out, so that support finds who has no meeting."""
    since: datetime
    until: datetime
    role: str | None = None
    """As what they take part, where there is a meeting; shown to support alone."""
    starts_at: datetime | None = None
