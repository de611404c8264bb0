"""PRV-3 from the outside: what the server forgets by itself, and how it ends tests whose server died."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from readiness.server import app
from readiness.server.ending import end_left_over
from readiness.server.owner import RESUME_WITHIN
from reports.kinds import SELF_TEST
from reports.store.records import SelfTest, new_id
from tests.actors import CLOCK
from tests.cast import SUNNAAS, make_cast, supporter
from tests.patience import PATIENCE_S
from tests.security.support import next_of, redeem, started
from tests.security.test_protocol import devices, samples
from tests.series import made_series


async def tried(http) -> str:
    async with http.post("/api/v1/organisations/sunnaas/try", json={}) as answer:
        return (await answer.json())["session"]


async def finished(http, session: str) -> dict:
    """Run the shortest possible test to its report."""
    socket, _ = await started(http, session)
    await socket.send_json(devices())
    await socket.send_json(samples("finish", "final", {}))
    report = (await next_of(socket, "report"))["report"]
    await socket.close()
    return report


async def test_a_drop_in_report_is_gone_after_a_day(server, http):
    """The report is there for 24 hours, for its session and by its code, and nothing of it is left afterwards."""
    await server.store.ensure_organisation(SUNNAAS)
    session = await tried(http)
    report = await finished(http, session)
    made = datetime.now(tz=UTC)
    await server.store.purge(made + timedelta(hours=23, minutes=59))
    assert (await server.store.report_by_code(supporter(SUNNAAS.id), report["code"])).id == report["id"]
    await server.store.purge(made + timedelta(hours=24, minutes=1))
    assert await server.store.report_by_code(supporter(SUNNAAS.id), report["code"]) is None
    assert await server.store.report_for_session(CLOCK, session) is None
    assert await server.store.self_test(report["id"], session) is None


async def test_the_person_deletes_it_at_once(server, http):
    """Deleting one's own report answers when it is done; a second time there is nothing; nobody else can."""
    cast = await make_cast(server.store)
    anna, per = await redeem(http, cast.anna_token), await redeem(http, cast.per_token)
    await finished(http, anna)
    async with http.delete(f"/api/v1/sessions/{per}/report") as answer:
        assert answer.status == 404
    assert await server.store.report_for_session(CLOCK, anna) is not None
    for status in (200, 404):
        async with http.delete(f"/api/v1/sessions/{anna}/report") as answer:
            assert answer.status == status
    async with http.get(f"/api/v1/sessions/{anna}") as answer:
        assert (await answer.json())["last_report"] is None


async def left_over(server, cast, session: str, updated_at: datetime, **phases) -> SelfTest:
    """A test whose server died: running in the store, with its first phase done, and nobody at it."""
    devices_done = {"measurements": [], "skipped": {}, "figures": {}, "seconds": 1}
    test = SelfTest(
        id=new_id(), session_id=session, organisation_id=cast.meeting.organisation_id, participant_id=cast.anna.id,
        profile="consultation", state="running", started_at=updated_at, updated_at=updated_at,
        client={"kind": "browser"}, phases={"devices": devices_done} | phases,
    )  # fmt: skip
    await server.store.start_self_test(test)
    return test


async def test_a_test_whose_server_died_is_ended_once(server, http):
    """After ten minutes, not before, it becomes incomplete with cause server_died; a second look changes nothing."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    now = datetime.now(tz=UTC)
    test = await left_over(server, cast, session, now)
    assert await end_left_over(server.services, now + RESUME_WITHIN - timedelta(seconds=1)) == 0
    assert await server.store.report_for_session(CLOCK, session) is None
    late = now + RESUME_WITHIN + timedelta(seconds=1)
    server.services.now = lambda: late
    assert sum(await asyncio.gather(*(end_left_over(server.services, late) for _ in range(3)))) == 1
    report = await server.store.report_for_session(CLOCK, session)
    body = report.body
    assert (report.id, body["cause"], body["verdict"], body["complete"]) == (
        test.id,
        "server_died",
        "incomplete",
        False,
    )
    assert body["ended_in"] == "picture"
    assert all(check["outcome"] != "pass" for check in body["checks"])
    ended = await server.store.self_test(test.id, session)
    assert (ended.state, ended.updated_at) == ("incomplete", test.updated_at), "it ended when its page left"
    assert await end_left_over(server.services, late + timedelta(hours=1)) == 0


@pytest.mark.parametrize("is_whole", [True, False])
async def test_series_are_kept_beside_the_report_and_never_in_it(server, http, is_whole):
    """What the network part left is read back from the store alone; a fault in it costs nobody the answer."""
    cast = await make_cast(server.store)
    now = datetime.now(tz=UTC)
    series = made_series(bad=True) if is_whole else made_series() | {"rtt_ms": [["x"]]}
    test = await left_over(server, cast, await redeem(http, cast.anna_token), now, series=series)
    assert await end_left_over(server.services, now + RESUME_WITHIN + timedelta(seconds=1)) == 1
    report = await server.store.latest_report(CLOCK, cast.anna.id)
    assert report.id == test.id
    kept = await server.store.series_of(supporter(SUNNAAS.id), report.id)
    assert kept == (series if is_whole else None)
    assert "series" not in report.body
    assert "delay_up_ms" not in json.dumps(report.body)


async def test_series_survive_a_resumed_test(server, http):
    """Network part done, line lost, page back: the answer of the second attempt still has them; none without clock."""
    await server.store.ensure_organisation(SUNNAAS)
    for phases in (("connect", "clock", "downlink", "uplink"), ("connect",)):
        session = await tried(http)
        socket, plan = await started(http, session)
        await server.store.save_phase(plan["test"], "series", made_series(), datetime.now(tz=UTC), claim=1)
        for phase in phases:
            await server.store.save_phase(
                plan["test"], phase, SELF_TEST.phase(phase).died("step_died").to_json(), datetime.now(tz=UTC), claim=1
            )
        socket, plan = await started(http, session, resume=plan["test"])
        assert ("clock" in plan["done"]) == ("clock" in phases)
        await socket.send_json(devices())
        await socket.send_json(samples("finish", "final", {}))
        report = (await next_of(socket, "report"))["report"]
        await socket.close()
        kept = await server.store.series_of(supporter(SUNNAAS.id), report["id"])
        assert kept == (made_series() if "clock" in phases else None)
        assert "series" not in json.dumps(report)


async def test_a_newer_answer_stands(server, http):
    """Who tested again after a crash is not made incomplete by the left-over test, ten minutes later."""
    cast = await make_cast(server.store)
    session = await redeem(http, cast.anna_token)
    now = datetime.now(tz=UTC)
    test = await left_over(server, cast, session, now - timedelta(minutes=1))
    report = await finished(http, await redeem(http, cast.anna_token))
    await end_left_over(server.services, now + RESUME_WITHIN)
    assert (await server.store.latest_report(CLOCK, cast.anna.id)).id == report["id"]
    assert (await server.store.self_test(test.id, session)).state == "incomplete"


async def test_the_server_does_its_chores_by_itself(server, monkeypatch):
    """Both chores run again and again; one that fails, even by a fault of ours, does not keep the other."""
    from reports.store import StoreUnavailable

    done = []

    async def ended(_services, _now):
        done.append("ended")
        raise (StoreUnavailable("away") if len(done) < 3 else KeyError("a fault"))

    async def purged(_now):
        done.append("purged")

    monkeypatch.setattr(app, "end_left_over", ended)
    monkeypatch.setattr(app, "CHORES_EVERY_S", 0.05)
    monkeypatch.setattr(server.store, "purge", purged)
    chores = asyncio.create_task(app._chores(server.services))
    async with asyncio.timeout(PATIENCE_S):
        while done.count("purged") < 4:
            await asyncio.sleep(0.02)
    chores.cancel()
    await asyncio.gather(chores, return_exceptions=True)
    assert done.count("ended") >= 2
