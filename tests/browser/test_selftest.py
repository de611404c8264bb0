"""The demo's self-test with a real face and a real voice, and the leader's board beside it."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from tests.browser.conftest import Launch, LiveServer
from tests.browser.person import Person, check

MOST_BYTES = 10_000_000
"""Each way; what the page promises before the start."""
FIELDS = {
    "schema", "id", "code", "verdict", "complete", "started_at", "duration_s", "machine_s", "bytes_up", "bytes_down",
    "kind", "profile", "profile_version", "software_version", "client", "checks", "advice", "valid_until",
    "other_device", "ended_in", "cause", "events", "server_cpu_s", "mode", "solution", "not_tested",
}  # fmt: skip
CHECK_FIELDS = {
    "id", "outcome", "level", "value", "unit", "low", "high", "samples", "pass", "fail", "advice", "cause",
    "responsible", "details", "measured_at", "own_limits",
}  # fmt: skip
ROW_STATE = (
    "[...document.querySelectorAll('#participants > li')]"
    ".find(row => row.querySelector('h3').textContent === 'Anna')?.dataset.state"
)


@pytest.mark.pair
async def test_a_real_face_and_voice_pass_and_the_board_turns(own_server: LiveServer, chromium: Launch):
    """A person who does as asked is told that all is ready, cheaply, and the leader sees it. How soon: the bench."""
    browser = await chromium()
    context = await browser.new_context(viewport={"width": 360, "height": 740}, locale="nb-NO")
    board = await context.new_page()
    await board.goto(own_server.links["board_url"])
    await board.wait_for_function(f"() => {ROW_STATE} === 'not_tested'")
    await board.evaluate(
        f"""() => {{
            const look = () => {{
              const state = {ROW_STATE};
              if (state !== window.lastState) window.turnedAt = Date.now();
              window.lastState = state;
            }};
            new MutationObserver(look).observe(document.querySelector("#participants"), {{ childList: true }});
        }}"""
    )

    anna = await Person.at(context, own_server.links["selftest_url"])
    await anna.start()
    report = await anna.finish_undisturbed(most=3, tell={"private_room": "yes"})
    caught = await anna.page.evaluate("window.caughtReports")
    answer_s = await _seconds_to_answer(anna)

    assert report["verdict"] in {"ready", "ready_with_warnings"}
    assert not [code for code in report["advice"] if code.split(".")[0] in {"camera", "microphone", "network"}]
    await anna.sees_verdict(report["verdict"])
    assert len({one["report"]["id"] for one in caught}) == len(caught), "a report is announced once"
    _check_fields(report)
    assert report["machine_s"] > 0
    assert 0 < report["bytes_up"] < MOST_BYTES
    assert 0 < report["bytes_down"] < MOST_BYTES

    await board.wait_for_function(f"verdict => {ROW_STATE} === verdict", arg=report["verdict"])
    delay_ms = await board.evaluate("window.turnedAt") - caught[-1]["at"]
    print(
        f"verdict {report['verdict']}, answer {answer_s:.1f} s, machine {report['machine_s']} s, up "
        f"{report['bytes_up']} B, down {report['bytes_down']} B, board {delay_ms} ms after the answer"
    )
    assert not await anna.complaints()
    await _assert_reload_keeps_the_answer(anna, report)


async def _assert_reload_keeps_the_answer(person: Person, report: dict) -> None:
    """Reloading /t/<id> shows the start with the last answer, and the test can be taken anew."""
    assert re.search(r"/t/[A-Za-z0-9_-]+$", person.page.url)
    await person.page.reload()
    await person.page.wait_for_selector("[data-action=start]:enabled")
    assert person.words(f"verdict.{report['verdict']}.short") in await person.reads("#last-report")
    assert await person.page.get_attribute("html", "data-verdict") is None
    await person.start()
    assert await person.wait_step("picture") == "picture"


async def _seconds_to_answer(person: Person) -> float:
    """From the tap to the report's arrival in the page, by the page's own clock."""
    return float(await person.page.evaluate("(window.caughtReports.at(-1).at - window.tappedAt) / 1000"))


def _check_fields(report: dict) -> None:
    assert set(report) == FIELDS
    assert report["schema"] == "readiness.report/1"
    assert re.fullmatch(r"[A-Za-z0-9_-]{20,}", report["id"])
    assert re.fullmatch(r"[0-9A-Z]{6}", report["code"])
    assert report["complete"] is True
    assert report["kind"] == "self_test"
    assert report["client"]["kind"] == "browser"
    assert report["client"]["browser"].startswith("Chrome ")
    started, valid = (datetime.fromisoformat(report[name]) for name in ("started_at", "valid_until"))
    assert started < valid
    for one in report["checks"]:
        assert set(one) == CHECK_FIELDS, one["id"]
    required = [one for one in report["checks"] if one["level"] == "required"]
    assert required
    assert all(one["outcome"] in {"pass", "warn"} for one in required)
    assert check(report, "practical.private_room")["value"] == "yes"
    assert check(report, "practical.people")["value"] == 1
