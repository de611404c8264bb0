"""``readiness calibration``: what support said of reports, beside the limits, before and after people are forgotten."""

from __future__ import annotations

import asyncio
import json

from readiness.settings import load_settings
from reports.calibration import Said, make_calibration
from reports.store import Store
from reports.store.tables import unlinked_report
from tests.cast import supporter
from tests.made import BLOCKED, made_report


def check(name: str, outcome: str, value: object, **more: object) -> dict[str, object]:
    return {"id": name, "outcome": outcome, "value": value, "unit": "ms", "pass": 150, "fail": 300, **more}


def test_false_alarms_are_of_checks_that_warned_and_missed_of_those_that_passed():
    """Of the right kind only: what passed in a false alarm, and the camera where sound was missed, say nothing."""
    said = [
        Said("false_alarm", [check("network.rtt", "warn", 160), check("network.loss_up", "pass", 0)]),
        Said("false_alarm", [check("network.rtt", "fail", 310), check("practical.people", "warn", "three")]),
        Said("missed_sound", [check("microphone.level", "pass", -30), check("camera.light", "pass", 90)]),
        Said("missed_other", [check("network.rtt", "pass", 10)]),
    ]
    found = make_calibration(40, said)
    assert (found.reports, found.judged) == (40, {"false_alarm": 2, "missed_other": 1, "missed_sound": 1})
    assert [(one.check, one.false_alarms, one.missed) for one in found.checks] == [
        ("network.rtt", [160, 310], []), ("microphone.level", [], [-30]),
    ]  # fmt: skip
    assert dict(found.checks[0].limits) == {(150, 300): 2}


def test_what_was_pressed_is_printed(sunnaas, tmp_path):
    """One report whose person is known, and one that is figures by now."""

    async def press() -> None:
        store = await Store.open(load_settings({"READINESS_DATA_DIR": str(tmp_path)}).database)
        organisation = await store.organisation("sunnaas")
        assert organisation is not None
        made = await made_report(store, organisation.id, **BLOCKED)
        await store.judge_report(supporter(organisation.id), made.id, "false_alarm")
        figures = {"id": "f", "organisation_id": organisation.id, "week": "2026-W40", "client_class": "", "profile": ""}
        kept = {"verdict": "ready", "judged": "missed_line", "checks": [check("network.rtt", "pass", 140)]}
        async with store._database.write() as connection:
            await connection.execute(unlinked_report.insert().values(figures | kept))
        assert (await store.calibration(supporter("elsewhere"))).reports == 0
        await store.close()

    asyncio.run(press())
    status, said, _ = sunnaas("calibration", "--organisation", "sunnaas")
    assert status == 0
    assert said.startswith("2 reports; judged: false_alarm 1, missed_line 1\n")
    assert "network.rtt (ms)  limits: pass 150" in said
    assert "1 false alarms: 212.5 / 212.5 / 212.5  1 missed: 140 / 140 / 140" in said
    assert "camera.present" in said
    status, told, _ = sunnaas("calibration", "--organisation", "sunnaas", "--json")
    assert status == 0
    (rtt,) = [one for one in json.loads(told)["checks"] if one["check"] == "network.rtt"]
    assert (rtt["false_alarms"], rtt["missed"]) == ([212.5], [140])
