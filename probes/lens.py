"""What spoils the whole picture, from the stills' figures: a lens partly covered, and bands of a flickering lamp.

Plain Python over what `cover` and `banding` found in each still.
"""

from __future__ import annotations

from collections.abc import Sequence

from probes.estimates import finite, median
from probes.measurement import Measurement, not_measured
from probes.stills import Still

__all__ = ["cover_measurement", "flicker_measurement", "lens_measurements"]


def lens_measurements(stills: Sequence[Still], faces: int) -> list[Measurement]:
    """Return camera.cover and camera.flicker of the stills, in which so many people are seen."""
    return [cover_measurement(stills, faces), flicker_measurement(stills)]


def cover_measurement(stills: Sequence[Still], faces: int) -> Measurement:
    """Return camera.cover: how much of the picture is covered from one side, percent, the median over the stills.

    `faces` is how many people are seen beside the cover. Not measured where no still was looked at.
    """
    value = median(finite(still.covered_pct for still in stills))
    if value is None:
        return not_measured("camera.cover", "too_few_samples", "pct")
    return Measurement("camera.cover", value, "pct", samples=len(stills), details={"faces": faces})


def flicker_measurement(stills: Sequence[Still]) -> Measurement:
    """Return camera.flicker: the share of the light that light bands take, percent, the median over the stills.

    evener_pct says how surely they are bands: how much evener the picture is without them. Not measured where no
    still was looked at.
    """
    value = median(finite(still.bands_pct for still in stills))
    evener = median(finite(still.bands_evener_pct for still in stills))
    if value is None or evener is None:
        return not_measured("camera.flicker", "too_few_samples", "pct")
    return Measurement("camera.flicker", value, "pct", samples=len(stills), details={"evener_pct": evener})
