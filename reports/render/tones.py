"""Tones (icon and colour) of all results of a test; the same table as the pages' in `icons.js`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["TONES"]

TONES: Final[Mapping[str, str]] = {
    "ready": "good", "ready_with_warnings": "warn", "not_ready": "bad", "incomplete": "calm", "stale": "calm",
    "not_tested": "waiting",
    "pass": "good", "warn": "warn", "fail": "bad", "not_measured": "calm", "skipped": "calm",
}  # fmt: skip
"""By verdict, by a participant's state, and by a check's outcome."""
