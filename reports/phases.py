"""A test as a table: the phases of a kind of test, and the results of a finished phase.

Plain values, without rules of any one kind of test; `kinds` has the tables, `readers` reads the figures. A finished
phase is stored as plain JSON, so that a test can continue in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from probes.measurement import Measurement, not_measured
from probes.stills import Still
from reports.model import SkipReason
from reports.profile import Profile

__all__ = ["Course", "Evidence", "Figure", "FinishedPhase", "Measurer", "Occasion", "Phase", "Reader", "TestKind"]

Figure = float | str | bool | None
"""A note of a phase beside its measurements; its name carries the unit."""
Measurer = Literal["page", "worker", "client"]
"""Who has the figures when a phase ends: the page, the media worker, or a client that measures by itself."""


@dataclass(frozen=True, slots=True)
class FinishedPhase:
    """The result of one phase."""

    measurements: Sequence[Measurement] = ()
    skipped: Mapping[str, SkipReason] = field(default_factory=dict)
    """Checks that were skipped on purpose, and why."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Other data for the report, for example ``connection`` or ``tcp_mbps``."""
    seconds: float = 0.0
    """Machine time, s; 0 if the time is the person's."""

    def to_json(self) -> dict[str, Any]:
        """Return the phase as stored; `from_json` reads it back."""
        return {
            "measurements": [measurement.to_json() for measurement in self.measurements],
            "skipped": {check: reason.value for check, reason in self.skipped.items()},
            "figures": dict(self.figures),
            "seconds": round(self.seconds, 2),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FinishedPhase:
        """Read back a stored phase; fields that an older version did not store are empty."""
        return cls(
            measurements=tuple(Measurement.from_json(item) for item in data.get("measurements", ())),
            skipped={check: SkipReason(reason) for check, reason in data.get("skipped", {}).items()},
            figures=dict(data.get("figures", {})),
            seconds=float(data.get("seconds") or 0.0),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sources for reading a phase, besides the last message of whoever measured it."""

    seconds: float = 0.0
    """Machine time that the phase took, s."""
    expected_people: int = 1
    people_said: int | None = None
    """How many the person said they are, where the page asked."""
    digits: Sequence[Sequence[int]] = ()
    """Series of digits that the page was asked to play."""
    stills: Sequence[Still] = ()
    """Figures of all stills, in order of capture."""
    tcp_mbps: float | None = None
    """Rate that the session's own socket proved, Mbit/s."""
    tcp_cause: str | None = None
    """Why it could prove none, where that is known."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One row of the table."""

    name: str
    """Its name in the protocol, the store and the report's ``ended_in``."""
    checks: tuple[str, ...]
    """Ids of the checks that it measures; if it dies none of them has a value."""
    budget_s: float
    """Longest machine time, s."""
    budget_bytes: int
    """Most bytes on the socket."""
    by: Measurer
    read: Reader
    """Turns the measurer's last message into the finished phase."""
    is_optional: bool = False
    """Whether an untried check counts as skipped rather than missing."""
    is_asked: bool = False
    """Whether its checks are questions, which depend on the occasion."""

    def finish(self, data: Mapping[str, Any], evidence: Evidence) -> FinishedPhase:
        """Return the finished phase, read from the last message `data`."""
        return self.read(self, data, evidence)

    def died(self, cause: str, *, seconds: float = 0.0) -> FinishedPhase:
        """Return the phase for a step that died: no check has a value, and `cause` says why."""
        return FinishedPhase([not_measured(check, cause) for check in self.checks], seconds=seconds)


Reader = Callable[[Phase, Mapping[str, Any], Evidence], FinishedPhase]


class Occasion(Protocol):
    """The occasion of a test; for a self-test, its meeting."""

    @property
    def profile(self) -> str:
        """Name of the profile by which it is judged."""

    @property
    def solution(self) -> str:
        """Name of the video solution."""

    @property
    def practical(self) -> Sequence[str]:
        """Practical questions that are asked."""


@dataclass(frozen=True, slots=True)
class Course:
    """One sequence of phases through a test."""

    phases: tuple[str, ...]
    """In the order in which they usually end."""
    together: frozenset[str]
    """Phases of one connection: a resumed test that lacks one of them must repeat all of them."""


@dataclass(frozen=True, slots=True)
class TestKind:
    """One kind of test."""

    name: str
    """Its name in reports."""
    sessions: frozenset[str]
    """Kinds of session that take this test; each takes only one kind of test."""
    phases: tuple[Phase, ...]
    """In the order in which a client gets them."""
    whole: Course
    short: Course | None
    """The check on the meeting's morning, if there is one; the rest is carried over from the last whole test."""
    profile_of: Callable[[Occasion | None], Profile]
    questions_of: Callable[[Occasion | None], tuple[str, ...]]
    """Names of the questions that are asked."""

    def phase(self, name: str) -> Phase:
        """Return the phase called `name`. Raises KeyError if there is none."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)

    def course(self, *, is_short: bool) -> Course:
        """Return the course of the test. Raises ValueError for a short one if this kind has none."""
        if not is_short:
            return self.whole
        if self.short is None:
            raise ValueError(f"{self.name} has no short check")
        return self.short
