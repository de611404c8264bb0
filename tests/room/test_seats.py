"""Seats that the camera has to see, and the hours at which the sun blinds it: kept on this PC, told as figures."""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from probes.hardware import scene as scene_module
from probes.hardware.scene import LIGHT_FILE, look_at, scene_measurements
from probes.hardware.view import view_measurements
from probes.reference_view import COARSE, best_look, fingerprint
from probes.seats import read_seats, seat_of_face, seat_of_percent
from probes.sunlight import expected_sun, windows_of
from readiness.room.command import main
from readiness.room.seating import SEATS, own_seats
from reports.model import Outcome
from reports.rooms import findings, judge_room
from tests.bench.room_pictures import BENIGN, SIZE
from tests.room.test_check import PICTURE, answering
from tests.room.test_scene import garage, three

LEFT, RIGHT = (0.05, 0.4, 0.35, 0.95), (0.65, 0.4, 0.95, 0.95)


def hidden(picture, seat):
    """Something even stands before a seat, and a little more."""
    found = picture.copy()
    left, top, right, bottom = (int(side * size) for side, size in zip(seat, (*SIZE, *SIZE), strict=True))
    cv2.rectangle(found, (left - 10, top - 20), (right + 10, bottom + 20), (90, 130, 170), -1)
    return found


def test_a_seat_that_something_hides_is_lost_and_no_other():
    """Most of the room is there, so the view is the same; harmless light loses no seat."""
    place, _ = garage()
    known = [fingerprint(place.noisy(place.view()))]
    for lost in (LEFT, RIGHT):
        look = best_look(place.noisy(hidden(place.view(), lost)), known, [LEFT, RIGHT])
        assert (look.state, look.lost_seats) == ("same", 1)
    people = {"one person", "three people", "two people at dusk"}
    for name, change in BENIGN.items():
        if name not in people:  # who sits on a seat hides it: no room is checked with people in it
            assert best_look(change(place), known, [LEFT, RIGHT]).lost_seats == 0, name


def test_a_seat_at_the_edge_is_out_of_the_picture_of_a_camera_that_was_turned():
    place, _ = garage()
    known = [fingerprint(place.noisy(place.view()))]
    look = best_look(place.noisy(place.view(right=0.11)), known, [(0.0, 0.3, 0.12, 0.9), (0.4, 0.3, 0.6, 0.9)])
    assert (look.state, look.lost_seats) == ("moved", 1)


def test_a_lost_seat_is_a_warning_that_says_who(tmp_path):
    """Told after the week of learning, with the number and nothing else of the picture."""
    place, _ = garage()
    path = tmp_path / "reference.npz"
    assert look_at(three(place), {"path": str(path), "take": True})["taken"] is True
    asked = {"path": str(path), "seats": [list(LEFT), list(RIGHT)]}
    found = look_at([place.noisy(hidden(place.view(), LEFT)) for _ in range(3)], asked)
    (view,) = scene_measurements({**found, "is_learning": False})
    assert (view.value, view.details["lost_seats"]) == ("same", 1)
    judgement = judge_room(view_measurements(PICTURE | {"scene": {**found, "is_learning": False}}), parts=["picture"])
    (told,) = [one for one in findings(judgement) if one.check == "camera.view"]
    assert (told.code, told.outcome, told.responsible) == ("room.seat_hidden", Outcome.WARN, "room_host")


def test_seats_are_typed_found_listed_and_forgotten(tmp_path, capsys):
    """By hand in percent, or by the faces of who sits there; the same seat again is one; a new view forgets them."""
    state = ("--state", str(tmp_path))
    assert main(["seats", "--area", "5,40,35,95", "--area", "65,40,95,95", *state]) == 0
    assert "5,40,35,95" in capsys.readouterr().out
    assert stat.S_IMODE((tmp_path / SEATS).stat().st_mode) == 0o600
    for wrong in ("5,40,35", "a,b,c,d", "50,40,35,95", "5,40,35,195"):
        with pytest.raises(SystemExit) as ended:
            main(["seats", "--area", wrong, *state])
        assert ended.value.code == 64
    sits = list(seat_of_face(0.75, 0.45, 0.08, 0.15))
    probes = answering(picture={**PICTURE, "scene": {"seats": [sits]}})
    assert main(["seats", *state], ask_probe=probes) == 0
    assert len(own_seats(tmp_path)) == 2
    assert probes.asked[-1][1]["scene"] == {"find": True}
    nobody = answering(picture={**PICTURE, "scene": {"seats": []}})
    assert main(["seats", *state], ask_probe=nobody) == 3
    assert main(["reference", *state], ask_probe=answering(picture={**PICTURE, "scene": {"taken": True}})) == 0
    assert own_seats(tmp_path) == []
    assert main(["seats", "--forget", *state]) == 0


@pytest.mark.parametrize("damaged", [None, {}, "x", [1], [[0.1, 0.2, "a", 0.4]], [[0, 0, 0, float("nan")]], [[1, 2]]])
def test_a_damaged_file_of_seats_is_none(damaged):
    assert read_seats(damaged) == []


def test_seats_in_percent():
    assert seat_of_percent("5, 40,35,95") == pytest.approx(LEFT)


# ---- the sun

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def utc(moment_s: float) -> time.struct_time:
    return time.gmtime(moment_s)


def grid(*windows: int, glaring: bool = True):
    """A room of luma 70 with windows two parts wide at these columns."""
    found = np.full(COARSE[::-1], 70, np.uint8)
    for column in windows:
        found[2:6, column : column + 2] = 250 if glaring else 150
    return found


def history(*days: bool, hour: int = 14, column: int = 10):
    """Checks at this hour on the days before, and of each noon another window that is always bright."""
    taken, grids = [], []
    for back, glaring in enumerate(reversed(days), 1):
        moment = NOON.replace(hour=hour) - timedelta(days=back, minutes=45)
        taken += [moment.timestamp(), moment.replace(hour=7).timestamp()]
        grids += [grid(column) if glaring else grid(column, glaring=False), grid(2)]
    return np.array(taken), np.stack(grids)


def test_the_sun_of_the_last_days_is_expected_in_the_same_window():
    """Four of five days, in the second window from the left, at the hour of the meeting and no other."""
    taken, grids = history(True, True, False, True, True)
    assert len(windows_of(grids)) == 2
    sun = expected_sun(taken, grids, [NOON.replace(hour=14).timestamp()], local=utc)
    assert sun is not None
    assert (sun.window, sun.hour, sun.days, sun.of_days) == (2, 14, 4, 5)
    assert expected_sun(taken, grids, [NOON.replace(hour=17).timestamp()], local=utc) is None, "nobody looked then"
    morning = expected_sun(taken, grids, [NOON.replace(hour=7, minute=30).timestamp()], local=utc)
    assert morning is not None
    assert (morning.window, morning.days) == (1, 5)


def test_the_sun_does_not_follow_a_change_of_the_clocks(monkeypatch):
    """On the Sunday when the clocks go back, two o'clock is three of the days before, and the checks then say so."""
    monkeypatch.setenv("TZ", "Europe/Oslo")
    time.tzset()
    try:
        meeting = datetime(2026, 10, 25, 13, 0, tzinfo=UTC)
        taken = [(meeting - timedelta(days=back, minutes=45)).timestamp() for back in range(1, 6)]
        looked = [(meeting - timedelta(days=back, hours=1, minutes=45)).timestamp() for back in range(1, 6)]
        grids = np.stack([grid(10)] * 5)
        sun = expected_sun(np.array(taken), grids, [meeting.timestamp()])
        assert sun is not None
        assert (sun.window, sun.hour, sun.days, sun.of_days) == (1, 14, 5, 5)
        assert expected_sun(np.array(looked), grids, [meeting.timestamp()]) is None, "an hour off by the sun"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_few_days_and_overcast_days_warn_nobody():
    """Two days tell nothing; a window that is bright without blinding is no sun; an evenly burnt picture no window."""
    meeting = [NOON.replace(hour=14).timestamp()]
    assert expected_sun(*history(True, True), meeting, local=utc) is None
    sun = expected_sun(*history(False, False, False, False), meeting, local=utc)
    assert sun is not None
    assert sun.days == 0
    assert windows_of(np.full((5, *COARSE[::-1]), 255, np.uint8)) == []
    assert expected_sun(np.zeros(0), np.zeros((0, *COARSE[::-1]), np.uint8), meeting, local=utc) is None


def test_light_is_kept_by_the_checks_and_told_as_figures(tmp_path, monkeypatch):
    """A check adds 192 numbers to a file of this account's own; what leaves is a share, a window and an hour."""
    place, _ = garage()
    path = tmp_path / "reference.npz"
    now = [NOON.timestamp()]
    monkeypatch.setattr(scene_module.time, "time", lambda: now[0])
    look_at(three(place), {"path": str(path), "take": True})
    sunny = place.view()
    sunny[40:200, 420:520] = 255
    for _ in range(4):
        now[0] += 86_400
        found = look_at([place.noisy(sunny) for _ in range(3)], {"path": str(path), "meetings": [now[0] + 1800]})
        assert found["state"] == "same"
    assert stat.S_IMODE((tmp_path / LIGHT_FILE).stat().st_mode) == 0o600
    (sun,) = [one for one in scene_measurements(found) if one.check == "camera.sun"]
    assert (sun.value, sun.details["of_days"]) == (100.0, 4)
    judgement = judge_room(view_measurements(PICTURE | {"scene": found}), parts=["picture"])
    assert ("room.sun", "room_host") in {(one.code, one.responsible) for one in findings(judgement)}
    (tmp_path / LIGHT_FILE).write_bytes(b"PK broken")
    assert look_at(three(place), {"path": str(path), "meetings": [now[0] + 60]})["sun"] is None
