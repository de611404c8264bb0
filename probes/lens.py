"""What spoils the whole picture, from the stills' numbers: a lens partly covered, and bands of a flickering lamp.

Plain Python over the numbers that `cover` and `banding` found in each still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probes.estimates import finite, median
from probes.measurement import Measurement, not_measured

__all__ = ["cover_measurement", "flicker_measurement", "lens_measurements"]


def lens_measurements(stills: Sequence[Mapping[str, Any]], faces: int) -> list[Measurement]:
    """Return camera.cover and camera.flicker of the stills, in which so many people are seen."""
    return [cover_measurement(stills, faces), flicker_measurement(stills)]


def cover_measurement(stills: Sequence[Mapping[str, Any]], faces: int) -> Measurement:
    """Return camera.cover: how much of the picture is covered from one side, percent, the median over the stills.

    `faces` is how many people are seen beside the cover. Not measured where no still was looked at.
    """
    value = median(finite(still.get("covered_pct") for still in stills))
    if value is None:
        return not_measured("camera.cover", "too_few_samples", "pct")
    return Measurement("camera.cover", value, "pct", samples=len(stills), details={"faces": faces})


def flicker_measurement(stills: Sequence[Mapping[str, Any]]) -> Measurement:
    """Return camera.flicker: the share of the light that light bands take, percent, the median over the stills.

    alike_pct says how surely they are bands. Not measured where no still was looked at.
    """
    value = median(finite(still.get("bands_pct") for still in stills))
    alike = median(finite(still.get("bands_alike_pct") for still in stills))
    if value is None or alike is None:
        return not_measured("camera.flicker", "too_few_samples", "pct")
    return Measurement("camera.flicker", value, "pct", samples=len(stills), details={"alike_pct": alike})
