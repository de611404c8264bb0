"""`readiness room`: exit statuses, what is printed, what is kept, and a probe that hangs costs one finding only."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import cv2
import psutil
import pytest

from readiness.cli import main as readiness
from readiness.room import children
from readiness.room.children import ask
from readiness.room.command import main
from readiness.room.history import FILE, History
from readiness.texts import LANGUAGES, catalogue, texts_for_later, texts_for_participants, texts_for_trouble
from reports.model import Outcome, Responsible, Verdict
from reports.rooms import PARTS, room_profile
from tests.patience import PATIENCE_S
from tests.room.rooms import faulty, gains, lively

ROOT = Path(__file__).resolve().parents[2]
FAKES = Path(__file__).parent / "fakes"
OF_AIORTC = {"aioice", "cryptography"}
"""What a room has too, as parts of aiortc."""
MACHINE = {"load_pct": 10.0, "memory_pct": 40.0, "disk_pct": 50.0, "on_battery": None}
LIGHT = {"luma_mean": 120.0, "luma_p95": 220.0, "luma_p99": 240.0, "luma_std": 50.0, "frame_clipped_pct": 1.0}
PICTURE = {
    "status": "present", "width_px": 1280, "height_px": 720, "capture_ms": [33.3 * n for n in range(90)],
    "stills": [{"t_ms": 300.0 * n, "diff_luma": 2.0 if n else None, **LIGHT} for n in range(10)],
}  # fmt: skip


def heard(seed: int = 1, **fault):
    return {"microphone": "present", "speaker": "present", "cause": None, "figures": faulty(seed, **fault).to_json()}


def answering(**answers):
    """What each probe answers; a healthy room but for `answers`. Notes what it was asked."""
    asked: list[tuple[str, dict]] = []

    def answer(probe, request, **_deadline):
        asked.append((probe, dict(request)))
        known = {"sound": answers.get("sound") or heard(), "mixer": {}, "picture": PICTURE, "machine": MACHINE,
                 "in_use": {"users": [], "asked": ["files"]}}  # fmt: skip
        return json.loads(json.dumps({**known, **answers}[probe]))

    answer.asked = asked
    return answer


def run(capsys, folder: Path, *arguments: str, answer=None):
    """Return exit status, standard output and standard error of a check."""
    status = main(["check", "--state", str(folder), "--language", "en", *arguments], ask_probe=answer or answering())
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize(
    ("answers", "status", "verdict", "codes"),
    [
        ({}, 0, "ready", []),
        ({"machine": MACHINE | {"disk_pct": 99.0}}, 1, "ready_with_warnings", ["room.full_disk"]),
        ({"picture": {"status": "not_found"}}, 2, "not_ready", ["room.camera_missing"]),
        ({"picture": {"error": "hung"}}, 3, "incomplete", ["cause.hung"]),
        ({"sound": {"error": "hung"}}, 3, "incomplete", ["cause.hung"]),
        ({"sound": {"error": "step_died"}, "picture": {"error": "step_died"}}, 3, "incomplete", ["cause.step_died"]),
        ({"machine": {"error": "hung"}}, 1, "ready_with_warnings", ["cause.hung"]),
        ({"sound": {"microphone": None, "speaker": None, "cause": "not_installed", "figures": None}},
         3, "incomplete", ["cause.not_installed"]),
        ({"sound": {"microphone": "not_found", "speaker": "present", "cause": None, "figures": None}},
         2, "not_ready", ["room.microphone_missing"]),
        ({"sound": {"microphone": "present", "speaker": "ambiguous", "cause": None, "figures": None}},
         2, "not_ready", ["room.device_ambiguous"]),
        ({"sound": {"microphone": "present", "speaker": "present", "cause": "failed", "figures": None}},
         2, "not_ready", ["room.microphone_failed", "room.speaker_failed"]),
        ({"sound": {"microphone": "present", "speaker": "present", "cause": "in_use", "figures": None}},
         3, "incomplete", ["cause.in_use"]),
        ({"sound": {"microphone": "present", "speaker": "present", "cause": "device_busy", "figures": None}},
         3, "incomplete", ["cause.device_busy"]),
        ({"mixer": {"error": "hung"}}, 0, "ready", []),
    ],
)  # fmt: skip
def test_the_exit_status_is_the_verdict(capsys, tmp_path, answers, status, verdict, codes):
    """0 ready, 1 with warnings, 2 not ready, 3 incomplete, and each thing is said once."""
    found, out, _ = run(capsys, tmp_path, "--json", answer=answering(**answers))
    said = json.loads(out)
    assert (found, said["verdict"]) == (status, verdict)
    assert [one["code"] for one in said["findings"]] == codes
    assert len(said["checks"]) == len(room_profile().checks)
    assert said["schema"] == "readiness.room_check/1"


def test_a_person_reads_what_is_wrong_what_to_do_and_who(capsys, tmp_path):
    """In every language; progress goes beside the answer, so that the answer alone can be piped."""
    mute = answering(sound=heard(gains_db=gains() - 1000), mixer={"speaker_muted": True, "speaker_pct": 40.0})
    status, out, err = run(capsys, tmp_path, answer=mute)
    assert status == 2
    assert out.startswith("The room is not ready.\n\nMust be fixed: The loudspeaker is muted or at zero\n")
    assert "Whoever looks after the room can do this." in out
    assert "Good: Microphone, Loudspeaker, Signal of the microphones" in out
    assert err.count("\n") == 3
    for language in LANGUAGES:
        _, out, _ = run(capsys, tmp_path, "--language", language, answer=mute)
        assert catalogue(language)["advice.room.speaker_muted.do"] in out


def test_only_what_is_asked_for_is_looked_at(capsys, tmp_path):
    """The other probes do not even run, and their checks have no effect."""
    for part in PARTS:
        answer = answering()
        status, out, _ = run(capsys, tmp_path, "--json", "--only", part, answer=answer)
        assert status == 0
        wanted = {"sound": {"mixer", "sound"}, "network": set()}.get(part, {part})
        assert {probe for probe, _ in answer.asked} - {"in_use"} == wanted
        tried = {check["id"] for check in json.loads(out)["checks"] if check["outcome"] != "skipped"}
        assert tried or part == "network", "without a server there is no line to measure"
        assert all(check.startswith(PARTS[part]) for check in tried)


def test_the_mixer_is_asked_of_the_systems_own_device_only(capsys, tmp_path):
    """A device that is named may not be the one whose volume the system tells."""
    named = answering()
    run(capsys, tmp_path, "--only", "sound", "--loudspeaker", "Television", answer=named)
    assert [probe for probe, _ in named.asked] == ["in_use", "sound"]
    assert named.asked[1][1]["speaker"] == "Television"


def test_a_room_learns_what_is_usual_and_forgets_it(capsys, tmp_path):
    """The second check is compared with the first; a turned-down one is not learnt; forgotten, it is new again."""

    def checked(**fault):
        status, out, _ = run(capsys, tmp_path, "--json", "--only", "sound", answer=answering(sound=heard(**fault)))
        return status, [one["code"] for one in json.loads(out)["findings"]]

    assert checked(volume_db=-16.0) == (0, [])
    main(["forget", "--state", str(tmp_path)])
    assert checked() == (0, [])
    for _ in range(2):
        assert checked(volume_db=-16.0) == (1, ["room.turned_down"])
    stored = (tmp_path / "usual.json").read_text()
    assert len(json.loads(stored)["checks"]) == 1
    assert (tmp_path / "usual.json").stat().st_size < 2000
    for _ in range(12):
        checked()
    assert len(json.loads((tmp_path / "usual.json").read_text())["checks"]) == 10
    (tmp_path / "usual.json").write_text(stored[:50])
    assert checked(volume_db=-16.0) == (0, [])


def test_a_room_that_cannot_write_is_checked_all_the_same(capsys, tmp_path):
    """It says that the next check has nothing to compare with."""
    (tmp_path / "file").write_text("")
    status, _, err = run(capsys, tmp_path / "file" / "below")
    assert status == 0
    assert "could not be saved" in err


def test_no_name_and_no_address_is_printed_or_kept(capsys, tmp_path, monkeypatch):
    """A canary in each name: not in the answer, not in the file, not in the progress."""
    monkeypatch.setenv("READINESS_ROOM_CAMERA", "rtsp://canary:canary@camera")
    answer = answering()
    for more in ([], ["--json"]):
        _, out, err = run(capsys, tmp_path, "--microphone", "canary", "--loudspeaker", "canary", *more, answer=answer)
        assert "canary" not in out + err
    assert "canary" not in (tmp_path / "usual.json").read_text()
    assert ("picture", {"source": "rtsp://canary:canary@camera"}) in answer.asked


@pytest.mark.parametrize(
    "wrong",
    [
        ["check", "--only", "smell"], ["check", "--loudest", "3"], ["check", "--loudest", "loud"],
        ["check", "--reference", "0"], ["check", "--channels", "two"], ["paint"],
    ],
)  # fmt: skip
def test_a_wrong_option_is_no_verdict(capsys, wrong):
    """One line that says what is wrong in words, none of them a function's name."""
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 64
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert " _" not in said


def test_what_cannot_be_forgotten_is_said(capsys, tmp_path):
    """The folder is a file: one sentence, and a status that is no success."""
    folder = tmp_path / "file"
    folder.write_text("")
    assert main(["forget", "--state", str(folder)]) == 73
    assert capsys.readouterr().err == f"readiness: {folder} can't be changed: Not a directory\n"


def test_devices_are_listed_by_name(capsys):
    """The default is marked; what cannot be asked is said, and is no success."""
    sound = [{"host_api": "ALSA", "name": "Speakerphone", "inputs": 2, "outputs": 2, "is_default_input": True,
              "is_default_output": False, "index": 0}]  # fmt: skip
    answers = {"sound_devices": sound, "cameras": [{"name": "Webcam"}]}
    assert main(["devices"], ask_probe=lambda probe, _request: answers[probe]) == 0
    assert capsys.readouterr().out == (
        "* microphone   Speakerphone  [ALSA, 2 ch]\n  loudspeaker  Speakerphone  [ALSA, 2 ch]\n  camera       Webcam\n"
    )
    assert main(["devices", "--json"], ask_probe=lambda probe, _request: answers[probe]) == 0
    assert json.loads(capsys.readouterr().out) == {"sound": sound, "cameras": [{"name": "Webcam"}]}
    assert main(["devices"], ask_probe=lambda probe, _request: {"error": "hung"} if probe == "cameras" else sound) == 3
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_name_of_any_letters_is_listed_and_drives_no_terminal(monkeypatch, encoding):
    """Windows writes cp1252 to a file, and a name in another script ended the command; no control is printed."""
    card = {"name": "Mikrofon 音 \u202e\x1b[31m🎤", "inputs": 1, "outputs": 0, "host_api": "ALSA"}
    card |= {"is_default_input": True, "is_default_output": False}
    answers = {"sound_devices": [card], "cameras": [{"name": "one\ntwo"}]}
    written = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", written)
    assert main(["devices"], ask_probe=lambda probe, _request: answers[probe]) == 0
    written.flush()
    said = written.buffer.getvalue().decode(encoding)
    assert re.search(r"Mikrofon (音|\?) \[31m(🎤|\?)  \[ALSA, 1 ch\]", said)
    assert "one two" in said
    assert not {"\x1b", "\u202e"} & set(said)


DAMAGED = [
    '{"devices": "D", "checks": [{"gains_db": {"0": NaN}, "treble_db": {}, "noise_dbfs": {}}]}',
    '{"devices": "D", "checks": [{"gains_db": {"0": 1e999}, "treble_db": {}, "noise_dbfs": {}}]}',
    '{"devices": "D", "checks": [{"gains_db": [], "treble_db": {}, "noise_dbfs": {}}]}',
    '{"devices": "D", "checks": {"a": 1}}',
    "[" * 100_000,
    '"x"',
    "\0",
]


@pytest.mark.parametrize("damaged", DAMAGED, ids=lambda text: text[:60])
def test_a_damaged_file_of_what_is_usual_counts_as_none(tmp_path, damaged):
    """Never a figure against which nothing is worse, and never the end of a check."""
    history = History(tmp_path, ["a", "\udce5 of an old command line"])
    (tmp_path / FILE).write_text(damaged.replace('"D"', json.dumps(history._devices)))
    assert history.usual() is None


def test_room_is_a_command_of_readiness(capsys):
    """It stands in the help, and takes no setting of the server."""
    with pytest.raises(SystemExit):
        readiness(["--help"])
    assert re.search(r"^ +room ", capsys.readouterr().out, re.MULTILINE)
    with pytest.raises(SystemExit) as ended:
        readiness(["room", "check", "--database-url", "sqlite:///x"])
    assert ended.value.code == 64


# ---- words


def test_every_finding_has_words_and_somebody_who_mends_it():
    """In every language, and none of them weighs on the self-test's page."""
    codes = room_profile().advice_codes()
    for language in LANGUAGES:
        texts = catalogue(language)
        wanted = {f"advice.{code}.{part}" for code in codes for part in ("title", "do")}
        wanted |= {f"check.{check}" for check in room_profile().checks}
        wanted |= {f"room.verdict.{verdict.value}" for verdict in Verdict} | {f"room.part.{part}" for part in PARTS}
        wanted |= {f"outcome.{outcome.value}" for outcome in Outcome}
        wanted |= {f"room.who.{who.value}" for who in (Responsible.ROOM_HOST, Responsible.LOCAL_IT)}
        assert sorted(wanted - set(texts)) == []
        for page in (texts_for_participants(language), texts_for_trouble(language), texts_for_later(language)):
            assert [key for key in page if key.startswith(("room.", "advice.room.", "check.room."))] == []
        unasked = {key for key in texts if key.startswith("advice.room.")} - wanted
        assert unasked == set()


# ---- children


def has_ended(number: int) -> bool:
    """Whether a process that was killed is gone, or only waits for its parent to hear of it, within a while."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.01)
                continue
        return True
    return False


def test_a_child_that_hangs_is_ended_with_all_it_started(tmp_path):
    """Asleep for ever with a grandchild, or stopped: each is ended, and the next one answers."""
    note = tmp_path / "grandchild"
    sleeps = ["sh", "-c", f"sleep 3600 & echo $! > {note}; wait"]
    assert ask("machine", {}, deadline_s=1.0, command=sleeps) == {"error": "hung"}
    if note.exists():  # on a machine so busy that the shell never ran there is nothing to end
        assert has_ended(int(note.read_text()))
    assert ask("machine", {}, deadline_s=0.5, command=["sh", "-c", "kill -STOP $$; echo 1"]) == {"error": "hung"}
    assert ask("machine", {}, command=["sh", "-c", "cat"]) == {}


@pytest.mark.parametrize("program", ["exit 3", "echo no JSON", "kill -SEGV $$", "exec 0<&-; exit 0"])
def test_a_child_that_dies_or_babbles_is_a_finding(program):
    assert ask("machine", {"much": "x" * 100_000}, command=["sh", "-c", program]) == {"error": "step_died"}


def test_a_library_that_blocks_costs_its_own_finding_only(capsys, tmp_path, monkeypatch):
    """PortAudio never returns from opening: the check names it, and the machine is looked at all the same."""
    monkeypatch.setenv("PYTHONPATH", str(FAKES))
    monkeypatch.setenv("FAKE_CARD", "blocks")
    monkeypatch.setitem(children.DEADLINES_S, "sound", 3.0)
    asked = answering(machine=MACHINE)
    status, out, _ = run(
        capsys, tmp_path, "--json", "--only", "sound", "--only", "machine",
        answer=lambda probe, request: ask(probe, request) if probe == "sound" else asked(probe, request),
    )  # fmt: skip
    said = json.loads(out)
    assert status == 3
    assert [(one["code"], one["responsible"]) for one in said["findings"]] == [("cause.hung", "local_it")]
    assert {check["id"]: check["outcome"] for check in said["checks"]}["machine.load"] == "pass"


def test_all_deadlines_together_keep_two_minutes():
    """A check in which everything hangs."""
    whole = [children.DEADLINES_S[probe] + children.FAREWELL_S for probe in ("mixer", "sound", "picture", "machine")]
    assert sum(whole) <= 120


# ---- the whole, in a room's own environment


@pytest.mark.slow
def test_a_room_needs_nothing_of_the_server(tmp_path):
    """`readiness room` in processes of its own, where no package of the server can be imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        extra: {re.split(r"[\[><=;]", name)[0].lower() for name in project["optional-dependencies"][extra]}
        for extra in ("server", "room")
    }
    wanted = named["server"] - named["room"] - OF_AIORTC
    modules = sorted(
        module for module, owners in packages_distributions().items() if {one.lower() for one in owners} & wanted
    )
    assert {"sqlalchemy", "jinja2", "icalendar", "phonenumbers"} <= set(modules)
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        f"class Wall:\n    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] in {modules!r}:\n"
        "            raise ImportError('a server package: ' + name)\n"
        "sys.meta_path.insert(0, Wall())\n"
    )
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 15, (1280, 720))
    for number in range(45):
        writer.write(lively(number, (1280, 720)))
    writer.release()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(FAKES), str(ROOT))),
        "XDG_STATE_HOME": str(tmp_path),
        "LC_ALL": "nn_NO.UTF-8",
    }

    def room(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "readiness", "room", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    done = room("check", "--json", "--camera", str(film), "--host-api", "alsa", "--only", "sound", "--only", "picture")
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = {check["id"]: check["outcome"] for check in json.loads(done.stdout)["checks"]}
    assert outcomes["room.loop"] == outcomes["camera.frozen"] == outcomes["microphone.noise"] == "pass"
    assert catalogue("nn")["room.part.sound"] in done.stderr
    assert (tmp_path / "readiness" / "usual.json").exists()
    listed = room("devices")
    assert "Television  [ALSA, 2 ch]" in listed.stdout, listed.stderr
