"""The room's agent: each planned time once whatever clocks do, nothing lost, and nobody disturbed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from readiness.room.errors import RevokedError
from readiness.room.line import MOST_HOSTS, measure_hosts
from readiness.room.timetable import Rules, TimetableError
from tests.room.simulated import MONDAY, SETTINGS, Clock, Rig

ROOT = Path(__file__).resolve().parents[2]


def local(rig, times):
    """Planned times as the room's people read them, less the room's own share of the spread."""
    rules = rig.agent.rules
    return [(datetime.fromisoformat(one) - rules.spread).astimezone(rules.zone).strftime("%d %H:%M") for one in times]


async def test_a_check_each_day_and_no_sleep_over_a_minute(tmp_path):
    rig = Rig(tmp_path)
    await rig.live(days=5)
    assert local(rig, rig.planned) == [f"{day:02d} 06:00" for day in (1, 2, 3, 4, 5)]
    assert rig.clock.longest_s <= 60
    begun = [begin - datetime.fromisoformat(planned) for (begin, _), planned in zip(rig.runs, rig.planned, strict=True)]
    assert max(begun) <= timedelta(seconds=60)
    assert timedelta(0) <= rig.agent.rules.spread < timedelta(minutes=20)


async def test_rooms_are_spread_and_each_keeps_its_place():
    spreads = [Rules.read(SETTINGS, [], f"room-{number}").spread for number in range(300)]
    assert spreads == [Rules.read(SETTINGS, [], f"room-{number}").spread for number in range(300)]
    assert len(set(spreads)) > 200
    assert min(spreads) < timedelta(minutes=1)
    assert max(spreads) > timedelta(minutes=19)


@pytest.mark.parametrize(
    ("begins", "cron", "days", "wanted"),
    [
        (datetime(2027, 3, 26, 12, tzinfo=UTC), "30 2 * * *", 4, ["27 02:30", "28 03:00", "29 02:30", "30 02:30"]),
        (datetime(2027, 10, 29, 12, tzinfo=UTC), "30 2 * * *", 4, ["30 02:30", "31 02:30", "01 02:30", "02 02:30"]),
        (datetime(2028, 2, 27, 12, tzinfo=UTC), "0 6 * * *", 3, ["28 06:00", "29 06:00", "01 06:00"]),
        (datetime(2028, 2, 27, 12, tzinfo=UTC), "0 6 29 2 *", 3, ["29 06:00"]),
    ],
)
async def test_changes_of_the_clock_and_leap_days(tmp_path, begins, cron, days, wanted):
    """Spring, autumn, 29 February: each day's check once."""
    rig = Rig(tmp_path, Clock(begins), cron=cron)
    await rig.live(days=days)
    assert local(rig, rig.planned) == wanted


async def test_what_was_slept_over_becomes_one_check(tmp_path):
    """The lid is shut for three days, over three planned times."""
    rig = Rig(tmp_path)
    await rig.live(hours=20)
    rig.clock.go(3 * 86_400)
    await rig.live(minutes=5)
    assert local(rig, rig.planned) == ["01 06:00", "04 06:00"]
    await rig.live(days=1)
    assert local(rig, rig.planned) == ["01 06:00", "04 06:00", "05 06:00"]


@pytest.mark.parametrize("back", [{"minutes": -20}, {"hours": -1}, {"hours": -5}])
async def test_a_clock_set_back_runs_nothing_twice(tmp_path, back):
    rig = Rig(tmp_path)
    await rig.live(hours=17, minutes=30)
    rig.clock.set(**back)
    await rig.live(days=2, hours=6)
    assert local(rig, rig.planned) == ["01 06:00", "02 06:00", "03 06:00"]


async def test_a_clock_that_was_years_ahead_does_not_stop_the_checks(tmp_path):
    """Before the battery was changed it was 2031 for an hour."""
    rig = Rig(tmp_path)
    rig.clock.set(days=1600)
    await rig.live(hours=1)
    rig.clock.set(days=-1600)
    await rig.live(days=2)
    assert local(rig, rig.planned)[-2:] == ["01 06:00", "02 06:00"]


async def test_a_failed_check_is_made_again_once(tmp_path):
    rig = Rig(tmp_path, verdicts=("not_ready", "not_ready", "ready"))
    await rig.live(days=1)
    first, second = rig.server.results
    assert (first["reason"], second["reason"]) == ("timetable", "repeat")
    gap = datetime.fromisoformat(second["started_at"]) - datetime.fromisoformat(first["ended_at"])
    assert timedelta(minutes=10) <= gap <= timedelta(minutes=11)
    assert second["planned_at"] is None


async def test_one_check_before_a_meeting(tmp_path):
    """Between an hour and a half before; none where one was made then anyway, and none too late."""
    rig = Rig(tmp_path)
    begins = [MONDAY + timedelta(hours=3), MONDAY + timedelta(minutes=20)]
    rig.server.meetings = [
        {"starts_at": one.isoformat(), "ends_at": (one + timedelta(hours=1)).isoformat()} for one in begins
    ]
    await rig.live(hours=4)
    (only,) = rig.server.results
    assert only["reason"] == "meeting"
    ahead = begins[0] - datetime.fromisoformat(only["started_at"])
    assert timedelta(minutes=30) <= ahead <= timedelta(minutes=60)
    rig.new_agent()
    await rig.live(minutes=30)
    assert len(rig.server.results) == 1


async def test_what_the_server_asks_for_is_done_once(tmp_path):
    rig = Rig(tmp_path)
    rig.server.wanted = "wish-1"
    await rig.live(minutes=30)
    assert [one["reason"] for one in rig.server.results] == ["asked"]
    rig.new_agent()
    await rig.live(minutes=10)
    rig.server.wanted = "wish-2"
    await rig.live(minutes=10)
    assert [one["reason"] for one in rig.server.results] == ["asked", "asked"]


@pytest.mark.slow
async def test_a_room_in_use_is_left_alone_and_checked_later(tmp_path):
    """Told once with since when; checked as soon as it is free, for the same planned time."""
    rig = Rig(tmp_path)
    free_at = MONDAY + timedelta(hours=22)
    rig.busy = lambda: rig.clock.now() < free_at
    await rig.live(hours=23)
    told, checked = rig.server.results
    assert (told["not_checked"], told["check"], told["reason"]) == ("in_use", None, "timetable")
    assert told["in_use_since"].startswith("2026-12-01T05:")
    assert checked["planned_at"] == told["planned_at"]
    assert timedelta(0) <= datetime.fromisoformat(checked["started_at"]) - free_at <= timedelta(minutes=6)
    rig.busy = lambda: True
    await rig.live(days=1)
    assert [one.get("not_checked") for one in rig.server.results] == ["in_use", None, "in_use"]
    assert rig.agent.diary.in_use_since


async def test_nothing_is_played_while_a_meeting_has_the_room(tmp_path):
    """Ten minutes before and after count too; then the check is made."""
    rig = Rig(tmp_path, cron="0 14 * * *", spread_min=0)
    begins = MONDAY + timedelta(hours=1, minutes=5)  # 14:05 in Oslo
    rig.server.meetings = [{"starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=1)).isoformat()}]
    await rig.live(hours=4)
    inside = [when for when, _ in rig.runs if begins - timedelta(minutes=10) <= when < begins + timedelta(minutes=70)]
    assert inside == []
    assert len(rig.planned) == 1


async def test_a_meeting_is_known_to_a_program_that_starts_without_its_server(tmp_path):
    """A PC that is up before its network makes the check that it missed, but not into a meeting."""
    rig = Rig(tmp_path, cron="0 6 * * *", spread_min=0)
    begins = MONDAY + timedelta(hours=1)
    rig.server.meetings = [{"starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=2)).isoformat()}]
    await rig.live(minutes=2)
    rig.server.is_away = True
    rig.clock.go((begins - rig.clock.now()).total_seconds() + 60)
    rig.agent.diary.last_planned = "2026-01-01T00:00:00Z"
    rig.agent.diary.write(tmp_path)
    before = len(rig.runs)
    rig.new_agent()
    await rig.live(hours=1)
    assert len(rig.runs) == before
    await rig.live(hours=3)
    assert len(rig.runs) > before


@pytest.mark.slow
async def test_a_key_that_is_not_changed_holds_up_nothing(tmp_path):
    """The server may refuse a new key for days: results arrive with the old one, and it is asked again."""
    rig = Rig(tmp_path)
    rig.server.keeps_key = True
    await rig.live(days=33)
    assert len(rig.planned) == 33
    assert rig.server.keys == ["key-1"]
    rig.server.keeps_key = False
    await rig.live(minutes=5)
    assert rig.server.keys == ["key-1", "key-2"]


async def test_a_check_that_the_system_refuses_is_made_later(tmp_path):
    """Too many open files end no service: the planned time stays due."""
    rig = Rig(tmp_path, cron="0 6 * * *")
    check, rig.refused = rig.check, 0

    def refused(run):
        if rig.refused < 2:
            rig.refused += 1
            raise OSError(24, "Too many open files")
        return check(run)

    rig.check = refused
    rig.new_agent()
    await rig.live(days=1)
    assert (rig.refused, len(rig.planned)) == (2, 1)


async def test_in_use_is_over_when_nobody_is_there(tmp_path):
    """A wish that found the room in use leaves no "in use since" behind, and the agent does not hurry meanwhile."""
    rig = Rig(tmp_path, cron="0 6 * * *")
    await rig.live(minutes=5)
    rig.busy, rig.server.wanted = (lambda: True), "wish-1"
    await rig.live(minutes=2)
    assert rig.agent.diary.in_use_since
    rig.busy = lambda: False
    await rig.live(hours=1)
    assert rig.agent.diary.in_use_since == ""


async def test_people_may_sleep_at_night(tmp_path):
    rig = Rig(tmp_path, cron="0 3,12 * * *", spread_min=0)
    await rig.live(days=1)
    assert [run.is_quiet_time for _, run in rig.runs] == [True, False]


async def test_a_week_without_the_server(tmp_path):
    """Everything that was found arrives, oldest first, once; the room goes on by the timetable that it knows."""
    rig = Rig(tmp_path, cron="0 * * * *")
    await rig.live(hours=2)
    rig.server.is_away = True
    calls = rig.server.calls
    await rig.live(days=7)
    assert rig.server.calls - calls < 7 * 24 * 8
    rig.server.is_away, rig.server.is_forgetful = False, True
    await rig.live(hours=2)
    assert len(rig.planned) == len(set(rig.planned)) == 7 * 24 + 4
    assert rig.planned == sorted(rig.planned)
    assert [one["id"] for one in rig.server.results] == sorted(one["id"] for one in rig.server.results)
    assert len(rig.agent.spool) == 0
    oldest = rig.server.results[3]
    assert oldest["monotonic_age_s"] > 6 * 86_400
    assert oldest["dropped"] == {"pass": 0, "other": 0}


async def test_a_result_that_is_refused_holds_up_no_other(tmp_path):
    rig = Rig(tmp_path, verdicts=("not_ready", "ready"))
    rig.server.refuses = {"timetable"}
    await rig.live(days=1)
    assert [one["reason"] for one in rig.server.results] == ["repeat"]
    assert rig.server.results[0]["dropped"] == {"pass": 0, "other": 1}


async def test_the_key_is_changed_once_a_month(tmp_path):
    rig = Rig(tmp_path)
    await rig.live(hours=1)
    rig.clock.go(29.5 * 86_400)
    await rig.live(hours=1)
    assert rig.server.keys == ["key-1"]
    await rig.live(days=1)
    assert rig.server.keys == ["key-1", "key-2"]
    assert rig.kept[-1].key == "key-2"
    assert rig.agent.enrolment.key == "key-2"


async def test_a_revoked_room_stops_and_says_so(tmp_path):
    rig = Rig(tmp_path)
    await rig.live(minutes=5)
    rig.server.is_revoked = True
    with pytest.raises(RevokedError):
        await rig.live(days=1)
    assert rig.new_agent().diary.is_revoked
    assert rig.runs == []


async def test_a_timetable_that_cannot_be_read_is_the_usual_one(tmp_path, caplog):
    rig = Rig(tmp_path, cron="every morning")
    await rig.live(days=1)
    assert len(rig.planned) == 1
    assert [record.message for record in caplog.records].count(
        "the server's timetable can't be read: Wrong number of fields"
    ) == 1
    for wrong in (
        {"time_zone": "Oslo"}, {"time_zone": "Europe"}, {"time_zone": "x" * 5000}, {"quiet_from": "late"},
        {"quiet_to": "06:00+14:00"}, {"before_meeting_min": [60]}, {"before_meeting_min": [10**12, 1]},
        {"spread_min": 10**30}, {"repeat_min": float("inf")}, {"guard_min": -1}, {"cron": "*/0 * * * *"},
    ):  # fmt: skip
        with pytest.raises(TimetableError):
            Rules.read({**SETTINGS, **wrong}, [], "room-1")
    for year in ("0001", "9999"):
        with pytest.raises(TimetableError):
            Rules.read(
                SETTINGS, [{"starts_at": f"{year}-01-01T00:00:00+14:00", "ends_at": f"{year}-12-31T23:59Z"}], "r"
            )
    with pytest.raises(TimetableError, match="names no zone"):
        Rules.read(SETTINGS, [{"starts_at": "2026-12-01T10:00:00", "ends_at": "2026-12-01T11:00:00"}], "room-1")


async def test_a_full_disk_is_reported_when_it_is_back(tmp_path, monkeypatch):
    """The newest twenty live in memory, what is more is counted, and the next check knows."""
    from readiness.room import spool

    rig = Rig(tmp_path, cron="0 * * * *", spread_min=0)
    rig.server.is_away = True

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(spool, "write_private", full)
        await rig.live(hours=25)
    rig.server.is_away = False
    await rig.live(hours=2)
    assert 20 <= len(rig.planned) < len(rig.runs)
    assert rig.runs[-3][1].disk_is_full
    assert not rig.runs[-1][1].disk_is_full
    assert sum(one["check"] is not None for one in rig.server.results) + rig.server.results[-1]["dropped"][
        "pass"
    ] == len(rig.runs)


@pytest.mark.slow
def test_killed_at_any_moment_each_finished_check_arrives_once(tmp_path):
    """`kill -9` twenty-five times while it checks, writes and sends; 200 times in the bench."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.room.killed", str(tmp_path), "25"], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=150,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] == 25
    assert told["finished"] >= 25
    assert told["lost"] == told["twice"] == 0


async def test_the_loop_ends_when_it_is_told(tmp_path):
    rig = Rig(tmp_path)
    running = asyncio.create_task(rig.agent.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_a_room_looks_for_few_hosts_and_none_that_is_nonsense(monkeypatch):
    """A server that somebody has taken over makes no scanner of a PC in a hospital's network."""
    asked = []

    async def connect(host, port):
        asked.append((host, port))
        raise OSError

    monkeypatch.setattr("asyncio.open_connection", connect)
    many = [f"10.9.0.{number}:22" for number in range(200)]
    assert measure_hosts({"hosts": many}) == {"asked": MOST_HOSTS, "reached": 0}
    assert len(asked) == MOST_HOSTS
    monkeypatch.undo()
    assert measure_hosts({"hosts": ["127.0.0.1:99999", "127.0.0.1:9", "\0", ""]}) == {"asked": 4, "reached": 0}
