"""Pictures that tests share, read from their files once."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

__all__ = ["astronaut"]


@cache
def astronaut() -> NDArray[np.uint8]:
    """Return the portrait of scikit-image (NASA, public domain), BGR, 512 x 512; it can't be written to."""
    found = np.asarray(cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)  # type: ignore[no-untyped-call]
    found.setflags(write=False)
    return found
