"""Sharpness of the face: fine detail relative to coarse detail, in the worst of all directions.

Squared gradients (Tenengrad) of the face at 96 px, lightly smoothed, over those of the same face strongly smoothed. A
blurred face loses little by the light smoothing, so the figure falls towards 1. Light, contrast, skin and the features
of a face cancel out of the quotient; noise mostly does. Motion blurs along a single direction, which can be any: the
least quotient over all directions is the smaller generalised eigenvalue of the two structure tensors (Bigun and
Granlund 1987). The plain variance of the Laplacian would take noise for detail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from probes.faces import Face

__all__ = ["MIN_FACE_PX", "face_sharpness"]

MIN_FACE_PX: Final = 40
"""Least height of a face box for a sharpness; smaller faces look blurred at 96 px with any lens."""
CROP_PX: Final = (96, 115)
"""Width and height to which every face is scaled, so that near and far ones compare."""
PAD: Final = 0.1
"""How far the crop extends beyond the box, in widths and heights of the box."""
FINE_PX: Final = 1.2
COARSE_PX: Final = 3.0
"""Standard deviations of the Gaussian smoothing at 96 px: the first removes noise, the second wrinkles too."""
GRADIENT_FLOOR: Final = 2.0
"""Added to the coarse gradients, luma steps squared, so that an even crop causes no division by zero."""


def face_sharpness(luma: NDArray[np.uint8], face: Face) -> float | None:
    """Return fine over coarse squared gradients: 2.2 is usual, under 1.75 blurred. None for a small face."""
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
    fine, coarse = (cv2.GaussianBlur(scaled.astype(np.float32), (0, 0), sigma) for sigma in (FINE_PX, COARSE_PX))

    return _least_quotient(_tensor(fine), _tensor(coarse) + GRADIENT_FLOOR * np.eye(2))


def _tensor(picture: Any) -> NDArray[np.float64]:
    """Return the structure tensor: mean products of the gradients across and down, 2 x 2."""
    import cv2  # noqa: PLC0415 - lazy: never to be loaded by the web process

    across, down = (cv2.Sobel(picture, cv2.CV_32F, way, 1 - way) for way in (1, 0))
    both = float(np.mean(across * down))
    return np.array([[float(np.mean(across**2)), both], [both, float(np.mean(down**2))]])


def _least_quotient(above: NDArray[np.float64], below: NDArray[np.float64]) -> float:
    """Return the least of (v above v) / (v below v) over all directions v; `below` is positive definite."""
    return float(np.min(np.linalg.eigvals(np.linalg.solve(below, above)).real))
