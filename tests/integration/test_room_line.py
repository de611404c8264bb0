"""A room's PC tests its line as a browser would: same socket, same plan, judged by the line's needs only."""

from __future__ import annotations

from datetime import UTC, datetime

import aiohttp
import pytest

from readiness.access.rooms import give_code
from readiness.client.person import measure_line
from readiness.client.service import Service
from readiness.client.session import SessionSocket
from reports.kinds import ROOM_LINE
from tests.cast import SUNNAAS, supporter
from tests.fleet import AGENT, RITA, result, room, room_check

pytestmark = pytest.mark.timeout(300)


async def test_a_room_tests_its_line_with_its_key_alone(server):
    """Opened by the key, taken by the client's library; its checks are read back as a part of the room's own check."""
    store, now = server.store, server.services.now()
    await store.ensure_organisation(SUNNAAS)
    await store.add_room(RITA, room())
    code = await give_code(store, server.services.contacts, RITA, room().id, now)
    async with aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        body = {"code": code, "agent": AGENT, "system": "linux"}
        async with http.post("/api/rooms/enrol", json=body) as answer:
            key = {"Authorization": f"Bearer {(await answer.json())['key']}"}
        async with http.post("/api/rooms/line", json={}, headers=key) as answer:
            assert answer.status == 201
            line = await answer.json()
        http.cookie_jar.update_cookies({line["cookie"]: line["token"]})
        client = {"kind": "room", "os": "Linux", "form": "computer"}
        socket = SessionSocket(Service(http, server.base), line["self_test"], client=client)
        try:
            plan = await socket.begin()
            assert [one["name"] for one in plan["phases"]] == list(ROOM_LINE.whole.phases)
            await measure_line(socket, plan["probe"]["up_tracks"])
            report = await socket.finish()
        finally:
            await socket.leave()
        assert report["kind"] == "room_line"
        measured = {one["id"]: one for one in report["checks"]}
        assert {name.partition(".")[0] for name in measured} == {"network"}
        assert measured["network.path"]["outcome"] == "pass"
        assert measured["network.rtt"]["value"] is not None
        check = room_check()
        check["checks"] += report["checks"]
        async with http.post("/api/rooms/results", json=result(datetime.now(UTC), check=check), headers=key) as answer:
            assert answer.status == 201, await answer.text()
        async with http.get("/api/rooms/settings", headers={"Cookie": f"{line['cookie']}={line['token']}"}) as answer:
            assert answer.status == 401, "a session of the line is no key"
    assert await store.newest_reports(supporter("sunnaas"), 20) == [], "no caller's report"
