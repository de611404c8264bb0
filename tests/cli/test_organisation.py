"""``readiness organisation``: what the page of settings has, by the same rules."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--limit", "consultation/network.rtt/fail=500"), "--limit: network.rtt/fail: Write a number from 200 to 400"),
        (("--limit", "consultation/network.rtt/fail"), "--limit: 'consultation/network.rtt/fail' is no limit"),
        (("--limit", "consultation/camera.light/fail=1"), "consultation/network.loss_down/fail"),
        (("--limit", "group/network.rtt/fail=210.5"), "--limit: network.rtt/fail: Write the number with fewer digits"),
        (("--clinic", "=22 33 44 55"), "--clinic: '=22 33 44 55': Write which unit"),
        (("--clinic", "Unit 3=12"), "--clinic: 'Unit 3=12': Write one phone number"),
        (("--figures-months", "2"), "--figures-months: Write a whole number from 3 to 13"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(sunnaas, option: tuple[str, ...], why: str):
    """With the option, and how far a limit goes; nothing is stored."""
    before = sunnaas("audit", "show", "--organisation", "sunnaas")[1]
    status, _, error = sunnaas("organisation", "--slug", "sunnaas", *option)
    assert status == 2
    assert why in error
    assert error.count("\n") == 1
    assert sunnaas("audit", "show", "--organisation", "sunnaas")[1].count("organisation.change") == before.count(
        "organisation.change"
    )


def test_limits_clinics_and_months_are_set_and_taken_back(sunnaas):
    """Each is in the log as on the page; without a value the organisation has its own no more."""
    told = ("--limit", "consultation/network.rtt/fail=220", "--limit", "group/network.loss_up/fail=2,5")
    told += ("--clinic", "Unit 3=66 96 90 00;Kari", "--figures-months", "6")
    assert sunnaas("organisation", "--slug", "sunnaas", *told)[0] == 0
    logged = sunnaas("audit", "show", "--organisation", "sunnaas")[1]
    for said in (
        "choices/thresholds/consultation/network.rtt/fail: null -> 220.0",
        "choices/thresholds/group/network.loss_up/fail: null -> 2.5", "choices/figures_months: null -> 6",
        "clinics/Unit 3",
    ):  # fmt: skip
        assert said in logged
    assert "Kari" not in logged
    back = ("--limit", "consultation/network.rtt/fail=", "--clinic", "Unit 3=", "--figures-months", "")
    assert sunnaas("organisation", "--slug", "sunnaas", *back)[0] == 0
    logged = sunnaas("audit", "show", "--organisation", "sunnaas")[1]
    assert "choices/thresholds/consultation/network.rtt/fail: 220.0 -> null" in logged
    assert "choices/figures_months: 6 -> null" in logged
