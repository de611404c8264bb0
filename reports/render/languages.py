"""The table of languages in ``web/locales/languages.json``; the first one is the default.

Pages, mail, print, numbers and spoken digits all read this table. A language is added by an entry there and a folder of
texts, not by code.
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
    """The plural forms of a text with a whole number, by the Unicode CLDR."""

    categories: tuple[str, ...]
    """CLDR's names of the forms, such as ``one`` and ``other``; a key with one is ``time.days#one``."""
    which: str
    """The form for the number n, in gettext's notation: an expression of C whose value counts from 0."""


@dataclass(frozen=True, slots=True)
class Language:
    """The properties of one language."""

    name: str
    """Its own name for itself, for the choice of language."""
    dir: str
    """Its direction: ``ltr`` or ``rtl``."""
    tag: str
    """The locale for its numbers in browsers; few know nynorsk, which writes them like bokmål."""
    home: str
    """The calling code of the country whose numbers its readers write without it; empty: they write all codes."""
    group: str
    """The separator of thousands."""
    decimal: str
    """The decimal sign."""
    plural: Plural
    """Its plurals; pages use the browser's, by `tag`."""
    voice: str
    """The language of the digits' recordings: itself if it has any."""
    fallback: str | None
    """The language whose texts stand in for missing ones. None for the first one, which has all texts."""
    asked_as: tuple[str, ...]
    """Other languages that a browser may ask for, whose readers understand this one best."""
    reviewed_by: str | None
    """The native reader who has read all its texts, and when; None until then."""

    def category(self, count: int) -> str:
        """Return CLDR's plural category of a whole number. Raises IndexError if `which` has more forms."""
        return self.plural.categories[_counter(self.plural.which)(count)]


@cache
def _counter(which: str) -> Callable[[int], int]:
    """Return the function of a gettext plural expression. Raises ValueError if it is none."""
    return c2py(which)


def read_languages(path: Path = LANGUAGES_PATH) -> dict[str, Language]:
    """Return the languages by code. Raises TypeError for an entry with a missing or unknown field."""
    entries: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return {code: _language(entry) for code, entry in entries.items()}


def _language(entry: Mapping[str, Any]) -> Language:
    plural = Plural(tuple(entry["plural"]["categories"]), entry["plural"]["which"])
    return Language(**{**entry, "plural": plural, "asked_as": tuple(entry["asked_as"])})


TABLE: Final[Mapping[str, Language]] = read_languages()


def preferred(code: str) -> tuple[str, ...]:
    """Return the languages to search for a text, best first: `code`, its fallback, and so on."""
    fallback = TABLE[code].fallback
    return (code, *(preferred(fallback) if fallback else ()))


def for_pages() -> dict[str, dict[str, object]]:
    """Return the part of the table that pages' scripts need."""
    return {code: {"tag": one.tag, "dir": one.dir, "voice": one.voice, "home": one.home} for code, one in TABLE.items()}
