"""The fuzzer's own look at growth: a leak is told; a step that ends, and what is held for a while, is not."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter

import pytest

from tests.fuzz.engine import Outcome, Stateless, _climbs, plain, run


class Leaky(Stateless):
    """Keeps something of each input, or holds it until it is told to let go."""

    bytes_share = 1.0
    seeds = (b"seed",)

    def __init__(self, *, keeps: str) -> None:
        self._keeps = keeps
        self._kept: list[object] = []
        self._each = max(20, sys.getallocatedblocks() // 20_000)
        """Objects kept of an input: a share of what this process holds after all the tests before."""

    def change(self, _rng: random.Random, data: bytes) -> bytes:
        return data

    async def take(self, data: bytes) -> str:
        if self._keeps == "memory":
            self._kept += [bytearray(600) for _ in range(self._each)]
        elif self._keeps in {"descriptors", "held"}:
            self._kept.append(os.open("/dev/null", os.O_RDONLY))
        return "answered"

    async def close(self) -> None:
        if self._keeps == "held":
            self.let_go()

    def let_go(self) -> None:
        for one in self._kept:
            if isinstance(one, int):
                os.close(one)
        self._kept.clear()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keeps", "grown"), [("held", set()), ("descriptors", {"descriptors"}), ("memory", {"blocks", "heap_kb"})]
)
async def test_what_is_kept_is_told(keeps, grown, monkeypatch):
    """A few hundred inputs are enough for one that keeps something of each."""
    monkeypatch.setattr("tests.fuzz.engine.LOOKS", 3)
    target = Leaky(keeps=keeps)
    try:
        outcome = await run("none", lambda: plain(target), 400)
    finally:
        target.let_go()
    assert grown <= set(outcome.grown), outcome.to_json()
    if not grown:
        assert outcome.grown == [], outcome.to_json()


def test_a_slope_is_told_from_a_step():
    """What grows to the end climbs; what grows once, or up and down, does not."""
    assert _climbs([1000 + 10 * look for look in range(9)])
    assert not _climbs([1000, 1050, 1100, 1100, 1100, 1101, 1100, 1100, 1101])
    assert not _climbs([1000, 1040, 1000, 1050, 1000, 1040, 1000, 1050, 1000])
    assert not _climbs([1000, 1020])


def test_growth_is_reckoned_from_the_end_of_the_warm_up():
    """Five percent of memory, and not one descriptor."""
    flat = {"descriptors": 9, "tasks": 1, "blocks": 1000, "heap_kb": 1000, "rss_kb": 1000}
    for after, grown in (
        (flat, []),
        (flat | {"descriptors": 10}, ["descriptors"]),
        (flat | {"rss_kb": 1051}, ["rss_kb"]),
    ):
        assert Outcome("none", 1, [], Counter(), 0.0, 0.0, [flat, after]).grown == grown
