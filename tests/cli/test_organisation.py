"""``readiness organisation``: what the page of settings has, by the same rules."""

from __future__ import annotations

import asyncio
import re

import pytest

from reports.store import Store
from tests.made import keep_tests


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
        (("--routine-link", "http://intranett.example"), "--routine-link: The link must begin with https://"),
        (("--routine-link", "http://intranett.example", "--dry-run"), "--routine-link: The link must begin with"),
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


def test_what_else_the_page_has_is_set_and_taken_back(sunnaas):
    """The routine's link and name, and the sentences of the privacy notice; the log has no values of theirs."""
    told = {"routine-link": "https://intranett.example/rutine", "routine-name": "Support",
            "notice-legal": "The health records act", "notice-dpo": "dpo@sunnaas.example"}  # fmt: skip
    given = [part for name, value in told.items() for part in (f"--{name}", value)]
    assert sunnaas("organisation", "--slug", "sunnaas", *given)[0] == 0
    logged = sunnaas("audit", "show", "--organisation", "sunnaas")[1]
    for name, value in told.items():
        assert logged.count(f"choices/{name.replace('-', '_')}") == 1
        assert value not in logged
    emptied = [part for name in told for part in (f"--{name}", "")]
    assert sunnaas("organisation", "--slug", "sunnaas", *emptied)[0] == 0
    logged = sunnaas("audit", "show", "--organisation", "sunnaas")[1]
    assert [logged.count(f"choices/{name.replace('-', '_')}") for name in told] == [2, 2, 2, 2]


def test_what_a_limit_changes_is_seen_before_it_is_saved(sunnaas, tmp_path):
    """With ``--dry-run`` the words of the page, and nothing is stored; without it the limit is."""

    async def keep() -> None:
        store = await Store.open(f"sqlite:///{tmp_path / 'readiness.sqlite3'}")
        await keep_tests(store, [40.0] * 14 + [190.0] * 2 + [250.0] * 3 + [310.0])
        await store.close()

    limit = ("organisation", "--slug", "sunnaas", "--limit", "consultation/network.rtt/fail=220")
    few = sunnaas(*limit, "--dry-run")
    assert few[0] == 0
    assert "Consultation: Fewer than 10 tests: too few to tell." in few[1]
    asyncio.run(keep())
    status, out, error = sunnaas(*limit, "--dry-run")
    said = out.replace("\u00a0", " ")
    assert (status, error) == (0, "")
    assert re.match(r"These are tests since \d+ \w+, judged once more\.\n", said)
    assert "\nConsultation: Of 20 tests, 20 % would have been not ready instead of 5 %.\n" in said
    assert "\n    Could be better: 25 % -> 10 %\n" in said
    assert said.endswith("\nNothing is saved yet.\n")
    assert "network.rtt" not in sunnaas("audit", "show", "--organisation", "sunnaas")[1]
    assert (
        sunnaas("organisation", "--slug", "sunnaas", "--dry-run")[1].replace("\u00a0", " ") == "Nothing is saved yet.\n"
    )
    assert sunnaas("organisation", "--slug", "west", "--dry-run")[2].count("there is no organisation 'west' yet") == 1
    assert sunnaas(*limit)[0] == 0
    assert "network.rtt/fail: null -> 220.0" in sunnaas("audit", "show", "--organisation", "sunnaas")[1]
