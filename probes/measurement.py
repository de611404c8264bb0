"""The type that every probe returns: a number with its unit, its interval and its sample count.

A measurement carries no opinion. If something could not be measured there is a measurement too, with the value
``None`` and a `cause`: missing data is never good news.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Measurement", "Number", "not_measured"]

Number = float | int


@dataclass(frozen=True, slots=True)
class Measurement:
    """The result of one probe for one check."""

    check: str
    """Check id, for example ``network.rtt``."""
    value: Number | str | None
    """The main figure in `unit`, or ``None`` if nothing could be measured."""
    unit: str | None = None
    """Unit of `value`, `low` and `high`: ``ms``, ``pct``, ``mbps``, ``dbfs``, ``fps``, ``s``, ``px``, ``stops``."""
    low: float | None = None
    """Lower end of the 95 % interval of `value`, in `unit`."""
    high: float | None = None
    """Upper end of the 95 % interval of `value`, in `unit`."""
    samples: int = 0
    """Number of packets, frames or stills that the figure rests on."""
    cause: str | None = None
    """Why there is no value, for example ``step_died``."""
    details: Mapping[str, Number | str | bool | None] = field(default_factory=dict)
    """Secondary figures; each name carries its unit (``snr_db``, ``face_height_pct``)."""

    def metric(self, name: str) -> Number | str | bool | None:
        """Return the figure called `name` (``value`` is the main one), or None if it is missing.

        NaN and infinities count as missing: they result from a division by zero.
        """
        found = self.value if name == "value" else self.details.get(name)
        if isinstance(found, float) and not math.isfinite(found):
            return None
        return found

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary that `from_json` reads back; non-finite numbers become None."""
        return {
            "check": self.check,
            "value": self.metric("value"),
            "unit": self.unit,
            "low": _finite(self.low),
            "high": _finite(self.high),
            "samples": self.samples,
            "cause": self.cause,
            "details": {name: self.metric(name) for name in self.details},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """Read back what `to_json` wrote. Raises KeyError if the check id is missing."""
        return cls(
            check=data["check"],
            value=data.get("value"),
            unit=data.get("unit"),
            low=data.get("low"),
            high=data.get("high"),
            samples=int(data.get("samples") or 0),
            cause=data.get("cause"),
            details=dict(data.get("details") or {}),
        )


def not_measured(check: str, cause: str, unit: str | None = None) -> Measurement:
    """Return a measurement of `check` without a value, with the reason."""
    return Measurement(check=check, value=None, unit=unit, cause=cause)


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
