"""DEG-1: while the database is away whoever comes is told when to come again, and a running test loses nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from reports.store import StoreUnavailable
from reports.store.engine import Database
from tests.actors import CLOCK
from tests.cast import make_cast
from tests.patience import until_kept
from tests.security.support import ended, next_of, redeem, started

DEVICES = {"camera": {"status": "present"}, "microphone": {"status": "present"}, "browser": {"missing": []}}


@contextlib.contextmanager
def away(monkeypatch: pytest.MonkeyPatch):
    """A database that does not answer, until the block ends."""

    @contextlib.asynccontextmanager
    async def refused(_self: Database) -> AsyncIterator[None]:
        raise StoreUnavailable("away")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", refused)
        patch.setattr(Database, "write", refused)
        yield


FINISH = {"type": "samples", "phase": "finish", "kind": "final", "data": {}, "final": True}


async def test_DEG_1_without_the_database_nobody_loses_what_was_finished(server, http, monkeypatch):
    """503 with when to come again for all that is new; a running test is told so too, and goes on where it was."""
    cast = await make_cast(server.store)
    anna = await redeem(http, cast.anna_token)
    socket, plan = await started(http, anna)
    await socket.send_json({"type": "samples", "phase": "devices", "kind": "final", "data": DEVICES, "final": True})
    await until_kept(server.store, plan["test"], "devices")
    with away(monkeypatch):
        for method, path, body in (
            ("POST", "/api/v1/links/redeem", {"organisation": "sunnaas", "token": cast.per_token}),
            ("POST", "/api/v1/organisations/sunnaas/try", {}),
            ("GET", f"/api/v1/sessions/{anna}", None),
            ("GET", f"/api/v1/boards/{anna}", None),
            ("GET", "/o/sunnaas/t", None),
        ):
            async with http.request(method, path, json=body) as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), path
                assert (await answer.json())["error"]["code"] == "store.unavailable"
        async with http.get("/healthz") as answer:
            assert answer.status == 200
        async with http.get("/readyz") as answer:
            found = await answer.json()
            assert (answer.status, found["parts"]["database"], found["live_tests"]) == (503, False, 1)
        await socket.send_json(FINISH)
        messages, _ = await ended(socket)
        assert (messages[-1]["code"], messages[-1]["retry_after_s"]) == ("store.unavailable", 5)
    socket, again = await started(http, anna, resume=plan["test"])
    assert (again["test"], again["done"]) == (plan["test"], ["devices"])
    await socket.send_json(FINISH)
    report = (await next_of(socket, "report"))["report"]
    assert report["cause"] is None
    await socket.close()
    assert (await server.store.latest_report(CLOCK, cast.anna.id)).id == report["id"]
