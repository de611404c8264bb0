"""What a room sends is read from closed lists: no name of a device, no text, no verdict against its own checks."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest

from readiness.texts import catalogue
from reports.room_reading import CAUSES, ReadingError, read_room_check
from reports.rooms import room_profile
from tests.fleet import BROKEN, room_check


def test_what_a_room_prints_is_read_as_it_is():
    """Verdict, findings and figures stay, healthy or not."""
    told = json.loads(json.dumps(room_check(**BROKEN)))
    found = read_room_check(told)
    assert found["verdict"] == "not_ready"
    assert found["findings"][0]["code"] == "room.microphone_missing"
    assert {one["id"] for one in found["checks"]} == set(room_profile().checks)
    assert read_room_check(json.loads(json.dumps(room_check())))["verdict"] == "ready"


PLACES = {
    "check.schema": lambda told: told.update(schema="x"),
    "check.verdict": lambda told: told.update(verdict="fine"),
    "check.complete": lambda told: told.update(complete=1),
    "check.checks.0.id": lambda told: told["checks"][0].update(id="room.canary"),
    "check.checks.0.outcome": lambda told: told["checks"][0].update(outcome="good"),
    "check.checks.0.value": lambda told: told["checks"][0].update(value="Canary Speak 510"),
    "check.checks.0.low": lambda told: told["checks"][0].update(low=[1]),
    "check.checks.0.cause": lambda told: told["checks"][0].update(cause="canary"),
    "check.checks.0.advice": lambda told: told["checks"][0].update(advice="room.canary"),
    "check.checks.0.responsible": lambda told: told["checks"][0].update(responsible="Kari"),
    "check.findings.0.code": lambda told: told["findings"].append(
        {"check": "room.loop", "outcome": "fail", "code": "c"}
    ),
    "check.checks": lambda told: told["checks"].append(told["checks"][0]),
    "check.profile": lambda told: told.update(profile="Canary room"),
    "check.software_version": lambda told: told.update(software_version="on canary-pc"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_on_no_list_is_refused_with_its_place(place):
    """Each of these could carry a name."""
    told = deepcopy(room_check())
    PLACES[place](told)
    with pytest.raises(ReadingError, match=rf"^{place}$"):
        read_room_check(told)


def test_fields_beside_the_lists_are_left_out():
    """A detail that no rule names is dropped, and so is any further field."""
    told = room_check() | {"hostname": "canary"}
    told["checks"][0] |= {"device": "canary", "details": {"canary": 1, "dead": "1 3", "channels": 4}}
    found = read_room_check(told)
    assert "canary" not in json.dumps(found)
    assert found["checks"][0]["details"] == {"channels": 4}


@pytest.mark.parametrize(("verdict", "changed"), [("ready", BROKEN), ("not_ready", {})])
def test_a_verdict_against_its_own_checks_is_refused(verdict, changed):
    """Nothing is judged again, but a contradiction is no result."""
    with pytest.raises(ReadingError, match="verdict"):
        read_room_check(room_check(**changed) | {"verdict": verdict})


def test_every_cause_and_finding_has_words():
    """In the catalogue that the room's page reads from."""
    texts = catalogue("nb")
    assert {cause for cause in CAUSES if f"cause.{cause}" not in texts} == set()
