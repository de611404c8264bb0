"""What participants and leaders answer after their meetings, and the sums of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Feedback", "FeedbackCell", "FeedbackSum"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """An answer to "did sound and picture work?", 1 (not at all) to 5 (well), and the word for what did not."""

    id: str
    organisation_id: str
    meeting_id: str | None
    participant_id: str | None
    host_id: str | None
    role: str
    profile: str
    solution: str
    verdict: str | None
    report_id: str | None
    score: int
    problem: str
    week: str
    satisfied: int | None = None
    """How content with meeting by video, 1 to 5; None: not answered."""
    again: str | None = None
    """Whether the person would take a video meeting again: yes, no or maybe; None: not answered."""
    unit: str = ""
    """The meeting's department or ward."""
    whose: str = ""
    """Whose sound or picture failed, as the leader says: ``self`` or a participant's role."""


@dataclass(frozen=True, slots=True)
class FeedbackCell:
    """Answers of one role after one verdict: their number, and how many said that it worked (4 or 5)."""

    role: str
    profile: str
    solution: str
    verdict: str | None
    answers: int
    worked: int
    problems: Mapping[str, int] = field(default_factory=dict)
    """How often each word was chosen, without words of too few people."""


@dataclass(frozen=True, slots=True)
class FeedbackSum:
    """Answers of one unit, of its participants or its hosts, by what was said. What too few answered is empty."""

    unit: str | None
    """Empty: meetings without a unit; None: units of too few people each, together."""
    who: Literal["participants", "hosts"]
    answers: int
    scores: Mapping[int, int]
    """How many said each of the five steps to "did sound and picture work?"."""
    satisfied: Mapping[int, int] = field(default_factory=dict)
    again: Mapping[str, int] = field(default_factory=dict)
    whose: Mapping[str, int] = field(default_factory=dict)
    """Whose sound or picture failed, as hosts say; without roles of too few answers."""
