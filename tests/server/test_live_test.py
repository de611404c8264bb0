"""A live test hands messages to its steps by the table alone: another kind of test needs no change of it."""

from __future__ import annotations

import asyncio
from typing import Self

import pytest

from probes.measurement import Measurement
from readiness.server.admission import Lines
from readiness.server.live_test import LiveTest, WorkerLost
from readiness.server.protocol import BINARY
from readiness.server.steps.running import Setup
from reports import phases
from reports.assembly import Ending, finished_phases, left_out, make_report
from reports.kinds import LINE_BYTES, SELF_TEST, profile_of, questions_of
from reports.profile import load_profile
from reports.readers import read_client
from tests.reports.test_guidance import still
from tests.reports.test_validity import MORNING

ROOM_CHECK = phases.TestKind(
    name="room_check",
    sessions=frozenset({"room"}),
    phases=(
        phases.Phase("room", ("camera.present", "microphone.present"), 20.0, 0, "client", read_client),
        SELF_TEST.phase("connect"),
        SELF_TEST.phase("clock"),
        phases.Phase("picture", SELF_TEST.phase("picture").checks, 30.0, 0, "client", read_client),
    ),
    whole=phases.Course(("room", "picture", "connect", "clock"), frozenset({"connect", "clock"})),
    short=None,
    profile_of=profile_of,
    questions_of=questions_of,
)
"""A kind of test that is not there yet: a room measures its own devices and picture."""


class Worker:
    """Remembers what it is asked, and answers `finish` with what it was given to say."""

    end_cause = None

    def __init__(self, *, error: str = "") -> None:
        self.asked: list[dict] = []
        self._said: asyncio.Queue = asyncio.Queue()
        self._error = error

    async def send(self, message, payload=b"") -> None:
        self.asked.append(dict(message))
        if message["op"] == "finish":
            found = [Measurement("network.rtt", 40.0, "ms"), Measurement("camera.present", "present")]
            rows = [] if self._error else [one.to_json() for one in found]
            told = {"error": self._error} if self._error else {"numbers": {"busy": False}}
            self.say({"op": "measured", "phase": message["phase"], "measurements": rows, **told})

    def say(self, message, payload=b"") -> None:
        self._said.put_nowait((message, payload))

    async def messages(self):
        while (said := await self._said.get()) is not None:
            yield said

    def end(self) -> None:
        self._said.put_nowait(None)


class Page:
    """Drives one live test, and remembers what it was sent and what was kept."""

    def __init__(self, kind: phases.TestKind = SELF_TEST, *, done: dict | None = None, error: str = "") -> None:
        self.sent: list[dict] = []
        self.kept: dict[str, dict] = {}
        self.phones: list[str] = []
        self.worker = Worker(error=error)
        setup = Setup(
            kind=kind, profile=load_profile("consultation"), expected_people=1, worker=self.worker, send=self._send,
            send_bytes=self._send, keep=self._keep, keep_phone=self._keep_phone, digits=[[1, 2, 3]], lines=Lines(1),
            heavy=None,
        )  # type: ignore[arg-type]  # fmt: skip
        self.test = LiveTest(setup, done or {})
        self._following = asyncio.create_task(self.test.follow_worker())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error) -> None:
        await self.test.close()
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    async def says(self, phase: str, kind: str, **data) -> bool:
        return await self.test.on_message({"type": "samples", "phase": phase, "kind": kind, "data": data})

    async def heard(self) -> None:
        """Let the test handle what the worker said."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def _send(self, message) -> None:
        self.sent.append(message)

    async def _keep(self, name, data) -> None:
        self.kept[name] = dict(data)

    async def _keep_phone(self, phone) -> None:
        self.phones.append(phone)


def checks_of(stored: dict) -> dict[str, object]:
    return {one["check"]: one["value"] for one in stored["measurements"]}


async def test_another_kind_of_test_is_a_table():
    """A kind with phases of its own runs, is kept, resumed and reported; what a client measures needs no step."""
    async with Page(ROOM_CHECK) as page:
        assert page.test.phase == "room"
        mine = [Measurement("camera.present", "present"), Measurement("microphone.present", "present")]
        await page.says("room", "final", measurements=[one.to_json() for one in mine])
        assert checks_of(page.kept["room"]) == {"camera.present": "present", "microphone.present": "present"}
        people = Measurement("camera.people", 1, "people")
        await page.test.on_binary(BINARY.STILL, 5, b"jpeg")
        await page.says("picture", "final", measurements=[people.to_json()])
        assert checks_of(page.kept["picture"]) == {"camera.people": 1}
        await page.says("clock", "final")
        assert checks_of(page.kept["clock"]) == {"network.rtt": 40.0}
        await page.says("sound", "final", ended_by="heard")
        assert page.worker.asked == [{"op": "finish", "phase": "clock", "data": {}}]
        kept = page.kept
    assert finished_phases(ROOM_CHECK, kept) == ["room", "picture"]
    assert left_out(ROOM_CHECK, kept) == "connect"
    ending = Ending(
        kind=ROOM_CHECK, report_id="r", code="ABCDEF", started_at=MORNING, now=MORNING, duration_s=30.0,
        client={"kind": "room"}, bytes_up=0, bytes_down=0, software_version="1", cause="disconnected",
    )  # fmt: skip
    report = make_report(kept, load_profile("consultation"), (), ending)
    assert (report.kind, report.verdict.value) == ("room_check", "incomplete")
    found = {check.id: check.value for check in report.checks}
    assert (found["network.rtt"], found["camera.people"]) == (40.0, 1)
    with pytest.raises(ValueError, match="no short check"):
        left_out(ROOM_CHECK, {**kept, "carried": {}})


async def test_messages_find_their_step():
    """Offers by their path, sound by what is finished, the rest by the phase. What is for no step is dropped."""
    async with Page() as page:
        for message in ({"type": "offer", "sdp": "a"}, {"type": "offer", "sdp": "b", "path": "relay-tls"}):
            await page.test.on_message(message)
            assert page.test.phase == ("paths" if "path" in message else "connect")
        page.worker.say({"op": "answer", "sdp": "c"})
        page.worker.say({"op": "rejected", "code": "sdp.no", "path": "relay-tls"})
        page.worker.say({"op": "net", "phase": "uplink", "state": "run", "values": {"run": 1}})
        page.worker.say({"op": "failed", "of": "offer", "error": "ValueError"})
        page.worker.say({"op": "measured", "phase": "clock", "measurements": []})
        await page.heard()
        assert page.sent == [
            {"type": "answer", "sdp": "c"},
            {"type": "phase", "phase": "paths", "state": "failed", "code": "sdp.no", "values": {"path": "relay-tls"}},
            {"type": "phase", "phase": "uplink", "state": "run", "values": {"run": 1}},
        ]
        page.worker.asked.clear()
        await page.test.on_binary(BINARY.SOUND, 1, b"--")
        await page.says("sound", "mark", step="silence_start", t_ms=2)
        await page.says("sound", "final", ended_by="no_microphone")
        await page.test.on_binary(BINARY.SOUND, 3, b"--")
        await page.says("echo", "final", ended_by="not_played")
        await page.test.on_binary(BINARY.SOUND, 4, b"--")
        await page.test.on_binary(BINARY.HEADROOM_UP, 0, bytes(9))
        assert [one["op"] for one in page.worker.asked] == ["pcm", "mark", "ear"]
        assert page.kept["echo"]["skipped"] == {"microphone.echo": "not_asked"}
        assert await page.says("finish", "final")


async def test_tcp_has_what_the_trials_left_of_the_lines_bytes():
    """What is not booked while a trial runs, then the rest; what the worker says of its bytes is not for the page."""
    async with Page() as page:
        trial = {"op": "net", "phase": "downlink", "values": {}}
        for said, left_bytes in (
            (trial | {"state": "run", "used_bytes": LINE_BYTES - 700_000}, 700_000),
            (trial | {"state": "ended", "used_bytes": LINE_BYTES - 500_000}, 500_000),
            (trial | {"state": "ended", "used_bytes": LINE_BYTES - 300_000}, 0),
            (trial | {"state": "ended", "used_bytes": LINE_BYTES + 9}, 0),
        ):
            page.worker.say(said)
            await page.heard()
            await page.says("tcp_up", "start")
            if not left_bytes:  # too few for a trial: it is over at once
                assert page.sent.pop()["state"] == "ended"
            assert page.sent.pop() == {
                "type": "phase", "phase": "tcp_up", "state": "started", "values": {"bytes": left_bytes},
            }  # fmt: skip
            assert "used_bytes" not in page.sent.pop()
        await page.says("tcp_up", "final", bytes_sent=0)
        assert page.kept["tcp_up"]["figures"] == {"tcp_mbps": None, "cause": "data_limit"}


async def test_a_finished_phase_is_not_run_again():
    """A second end of a phase is left, also after a resume; whatever an open page sends, nothing is kept twice."""
    known = phases.FinishedPhase([Measurement("camera.people", 2, "people")]).to_json()
    async with Page(done={"picture": known}) as page:
        await page.says("picture", "died", cause="step_died")
        await page.says("picture", "final", ended_by="heard", capture_ms=[])
        await page.test.on_binary(BINARY.STILL, 5, b"jpeg")
        assert (page.kept, page.worker.asked) == ({}, [])
        await page.says("service", "died", cause="step_died")
        assert page.kept["service"]["measurements"][0]["cause"] == "step_died"


async def test_a_worker_that_could_not_measure_makes_the_step_died():
    """None of the phase's checks has a value, and the test goes on."""
    async with Page(error="ValueError") as page:
        await page.says("downlink", "final", lag_ms=0.1)
        assert {one["cause"] for one in page.kept["downlink"]["measurements"]} == {"step_died"}
        assert set(checks_of(page.kept["downlink"])) == set(SELF_TEST.phase("downlink").checks)


async def test_a_phone_number_is_in_no_phase():
    """Of the number the phase says that it was given."""
    async with Page() as page:
        await page.says("practical", "final", answers={"people": 2, "phone": " +47 99 99 99 99 "})
        assert page.phones == ["+47 99 99 99 99"]
        assert checks_of(page.kept["practical"]) == {"practical.people": 2, "practical.phone": "given"}
        assert set(page.kept["practical"]["skipped"]) == {
            f"practical.{one}" for one in ("private_room", "company", "interpreter", "equipment")
        }


@pytest.mark.parametrize("asked", [(), ("people",)])
async def test_how_many_they_are_is_what_the_person_says(asked):
    """Stills and verdict go by it from then on, the report tells it, whether or not the meeting asks."""
    async with Page() as page:
        await page.test.on_binary(BINARY.STILL, 5, b"jpeg")
        await page.says("picture", "mark", people=2)
        await page.test.on_binary(BINARY.STILL, 6, b"jpeg")
        assert [one["expected_people"] for one in page.worker.asked if one["op"] == "still"] == [1, 2]
        for number in range(3):
            page.worker.say({"op": "still", "numbers": still(number).to_json()})
        await page.heard()
        await page.says("picture", "final", ended_by="next", capture_ms=[], people=2)
        assert page.kept["picture"]["figures"] == {"people": 2}
        await page.says("practical", "final", answers={})
        kept = page.kept
    ending = Ending(
        kind=SELF_TEST, report_id="r", code="ABCDEF", started_at=MORNING, now=MORNING, duration_s=30.0,
        client={"kind": "browser"}, bytes_up=0, bytes_down=0, software_version="1",
    )  # fmt: skip
    found = {check.id: check for check in make_report(kept, load_profile("consultation"), asked, ending).checks}
    assert found["camera.people"].advice == "camera.fewer_people"
    assert found["camera.people"].details["expected_people"] == found["practical.people"].value == 2


async def test_events_are_kept_once_and_a_closed_peer_is_one():
    """Whatever phase they came in."""
    async with Page() as page:
        for _ in range(2):
            await page.says("picture", "event", code="tab_hidden")
        page.worker.say({"op": "peer", "state": "closed", "code": "budget.bytes", "setup_ms": None})
        await page.heard()
        assert page.kept == {"events": {"codes": ["tab_hidden", "limit_reached"]}}


async def test_a_worker_that_ends_ends_the_test():
    """With the cause that its process left."""
    async with Page() as page:
        page.worker.end_cause = "worker_limit"
        page.worker.end()
        with pytest.raises(WorkerLost, match="worker_limit"):
            await page._following
