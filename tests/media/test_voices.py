"""Recordings of the spoken digits: what is wrong with one is said in one line, with what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from readiness.cli import main
from readiness.media.digits import decoded
from readiness.media.voices import LEVEL_DBFS, RATE_HZ, active_power, faults_of_set, faults_of_sound, sets_below
from readiness.texts import WEB_FOLDER
from tests.data.clips import ffmpeg
from tests.data.make_digits import mp3

OURS = WEB_FOLDER / "selftest" / "audio"
SOUND = decoded(OURS / "nb" / "3.mp3", RATE_HZ)
FLOAT = ("-f", "f32le", "-ar", str(RATE_HZ), "-ac", "1", "-i", "-")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A voices folder with bokmål for all."""
    shutil.copytree(OURS / "nb", tmp_path / "voices" / "nb")
    return tmp_path / "voices"


def coded(*options: str) -> bytes:
    """The digit in another form."""
    return ffmpeg([*FLOAT, *options, "-"], SOUND.astype("<f4").tobytes())


WRONG = {
    "too quiet": (lambda: mp3(SOUND * 0.4), "dB louder"),
    "too loud": (lambda: mp3(np.clip(SOUND * 1.7, -0.9, 0.9)), "dB quieter"),
    "nearly silent": (lambda: mp3(SOUND * 0.02), "nearly silent"),
    "clipped": (lambda: mp3(np.clip(SOUND * 30.0, -1, 1)), "clipped"),
    "too long": (lambda: mp3(np.pad(SOUND, (0, RATE_HZ))), "the longest is"),
    "too short": (lambda: mp3(SOUND[: int(0.1 * RATE_HZ)]), "the shortest is"),
    "telephone": (lambda: coded("-ar", "8000", "-b:a", "16k", "-f", "mp3"), "sample rate"),
    "stereo": (lambda: coded("-ac", "2", "-b:a", "64k", "-f", "mp3"), "channels"),
    "not MP3": (lambda: coded("-c:a", "libvorbis", "-f", "ogg"), "not MP3"),
    "heavy": (lambda: coded("-ar", "48000", "-b:a", "320k", "-f", "mp3"), "weighs"),
    "no sound at all": (lambda: b"not a recording", "no sound that can be read"),
    "an earlier digit": (lambda: (OURS / "nb" / "2.mp3").read_bytes(), "the same sound as 2.mp3"),
    "an earlier digit, saved again": (lambda: mp3(decoded(OURS / "nb" / "2.mp3", RATE_HZ)), "the same sound as 2.mp3"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_one_line_says_what_is_wrong_and_what_to_do(own: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The recording is named, the fault and the remedy told, and the command's status is 1."""
    made, told = WRONG[kind]
    (own / "nb" / "3.mp3").write_bytes(made())
    assert main(["voices", "check", str(own)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(str(own / "nb" / "3.mp3")) and told in line for line in lines), lines
    assert all("3.mp3 " in line for line in lines), "the nine others are fine"


def test_a_missing_digit_and_a_wrong_name_are_told(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten digits, under the names that the page asks for."""
    (own / "nb" / "7.mp3").rename(own / "nb" / "sju.mp3")
    assert main(["voices", "check", str(own)]) == 1
    assert "7.mp3 is missing" in capsys.readouterr().out


def test_good_recordings_are_said_to_be_fine(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For all and for one organisation, or one language alone; and a folder without any is a mistake."""
    shutil.copytree(OURS / "en", own / "sunnaas" / "en")
    assert main(["voices", "check", str(own)]) == 0
    assert [line.rpartition(" is fine")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(own / "nb"),
        str(own / "sunnaas" / "en"),
    ]
    assert sets_below(own / "nb") == [own / "nb"]
    (own / "empty").mkdir()
    assert main(["voices", "check", str(own / "empty")]) == 1
    assert main(["voices", "check", str(own / "nowhere")]) == 1


def test_the_command_makes_no_data_folder(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging recordings leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    main(["voices", "check", str(own)])
    assert [path.name for path in tmp_path.iterdir()] == ["voices"]


@pytest.mark.parametrize("gain_db", [-1.4, 0.0, 1.4])
def test_a_level_within_its_limits_is_fine(gain_db: float) -> None:
    """And the step that is told is the step that mends it."""
    to_level = 10 ** (LEVEL_DBFS / 20) / np.sqrt(active_power(SOUND, RATE_HZ))
    assert faults_of_sound(SOUND * to_level * 10 ** (gain_db / 20), RATE_HZ) == []
    (fault,) = faults_of_sound(SOUND * to_level * 10 ** (-4.0 / 20), RATE_HZ)
    assert (fault.code, fault.values["off"]) == ("too_quiet", pytest.approx(4.0, abs=0.1))


def test_a_recording_that_begins_or_ends_in_the_middle_of_sound_is_told() -> None:
    """It would click; MP3 puts a moment of silence before everything, which hides the one or the other."""
    loud = np.flatnonzero(np.abs(SOUND) > 0.1)
    for cut, told in ((SOUND[loud[0] :], "begins_with_sound"), (SOUND[: loud[-1]], "ends_with_sound")):
        assert told in {fault.code for fault in faults_of_sound(cut, RATE_HZ)}


def test_silence_and_noise_are_no_digits(own: Path) -> None:
    """Nothing at all, and something without an end, are told and raise nothing."""
    (own / "nb" / "0.mp3").write_bytes(mp3(np.zeros(RATE_HZ // 2)))
    (own / "nb" / "1.mp3").write_bytes(b"")
    faults = {fault.file: fault.code for fault in faults_of_set(own / "nb")}
    assert (faults["0.mp3"], faults["1.mp3"]) == ("silent", "unreadable")


def test_a_title_in_an_old_alphabet_is_no_fault(own: Path) -> None:
    """What a recorder writes about a file is none of ours: tags that are not UTF-8 are passed over."""
    path = own / "nb" / "8.mp3"
    path.write_bytes(path.read_bytes() + b"TAG" + "Åtte".encode("latin-1").ljust(125, b"\0"))
    assert faults_of_set(own / "nb") == []
