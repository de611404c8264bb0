"""One rate on a line whose truth is known: carried, or short by how much; fail early, pass late."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.trial import (
    CARRIED_S,
    LEAST_PER_S,
    LONGEST_SHORT_S,
    MAX_WIRE_BYTES,
    Quiet,
    TrialFigures,
    decide,
    examine,
    packet_bytes,
    quiet_line,
)
from tests.link.model import Bursts, Channel, Direction

RATE = 1.875
STEP_S = 0.1


def sent_through(
    line: Direction, rate_mbps: float, seconds: float, *, seed: int = 1, size: int | None = None
) -> tuple[list[float], list[float | None], int]:
    """Send and arrival times, ms, of packets at a constant rate; their size, bytes."""
    channel, size = Channel(line, seed), size or packet_bytes(rate_mbps)
    every = size * 8 / (rate_mbps * 1e6)
    sent = [n * every for n in range(round(seconds / every))]
    out = [channel.offer(at, size) for at in sent]
    return [at * 1e3 for at in sent], [None if at is None else at * 1e3 + 5e6 for at in out], size


def tried(
    line: Direction, rate_mbps: float = RATE, *, seed: int = 1, quiet: Quiet | None = None
) -> tuple[str, TrialFigures | None]:
    """Look at a trial every tenth of a second, as the worker does, until it is decided."""
    sent, arrived, size = sent_through(line, rate_mbps, CARRIED_S + 2, seed=seed)
    for look in range(1, 60):
        now = look * STEP_S
        known = sum(at <= now * 1e3 for at in sent)
        fates = [at if at is None or at - 5e6 <= now * 1e3 else math.inf for at in arrived[:known]]
        while fates and (fates[-1] is None or math.isinf(fates[-1])):
            fates.pop()
        figures = (
            examine(rate_mbps, sent[: len(fates)], fates, size, quiet=quiet or Quiet()) if len(fates) > 1 else None
        )
        state = decide(figures, rate_mbps / 1.25, since_start_s=now)
        if state != "open":
            return state, figures
    return "open", None


def rested(line: Direction, *, seed: int = 1) -> Quiet:
    """What the same line does with a hundred small packets a second."""
    sent, arrived, _ = sent_through(line, 0.096, 1.5, seed=seed + 900, size=120)
    return quiet_line(sent, arrived)


def test_a_wide_line_carries_the_rate() -> None:
    """50 Mbit/s: carried after three seconds, everything arrived, no queue, no capacity made up."""
    state, figures = tried(Direction(rate_mbps=50, delay_ms=20))
    assert state == "carried"
    assert figures is not None
    assert figures.elapsed_ms == pytest.approx(CARRIED_S * 1000, rel=0.05)
    assert figures.offered_mbps == pytest.approx(RATE, rel=0.01)
    assert figures.arrived_mbps == pytest.approx(RATE, rel=0.02)
    assert (figures.lost, figures.capacity_mbps, figures.low_mbps, figures.high_mbps) == (0, None, None, None)
    assert figures.queue_ms < 1


@pytest.mark.parametrize("rate", [0.3, 0.7, 1.2, 1.6])
@pytest.mark.parametrize("queue_ms", [100, 1000])
def test_a_thin_line_is_measured_and_left_early(rate: float, queue_ms: float) -> None:
    """The bottleneck's own rate within 6 %, inside its interval's reach, and the line is not filled for long."""
    state, figures = tried(Direction(rate_mbps=rate, queue_ms=queue_ms, delay_ms=20))
    assert state == "short"
    assert figures is not None
    assert figures.capacity_mbps == pytest.approx(rate, rel=0.06)
    assert figures.low_mbps is not None
    assert figures.high_mbps is not None
    assert figures.low_mbps <= figures.capacity_mbps <= figures.high_mbps
    assert figures.elapsed_ms < LONGEST_SHORT_S * 1000 + 300
    assert figures.queue_ms > 30


@pytest.mark.parametrize("loss", [Direction(loss_pct=3), Direction(loss_pct=5), Direction(burst=Bursts(0.4, 8))])
def test_random_loss_on_a_wide_line_is_no_thin_line(loss: Direction) -> None:
    """Up to 5 %, at random or in bursts: the rate is carried, and the losses are counted."""
    line = Direction(rate_mbps=20, delay_ms=20, loss_pct=loss.loss_pct, burst=loss.burst)
    for seed in range(5):
        state, figures = tried(line, seed=seed, quiet=rested(line, seed=seed))
        assert state == "carried"
        assert figures is not None
        assert figures.lost > 0


def test_jitter_in_order_is_no_queue() -> None:
    """Up to 30 ms of jitter, which packets in order never get rid of quite: the quiet line knows it."""
    line = Direction(rate_mbps=20, delay_ms=20, jitter_ms=30)
    for seed in range(5):
        assert tried(line, seed=seed, quiet=rested(line, seed=seed))[0] == "carried"


def test_a_shallow_queue_that_loses_packets_is_full() -> None:
    """20 ms of queue never stand at 35 ms: the loss behind a delay tells."""
    line = Direction(rate_mbps=1.2, queue_ms=20, delay_ms=20)
    for seed in range(5):
        state, figures = tried(line, seed=seed, quiet=rested(line, seed=seed))
        assert state == "short"
        assert figures is not None
        assert figures.capacity_mbps == pytest.approx(1.2, rel=0.1)


def test_a_token_bucket_does_not_hide_a_thin_line() -> None:
    """128 kB pass at once before 1.4 Mbit/s apply: three seconds are longer than that."""
    assert tried(Direction(rate_mbps=1.4, bucket_bytes=128_000, queue_ms=200))[0] == "short"


def test_nothing_arriving_ends_the_trial() -> None:
    """Silence is short after a second and a half, not before; and no figures are made of one packet."""
    assert decide(None, 1.5, since_start_s=1.4) == "open"
    assert decide(None, 1.5, since_start_s=1.6) == "short"
    assert examine(RATE, [0.0, 10.0], [None, None], 1000) is None
    assert examine(RATE, [0.0, 10.0], [None, 5.0], 1000) is None
    assert examine(RATE, [], [], 1000) is None


def test_a_trial_whose_feedback_stops_does_not_wait_for_ever() -> None:
    """A moment of packets and then nothing: short once the time is over, whatever came first."""
    sent, arrived, size = sent_through(Direction(rate_mbps=50), RATE, 0.5)
    figures = examine(RATE, sent, arrived, size)
    assert decide(figures, 1.5, since_start_s=2.0) == "open"
    assert decide(figures, 1.5, since_start_s=CARRIED_S + 1.6) == "short"
    sent, arrived, size = sent_through(Direction(rate_mbps=50), RATE, 0.1)
    assert decide(examine(RATE, sent, arrived, size), 1.5, since_start_s=3.3) == "short"


def test_a_sender_that_offered_less_is_told() -> None:
    """Half the packets never left: what was offered is said beside what was asked."""
    sent, arrived, size = sent_through(Direction(rate_mbps=50), RATE / 2, 3.0, size=packet_bytes(RATE))
    figures = examine(RATE, sent, arrived, size)
    assert figures is not None
    assert (figures.asked_mbps, figures.offered_mbps) == (RATE, pytest.approx(RATE / 2, rel=0.01))


def test_the_two_clocks_are_never_compared() -> None:
    """A receiver whose clock is a year ahead, or behind, sees the same."""
    sent, arrived, size = sent_through(Direction(rate_mbps=1.2, queue_ms=500), RATE, 1.0)
    here = examine(RATE, sent, arrived, size)
    for offset in (3e10, -3e10):
        there = examine(RATE, sent, [None if at is None else at + offset for at in arrived], size)
        assert here is not None
        assert there is not None
        assert there.capacity_mbps == pytest.approx(here.capacity_mbps, rel=1e-4)
        assert (there.lost, there.known) == (here.lost, here.known)
        assert there.queue_ms == pytest.approx(here.queue_ms, abs=0.01)


@pytest.mark.parametrize(("rate", "size"), [(0.096, 120), (0.05, 110), (0.5, 625), (1.875, 1170), (6.0, 1170)])
def test_packets_are_small_enough_to_come_often(rate: float, size: int) -> None:
    """At least a hundred a second, and never above what every path takes."""
    assert packet_bytes(rate) == size
    assert size <= MAX_WIRE_BYTES
    assert rate * 1e6 / 8 / size >= LEAST_PER_S or size < 120


def test_the_quiet_line_is_what_it_is() -> None:
    """Loss and jitter of a few packets; nothing known of a line that let nothing through."""
    quiet = rested(Direction(rate_mbps=50, loss_pct=10, jitter_ms=20))
    assert quiet.lost == pytest.approx(0.1, abs=0.06)
    assert 5 < quiet.usual_ms < 20
    assert quiet_line([0.0], [None]) == quiet_line([], []) == Quiet()
    still = rested(Direction(rate_mbps=50))
    assert (still.floor_ms, still.lost) == (pytest.approx(0, abs=0.01), 0)


TIMES = st.floats(-1e12, 1e12)


@given(
    st.lists(st.tuples(TIMES, st.none() | TIMES), max_size=120),
    st.integers(1, 2000),
    st.builds(Quiet, st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1)),
    st.floats(0, 10),
)
@settings(deadline=None)
def test_any_times_are_examined_without_raising(
    rows: list[tuple[float, float | None]], size: int, quiet: Quiet, since_s: float
) -> None:
    """A page's stamps may go anywhere, backwards too: figures are finite, and the trial is decided or open."""
    figures = examine(RATE, [at for at, _ in rows], [at for _, at in rows], size, quiet=quiet)
    assert decide(figures, 1.5, since_start_s=since_s) in {"open", "carried", "short"}
    if figures is not None:
        rates = (figures.offered_mbps, figures.arrived_mbps, figures.capacity_mbps, figures.low_mbps, figures.high_mbps)
        assert all(rate is None or (math.isfinite(rate) and rate >= 0) for rate in rates)
        assert 0 <= figures.lost <= figures.known == len(rows)
    assert 0 <= quiet_line([at for at, _ in rows], [at for _, at in rows]).lost <= 1


def with_lost_feedback(
    sent: list[float], arrived: list[float | None], *, lost: float, seed: int, covers: int = 24
) -> tuple[list[float], list[float | None], list[int]]:
    """What is heard of a trial whose feedback, on `covers` packets (a tenth of a second), gets lost by this share."""
    seeded = random.Random(seed)
    heard: list[tuple[float, float | None, int]] = []
    gap = 0
    for start in range(0, len(sent), covers):
        rows = list(zip(sent[start : start + covers], arrived[start : start + covers], strict=True))
        if seeded.random() < lost:
            gap += len(rows)
            continue
        heard += [(at, fate, gap if number == 0 else 0) for number, (at, fate) in enumerate(rows)]
        gap = 0
    times, fates, gaps = zip(*heard, strict=True)
    return list(times), list(fates), list(gaps)


@pytest.mark.parametrize("lost", [0.0, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("carries", [0.3, 0.6, 1.2])
def test_lost_feedback_does_not_make_a_line_slower(lost, carries):
    """Where the other direction is full too, most feedback may be lost; the rate is read where it was heard."""
    for seed in range(10):
        sent, arrived, size = sent_through(Direction(rate_mbps=carries, delay_ms=20, queue_ms=300), RATE, CARRIED_S)
        times, fates, gaps = with_lost_feedback(sent, arrived, lost=lost, seed=seed)
        figures = examine(RATE, times, fates, size, unheard=gaps)
        assert figures is not None
        assert figures.unknown == sum(gaps)
        assert figures.capacity_mbps == pytest.approx(carries, rel=0.1)
        assert decide(figures, 1.5, since_start_s=CARRIED_S) == "short"


def test_a_line_that_a_few_packets_fill_is_not_carried():
    """It loses most of what it is sent at rest too: that is no loss of its own, and no reason to excuse the trial's."""
    line = Direction(rate_mbps=0.1, delay_ms=20, queue_ms=100)
    state, figures = tried(line, quiet=Quiet(floor_ms=80, usual_ms=90, lost=0.8))
    assert state == "short"
    assert figures is not None
    assert figures.carried_mbps == pytest.approx(0.1, rel=0.2)


def test_a_rate_is_not_carried_by_what_nobody_heard_of():
    """A wide line with most of its feedback lost is neither carried nor short: nothing was seen."""
    sent, arrived, size = sent_through(Direction(rate_mbps=20, delay_ms=20), RATE, CARRIED_S)
    heard = with_lost_feedback(sent, arrived, lost=0.8, seed=1)
    figures = examine(RATE, heard[0], heard[1], size, unheard=heard[2])
    assert decide(figures, 1.5, since_start_s=CARRIED_S + 1.6) == "blind"
    heard = with_lost_feedback(sent, arrived, lost=0.2, seed=2)
    figures = examine(RATE, heard[0], heard[1], size, unheard=heard[2])
    assert decide(figures, 1.5, since_start_s=CARRIED_S + 0.2) == "carried"
    assert figures is not None
    assert figures.offered_mbps == pytest.approx(RATE, rel=0.02)
