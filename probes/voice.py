"""Voice: the sound quality to expect on this line, by the E-model. A planning estimate, never a gate.

ITU-T G.107.2 (06/2019, fullband): ``R = 148 - Id - Ie,eff``, converted to the scale of G.107 by R/1.48. The impairment
by packet loss uses the constants that G.113 (09/2024) lists for EVS at 24.4 kbit/s, because none are published for
Opus, which browsers send. Other constants move the score by up to 0.4 at 1 % loss, so it has one decimal and no more.
If delay or loss is missing there is no score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from probes.estimates import finite
from probes.measurement import Measurement, not_measured

__all__ = ["EVS", "Codec", "fullband_r", "mos_of", "voice_measurement"]

CHECK: Final = "media.voice"
MODEL: Final = "G.107.2"
BEST_R: Final = 148.0
"""Basic signal-to-noise ratio of fullband speech, Ro,FB of G.107.2."""
SCALE: Final = 1.48
"""Fullband R divided by the R of G.107, whose curve gives the score."""
FREE_DELAY_MS: Final = 100.0
"""One-way delay, mouth to ear, that nobody notices."""
DELAY_WEIGHT: Final = 25.0
DELAY_ORDER: Final = 6.0
DELAY_MIDDLE: Final = 3.0
"""The three constants of G.107's curve Idd for a conversation of ordinary sensitivity (sT = 1, mT = 100 ms)."""
MOST_IMPAIRED: Final = 132.0
"""The most that loss can take from R, fullband."""
BEST_MOS: Final = 4.5
BEST_NARROW_R: Final = 100.0

CODEC_MS: Final = 26.5
"""Opus as browsers send it: a frame of 20 ms and 6.5 ms of look-ahead."""
BUFFER_MS: Final = 40.0
"""Jitter buffer of a browser on a steady line; with jitter it grows to the p95 of the extra delay."""
DEVICES_MS: Final = 45.0
"""Microphone and loudspeaker with their drivers, both ends together: 30 to 60 ms."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec's response to loss: equipment impairment `ie` and robustness `bpl`, both fullband."""

    name: str
    ie: float
    bpl: float


EVS: Final = Codec("EVS 24.4 kbit/s for Opus", ie=7.2, bpl=11.4)


def fullband_r(delay_ms: float, loss_pct: float, codec: Codec = EVS) -> float:
    """Return R of G.107.2 for a one-way delay, mouth to ear, and a random loss in percent; 148 is the best."""
    return BEST_R - delay_impairment(delay_ms) - loss_impairment(loss_pct, codec)


def delay_impairment(delay_ms: float) -> float:
    """Return Idd, the amount that delay takes from R."""
    if delay_ms <= FREE_DELAY_MS:
        return 0.0
    x = math.log2(delay_ms / FREE_DELAY_MS)
    middle = _root(x / DELAY_MIDDLE)
    return SCALE * DELAY_WEIGHT * (_root(x) - 3 * middle + 2)


def _root(x: float) -> float:
    return math.pow(1 + math.pow(x, DELAY_ORDER), 1 / DELAY_ORDER)


def loss_impairment(loss_pct: float, codec: Codec = EVS) -> float:
    """Return Ie,eff, the amount that codec and loss take from R."""
    return codec.ie + (MOST_IMPAIRED - codec.ie) * loss_pct / (loss_pct + codec.bpl)


def mos_of(r: float) -> float:
    """Return the mean opinion score, 1 to 4.5, of a fullband R."""
    narrow = r / SCALE
    if narrow <= 0:
        return 1.0
    if narrow >= BEST_NARROW_R:
        return BEST_MOS
    return max(1.0, 1 + 0.035 * narrow + 7e-6 * narrow * (narrow - 60) * (100 - narrow))


def voice_measurement(
    rtt: Measurement, losses: Sequence[Measurement], jitters: Sequence[Measurement] = ()
) -> Measurement:
    """Return ``media.voice``: the score of the worse direction, from round trip (ms), loss (pct) and jitter (ms).

    A conversation is as good as its worse direction, so the larger loss counts. The interval covers every score that
    the intervals of delay and loss allow. `jitters` (p95 of the extra delay) lengthen the assumed jitter buffer.
    """
    missing = next((one for one in (rtt, *losses) if not finite((one.value,))), None)
    if missing is not None or not losses:
        return not_measured(CHECK, (missing.cause if missing else None) or "too_few_samples", "mos")
    trip, worst = _span([rtt]), _span(losses)
    buffer_ms = max(BUFFER_MS, *finite(one.value for one in jitters), 0.0)
    fixed_ms = CODEC_MS + buffer_ms + DEVICES_MS
    delays = [_clamp(ms, math.inf) / 2 + fixed_ms for ms in trip]
    low, value, high = (
        round(mos_of(fullband_r(delay_ms, _clamp(loss_pct, 100.0))), 1)
        for delay_ms, loss_pct in zip(reversed(delays), reversed(worst), strict=True)
    )
    loss_pct = _clamp(worst[1], 100.0)
    return Measurement(
        CHECK,
        value,
        "mos",
        low=low,
        high=high,
        samples=min(one.samples for one in (rtt, *losses)),
        details={
            "model": MODEL,
            "codec": EVS.name,
            "r": round(fullband_r(delays[1], loss_pct), 1),
            "delay_part_r": round(delay_impairment(delays[1]), 1),
            "loss_part_r": round(loss_impairment(loss_pct) - EVS.ie, 1),
            "codec_part_r": EVS.ie,
            "delay_ms": round(delays[1], 1),
            "buffer_ms": round(buffer_ms, 1),
            "loss_pct": round(loss_pct, 2),
        },
    )


def _span(found: Sequence[Measurement]) -> tuple[float, float, float]:
    """Return the best, likely and worst value of the largest measurement; its value replaces a missing end."""
    spans = []
    for one in found:
        value = finite((one.value,))[0]
        low, high = (finite((end,)) or [value] for end in (one.low, one.high))
        spans.append((min(low[0], value), value, max(high[0], value)))
    return max(span[0] for span in spans), max(span[1] for span in spans), max(span[2] for span in spans)


def _clamp(value: float, most: float) -> float:
    return min(max(value, 0.0), most)
