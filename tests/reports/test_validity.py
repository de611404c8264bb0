"""How long an answer stands: by age, by day, and for which device; and what a short check makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from probes.measurement import Measurement
from reports.assembly import CARRIED, Ending, finished_phases, left_out, make_report
from reports.kinds import SELF_TEST, profile_of, solution_of
from reports.model import rfc3339
from reports.phases import FinishedPhase
from reports.profile import load_profile
from reports.store.records import Meeting, StoredReport
from reports.validity import carry_over, is_over, recheck_due, state_of
from tests.made import CLIENT
from tests.server.test_board import phases

OSLO = "Europe/Oslo"
PROFILE = load_profile("consultation")
TUESDAY = datetime(2026, 11, 24, 10, 0, tzinfo=ZoneInfo(OSLO))
EVENING_BEFORE = TUESDAY - timedelta(hours=14)
MORNING = TUESDAY - timedelta(hours=2)
MEETING = Meeting("m", "o", "", TUESDAY, TUESDAY + timedelta(minutes=45), "consultation", (), 1)
PHASES = SELF_TEST.whole.phases


def phase_of(*measured: Measurement) -> dict:
    """A finished phase as it is stored."""
    return FinishedPhase(measured).to_json()


HERE = {"devices": phase_of(Measurement("camera.present", "present"), Measurement("microphone.present", "present"))}


def judged(found: dict, at: datetime, *, client=CLIENT, cause: str | None = None, solution: str = "other"):
    """A report as a test at `at` would make it."""
    ending = Ending(
        report_id="r", code="ABCDEF", started_at=at, now=at, duration_s=30.0, kind=SELF_TEST, client=client,
        bytes_up=0, bytes_down=0, software_version="1", cause=cause, solution=solution,
    )  # fmt: skip
    return make_report(found, PROFILE, ("private_room",), ending)


def stored(found: dict, at: datetime = EVENING_BEFORE, **change) -> StoredReport:
    """The same, as it is kept."""
    report = judged(found, at, **{name: change.pop(name) for name in ("client", "cause") if name in change})
    kept = StoredReport(
        "r", "ABCDEF", "o", "m", "p", "t", "s", report.verdict.value, report.complete, False, at, report.valid_until,
        report.to_json(),
    )  # fmt: skip
    return replace(kept, **change)


def carried(report: StoredReport, client=CLIENT, now: datetime = MORNING, **change):
    return carry_over(report, change.get("profile", PROFILE), change.get("solution", "other"), client, now)


def test_a_short_check_takes_over_what_it_does_not_look_at_with_its_age():
    """Picture, sound, loudspeaker, figures and answers are taken over; devices and path never are."""
    taken = carried(stored(phases()))
    assert taken is not None
    names = {check["id"] for check in taken["checks"]}
    assert {"camera.light", "microphone.noise", "speaker.heard", "network.rtt", "practical.private_room"} <= names
    assert not names & {"camera.present", "microphone.present", "browser.support", "network.path", "network.setup_time"}
    assert {check["measured_at"] for check in taken["checks"]} == {rfc3339(EVENING_BEFORE)}
    assert taken["valid_until"] == rfc3339(EVENING_BEFORE + timedelta(days=PROFILE.valid_days))


@pytest.mark.parametrize(
    "client",
    [
        {**CLIENT, "form": "computer"},
        {**CLIENT, "os": "iOS"},
        {**CLIENT, "browser": "Firefox 142"},
        {"kind": "browser"},
    ],
)
def test_the_laptop_does_not_vouch_for_the_phone(client):
    """Another form, system or browser needs the whole test; a newer version of the same browser does not."""
    assert carried(stored(phases()), client) is None
    assert carried(stored(phases(), client={"kind": "browser"}), {"kind": "browser"}) is None
    assert carried(stored(phases()), {**CLIENT, "browser": "Chrome 143"}) is not None


@pytest.mark.parametrize(
    "report",
    [
        stored(phases(), other_device=True),
        stored(phases(), at=MORNING - timedelta(days=20)),
        stored(phases(network__rtt=400.0)),
        stored(phases(microphone__level=None)),
        stored(phases(), body={**stored(phases()).body, "profile_version": "2020-01-1"}),
        stored(phases(), body={**stored(phases()).body, "checks": stored(phases()).body["checks"][:-1]}),
    ],
    ids=["for another device", "too old", "a failure", "a gap", "another version", "a check less"],
)
def test_what_would_not_be_enough_asks_for_the_whole_test(report):
    """Nothing is taken over from an answer that would not stand by itself."""
    assert carried(report) is None


def test_another_solution_or_profile_asks_for_the_whole_test():
    """The meeting was moved to another kind of video."""
    report = stored(phases())
    assert carried(report, solution="whereby") is None
    assert carried(report, profile=load_profile("audio_only")) is None


def test_what_the_short_check_looks_at_itself_may_have_been_wrong():
    """Yesterday's path failed but everything else is known: the short check is enough to mend it."""
    assert carried(stored(phases(network__path="none"))) is not None


def test_the_short_check_is_due_on_the_day_of_the_meeting_where_the_people_are():
    """Not on the day before, not twice on a day, not for an answer past its age, not when the meeting is over."""
    report = stored(phases())
    assert recheck_due(report, MEETING, OSLO, MORNING)
    assert recheck_due(report, MEETING, OSLO, TUESDAY.replace(hour=0, minute=1))
    assert not recheck_due(report, MEETING, OSLO, TUESDAY.replace(hour=0) - timedelta(minutes=1))
    assert not recheck_due(None, MEETING, OSLO, MORNING)
    assert not recheck_due(replace(report, created_at=MORNING - timedelta(hours=1)), MEETING, OSLO, MORNING)
    assert not recheck_due(replace(report, valid_until=MORNING), MEETING, OSLO, MORNING)
    assert not recheck_due(report, MEETING, OSLO, MEETING.ends_at + timedelta(hours=1))
    assert not recheck_due(report, replace(MEETING, state="cancelled"), OSLO, MORNING)
    failed = replace(report, created_at=MORNING, verdict="not_ready", body={**report.body, "mode": "recheck"})
    assert recheck_due(failed, MEETING, OSLO, MORNING), "what a short check found may be mended and checked again"


@pytest.mark.parametrize("day", [datetime(2026, 3, 29), datetime(2026, 10, 25)], ids=["to summer", "to winter"])
def test_days_are_local_days_over_both_changes_of_the_clock(day):
    """A test at 23:30 the evening before is another day, whatever the clock does at night."""
    starts = day.replace(hour=9, tzinfo=ZoneInfo(OSLO))
    meeting = replace(MEETING, starts_at=starts, ends_at=starts + timedelta(hours=1))
    evening = (day - timedelta(minutes=30)).replace(tzinfo=ZoneInfo(OSLO)).astimezone(UTC)
    report = stored(phases(), at=evening)
    assert recheck_due(report, meeting, OSLO, day.replace(minute=5, tzinfo=ZoneInfo(OSLO)).astimezone(UTC))
    assert not recheck_due(report, meeting, OSLO, evening + timedelta(minutes=29))


def short(report: StoredReport) -> dict:
    taken = carried(report)
    assert taken is not None
    return {CARRIED: taken}


def test_a_short_check_is_judged_with_what_it_took_over():
    """Good devices and path: ready again, at most as long as the whole test was; each figure keeps its age."""
    path = {"connect": phase_of(Measurement("network.path", "udp"), Measurement("network.setup_time", 200.0))}
    devices = {"devices": phase_of(*(m for m in _measurements(phases()) if m.check.endswith((".present", ".support"))))}
    devices["devices"]["measurements"].append(Measurement("camera.resolution", 720.0).to_json())
    report = judged({**short(stored(phases(network__rtt=200.0))), **devices, **path}, MORNING)
    assert (report.verdict.value, report.mode, report.complete) == ("ready_with_warnings", "recheck", True)
    assert report.advice == ("network.slow_response",)
    assert report.valid_until == EVENING_BEFORE + timedelta(days=PROFILE.valid_days)
    ages = {check.id: check.measured_at for check in report.checks}
    assert ages["camera.present"] is ages["network.path"] is None
    assert ages["network.rtt"] == EVENING_BEFORE
    assert [check.id for check in report.checks] == list(PROFILE.checks)
    again = carried(stored(phases(), body=report.to_json(), created_at=MORNING))
    assert again is not None
    assert {check["measured_at"] for check in again["checks"]} == {rfc3339(EVENING_BEFORE)}, (
        "the age does not start anew"
    )


def _measurements(found: dict) -> list[Measurement]:
    return [Measurement.from_json(item) for item in found["devices"]["measurements"]]


def test_a_short_check_that_stops_or_fails_is_not_ready():
    """What it looks at is never taken over, so a short check that never got there leaves a gap or a failure."""
    blocked = {"connect": phase_of(Measurement("network.path", "none"), Measurement("network.setup_time", 1.0))}
    assert judged({**short(stored(phases())), **HERE}, MORNING, cause="disconnected").verdict.value == "incomplete"
    assert judged({**short(stored(phases())), **HERE, **blocked}, MORNING).verdict.value == "not_ready"


def test_a_short_check_has_only_its_own_phases_to_do():
    """The page is told that all the rest is done; the way is tried as a whole again after a lost line."""
    phases_of = short(stored(phases()))
    assert SELF_TEST.short is not None
    assert set(PHASES) - set(finished_phases(SELF_TEST, phases_of)) == set(SELF_TEST.short.phases)
    assert left_out(SELF_TEST, phases_of) == "devices"
    some = {**phases_of, **HERE, "connect": {}}
    assert set(PHASES) - set(finished_phases(SELF_TEST, some)) == {"connect", "paths", "service"}
    assert set(PHASES) - set(finished_phases(SELF_TEST, {**some, "paths": {}})) == {"service"}
    assert left_out(SELF_TEST, {}) == "devices"


def test_states_and_ends():
    """Stale by age whatever it said; over an hour after the end, or when it is cancelled."""
    report = stored(phases())
    assert state_of(None, MORNING) == "not_tested"
    assert state_of(report, MORNING) == "ready"
    assert state_of(report, report.valid_until) == "stale"
    assert not is_over(MEETING, MEETING.ends_at + timedelta(minutes=59))
    assert is_over(MEETING, MEETING.ends_at + timedelta(minutes=60))
    assert is_over(replace(MEETING, state="cancelled"), MORNING)


def test_a_meeting_whose_files_are_gone_still_tests():
    """A profile or solution that an update took away falls back to the plain ones."""
    assert profile_of(replace(MEETING, profile="gone", solution="gone")) == PROFILE
    assert solution_of(None) == "other"
    assert profile_of(replace(MEETING, solution="nhn_join")).need_mbps == 1.85
