"""What a room sends is what the server reads: every state of every check, through the server's own strict reader."""

from __future__ import annotations

import json

import pytest

from probes.measurement import Measurement, not_measured
from readiness.room.check import LinePlan, RoomPlan, check_json, check_room
from readiness.room.children import DEADLINES_S
from reports.model import CheckResult, Level, Outcome
from reports.room_reading import read_room_check
from reports.rooms import PARTS, judge_room, room_profile
from tests.room.test_check import MACHINE, PICTURE, answering

LINE = [
    CheckResult("network.path", Outcome.PASS, Level.REQUIRED, value="udp").to_json(),
    CheckResult("network.rtt", Outcome.PASS, Level.ADVISORY, value=21.5, unit="ms", samples=100).to_json(),
]
SPEED = [Measurement("internet.speed", 93.0, "mbps", samples=2, details={"down_mbps": 93.0, "ping_ms": 4.0}).to_json()]


def sent(**answers):
    asked = answering(
        line={"checks": LINE, "speed": SPEED}, hosts={"asked": 2, "reached": 1},
        machine={**MACHINE, "displays": 1, "link": "wired", "link_mbps": 1000},
        picture={**PICTURE, "scene": {"state": "same", "shift_pct": 0.1, "seen_pct": 96.0, "is_learning": False}},
    )  # fmt: skip

    def ask(probe, request, **_limits):
        return answers[probe] if probe in answers else asked(probe, request)

    plan = RoomPlan(line=LinePlan("https://server.example", "key", hosts=("a", "b"), speed=True), clock_off_s=-2.4)
    return plan, ask


def test_a_whole_check_is_read(tmp_path):
    plan, ask = sent()
    told = json.loads(json.dumps(check_json(check_room(plan, tmp_path, ask_probe=ask))))
    read = read_room_check(told)
    assert read["verdict"] == told["verdict"] == "ready_with_warnings"
    assert [one["code"] for one in told["findings"]] == ["room.hosts_unreachable"]
    assert len(json.dumps(told)) < 40_000


@pytest.mark.parametrize("cause", ["hung", "step_died", "not_installed", "no_time"])
@pytest.mark.parametrize("probe", ["sound", "picture", "machine", "line", "hosts"])
def test_a_probe_that_fails_is_read(tmp_path, probe, cause):
    assert probe in DEADLINES_S
    plan, ask = sent(**{probe: {"error": cause}})
    read_room_check(json.loads(json.dumps(check_json(check_room(plan, tmp_path, ask_probe=ask)))))


@pytest.mark.parametrize(
    "state", ["covered", "moved", "not_recognised", "defocused", "lights_off", "black", "differing"]
)
def test_each_state_of_the_view_is_read(tmp_path, state):
    plan, ask = sent(picture={**PICTURE, "scene": {"state": state, "shift_pct": None}})
    read_room_check(json.loads(json.dumps(check_json(check_room(plan, tmp_path, ask_probe=ask)))))


@pytest.mark.parametrize("link", ["wired", "wireless", "connected", "other", "none"])
def test_each_kind_of_link_is_read(tmp_path, link):
    plan, ask = sent(machine={**MACHINE, "link": link, "link_mbps": None if link != "wired" else 10, "displays": 0})
    read_room_check(json.loads(json.dumps(check_json(check_room(plan, tmp_path, ask_probe=ask)))))


def test_every_rule_of_the_profile_is_read():
    """A measurement that meets each rule, and each check without a value."""
    for check in room_profile().checks.values():
        for rule in check.rules:
            found = {one.metric: one.limit for one in rule.when}
            value = found.pop("value", 1.0)
            found = {name: limit + (1 if op == ">" else -1 if op == "<" else 0) for name, limit, op in (
                (one.metric, one.limit, one.op) for one in rule.when if one.metric in found
            ) if not isinstance(limit, str)}  # fmt: skip
            told = check_json(judge_room([Measurement(check.id, value, details=found)], parts=PARTS))
            read_room_check(json.loads(json.dumps(told)))
        told = check_json(judge_room([not_measured(check.id, "no_agreement")], parts=PARTS))
        read_room_check(json.loads(json.dumps(told)))
