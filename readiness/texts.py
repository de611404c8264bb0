"""The catalogues of texts: flat keys in JSON, shared by pages, mail and print, in one folder for each language.

Each file of a folder has its readers: every language has ``participant`` and ``messages``, only some have ``staff``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from reports.render.languages import TABLE, preferred

__all__ = [
    "DEFAULT_LANGUAGE",
    "LANGUAGES",
    "LOCALES",
    "VOICES",
    "WEB_FOLDER",
    "catalogue",
    "for_staff",
    "negotiate",
    "texts_for_follow",
    "texts_for_later",
    "texts_for_participants",
    "texts_for_trouble",
]

WEB_FOLDER = Path(__file__).resolve().parent.parent / "web"
LOCALES = WEB_FOLDER / "locales"
LANGUAGES = tuple(TABLE)
"""Codes of the languages that people can choose; `TABLE` has the properties of each."""
DEFAULT_LANGUAGE = LANGUAGES[0]
VOICES = tuple(dict.fromkeys(one.voice for one in TABLE.values()))
"""The languages with spoken digits; readers of the others hear one of these."""
SELDOM = re.compile(
    r"advice\.(?:camera|microphone|permission)\.(?:denied\w*|dismissed|no_answer|no_frames|picture_hidden|in_use|not_found|"
    r"unsuitable|failed|ended|sound_\w+)\.|advice\..*\.again$|advice\.network\.socket_blocked\.|"
    r"advice\.(?:microphone\.(?:blocked|hum|wrong_device)|camera\.(?:\w+_cut|covered|flicker|frozen|haze|low_resolution|fewer_people|rotated|someone_at_edge|tilt_\w+)|device\.sender_limited)\.|"
    r"advice\.(?:meeting_service|practical)\."
)
"""Keys that the self-test needs in trouble only (a device did not open, the line is blocked, a test failed twice), and
advice that few get. They are loaded then, and not before."""
LATER = re.compile(
    r"answer\.(?:delete|deleted|not_deleted)$|(?:after|cause|check|limit|outcome|speed|unit)\.|"
    r"value\.(?!(?:alone|family|staff|others)$)"
)
"""Keys that the self-test asks for with its answer, or after the meeting, and loads then. Four words of values are
choices of a question before."""
FOLLOW = re.compile(r"follow\.")
"""Keys of the part that lets support follow a test, loaded with it once a test has begun."""
ON_OTHER_PAGES = (
    "code.",
    "form.",
    "guide.",
    "role.",
    "error.feedback",
    "error.front",
    "error.http.",
    "error.page.not_found",
    "error.pin.",
    "link.renew",
    "link.seen",
)
"""Beginnings of participants' keys that the self-test does not load at its start."""
_ALIASES = {asked: code for code, one in TABLE.items() for asked in one.asked_as}
"""Other languages that a browser may ask for, and their stand-ins: Danes and Swedes read bokmål better than English."""


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the texts of `language`; if it has none for staff, those come from its fallback."""
    whole = {**_part(language, "participant"), **_part(language, "messages"), **_part(for_staff(language), "staff")}
    return dict(sorted(whole.items()))


@cache
def for_staff(language: str) -> str:
    """Return the language of staff's pages for readers of `language`: the same, or the first fallback with texts.

    A language must have the texts for participants and messages; those for staff are as many again.
    """
    return next(code for code in preferred(language) if _file(code, "staff").is_file())


def texts_for_participants(language: str) -> dict[str, str]:
    """Return the texts that the self-test loads at its start; an old phone on a thin line loads nothing else."""
    texts = _part(language, "participant").items()
    return {
        key: text
        for key, text in texts
        if not any(part.match(key) for part in (SELDOM, LATER, FOLLOW)) and not key.startswith(ON_OTHER_PAGES)
    }


def texts_for_later(language: str) -> dict[str, str]:
    """Return the texts that the self-test loads with its answer: see `LATER`."""
    return {key: text for key, text in _part(language, "participant").items() if LATER.match(key)}


def texts_for_follow(language: str) -> dict[str, str]:
    """Return the texts that the self-test loads to be followed: see `FOLLOW`."""
    return {key: text for key, text in _part(language, "participant").items() if FOLLOW.match(key)}


def texts_for_trouble(language: str) -> dict[str, str]:
    """Return the texts that the self-test loads in trouble: see `SELDOM`."""
    return {key: text for key, text in _part(language, "participant").items() if SELDOM.match(key)}


def _file(language: str, part: str) -> Path:
    return LOCALES / language / f"{part}.json"


def _part(language: str, part: str) -> dict[str, str]:
    loaded: dict[str, str] = json.loads(_file(language, part).read_text(encoding="utf-8"))
    return loaded


def negotiate(asked: str | None, accept_language: str, offered: Sequence[str] = LANGUAGES) -> str:
    """Return the language to show: `asked` (``?lang=``), else the browser's wish, else the first one offered."""
    if asked in offered:
        return str(asked)
    for tag in _by_preference(accept_language[:200]):
        asked_for = tag.split("-")[0].lower()
        for found in (asked_for, _ALIASES.get(asked_for)):
            if found in offered:
                return str(found)
    return offered[0] if offered else DEFAULT_LANGUAGE


def _by_preference(header: str) -> list[str]:
    """Return the tags of an Accept-Language header (RFC 9110 12.5.4), most wanted first."""
    weighed: list[tuple[float, int, str]] = []
    for position, part in enumerate(header.split(",")):
        tag, _, parameters = part.strip().partition(";")
        quality = 1.0
        if parameters.strip().startswith("q="):
            try:
                quality = float(parameters.strip()[2:])
            except ValueError:
                quality = 0.0
        if tag and tag != "*" and quality > 0:
            weighed.append((-quality, position, tag))
    return [tag for _, _, tag in sorted(weighed)]
