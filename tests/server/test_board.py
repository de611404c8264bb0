"""The leader's board: what it says of each participant, what it must never say, and how soon it says it."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from probes.measurement import Measurement
from readiness import __version__
from readiness.access.actors import clock_of
from readiness.access.tokens import hash_token
from readiness.server import streams
from readiness.server.ending import keep_report
from reports.assembly import Ending, make_report
from reports.kinds import SELF_TEST
from reports.phases import FinishedPhase
from reports.profile import load_profile
from reports.store.records import SelfTest, Session, new_code, new_id
from tests.actors import add_meeting
from tests.cast import CANARY_LABEL, SUNNAAS, make_cast
from tests.patience import PATIENCE_S

PROFILE = load_profile("consultation")
GOOD = {
    "browser.support": "supported",
    "camera.present": "present",
    "microphone.present": "present",
    "speaker.heard": "digits_right",
    "network.path": "udp",
    "practical.private_room": "yes",
    "microphone.equipment": "bluetooth_headset",
}
FIGURES = {
    "camera.resolution": 720.0, "camera.frame_rate": 30.0, "camera.frozen": 0.0, "camera.light": 117.31,
    "camera.backlight": 0.4, "camera.people": 1.0, "camera.framing": 30.0, "microphone.level": -22.0,
    "microphone.speech": 2.2, "microphone.clipping": 0.0, "microphone.noise": -61.7, "microphone.dropouts": 0.0,
    "microphone.hum": 0.0,
    "microphone.bandwidth": 7400.0, "camera.sharpness": 3.0, "camera.noise": 2.0,
    "camera.cover": 0.0, "camera.flicker": 3.0,
    "microphone.echo": -62.0, "network.rtt": 48.13, "network.rtt_loaded": 3.0, "network.jitter_up": 2.0,
    "network.jitter_down": 2.0, "network.loss_up": 0.0, "network.loss_down": 0.0, "network.throughput_up": 4.0,
    "network.throughput_down": 4.0, "network.setup_time": 300.0,
}  # fmt: skip
CALM = {"server_lag_p99_ms": 1.5, "device_lag_p99_ms": 4.0}
CLEAN = {**CALM, "worst_200ms_pct": 0.0, "events": 0}
DETAILS = {
    "camera.light": {
        "luma_p99": 220.0, "luma_p999": 230.0, "luma_mean": 117.31, "luma_std": 50.0, "luma_p95": 200.0,
        "frame_clipped_pct": 0.0, "luma_range": 190.0, "luma_p1": 10.0, "luma_left": 60.0, "luma_right": 190.0,
    },
    "camera.cover": {"faces": 1},
    "camera.flicker": {"evener_pct": 1.0},
    "camera.backlight": {
        "background_luma": 100.0, "face_luma": 120.0, "face_bright_luma": 150.0, "face_clipped_pct": 0.0,
        "face_red_clipped_pct": 0.0, "frame_clipped_pct": 0.0,
    },
    "camera.people": {"missing_people": 0, "edge_people": 0, "rotation_deg": 0, "places": "30 20 24 32"},
    "camera.resolution": {"width_px": 1280, "height_px": 720},
    "camera.framing": {
        "top_margin": 0.2, "bottom_margin": 1.5, "offset_x_pct": 0.0, "eye_line_pct": 40.0, "expected_people": 1,
        "largest_pct": 30.0,
    },
    "camera.present": {"device_class": "webcam", "width_px": 1280, "height_px": 720},
    "microphone.present": {"device_class": "bluetooth_headset"},
    "microphone.equipment": {"headset": True, "noise_dbfs": -61.7, "snr_db": 38.0},
    "microphone.hum": {"level_dbfs": -90.0},
    "microphone.echo": {"heard": False, "delay_ms": None},
    "microphone.level": {"digital_zero_pct": 0.0, "processed": False, "snr_db": 38.0, "snr_known": True},
    "microphone.noise": {"processed": False},
    "microphone.speech": {
        "silence_speech_s": 0.0, "snr_db": 38.0, "snr_known": True, "floor_dbfs": -62.0, "rise_db": 30.0,
        "listened_s": 8.0, "level_curve": "62" * 15 + "24" * 20 + "60" * 5,
        "speech_curve": "0" * 15 + "1" * 20 + "0" * 5,
    },
    "network.throughput_up": {"limit": "none", "method": "rtp", "connection": "wifi"},
    "network.throughput_down": {"limit": "none", "method": "rtp", "connection": "wifi"},
    "network.loss_up": CLEAN,
    "network.loss_down": CLEAN,
    "network.rtt": CALM,
    "network.rtt_loaded": CALM,
    "network.jitter_up": CALM,
    "network.jitter_down": CALM,
}  # fmt: skip


def phases(**changed: object) -> dict:
    """The phases of a whole good test, apart from `changed` values (dots as two underscores; None: not measured)."""
    values = {**GOOD, **FIGURES} | {name.replace("__", "."): value for name, value in changed.items()}
    measured = [
        Measurement(
            check, value, samples=100, cause=None if value is not None else "step_died", details=DETAILS.get(check, {})
        )
        for check, value in values.items()
    ]
    return {"devices": FinishedPhase(measured).to_json()}


async def session_for(store, cast, person) -> Session:
    session = Session(
        id=new_id(), kind="participant", organisation_id=cast.meeting.organisation_id, invitation_id=None,
        meeting_id=cast.meeting.id, participant_id=person.id, expires_at=datetime.now(tz=UTC) + timedelta(days=1),
    )  # fmt: skip
    await store.add_session(session, hash_token("x"))
    return session


async def reported(server, cast, person, found: dict, *, cause: str | None = None, client: dict | None = None) -> None:
    """Commit a report judged from `found`, as a real test does, on a phone where no other `client` is named."""
    now = server.services.now()
    session = await session_for(server.store, cast, person)
    test = SelfTest(
        id=new_id(), session_id=session.id, organisation_id=session.organisation_id, participant_id=person.id,
        profile="consultation", state="running", started_at=now, updated_at=now,
        client=client or {"kind": "browser", "browser": "Chrome 142", "os": "Android", "form": "phone"}, phases={},
    )  # fmt: skip
    await server.store.start_self_test(test)
    ending = Ending(
        report_id=test.id, code=new_code(), started_at=now, now=now, duration_s=31.5, kind=SELF_TEST,
        client=dict(test.client), bytes_up=123456, bytes_down=654321, cause=cause, software_version=__version__,
    )  # fmt: skip
    await keep_report(
        server.services, clock_of(session.organisation_id), session, test, make_report(found, PROFILE, (), ending)
    )


@pytest.fixture
async def cast(server):
    return await make_cast(server.store)


async def opened(http, token: str) -> str:
    async with http.post("/api/v1/links/redeem", json={"organisation": "sunnaas", "token": token}) as answer:
        return (await answer.json())["session"]


async def board_of(http, session: str) -> dict:
    async with http.get(f"/api/v1/boards/{session}") as answer:
        assert answer.status == 200
        return await answer.json()


async def row_of(http, session: str, person) -> dict:
    return next(row for row in (await board_of(http, session))["participants"] if row["id"] == person.id)


async def test_the_states_of_a_participant(server, http, cast):
    """Not tested, ready, with warnings, not ready, incomplete: always the newest report's; past its validity stale."""
    leader = await opened(http, cast.lars_token)
    assert (await row_of(http, leader, cast.anna))["state"] == "not_tested"
    for state, found in {
        "ready": phases(),
        "ready_with_warnings": phases(network__rtt=200.0),
        "not_ready": phases(camera__present="NotAllowedError"),
        "incomplete": phases(network__rtt=None),
    }.items():
        await reported(server, cast, cast.anna, found)
        row = await row_of(http, leader, cast.anna)
        assert (row["state"], row["verdict"]) == (state, state)
        assert row["running"] is False
    assert (await row_of(http, leader, cast.per))["state"] == "not_tested"


async def test_an_answer_goes_stale(server, http, cast):
    """A ready answer holds as long as its profile says, to the second, and is stale after that, whatever it said."""
    long = replace(
        cast.meeting,
        id=new_id(),
        starts_at=cast.meeting.starts_at + timedelta(days=60),
        ends_at=cast.meeting.ends_at + timedelta(days=60),
    )
    people = [replace(one, id=new_id(), meeting_id=long.id) for one in (cast.anna, cast.per)]
    await add_meeting(server.store, long, people)
    cast = replace(cast, meeting=long, anna=people[0], per=people[1])
    from tests.cast import invite

    token, _ = await invite(server.store, long, None)
    leader = await opened(http, token)
    at = datetime.now(tz=UTC).replace(microsecond=0)
    server.services.now = lambda: at
    await reported(server, cast, cast.anna, phases())
    await reported(server, cast, cast.per, phases(camera__present="NotFoundError"))
    valid = timedelta(days=PROFILE.valid_days)
    for age, states in {valid - timedelta(seconds=1): ("ready", "not_ready"), valid: ("stale", "stale")}.items():
        server.services.now = lambda moment=at + age: moment
        rows = [await row_of(http, leader, one) for one in people]
        assert tuple(row["state"] for row in rows) == states
        assert [row["verdict"] for row in rows] == ["ready", "not_ready"]


async def test_the_board_names_what_to_do_and_who_can(server, http, cast):
    """An area and who is responsible: enough for one sentence."""
    leader = await opened(http, cast.lars_token)
    wanted = [
        (phases(), (None, None)),
        (phases(camera__present="NotAllowedError", network__rtt=200.0), ("camera", "participant")),
        (phases(network__path="tcp-only"), ("network", "local_it")),
        (phases(microphone__present="insecure"), ("page", "service")),
        (phases(network__rtt=200.0), ("network", "participant")),
    ]
    for found, answer in wanted:
        await reported(server, cast, cast.anna, found)
        row = await row_of(http, leader, cast.anna)
        assert (row["area"], row["responsible"]) == answer


async def test_the_board_tells_no_figures_addresses_or_devices(server, http, cast):
    """Neither the JSON nor the event stream holds a check, a figure, a device, a browser or an address."""
    leader = await opened(http, cast.lars_token)
    for person, found in (
        (cast.anna, phases()),
        (cast.per, phases(network__rtt=481.3, camera__present="NotAllowedError")),
    ):
        await reported(server, cast, person, found)
    board = await board_of(http, leader)
    row_names = {
        "id", "label", "role", "state", "running",
        "verdict", "tested_at", "other_device", "without_sound", "area", "responsible",
        "together", "interprets", "invitation",
        "can_resend", "handed_over_at", "taken", "helped", "recheck_due", "device", "practical",
    }  # fmt: skip
    assert set(board) == {"organisation", "meeting", "at", "participants", "day", "unlocked", "you", "pin", "feedback"}
    assert all(set(row) == row_names for row in board["participants"])
    text = json.dumps(board)
    for word in (
        "117.31", "48.13", "481.3", "61.7", "123456", "654321", "31.5", "webcam", "bluetooth", "Chrome", "Android",
        "checks", "value", "network.rtt", "NotAllowedError", "127.0.0.1", "1280", "bytes", "client", "code", "contact",
    ):  # fmt: skip
        assert word not in text, word
    assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}\b", text), "an address"
    numbers = {value for row in board["participants"] for value in row.values() if isinstance(value, int | float)}
    assert numbers <= {True, False}


async def test_only_the_leader_of_the_meeting_sees_it(server, http, cast):
    """A participant's session, one of another meeting and none at all get 404 on the board and its events."""
    anna = await opened(http, cast.anna_token)
    other = await make_cast(server.store)
    odd = await opened(http, other.lars_token)
    for session in (anna, "nothing", odd + "x"):
        for path in (f"/api/v1/boards/{session}", f"/api/v1/boards/{session}/events"):
            async with http.get(path) as answer:
                assert answer.status == 404
    ids = {row["id"] for row in (await board_of(http, odd))["participants"]}
    assert ids == {other.anna.id, other.per.id}
    assert CANARY_LABEL in json.dumps(await board_of(http, odd))


class Events:
    """A reader of server-sent events."""

    def __init__(self, answer) -> None:
        self._answer = answer

    async def next(self, within_s: float = PATIENCE_S) -> tuple[str, dict | None]:
        """Return (event, data) of the next block; a comment is ("comment", None), the end ("end", None)."""
        async with asyncio.timeout(within_s):
            lines = []
            while True:
                line = (await self._answer.content.readline()).decode()
                if not line:
                    return "end", None
                if line == "\n":
                    break
                lines.append(line.rstrip("\n"))
        if lines[0].startswith(":"):
            return "comment", None
        fields = dict(line.split(": ", 1) for line in lines)
        return fields["event"], json.loads(fields["data"])


async def test_the_board_comes_at_once_and_then_with_every_change(server, http, cast):
    """The first event is the board as it is; a committed report is told, with no look in between."""
    leader = await opened(http, cast.lars_token)
    async with http.get(f"/api/v1/boards/{leader}/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        events = Events(answer)
        name, board = await events.next()
        assert name == "board"
        assert board["participants"][0]["state"] == "not_tested"
        await reported(server, cast, cast.anna, phases())
        while board["participants"][0]["state"] != "ready":
            name, board = await events.next()
            assert name == "board"


async def test_what_happens_elsewhere_wakes_nobody(server, http, cast, monkeypatch):
    """Another meeting's report sends no event here; while nothing happens a comment keeps the line open."""
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.3)
    other = await make_cast(server.store)
    leader = await opened(http, cast.lars_token)
    async with http.get(f"/api/v1/boards/{leader}/events") as answer:
        events = Events(answer)
        await events.next()
        await reported(server, other, other.anna, phases())
        assert [(await events.next())[0] for _ in range(3)] == ["comment"] * 3


async def test_LNK_5_a_revoked_leader_link_goes_dark_at_the_next_look(server, http, cast, monkeypatch):
    """The open board says that it is closed and ends; it looks more often than every five seconds."""
    assert streams.EVENT_KEEPALIVE_S < 5
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.5)
    leader = await opened(http, cast.lars_token)
    session = await server.store.session_by_id(leader)
    async with http.get(f"/api/v1/boards/{leader}/events") as answer:
        events = Events(answer)
        await events.next()
        await server.store.revoke_invitation(session.invitation_id, datetime.now(tz=UTC))
        seen = []
        while "end" not in seen:
            seen.append((await events.next())[0])
        assert seen.count("comment") <= 1, "one look may have been under way"
        assert seen[-2:] == ["closed", "end"]
        assert "board" not in seen
    async with http.get(f"/api/v1/boards/{leader}") as answer:
        assert answer.status == 404


async def test_an_expired_session_goes_dark_too(server, http, cast, monkeypatch):
    """When the link's time is over the stream ends without anything having happened."""
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.2)
    leader = await opened(http, cast.lars_token)
    async with http.get(f"/api/v1/boards/{leader}/events") as answer:
        events = Events(answer)
        await events.next()
        later = cast.meeting.ends_at + timedelta(hours=1, seconds=1)
        server.services.now = lambda: later
        seen = [(await events.next())[0] for _ in range(2)]
        assert "closed" in seen


async def test_a_server_that_drains_ends_its_streams(server, http, cast, monkeypatch):
    """A restart does not wait for open boards; the browser comes back by itself."""
    monkeypatch.setattr(streams, "EVENT_KEEPALIVE_S", 0.2)
    leader = await opened(http, cast.lars_token)
    async with http.get(f"/api/v1/boards/{leader}/events") as answer:
        events = Events(answer)
        await events.next()
        server.services.draining = True
        seen = [(await events.next())[0] for _ in range(2)]
        assert seen[-1] == "end"
    server.services.draining = False


async def test_the_organisation_stands_on_the_board(server, http, cast):
    """Whom to call, from the meeting's own organisation."""
    board = await board_of(http, await opened(http, cast.lars_token))
    assert board["organisation"]["support_phone"] == SUNNAAS.support_phone
    assert board["meeting"]["time_zone"] == SUNNAAS.time_zone
