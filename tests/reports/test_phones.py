"""Phone numbers as readers of a language write them; the pages' script is held to the same cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports.render.phones import phone_in

CASES = json.loads((Path(__file__).parents[1] / "data" / "phones.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("language", "number", "shown"), CASES)
def test_a_number_is_grouped_as_at_home_and_never_broken(language: str, number: str, shown: str):
    """Without the code of the own country where people leave it out; a foreign or unusual number stays as it is."""
    assert phone_in(language, number) == shown.replace(" ", "\N{NO-BREAK SPACE}")
    assert phone_in(language, phone_in(language, number)) == phone_in(language, number)
