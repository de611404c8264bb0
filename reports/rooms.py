"""Judges a room's check of itself by its profile, less what does not apply. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from probes.measurement import Measurement
from reports.model import CheckResult, Level, Outcome, Responsible, SkipReason
from reports.profile import PROFILE_FOLDER, Profile, parse_profile
from reports.verdict import Judgement, judge, verdict_of

__all__ = ["PARTS", "Finding", "findings", "judge_room", "room_profile"]

PARTS: Final = {
    "sound": ("microphone.", "speaker.", "room."),
    "picture": ("camera.",),
    "machine": ("machine.",),
    "network": ("network.", "internet.", "solution."),
}
"""What can be checked alone, and the beginnings of its checks."""
COMPARED: Final = frozenset(
    {
        *("room.level", "room.dull", "room.delay", "camera.view", "camera.sun", "solution.hosts", "internet.speed"),
        *("machine.power", "machine.display", "machine.link", "machine.clock"),
    }
)
"""Checks that need what not every room has: earlier checks, a reference, a battery, a server."""
NOBODYS: Final = frozenset({"too_noisy", "in_use", "people", "no_agreement"})
"""Causes for which nobody has to mend anything. Whatever else keeps a PC from measuring is for IT."""
EXPLAINED: Final = frozenset({"no_camera", "no_microphone"})
"""Causes that another check's finding already explains."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or could not be found out."""

    check: str
    outcome: Outcome
    code: str
    """What the words are looked up by: an advice code, or ``cause.`` with a cause."""
    responsible: Responsible | None
    """Who mends it; None where there is nothing to mend."""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as it is printed."""
        who = self.responsible.value if self.responsible else None
        return {"check": self.check, "outcome": self.outcome.value, "code": self.code, "responsible": who}


@cache
def room_profile() -> Profile:
    """Read the packaged profile of a room. Raises ProfileError."""
    path = PROFILE_FOLDER / "rooms" / "meeting_room.toml"
    return parse_profile(path.read_text(encoding="utf-8"), where=path.name)


def judge_room(
    measured: Iterable[Measurement],
    *,
    parts: Iterable[str],
    cancels_echo: bool = False,
    line: Iterable[CheckResult] = (),
) -> Judgement:
    """Judge a room by what was measured of `parts`; the others are left out without effect.

    `line` are the checks of the network, as the server judged them. What it says to a participant is for local IT here.

    A device that `cancels_echo` takes the loudspeaker's sound out of the microphone's: that the loop was not tried is
    then no fault, but such a room is never quite ready.
    """
    by_check = {one.check: one for one in measured}
    wanted = tuple(beginning for part in parts for beginning in PARTS[part])
    skipped: dict[str, SkipReason] = {}
    for check in room_profile().checks:
        if not check.startswith(wanted) or (check in COMPARED and check not in by_check):
            skipped[check] = SkipReason.NOT_ASKED
        elif check == "room.loop" and cancels_echo and _is_explained_by_canceller(by_check.get(check)):
            skipped[check] = SkipReason.ECHO_CANCELLED
    own = judge(by_check, room_profile(), skipped)
    judged = [replace(one, responsible=_in_a_room(one.responsible)) for one in line]
    if not judged:
        return own
    checks = (*own.checks, *judged)
    is_open = any(one.level is Level.REQUIRED and one.outcome is Outcome.NOT_MEASURED for one in judged)
    return replace(own, verdict=verdict_of(checks), complete=own.complete and not is_open, checks=checks)


def findings(judgement: Judgement) -> list[Finding]:
    """Return the findings: failures, then missing measurements, then warnings; without those that others explain."""
    order = {Outcome.FAIL: 0, Outcome.NOT_MEASURED: 1, Outcome.SKIPPED: 2, Outcome.WARN: 3}
    results = {check.id: check for check in judgement.checks}
    found: list[Finding] = []
    for check in sorted(judgement.checks, key=lambda one: order.get(one.outcome, len(order))):
        finding = _finding(check)
        is_said = any((finding.code, finding.responsible) == (one.code, one.responsible) for one in found if finding)
        if finding and not is_said and not _is_explained(check, results):
            found.append(finding)
    return found


def _in_a_room(responsible: Responsible | None) -> Responsible | None:
    return Responsible.LOCAL_IT if responsible is Responsible.PARTICIPANT else responsible


def _is_explained_by_canceller(loop: Measurement | None) -> bool:
    """Return whether an echo canceller may have hidden the loop; not if nothing could be heard at all."""
    return loop is not None and loop.value in {"unheard", "one_deaf"}


def _finding(check: CheckResult) -> Finding | None:
    if check.level is Level.INFORMATION:
        return None
    if check.outcome in {Outcome.WARN, Outcome.FAIL} and check.advice:
        return Finding(check.id, check.outcome, check.advice, check.responsible)
    if check.outcome is Outcome.NOT_MEASURED and check.cause not in EXPLAINED:
        cause = check.cause or "no_value"
        who = None if cause in NOBODYS else Responsible.LOCAL_IT
        return Finding(check.id, check.outcome, f"cause.{cause}", who)
    if check.outcome is Outcome.SKIPPED and check.cause == SkipReason.ECHO_CANCELLED:
        return Finding(check.id, check.outcome, f"cause.{check.cause}", None)
    return None


def _is_explained(check: CheckResult, results: dict[str, CheckResult]) -> bool:
    """Return whether a check that this one depends on has failed or has no value."""
    explains = {Outcome.FAIL} if check.outcome is Outcome.FAIL else {Outcome.FAIL, Outcome.NOT_MEASURED}
    rule = room_profile().checks.get(check.id)
    before = rule.after if rule else (("network.path",) if check.id != "network.path" else ())
    return any(results[name].outcome in explains for name in before if name in results)
