"""Other words for a table's columns and values: as secretaries here write them. Read once, before a file is opened."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["COLUMN_WORDS", "VALUE_WORDS"]

_PATH: Final = Path(__file__).with_suffix(".toml")


def _read() -> dict[str, dict[str, str]]:
    """Return our own name by each other word, for columns and for the values of some of them."""
    listed: Mapping[str, Mapping[str, list[str]]] = tomllib.loads(_PATH.read_text(encoding="utf-8"))
    return {part: {word: name for name, words in names.items() for word in words} for part, names in listed.items()}


_WORDS: Final = _read()
COLUMN_WORDS: Final[Mapping[str, str]] = _WORDS.pop("columns")
VALUE_WORDS: Final[Mapping[str, Mapping[str, str]]] = _WORDS
"""By column, for those whose values are words of ours."""
