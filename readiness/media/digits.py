"""The sound of the spoken digits as the page plays it, decoded once; the reference signal of the echo probe."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from probes.echo import RATE_HZ
from readiness.texts import VOICES, WEB_FOLDER

__all__ = ["decoded", "opened", "spoken_digit"]

_ANY_LETTERS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}  # noqa: PLR2004
"""From version 19 on PyAV takes tags in any encoding, and has no such option."""


@cache
def spoken_digit(language: str, digit: int, folder: str = "") -> NDArray[np.float32]:
    """Return the digit's recording at 16 kHz, mono, from `folder` or the product's own of that language.

    Raises ValueError for an unknown language or digit.
    """
    if language not in VOICES or not 0 <= digit <= 9:  # noqa: PLR2004 - a digit
        raise ValueError("no such digit")
    return decoded((Path(folder) if folder else WEB_FOLDER / "selftest" / "audio" / language) / f"{digit}.mp3")


def opened(path: Path) -> Any:
    """Open a recording, whatever the encoding of its tags. Raises OSError or ValueError if the file is not one."""
    return av.open(str(path), **_ANY_LETTERS)


def decoded(path: Path, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """Return the samples of a recording, mono. Raises OSError or ValueError if it has no readable sound."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
    pieces: list[Any] = []
    with opened(path) as recording:
        for frame in recording.decode(audio=0):
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    return np.concatenate(pieces).astype(np.float32)
