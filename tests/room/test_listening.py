"""Rooms that cancel their own echo are found by somebody who listens and claps, and never become ready by silence."""

from __future__ import annotations

import numpy as np
import pytest

from probes.acoustics import RATE_HZ
from probes.canceller import CLAP_DB, clap_db, is_taken_out
from probes.loop import listen
from readiness.room.check import RoomPlan, check_room
from readiness.room.command import main
from readiness.room.devices import own_plan
from readiness.room.errors import NothingFoundError
from readiness.room.listening import find_class
from readiness.texts import catalogue
from tests.room.rooms import SILENT, Room, Speakerphone, pink
from tests.room.test_check import answering

EN = catalogue("en")


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("converges_s", [1.0, None])
def test_a_canceller_is_told_from_a_room(seed, converges_s):
    """Whether it never leaks or learns within the second; a room is none, at any noise that a room has."""
    assert is_taken_out(listen(Speakerphone(seed, converges_s=converges_s)))
    assert not is_taken_out(listen(Room(seed, noise_dbfs=-75.0 + 8 * seed)))


def claps(db: float, *, seed: int = 1, channels: int = 2):
    """Six seconds of a room's noise with one clap, as two microphones hear it."""
    rng = np.random.default_rng(seed)
    sound = np.stack([pink(rng, 6 * RATE_HZ) for _ in range(channels)], axis=1) * 10 ** (-60 / 20)
    burst = rng.standard_normal(RATE_HZ // 50) * np.exp(-np.linspace(0, 6, RATE_HZ // 50))
    sound[3 * RATE_HZ : 3 * RATE_HZ + len(burst)] += (burst * 10 ** ((db - 60) / 20))[:, None]
    return sound.astype(np.float32)


def test_a_clap_stands_out_and_noise_does_not():
    for seed in range(5):
        assert clap_db(claps(40.0, seed=seed)) >= CLAP_DB
        assert clap_db(claps(-80.0, seed=seed)) < CLAP_DB / 2
    assert clap_db(np.zeros((6 * RATE_HZ, 1), np.float32)) == 0.0


def told(folder, room, *answers: str, clap: float = 40.0):
    """What the command says, with a person who answers."""
    figures = {"microphone": "present", "speaker": "present", "cause": None, "figures": listen(room).to_json()}
    said = list(answers)

    def ask_person(_question: str) -> str:
        if not said:
            raise EOFError
        return said.pop(0)

    probes = answering(sound=figures, clap={"clap_db": clap})
    return find_class(RoomPlan(microphone="Jabra"), folder, EN, ask_probe=probes, ask_person=ask_person)


def test_the_class_is_kept_with_the_rooms_devices(tmp_path):
    """A speakerphone that somebody heard and that hears a clap; then a loudspeaker in its place, which asks nothing."""
    assert told(tmp_path, Speakerphone(1, converges_s=None), "", "yes", "") == EN["room.listen.cancels"]
    plan = own_plan(tmp_path)
    assert (plan.cancels_echo, plan.microphone) == (True, "Jabra")
    silent = {"sound": {"microphone": "present", "speaker": "present", "cause": None,
                        "figures": listen(Speakerphone(1, converges_s=None)).to_json()}}  # fmt: skip
    judgement = check_room(plan, tmp_path, ask_probe=answering(**silent))
    assert judgement.verdict == "ready_with_warnings", "neither broken nor ready by silence"
    assert told(tmp_path, Room(1), "") == EN["room.listen.heard"]
    assert not own_plan(tmp_path).cancels_echo


@pytest.mark.parametrize(
    ("answers", "clap", "said"),
    [
        (("", "no"), 40.0, "room.listen.unheard"),
        (("", "yes", ""), 5.0, "room.listen.no_clap"),
        (("",), 40.0, "room.listen.nobody"),
    ],
)
def test_what_nobody_confirms_changes_nothing(tmp_path, answers, clap, said):
    """A loudspeaker that nobody hears is off, a microphone that hears no clap is dead: no excuse for silence."""
    with pytest.raises(NothingFoundError) as found:
        told(tmp_path, Room(1, gains_db=SILENT), *answers, clap=clap)
    assert str(found.value) == EN[said]
    assert not own_plan(tmp_path).cancels_echo
    assert not list(tmp_path.iterdir())


def test_the_command_without_anybody_is_incomplete(tmp_path, capsys, monkeypatch):
    """Status 3 and one sentence, in a pipe too."""
    monkeypatch.setattr("builtins.input", lambda _question: (_ for _ in ()).throw(EOFError))
    assert main(["listen", "--language", "en", "--state", str(tmp_path)], ask_probe=answering()) == 3
    assert capsys.readouterr().err == EN["room.listen.nobody"] + "\n"
