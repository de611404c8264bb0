"""The real PortAudio in a room made of PipeWire's graph, and a real network camera: healthy, faulty, in use, hung."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from probes.hardware.view import measure_view
from readiness.room import children
from readiness.room.check import WHOLE_S, RoomPlan, check_room
from readiness.room.children import ask
from reports.rooms import findings
from tests.patience import PATIENCE_S
from tests.room.soft_room import SoftRoom, missing
from tests.room.test_check import MACHINE

ROOT = Path(__file__).resolve().parents[2]
CAMERA = Path(__file__).with_name("rtsp_camera.py")
BUSY = {"device_busy", "hung"}
"""What a machine that is too busy may say of a healthy room, and then says nothing else."""

pytestmark = [pytest.mark.quiet, pytest.mark.slow]


def room_command(room: SoftRoom, *arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, **room.env, "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    command = [
        sys.executable,
        "-m",
        "readiness",
        "room",
        arguments[0],
        "--state",
        str(room.dir / "state"),
        *arguments[1:],
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)


def checked(room: SoftRoom) -> dict:
    devices = (
        "--microphone",
        "room",
        "--loudspeaker",
        "room",
        "--host-api",
        "ALSA",
        "--channels",
        "4",
        "--reference",
        "1",
    )
    done = room_command(room, "check", "--json", "--only", "sound", *devices)
    assert done.returncode in {0, 1, 2, 3}, done.stdout + done.stderr
    return {**json.loads(done.stdout), "status": done.returncode}


def until_measured(room: SoftRoom) -> dict:
    """A check; up to three, where the machine was too busy to play and record."""
    for _ in range(3):
        found = checked(room)
        if not {check["cause"] for check in found["checks"]} & BUSY:
            return found
    pytest.fail(f"the machine was too busy three times: {found['findings']}")


def a_healthy_room() -> None:
    """In use by nobody once the graph's own stream is ignored; everything heard, the graph's delays to 0.2 ms."""
    with SoftRoom() as room:
        room.hiss()
        assert room_command(room, "check", "--json").returncode == 4, "the air itself records"
        assert room_command(room, "in-use", "--ignore").returncode == 0
        found = until_measured(room)
        assert (found["verdict"], found["status"]) == ("ready", 0), found["findings"]
        delay = next(check for check in found["checks"] if check["id"] == "room.delay")
        assert delay["value"] == pytest.approx(7.5, abs=0.2)
        meeting = room.record()
        room.until(lambda: room_command(room, "in-use").returncode == 4)
        assert room_command(room, "check", "--json").returncode == 4
        meeting.terminate()


def a_muted_loudspeaker() -> None:
    with SoftRoom() as room:
        room.hiss()
        room_command(room, "in-use", "--ignore")
        room.mute("spk")
        found = until_measured(room)
        assert (found["status"], [one["code"] for one in found["findings"]][:1]) in [
            (2, ["room.speaker_muted"]), (2, ["room.unheard"]), (2, ["room.not_played"]),
        ]  # fmt: skip


def a_deaf_microphone() -> None:
    with SoftRoom() as room:
        room.hiss()
        room_command(room, "in-use", "--ignore")
        for loudspeaker in (1, 2):
            room.gain(1, loudspeaker, 0.0)
        found = until_measured(room)
        assert (found["status"], [one["code"] for one in found["findings"]]) == (2, ["room.one_deaf"])


def test_the_real_portaudio_in_three_rooms_at_once():
    """One healthy, one muted, one with a deaf microphone."""
    assert missing() == [], ".ci/install-system brings these"
    rooms = (a_healthy_room, a_muted_loudspeaker, a_deaf_microphone)
    with ThreadPoolExecutor(len(rooms)) as side_by_side:
        for done in [side_by_side.submit(room) for room in rooms]:
            done.result()


@pytest.fixture
def network_camera():
    child = subprocess.Popen(["/usr/bin/python3", CAMERA, "smpte", "1280", "720", "25"], stdout=subprocess.PIPE)
    assert select.select([child.stdout], [], [], PATIENCE_S)[0]
    port = int(child.stdout.readline())
    yield child, f"rtsp://127.0.0.1:{port}/cam"
    child.send_signal(signal.SIGCONT)
    child.kill()
    child.wait(PATIENCE_S)
    child.stdout.close()


def test_a_network_camera_that_freezes_costs_its_own_finding(network_camera, tmp_path, monkeypatch):
    """Its pictures are looked at; stopped in the middle, it is ended and named, and the machine is looked at."""
    camera, address = network_camera
    seen = ask("picture", {"source": address})
    assert (seen["status"], seen["height_px"]) == ("present", 720)
    camera.send_signal(signal.SIGSTOP)
    monkeypatch.setitem(children.DEADLINES_S, "picture", 5.0)

    def asking(probe, request, **limits):
        return ask(probe, request, **limits) if probe == "picture" else MACHINE

    judgement = check_room(RoomPlan(camera=address, parts=("picture", "machine")), tmp_path, ask_probe=asking)
    outcomes = {check.id: (check.outcome, check.cause) for check in judgement.checks}
    assert outcomes["machine.load"][0] == "pass"
    assert [one.code for one in findings(judgement)] in (["cause.hung"], ["room.camera_missing"])
    camera.send_signal(signal.SIGCONT)
    monkeypatch.setattr(children, "DEADLINES_S", {**children.DEADLINES_S, "picture": 60.0})
    assert measure_view({"source": address})["status"] == "present"


def test_where_everything_hangs_the_check_ends_within_two_minutes(tmp_path):
    """By the check's own clock: each probe gets what is left, and what there is no time for is named."""
    now = [0.0]

    def hangs(probe, _request, *, deadline_s=None):
        now[0] += (children.DEADLINES_S[probe] if deadline_s is None else deadline_s) + children.FAREWELL_S
        return {"error": "hung"}

    from readiness.room.check import LinePlan

    plan = RoomPlan(line=LinePlan("https://server.example", "key", hosts=("a",)))
    judgement = check_room(plan, tmp_path, ask_probe=hangs, steady_s=lambda: now[0])
    assert now[0] <= WHOLE_S <= 120
    assert {check.cause for check in judgement.checks if check.outcome == "not_measured"} >= {"hung", "no_time"}
    assert judgement.verdict == "incomplete"
