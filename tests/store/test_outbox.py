"""Messages to be sent: once where once is asked for, by one process at a time, and again after a crash."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from reports.store import ForbiddenField, Gone, Store
from tests.store import cast

pytestmark = pytest.mark.asyncio

MINUTE = timedelta(minutes=1)


async def test_what_happens_once_is_queued_once(store: Store) -> None:
    """A second row of the same name is left out, a row without a name never is; the sender is woken."""
    reminder = cast.outgoing(kind="reminder", once="reminder:anna:180:0")
    assert not store.queued.is_set()
    assert await store.queue([reminder, cast.outgoing()]) == 2
    assert store.queued.is_set()
    again = cast.outgoing(kind="reminder", once="reminder:anna:180:0")
    assert await store.queue([again, cast.outgoing()]) == 1
    assert await store.queue([]) == 0
    assert [one.once for one in await store.outgoing_of(cast.CLOCK, "meeting-anna")].count("reminder:anna:180:0") == 1
    with pytest.raises(ForbiddenField):
        await store.queue([cast.outgoing(data={"phone": "+47 900 00 000"})])
    with pytest.raises(Gone):
        await store.queue([cast.outgoing(meeting_id="none")])


async def test_a_claim_is_over_when_its_process_died(store: Store) -> None:
    """Nobody else gets a claimed message until then; then it is tried again, and counted."""
    first = cast.outgoing(due_at=cast.NOW - MINUTE, data={"moved_from": "2026-11-23T10:00:00Z"})
    later = cast.outgoing(due_at=cast.NOW + MINUTE)
    await store.queue([later, first])
    (claimed,) = await store.claim_outgoing(cast.NOW, 10, claim_s=60)
    assert claimed == replace(first, state="sending", attempts=1, due_at=cast.NOW + MINUTE)
    assert await store.claim_outgoing(cast.NOW, 10, claim_s=60) == []
    again = await store.claim_outgoing(cast.NOW + MINUTE, 10, claim_s=60)
    assert [(one.id, one.attempts) for one in again] == sorted([(first.id, 2), (later.id, 1)])
    assert len(await store.claim_outgoing(cast.NOW + 3 * MINUTE, 1, claim_s=60)) == 1


async def test_a_message_is_settled_once(store: Store) -> None:
    """Sent, failed, or tried again later; what is not being sent can't be settled."""
    await store.queue([cast.outgoing(id="one"), cast.outgoing(id="two")])
    assert not await store.settle_outgoing("one", state="sent", now=cast.NOW)
    assert len(await store.claim_outgoing(cast.NOW, 10, claim_s=60)) == 2
    assert await store.settle_outgoing("one", state="sent", now=cast.NOW)
    assert not await store.settle_outgoing("one", state="failed", now=cast.NOW, error="mail.refused")
    with pytest.raises(ValueError, match="when"):
        await store.settle_outgoing("two", state="waiting", now=cast.NOW)
    later = cast.NOW + 5 * MINUTE
    assert await store.settle_outgoing("two", state="waiting", now=cast.NOW, error="mail.away", due_at=later)
    found = {one.id: one for one in await store.outgoing_of(cast.CLOCK, "meeting-anna")}
    assert (found["one"].state, found["one"].sent_at, found["one"].error) == ("sent", cast.NOW, None)
    assert (found["two"].state, found["two"].due_at, found["two"].error) == ("waiting", later, "mail.away")
    assert await store.claim_outgoing(cast.NOW + MINUTE * 4, 10, claim_s=60) == []


async def test_two_processes_never_claim_the_same_message(store: Store, url: str) -> None:
    """SKIP LOCKED on PostgreSQL, one writer at a time on SQLite: sixty messages, each in one hand only."""
    await store.queue([cast.outgoing() for _ in range(60)])
    stores = [store, await Store.open(url), await Store.open(url)]

    async def claim(one: Store) -> list[str]:
        claimed: list[str] = []
        while found := await one.claim_outgoing(cast.NOW, 7, claim_s=60):
            claimed += [message.id for message in found]
        return claimed

    hands = await asyncio.gather(*(claim(one) for one in stores))
    everything = [message_id for hand in hands for message_id in hand]
    assert len(everything) == len(set(everything)) == 60
    for one in stores[1:]:
        await one.close()
