"""The room's devices: chosen by name and read back, and whatever is wrong with one has a name of its own."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from probes.hardware import view
from probes.hardware.machine import machine_measurements, measure_machine
from probes.hardware.mixer import read_macos, read_pulse, read_wireplumber
from probes.hardware.sound import find_device, measure_sound, sound_devices
from probes.hardware.view import Camera, measure_view, view_measurements
from probes.loop import LoopFigures
from probes.room_sound import Mixer
from reports.rooms import findings, judge_room
from tests.room.rooms import lively

FAKE = Path(__file__).parent / "fakes" / "sounddevice.py"
ANY = {"microphone": "", "speaker": "", "host_api": "", "reference": None, "loudest_dbfs": -20.0}


@pytest.fixture
def card(monkeypatch):
    """The fake package in the real one's place; call it with how it is to behave."""
    spec = importlib.util.spec_from_file_location("sounddevice", FAKE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "sounddevice", module)

    def behave(mode: str):
        monkeypatch.setenv("FAKE_CARD", mode)
        return module

    return behave


# ---- sound


@pytest.mark.parametrize(
    ("name", "host_api", "records", "status", "index"),
    [
        ("", "", True, "present", 0),
        ("", "", False, "present", 0),
        ("television", "", False, "present", 2),
        ("camera", "", True, "present", 1),
        ("Room speakerphone", "jack", True, "present", 3),
        ("speakerphone", "", True, "ambiguous", None),
        ("camera", "", False, "not_found", None),
        ("Beamer", "", False, "not_found", None),
    ],
)
def test_a_device_is_found_by_its_name(card, name, host_api, records, status, index):
    """Whole or in part; two that fit are none, and a microphone is no loudspeaker."""
    card("works")
    found, device = find_device(sound_devices(), name, host_api, records=records)
    assert found == status
    assert (device.index if device else None) == index


def test_a_loop_is_measured_through_the_card(card):
    """What is played comes back 200 ms later at half its level in both channels, and the figures say so."""
    card("works")
    found = measure_sound({**ANY, "host_api": "alsa"})
    assert (found["microphone"], found["speaker"], found["cause"]) == ("present", "present", None)
    figures = LoopFigures.from_json(found["figures"])
    assert len(figures.paths) == 4
    for path in figures.paths:
        assert path.is_heard
        assert path.delay_ms == pytest.approx(200, abs=0.1)
        assert path.gain_db == pytest.approx(-6, abs=1)


@pytest.mark.parametrize(
    ("mode", "cause"),
    [("busy", "in_use"), ("refuses", "failed"), ("renames", "other_device"), ("flags", "device_busy")],
)
def test_a_card_that_does_not_play_says_why(card, mode, cause):
    """Somebody else has it, it refuses, another one opened in its place, or the PC is too busy: no figures of any."""
    card(mode)
    assert measure_sound(ANY) == {"microphone": "present", "speaker": "present", "cause": cause, "figures": None}


def test_a_reference_that_the_card_has_not_is_said(card):
    """Nothing is played: this card would take no sound, and then another cause would be told."""
    card("stalls")
    assert measure_sound({**ANY, "reference": 9})["cause"] == "no_channel"


def test_a_card_that_stands_still_is_not_waited_for(card, monkeypatch):
    """No block of sound is ever taken."""
    from probes.hardware import sound

    card("stalls")
    monkeypatch.setattr(sound, "SPARE_S", -4.0)
    assert measure_sound(ANY)["cause"] == "hung"


def test_a_device_that_is_missing_is_named_and_nothing_is_played(card):
    card("blocks")
    found = measure_sound({**ANY, "speaker": "Beamer"})
    assert (found["microphone"], found["speaker"], found["figures"]) == ("present", "not_found", None)


def test_without_the_library_it_is_said(monkeypatch):
    """The package is there, PortAudio itself is not: an OSError, or no package at all."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert measure_sound(ANY)["cause"] == "not_installed"


def test_mute_and_volume_are_read_as_the_systems_say_them():
    """PipeWire, PulseAudio and macOS; a program that does not answer leaves it open."""

    def says(**by_word):
        return lambda argv: next((text for word, text in by_word.items() if word in " ".join(argv)), None)

    assert read_wireplumber(says(SINK="Volume: 0.40 [MUTED]", SOURCE="Volume: 1.00")) == Mixer(True, 40.0, False)
    pulse = says(
        **{
            "get-sink-mute": "Mute: no",
            "get-sink-volume": "Volume: front-left: 1311 /   2% / -101.93 dB,   front-right: 1311 /   2% / -101.93 dB",
            "get-source-mute": "Mute: yes",
        }
    )
    assert read_pulse(pulse) == Mixer(False, 2.0, True)
    assert read_pulse(pulse).is_silent
    macos = says(osascript="output volume:62, input volume:0, alert volume:100, output muted:false")
    assert read_macos(macos) == Mixer(False, 62.0, True)
    for read in (read_wireplumber, read_pulse, read_macos):
        assert read(says()) == Mixer()
        assert not read(says()).is_silent


# ---- picture


@pytest.fixture
def film(tmp_path, monkeypatch):
    """Make a film of three seconds from what each of its thirty pictures is."""
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
    monkeypatch.setenv("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")

    def make(picture, *, size=(320, 240), rate_fps=15) -> str:
        path = tmp_path / "film.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_fps, size)
        for number in range(3 * rate_fps):
            writer.write(picture(number, size))
        writer.release()
        return str(path)

    return make


def sunlit(number: int, size) -> np.ndarray:
    """The same with a window that takes 40 % of it."""
    bright = 255 * (np.arange(size[0]) < 0.4 * size[0])[None, :, None]
    return np.maximum(lively(number, size), bright).astype(np.uint8)


def told(found) -> list[str]:
    return [one.code for one in findings(judge_room(view_measurements(found), parts=["picture"]))]


def test_a_camera_that_films_is_good(film):
    found = measure_view({"source": film(lively, size=(1280, 720))})
    assert (found["status"], found["width_px"], found["height_px"]) == ("present", 1280, 720)
    assert told(found) == []
    rate = next(one for one in view_measurements(found) if one.check == "camera.frame_rate")
    assert rate.value == pytest.approx(15, abs=0.5)


@pytest.mark.parametrize(
    ("picture", "rate_fps", "code"),
    [
        (lambda _number, size: lively(1, size), 15, "room.frozen"),
        (lambda number, size: lively(number, size) // 40, 15, "room.black"),
        (lambda number, size: lively(number, size) // 3, 15, "room.dark"),
        (lambda _number, size: np.full((size[1], size[0], 3), 120, np.uint8), 15, "room.no_picture"),
        (lambda number, size: sunlit(number, size), 15, "room.glare"),
        (lively, 8, "room.slow"),
    ],
)  # fmt: skip
def test_a_fault_of_the_picture_is_named(film, picture, rate_fps, code):
    """The first thing that is said, but for the film's own small size."""
    said = told(measure_view({"source": film(picture, rate_fps=rate_fps)}))
    assert next(one for one in said if one != "room.low_resolution") == code
    assert "room.low_resolution" in said or code in {"room.black", "room.frozen", "room.no_picture"}


def test_what_is_no_film_fails_and_what_is_not_there_is_missing(tmp_path, film, monkeypatch):
    text = tmp_path / "notes.txt"
    text.write_text("no film")
    assert told(measure_view({"source": str(text)})) == ["room.camera_failed"]
    monkeypatch.setattr(view, "cameras", list)
    assert told(measure_view({"source": "Logitech"})) == ["room.camera_missing"]
    monkeypatch.setattr(view, "cameras", lambda: [Camera("Cam", "/dev/video8"), Camera("Cam", "/dev/video9")])
    assert told(measure_view({"source": "cam"})) == ["room.device_ambiguous"]


def test_a_network_camera_that_never_answers_is_not_waited_for(monkeypatch, film):
    """It takes the connection and is silent: OpenCV alone would wait for half a minute."""
    monkeypatch.setattr(view, "OPEN_MS", 300)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = measure_view({"source": f"rtsp://127.0.0.1:{silent.getsockname()[1]}/cam"})
    assert told(found) == ["room.camera_missing"]


def test_linux_lists_the_file_that_gives_pictures(tmp_path):
    """Of a device's two files the second one gives data about pictures."""
    for number, (name, position) in enumerate((("Webcam", "0"), ("Webcam", "1"), ("HDMI", "0"))):
        folder = tmp_path / f"video{number + 9}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "index").write_text(f"{position}\n")
    assert view._of_linux(tmp_path) == [Camera("Webcam", "/dev/video9"), Camera("HDMI", "/dev/video11")]


def test_a_camera_that_another_program_has_is_in_use(tmp_path, monkeypatch, film):
    """It does not open, and somebody holds its file: nothing is wrong, and nothing is known."""
    handles = tmp_path / "4711" / "fd"
    handles.mkdir(parents=True)
    (handles / "7").symlink_to("/dev/video77")
    held = view._is_held
    assert held("/dev/video77", tmp_path)
    assert not held("/dev/video78", tmp_path)
    monkeypatch.setattr(view, "cameras", lambda: [Camera("Cam", "/dev/video77")])
    monkeypatch.setattr(view, "_is_held", lambda place: held(place, tmp_path))
    judgement = judge_room(view_measurements(measure_view({"source": ""})), parts=["picture"])
    assert [(one.code, one.responsible) for one in findings(judgement)] == [("cause.in_use", None)]
    assert judgement.verdict == "incomplete"


# ---- the machine


def test_the_machine_is_looked_at(monkeypatch):
    """Three shares between 0 and 100; power is told only where there is a battery."""
    from probes.hardware import machine

    monkeypatch.setattr(machine, "LOOK_S", 0.05)
    found = measure_machine({})
    assert all(0 <= found[name] <= 100 for name in ("load_pct", "memory_pct", "disk_pct"))
    checks = {one.check for one in machine_measurements(found)}
    assert ("machine.power" in checks) == (found["on_battery"] is not None)


@pytest.mark.parametrize(
    ("figures", "code"),
    [({"load_pct": 97.0}, "room.busy_pc"), ({"memory_pct": 97.0}, "room.full_memory"),
     ({"disk_pct": 99.0}, "room.full_disk"), ({"on_battery": True}, "room.on_battery")],
)  # fmt: skip
def test_a_machine_that_is_full_or_unplugged_is_a_warning(figures, code):
    well = {"load_pct": 10.0, "memory_pct": 40.0, "disk_pct": 50.0, "on_battery": False}
    assert findings(judge_room(machine_measurements(well), parts=["machine"])) == []
    judgement = judge_room(machine_measurements(well | figures), parts=["machine"])
    assert [one.code for one in findings(judgement)] == [code]
    assert judgement.verdict == "ready_with_warnings"
