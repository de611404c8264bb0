"""The catalogues of texts: one JSON file of flat keys per language, shared by pages, mail and print."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

__all__ = [
    "DEFAULT_LANGUAGE",
    "LANGUAGES",
    "WEB_FOLDER",
    "catalogue",
    "negotiate",
    "texts_for_participants",
    "texts_for_trouble",
]

WEB_FOLDER = Path(__file__).resolve().parent.parent / "web"
LANGUAGES = ("nb", "nn", "en")
DEFAULT_LANGUAGE = "nb"
STAFF_AREAS = frozenset(
    {
        "advice.room",
        "api",
        "board",
        "cause.echo_cancelled",
        "cause.hung",
        "cause.other_device",
        "cause.too_noisy",
        "check.machine",
        "check.room",
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
        "room",
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
_ALIASES = {"no": "nb", "nb": "nb", "nn": "nn", "en": "en", "da": "nb", "sv": "nb"}
"""What a browser may ask for, and what it gets: Danish and Swedish readers read bokmål better than English."""


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
        found = _ALIASES.get(tag.split("-")[0].lower())
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
