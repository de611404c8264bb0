"""The sound of the spoken digits as the page plays it, decoded once: what the echo is looked for by."""

from __future__ import annotations

from functools import cache
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from probes.echo import RATE_HZ
from readiness.texts import LANGUAGES, WEB_FOLDER

__all__ = ["spoken_digit"]


@cache
def spoken_digit(language: str, digit: int) -> NDArray[np.float32]:
    """Return the digit's recording at 16 kHz, mono. Raises ValueError for a language or digit that there is not."""
    if language not in LANGUAGES or not 0 <= digit <= 9:  # noqa: PLR2004 - a digit
        raise ValueError("no such digit")
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    pieces: list[Any] = []
    with av.open(str(WEB_FOLDER / "selftest" / "audio" / language / f"{digit}.mp3")) as recording:
        for frame in recording.decode(audio=0):
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return np.concatenate(pieces).astype(np.float32)
