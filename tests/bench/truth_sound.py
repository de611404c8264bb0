"""Sound, right on strangers: whole microphone steps of recorded voices in simulated rooms and devices.

``python -m tests.bench.truth_sound [--quick] [--part tune|report]``. Made by `sound_people`; judged, and the step
ended, as page and server do, live hints included. Limits were set on part "tune"; voices of part "report" are others.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from probes.microphone import SoundAnalyser
from probes.speech import SpeechDetector
from reports.guidance import SoundGuidance
from reports.model import CheckResult, Verdict
from reports.profile import load_profile
from reports.verdict import judge_check, verdict_of
from tests.bench.figures import Figure, rate, table
from tests.bench.sound_people import KINDS, Session, session

__all__ = ["run"]

PIECE: Final = 3200
PIECE_MS: Final = 200
QUIET_MS, SPEAK_MS, PAUSE_S = 3000, 10_000, 0.32
"""What the page does: `web/selftest/js/checks/sound.js`."""
CHECKS: Final = tuple(
    f"microphone.{name}" for name in ("level", "speech", "clipping", "noise", "dropouts", "hum", "bandwidth")
)
MORE: Final = {"high voice": 44, "whisper": 44, "noise, under 3 dB": 26}
"""Further sessions of kinds whose rows have a bar of their own; elsewhere they would weigh too much."""
CLEAN: Final = {"laptop", "headset", "phone", "clean, -34 to -29"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the product made of a session."""

    of: Session
    checks: tuple[CheckResult, ...]
    hints: tuple[str, ...]
    took_s: float
    """From the beginning of the step to its end."""

    @property
    def failed(self) -> bool:
        return verdict_of(self.checks) is Verdict.NOT_READY

    @property
    def ready(self) -> bool:
        return verdict_of(self.checks) is Verdict.READY

    @property
    def codes(self) -> set[str]:
        return {check.advice for check in self.checks if check.advice}

    @property
    def praised(self) -> bool:
        return "heard" in self.hints


def step(given: Session, detector: SpeechDetector) -> Told:
    """Return what page and server make of a session."""
    profile = load_profile("consultation")
    detector.reset()
    analyser, guidance = SoundAnalyser(detector, detector.twin()), SoundGuidance(profile)
    hints: list[str] = []
    values: dict[str, Any] = {}
    at = 0

    def listen(until_ms: int, *, until_done: bool = False) -> bool:
        nonlocal at, values
        while at * PIECE_MS < until_ms and (at + 1) * PIECE * 2 <= len(given.pcm):
            numbers = analyser.feed(given.pcm[at * PIECE * 2 : (at + 1) * PIECE * 2], at * PIECE_MS)
            at += 1
            hint = guidance.add(numbers, analyser.so_far())
            hints.append(hint.code)
            values = dict(hint.values)
            if until_done and values["done"]:
                return True
        return False

    analyser.mark("silence_start", 0)
    listen(QUIET_MS)
    analyser.mark("silence_end", QUIET_MS)
    analyser.mark("speech_start", QUIET_MS)
    guidance.speech_asked()
    heard = listen(QUIET_MS + SPEAK_MS, until_done=True)
    analyser.mark("speech_end", at * PIECE_MS)
    if heard and (values["others"] or values["quiet_s"] < PAUSE_S):
        analyser.mark("silence_start", at * PIECE_MS)
        listen(at * PIECE_MS + QUIET_MS)
        analyser.mark("silence_end", at * PIECE_MS)
    blocks = given.blocks[: at * PIECE_MS // 100]
    found = {one.check: one for one in analyser.measurements({"blocks": blocks, "processed": False})}
    checks = tuple(judge_check(found[name], profile.checks[name]) for name in CHECKS)
    return Told(given, checks, tuple(hints), at * PIECE_MS / 1000)


async def run(*, quick: bool) -> list[Figure]:
    """Return the table of the part that was not tuned on."""
    return await asyncio.to_thread(figures, quick)


def figures(quick: bool = False, *, part: str = "report") -> list[Figure]:
    """Make every session of `part` and return the table."""
    detector = SpeechDetector()
    counts = {kind: max(2, count // 4) if quick else count for kind, (count, _) in KINDS.items()}
    told = [step(session(kind, part, seed), detector) for kind, count in counts.items() for seed in range(count)]
    further = {kind: range(counts[kind], counts[kind] + (2 if quick else count)) for kind, count in MORE.items()}
    more = [step(session(kind, part, seed), detector) for kind, seeds in further.items() for seed in seeds]
    print(by_kind([*told, *more]), file=sys.stderr)
    return list(rows(told, more))


def rows(told: Sequence[Told], more: Sequence[Told] = ()) -> Iterator[Figure]:
    """Return the table of sessions that were judged; `more` counts in the rows of its own kinds alone."""

    def share(
        name: str,
        of: Callable[[Told], bool],
        what: Callable[[Told], bool],
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        among: Sequence[Told] = told,
    ) -> Figure:
        return rate(name, [what(one) for one in among if of(one)], at_most=at_most, at_least=at_least)

    def kind(*names: str) -> Callable[[Told], bool]:
        return lambda one: one.of.kind in names

    yield share("heard well but not ready", lambda one: one.of.truth == "yes", lambda one: one.failed, at_most=1.5)
    every = [*told, *more]
    yield share("high voices found", kind("high voice"), lambda one: not one.failed, at_least=95, among=every)
    yield share("whispers found", kind("whisper"), lambda one: not one.failed, at_least=90, among=every)
    yield share(
        "clean speech warned",
        lambda one: one.of.kind in CLEAN and one.of.truth == "yes",
        lambda one: not one.ready,
        at_most=12,
    )
    yield share("of -34 to -29 dBFS", kind("clean, -34 to -29"), lambda one: not one.ready, at_most=12)
    yield share("noise gate in a quiet room: ready", kind("gated"), lambda one: one.ready, at_least=85)
    yield share(
        "nobody can understand for noise: fails",
        lambda one: one.of.kind.startswith("noise, ") and one.of.truth == "no",
        lambda one: one.failed,
        at_least=85,
        among=every,
    )
    yield share("TV alone: a plain pass", kind("TV alone"), lambda one: one.ready, at_most=0)
    yield share(
        "TV alone: fails, or asked for",
        kind("TV alone"),
        lambda one: one.failed or "microphone.others_talk" in one.codes,
    )
    yield share("nobody there but not failed", kind("room alone", "noise alone"), lambda one: not one.failed, at_most=5)
    yield share(
        "telephone told where there is none",
        lambda one: "telephone" not in one.of.faults,
        lambda one: "microphone.telephone" in one.codes,
        at_most=1,
    )
    yield share("telephone found", kind("telephone"), lambda one: "microphone.telephone" in one.codes, at_least=90)
    for name in (name for name in KINDS if name.startswith("clipped")):
        bar = {} if name in ("clipped, high-pass", "clipped, 44.1 kHz") else {"at_least": 90.0}
        yield share(f"{name}: found", kind(name), lambda one: "microphone.clipped" in one.codes, **bar)
    yield share(
        "clipping told where there is none",
        lambda one: "clipping" not in one.of.faults and one.of.kind != "loud",
        lambda one: "microphone.clipped" in one.codes,
    )
    for name in (name for name in KINDS if name.startswith("dropouts")):
        yield share(f"{name}: found", kind(name), lambda one: "microphone.dropouts" in one.codes)
    yield share("praised, then not ready", lambda one: True, lambda one: one.praised and one.failed, at_most=1)
    ordinary = [one.took_s for one in told if one.of.kind in CLEAN and one.ready]
    if ordinary:
        yield Figure("step of an ordinary person, 90 % within", "s", [float(np.quantile(ordinary, 0.9))], at_most=11)


def by_kind(told: Sequence[Told]) -> str:
    """Return how many of each kind were ready, warned and not ready, and what was told."""
    lines = []
    for name in KINDS:
        chosen = [one for one in told if one.of.kind == name]
        truth = "/".join(str(sum(one.of.truth == word for one in chosen)) for word in ("yes", "barely", "no"))
        codes = [code for one in chosen for code in one.codes]
        counted = ", ".join(f"{code.removeprefix('microphone.')} {codes.count(code)}" for code in sorted(set(codes)))
        ready, failed = sum(one.ready for one in chosen), sum(one.failed for one in chosen)
        lines.append(
            f"{name:22} {len(chosen):3} {truth:9} {ready:3}/{len(chosen) - ready - failed}/{failed}  {counted}"
        )
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Print the tables; 1 where a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--part", choices=("tune", "report"), default="report")
    options = parser.parse_args(arguments)
    found = figures(options.quick, part=options.part)
    print(table(f"truth, sound, part {options.part}", found))
    return int(any(figure.verdict not in {"", "ok"} for figure in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
