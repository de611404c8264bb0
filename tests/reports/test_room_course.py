"""When a room's failure is an alarm, when it is over, what its clock is worth, and when nothing is known of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from readiness.room.timetable import Rules
from reports.room_course import changes_of, corrected, events_after, is_twin, standing_of
from reports.timetable import read_cron, runs_before
from tests.fleet import room

NOW = datetime(2026, 12, 2, 9, 0, tzinfo=UTC)
"""A Wednesday."""
PASS, WARN, FAIL, HALF = "ready", "ready_with_warnings", "not_ready", "incomplete"


def told(*verdicts: str) -> list[str]:
    """The events of results in this order, each with the number of its result."""
    past: list[str] = []
    alarmed, found = False, []
    for number, verdict in enumerate(verdicts, 1):
        for kind in events_after(past, alarmed=alarmed, verdict=verdict):
            found.append(f"{number} {kind}")
            alarmed = kind == "alarm" or (alarmed and kind != "recovery")
        past.insert(0, verdict)
    return found


def test_one_slip_alarms_nobody_and_the_second_does():
    """The first failure asks for a repetition; recovery is an event of its own."""
    assert told(PASS, FAIL, PASS) == ["2 fail", "3 recovery"]
    assert told(PASS, FAIL, FAIL, FAIL, WARN) == ["2 fail", "3 alarm", "5 recovery"]
    assert told(PASS, WARN, PASS) == []


def test_three_of_eight_alarm_though_a_pass_lies_between():
    """A loose contact is an alarm too, and one good check is no recovery from it."""
    assert told(FAIL, PASS, FAIL, PASS, FAIL) == ["1 fail", "2 recovery", "3 fail", "4 recovery", "5 alarm"]
    assert told(FAIL, PASS, FAIL, PASS, FAIL, PASS, PASS)[-1] == "7 recovery"
    assert told(FAIL, *[PASS] * 6, FAIL, PASS, FAIL, PASS)[-2:] == ["10 fail", "11 recovery"]


def test_what_was_not_measured_is_neither_a_failure_nor_a_recovery():
    """An unfinished check between two failures hides nothing, and after one it mends nothing."""
    assert told(FAIL, HALF, FAIL) == ["1 fail", "3 alarm"]
    assert told(FAIL, FAIL, HALF, HALF, HALF) == ["1 fail", "2 alarm"]
    assert told(FAIL, *[HALF, HALF, PASS] * 6, FAIL, PASS, FAIL)[-1] == "22 fail", "eight that were judged"
    assert changes_of(room(unknown_at=NOW), [FAIL], verdict=None, boot="a", now=NOW) == ["heard"]


def test_a_fault_that_outlives_known_until_is_told():
    """Nobody heard of the alarm while it was known; when that is over the fault is told once, if it is still there."""
    before = NOW - timedelta(days=3)
    known = room(alarm_at=before, known_until=NOW - timedelta(days=1))
    assert changes_of(known, [FAIL, FAIL], verdict=FAIL, boot="a", now=NOW) == ["alarm"]
    assert changes_of(known, [FAIL, FAIL], verdict=PASS, boot="a", now=NOW) == ["recovery"]
    told_since = room(alarm_at=NOW - timedelta(hours=1), known_until=NOW - timedelta(days=1))
    assert changes_of(told_since, [FAIL, FAIL], verdict=FAIL, boot="a", now=NOW) == []
    still = room(alarm_at=before, known_until=NOW + timedelta(days=1))
    assert changes_of(still, [FAIL, FAIL], verdict=FAIL, boot="a", now=NOW) == []


def test_a_room_that_can_never_be_measured_needs_somebody():
    """Three checks in a row without a verdict are an alarm; a good one ends it."""
    assert told(PASS, HALF, HALF, PASS) == []
    assert told(PASS, HALF, HALF, HALF, HALF, PASS) == ["4 alarm", "6 recovery"]
    assert told(HALF, HALF, HALF, FAIL) == ["3 alarm"]


def test_a_wrong_clock_is_corrected_by_the_age_of_the_result():
    """The monotonic clock counts; across a restart the clock's error at sending does, and nothing is in the future."""
    wrong = NOW + timedelta(hours=5)
    ended = wrong - timedelta(minutes=2)
    found = corrected(ended - timedelta(seconds=40), ended, wrong, 120.0, NOW)
    assert found.ended_at == NOW - timedelta(seconds=120)
    assert found.ended_at - found.started_at == timedelta(seconds=40)
    assert found.clock_off_s == 5 * 3600
    assert corrected(ended, ended, wrong, None, NOW).ended_at == NOW - timedelta(minutes=2)
    assert corrected(wrong, wrong, NOW, None, NOW).ended_at == NOW
    assert corrected(NOW, NOW, NOW, 0.0, NOW).clock_off_s == 0


def test_two_agents_with_one_key_are_noticed_and_a_restart_is_not():
    """Another boot is a restart; the first one speaking again within the hour is another PC."""
    ago = [NOW - timedelta(minutes=minutes) for minutes in (50, 20)]
    assert not is_twin([("a", ago[0])], "b", NOW)
    assert is_twin([("a", ago[0]), ("b", ago[1])], "a", NOW)
    assert not is_twin([("a", NOW - timedelta(hours=2)), ("b", ago[1])], "a", NOW)
    twins = room(boots=(("a", ago[0]), ("b", ago[1])))
    assert changes_of(twins, [], verdict=PASS, boot="a", now=NOW) == ["two_agents"]


def test_nothing_heard_for_two_planned_checks_is_unknown_and_says_what_worked_last():
    """A weekend without a plan is no silence; that the program is alive does not make up for checks."""
    enrolled = NOW - timedelta(days=20)
    friday = datetime(2026, 11, 27, 5, 20, tzinfo=UTC)
    monday = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
    known = room(made_at=enrolled, enrolled_at=enrolled, heard_at=friday, state=PASS, asked_at=friday)
    assert standing_of(known, monday).state == PASS
    assert standing_of(known, monday + timedelta(days=1)).state == "unknown"
    alive = room(made_at=enrolled, enrolled_at=enrolled, heard_at=friday, state=PASS, asked_at=monday, alarm_at=friday)
    found = standing_of(alive, monday + timedelta(days=1))
    assert (found.state, found.since, found.last_step, found.last_at) == ("unknown", friday, "asked", monday)
    assert not found.is_alarm
    assert standing_of(room(), NOW).state == "not_enrolled"
    assert standing_of(room(enrolled_at=NOW), NOW).state == "new"


def test_known_until_outlives_any_result():
    """Until its time, and not longer."""
    until = NOW + timedelta(days=1)
    bad = room(enrolled_at=NOW, heard_at=NOW, state=FAIL, alarm_at=NOW, known_until=until)
    assert standing_of(bad, NOW).known_until == until
    assert standing_of(bad, NOW).is_alarm
    assert standing_of(bad, until).known_until is None


@pytest.mark.parametrize(
    "line",
    ["0 6 * *", "0 25 * * *", "x 6 * * *", "5-1 6 * * *", "*/0 6 * * *", "0 6 30 2 *", f"0 6 * * {'1,' * 99}1"],
)
def test_a_line_that_is_none_is_refused_in_a_sentence(line):
    """With an example; read as the agent reads it."""
    with pytest.raises(ValueError, match="five fields are needed, such as 0 6"):
        read_cron(line)


def test_planned_moments_in_the_rooms_own_zone():
    """Half past two in the night of the change is one run, at the agent's own moment; lists and weekdays count."""
    after = datetime(2027, 3, 28, 12, tzinfo=UTC)
    assert runs_before("30 2 * * *", "Europe/Oslo", after, 2)[0] == datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    autumn = runs_before("30 2 * * *", "Europe/Oslo", datetime(2027, 10, 31, 12, tzinfo=UTC), 2)
    assert [one.day for one in autumn] == [31, 30]
    found = runs_before("0,30 6-7 * * 1-5", "Europe/Oslo", NOW, 5)
    assert [f"{one:%d %H:%M}" for one in found] == ["02 06:30", "02 06:00", "02 05:30", "02 05:00", "01 06:30"]
    for zone, line in (("Europe/Oslo", "30 2 * * *"), ("America/New_York", "15 1-3 * 3,11 0")):
        rules = Rules.read({"cron": line, "time_zone": zone, "spread_min": 0}, [], "room-1")
        planned = runs_before(line, zone, datetime(2027, 12, 1, tzinfo=UTC), 40)
        assert [rules.next_after(one) for one in planned[1:]] == list(planned[:-1]), "the agent's own moments"
