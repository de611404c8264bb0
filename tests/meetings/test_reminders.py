"""By the clock: who is reminded when, once; nobody at night; what turned in the last hour."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from readiness.meetings.reminders import Reminders, after_the_night, jobs_of, turned, wake_nobody
from reports.store import Store
from reports.store.feedback_records import Feedback
from reports.store.records import ReportMark, new_id
from tests.actors import CLOCK, otto
from tests.cast import SUNNAAS
from tests.meetings.scene import NOW, STARTS, Scene, a_meeting, make_scene, make_services

OSLO = ZoneInfo("Europe/Oslo")


@pytest.fixture
async def scene(migrated_file: Path, tmp_path: Path) -> AsyncIterator[Scene]:
    shutil.copy(migrated_file, tmp_path / "r.db")
    store = await Store.open(f"sqlite:///{tmp_path / 'r.db'}")
    yield await make_scene(make_services(store))
    await store.close()


async def queued(scene: Scene, at: datetime) -> list[tuple[str, str]]:
    """What is queued at this moment, by kind and whom: p for participant, h for host. A fresh process each time."""
    scene.services.clock = at
    before = {one.id for one in await scene.services.store.outgoing_of(CLOCK, scene.meeting.id)}
    services = scene.services
    clock = Reminders(services.store, services.contacts, now=services.now, can_sms=bool(services.settings.sms_url))
    await clock.queue_due()
    names = {scene.anna.id: "anna", scene.tolk.id: "tolk", scene.lars.id: "lars"}
    found = await scene.services.store.outgoing_of(CLOCK, scene.meeting.id)
    new = [one for one in found if one.id not in before]
    return sorted((one.kind, names[one.participant_id or one.host_id or ""]) for one in new)


async def test_whoever_has_not_tested_is_reminded_once(scene: Scene):
    """Two days and three hours before; not who is tested; the second look of another process adds nothing."""
    assert await queued(scene, STARTS - timedelta(days=2, minutes=1)) == []
    at = STARTS - timedelta(days=2) + timedelta(minutes=1)
    assert await queued(scene, at) == [("reminder", "anna"), ("reminder", "tolk")]
    assert await queued(scene, at + timedelta(minutes=1)) == []
    await scene.report(scene.anna, "ready_with_warnings", at, STARTS + timedelta(hours=2))
    await scene.report(scene.tolk, "incomplete", at, STARTS + timedelta(hours=2))
    # Three hours before ten is seven in the morning: nobody sleeps any more.
    assert await queued(scene, STARTS - timedelta(hours=3)) == [("recheck", "anna"), ("reminder", "tolk")]


async def test_a_corrected_link_reminds_nobody_again(scene: Scene):
    """Whoever was reminded an hour ago is, of a new link, only told that; of a new day, reminded again."""
    at, store = STARTS - timedelta(days=2) + timedelta(minutes=1), scene.services.store
    assert await queued(scene, at) == [("reminder", "anna"), ("reminder", "tolk")]
    sealed = scene.services.contacts.close("https://video.example/new")
    await store.change_meeting(otto("sunnaas"), scene.meeting.id, {"join_link": sealed})
    assert await queued(scene, at + timedelta(minutes=1)) == []
    later = {"starts_at": STARTS + timedelta(days=1), "ends_at": STARTS + timedelta(days=1, hours=1)}
    await store.change_meeting(otto("sunnaas"), scene.meeting.id, later)
    assert await queued(scene, at + timedelta(days=1)) == [("reminder", "anna"), ("reminder", "tolk")]


async def test_the_morning_asks_whose_test_is_old(scene: Scene):
    """Seven in the morning: who tested, but not for this day; once, and not who was never tested."""
    await scene.report(scene.anna, "ready", NOW - timedelta(days=9), STARTS - timedelta(days=2))
    seven = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    assert await queued(scene, seven - timedelta(minutes=1)) == []
    assert ("recheck", "anna") in await queued(scene, seven)
    assert await queued(scene, seven + timedelta(minutes=30)) == []


async def test_whoever_was_not_ready_is_reminded_too(scene: Scene):
    """The one who needs a nudge most: "not ready" is no finished test."""
    at = STARTS - timedelta(days=2) + timedelta(minutes=1)
    await scene.report(scene.anna, "not_ready", NOW - timedelta(days=1), STARTS + timedelta(days=1))
    await scene.report(scene.tolk, "ready", NOW - timedelta(days=1), STARTS + timedelta(days=1))
    assert await queued(scene, at) == [("reminder", "anna")]


async def test_the_morning_asks_who_tested_yesterday_for_the_short_check(scene: Scene):
    """For them it was made; who tested this morning already is left in peace."""
    seven = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
    await scene.report(scene.anna, "ready", NOW, STARTS + timedelta(days=13))
    await scene.report(scene.tolk, "ready", seven - timedelta(minutes=5), STARTS + timedelta(days=13))
    assert await queued(scene, seven) == [("recheck", "anna")]


async def test_the_leader_hears_at_six_the_evening_before(scene: Scene):
    """One summary for the whole day, though two meetings stand on it."""
    later = STARTS + timedelta(hours=3)
    await make_scene(scene.services, starts_at=later, ends_at=later + timedelta(hours=1))
    six = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
    assert await queued(scene, six - timedelta(minutes=1)) == []
    assert await queued(scene, six) == [("summary", "lars")]
    claimed = await scene.services.store.claim_outgoing(six, 50, 60)
    assert len([one for one in claimed if one.kind == "summary"]) == 1


async def test_what_turns_in_the_last_hour_is_told(scene: Scene):
    """From ready to not ready: once for one report. Ready again: once more. What was so before: nothing."""
    await scene.report(scene.tolk, "ready", STARTS - timedelta(hours=5), STARTS + timedelta(hours=1))
    await scene.report(scene.anna, "ready", STARTS - timedelta(hours=4), STARTS + timedelta(hours=1))
    at = STARTS - timedelta(minutes=50)
    assert await queued(scene, at) == []
    await scene.report(scene.anna, "not_ready", at, STARTS + timedelta(hours=1))
    assert await queued(scene, at) == [("alert", "lars"), ("reminder", "anna")]
    assert await queued(scene, at) == []


async def test_switched_off_withdrawn_cancelled_and_too_late_are_left_alone(scene: Scene):
    """No reminder without reminders, without an open link, for a cancelled meeting, or long after its moment."""
    store, due = scene.services.store, STARTS - timedelta(hours=3)
    await store.revoke_of(NOW, participant_id=scene.anna.id)
    await store.change_meeting(otto("sunnaas"), scene.meeting.id, {"reminders": ()})
    assert await queued(scene, due) == []
    await store.change_meeting(otto("sunnaas"), scene.meeting.id, {"reminders": (2880,)})
    assert await queued(scene, STARTS - timedelta(days=1, hours=20)) == []
    assert await queued(scene, STARTS - timedelta(days=2)) == [("reminder", "tolk")]
    await store.cancel_meeting(otto("sunnaas"), scene.meeting.id, NOW)
    assert await queued(scene, datetime(2026, 11, 30, 17, 0, tzinfo=UTC)) == []


async def test_who_was_invited_is_asked_once_how_it_went(scene: Scene):
    """Ten minutes after the end, where the organisation wants it; not who answered, nor who got no message."""
    store, ends = scene.services.store, scene.meeting.ends_at
    for person, channel in ((scene.anna, "mail"), (scene.tolk, "sms")):
        await store.queue([scene.outgoing("invitation", channel, person, state="sent", sent_at=NOW)])
    at = ends + timedelta(minutes=11)
    assert await queued(scene, at) == [], "nobody is asked until the organisation says so"
    await store.ensure_organisation(replace(SUNNAAS, asks_afterwards=True))
    assert await queued(scene, ends + timedelta(minutes=9)) == []
    whose = (SUNNAAS.id, scene.meeting.id, scene.tolk.id, None, "interpreter", "consultation", "other")
    answer = Feedback(new_id(), *whose, None, None, 5, "", "2026-W49")
    await store.add_feedback(answer)
    assert await queued(scene, at) == [("afterwards", "anna")]
    assert await queued(scene, at + timedelta(minutes=5)) == []


@pytest.mark.parametrize(
    ("moment", "becomes"),
    [("2026-12-01T21:05+01:00", "2026-12-02T07:00+01:00"), ("2026-12-01T06:00+01:00", "2026-12-01T07:00+01:00"),
     ("2026-12-01T15:00+01:00", "2026-12-01T15:00+01:00")],
)  # fmt: skip
def test_the_question_waits_for_the_morning(moment: str, becomes: str):
    """A meeting that ends late is asked about the day after."""
    assert after_the_night(datetime.fromisoformat(moment), OSLO) == datetime.fromisoformat(becomes)


@pytest.mark.parametrize(
    ("moment", "becomes"),
    [
        ("2026-10-25T05:00+01:00", "2026-10-24T20:00+02:00"),  # the clocks went back in the night between
        ("2026-10-25T07:00+01:00", "2026-10-25T07:00+01:00"),
        ("2027-03-28T06:59+02:00", "2027-03-27T20:00+01:00"),  # and forward
        ("2026-12-01T20:59+01:00", "2026-12-01T20:59+01:00"),
        ("2026-12-01T21:00+01:00", "2026-12-01T20:00+01:00"),
        ("2026-12-01T00:10+01:00", "2026-11-30T20:00+01:00"),
    ],
)
def test_nobody_is_woken(moment: str, becomes: str):
    """From 21:00 to 07:00 on the organisation's clock, both changes of the clocks included."""
    assert wake_nobody(datetime.fromisoformat(moment), OSLO) == datetime.fromisoformat(becomes)


@pytest.mark.parametrize(("hour", "check"), [(10, "2026-12-01T07:00+01:00"), (7, "2026-11-30T20:00+01:00")])
def test_an_early_meeting_is_checked_the_evening_before(hour: int, check: str):
    """The check comes an hour before at least."""
    meeting = a_meeting(starts_at=datetime(2026, 12, 1, hour, 30, tzinfo=OSLO))
    (job,) = [job for job in jobs_of(meeting, OSLO) if job.kind == "recheck"]
    assert job.moment == datetime.fromisoformat(check)


def marks(*said: tuple[str, int, str]) -> list[ReportMark]:
    return [ReportMark(whose, f"{whose}{at}", verdict, NOW + timedelta(minutes=at)) for whose, at, verdict in said]


@pytest.mark.parametrize(
    ("reports", "told"),
    [
        ([("a", -5, "ready"), ("a", 5, "not_ready")], ["a5"]),
        ([("a", -5, "ready"), ("a", 5, "ready_with_warnings")], []),
        ([("a", 5, "ready")], ["a5"]),
        ([("a", 5, "not_ready")], ["a5"]),
        ([("a", 5, "incomplete")], []),
        ([("a", -5, "not_ready"), ("a", 5, "not_ready")], []),
        ([("a", -5, "ready"), ("a", 5, "not_ready"), ("a", 9, "ready")], []),
        ([("a", -5, "not_ready"), ("b", 2, "incomplete"), ("a", 5, "ready")], ["a5"]),
    ],
)
def test_only_what_turned_is_told(reports: list[tuple[str, int, str]], told: list[str]):
    """Ready or not, against how it was an hour before the meeting."""
    assert [mark.report_id for mark in turned(marks(*reports), NOW)] == told
