"""A check's figures as words, on the pages of staff."""

from __future__ import annotations

from typing import Any

import pytest

from readiness.texts import catalogue
from reports.render.words import Words

ECHO = {"id": "microphone.echo", "value": 2.64, "unit": "db", "pass": -46, "fail": -35}


@pytest.mark.parametrize(
    ("found", "value", "limits"),
    [
        ({"outcome": "pass", "details": {"heard": False}}, "Ikke hørt", ""),
        (
            {"outcome": "fail", "details": {"heard": True}},
            "2,6\u00a0dB",
            "Bra: høyst \u221246\u00a0dB. For dårlig: over \u221235\u00a0dB.",
        ),
    ],
)
def test_an_echo_that_nobody_heard_has_no_number(found: dict[str, Any], value: str, limits: str) -> None:
    """The number then is what it is under for sure, and no limit has anything to say to it."""
    words = Words(catalogue("nb"), "nb")
    assert (words.value_of({**ECHO, **found}), words.limits_of({**ECHO, **found})) == (value, limits)
