"""Voice: the E-model's published values, and no score where something is missing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.measurement import Measurement, not_measured
from probes.voice import BUFFER_MS, CODEC_MS, DEVICES_MS, EVS, Codec, fullband_r, mos_of, voice_measurement

RTPENGINE = Codec("rtpengine", ie=10.2, bpl=4.3)
"""The constants of rtpengine's `mos_calc_fb`, whose table is the reference."""
LOSSES_PCT = (0, 1, 2, 5)
PUBLISHED = {
    50: (4.41, 3.93, 3.45, 2.52),
    150: (4.40, 3.92, 3.44, 2.51),
    200: (4.34, 3.80, 3.30, 2.36),
    250: (4.17, 3.53, 3.00, 2.06),
    300: (3.96, 3.24, 2.69, 1.79),
    400: (3.55, 2.76, 2.21, 1.41),
}


def rtt(value: float = 40.0, low: float | None = None, high: float | None = None) -> Measurement:
    return Measurement("network.rtt", value, "ms", low=low, high=high, samples=250)


def loss(value: float = 0.0, low: float | None = None, high: float | None = None, samples: int = 300) -> Measurement:
    return Measurement("network.loss_up", value, "pct", low=low, high=high, samples=samples)


@pytest.mark.parametrize("delay_ms", PUBLISHED)
def test_the_published_table(delay_ms):
    """Delay by delay and loss by loss, the curve gives what others have computed from the same recommendation."""
    found = [mos_of(fullband_r(delay_ms, pct, RTPENGINE)) for pct in LOSSES_PCT]
    assert found == pytest.approx(PUBLISHED[delay_ms], abs=0.0051)


def test_the_published_values_of_evs():
    """At 150 ms with the constants of G.113 for EVS at 24.4 kbit/s."""
    found = [mos_of(fullband_r(150, pct)) for pct in (0, 1, 3, 5)]
    assert found == pytest.approx((4.44, 4.29, 3.92, 3.56), abs=0.0051)


def test_the_ends_of_the_scale():
    """R of 0 is 1, R of 148 is 4.5, and nothing lies beyond."""
    assert mos_of(-20) == mos_of(0) == 1.0
    assert mos_of(148) == mos_of(200) == 4.5
    assert mos_of(8) == 1.0, "the cubic dips under 1 near the bottom"


def test_one_decimal_with_its_parts():
    """The score names its model and shows what delay and loss took away."""
    found = voice_measurement(rtt(300), [loss(0.2), loss(1.0)])
    assert found.value == round(float(found.value), 1)
    delay_ms = 150 + CODEC_MS + BUFFER_MS + DEVICES_MS
    assert found.metric("delay_ms") == pytest.approx(delay_ms)
    assert found.metric("loss_pct") == 1.0, "the worse direction"
    assert found.metric("model") == "G.107.2"
    assert found.metric("codec") == EVS.name
    parts = sum(float(found.metric(name)) for name in ("delay_part_r", "loss_part_r", "codec_part_r"))
    assert float(found.metric("r")) + parts == pytest.approx(148, abs=0.2)
    assert found.samples == 250


def test_the_interval_holds_what_delay_and_loss_allow():
    """The lower end is the score of the longer delay with the larger loss of either direction."""
    up, down = loss(0.5, 0.1, 3.0), loss(1.0, 0.4, 2.0)
    found = voice_measurement(rtt(200, 190, 260), [up, down])
    worst, best = voice_measurement(rtt(260), [loss(3.0)]), voice_measurement(rtt(190), [loss(0.4)])
    assert (found.low, found.high) == (worst.value, best.value)
    assert found.low < found.value < found.high


def test_an_uneven_line_needs_a_longer_buffer():
    """The p95 of the extra delay is waited out at the listener."""
    calm = voice_measurement(rtt(100), [loss()], [Measurement("network.jitter_down", 5.0, "ms")])
    uneven = voice_measurement(rtt(100), [loss()], [Measurement("network.jitter_down", 180.0, "ms")])
    assert calm.metric("buffer_ms") == BUFFER_MS
    assert uneven.metric("buffer_ms") == 180.0
    assert uneven.value < calm.value


@pytest.mark.parametrize(
    ("delay", "losses", "cause"),
    [
        (not_measured("network.rtt", "no_media", "ms"), [loss()], "no_media"),
        (rtt(), [loss(), not_measured("network.loss_down", "server_busy", "pct")], "server_busy"),
        (rtt(), [], "too_few_samples"),
        (rtt(math.nan), [loss()], "too_few_samples"),
        (Measurement("network.rtt", None), [loss()], "too_few_samples"),
    ],
)
def test_missing_data_is_no_score(delay, losses, cause):
    """Without delay or without the loss of a direction there is nothing to say."""
    found = voice_measurement(delay, losses)
    assert found.value is None
    assert found.cause == cause
    assert found.unit == "mos"


@given(st.floats(0, 5000), st.floats(0, 100), st.floats(0, 100), st.floats(0, 1000), st.floats(0, 50))
def test_more_delay_or_loss_never_sounds_better(trip, up, down, more_ms, more_pct):
    """The score stays on its scale and falls with both."""
    found = voice_measurement(rtt(trip), [loss(up), loss(down)]).value
    later = voice_measurement(rtt(trip + more_ms), [loss(up), loss(down)]).value
    lossier = voice_measurement(rtt(trip), [loss(min(100, up + more_pct)), loss(down)]).value
    assert 1.0 <= max(later, lossier) <= found <= 4.5
