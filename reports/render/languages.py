"""The languages there are, as ``web/locales/languages.json`` lists them; the first one is the default.

Everything that knows languages reads this table: pages, mail, print, numbers, the spoken digits. A language is added by
an entry there and a folder of texts, not by code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from gettext import c2py
from pathlib import Path
from typing import Any, Final

__all__ = ["LANGUAGES_PATH", "TABLE", "Language", "for_pages", "preferred", "read_languages"]

LANGUAGES_PATH: Final = Path(__file__).resolve().parents[2] / "web" / "locales" / "languages.json"


@dataclass(frozen=True, slots=True)
class Plural:
    """The forms that a text with a whole number needs, by the Unicode CLDR."""

    categories: tuple[str, ...]
    """CLDR's names of the forms, such as ``one`` and ``other``: a key with them is ``time.days#one``."""
    which: str
    """Which of them fits the number n, as gettext writes it: an expression of C whose value counts from 0."""


@dataclass(frozen=True, slots=True)
class Language:
    """What is true of one language, whatever is written in it."""

    name: str
    """Its own name for itself, as the choice of language shows it."""
    dir: str
    """Which way it is written: ``ltr`` or ``rtl``."""
    tag: str
    """The locale by which browsers write its numbers; few know nynorsk, which writes them as bokmål does."""
    group: str
    """What stands between thousands."""
    decimal: str
    """What stands before decimals."""
    plural: Plural
    """Its plurals; a page asks the browser by `tag`."""
    voice: str
    """The language whose recordings of the digits are played: its own where it has any."""
    fallback: str | None
    """The language whose texts stand in for those that it has none of. None for the first one, which has them all."""
    asked_as: tuple[str, ...]
    """Other languages that a browser may ask for whose readers read this one better than what else there is."""
    reviewed_by: str | None
    """The native reader who read every text of it, and when. None until somebody did."""

    def category(self, count: int) -> str:
        """Return CLDR's plural category of a whole number. Raises IndexError for a table whose two halves differ."""
        return self.plural.categories[_counter(self.plural.which)(count)]


@cache
def _counter(which: str) -> Callable[[int], int]:
    """Return the function that gettext makes of a plural expression. Raises ValueError for what is none."""
    return c2py(which)


def read_languages(path: Path = LANGUAGES_PATH) -> dict[str, Language]:
    """Return the languages by their codes. Raises TypeError for an entry with a field missing or unknown."""
    entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {code: _language(entry) for code, entry in entries.items()}


def _language(entry: Mapping[str, Any]) -> Language:
    plural = Plural(tuple(entry["plural"]["categories"]), entry["plural"]["which"])
    return Language(**{**entry, "plural": plural, "asked_as": tuple(entry["asked_as"])})


TABLE: Final[Mapping[str, Language]] = read_languages()


def preferred(code: str) -> tuple[str, ...]:
    """Return the languages to look for a text in, best first: `code`, what it falls back to, and so on."""
    fallback = TABLE[code].fallback
    return (code, *(preferred(fallback) if fallback else ()))


def for_pages() -> dict[str, dict[str, object]]:
    """Return what a page's script needs of the table."""
    return {code: {"tag": one.tag, "dir": one.dir, "voice": one.voice} for code, one in TABLE.items()}
