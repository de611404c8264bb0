"""Live guidance: judges by the same profile and rules as the verdict, with hysteresis.

Pure: takes numbers in the order in which they were measured and never reads a clock. A picture without hints passes the
picture's checks, because hint and verdict use the same window of stills.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from probes.camera import frozen_measurement, picture_measurements
from probes.measurement import Measurement
from probes.stills import Still
from reports.model import CheckResult, Outcome
from reports.profile import CheckRule, Profile
from reports.verdict import judge_check

__all__ = ["GOOD", "HEARD", "LISTENING", "MORE_PEOPLE", "Hint", "PictureGuidance", "SoundGuidance", "picture_window"]

WINDOW_STILLS = 3
"""Number of newest stills in one look: 1.5 s at two a second."""
STEADY_LOOKS = 2
"""A new hint shows only after this many equal looks, so that hints do not flicker."""
CLEAR_SPEECH_S = 1.2
"""Speech after the prompt that counts as clearly heard, s: slightly above the pass limit of ``microphone.speech``."""
PAUSE_S = 0.7
"""Pause after clear speech that ends the step, s: longer than pauses within a sentence, shorter than between two."""
SOUND_CHECKS = ("microphone.level", "microphone.speech", "microphone.noise", "microphone.bandwidth")
"""Checks that are reported while the person still speaks, in order of priority."""
WORTH_WAITING = ("microphone.level", "microphone.noise")
"""Warnings that a person can act on at once; the step waits for that, at most until its end."""
OTHERS = "microphone.others_talk"
PICTURE_CHECKS = (
    *("camera.light", "camera.frozen", "camera.cover"),
    *("camera.people", "camera.backlight", "camera.framing"),
)
"""In order of priority: nobody can frame a face in a black picture."""
ADVISED_CHECKS = ("camera.flicker", "camera.sharpness")
"""Lowest priority; if they cannot be measured, the picture can still be good."""

BEFORE_PEOPLE = frozenset({"camera.light", "camera.frozen", "camera.cover"})
"""Checks whose faults come before the question how many there are: in such a picture nobody can be counted."""
MORE_PEOPLE = "camera.more_people"
"""Asks how many there are, where more are seen than expected. Never a fault: everybody may bring somebody."""

GOOD = "good"
HEARD = "heard"
LISTENING = "listening"


@dataclass(frozen=True, slots=True)
class Hint:
    """The hint to show now: a check, an advice code (or `GOOD`, `HEARD`, `LISTENING`) and figures for the page.

    `values` contains ``obeyed: True`` if the fault shown before is gone, so that the page can say thanks.
    """

    check: str
    code: str
    values: Mapping[str, Any] = field(default_factory=dict)


def picture_window(stills: Sequence[Still]) -> Sequence[Still]:
    """Return the stills that the picture is judged by: the newest ones, so that a corrected fault no longer counts."""
    return stills[-WINDOW_STILLS:]


class PictureGuidance:
    """Turns the figures of stills into hints. One object per picture step."""

    def __init__(self, profile: Profile, *, expected_people: int) -> None:
        self._profile = profile
        self._expected_people = expected_people
        self._is_people_said = False
        self._stills: list[Still] = []
        self._looks: deque[Hint] = deque(maxlen=STEADY_LOOKS)
        self._faults: frozenset[str] = frozenset()
        self._judged: frozenset[str] = frozenset()
        self._shown: Hint | None = None

    def expect(self, people: int) -> None:
        """Judge by the person's own answer from now on, and by stills that come after it."""
        self._expected_people, self._is_people_said = people, True
        self._stills.clear()
        self._looks.clear()
        self._shown = None

    def add(self, still: Still) -> Hint | None:
        """Add the figures of a still; return a hint if the one shown must change, else None."""
        self._stills.append(still)
        look = self._look()
        if look is None:
            return None
        self._looks.append(look)
        steady = len(self._looks) == STEADY_LOOKS and len({hint.code for hint in self._looks}) == 1
        if not steady or (self._shown and self._shown.code == look.code):
            return None
        obeyed = self._is_obeyed()
        self._shown = replace(look, values={**look.values, "obeyed": True}) if obeyed else look
        return self._shown

    def _is_obeyed(self) -> bool:
        """Return whether the fault shown was judged again and is gone; in a black picture it is not judged."""
        shown = self._shown
        return shown is not None and shown.check in self._judged and shown.code not in {GOOD, *self._faults}

    def _look(self) -> Hint | None:
        """Return the hint for the newest window, or None while there are too few stills."""
        if len(self._stills) < WINDOW_STILLS:
            return None
        measured = {m.check: m for m in self._measure()}
        judged = [judge_check(measured[name], self._rule(name)) for name in self._asked(measured)]
        faults = [check for check in judged if check.outcome in {Outcome.FAIL, Outcome.WARN} and check.advice]
        self._faults = frozenset(check.advice or "" for check in faults)
        self._judged = frozenset(check.id for check in judged if check.value is not None)
        worst = min(faults, key=_rank, default=None)
        if (worst is None or worst.id not in BEFORE_PEOPLE) and (more := self._more_people(measured)):
            return more
        if worst is not None:
            return Hint(check=worst.id, code=worst.advice or "", values=_figures(worst))
        if all(check.outcome is Outcome.PASS for check in judged if check.id in PICTURE_CHECKS):
            return Hint(check="camera", code=GOOD)
        return None

    def _more_people(self, measured: Mapping[str, Measurement]) -> Hint | None:
        """Return the question how many there are, if more are seen than expected and the person has not said."""
        seen = measured["camera.people"].value
        if self._is_people_said or not isinstance(seen, int) or seen <= self._expected_people:
            return None
        return Hint("camera.people", MORE_PEOPLE, {"seen": seen, "expected": self._expected_people})

    def _rule(self, name: str) -> CheckRule:
        """Return the check's rule; a fault that is shown now must improve slightly beyond its limit."""
        rule = self._profile.checks[name]
        if self._shown is None or self._shown.check != name:
            return rule
        code = self._shown.code
        return replace(rule, rules=tuple(one.lenient() if one.advice == code else one for one in rule.rules))

    def _measure(self) -> list[Measurement]:
        found = picture_measurements(picture_window(self._stills), expected_people=self._expected_people)
        return [*found, frozen_measurement(self._stills)]

    def _asked(self, measured: Mapping[str, Measurement]) -> list[str]:
        return [
            name for name in (*PICTURE_CHECKS, *ADVISED_CHECKS) if name in self._profile.checks and name in measured
        ]


class SoundGuidance:
    """Turns the live figures of the microphone into hints, by the verdict's own rules. One object per sound step."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._asked_at_s: float | None = None
        self._speech_s = 0.0
        self._looks: deque[str] = deque(maxlen=STEADY_LOOKS)
        self._shown = ""

    def speech_asked(self) -> None:
        """Count speech from now on, because the person has just been asked to speak."""
        self._asked_at_s = self._speech_s

    def add(self, numbers: Mapping[str, Any], measured: Sequence[Measurement] = ()) -> Hint:
        """Return the hint for live numbers (`speech_s`, `pause_s` ...) and the measurements so far.

        Gives praise (`HEARD`) only if there is no fault now. ``values`` contains ``done: True`` if a pause followed
        clear speech and there is nothing left to improve, and ``others: True`` if there was speech in the requested
        silence, so that a person who reads aloud meanwhile is not asked about a TV.
        """
        self._speech_s = float(numbers.get("speech_s") or 0.0)
        spoken_s = self._speech_s - self._asked_at_s if self._asked_at_s is not None else 0.0
        by_check = {one.check: one for one in measured if one.check in self._profile.checks}
        values = {**numbers, "done": False, "others": self._has_others(by_check)}
        if spoken_s < CLEAR_SPEECH_S:
            return self._hint(self._in_silence(by_check) if self._asked_at_s is None else None, LISTENING, values)
        faults = [one for one in self._judged(by_check, SOUND_CHECKS) if one.advice not in {None, OTHERS}]
        worst = min(faults, key=_sound_rank, default=None)
        holds = worst is not None and (worst.outcome is Outcome.FAIL or worst.id in WORTH_WAITING)
        values["done"] = not holds and float(numbers.get("pause_s") or 0.0) >= PAUSE_S
        return self._hint(worst, LISTENING if values["others"] else HEARD, values)

    def _in_silence(self, by_check: Mapping[str, Measurement]) -> CheckResult | None:
        """Return a fault that shows before the person speaks: noise, or other people talking."""
        if self._has_others(by_check):
            speech = judge_check(by_check["microphone.speech"], self._profile.checks["microphone.speech"])
            return replace(speech, advice=OTHERS, outcome=Outcome.WARN)
        return next((check for check in self._judged(by_check, ("microphone.noise",)) if check.advice), None)

    def _has_others(self, by_check: Mapping[str, Measurement]) -> bool:
        speech = by_check.get("microphone.speech")
        rules = self._profile.checks["microphone.speech"].rules if speech else ()
        return any(rule.advice == OTHERS and rule.holds(speech) for rule in rules if speech)

    def _judged(self, by_check: Mapping[str, Measurement], names: Sequence[str]) -> list[CheckResult]:
        """Return the judged checks of `names`; a fault that is shown now must improve slightly beyond its limit."""
        found = []
        for name in (name for name in names if name in by_check):
            rule = self._profile.checks[name]
            rules = tuple(one.lenient() if one.advice == self._shown else one for one in rule.rules)
            found.append(judge_check(by_check[name], replace(rule, rules=rules)))
        return found

    def _hint(self, fault: CheckResult | None, otherwise: str, values: Mapping[str, Any]) -> Hint:
        """Return the hint once it is steady, until then the previous one; never praise together with a fault."""
        code = (fault.advice or "") if fault else ""
        self._looks.append(code)
        if len(self._looks) == STEADY_LOOKS and len(set(self._looks)) == 1:
            self._shown = code
        if self._shown:
            return Hint(check="microphone.speech", code=self._shown, values=values)
        return Hint(check="microphone.speech", code=LISTENING if fault else otherwise, values=values)


def _sound_rank(check: CheckResult) -> tuple[int, int]:
    return (0 if check.outcome is Outcome.FAIL else 1, SOUND_CHECKS.index(check.id))


def _rank(check: CheckResult) -> tuple[int, int]:
    """Return the sort key: failures before warnings, then priority."""
    return (0 if check.outcome is Outcome.FAIL else 1, (*PICTURE_CHECKS, *ADVISED_CHECKS).index(check.id))


def _figures(check: CheckResult) -> dict[str, Any]:
    figures = {"value": check.value, "unit": check.unit}
    if check.id == "camera.people":
        figures |= {"seen": check.value, "expected": check.details.get("expected_people")}
    return figures
