"""Light: luma figures of a picture and of the faces in it. Luma is 8-bit BT.601, 0 to 255. Formulas only, no limits.

The limits are in the profiles. A face's own brightness is not a fault; a face too dark to be seen before a bright
background is. So backlight rests on two figures: how much brighter the background is, and how dark even the bright
parts of the face are. Hair, a beard, a cloth mask and shadow darken the middle of a face, not its bright parts. Dark
skin does darken them, and then the clothes decide: light that misses a face misses the clothes below it too. Skin burns
out in red first, so that a face can be lost to too much light while its luma is still below white.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from probes.faces import Face

__all__ = ["Luma", "face_light", "frame_light", "luma_change", "noise_sigma", "red_clipped_pct"]

Luma = NDArray[np.uint8]
"""Luma of a picture, height x width."""

FRAME_CLIPPED_LUMA: Final = 250
"""Luma from which a pixel of the frame counts as burnt out."""
FACE_CLIPPED_LUMA: Final = 245
"""Luma from which a pixel of skin counts as burnt out; skin loses detail a little earlier than a wall."""
RED_CLIPPED: Final = 250
"""Red, 0 to 255, from which a pixel counts as burnt out in red."""
SKIN: Final = (0.20, 0.15, 0.80, 0.85)
"""The part of a face box that is taken for skin, in widths and heights of the box."""
GAMMA: Final = 2.2
"""Display gamma that converts luma to light, for exposure stops."""
MIN_SKIN_PX: Final = 30
"""Fewest pixels of skin for figures about a face."""
BRIGHT_PART: Final = 0.9
"""Share of the face that is darker than its bright parts; shine on forehead or glasses takes less than the rest."""
CLOTHES: Final = (0.15, 1.40, 0.85, 2.20)
"""Region of the clothes: below the neck and within the shoulders, in widths and heights of the face box."""
MOST_SHINE: Final = 0.03
"""Burnt-out share of that region from which it holds the window behind, whose soft edge would pass for lit cloth."""
MIN_BACKGROUND_PX: Final = 50
"""Fewest pixels of background for a comparison with the face."""
REST_SHARE: Final = 0.95
"""Percentile of the whole frame that stands for the background of a face that fills it."""
NOISE_BLOCK_PX: Final = 32
NOISE_LUMA: Final = (16, 235)
"""Range of block luma; blocks outside it are clipped and hide their noise."""


def frame_light(luma: Luma) -> dict[str, float]:
    """Return mean, spread, percentiles and burnt-out share of the whole frame, by name."""
    counts = np.bincount(luma.ravel(), minlength=256)
    total = int(counts.sum())
    levels = np.arange(256)
    mean = float(counts @ levels) / total
    spread = float(np.sqrt(max(0.0, float(counts @ levels**2) / total - mean**2)))
    p1, p5, p50, p95, p99, p999 = (_percentile(counts, share) for share in (0.01, 0.05, 0.5, 0.95, 0.99, 0.999))
    return {
        "luma_mean": mean,
        "luma_p1": p1,
        "luma_p5": p5,
        "luma_p50": p50,
        "luma_p95": p95,
        "luma_p99": p99,
        "luma_p999": p999,
        "luma_std": spread,
        "luma_range": p95 - p5,
        "frame_clipped_pct": 100.0 * float(counts[FRAME_CLIPPED_LUMA:].sum()) / total,
        "luma_left": float(luma[:, : max(1, luma.shape[1] // 3)].mean()),
        "luma_right": float(luma[:, -max(1, luma.shape[1] // 3) :].mean()),
    }


def face_light(luma: Luma, face: Face) -> dict[str, float | None]:
    """Return figures of the light on and around one face: luma is the median of the skin, bright_luma its bright parts.

    The others are background_luma, ev_stops, clothes_luma and clipped_pct; all are None if the face is too small.
    ev_stops says by how many stops the background is brighter than the skin. The background is the 75th percentile
    around the head or, if the face fills the frame, the 95th percentile of the whole frame. clipped_pct is the
    burnt-out share of the upper or lower half, whichever is smaller, because a white mask or cap burns out one half.
    clothes_luma is that of bright parts below the neck, and None if these are not in the picture.
    """
    skin = _part(luma, face, SKIN)
    if skin.size < MIN_SKIN_PX:
        return dict.fromkeys(("luma", "bright_luma", "clothes_luma", "background_luma", "ev_stops", "clipped_pct"))
    counts = np.bincount(skin.ravel(), minlength=256)
    skin_luma = _percentile(counts, 0.5)
    background = _background_luma(luma, face)
    return {
        "luma": skin_luma,
        "bright_luma": _percentile(counts, BRIGHT_PART),
        "clothes_luma": _clothes_luma(luma, face),
        "background_luma": background,
        "ev_stops": float(np.log2(_light(background) / _light(skin_luma))),
        "clipped_pct": _burnt_pct(skin, FACE_CLIPPED_LUMA),
    }


def red_clipped_pct(red: Luma, face: Face) -> float | None:
    """Return the share of the skin whose red is burnt out, percent, in the upper or lower half, whichever is smaller.

    `red` is the red of the picture alone. None if the face is too small.
    """
    skin = _part(red, face, SKIN)
    return _burnt_pct(skin, RED_CLIPPED) if skin.size >= MIN_SKIN_PX else None


def noise_sigma(luma: Luma) -> float | None:
    """Return the noise in luma steps: Immerkaer's estimate (1996) on the flattest quarter of 32 x 32 px blocks.

    None if every block is black or burnt out. Codecs and JPEG remove noise, so this is a lower bound.
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


def luma_change(before: Luma | None, luma: Luma) -> float | None:
    """Return the mean absolute change since `before`; None without it, or where it has another size.

    Every fourth pixel is picked, not averaged, because averaging would hide the sensor noise that proves a live camera.
    """
    if before is None or before.shape != luma.shape:
        return None
    return float(np.mean(np.abs(luma[::2, ::2].astype(np.int16) - before[::2, ::2])))


def _background_luma(luma: Luma, face: Face) -> float:
    """Return the luma beside and above the head, in three boxes in widths and heights of the face box."""
    boxes = ((-1.40, -0.60, -0.35, 0.70), (1.35, -0.60, 2.40, 0.70), (-0.50, -1.20, 1.50, -0.55))
    around = np.concatenate([_part(luma, face, box).ravel() for box in boxes])
    if around.size < MIN_BACKGROUND_PX:
        return _percentile(np.bincount(luma.ravel(), minlength=256), REST_SHARE)
    return _percentile(np.bincount(around, minlength=256), 0.75)


def _burnt_pct(skin: Luma, level: int) -> float:
    """Return the share from `level` on, percent, in the upper or lower half, whichever is smaller."""
    return 100.0 * min(float(np.mean(half >= level)) for half in np.array_split(skin, 2))


def _clothes_luma(luma: Luma, face: Face) -> float | None:
    """Return the luma of the bright parts of the clothes, or that of burnt-out pixels if a window is among them."""
    clothes = _part(luma, face, CLOTHES)
    if clothes.size < MIN_SKIN_PX:
        return None
    bright = _percentile(np.bincount(clothes.ravel(), minlength=256), BRIGHT_PART)
    return max(bright, FACE_CLIPPED_LUMA) if np.mean(clothes >= FACE_CLIPPED_LUMA) > MOST_SHINE else bright


def _part(luma: Luma, face: Face, box: tuple[float, float, float, float]) -> Luma:
    """Return the part of the picture inside `box` (left, top, right, bottom in face widths and heights)."""
    height, width = luma.shape
    left, top, right, bottom = box
    x0, x1 = (int(min(max(face.x + edge * face.width, 0), width)) for edge in (left, right))
    y0, y1 = (int(min(max(face.y + edge * face.height, 0), height)) for edge in (top, bottom))
    return luma[y0:y1, x0:x1]


def _percentile(counts: NDArray[np.intp], share: float) -> float:
    """Return the nearest-rank percentile of a histogram of 256 levels: the lowest level that covers `share` of it."""
    reached = np.cumsum(counts)
    return float(np.searchsorted(reached, share * reached[-1]))


def _light(luma: float) -> float:
    return float((max(luma, 1.0) / 255.0) ** GAMMA)


def _block_means(values: NDArray[np.int16], rows: int, columns: int) -> NDArray[np.float64]:
    blocks = values.reshape(rows, NOISE_BLOCK_PX, columns, NOISE_BLOCK_PX)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float64)
