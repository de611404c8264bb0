"""Faults of the whole picture, from the stills' figures: a partly covered lens, and bands of a flickering lamp.

Plain Python; `cover` and `banding` compute the figures of each still.
"""

from __future__ import annotations

from collections.abc import Sequence

from probes.estimates import finite, median
from probes.measurement import Measurement, not_measured
from probes.stills import Still

__all__ = ["cover_measurement", "flicker_measurement", "lens_measurements"]


def lens_measurements(stills: Sequence[Still], faces: int) -> list[Measurement]:
    """Return camera.cover and camera.flicker of the stills, in which `faces` people are seen."""
    return [cover_measurement(stills, faces), flicker_measurement(stills)]


def cover_measurement(stills: Sequence[Still], faces: int) -> Measurement:
    """Return camera.cover: the share of the picture covered from one side, percent, median over the stills.

    `faces` is the number of people seen beside the cover. Not measured if no still was analysed.
    """
    value = median(finite(still.covered_pct for still in stills))
    if value is None:
        return not_measured("camera.cover", "too_few_samples", "pct")
    return Measurement("camera.cover", value, "pct", samples=len(stills), details={"faces": faces})


def flicker_measurement(stills: Sequence[Still]) -> Measurement:
    """Return camera.flicker: the share of the light that bands take, percent, median over the stills.

    alike_pct says how certain it is that they are bands. Not measured if no still was analysed.
    """
    value = median(finite(still.bands_pct for still in stills))
    alike = median(finite(still.bands_alike_pct for still in stills))
    if value is None or alike is None:
        return not_measured("camera.flicker", "too_few_samples", "pct")
    return Measurement("camera.flicker", value, "pct", samples=len(stills), details={"alike_pct": alike})
