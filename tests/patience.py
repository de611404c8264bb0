"""How long a test waits for what has to come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reports.store import Store

PATIENCE_S = 45.0
"""Longest wait for something that is certain to come. It measures nothing: it ends a test that would hang, and is as
long as a cold start of our server takes where eight other programs keep two cores busy (36 s)."""

BUSY = {"server_busy", "device_busy"}
"""Why nothing was measured where server or browser was late; tests share one machine, so either may happen to one."""


def was_busy(report: Mapping[str, Any]) -> bool:
    """Whether something was not measured because the machine had too much to do beside."""
    return any(one["cause"] in BUSY for one in report["checks"])


async def until_kept(store: Store, test_id: str, phase: str) -> None:
    """Wait until the database has what a phase of a running self-test found."""
    ever = datetime.max.replace(tzinfo=UTC)
    async with asyncio.timeout(PATIENCE_S):
        while not any(one.id == test_id and phase in one.phases for one in await store.stale_self_tests(ever)):
            await asyncio.sleep(0.02)
