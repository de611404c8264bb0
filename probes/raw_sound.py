"""The page's figures of the raw capture: digital zeros, peak, clipping and dropouts, which codecs would erase.

One block per 100 ms: ``[t_ms, rms_dbfs, peak_dbfs, zero_pct, clipped_frames_pct, dropouts, flat_frames_pct]``; older
pages omit the last two. A frame is 20 ms. "Clipped" is a run of samples at full scale, "flat" a run at the block's own
peak, as in sound that was clipped and then turned down. "Dropouts" are runs of exact zeros of at least 5 ms in the
middle of sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from probes.estimates import finite, mean
from probes.measurement import Measurement, Number, not_measured

__all__ = ["RawFigures", "clipping_measurement", "dropout_measurement", "equipment_measurement", "raw_figures"]

FLOOR_DBFS: Final = -100.0
BLOCK_FIGURES: Final = (5, 7)
BLOCK_S: Final = 0.1
PEAK_MARGIN_DB: Final = 0.15
"""Blocks whose peak is this close to the loudest one share its ceiling; peaks come in steps of 0.1 dB."""
CEILING_BLOCKS: Final = 3
"""Fewest blocks that reach a ceiling; in clean sound the loudest moment stands alone."""
HEADSETS: Final = frozenset({"headset", "bluetooth_headset"})
"""Classes of microphone close to the mouth."""
CEILING_DBFS: Final = -30.0
"""Below this nothing counts as clipped: it is silence."""
MIN_BLOCKS: Final = 10
"""Fewest blocks for anything that is counted: one second."""


@dataclass(frozen=True, slots=True)
class RawFigures:
    """Sums up the page's blocks; figures are None if it sent no valid block."""

    peak_dbfs: float | None
    zero_pct: float | None
    clipped_pct: float | None
    dropouts: int | None
    levels_dbfs: tuple[float, ...]
    """RMS of each block, in order."""
    processed: bool
    muted: bool
    """Whether the browser reported the microphone as muted."""

    @property
    def blocks(self) -> int:
        """Number of valid blocks."""
        return len(self.levels_dbfs)


def raw_figures(raw: Mapping[str, Any]) -> RawFigures:
    """Return the figures in ``{blocks, processed}``. Processing counts as on unless the page says that it was off."""
    blocks = raw.get("blocks")
    rows = [row for block in blocks if (row := _block(block))] if isinstance(blocks, (list, tuple)) else []
    peak = max((row[2] for row in rows), default=None)
    full = bool(rows) and all(len(row) == BLOCK_FIGURES[1] for row in rows)
    return RawFigures(
        peak_dbfs=peak,
        zero_pct=mean([row[3] for row in rows]),
        clipped_pct=_clipped_pct(rows, peak, full=full),
        dropouts=int(sum(row[5] for row in rows)) if full else None,
        levels_dbfs=tuple(row[1] for row in rows),
        processed=raw.get("processed") is not False,
        muted=raw.get("muted") is True,
    )


def clipping_measurement(page: RawFigures) -> Measurement:
    """Return the share of 20 ms frames with a run of samples at the ceiling, in percent; only the page can see it."""
    if page.clipped_pct is None:
        return not_measured("microphone.clipping", "too_few_samples", "pct")
    details: dict[str, Number | str | bool | None] = {"peak_dbfs": page.peak_dbfs}
    return Measurement("microphone.clipping", page.clipped_pct, "pct", samples=page.blocks, details=details)


def dropout_measurement(page: RawFigures) -> Measurement:
    """Return the runs of exact zeros in the middle of sound, per minute; only the page can see them."""
    if page.dropouts is None or page.blocks < MIN_BLOCKS:
        return not_measured("microphone.dropouts", "too_few_samples", "per_min")
    details: dict[str, Number | str | bool | None] = {"dropouts": page.dropouts}
    rate = page.dropouts * 60.0 / (page.blocks * BLOCK_S)
    return Measurement("microphone.dropouts", rate, "per_min", samples=page.blocks, details=details)


def equipment_measurement(raw: Mapping[str, Any], noise_dbfs: float | None, snr_db: float | None) -> Measurement:
    """Return the class of the microphone as the page named it, with the noise, against which a headset would help."""
    device = raw.get("device_class")
    if not isinstance(device, str):
        return not_measured("microphone.equipment", "too_few_samples")
    details: dict[str, Number | str | bool | None] = {
        "headset": device in HEADSETS,
        "noise_dbfs": noise_dbfs,
        "snr_db": snr_db,
    }
    return Measurement("microphone.equipment", device, samples=1, details=details)


def _clipped_pct(rows: list[list[float]], peak: float | None, *, full: bool) -> float | None:
    """Return the share of frames at full scale, or at the ceiling that the sound's peaks reveal."""
    clipped = mean([row[4] for row in rows])
    if clipped is None or peak is None or not full or peak < CEILING_DBFS:
        return clipped
    top = [row[6] for row in rows if row[2] >= peak - PEAK_MARGIN_DB and row[6] > 0]
    flat = sum(top) / len(rows) if len(top) >= CEILING_BLOCKS else 0.0
    return max(clipped, flat)


def _block(block: Any) -> list[float] | None:
    """Return a valid block with its levels clamped between the floor and +20 dBFS, else None."""
    if not isinstance(block, (list, tuple)) or len(block) not in BLOCK_FIGURES:
        return None
    numbers = finite(block)
    if len(numbers) != len(block):
        return None
    t_ms, rms, peak, zeros, clipped, *more = numbers
    shares = [zeros, clipped, *more[1:]]
    if not all(0.0 <= share / 100.0 <= 1.0 for share in shares) or not all(
        0.0 <= runs <= MIN_BLOCKS * 2 for runs in more[:1]
    ):
        return None
    return [t_ms, *(min(max(level, FLOOR_DBFS), 20.0) for level in (rms, peak)), zeros, clipped, *more]
