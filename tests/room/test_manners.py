"""Who uses the room, by each system's own word; speech before anything is played; cancelled echoes."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from probes.hardware import in_use
from probes.hardware.in_use import User, of_consent_store, of_files, of_macos, of_pipewire, of_pulse, sources, users
from probes.hardware.sound import speech_s
from probes.loop import Somebody, listen
from probes.room_sound import Mixer, sound_measurements
from reports.rooms import findings, judge_room
from tests.room.rooms import SILENT, Room, Speakerphone

MEETING = {"media.class": "Stream/Input/Audio", "application.process.binary": "meeting"}
STREAMS = [
    ("running", MEETING, [User("microphone", "meeting")]),
    ("running", {"media.class": "Stream/Input/Video", "node.name": "browser"}, [User("camera", "browser")]),
    ("suspended", MEETING, []),
    ("running", {**MEETING, "media.class": "Stream/Output/Audio"}, []),
    ("running", {**MEETING, "media.class": "Audio/Source"}, []),
    ("running", {**MEETING, "stream.capture.sink": "true"}, []),
]


@pytest.mark.parametrize(("state", "properties", "found"), STREAMS)
def test_pipewire_names_who_records(state, properties, found):
    """A stream that takes in and runs; who plays, sleeps, or listens to a loudspeaker's own sound is nobody."""
    dump = [{"type": "PipeWire:Interface:Node", "info": {"state": state, "props": properties}}, {"type": "x"}]
    assert of_pipewire(lambda _argv: json.dumps(dump)) == found
    assert of_pipewire(lambda _argv: None) is None


def test_pulseaudio_names_who_records():
    said = {
        "sources": [{"index": 1, "name": "mic"}, {"index": 2, "name": "speaker.monitor"}],
        "source-outputs": [
            {"source": 1, "corked": False, "properties": {"application.name": "Meeting"}},
            {"source": 1, "corked": True, "properties": {"application.name": "Paused"}},
            {"source": 2, "corked": False, "properties": {"application.name": "Meter"}},
        ],
    }
    assert of_pulse(lambda argv: json.dumps(said[argv[-1]])) == [User("microphone", "Meeting")]
    assert of_pulse(lambda _argv: None) is None


def test_open_files_tell_of_cameras_and_bare_cards(tmp_path):
    """The sound servers hold them for others; our own are nobody's; a card's playing half is no microphone."""
    for number, (program, target) in enumerate(
        [("meeting", "/dev/video0"), ("recorder", "/dev/snd/pcmC0D0c"), ("player", "/dev/snd/pcmC0D0p"),
         ("pipewire", "/dev/snd/pcmC0D0c"), ("editor", "/dev/video0x")], start=70
    ):  # fmt: skip
        (tmp_path / str(number) / "fd").mkdir(parents=True)
        (tmp_path / str(number) / "comm").write_text(f"{program}\n")
        (tmp_path / str(number) / "fd" / "5").symlink_to(target)
    own = tmp_path / str(os.getpid()) / "fd"
    own.mkdir(parents=True)
    (own / "3").symlink_to("/dev/video0")
    found = of_files(tmp_path)
    assert sorted(found, key=lambda one: one.kind) == [User("camera", "meeting"), User("microphone", "recorder")]
    assert of_files(tmp_path / "none") is None


def test_macos_names_whom_it_keeps_awake_for():
    """A duplex device that only plays is nobody's microphone."""
    said = (
        "Listed by owning process:\n"
        '   pid 197(coreaudiod): [0x01] 00:05:10 PreventUserIdleSystemSleep named: "com.apple.audio.mic.context"\n'
        "\tCreated for PID: 4711. \n\tResources: audio-in BuiltInMicrophoneDevice \n"
        '   pid 198(coreaudiod): [0x02] 00:05:10 PreventUserIdleSystemSleep named: "com.apple.audio.speaker"\n'
        "\tCreated for PID: 4712. \n\tResources: audio-out BuiltInSpeakerDevice \n"
    )
    assert of_macos(lambda _argv: said) == [User("microphone", "pid 4711")]
    assert of_macos(lambda _argv: None) is None


class Registry:
    """Windows' registry as far as it is asked."""

    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE = "user", "machine"

    def __init__(self, **stops):
        self.stops = stops

    def OpenKey(self, key, name):
        if isinstance(key, str):
            if (key, name.rpartition("\\")[2]) not in self.stops.get("keys", {}):
                raise OSError("no such key")
            return self.stops["keys"][key, name.rpartition("\\")[2]]
        return key[name]

    def EnumKey(self, key, number):
        if number >= len(key):
            raise OSError("no more")
        return list(key)[number]

    def QueryValueEx(self, stopped, _name):
        if stopped is None:
            raise OSError("no such value")
        return stopped, 11


def test_windows_consent_store_is_believed_only_of_programs_that_run():
    """Left at 0 by a crash, it is nobody; both hives are read; without any entry it can't tell."""
    registry = Registry(
        keys={
            ("user", "NonPackaged"): {"C:#Tools#meeting.exe": 0, "C:#Tools#crashed.exe": 0, "C:#Tools#done.exe": 133},
            ("machine", "webcam"): {"Microsoft.WindowsCamera_8wekyb": 0, "Microsoft.Paint_8wekyb": 0, "half": None},
        }
    )
    programs = {1: "Meeting.exe", 2: "done.exe", 3: "WindowsCamera.exe"}
    assert set(of_consent_store(programs, registry)) == {
        User("microphone", "meeting.exe"), User("camera", "meeting.exe"),
        User("camera", "Microsoft.WindowsCamera_8wekyb"),
    }  # fmt: skip
    assert of_consent_store(programs, Registry(keys={})) is None


def test_windows_sessions_of_every_capture_endpoint_are_asked(monkeypatch):
    """Active ones only, and never our own: through made-up parts of pycaw, for Windows was not at hand."""
    session = lambda state, pid: SimpleNamespace(  # noqa: E731
        GetState=lambda: state, QueryInterface=lambda _kind: SimpleNamespace(GetProcessId=lambda: pid)
    )
    endpoints = [[session(1, 7), session(0, 8)], [session(1, os.getpid()), session(1, 9)]]

    def endpoint(sessions):
        every = SimpleNamespace(GetCount=lambda: len(sessions), GetSession=lambda at: sessions[at])
        manager = SimpleNamespace(GetSessionEnumerator=lambda: every)
        opened = SimpleNamespace(QueryInterface=lambda _kind: manager)
        return SimpleNamespace(Activate=lambda *_: opened)

    listed = SimpleNamespace(GetCount=lambda: len(endpoints), Item=lambda at: endpoint(endpoints[at]))
    asked = []

    def enumerate_endpoints(flow, state):
        asked.append((flow, state))
        return listed

    modules = {
        "pycaw.constants": SimpleNamespace(
            EDataFlow=SimpleNamespace(eCapture=SimpleNamespace(value=1)),
            DEVICE_STATE=SimpleNamespace(ACTIVE=SimpleNamespace(value=1)),
        ),
        "pycaw.api.audiopolicy": SimpleNamespace(
            IAudioSessionManager2=SimpleNamespace(_iid_="manager"), IAudioSessionControl2="control"
        ),
        "pycaw.utils": SimpleNamespace(
            AudioUtilities=SimpleNamespace(
                GetDeviceEnumerator=lambda: SimpleNamespace(EnumAudioEndpoints=enumerate_endpoints)
            )
        ),
        "comtypes": SimpleNamespace(CLSCTX_ALL=23),
    }
    monkeypatch.setattr(in_use.importlib, "import_module", lambda name: modules[name])
    monkeypatch.setattr(in_use, "running_programs", lambda: {7: "meeting.exe"})
    assert in_use.of_windows_sessions() == [User("microphone", "meeting.exe"), User("microphone", "pid 9")]
    assert asked == [(1, 1)]


def test_one_source_that_breaks_costs_no_other():
    def broken():
        raise ValueError("no JSON")

    found, asked = users({"a": broken, "b": lambda: None, "c": lambda: [User("camera", "x")], "d": list})
    assert (found, asked) == ([User("camera", "x")], ["c", "d"])
    assert {system: set(sources(system)) for system in ("linux", "darwin", "win32", "plan9")} == {
        "linux": {"pipewire", "pulseaudio", "files"}, "darwin": {"assertions"}, "win32": {"sessions", "consent"},
        "plan9": set(),
    }  # fmt: skip


# ---- somebody in the room


def test_nothing_is_played_where_somebody_speaks():
    room = Room(1)
    with pytest.raises(Somebody):
        listen(room, is_speech=lambda sound: sound.ndim == 1 and len(sound) == 3 * 48_000)
    assert room.played == [0.0]


def test_speech_is_told_from_what_rooms_sound_like():
    """Noise, hum and silence are nobody; that words are heard is `sound.md`'s to show."""
    rng = np.random.default_rng(1)
    seconds = np.arange(3 * 48_000) / 48_000
    for sound in (
        np.zeros(3 * 48_000), rng.standard_normal(3 * 48_000) * 0.01, 0.1 * np.sin(2 * np.pi * 100 * seconds)
    ):  # fmt: skip
        assert speech_s(sound.astype(np.float32)) < 0.5


# ---- devices that cancel their own echo


def judged(room, *, told=True):
    figures = listen(room)
    measured = sound_measurements(figures, mixer=Mixer(), usual=None, system="linux")
    from probes.measurement import Measurement

    there = [Measurement(f"{one}.present", "present", samples=1) for one in ("microphone", "speaker")]
    return judge_room([*there, *measured], parts=["sound"], cancels_echo=told)


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("converges_s", [1.0, None])
def test_a_speakerphone_is_never_broken_by_its_canceller(seed, converges_s):
    """Healthy: no fault of any kind. Where nothing leaks it is ready with a warning that says why."""
    judgement = judged(Speakerphone(seed, converges_s=converges_s))
    assert judgement.verdict in {"ready", "ready_with_warnings"}
    if converges_s is None:
        assert judgement.verdict == "ready_with_warnings"
        assert [one.code for one in findings(judgement)] == ["cause.echo_cancelled"]


@pytest.mark.parametrize("converges_s", [1.0, None])
@pytest.mark.parametrize("fault", [{"gains_db": SILENT}, {"plays": False}, {"zero": frozenset({0, 1})}])
def test_a_speakerphone_is_never_ready_by_silence(converges_s, fault):
    """A dead loudspeaker can't be told from a good canceller, so it is a warning; a dead microphone is a fault."""
    judgement = judged(Speakerphone(2, converges_s=converges_s, **fault))
    assert judgement.verdict != "ready"
    assert ("zero" in fault) == (judgement.verdict == "not_ready")
