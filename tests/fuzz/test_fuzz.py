"""RTC-2: a share of every fuzz target; `make fuzz` runs 200,000 inputs of each."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.engine import KEPT, kept, mutated
from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
COUNTS = {"ice": 2000, "stun": 2000, "sctp": 2000, "messages": 2000, "rtp": 2000, "frames": 2000, "json": 600,
          "ics": 2000, "csv": 2000}  # fmt: skip
"""Offers have their own test (`test_rtc_sdp_fuzz`); a body is a whole request."""
FEWEST_CODES = {"ice": 3, "stun": 2, "sctp": 2, "messages": 2, "rtp": 2, "frames": 5, "json": 10, "ics": 8, "csv": 12}
"""That the mutations reach in, and are not all turned away at the door."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "group", [["ice", "stun", "sctp", "messages", "rtp", "frames", "ics", "csv"], ["json"]], ids=str
)
def test_rtc2_no_input_crashes_hangs_or_leaks(group: list[str]):
    """Mapped codes only, each under a second of processor time; memory, descriptors and tasks come back."""
    for count in sorted({COUNTS[name] for name in group}):
        names = [name for name in group if COUNTS[name] == count]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", "--count", str(count), "--dry", *names],
            cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        outcomes = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["target"] for one in outcomes] == names, done.stderr[-2000:]
        for one in outcomes:
            assert one["found"] == [], one
            assert one["grown"] == [], one
            assert one["slowest_cpu_s"] < 1, one
            assert one["tried"] >= count
            assert len(one["codes"]) >= FEWEST_CODES[one["target"]], one


async def test_mutations_are_repeatable_and_varied():
    """The same seed gives the same inputs, so that a finding can be replayed; hardly any comes twice."""
    for name in ("ice", "rtp", "frames", "ics", "csv"):
        async with TARGETS[name]() as target:
            one, two = ([mutated(random.Random(f"{seed}"), target) for seed in range(100)] for _ in range(2))
        assert one == two
        assert len(set(one)) > 60, name


def test_what_once_crashed_is_kept_under_its_target():
    """Each folder of crashing inputs belongs to a target that replays it first."""
    assert {path.name for path in KEPT.iterdir() if path.is_dir()} <= set(TARGETS)
    assert kept("sctp")
