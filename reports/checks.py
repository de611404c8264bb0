"""How the figures of checks are shown: which direction is worse, decimals, unit. One table for server and page.

The limits are in the profiles and are part of each report. A displayed figure always agrees with its outcome: it is
rounded to the nearest number, but never across a limit, nor onto a limit that it does not meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from reports.model import Outcome

__all__ = ["FIGURES", "JUDGED", "Figure", "figures_json"]

JUDGED: Final = frozenset({Outcome.PASS, Outcome.WARN, Outcome.FAIL})
"""Outcomes based on a measurement. With any other, a figure beside its limits would suggest a judgement."""
WHOLE_FROM: Final = 100
"""From this size on no decimals are shown: three digits are enough for any figure here."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How the figure of one check is shown."""

    worse: Literal["<", ">", ">="]
    """The comparison of a poor figure with its limit, as in the profiles' rules."""
    decimals: int
    """Most decimals of the figure and of its limits."""
    unit: str
    """Unit of the measurement, as the probes name it."""

    def is_worse(self, value: float, limit: float) -> bool:
        """Return whether `value` does not meet `limit`."""
        if self.worse == "<":
            return value < limit
        return value > limit if self.worse == ">" else value >= limit

    def rounded(self, value: float, limits: Iterable[float] = ()) -> float:
        """Return the number to show for `value`: the nearest one on the same side of each of `limits` as `value`.

        Compares with the limits as they are shown. If the nearest number would wrongly appear to meet or miss a limit,
        its neighbour is returned. Correct for limits that differ when rounded, or that are equal.
        """
        steps_per_unit = self._steps_per_unit(value)
        steps = math.floor(value * steps_per_unit + 0.5)
        for limit in limits:
            is_worse = self.is_worse(value, limit)
            if is_worse != self.is_worse(steps / steps_per_unit, self.rounded(limit)):
                steps += 1 if is_worse == (self.worse != "<") else -1
        return steps / steps_per_unit

    def _steps_per_unit(self, value: float) -> int:
        return 1 if abs(value) >= WHOLE_FROM else int(10**self.decimals)


FIGURES: Final[dict[str, Figure]] = {
    "camera.resolution": Figure("<", 0, "px"),
    "camera.frame_rate": Figure("<", 1, "fps"),
    "camera.frozen": Figure(">=", 1, "s"),
    "camera.light": Figure("<", 0, "luma"),
    "camera.cover": Figure(">", 1, "pct"),
    "camera.flicker": Figure(">", 1, "pct"),
    "camera.backlight": Figure(">", 1, "stops"),
    "camera.people": Figure("<", 1, "people"),
    "camera.framing": Figure("<", 1, "pct"),
    "camera.sharpness": Figure("<", 2, "ratio"),
    "camera.noise": Figure(">", 1, "luma"),
    "microphone.level": Figure("<", 1, "dbfs"),
    "microphone.speech": Figure("<", 1, "s"),
    "microphone.clipping": Figure(">", 2, "pct"),
    "microphone.dropouts": Figure(">", 1, "per_min"),
    "microphone.hum": Figure(">", 1, "db"),
    "microphone.bandwidth": Figure("<", 0, "hz"),
    "microphone.noise": Figure(">", 1, "dbfs"),
    "microphone.echo": Figure(">", 1, "db"),
    "network.rtt": Figure(">", 1, "ms"),
    "network.rtt_loaded": Figure(">", 1, "ms"),
    "network.jitter_up": Figure(">", 1, "ms"),
    "network.jitter_down": Figure(">", 1, "ms"),
    "network.loss_up": Figure(">", 2, "pct"),
    "network.loss_down": Figure(">", 2, "pct"),
    "network.throughput_up": Figure("<", 2, "mbps"),
    "network.throughput_down": Figure("<", 2, "mbps"),
    "network.setup_time": Figure(">", 0, "ms"),
    "media.voice": Figure("<", 1, "mos"),
}
"""Every check that measures a number; the value of any other check is a word.

Two decimals where the limits need them: a quarter more than a need of 1.5 Mbit/s is 1.88, not 1.9.
"""


def figures_json() -> dict[str, dict[str, str | int]]:
    """Return what the self-test's page needs of the table."""
    return {check: {"worse": figure.worse, "decimals": figure.decimals} for check, figure in FIGURES.items()}
