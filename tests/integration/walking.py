"""Walking the self-test page as a person does: by its buttons, in any browser."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from tests.patience import BUSY

STATE = """() => {
  const step = document.querySelector("[data-step]:not([hidden])");
  const shown = (selector) => {
    const one = step?.querySelector(selector);
    return Boolean(one && one.offsetParent !== null && !one.disabled);
  };
  return {
    step: step?.dataset.step ?? "",
    verdict: document.documentElement.dataset.verdict ?? "",
    digits: step?.dataset.digits ?? "",
    start: shown("[data-action=start]"), next: shown("[data-action=next]"), heard: shown("[data-action=heard-digits]"),
    title: step?.querySelector("h1")?.textContent ?? "",
    text: step?.innerText ?? "",
  };
}"""
PRESS_IF_THERE = """() => {
  const one = document.querySelector("[data-step=%s]:not([hidden]) %s");
  if (one && one.offsetParent !== null) one.click();
}"""
REPORT = """async () => {
  const id = location.pathname.split("/").at(-1);
  const response = await fetch(`/api/v1/sessions/${id}`);
  return (await response.json()).last_report;
}"""
PATIENCE_S = {"devices": 6.0, "picture": 8.0, "sound": 20.0}
"""After this long in a step, a person who is told "nobody in the picture" presses on."""


WELL = {"pass", "skipped"}


class Page(Protocol):
    """A page of some browser."""

    async def evaluate(self, function: str) -> Any:
        """Run an arrow function and return its value."""

    async def click(self, selector: str) -> None:
        """Press what `selector` names with the mouse."""


async def walk(page: Page, *, until: str = "answer", limit_s: float = 110.0) -> dict[str, float]:
    """Take the test until the step `until` (the answer: until the verdict is there).

    Returns when each step was entered, s after the start.
    """
    entered: dict[str, float] = {}
    pressed: set[str] = set()
    began = time.monotonic()
    state: dict[str, Any] = {}
    while time.monotonic() - began < limit_s:
        state = await page.evaluate(STATE)
        step, now = state["step"], time.monotonic()
        entered.setdefault(step, now - began)
        if step == "stopped":
            raise AssertionError(f"the page stopped: {state['text']}")
        if step == until and (until != "answer" or state["verdict"]):
            return entered
        if action := _press(state, now - began - entered[step], pressed):
            pressed.add(f"{step}{state['digits']}")
            if step in PATIENCE_S:  # such a step also ends by itself, perhaps just now
                await page.evaluate(PRESS_IF_THERE % (step, action))
            else:
                await page.click(f"[data-step={step}] {action}")
        await asyncio.sleep(0.2)
    raise AssertionError(f"no {until} after {limit_s:.0f} s; the page shows {state}")


def _press(state: dict[str, Any], in_step_s: float, pressed: set[str]) -> str | None:
    """What to press now."""
    step = state["step"]
    if f"{step}{state['digits']}" in pressed:
        return None
    if step == "welcome" and state["start"]:
        return "[data-action=start]"
    if step == "speaker" and state["heard"]:
        return f"[data-action=heard-digits][data-digits='{state['digits']}']"
    if step == "practical" and state["next"]:
        return "[data-action=next]"
    if step in PATIENCE_S and in_step_s > PATIENCE_S[step] and state["next"]:
        return "[data-action=next]"
    return None


async def report_of(page: Page) -> dict[str, Any]:
    """The page's own report, as the server stored it."""
    report = await page.evaluate(REPORT)
    assert report is not None, "there is no report"
    return report


def checks(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The report's checks by id."""
    return {check["id"]: check for check in report["checks"]}


NETWORK_LIMITS = {
    "rtt": (0.0, 150.0), "loss_up": (0.0, 2.0), "loss_down": (0.0, 2.0), "jitter_up": (0.0, 500.0),
    "jitter_down": (0.0, 500.0), "throughput_up": (0.5, 1e4), "throughput_down": (0.5, 1e4),
}  # fmt: skip
"""What a line inside one machine keeps: ms, %, ms and Mbit/s."""


def assert_network_measured(report: dict[str, Any], *, path: str = "udp") -> dict[str, Any]:
    """Path, round trip, loss, jitter and throughput are as on a line inside one machine. Returns the values."""
    found = {name: check for name, check in checks(report).items() if name.startswith("network.")}
    values = {name: check["value"] for name, check in found.items()}
    assert values["network.path"] == path, values
    for name, (low, high) in NETWORK_LIMITS.items():
        one = found[f"network.{name}"]
        if one["value"] is None or one["cause"] in BUSY:
            assert one["cause"] in BUSY, one
        else:
            assert low <= one["value"] <= high, one
    return values


def assert_finished(report: dict[str, Any]) -> None:
    """Nothing went missing on the way. Where the machine is too busy, server or browser were late, and say so."""
    assert report["cause"] is None
    assert report["ended_in"] is None
    open_checks = [one for one in report["checks"] if one["outcome"] == "not_measured" and one["level"] == "required"]
    assert all(one["cause"] in BUSY for one in open_checks), open_checks
    assert report["complete"] is (not open_checks)


def blemishes(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What is not well, short enough for a failing test's message."""
    names = ("id", "outcome", "value", "cause", "details")
    return [tuple(check.get(name) for name in names) for check in report["checks"] if check["outcome"] not in WELL]


async def assert_words_shown(page: Page) -> None:
    """The answer is there in words, not in codes."""
    state = await page.evaluate(STATE)
    assert state["step"] == "answer"
    assert len(state["title"].strip()) > 5, state
    assert " " in state["title"].strip(), state
    for shape in ("camera.", "network.", "undefined", "[object", "NaN"):
        assert shape not in state["text"], state["text"]
