"""Links that a mail filter or another program has wrapped in one of its own: finds the link inside. Pure.

Each filter writes the inner link in its own way. One that can't be read whole is left wrapped, for a link that is
nearly right opens nothing. Filters that keep the inner link to themselves (Mimecast) can't be read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ["unwrapped"]

MOST_WRAPS: Final = 3
"""Filters that one link may have gone through: the sender's, the recipient's and a forwarder's."""
_WHOLE: Final = re.compile(r"https://[^\s\x00-\x1f\x7f<>\"]+", re.IGNORECASE)
"""What may be inside: https only, with nothing in it that ends a link."""
_ASKED: Final = (
    ("safelinks.protection.outlook.com", ("url",)),
    ("safelinks.protection.office365.us", ("url",)),
    ("statics.teams.cdn.office.net", ("url",)),
    ("linkprotect.cudasvc.com", ("a",)),
    ("trendmicro.com", ("url",)),
    ("clicktime.symantec.com", ("u",)),
    ("clicktime.cloud.postoffice.net", ("u",)),
    ("fireeye.com", ("u",)),
    ("vadesecure.com", ("u",)),
    ("scanmail.trustwave.com", ("u",)),
    ("linklock.titanhq.com", ("url",)),
    ("link.edgepilot.com", ("u",)),
    ("slack-redir.net", ("url",)),
    ("l.facebook.com", ("u",)),
)
"""Hosts, and those under them, with the parameter that holds the inner link."""
_GOOGLE: Final = frozenset({"google.com", "www.google.com"})
"""Wrap links under these very names; meet.google.com is a meeting."""
_DEFENDED: Final = re.compile(
    r"https://urldefense\.(?:com|us|proofpoint\.com)/v3/__(https?:/.+?)__;([\w-]*={0,2})(?:!|\Z)", re.IGNORECASE
)
"""Proofpoint, third form: the link with ``*`` for other signs, then those signs in base64."""
_CHECKED: Final = re.compile(
    r"https://(?:protect\.checkpoint\.com|(?:[\w-]+\.)?avanan\.click)/v2/(?:[\w-]+/)?___(https?://.+?)___\.",
    re.IGNORECASE,
)
"""Check Point, also as Avanan: the link between underscores."""
_STARS: Final = re.compile(r"\*(?:\*([A-Za-z0-9_-]))?")
"""Proofpoint's place of one sign, or of as many as the letter behind two stars counts."""
_COUNTS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""How many signs ``**A``, ``**B`` … stand for, from two on."""


def unwrapped(link: str) -> str:
    """Return the link that a mail filter has wrapped, or the link itself."""
    for _ in range(MOST_WRAPS):
        inner = _inside(link)
        if not _WHOLE.fullmatch(inner):
            break
        link = inner
    return link


def _inside(link: str) -> str:
    """Return the link within `link`, or ""."""
    if defended := _DEFENDED.match(link):
        return _undefended(defended[1], defended[2])
    if checked := _CHECKED.match(link):
        return checked[1]
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").lower()
        asked = parse_qs(parts.query, max_num_fields=50)
    except ValueError:
        return ""
    names = ("q", "url") if host in _GOOGLE else next((some for one, some in _ASKED if _is_under(host, one)), ())
    if names:
        return _first(asked, names)
    for wrapper, read in _OWN_WAYS.items():
        if _is_under(host, wrapper):
            return read(parts.path, _first(asked, ("u",)))
    return ""


def _is_under(host: str, known: str) -> bool:
    return host == known or host.endswith(f".{known}")


def _first(asked: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    return next((asked[name][0] for name in names if name in asked), "")


def _undefended(inner: str, signs: str) -> str:
    """Return the link with its own signs in place of the stars, or "" if they do not fit."""
    try:
        own = base64.urlsafe_b64decode(signs.rstrip("=") + "=" * (-len(signs.rstrip("=")) % 4)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    at = 0

    def put_back(star: re.Match[str]) -> str:
        nonlocal at
        many = _COUNTS.index(star[1]) + 2 if star[1] else 1
        at += many
        return own[at - many : at]

    whole = _STARS.sub(put_back, inner)
    return re.sub(r"^(https?):/(?!/)", r"\1://", whole) if at == len(own) else ""


def _of_proofpoint(path: str, inner: str) -> str:
    """Return the link of Proofpoint's first and second form: ``-`` and ``_`` stand for ``%`` and ``/``."""
    return unquote(inner.replace("-", "%").replace("_", "/")) if path.startswith("/v2") else inner


def _of_sophos(_path: str, inner: str) -> str:
    try:
        return base64.urlsafe_b64decode(inner.replace(" ", "+") + "=" * (-len(inner) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""


def _of_cisco(path: str, _inner: str) -> str:
    """Return the link that is the last part of the path."""
    return unquote(path.rpartition("/")[2])


_OWN_WAYS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "urldefense.proofpoint.com": _of_proofpoint,
    "protection.sophos.com": _of_sophos,
    "secure-web.cisco.com": _of_cisco,
}
