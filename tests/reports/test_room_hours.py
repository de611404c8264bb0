"""Minutes not ready in working hours, and a timetable as a person chooses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from readiness.meetings.room_form import ROOM_FIELDS, changed_room, form_of
from reports.room_hours import hours_of
from reports.store.room_records import RoomResult, RoomSettings
from tests.cast import SUNNAAS
from tests.fleet import room

OSLO = ZoneInfo("Europe/Oslo")
MONDAY = datetime(2026, 11, 23, tzinfo=OSLO)


def found(verdict: str, *, day: int, at: str) -> RoomResult:
    hour, minute = map(int, at.split(":"))
    ended = (MONDAY + timedelta(days=day)).replace(hour=hour, minute=minute).astimezone(UTC)
    return RoomResult(f"{ended}", verdict, None, "timetable", ended, ended, ended, 0, {})


def test_what_a_check_found_holds_until_the_next_one_within_working_hours():
    """Failed at 06:00 and mended at 10:30 are two and a half hours; the night and the weekend count for nothing."""
    week = [found("ready", day=day, at="06:00") for day in range(5)]
    week += [found("not_ready", day=1, at="07:00"), found("ready", day=1, at="10:30")]
    week += [found("not_ready", day=4, at="15:30")]
    newest_first = sorted(week, key=lambda one: one.ended_at, reverse=True)
    hours = hours_of(newest_first, RoomSettings(), (MONDAY + timedelta(days=6)).astimezone(UTC))
    assert hours is not None
    assert (hours.worked_min, hours.not_ready_min, hours.unknown_min) == (5 * 8 * 60, 150 + 30, 0)
    weekends = RoomSettings(cron="0 6 * * *", work_from="10:00", work_to="12:00")
    hours = hours_of(newest_first, weekends, (MONDAY + timedelta(days=6)).astimezone(UTC))
    assert hours is not None
    assert (hours.worked_min, hours.not_ready_min) == (6 * 120, 30 + 120)


def test_a_room_that_is_silent_is_not_taken_for_ready():
    """From the second planned check that did not come on nothing is known; no verdict is no knowledge either."""
    now = (MONDAY + timedelta(days=4, hours=16)).astimezone(UTC)
    hours = hours_of([found("ready", day=0, at="06:00")], RoomSettings(), now)
    assert hours is not None
    assert hours.worked_min == 5 * 480
    assert hours.unknown_min == 3 * 480, "Monday and Tuesday are believed; Wednesday's check was the second"
    hours = hours_of([found("incomplete", day=4, at="08:00")], RoomSettings(), now)
    assert hours is not None
    assert hours.unknown_min == hours.worked_min == 480
    assert hours_of([], RoomSettings(), now) is None


def test_hours_are_right_over_a_change_of_the_clock():
    """25 October 2026 has 25 hours; its working hours are eight all the same."""
    sunday = datetime(2026, 10, 25, 0, 30, tzinfo=OSLO).astimezone(UTC)
    one = RoomResult("a", "not_ready", None, "timetable", sunday, sunday, sunday, 0, {})
    hours = hours_of([one], RoomSettings(cron="0 6 * * *"), sunday + timedelta(hours=24))
    assert hours is not None
    assert hours.not_ready_min == 480


def contacts():
    class Box:
        def close(self, text: str) -> bytes:
            return text.encode()

        def open(self, sealed: bytes) -> str:
            return sealed.decode()

    return Box()


def changed(was, **typed: str):
    form = form_of(was, contacts()) | typed
    assert set(form) == set(ROOM_FIELDS)
    return changed_room(form, was, SUNNAAS, contacts(), datetime.now(UTC))


@pytest.mark.parametrize(
    ("typed", "cron"),
    [
        ({"days": "workdays", "at": "06:00", "often": "once"}, "0 6 * * 1-5"),
        ({"days": "all", "at": "6.30", "often": "once"}, "30 6 * * *"),
        ({"days": "workdays", "at": "07:15", "often": "two"}, "15 7-15/2 * * 1-5"),
        ({"days": "all", "at": "06:00", "often": "one", "work_to": "15:30"}, "0 6-15/1 * * *"),
        ({"days": "workdays", "at": "18:00", "often": "one"}, "0 18 * * 1-5"),
    ],
)
def test_a_timetable_is_chosen_and_read_back(typed, cron):
    """As cron for the room's PC, and as the same choices for the next one who opens the form."""
    changes, problem = changed(room(), **typed)
    assert problem is None
    assert changes["settings"]["cron"] == cron
    again = form_of(room(settings=changes["settings"]), contacts())
    assert (again["days"], again["at"]) == (typed["days"], f"{typed['at'].replace('.', ':'):0>5}")
    assert again["often"] == ("once" if typed["at"] == "18:00" else typed["often"])


def test_a_timetable_of_another_shape_is_kept_and_what_is_not_in_the_form_too():
    """What the command line set stays, whatever else is changed on the page."""
    was = room(settings=RoomSettings(cron="*/20 5-7 1 * *", hosts=("meet.example",), spread_min=5).to_json())
    assert form_of(was, contacts())["days"] == "own"
    changes, _ = changed(was, name="Viken", contact="rom@sykehus.example", cancels_own_echo="yes")
    kept = RoomSettings.read(changes["settings"])
    assert (kept.cron, kept.hosts, kept.spread_min) == ("*/20 5-7 1 * *", ("meet.example",), 5)
    assert kept.cancels_own_echo
    assert (changes["name"], changes["contact"]) == ("Viken", b"rom@sykehus.example")


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"name": " "}, "name"), ({"zone": "x" * 61}, "place"), ({"contact": "nobody"}, "contact"),
        ({"at": "25:00"}, "hours"), ({"quiet_to": ""}, "hours"), ({"work_from": "16:00"}, "hours"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_form_is_named(typed, problem):
    assert changed(room(), **typed) == (None, problem)
