"""Our own health first: an outage of ours is told as ours, before anybody starts."""

from __future__ import annotations

import asyncio

from tests.cast import make_cast
from tests.patience import PATIENCE_S


async def test_a_part_that_is_away_is_told_before_the_start(server, http):
    """The session says that the service is not ready, and /readyz names the part."""
    cast = await make_cast(server.store)
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": cast.anna_token}) as answer:
        session = (await answer.json())["session"]
    server.services.health.confirmed = {"database": True, "media_port": False}
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        assert (await answer.json())["service_ready"] is False
    server.services.health.confirmed = {"database": True, "media_port": True}
    async with http.get(f"/api/v1/sessions/{session}") as answer:
        assert (await answer.json())["service_ready"] is True


async def test_one_slow_look_turns_nobody_away(server, monkeypatch):
    """A part counts as away only when it was away twice."""
    monkeypatch.setattr("readiness.server.health.SECOND_LOOK_S", 0.01)
    health, looks = server.services.health, [{"media_port": False}, {"media_port": True}, {"media_port": False}]

    async def look(_self):
        return looks.pop(0) if len(looks) > 1 else looks[0]

    monkeypatch.setattr(type(health), "look", look)
    assert await health._look_twice() == {"media_port": True}
    assert await health._look_twice() == {"media_port": False}


async def test_what_is_back_is_seen_within_seconds(server, monkeypatch):
    """While a part is away, the next look comes soon: nobody is sent away for a minute after it is back."""
    for name, value in {"SECOND_LOOK_S": 0.01, "WARM_UP_S": 0.01, "LOOK_EVERY_S": 60.0}.items():
        monkeypatch.setattr(f"readiness.server.health.{name}", value)
    health, looks = server.services.health, [False, False, False, False, True]

    async def look(_self):
        return {"media_workers": looks.pop(0) if len(looks) > 1 else looks[0]}

    monkeypatch.setattr(type(health), "look", look)
    watching = asyncio.create_task(health.watch())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not looks[0] or not health.confirmed.get("media_workers"):
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert health.is_well


async def test_a_draining_server_says_so(server, http):
    """While draining /readyz is 503 and says draining; /healthz stays well."""
    server.services.draining = True
    async with http.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["draining"] is True
    async with http.get("/healthz") as answer:
        assert answer.status == 200
