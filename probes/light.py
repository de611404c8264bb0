"""Light: luma figures of a picture and of the faces in it. Luma is 8-bit BT.601, 0 to 255. Formulas only, no limits.

The limits live in the profiles. No figure here is meant to judge a face's own brightness: what counts is the
difference between the face and what is behind it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from probes.faces import Face

__all__ = ["Luma", "face_light", "frame_light", "noise_sigma"]

Luma = NDArray[np.uint8]
"""Luma of a picture, height x width."""

FRAME_CLIPPED_LUMA: Final = 250
"""From this luma on a pixel of the frame counts as burnt out."""
FACE_CLIPPED_LUMA: Final = 245
"""From this luma on a pixel of skin counts as burnt out; skin loses its drawing a little earlier than a wall."""
GAMMA: Final = 2.2
"""Display gamma that takes luma to light, for exposure stops."""
MIN_SKIN_PX: Final = 30
"""Fewest pixels of skin for figures about a face."""
MIN_BACKGROUND_PX: Final = 50
"""Fewest pixels of background for a comparison with the face."""
NOISE_BLOCK_PX: Final = 32
NOISE_LUMA: Final = (16, 235)
"""Blocks darker or brighter than this are clipped and hide their noise."""


def frame_light(luma: Luma) -> dict[str, float]:
    """Return mean, spread, percentiles and burnt-out share of the whole frame; names carry what they are."""
    counts = np.bincount(luma.ravel(), minlength=256)
    total = int(counts.sum())
    levels = np.arange(256)
    mean = float(counts @ levels) / total
    spread = float(np.sqrt(max(0.0, float(counts @ levels**2) / total - mean**2)))
    p1, p5, p50, p95, p99 = (_percentile(counts, share) for share in (0.01, 0.05, 0.5, 0.95, 0.99))
    return {
        "luma_mean": mean,
        "luma_p1": p1,
        "luma_p5": p5,
        "luma_p50": p50,
        "luma_p95": p95,
        "luma_p99": p99,
        "luma_std": spread,
        "luma_range": p95 - p5,
        "frame_clipped_pct": 100.0 * float(counts[FRAME_CLIPPED_LUMA:].sum()) / total,
        "luma_left": float(luma[:, : max(1, luma.shape[1] // 3)].mean()),
        "luma_right": float(luma[:, -max(1, luma.shape[1] // 3) :].mean()),
    }


def face_light(luma: Luma, face: Face) -> dict[str, float | None]:
    """Return luma (median of the skin), background_luma (75th percentile around the head), ev_stops and clipped_pct.

    ev_stops is how many stops the background is brighter than the face. A face that leaves no background in the
    frame has nothing behind it that could blind the camera: background_luma and ev_stops are then 0.
    """
    skin = _part(luma, face, (0.20, 0.15, 0.80, 0.85)).ravel()
    if skin.size < MIN_SKIN_PX:
        return {"luma": None, "background_luma": None, "ev_stops": None, "clipped_pct": None}
    around = _background(luma, face)
    skin_luma = _percentile(np.bincount(skin, minlength=256), 0.5)
    clipped = 100.0 * float(np.count_nonzero(skin >= FACE_CLIPPED_LUMA)) / skin.size
    if around.size < MIN_BACKGROUND_PX:
        return {"luma": skin_luma, "background_luma": 0.0, "ev_stops": 0.0, "clipped_pct": clipped}
    background = _percentile(np.bincount(around, minlength=256), 0.75)
    stops = float(np.log2(_light(background) / _light(skin_luma)))
    return {"luma": skin_luma, "background_luma": background, "ev_stops": stops, "clipped_pct": clipped}


def noise_sigma(luma: Luma) -> float | None:
    """Return the noise in luma steps: Immerkaer's estimate (1996) on the flattest quarter of 32 x 32 px blocks.

    None where no block is neither black nor burnt out. Codecs and JPEG remove noise, so this is a lower bound.
    """
    rows, columns = (luma.shape[0] - 2) // NOISE_BLOCK_PX, (luma.shape[1] - 2) // NOISE_BLOCK_PX
    if rows < 1 or columns < 1:
        return None
    inner = luma[: rows * NOISE_BLOCK_PX + 2, : columns * NOISE_BLOCK_PX + 2].astype(np.int16)
    across = inner[:, :-2] - 2 * inner[:, 1:-1] + inner[:, 2:]
    both = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])
    roughness = _block_means(both, rows, columns)
    brightness = _block_means(inner[1:-1, 1:-1], rows, columns)
    usable = roughness[(brightness > NOISE_LUMA[0]) & (brightness < NOISE_LUMA[1])]
    if not usable.size:
        return None
    return float(np.percentile(usable, 25) * np.sqrt(np.pi / 2) / 6)


def _background(luma: Luma, face: Face) -> Luma:
    """Return the pixels left of, right of and above the head: three boxes in widths and heights of the face box."""
    boxes = ((-1.40, -0.60, -0.35, 0.70), (1.35, -0.60, 2.40, 0.70), (-0.50, -1.20, 1.50, -0.55))
    return np.concatenate([_part(luma, face, box).ravel() for box in boxes])


def _part(luma: Luma, face: Face, box: tuple[float, float, float, float]) -> Luma:
    """Return the part of the picture inside `box` (left, top, right, bottom in face widths and heights)."""
    height, width = luma.shape
    left, top, right, bottom = box
    x0, x1 = (int(min(max(face.x + edge * face.width, 0), width)) for edge in (left, right))
    y0, y1 = (int(min(max(face.y + edge * face.height, 0), height)) for edge in (top, bottom))
    return luma[y0:y1, x0:x1]


def _percentile(counts: NDArray[np.intp], share: float) -> float:
    """Return the nearest-rank percentile of a histogram of 256 levels: the least level that `share` of it reaches."""
    reached = np.cumsum(counts)
    return float(np.searchsorted(reached, share * reached[-1]))


def _light(luma: float) -> float:
    return float((max(luma, 1.0) / 255.0) ** GAMMA)


def _block_means(values: NDArray[np.int16], rows: int, columns: int) -> NDArray[np.float64]:
    blocks = values.reshape(rows, NOISE_BLOCK_PX, columns, NOISE_BLOCK_PX)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)
