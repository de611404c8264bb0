"""How long a test waits for what has to come."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from reports.store import Store

PATIENCE_S = 45.0
"""Longest wait for something that is certain to come. It measures nothing: it ends a test that would hang, and is as
long as a cold start of our server takes where eight other programs keep two cores busy (36 s)."""


async def until_kept(store: Store, test_id: str, phase: str) -> None:
    """Wait until the database has what a phase of a running self-test found."""
    ever = datetime.max.replace(tzinfo=UTC)
    async with asyncio.timeout(PATIENCE_S):
        while not any(one.id == test_id and phase in one.phases for one in await store.stale_self_tests(ever)):
            await asyncio.sleep(0.02)
