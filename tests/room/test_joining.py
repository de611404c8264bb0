"""Enrolment, the key's store, the spool, and leaving again; against a server made up in this process."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from aiohttp import web

from readiness.room.children import ask
from readiness.room.clocks import boot_id
from readiness.room.command import main
from readiness.room.enrolment import Enrolment, keep_enrolment, read_enrolment
from readiness.room.errors import KeyLostError
from readiness.room.install import install
from readiness.room.lock import held
from readiness.room.service import server_address
from readiness.room.spool import Spool, uuid7
from tests.room.simulated import SETTINGS

FAKES = Path(__file__).parent / "fakes"
ENROLMENT = Enrolment("https://server.example", {"id": "r1", "name": "Fjord"}, "the-secret", "file", 1.0, SETTINGS)
NO_KEYRING = {"keyring": {"error": "no_keyring"}, "in_use": {"users": [], "asked": ["files"]}}


def answering(**answers):
    return lambda probe, _request, **_: {**NO_KEYRING, **answers}[probe]


# ---- the key


def test_the_key_is_in_a_file_of_the_accounts_own(tmp_path):
    """Nobody else reads it, and what is told is where it is."""
    kept = keep_enrolment(tmp_path, ENROLMENT, ask_probe=answering())
    assert kept.key_store == "file"
    path = tmp_path / "enrolment.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_enrolment(tmp_path, ask_probe=answering()) == kept


@pytest.mark.parametrize(
    ("mode", "store"),
    [("works", "keyring"), ("locked", "file"), ("forgets", "file"), ("plain", "file"), ("hangs", "file")],
)
def test_the_key_is_in_the_keyring_where_that_works(tmp_path, monkeypatch, mode, store):
    """A real child process with a keyring that works, is locked, forgets, writes plain text, or asks for ever."""
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
    monkeypatch.setenv("FAKE_KEYRING", f"{mode} {tmp_path / 'ring'}")

    def asking(probe, request):
        return ask(probe, request, **({"deadline_s": 2.0} if mode == "hangs" else {}))

    kept = keep_enrolment(tmp_path, ENROLMENT, ask_probe=asking)
    assert kept.key_store == store
    assert ("the-secret" in (tmp_path / "enrolment.json").read_text()) == (store == "file")
    assert read_enrolment(tmp_path, ask_probe=asking).key == "the-secret"
    if store == "keyring":
        monkeypatch.setenv("FAKE_KEYRING", f"locked {tmp_path / 'ring'}")
        with pytest.raises(KeyLostError, match="locked"):
            read_enrolment(tmp_path, ask_probe=asking)


def test_systemd_may_hand_out_the_key(tmp_path, monkeypatch):
    keep_enrolment(tmp_path, ENROLMENT, ask_probe=answering())
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "readiness-room-key").write_text("from-systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    found = read_enrolment(tmp_path, ask_probe=answering())
    assert (found.key, found.key_store) == ("from-systemd", "credential")


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"server": 1}'])
def test_a_damaged_enrolment_says_what_to_do(tmp_path, content):
    (tmp_path / "enrolment.json").write_text(content)
    with pytest.raises(KeyLostError, match="enrol this room again"):
        read_enrolment(tmp_path, ask_probe=answering())


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("https://ready.hospital.example/", "https://ready.hospital.example"),
        ("ready.hospital.example:8443", "https://ready.hospital.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_an_address_is_read_as_people_type_it(typed, address):
    assert server_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    [
        "http://ready.hospital.example",
        "ftp://x",
        "https://",
        "https://a:b@c",
        "https://x/rooms",
        "https://x:port",
        "https://x?y",
    ],
)
def test_a_key_goes_nowhere_it_should_not(typed):
    with pytest.raises(ValueError, match=r"address|encrypted|path|port"):
        server_address(typed)


# ---- at a server


@pytest.fixture
def far():
    """A server as the protocol has it: enrolment, settings, results, leaving. In a thread: commands have own loops."""
    import asyncio
    import threading

    known: dict = {"results": [], "calls": [], "code": "ABCD-EFGH", "status": 201}

    def authorised(request):
        known["calls"].append((request.method, request.path, request.headers.get("Authorization")))
        return request.headers.get("Authorization") == "Bearer the-secret" and not known.get("revoked")

    async def enrol(request):
        body = await request.json()
        known["enrolled"] = body
        if body["code"] != known["code"]:
            return web.json_response({"error": {"code": "room.code", "message": ""}}, status=404)
        return web.json_response(
            {"key": "the-secret", "room": {"id": "r1", "name": "Fjord"}, "settings": SETTINGS}, status=201
        )

    async def settings(request):
        if not authorised(request):
            return web.json_response({"error": "room_key_revoked"}, status=401)
        return web.json_response({"settings": SETTINGS, "room": {"id": "r1"}, "meetings": [], "check_wanted": None,
                                  "server_time": "2026-11-30T12:00:00Z"})  # fmt: skip

    async def results(request):
        if not authorised(request):
            return web.json_response({"error": "room_key_revoked"}, status=401)
        known["results"].append(await request.json())
        return web.json_response({}, status=known["status"])

    async def leave(request):
        return web.Response(status=204 if authorised(request) else 401)

    app = web.Application()
    app.add_routes([web.post("/api/rooms/enrol", enrol), web.get("/api/rooms/settings", settings),
                    web.post("/api/rooms/results", results), web.delete("/api/rooms/enrolment", leave)])  # fmt: skip
    started = threading.Event()
    loop = asyncio.new_event_loop()

    def serve():
        asyncio.set_event_loop(loop)
        runner = web.AppRunner(app)
        loop.run_until_complete(runner.setup())
        loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        known["base"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert started.wait(45)
    yield known
    loop.call_soon_threadsafe(loop.stop)
    thread.join(45)


def test_a_room_is_enrolled_checked_and_leaves(far, tmp_path, capsys):
    """By hand: the code, one check that arrives at the server, the status, and nothing left afterwards."""
    from tests.room.test_check import answering as healthy

    probes = healthy(
        keyring={"error": "no_keyring"}, line={"error": "unreachable"},
        in_use={"users": [{"kind": "microphone", "program": "recorder"}], "asked": ["files"]},
    )  # fmt: skip
    state = ("--state", str(tmp_path))
    assert main(["enrol", "WRONG", "--server", far["base"], *state], ask_probe=probes) == 64
    assert "mistyped, used already, or older than a day" in capsys.readouterr().err
    assert (
        main(["enrol", "ABCD-EFGH", "--server", far["base"], "--microphone", "canary", *state], ask_probe=probes) == 0
    )
    said = capsys.readouterr().out
    assert "room Fjord" in said
    assert "a file that only this account reads" in said
    assert "taken for nobody: recorder" in said
    assert "canary" not in json.dumps(far["enrolled"])
    assert main(["enrol", "ABCD-EFGH", "--server", far["base"], *state], ask_probe=probes) == 64
    assert main(["check", "--language", "en", *state], ask_probe=probes) == 3
    (result,) = far["results"]
    assert (result["reason"], result["key_store"], result["check"]["verdict"]) == ("hand", "file", "incomplete")
    assert result["check"]["findings"][0]["code"] == "cause.unreachable"
    assert len(json.dumps(result)) < 64_000
    assert "canary" not in json.dumps(result)
    assert "canary" in json.dumps(probes.asked)
    capsys.readouterr()
    assert main(["status", "--json", *state], ask_probe=probes) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["enrolled"], status["key_store"], status["waiting"]) == (True, "file", 0)
    assert (status["last_check"]["verdict"], status["last_check"]["reason"]) == ("incomplete", "hand")
    assert status["last_contact"]
    assert "the-secret" not in json.dumps(status)
    assert main(["status", *state], ask_probe=probes) == 0
    assert main(["forget", "--all", *state], ask_probe=probes) == 0
    assert ("DELETE", "/api/rooms/enrolment", "Bearer the-secret") in far["calls"]
    assert [path.name for path in tmp_path.rglob("*") if path.suffix == ".json"] == []
    assert main(["status", "--json", *state], ask_probe=probes) == 0


def test_a_check_waits_while_the_server_is_away(far, tmp_path, capsys):
    """It is kept, and said; the next check brings both. A revoked room says so and checks all the same."""
    from tests.room.test_check import answering as healthy

    probes = healthy(**NO_KEYRING, line={"checks": [], "speed": []})
    state = ("--state", str(tmp_path))
    canary = ("--microphone", "canary", "--loudspeaker", "canary", "--camera", "rtsp://canary@camera")
    main(["enrol", "ABCD-EFGH", "--server", far["base"], *canary, *state], ask_probe=probes)
    (tmp_path / "reference.npz").write_bytes(b"canary")
    far["status"] = 503
    capsys.readouterr()
    main(["check", "--language", "en", *state], ask_probe=probes)
    said = capsys.readouterr()
    assert "sends it later" in said.err
    assert "canary" not in said.out + said.err
    with_names = {path.name for path in tmp_path.rglob("*.*") if b"canary" in path.read_bytes()}
    assert with_names == {"room.json", "reference.npz"}, "names and fingerprint stay in these files of this account"
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("room.json", "enrolment.json")} == {0o600}
    assert len(list((tmp_path / "spool").glob("*.json"))) == 1
    far["status"] = 201
    main(["check", "--language", "en", *state], ask_probe=probes)
    assert len({one["id"] for one in far["results"]}) == 2
    assert list((tmp_path / "spool").glob("*-*.json")) == []
    assert "canary" not in json.dumps(far["results"]) + json.dumps(far["enrolled"])
    far["revoked"] = True
    capsys.readouterr()
    assert main(["check", "--language", "en", *state], ask_probe=probes) in {0, 1, 2, 3}
    assert "no longer knows this room's key" in capsys.readouterr().err
    assert main(["run", *state], ask_probe=probes) == 77


def test_nobody_is_disturbed_by_hand_either(tmp_path, capsys):
    """Exit status 4 while a program records, unless it is ignored or the check is made anyway; one check at a time."""
    from tests.room.test_check import answering as healthy

    probes = healthy(in_use={"users": [{"kind": "camera", "program": "meeting"}], "asked": ["files"]})
    state = ("--state", str(tmp_path), "--language", "en")
    assert main(["check", *state], ask_probe=probes) == 4
    assert [probe for probe, _ in probes.asked] == ["in_use"]
    assert "The room is in use" in capsys.readouterr().err
    assert main(["check", "--anyway", *state], ask_probe=probes) == 0
    assert main(["in-use", *state[:2]], ask_probe=probes) == 4
    assert "camera       meeting" in capsys.readouterr().out
    assert main(["in-use", "--ignore", *state[:2]], ask_probe=probes) == 0
    assert "meeting" not in (tmp_path / "ignored.json").read_text()
    assert main(["check", *state], ask_probe=probes) == 0
    with held(tmp_path / "check.lock") as is_ours:
        assert is_ours
        assert main(["check", *state], ask_probe=probes) == 4
    assert "checked right now" in capsys.readouterr().err


def test_run_needs_an_enrolment_and_is_there_once(tmp_path, capsys):
    assert main(["run", "--state", str(tmp_path)], ask_probe=answering()) == 64
    with held(tmp_path / "agent.lock") as is_ours:
        assert is_ours
        assert main(["run", "--state", str(tmp_path)], ask_probe=answering()) == 69
    said = capsys.readouterr().err
    assert "not enrolled" in said
    assert "runs already" in said


# ---- the spool


def result(verdict="ready", at_s=0.0, **more):
    return {"id": uuid7(1e9 + at_s), "check": {"verdict": verdict}, **more}


def test_the_oldest_goes_first_and_a_restart_loses_nothing(tmp_path):
    kept = [result(at_s=number) for number in (3, 1, 2)]
    spool = Spool(tmp_path)
    assert all(spool.add(one) for one in kept)
    again = Spool(tmp_path)
    order = []
    while (oldest := again.oldest()) is not None:
        order.append(oldest)
        again.done(oldest["id"])
    assert order == sorted(kept, key=lambda one: one["id"])
    assert len(Spool(tmp_path)) == 0


def test_of_too_many_the_oldest_passes_go_and_are_counted(tmp_path):
    """Never the newest, and faults last; the count outlives a restart."""
    spool = Spool(tmp_path, most_files=4)
    faults = [result("not_ready", at_s=number) for number in (0, 2)]
    passes = [result(at_s=number) for number in (1, 3, 4, 5)]
    for one in sorted([*faults, *passes], key=lambda one: one["id"]):
        spool.add(one)
    assert {path.stem for path in tmp_path.glob("*-*.json")} == {one["id"] for one in [*faults, *passes[2:]]}
    spool.add(result("not_ready", at_s=6))
    spool.add(result("not_ready", at_s=7))
    spool.add(result("not_ready", at_s=8))
    assert Spool(tmp_path, most_files=4).dropped == {"pass": 4, "other": 1}
    small = Spool(tmp_path / "small", most_bytes=1000)
    for number in range(30):
        small.add(result(at_s=number))
    assert sum(path.stat().st_size for path in (tmp_path / "small").glob("*-*.json")) <= 1000


def test_what_a_power_cut_left_is_cleared(tmp_path):
    """Half a file under its last name can't be; damaged ones are counted as given up, and hold up nothing."""
    import os

    spool = Spool(tmp_path)
    good = result(at_s=5)
    spool.add(good)
    (tmp_path / f"{uuid7(1e9)}.json").write_text('{"id": ')
    leftover = tmp_path / f"{uuid7(1e9)}.json.tmp"
    leftover.write_text("{")
    os.utime(leftover, (1, 1))
    again = Spool(tmp_path)
    assert again.oldest() == good
    assert again.dropped == {"pass": 0, "other": 1}
    assert not leftover.exists()


def test_ids_sort_by_time_and_are_of_version_7():
    import uuid

    ids = [uuid7(1.7e9 + number) for number in range(50)]
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert len({uuid7(1.7e9) for _ in range(1000)}) == 1000


def test_a_boot_has_one_number_that_tells_nothing(tmp_path, monkeypatch):
    import psutil

    linux = tmp_path / "boot_id"
    linux.write_text("0b5c\n")
    one = boot_id(tmp_path, "room-1", linux=linux)
    assert one == boot_id(tmp_path, "room-1", linux=linux) != boot_id(tmp_path, "room-2", linux=linux)
    assert "0b5c" not in one
    elsewhere = tmp_path / "none"
    monkeypatch.setattr(psutil, "boot_time", lambda: 1000.0)
    first = boot_id(tmp_path, "room-1", linux=elsewhere)
    monkeypatch.setattr(psutil, "boot_time", lambda: 1050.0)  # the clock was set
    assert boot_id(tmp_path, "room-1", linux=elsewhere) == first
    monkeypatch.setattr(psutil, "boot_time", lambda: 9000.0)
    assert boot_id(tmp_path, "room-1", linux=elsewhere) != first


# ---- the service's start


def test_the_files_that_systems_are_given(tmp_path, monkeypatch):
    """Read back with each format's own reader; systemd's own check where it is there."""
    import plistlib
    import shutil
    import subprocess
    from configparser import RawConfigParser
    from xml.etree import ElementTree as ET

    odd = tmp_path / "a 100 % room"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    ran: list = []
    told = install("install", odd, state=odd, run=lambda argv: ran.append(list(argv)))
    path = tmp_path / "config" / "systemd" / "user" / "readiness-room.service"
    assert str(path) in told
    parsed = RawConfigParser(strict=False)
    parsed.optionxform = str
    parsed.read_string(path.read_text())
    service = parsed["Service"]
    assert service["ExecStart"].endswith(f'room run --state "{str(odd).replace("%", "%%")}"')
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["WatchdogSec"]) == ("yes", "strict", "120")
    assert "PrivateDevices" not in service
    assert ran == [["systemctl", "--user", "daemon-reload"], ["systemctl", "--user", "enable", "--now", path.name]]
    if shutil.which("systemd-analyze"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--user", str(path)], capture_output=True, text=True, check=False
        )
        assert "readiness-room.service" not in done.stderr, done.stderr
    install("uninstall", odd, state=odd, run=lambda argv: ran.append(list(argv)))
    assert not path.exists()
    assert ran[-1] == ["systemctl", "--user", "disable", "--now", path.name]

    monkeypatch.setattr(sys, "platform", "darwin")
    agent = plistlib.loads(install("install", odd, state=None, only_print=True).encode())
    assert agent["ProgramArguments"][-2:] == ["room", "run"]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("USERNAME", "room & co")
    task = ET.fromstring(install("install", odd, state=odd, only_print=True).partition("?>")[2])
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    found = {one.tag.removeprefix(space): one.text for one in task.iter()}
    assert found["UserId"] == "room & co"
    assert found["Arguments"] == f'-m readiness room run --state "{odd}"'
    assert (found["ExecutionTimeLimit"], found["LogonType"]) == ("PT0S", "InteractiveToken")


def test_a_result_that_cannot_be_read_just_now_is_kept(tmp_path, monkeypatch):
    """Too many open files, or another program's look at it: it is no damaged file."""

    def unreadable(*_, **__):
        raise PermissionError(13, "no")

    spool = Spool(tmp_path)
    name = uuid7()
    spool.add({"id": name, "check": None})
    kept = (tmp_path / f"{name}.json").read_bytes()
    with monkeypatch.context() as patched:
        for how in ("read_bytes", "read_text"):
            patched.setattr(Path, how, unreadable)
        assert spool.oldest() is None
        assert Spool(tmp_path).dropped == {"pass": 0, "other": 0}
    assert (tmp_path / f"{name}.json").read_bytes() == kept
    assert Spool(tmp_path).oldest() == {"id": name, "check": None}
