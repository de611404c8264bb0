"""What changed between two reports: only what moved by more than its uncertainty, the worst first."""

from __future__ import annotations

from typing import Any

from reports.changes import changes, streak


def check(name: str, value: Any, outcome: str = "pass", **more: Any) -> dict[str, Any]:
    """A judged check."""
    return {"id": name, "value": value, "outcome": outcome, **more}


def body(*checks: dict[str, Any], **client: str) -> dict[str, Any]:
    """A report's body."""
    return {"checks": list(checks), "client": {"form": "phone", "os": "Android", "browser": "Chrome 142"} | client}


def kinds(now: dict[str, Any], before: dict[str, Any]) -> list[tuple[str, str]]:
    """What changed, by kind and name."""
    return [(one.kind, one.name) for one in changes(now, before)]


def test_the_device_the_browser_and_the_equipment_are_told():
    """Only where both are known."""
    camera = check("camera.present", "present", details={"device_class": "built_in"})
    webcam = check("camera.present", "present", details={"device_class": "usb"})
    unknown = check("camera.present", "present", details={"device_class": "unknown"})
    assert kinds(body(webcam, form="computer", browser="Chrome 143"), body(camera)) == [
        ("client", "form"), ("client", "browser"), ("equipment", "camera.present"),
    ]  # fmt: skip
    assert kinds(body(camera), body(unknown)) == []
    assert kinds({"checks": []}, body(camera)) == []


def test_a_figure_counts_when_it_moved_by_more_than_its_interval_and_a_quarter():
    """Overlapping intervals and small steps are no news; another outcome always is."""
    before = check("network.rtt", 50.0, low=48.0, high=52.0)
    for now, told in (
        (check("network.rtt", 70.0, low=66.0, high=74.0), True),
        (check("network.rtt", 70.0, low=51.0, high=90.0), False),
        (check("network.rtt", 56.0, low=55.0, high=57.0), False),
        (check("network.rtt", 53.0, "warn", low=51.0, high=55.0), True),
        (check("network.rtt", None, "not_measured"), True),
        (check("network.rtt", 70.0), True),
    ):
        assert bool(changes(body(now), body(before))) is told, now
    assert kinds(body(check("microphone.hum", 0.0, low=None)), body(check("microphone.hum", 0.0, low=None))) == []
    assert kinds(body(check("practical.people", 3)), body(check("practical.people", 1))) == []
    assert kinds(body(check("network.path", "tcp-only", "fail")), body(check("network.path", "udp"))) == [
        ("check", "network.path")
    ]


def test_what_got_worse_stands_before_what_got_better():
    """By how far it fell."""
    before = body(check("a", 1.0, "fail"), check("b", 1.0), check("c", 1.0))
    now = body(check("a", 2.0), check("b", 2.0, "warn"), check("c", 2.0, "fail"))
    assert [name for _, name in kinds(now, before)] == ["c", "b", "a"]


def test_a_streak_ends_with_the_first_test_that_had_something_else():
    """How many earlier tests, the newest first, had the same first advice."""
    bad, other, good = {"advice": ["camera.denied"]}, {"advice": ["network.rtt"]}, {"advice": []}
    both = {"advice": ["network.rtt", "camera.denied"]}
    assert streak(bad, [bad, both, other, bad]) == 2
    assert streak(bad, []) == streak(good, [bad]) == streak(bad, [good]) == 0
    assert streak(bad, [bad, bad]) == 2
