"""The interface of a room's agent: enrolment, settings, results once, keys, and what it can't get at."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from readiness.access.rooms import give_code
from readiness.server.services import ROOM_OPENINGS_BURST, ROOM_RESULTS_BURST
from reports.store import Meeting, NewMeeting
from reports.store.records import new_id
from tests.actors import otto
from tests.cast import SUNNAAS
from tests.fleet import AGENT, BROKEN, RITA, result, room, room_check


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def fjorden(server):
    """A room that nobody has enrolled."""
    await server.store.ensure_organisation(SUNNAAS)
    await server.store.add_room(RITA, room(contact=b"sealed"))
    return room().id


async def enrolled(server, http, room_id: str) -> str:
    """Enrol as the agent does and return the key."""
    code = await give_code(server.store, server.services.contacts, RITA, room_id, server.services.now())
    status, told = await ask(http, "POST", "enrol", {"code": code.lower(), "agent": AGENT, "system": "linux"})
    assert status == 201, told
    return told["key"]


async def ask(http, method: str, path: str, body=None, key: str = "", raw: bytes | None = None):
    """Return status and what was answered."""
    headers = bearer(key) if key else {}
    if raw is not None:
        headers["Content-Type"] = "application/json"
    async with http.request(method, f"/api/rooms/{path}", json=body, data=raw, headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text else None


async def kinds(server, room_id: str) -> list[str]:
    """The room's events, the oldest first; their numbers have no gap."""
    events = await server.store.room_events(RITA, room_id)
    assert [one.sequence for one in events] == list(range(len(events), 0, -1))
    return [one.kind for one in reversed(events)]


async def test_a_code_enrols_once_and_the_key_reads_settings(server, http, fjorden):
    """A code is good once, for a day, forgiving to read; the answer to any other is one."""
    code = await give_code(server.store, server.services.contacts, RITA, fjorden, server.services.now())
    body = {"code": f" {code.lower().replace('-', ' ')}", "agent": AGENT, "system": "linux"}
    tried = await asyncio.gather(*(ask(http, "POST", "enrol", body) for _ in range(4)))
    assert sorted(status for status, _ in tried) == [201, 404, 404, 404]
    (told,) = [told for status, told in tried if status == 201]
    assert told["room"] == {"id": fjorden, "name": "Fjorden", "building": "B", "organisation": "Sunnaas"}
    status, again = await ask(http, "GET", "settings", key=told["key"])
    assert status == 200
    assert again["settings"]["cron"] == "0 6 * * 1-5"
    assert "key" not in again
    late = await give_code(
        server.store, server.services.contacts, RITA, fjorden, datetime.now(UTC) - timedelta(hours=25)
    )
    assert (await ask(http, "POST", "enrol", body | {"code": late}))[0] == 404
    for changed in ({"system": "beos"}, {"agent": "canary-pc"}, {"code": ""}, {"host": "canary"}):
        assert (await ask(http, "POST", "enrol", body | changed))[0] == 400
    assert await kinds(server, fjorden) == ["enrolled"]


async def test_only_news_of_a_room_wakes_whoever_tells(server, http, fjorden):
    """Not a check that is as before, and never the messages about meetings; a failure does, and so does its end."""
    key, store = await enrolled(server, http, fjorden), server.store
    for minutes, changed, is_news in ((50, {}, False), (40, BROKEN, True), (30, {}, True), (20, {}, False)):
        store.noticed, store.queued = asyncio.Event(), asyncio.Event()  # which nobody but this test listens to
        body = result(datetime.now(UTC) - timedelta(minutes=minutes), check=room_check(**changed))
        assert (await ask(http, "POST", "results", body, key))[0] == 201
        assert (store.noticed.is_set(), store.queued.is_set()) == (is_news, False), minutes
    assert await kinds(server, fjorden) == ["enrolled", "fail", "recovery"]


async def test_a_key_that_was_stolen_fills_no_disk(server, http, fjorden):
    """What a week of silence may have left is taken at once; after that one a minute, and few tests of the line."""
    key = await enrolled(server, http, fjorden)
    for _ in range(ROOM_RESULTS_BURST - 2):
        server.services.room_results.take_of(fjorden)
    statuses = [(await ask(http, "POST", "results", result(datetime.now(UTC)), key=key))[0] for _ in range(4)]
    assert statuses == [201, 201, 429, 429]
    opened = [(await ask(http, "POST", "line", {}, key=key))[0] for _ in range(ROOM_OPENINGS_BURST + 2)]
    assert opened.count(429) == 2
    assert (await ask(http, "POST", "keys", {}, key=key))[0] == 429
    assert (await ask(http, "GET", "settings", key=key))[0] == 200


async def test_codes_can_not_be_guessed(server, http, fjorden):
    """Wrong codes are counted by address before the look-up."""
    body = {"code": "AAAA-AAAA", "agent": AGENT, "system": "linux"}
    statuses = [(await ask(http, "POST", "enrol", body))[0] for _ in range(22)]
    assert statuses[0] == 404
    assert statuses[-1] == 429


async def test_a_result_arrives_once_and_twice_in_a_row_is_an_alarm(server, http, fjorden):
    """The same again is 200, another body under its id 409; failure, alarm and recovery are numbered events."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC)
    first = result(now - timedelta(minutes=30))
    assert (await ask(http, "POST", "results", first, key))[0] == 201
    again = first | {"sent_at": "2026-01-01T00:00:00Z", "monotonic_age_s": None, "dropped": {"pass": 3, "other": 0}}
    assert (await ask(http, "POST", "results", again, key))[0] == 200
    assert (await ask(http, "POST", "results", first | {"reason": "hand"}, key))[0] == 409
    broken = room_check(**BROKEN)
    for minutes, wanted in ((20, "fail"), (10, "alarm"), (5, None)):
        body = result(now - timedelta(minutes=minutes), check=broken)
        assert (await ask(http, "POST", "results", body, key))[0] == 201
        assert wanted is None or (await kinds(server, fjorden))[-1] == wanted
    stored = await server.store.room(RITA, fjorden)
    assert (stored.state, stored.alarm_at is not None) == ("not_ready", True)
    late = result(now - timedelta(minutes=40))
    assert (await ask(http, "POST", "results", late, key))[0] == 201, "older than what is known: history only"
    assert (await server.store.room(RITA, fjorden)).state == "not_ready"
    assert (await ask(http, "POST", "results", result(now), key))[0] == 201
    assert await kinds(server, fjorden) == ["enrolled", "fail", "alarm", "recovery"]
    assert (await server.store.room(RITA, fjorden)).alarm_at is None
    assert len(await server.store.room_results(RITA, fjorden, now - timedelta(days=1))) == 6
    newest = await server.store.newest_room_results(RITA)
    assert newest[fjorden].verdict == "ready"


async def test_what_is_known_alarms_nobody_until_its_time(server, http, fjorden):
    """The alarm is an event still, marked as known, and no mail goes out; a result does not undo it."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC)
    until = now + timedelta(days=2)
    await server.store.set_known(RITA, fjorden, until, now)
    for minutes in (20, 10):
        await ask(http, "POST", "results", result(now - timedelta(minutes=minutes), check=room_check(**BROKEN)), key)
    await ask(http, "POST", "results", result(now), key)
    assert (await server.store.room(RITA, fjorden)).known_until == until
    events = await server.store.room_events(RITA, fjorden)
    assert {one.kind: one.is_known for one in events}["alarm"] is True
    assert await server.store.claim_room_notices(now + timedelta(hours=1), 10, 1.0) == []
    await server.store.set_known(RITA, fjorden, None, now)
    assert (await kinds(server, fjorden))[-1] == "known_over"


async def test_a_room_in_use_says_so(server, http, fjorden):
    """It is no result, neither good nor bad, and counts as heard."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC)
    body = result(now) | {"check": None, "not_checked": "in_use", "in_use_since": "2026-01-01T00:00:00Z"}
    assert (await ask(http, "POST", "results", body, key))[0] == 201
    assert (await server.store.room(RITA, fjorden)).state == "in_use"
    assert (await ask(http, "POST", "results", result(now) | {"not_checked": "in_use"}, key))[0] == 400
    assert (await ask(http, "POST", "results", body | {"id": "x" * 20, "not_checked": None}, key))[0] == 400


async def test_what_is_wrong_is_named_and_too_much_is_refused(server, http, fjorden):
    """400 with the place, 413 over 64 kB; nothing of it is stored."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC)
    check = room_check()
    check["checks"][0]["value"] = "Canary Speak"
    status, told = await ask(http, "POST", "results", result(now, check=check), key)
    assert (status, told["error"]["field"]) == (400, "check.checks.0.value")
    for name, value in (("sent_at", "today"), ("id", "1"), ("reason", "why not"), ("monotonic_age_s", -1), ("x", 1)):
        status, told = await ask(http, "POST", "results", result(now) | {name: value}, key)
        assert status == 400, name
    assert (await ask(http, "POST", "results", key=key, raw=b'{"id": "' + b"x" * 70_000 + b'"}'))[0] == 413
    assert (await ask(http, "POST", "results", key=key, raw=b"[1]"))[0] == 400
    assert await server.store.room_results(RITA, fjorden, now - timedelta(days=1)) == []


async def test_keys_overlap_until_the_new_one_is_used(server, http, fjorden):
    """A rotation that was cut off loses nothing; a revoked key opens nothing at the next request."""
    old = await enrolled(server, http, fjorden)
    lost = (await ask(http, "POST", "keys", key=old))[1]["key"]
    new = (await ask(http, "POST", "keys", key=old))[1]["key"]
    assert (await ask(http, "GET", "settings", key=old))[0] == 200
    assert (await ask(http, "GET", "settings", key=lost))[0] == 401
    assert (await ask(http, "GET", "settings", key=new))[0] == 200
    assert (await ask(http, "GET", "settings", key=old))[0] == 401
    assert await server.store.revoke_room(RITA, fjorden, server.services.now()) == 1
    status, told = await ask(http, "GET", "settings", key=new)
    assert (status, told["error"]["code"]) == (401, "room_key_revoked")
    another = await enrolled(server, http, fjorden)
    assert (await ask(http, "DELETE", "enrolment", key=another))[0] == 204
    assert (await ask(http, "POST", "results", result(datetime.now(UTC)), another))[0] == 401
    assert await kinds(server, fjorden) == ["enrolled", "revoked", "enrolled", "revoked"]


async def test_an_old_key_ends_a_day_after_the_new_one_was_made(server, http, fjorden):
    """Whether or not the new one was ever used."""
    old = await enrolled(server, http, fjorden)
    assert (await ask(http, "POST", "keys", key=old))[0] == 201
    server.services.now = lambda: datetime.now(UTC) + timedelta(hours=25)
    assert (await ask(http, "GET", "settings", key=old))[0] == 401


async def test_a_stolen_key_reads_nothing_of_another_room(server, http, fjorden):
    """AUT-3: not its results, not its id, and no other interface takes it."""
    await server.store.add_room(RITA, room("Viken"))
    mine, theirs = await enrolled(server, http, fjorden), await enrolled(server, http, "room-Viken")
    body = result(datetime.now(UTC))
    assert (await ask(http, "POST", "results", body, theirs))[0] == 201
    assert (await ask(http, "POST", "results", body, mine))[0] == 409
    for path in ("/api/v1/meetings", "/api/v1/rooms", "/api/v1/rooms/metrics"):
        async with http.get(path, headers=bearer(mine)) as answer:
            assert answer.status in {401, 404}, path


async def test_two_agents_with_one_key_are_noticed(server, http, fjorden):
    """Two boots in turns are two PCs; a restart is none."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC)
    for minutes, boot in ((30, "boot-one-1"), (20, "boot-two-2")):
        await ask(http, "POST", "results", result(now - timedelta(minutes=minutes), boot_id=boot), key)
    assert "two_agents" not in await kinds(server, fjorden)
    await ask(http, "POST", "results", result(now, boot_id="boot-one-1"), key)
    assert (await kinds(server, fjorden))[-1] == "two_agents"


async def test_meetings_are_told_as_times_only_and_a_wanted_check_is(server, http, fjorden):
    """The next two days, of this room; the wish is over with the next result."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC).replace(microsecond=0)
    meeting = Meeting(
        new_id(), "sunnaas", "Canary", now + timedelta(hours=3), now + timedelta(hours=4), "consultation", (), 1
    )
    await server.store.add_meetings(otto("sunnaas"), [NewMeeting(meeting)])
    await server.store.set_meeting_rooms(otto("sunnaas"), meeting.id, [fjorden])
    wish = await server.store.want_check(RITA, fjorden)
    ended = Meeting(
        new_id(), "sunnaas", "", now - timedelta(hours=1), now - timedelta(minutes=5), "consultation", (), 1
    )
    await server.store.add_meetings(otto("sunnaas"), [NewMeeting(ended)])
    await server.store.set_meeting_rooms(otto("sunnaas"), ended.id, [fjorden])
    _, told = await ask(http, "GET", "settings", key=key)
    assert [list(one) for one in told["meetings"]] == [["starts_at", "ends_at"]] * 2, "and who is still there"
    assert told["check_wanted"] == wish
    assert "Canary" not in json.dumps(told)
    await ask(http, "POST", "results", result(now, reason="asked"), key)
    assert (await ask(http, "GET", "settings", key=key))[1]["check_wanted"] is None


async def test_silence_is_told_once_and_ends_with_the_next_result(server, http, fjorden):
    """Unknown since the last result; heard again is an event."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC)
    await ask(http, "POST", "results", result(now), key)
    later = now + timedelta(days=5)
    assert await server.store.rooms_silent(later, lambda one: one.heard_at < later) == 1
    assert await server.store.rooms_silent(later, lambda one: one.heard_at < later) == 0
    await ask(http, "POST", "results", result(now + timedelta(seconds=1)), key)
    assert (await kinds(server, fjorden))[-2:] == ["unknown", "heard"]


async def test_results_are_forgotten_after_thirteen_months(server, http, fjorden):
    """With events, codes and closed keys; the room itself stays."""
    key, now = await enrolled(server, http, fjorden), datetime.now(UTC)
    await ask(http, "POST", "results", result(now), key)
    assert (await server.store.purge(now + timedelta(days=390))).room_figures == 0
    assert (await server.store.purge(now + timedelta(days=400))).room_figures == 1
    assert await server.store.room_events(RITA, fjorden) == []
    assert (await ask(http, "GET", "settings", key=key))[0] == 200
