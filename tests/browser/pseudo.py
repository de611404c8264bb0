"""Two languages that nobody speaks, made of the bokmål texts: a longer one with accents, and one from right to left.

They are added to a copy of the project as the recipe says, an entry and a folder with the two files that a language
needs, so that a page in one of them proves the recipe too. No letter of theirs is a plain one: a word in plain letters
was not translated.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from reports.render.languages import LANGUAGES_PATH

__all__ = ["LONGER", "MIRRORED", "PSEUDO", "SLOTS", "disguised", "project_with_pseudo_languages"]

ROOT = Path(__file__).resolve().parents[2]
LONGER, MIRRORED = "qaa", "qar"
"""Codes that ISO 639 leaves to whoever needs one."""
PSEUDO = (LONGER, MIRRORED)
LETTERS = "abcdefghijklmnopqrstuvwxyzæøå"
ALPHABETS = {
    LONGER: "áƀčđéƒğĥíĵķĺɱñóƥɋřšťúṽŵẋýžǽǿǻ",
    MIRRORED: "אבגדהוזחטיכלמנסעפצקרשתםןףץאבג",
}
SLOTS = re.compile(r"(\{\w+\})")
"""What is filled in later."""
LONGER_BY = 0.35
"""Of a text's length: what German and Finnish need beside English."""
SHORT = 4
"""Signs up to which a text is a unit or the like, which no language makes longer."""
PARTS = ("participant", "messages")


def disguised(text: str, language: str) -> str:
    """The text in letters of `language`, its placeholders as they were, and longer in the longer one."""
    alphabet = ALPHABETS[language]
    table = str.maketrans(LETTERS + LETTERS.upper(), alphabet + (alphabet.upper() if language == LONGER else alphabet))
    said = "".join(part if SLOTS.fullmatch(part) else part.translate(table) for part in SLOTS.split(text))
    if language == LONGER and len(text) > SHORT:
        words, more = [word for word in said.split() if not SLOTS.search(word)], round(LONGER_BY * len(text))
        extra = " ".join(words * (1 + more // max(1, len(" ".join(words))))) if words else ""
        cut = extra[:more].rstrip()
        said = f"{said} {cut}" if cut else said
    return said


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def project_with_pseudo_languages(folder: Path) -> Path:
    """Make a copy of the project in `folder` that has both, by links to its files, and return it."""
    for package in ("probes", "reports", "readiness", "web"):
        shutil.copytree(ROOT / package, folder / package, copy_function=_link)
    locales = folder / LANGUAGES_PATH.parent.relative_to(ROOT)
    table = json.loads(LANGUAGES_PATH.read_text(encoding="utf-8"))
    for language in PSEUDO:
        direction, tag = ("rtl", "he") if language == MIRRORED else ("ltr", "nb-NO")
        own = {"name": disguised("Liksom", language), "dir": direction, "tag": tag, "fallback": "nb", "asked_as": []}
        table[language] = table["nb"] | own
        (locales / language).mkdir()
        for part in PARTS:
            texts = json.loads((locales / "nb" / f"{part}.json").read_text(encoding="utf-8"))
            made = {key: disguised(text, language) for key, text in texts.items()}
            (locales / language / f"{part}.json").write_text(json.dumps(made), encoding="utf-8")
    (locales / LANGUAGES_PATH.name).unlink()  # a link to the project's own until now
    (locales / LANGUAGES_PATH.name).write_text(json.dumps(table), encoding="utf-8")
    return folder
