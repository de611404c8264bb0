"""The catalogues of texts: one JSON file of flat keys per language, shared by pages, mail and print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from reports.render.languages import TABLE

__all__ = [
    "DEFAULT_LANGUAGE",
    "LANGUAGES",
    "VOICES",
    "WEB_FOLDER",
    "catalogue",
    "negotiate",
    "texts_for_participants",
    "texts_for_trouble",
]

WEB_FOLDER = Path(__file__).resolve().parent.parent / "web"
LANGUAGES = tuple(TABLE)
"""Codes of the languages that people can choose; what is true of each stands in `TABLE`."""
DEFAULT_LANGUAGE = LANGUAGES[0]
VOICES = tuple(dict.fromkeys(one.voice for one in TABLE.values()))
"""The languages that the digits are spoken in: the rest hear one of these."""
STAFF_AREAS = frozenset(
    {
        "api",
        "board",
        "code",
        "delivery",
        "detail",
        "error.auth",
        "error.figures",
        "error.host",
        "error.http",
        "error.import",
        "error.meeting",
        "error.person",
        "error.pin",
        "error.print",
        "error.request",
        "error.resend",
        "error.text",
        "figures",
        "firewall",
        "graph",
        "group",
        "host",
        "ics",
        "import",
        "leader",
        "letter",
        "link.renew",
        "link.renewed",
        "link.seen",
        "mail",
        "plan",
        "print",
        "sketch",
        "sms",
        "state",
        "support",
        "who",
    }
)
"""Beginnings of keys that only staff's pages, mail and print ask for: the self-test does not load them."""
SELDOM = re.compile(
    r"advice\.(?:camera|microphone|permission)\.(?:denied\w*|dismissed|no_answer|no_frames|picture_hidden|in_use|not_found|"
    r"unsuitable|failed|ended|sound_\w+)\.|advice\..*\.again$|advice\.network\.socket_blocked\.|"
    r"advice\.(?:microphone\.(?:blocked|hum|wrong_device)|camera\.(?:flicker|frozen|low_resolution)|device\.sender_limited)\."
)
"""Keys that the self-test asks for in trouble (a device did not open, the line is blocked, a test failed twice), and
advice that few get: loaded then, and not before."""
FOR_ALL = frozenset({"error.meeting.over", "error.meeting.over.title", "error.request.malformed"})
"""Keys below them that participants meet too."""
_ALIASES = {asked: code for code, one in TABLE.items() for asked in one.asked_as}
"""What else a browser may ask for, and what it gets: Danish and Swedish readers read bokmål better than English."""


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return the texts of `language`. Raises FileNotFoundError for a language there is no file for."""
    loaded: dict[str, str] = json.loads((WEB_FOLDER / "locales" / f"{language}.json").read_text(encoding="utf-8"))
    return loaded


def texts_for_participants(texts: Mapping[str, str]) -> dict[str, str]:
    """Return those of `texts` that the self-test loads at its start: an old phone on a thin line loads nothing else."""
    often = {key: text for key, text in texts.items() if not SELDOM.match(key)}
    return {key: text for key, text in often.items() if key in FOR_ALL or not _is_for_staff(key)}


def texts_for_trouble(texts: Mapping[str, str]) -> dict[str, str]:
    """Return those of `texts` that the self-test loads in trouble: see `SELDOM`."""
    return {key: text for key, text in texts.items() if SELDOM.match(key)}


def _is_for_staff(key: str) -> bool:
    first, second, *_ = (*key.split("."), "")
    return first in STAFF_AREAS or f"{first}.{second}" in STAFF_AREAS


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
