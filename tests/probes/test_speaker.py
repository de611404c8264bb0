"""Loudspeaker: only the digits that were asked for count as heard."""

from __future__ import annotations

from typing import Any

import pytest

from probes.speaker import speaker_measurement


def answer(**data: Any) -> dict[str, Any]:
    return {"played": [3, 7, 1], "answer": "digits", "heard": [3, 7, 1], "plays": 2, **data}


def test_the_right_digits_are_right() -> None:
    """What was played is what was heard; how often it played is kept."""
    found = speaker_measurement(answer())
    assert (found.check, found.value, found.metric("plays")) == ("speaker.heard", "digits_right", 2)


@pytest.mark.parametrize("heard", [[3, 7, 2], [1, 7, 3], [3, 7], [], None, "371"])
def test_other_digits_are_wrong(heard: object) -> None:
    """One wrong, turned round, missing or none at all."""
    assert speaker_measurement(answer(heard=heard)).value == "digits_wrong"


def test_nothing_played_cannot_be_right() -> None:
    """An empty answer to an empty question proves no loudspeaker."""
    assert speaker_measurement(answer(played=[], heard=[])).value == "digits_wrong"


def test_only_planned_digits_count() -> None:
    """A page that claims to have played something else is not believed."""
    assert speaker_measurement(answer(), [[3, 7, 1], [5, 5, 2]]).value == "digits_right"
    assert speaker_measurement(answer(), [[5, 5, 2]]).value == "digits_wrong"


@pytest.mark.parametrize("said", ["nothing", "failed"])
def test_nothing_and_failed_stand(said: str) -> None:
    """They are findings, whatever digits come along."""
    assert speaker_measurement(answer(answer=said)).value == said


@pytest.mark.parametrize("said", ["nothing", "digits"])
@pytest.mark.parametrize("plays", [0, -1, None, True])
def test_before_anything_was_played_nothing_is_measured(said: str, plays: object) -> None:
    """Two quick presses are no deaf loudspeaker, and right digits that never sounded prove none."""
    found = speaker_measurement(answer(answer=said, plays=plays))
    assert (found.value, found.cause) == (None, "not_played")


@pytest.mark.parametrize(("said", "cause"), [("no_sound", "no_sound"), ("skip", "declined")])
def test_who_does_not_answer_has_no_value(said: str, cause: str) -> None:
    """Taking part without sound and declining are causes, not results."""
    found = speaker_measurement(answer(answer=said))
    assert (found.value, found.cause) == (None, cause)


@pytest.mark.parametrize("said", [None, 7, "yes"])
def test_an_unknown_answer_is_not_measured(said: object) -> None:
    """Missing data is never good news."""
    assert speaker_measurement(answer(answer=said)).value is None
    assert speaker_measurement({}).value is None
