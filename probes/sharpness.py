"""Sharpness of the face: Tenengrad over variance on the face crop at 96 px, which noise and darkness hardly move.

The plain variance of the Laplacian takes noise for detail; dividing the squared gradient by the variance does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from probes.faces import Face

__all__ = ["MIN_FACE_PX", "face_sharpness"]

MIN_FACE_PX: Final = 40
"""Least height of a face box whose sharpness can be told; smaller ones look blurred at 96 px whatever the lens does."""
CROP_PX: Final = (96, 115)
"""Width and height to which every face is brought, so that near and far ones compare."""
PAD: Final = 0.1
"""How far the crop reaches beyond the box, in widths and heights of it."""
VARIANCE_FLOOR: Final = 5.0
"""Added to the variance in luma steps squared, so that an even crop does not divide by nothing."""

SMOOTHING_PX: Final = 0.7
"""Gaussian smoothing of the crop, so that noise in a dark picture is not taken for edges."""


def face_sharpness(luma: NDArray[np.uint8], face: Face) -> float | None:
    """Return mean squared gradient (Sobel) over variance: 2.3 is usual, under 1.6 blurred. None for a small face."""
    if face.height < MIN_FACE_PX:
        return None
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    height, width = luma.shape
    x0, x1 = (int(min(max(edge, 0), width)) for edge in (face.x - PAD * face.width, face.x + (1 + PAD) * face.width))
    y0, y1 = (int(min(max(edge, 0), height)) for edge in (face.y - PAD * face.height, face.y + (1 + PAD) * face.height))
    crop = luma[y0:y1, x0:x1]
    if crop.shape[0] < MIN_FACE_PX // 2 or crop.shape[1] < MIN_FACE_PX // 2:
        return None
    shrinks = crop.shape[1] > CROP_PX[0]
    scaled = cv2.resize(crop, CROP_PX, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    values = cv2.GaussianBlur(scaled.astype(np.float32), (0, 0), SMOOTHING_PX)
    across, down = cv2.Sobel(values, cv2.CV_32F, 1, 0), cv2.Sobel(values, cv2.CV_32F, 0, 1)
    return float(np.mean(across**2 + down**2) / (float(values.var()) + VARIANCE_FLOOR))
