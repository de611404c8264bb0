"""The tables of the kinds of test hold together, and everybody who spells phases spells those of the tables."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from probes.measurement import Measurement
from readiness.server.protocol import FINISH, schema
from readiness.server.steps import STEPS
from readiness.server.steps.network import WAYS
from reports.kinds import (
    KINDS,
    LARGE_PARTS,
    OTHER_BYTES,
    PICTURE_BYTES,
    PRACTICAL,
    PROMISED_BYTES,
    SELF_TEST,
    SOUND_BYTES,
    TESTERS,
    kind_of,
)
from reports.model import SkipReason
from reports.phases import Course, Evidence, FinishedPhase, Phase
from reports.profile import load_profile, profile_names
from reports.readers import read_client
from reports.store.records import SessionKind

ROOT = Path(__file__).resolve().parents[2]
NAMES = {phase.name for kind in KINDS for phase in kind.phases}
BROUGHT_TOGETHER = {"media.voice"}
"""Checks that no phase measures: they are read from several."""


def courses(kind) -> list[Course]:
    return [kind.whole, *([kind.short] if kind.short else [])]


def constant_of(tree: ast.Module, name: str) -> tuple[str, ...]:
    """Return a constant of a module that is better not loaded here."""
    (value,) = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == name]
    return tuple(ast.literal_eval(value))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_table_is_whole(kind):
    """Each phase stands once and is on the way through the test; a course names no others."""
    names = [phase.name for phase in kind.phases]
    assert len(names) == len(set(names))
    assert sorted(kind.whole.phases) == sorted(names)
    for course in courses(kind):
        assert set(course.phases) <= set(names)
        assert course.together <= set(course.phases)
        assert len(course.phases) == len(set(course.phases))
    for phase in kind.phases:
        assert phase.checks, phase.name
        assert phase.budget_s > 0
        assert phase.budget_bytes >= 0
    with pytest.raises(KeyError):
        kind.phase("no such phase")


def test_the_parts_of_a_test_stay_within_the_promise_together():
    """Stills, sound and trials of the line; at least half a megabyte is left for the page and its messages."""
    assert PROMISED_BYTES == 10_000_000
    assert OTHER_BYTES >= 500_000
    assert sum(SELF_TEST.phase(name).budget_bytes for name in LARGE_PARTS) + OTHER_BYTES == PROMISED_BYTES
    assert SELF_TEST.phase("picture").budget_bytes == PICTURE_BYTES
    assert SELF_TEST.phase("sound").budget_bytes == SOUND_BYTES


def test_each_session_takes_one_kind_of_test():
    """No two kinds share a kind of session; who takes no test has none; a session that is gone took a self-test."""
    sessions = [session for kind in KINDS for session in kind.sessions]
    assert sorted(sessions) == sorted(TESTERS)
    assert all(kind_of(session) is kind for kind in KINDS for session in kind.sessions)
    assert set(get_args(SessionKind)) >= TESTERS
    assert kind_of(None) is SELF_TEST
    with pytest.raises(KeyError):
        kind_of("leader")


def test_the_order_in_which_the_page_is_told_and_phases_end():
    """Stored rows and pages that are open rest on both; the ways through a relay end after the line is measured."""
    assert [phase.name for phase in SELF_TEST.phases] == [
        *("devices", "picture", "sound", "connect", "paths", "clock", "downlink", "uplink", "tcp_down", "tcp_up"),
        *("service", "speaker", "echo", "practical"),
    ]
    assert SELF_TEST.whole.phases == (
        *("devices", "picture", "sound", "connect", "clock", "downlink", "uplink", "paths", "tcp_down", "tcp_up"),
        *("service", "speaker", "echo", "practical"),
    )
    assert SELF_TEST.course(is_short=True).phases == ("devices", "connect", "paths", "service")


def test_a_self_test_measures_every_check_that_a_profile_may_ask():
    """Whatever a profile judges is measured by a phase of the table, and each phase measures what some profile asks."""
    measured = {check for phase in SELF_TEST.phases for check in phase.checks}
    asked = {check for name in profile_names() for check in load_profile(name).checks}
    assert measured | BROUGHT_TOGETHER == asked


def test_the_protocol_spells_the_phases_of_the_tables():
    """The schema's names are the tables' and ``finish``; each phase has a last message."""
    assert set(schema()["$defs"]["phase_name"]["enum"]) == NAMES | {FINISH}
    assert {f"{name}.final.data" for name in NAMES} <= set(schema()["$defs"])


def test_the_page_spells_the_phases_of_the_tables():
    """The page's type of a phase's name has the same members."""
    source = (ROOT / "web" / "shared" / "types.d.ts").read_text(encoding="utf-8")
    union = re.search(r"export type PhaseName =([^;]+);", source)
    assert union is not None
    assert set(re.findall(r'"(\w+)"', union[1])) == NAMES | {FINISH}


def test_the_questions_are_those_of_the_schema():
    """A question that can be asked can be answered."""
    answers = schema()["$defs"]["practical.final.data"]["properties"]["answers"]["properties"]
    assert tuple(answers) == PRACTICAL


def test_the_worker_measures_the_phases_that_the_tables_give_it():
    """Read from its source, so that no media engine is loaded: its operations are the phases measured by a worker."""
    tree = ast.parse((ROOT / "readiness" / "media" / "worker.py").read_text(encoding="utf-8"))
    line = constant_of(tree, "LINE_PHASES")
    (table,) = [
        node.value for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "self._measured"
    ]  # fmt: skip
    named = {key.value for key in table.keys if isinstance(key, ast.Constant)}
    assert named | set(line) == {phase.name for kind in KINDS for phase in kind.phases if phase.by == "worker"}


def test_a_client_in_python_measures_the_line_as_the_tables_say():
    """The library of test clients plays its part in the phases that the worker measures on the line."""
    tree = ast.parse((ROOT / "readiness" / "client" / "line_test.py").read_text(encoding="utf-8"))
    assert set(constant_of(tree, "PHASES")) == {"clock", *WAYS}


def test_every_step_belongs_to_a_phase():
    """No class waits for a phase that is in no table; what loads the line is measured by the worker."""
    assert set(STEPS) <= NAMES
    assert {SELF_TEST.phase(name).by for name in WAYS} == {"worker"}
    assert WAYS.keys() <= SELF_TEST.whole.together


def test_a_finished_phase_comes_back_as_it_was_stored():
    """Byte for byte, with the keys in their order; what an older version left out is empty."""
    found = FinishedPhase(
        [Measurement("network.rtt", 41.25, "ms", low=40.0, high=43.0, samples=150, details={"lag_ms": 0.5})],
        {"microphone.echo": SkipReason.NOT_ASKED},
        {"connection": "wifi", "busy": False, "tcp_mbps": None},
        1.239,
    )
    stored = json.dumps(found.to_json())
    assert stored == (
        '{"measurements": [{"check": "network.rtt", "value": 41.25, "unit": "ms", "low": 40.0, "high": 43.0, '
        '"samples": 150, "cause": null, "details": {"lag_ms": 0.5}}], "skipped": {"microphone.echo": "not_asked"}, '
        '"figures": {"connection": "wifi", "busy": false, "tcp_mbps": null}, "seconds": 1.24}'
    )
    assert json.dumps(FinishedPhase.from_json(json.loads(stored)).to_json()) == stored
    assert FinishedPhase.from_json({}) == FinishedPhase(())


def test_a_client_measures_only_the_checks_of_the_phase():
    """Measurements of other checks are left out, whatever a client sends."""
    phase = Phase("line", ("network.rtt",), 30.0, 0, "client", read_client)
    sent = [Measurement("network.rtt", 20.0, "ms"), Measurement("camera.present", "present")]
    found = phase.finish({"measurements": [one.to_json() for one in sent]}, Evidence(seconds=3.0))
    assert [one.check for one in found.measurements] == ["network.rtt"]
    assert found.seconds == 3.0
    died = phase.died("step_died", seconds=2.0)
    assert [(one.check, one.cause) for one in died.measurements] == [("network.rtt", "step_died")]
