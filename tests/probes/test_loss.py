"""Loss: exact counts, honest intervals, the shape of bursts, and a sequential test that keeps its promised errors."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.loss import ERROR, LossRun, decide_loss, loss_measurement


def run_of(missing: list[bool], *, every_ms: float = 10.0) -> LossRun:
    """A run whose every packet's fate is known."""
    times = [every_ms * n for n in range(len(missing))]
    return LossRun(len(missing), missing.count(False), times, missing)


def random_run(chance: float, seed: int, packets: int = 150) -> LossRun:
    source = random.Random(f"{chance}/{seed}")
    return run_of([source.random() < chance for _ in range(packets)])


def with_losses(count: int, *lost: int) -> LossRun:
    return run_of([n in lost for n in range(count)])


def test_loss_is_a_share_with_its_interval() -> None:
    """Ten of 500 are 2 %, surely between 1 and 4."""
    found = loss_measurement("up", [with_losses(500, *range(0, 500, 50))])
    assert (found.check, found.unit, found.value, found.samples) == ("network.loss_up", "pct", 2.0, 500)
    assert found.low is not None
    assert found.high is not None
    assert 1 < found.low < 2 < found.high < 3.7
    assert (found.metric("lost"), found.metric("events")) == (10, 10)


def test_no_loss_still_leaves_room_for_some() -> None:
    """None of 150 lost is 0 %, and up to 2.5 % can't be excluded."""
    found = loss_measurement("down", [with_losses(150)])
    assert (found.check, found.value, found.low) == ("network.loss_down", 0, 0)
    assert found.high == pytest.approx(2.5, abs=0.1)


def test_runs_add_up() -> None:
    """Two runs of 100 with 1 and 3 losses are 4 of 200."""
    found = loss_measurement("up", [with_losses(100, 7), with_losses(100, 1, 50, 70)])
    assert (found.value, found.samples, found.metric("lost")) == (2.0, 200, 4)


@pytest.mark.parametrize(("packets", "enough"), [(49, False), (50, True)])
def test_fifty_packets_are_the_least(packets: int, enough: bool) -> None:
    """49 say nothing."""
    found = loss_measurement("up", [with_losses(packets, 0)])
    assert (found.value is not None) is enough
    assert found.cause == (None if enough else "too_few_samples")
    assert loss_measurement("up", []).value is None


def test_the_counters_decide_where_feedback_was_lost() -> None:
    """What the receiver did not count is lost, also where no feedback said which; more than was sent is none."""
    assert loss_measurement("down", [LossRun(100, 90)]).value == 10
    assert LossRun(100, 90).events == 10
    assert LossRun(100, 130).lost == 0
    assert LossRun(100, 99, (0.0, 1.0, 2.0), (True, False, True)).events == 1, "never more events than losses"


def test_a_burst_is_told_by_its_length() -> None:
    """Twelve packets in a row are one event of 130 ms, and more than half of its worst 200 ms."""
    found = loss_measurement("up", [with_losses(300, *range(100, 112))])
    assert (found.metric("lost"), found.metric("events")) == (12, 1)
    assert found.metric("longest_burst_ms") == pytest.approx(130)
    assert found.metric("worst_200ms_pct") == pytest.approx(100 * 12 / 21)


def test_one_loss_is_no_bad_window() -> None:
    """One packet of a thin stream would be 5 % of 200 ms: it takes two."""
    assert loss_measurement("up", [with_losses(300, 100)]).metric("worst_200ms_pct") == 0
    assert loss_measurement("up", [with_losses(300, 100, 105)]).metric("worst_200ms_pct") == pytest.approx(200 / 21)


def test_two_losses_in_two_windows_are_two() -> None:
    """Losses 210 ms apart are never in the same 200 ms."""
    assert loss_measurement("up", [with_losses(300, 100, 121)]).metric("worst_200ms_pct") == 0


def test_bursts_of_different_runs_are_not_joined() -> None:
    """The end of one run and the start of the next are seconds apart."""
    ends = loss_measurement("up", [with_losses(100, 99), with_losses(100, 0)])
    assert ends.metric("longest_burst_ms") == 0
    assert ends.metric("worst_200ms_pct") == 0


def test_a_clean_line_is_decided_after_a_hundred_and_fifty_packets() -> None:
    """The idle run alone is enough for a line that loses nothing; fifty packets are not."""
    assert decide_loss([with_losses(150)]) == "low"
    assert decide_loss([with_losses(50)]) == "open"
    assert decide_loss([]) == "open"
    assert decide_loss([with_losses(150, *range(0, 150, 25))]) == "high"


def test_a_burst_counts_as_one_event_there() -> None:
    """Ten in a row is one bad moment, ten spread out are a bad line."""
    assert decide_loss([with_losses(400, *range(100, 110))]) == "low"
    assert decide_loss([with_losses(400, *range(100, 400, 30))]) == "high"


def decided(chance: float, seed: int, *, most: int = 40) -> str:
    """Runs of 150 packets until it is decided."""
    runs: list[LossRun] = []
    for n in range(most):
        runs.append(random_run(chance, 1000 * seed + n))
        if (said := decide_loss(runs)) != "open":
            return said
    return "open"


@pytest.mark.parametrize(("chance", "wrong"), [(0.01, "high"), (0.005, "high"), (0.03, "low"), (0.05, "low")])
def test_the_sequential_test_keeps_its_errors(chance: float, wrong: str) -> None:
    """400 lines at each bound: at most 5 % are called the opposite, and few are never decided.

    Losses in a row count once: that lowers 3 % by a tenth of a percent, and two standard errors are allowed for.
    """
    said = [decided(chance, seed) for seed in range(400)]
    assert said.count(wrong) <= 400 * ERROR + 2 * (400 * ERROR) ** 0.5
    assert said.count("open") <= 4


def test_it_decides_soon_on_a_line_that_is_clearly_one_or_the_other() -> None:
    """Without loss in the first run, at 6 % within three runs of 150 in nine of ten lines."""
    assert all(decided(0.0, seed, most=1) == "low" for seed in range(20))
    assert sum(decided(0.06, seed, most=3) == "high" for seed in range(100)) >= 90


FATES = st.lists(st.booleans(), max_size=120)


@given(st.lists(FATES, max_size=5), st.randoms(use_true_random=False))
def test_loss_is_always_the_truth_whatever_the_order_of_the_runs(
    fates: list[list[bool]], source: random.Random
) -> None:
    """Counts are exact, inside their interval, and the same in any order."""
    runs = [run_of(missing) for missing in fates]
    found = loss_measurement("down", runs)
    shuffled = source.sample(runs, len(runs))
    assert decide_loss(shuffled) == decide_loss(runs)
    assert loss_measurement("down", shuffled) == found
    sent, lost = sum(map(len, fates)), sum(sum(missing) for missing in fates)
    if found.value is None:
        assert sent < 50
        return
    assert found.value == pytest.approx(100 * lost / sent)
    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-9 <= float(found.value) <= found.high + 1e-9
    assert found.metric("lost") == lost
    events, worst = found.metric("events"), found.metric("worst_200ms_pct")
    assert isinstance(events, int)
    assert isinstance(worst, float | int)
    assert (lost > 0) == (events > 0)
    assert 0 <= worst <= 100


@given(
    st.lists(
        st.builds(
            lambda sent, received, rows: LossRun(sent, received, [at for at, _ in rows], [gone for _, gone in rows]),
            st.integers(0, 70_000),
            st.integers(0, 2**32),
            st.lists(st.tuples(st.floats(-1e9, 1e9), st.booleans()), max_size=60),
        ),
        max_size=5,
    )
)
def test_any_counters_and_times_give_a_share_or_none(runs: list[LossRun]) -> None:
    """A page may say whatever it likes of its own line."""
    assert decide_loss(runs) in {"low", "high", "open"}
    found = loss_measurement("up", runs)
    assert found.value is None or 0 <= float(found.value) <= 100
