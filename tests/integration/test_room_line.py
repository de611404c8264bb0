"""A room's PC tests its line as a browser would: same socket, same plan, judged by the line's needs only."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp
import pytest

from readiness.access.rooms import give_code
from readiness.room.line import measure_line
from tests.cast import SUNNAAS, supporter
from tests.fleet import AGENT, RITA, result, room, room_check

pytestmark = pytest.mark.timeout(300)


async def test_a_room_tests_its_line_with_its_key_alone(server):
    """Opened by the key and taken by the agent's own code; its checks are a part of the room's own check."""
    store, now = server.store, server.services.now()
    await store.ensure_organisation(SUNNAAS)
    await store.add_room(RITA, room())
    code = await give_code(store, server.services.contacts, RITA, room().id, now)
    async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        body = {"code": code, "agent": AGENT, "system": "linux"}
        async with http.post("/api/rooms/enrol", json=body) as answer:
            key = {"Authorization": f"Bearer {(await answer.json())['key']}"}
        told = {"server": server.base, "key": key["Authorization"].removeprefix("Bearer ")}
        found = await asyncio.to_thread(measure_line, told)
        measured = {one["id"]: one for one in found["checks"]}
        assert {name.partition(".")[0] for name in measured} == {"network"}
        assert measured["network.path"]["outcome"] == "pass"
        assert measured["network.rtt"]["value"] is not None
        check = room_check()
        check["checks"] += found["checks"]
        async with http.post("/api/rooms/results", json=result(datetime.now(UTC), check=check), headers=key) as answer:
            assert answer.status == 201, await answer.text()
    assert await store.newest_reports(supporter("sunnaas"), 20) == [], "no caller's report"
