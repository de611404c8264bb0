"""DEG-1: each row of the operator's table of what still works has tests, and no row is without."""

from __future__ import annotations

from pathlib import Path

from tests.docs.test_asvs import ROOT, names

TESTS = {
    "database": (
        "server/test_parts_away.py::test_DEG_1_without_the_database_nobody_loses_what_was_finished",
        "store/test_unavailable.py::test_a_lock_held_too_long_is_unavailable_and_passes",
    ),
    "media worker": (
        "integration/test_resilience.py::test_a_lost_media_worker_ends_its_own_test_only",
        "browser/test_interruptions.py::test_a_killed_worker_is_our_fault",
    ),
    "shared helper (second look at faces)": (
        "media/test_heavy.py::test_a_helper_that_dies_or_hangs_is_replaced",
        "media/test_heavy.py::test_a_helper_that_cannot_start_is_no_second_look",
    ),
    "mail server or SMS gateway": (
        "meetings/test_outbox.py::test_without_a_server_it_is_tried_for_a_day",
        "meetings/test_outbox.py::test_what_is_ours_is_tried_again_and_named_as_ours",
    ),
    "provider that staff sign in at": ("sign_in/test_hostile.py::test_AUT_4_a_provider_that_misbehaves_is_only_away",),
    "TURN": (
        "integration/test_turn_product.py::test_every_way_has_its_own_row_and_media_goes_where_it_is_told",
        "link/test_product.py::test_where_udp_is_blocked_the_rest_is_measured",
    ),
    "web process killed": (
        "browser/test_interruptions.py::test_a_server_that_freezes_and_one_that_is_killed_cost_nothing_but_time",
    ),
    "one of several machines cut off": (
        "integration/test_one_owner.py::test_what_was_finished_at_b_stands_when_a_comes_back_to_the_database",
    ),
}
"""By the part that is away, as the table in operations.md calls it."""


def test_every_part_that_may_be_away_has_its_test():
    """The rows are those of the table, in its order, and the tests exist."""
    text = (ROOT / "readiness" / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.split("| away | still works | does not |\n", 1)[1].splitlines()[1:]
    assert [line.split("|")[1].strip() for line in table if line.startswith("|")] == list(TESTS)
    for test in (one for tests in TESTS.values() for one in tests):
        path, _, name = test.partition("::")
        assert name in names(Path(ROOT / "tests" / path)), test
