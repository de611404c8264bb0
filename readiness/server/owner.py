"""Which page owns a self-test, across processes: a page that resumes it takes it over, and the older page is told.

A person's newest page owns the person's unfinished tests: it holds the newest claim to each, and the database rejects
writes under an older one (`TakenOver`). A process that still serves an older page checks the claim every 2 s, so that
page hears of it before it writes in vain.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from readiness.access.tokens import hash_token
from readiness.server.services import Services
from reports.kinds import KINDS
from reports.store import Gone, StoreUnavailable, TakenOver
from reports.store.records import SelfTest, Session

__all__ = ["LIVE_WITHIN", "RESUME_WITHIN", "Owner", "unfinished_of"]

RESUME_WITHIN = timedelta(minutes=10)
LOOK_S = 2.0
"""How often a process checks whether a test of its own was taken over; an older page hears of it within this."""
ALIVE_EVERY = 3
"""A watched test gives a sign of life at one in this many checks."""
LIVE_WITHIN = timedelta(seconds=15)
"""A running test without a sign of life for longer belongs to nobody: two and a half of those intervals."""


class Owner:
    """One page's claims: to the person's unfinished tests while it waits for a place, then to its own test."""

    def __init__(self, services: Services, session: Session) -> None:
        self._services, self._session = services, session
        self._claims: dict[str, int] = {}

    async def claim(self, resume: str | None) -> None:
        """Take over the person's tests that run elsewhere, and the test to `resume`. Raises StoreUnavailable."""
        now = self._services.now()
        self._claims = await self._services.store.claim_self_tests(
            self._session, now - RESUME_WITHIN, now, resume=resume
        )

    async def begin(self, test: SelfTest) -> list[SelfTest]:
        """Store `test` and return the tests that it replaces, for the caller to end. Raises StoreUnavailable."""
        others = await self._services.store.begin_self_test(test, self._session, test.updated_at - RESUME_WITHIN)
        self._claims = {test.id: test.claim}
        return others

    async def resume(self, test_id: str) -> tuple[SelfTest, list[SelfTest]] | None:
        """Resume a claimed test; return it and the tests that it replaces.

        None if it could not be claimed: another person's, finished or too old. Raises TakenOver, StoreUnavailable.
        """
        claim, now = self._claims.get(test_id), self._services.now()
        if claim is None or await self._services.store.self_test(test_id, self._session.id) is None:
            return None
        others = await self._services.store.resume_self_test(
            test_id, self._session, now - RESUME_WITHIN, now, claim=claim
        )
        test = await self._services.store.self_test(test_id, self._session.id)
        if test is None:
            raise Gone("the self-test was deleted")
        self._claims = {test_id: claim}
        return replace(test, claim=claim), others

    async def check_claims(self) -> None:
        """Raise TakenOver if another page has taken over since; a database that is down stops nobody."""
        with contextlib.suppress(StoreUnavailable):
            for test_id, claim in self._claims.items():
                if await self._services.store.claim_of(test_id) not in {claim, None}:
                    raise TakenOver("look")

    async def until_lost(self) -> None:
        """Give signs of life until another page takes over, then raise TakenOver."""
        for looks in itertools.count():
            await asyncio.sleep(LOOK_S)
            await self.check_claims()
            if looks % ALIVE_EVERY == 0:
                await self._give_sign()

    async def _give_sign(self) -> None:
        for test_id, claim in self._claims.items():
            with contextlib.suppress(StoreUnavailable, Gone):
                await self._services.store.touch_self_test(test_id, self._services.now(), claim=claim)


async def unfinished_of(services: Services, session: Session, secret_of: Callable[[str], str]) -> dict[str, Any] | None:
    """Return the person's test that can be resumed or that runs elsewhere; None if there is none.

    `secret_of` returns the content of the caller's cookie for a session. Only the browser that began a test may resume
    it, because the results are about its camera and microphone.
    """
    recent = await services.store.recent_self_tests(session, services.now() - RESUME_WITHIN)
    if not recent or recent[-1].state == "finished":
        return None
    test = recent[-1]
    live = test.state == "running" and test.updated_at >= services.now() - LIVE_WITHIN
    here = test.session_id == session.id or await _opens(services, test.session_id, secret_of(test.session_id))
    if not live and not (here and _has_results(test)):
        return None
    return {"session": test.session_id, "test": test.id, "live": live, "here": here}


def _has_results(test: SelfTest) -> bool:
    return any(name in test.phases for kind in KINDS for name in kind.whole.phases)


async def _opens(services: Services, session_id: str, secret: str) -> bool:
    return await services.store.find_session(session_id, hash_token(secret), services.now()) is not None
