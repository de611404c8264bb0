"""RTC-2 for offers: whatever a stranger sends, the answer is an answer or a code, and nothing is left behind."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.sdp_fuzz import mutate

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "count"), [((), 2000), (("-O",), 600)], ids=["plain", "optimised"])
def test_rtc2_mutated_offers_never_crash_hang_or_leak(flags, count):
    """Half past the policy: mapped codes only, each under a CPU second; memory, tasks and descriptors as before."""
    done = subprocess.run(
        [sys.executable, *flags, "-m", "tests.security.sdp_fuzz", str(count), "20261122"],
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["found"] == []
    assert result["optimised"] is bool(flags)
    assert result["slowest_cpu_s"] < 1
    assert result["after"]["descriptors"] == result["before"]["descriptors"]
    assert result["after"]["tasks"] == result["before"]["tasks"] == 1
    assert result["after"]["rss_kb"] <= 1.05 * result["before"]["rss_kb"]
    policy, bypass = result["codes"]["policy"], result["codes"]["bypass"]
    assert len(policy) >= 10, "the mutations reach most of the policy's refusals"
    assert policy["answered"] >= 30
    assert bypass["sdp.rejected"] >= 50, "past the policy aiortc raises, and the wrapping catches it"


def test_mutations_are_repeatable_and_varied():
    """The same seed gives the same offers, so that a finding can be replayed."""
    one, two = ([mutate(random.Random(seed)) for seed in range(200)] for _ in range(2))
    assert one == two
    assert len(set(one)) > 190
