"""The reference view: a camera that was moved, covered or left in the dark is named; people and light are not."""

from __future__ import annotations

import json
import stat
from functools import cache

import cv2
import numpy as np
import pytest
import skimage.data

from probes.hardware import scene
from probes.hardware.scene import LEARNING_S, is_somebody_seen, look_at, scene_measurements
from probes.reference_view import Fingerprint, Look, agreed, best_look, fingerprint
from readiness.room.command import main
from reports.rooms import findings, judge_room
from tests.bench.room_pictures import BENIGN, FAULTS, Scene
from tests.data.pictures import astronaut

MUST_BE_SAME = ("again", "a third of the light", "gamma 2", "one person", "vibration", "jpeg 30")


@cache
def garage() -> tuple[Scene, Fingerprint]:
    """A room with many things in it (scikit-image's motorcycle, of the half that limits were set on)."""
    place = Scene(cv2.cvtColor(skimage.data.stereo_motorcycle()[0], cv2.COLOR_RGB2BGR), 1)
    kept = fingerprint(place.noisy(place.view()))
    assert kept
    return place, kept


@pytest.mark.parametrize("change", MUST_BE_SAME)
def test_what_is_harmless_is_the_same(change):
    place, kept = garage()
    assert best_look(BENIGN[change](place), [kept]).state == "same"


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_named(fault):
    place, kept = garage()
    state, change = FAULTS[fault]
    look = best_look(change(place), [kept])
    assert look.state == state
    if fault == "shift 11 %":
        assert look.shift_pct == pytest.approx(11, abs=1)


def test_the_likest_state_of_light_counts():
    """At night by lamps from the other side: unlike the day's fingerprint, and the same as its own."""
    place, day = garage()
    shade = np.linspace(0.05, 1.0, 640)[None, :, None]
    night_view = place.noisy(place.view() * shade * 0.4)
    night = fingerprint(night_view)
    assert night
    assert best_look(place.noisy(place.view() * shade * 0.4), [day, night]).state == "same"


def test_two_of_three_pictures_must_agree():
    same, moved, covered = Look("same", again=9), Look("moved", 12.0, again=30), Look("covered")
    assert agreed([same, moved, same]) == same
    assert agreed([same, moved, covered]) is None
    assert agreed([same, moved]) is None
    assert agreed([]) is None


def test_plain_dark_and_blurred_pictures_give_no_reference():
    place, _ = garage()
    for picture in (FAULTS["to the wall"][1](place), FAULTS["lights off"][1](place), FAULTS["out of focus"][1](place)):
        assert fingerprint(picture) is None
    with pytest.raises(ValueError, match="no fingerprint"):
        best_look(place.view(), [])


# ---- the file on the room's PC


def three(place: Scene, change=BENIGN["again"]):
    return [change(place) for _ in range(3)]


def test_a_reference_is_kept_for_this_account_alone_and_learns_for_a_week(tmp_path, monkeypatch):
    """Nothing is told in the first week; other light is added then, and never after; a damaged file is none."""
    place, _ = garage()
    path = tmp_path / "state" / "reference.npz"
    began = 1_800_000_000.0
    monkeypatch.setattr(scene.time, "time", lambda: began)
    assert look_at(three(place), {"path": str(path), "take": True})["taken"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    size = path.stat().st_size
    assert size < 300_000
    moved = three(place, FAULTS["shift 11 %"][1])
    first = look_at(moved, {"path": str(path)})
    assert (first["state"], first["is_learning"]) == ("moved", True)
    assert scene_measurements(first) == []
    assert look_at(three(place, BENIGN["a third of the light"]), {"path": str(path)})["state"] == "same"
    assert path.stat().st_size > size
    size = path.stat().st_size
    monkeypatch.setattr(scene.time, "time", lambda: began + LEARNING_S + 1)
    told = look_at(moved, {"path": str(path)})
    (measured,) = scene_measurements(json.loads(json.dumps(told)))
    assert (measured.check, measured.value) == ("camera.view", "moved")
    look_at(three(place, BENIGN["too bright"]), {"path": str(path)})
    assert path.stat().st_size == size
    path.write_bytes(b"PK broken")
    assert scene_measurements(look_at(moved, {"path": str(path)})) == []


def test_nobody_is_in_a_reference(tmp_path):
    """A face that lives, a plain wall, or something that moves: nothing is kept. A poster is nobody."""
    place, _ = garage()
    poster = cv2.resize(astronaut(), (640, 480))
    somebody = [np.roll(poster, shift, axis=1) for shift in (0, 4, 9)]
    for picture in somebody:  # the wall behind stays where it is
        picture[:, 450:] = poster[:, 450:]
        picture[300:] = poster[300:]
    path = tmp_path / "reference.npz"
    take = {"path": str(path), "take": True}
    assert look_at(somebody, take)["taken"] == "people"
    assert look_at(three(place, FAULTS["to the wall"][1]), take)["taken"] == "plain"
    assert look_at([place.view(), place.view(), place.view(right=0.15)], take)["taken"] == "people"
    assert not path.exists()
    assert is_somebody_seen(look_at(somebody, {"people": True}))
    assert not is_somebody_seen(look_at([place.noisy(poster) for _ in range(3)], {"people": True}))
    assert not is_somebody_seen(look_at(three(place), {"people": True}))


@pytest.mark.parametrize(
    ("state", "code", "verdict"),
    [
        ("covered", "room.view_covered", "not_ready"),
        ("not_recognised", "room.view_unknown", "not_ready"),
        ("moved", "room.view_moved", "ready_with_warnings"),
        ("defocused", "room.defocused", "ready_with_warnings"),
        ("lights_off", "room.lights_off", "ready_with_warnings"),
        ("differing", "cause.no_agreement", "incomplete"),
    ],
)
def test_each_state_has_its_words(state, code, verdict):
    from probes.hardware.view import view_measurements
    from tests.room.test_check import PICTURE

    judgement = judge_room(view_measurements({**PICTURE, "scene": {"state": state}}), parts=["picture"])
    assert [one.code for one in findings(judgement)] == [code]
    assert judgement.verdict == verdict
    same = judge_room(view_measurements({**PICTURE, "scene": {"state": "same"}}), parts=["picture"])
    assert same.verdict == "ready"


@pytest.mark.slow
def test_the_command_keeps_and_forgets(tmp_path, capsys):
    """Through a film, in a real child process."""
    place, _ = garage()
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 480))
    for _ in range(50):
        writer.write(place.noisy(place.view()))
    writer.release()
    state = ("--state", str(tmp_path / "state"))
    assert main(["reference", "--camera", str(film), *state]) == 0
    assert "For a week" in capsys.readouterr().out
    assert (tmp_path / "state" / "reference.npz").exists()
    assert main(["reference", "--camera", str(tmp_path / "none"), *state]) == 3
    assert "gives no picture" in capsys.readouterr().err
    assert main(["reference", "--forget", *state]) == 0
    assert list((tmp_path / "state").glob("reference*")) == []
