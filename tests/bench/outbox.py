"""Invitations sent through a real server that is killed at random moments: lost, sent twice, and how fast."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.figures import Figure
from tests.meetings.kills import send_through_kills

__all__ = ["run"]

COUNT, KILLS = 500, 4
QUICK_COUNT, QUICK_KILLS = 150, 2
LONGEST_S = 900.0
MOST_TWICE_PCT = 1.0


async def run(*, quick: bool) -> list[Figure]:
    """Send and kill."""
    count, kills = (QUICK_COUNT, QUICK_KILLS) if quick else (COUNT, KILLS)
    with tempfile.TemporaryDirectory() as folder:
        found = await send_through_kills(Path(folder), count=count, kills=kills, seed=1, longest_s=LONGEST_S)
    return [
        Figure("people who got their invitation, of all", "%", [100 * found.people / count], at_least=100),
        Figure("settled as sent, of all", "%", [100 * found.states.get("sent", 0) / count], at_least=100),
        Figure("sent twice", "%", [100 * found.duplicates / count], at_most=MOST_TWICE_PCT),
        Figure("servers killed", "", [found.kills], at_least=kills),
        Figure("invitations a second, restarts included", "/s", [count / found.took_s]),
    ]
