"""Loudspeaker: what the person reports to have heard. No numpy, no opinion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probes.measurement import Measurement, not_measured

__all__ = ["speaker_measurement"]

_UNANSWERED = {"no_sound": "no_sound", "skip": "declined"}
"""Answers that leave the check without a value, and the cause of each."""


def speaker_measurement(data: Mapping[str, Any], planned: Sequence[Sequence[int]] | None = None) -> Measurement:
    """Return speaker.heard: ``digits_right``, ``digits_wrong``, ``nothing`` or ``failed``.

    `data` is the final `speaker` sample ``{played, answer, heard, plays}``. With `planned` (the digits of the plan)
    only those count as played, so a page cannot be right about digits that nobody asked it to play. Before anything was
    played there is nothing to hear or to miss: the check is ``not_played``, neither a pass nor a failure.
    """
    answer = data.get("answer")
    if not isinstance(answer, str):
        return not_measured("speaker.heard", "step_died")
    if answer in _UNANSWERED:
        return not_measured("speaker.heard", _UNANSWERED[answer])
    plays = data.get("plays")
    count = plays if isinstance(plays, int) and not isinstance(plays, bool) else 0
    value = _value(answer, data, planned)
    if value is None:
        return not_measured("speaker.heard", "step_died")
    if count <= 0 and value != "failed":
        return not_measured("speaker.heard", "not_played")
    return Measurement("speaker.heard", value, samples=1, details={"plays": count})


def _value(answer: str, data: Mapping[str, Any], planned: Sequence[Sequence[int]] | None) -> str | None:
    if answer in ("nothing", "failed"):
        return answer
    if answer != "digits":
        return None
    played, heard = _digits(data.get("played")), _digits(data.get("heard"))
    known = planned is None or played in [list(digits) for digits in planned]
    return "digits_right" if played and known and heard == played else "digits_wrong"


def _digits(value: Any) -> list[int] | None:
    if not isinstance(value, (list, tuple)):
        return None
    return [digit for digit in value if isinstance(digit, int) and not isinstance(digit, bool)]
