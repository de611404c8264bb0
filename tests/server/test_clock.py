"""DUR-5: the clock of a running server is set: nobody's test ends of it, and no duration knows of it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from readiness.server import app, owner
from readiness.server.clock import JUMP_S, TimeOfDay
from readiness.server.protocol import schema
from tests.cast import make_cast
from tests.patience import PATIENCE_S
from tests.security.support import next_of, redeem, started

DEVICES = {"camera": {"status": "present"}, "microphone": {"status": "present"}, "browser": {"missing": []}}


JUMPS = [timedelta(hours=1), timedelta(days=1), timedelta(minutes=-10), timedelta(days=-1)]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
async def test_DUR_5_a_clock_that_jumps_ends_nobodys_test(server, http, monkeypatch, caplog, jump):
    """The test goes on, is finished, and took as long as it took; the log says by how much the clock was set."""
    monkeypatch.setattr(owner, "LOOK_S", 0.02)
    caplog.set_level("WARNING", logger="readiness")
    cast = await make_cast(server.store)
    services, ahead = server.services, timedelta()
    services.now = lambda: datetime.now(tz=UTC) + ahead
    clock = TimeOfDay(services.now)
    session = await redeem(http, cast.anna_token)
    socket, plan = await started(http, session)
    ahead = jump
    await app._do_chores(services, clock)
    await a_sign_of_life(server, plan["test"], session)
    await app._do_chores(services, clock)
    assert (await server.store.self_test(plan["test"], session)).state == "running"
    await socket.send_json({"type": "samples", "phase": "devices", "kind": "final", "data": DEVICES, "final": True})
    await socket.send_json({"type": "samples", "phase": "finish", "kind": "final", "data": {}, "final": True})
    report = (await next_of(socket, "report"))["report"]
    assert 0 <= report["duration_s"] < PATIENCE_S
    assert [
        record.__dict__["values"]["seconds"] for record in caplog.records if record.getMessage() == "clock.jumped"
    ] == [pytest.approx(jump.total_seconds(), abs=JUMP_S)]
    await socket.close()


async def a_sign_of_life(server, test: str, session: str) -> None:
    """Wait until the running test has written the time as it is told now."""
    async with asyncio.timeout(PATIENCE_S):
        while abs(server.services.now() - (await server.store.self_test(test, session)).updated_at) > timedelta(
            seconds=JUMP_S
        ):
            await asyncio.sleep(0.02)


def test_DUR_5_a_page_tells_no_time_of_day():
    """Whatever its clock says, ten years off or more: no message has a field for it, and unknown ones are refused."""

    def names(part: object) -> set[str]:
        if isinstance(part, list):
            return {name for one in part for name in names(one)}
        if not isinstance(part, dict):
            return set()
        own = set(part.get("properties", {})) if isinstance(part.get("properties"), dict) else set()
        return own | {name for one in part.values() for name in names(one)}

    found = names(schema())
    assert "t_ms" in found, "moments count from the start of the page's own phase"
    assert not {name for name in found if re.search(r"_at$|(^|_)(date|time|now|epoch|clock)(_|$)", name)}


def test_what_is_a_jump():
    """Sleep, slewing and a leap second are none; each look begins anew."""
    day, passed = datetime(2027, 3, 28, 0, 59, tzinfo=UTC), [0.0]
    now = [day]
    clock = TimeOfDay(lambda: now[0], lambda: passed[0])
    for steps_s, day_s, jumped_s in ((60, 60, 0), (60, 61, 0), (60, 60 + JUMP_S, 0), (60, 3660, 3600), (60, 60, 0),
                                     (60, -540, -600), (86_400, 86_400, 0)):  # fmt: skip
        passed[0] += steps_s
        now[0] += timedelta(seconds=day_s)
        assert clock.jumped_s() == jumped_s
