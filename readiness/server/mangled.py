"""Addresses as they arrive from mail: finds the intended page, whatever a mail program appended.

A link's secret belongs in the fragment, which no server sees. Mail programs and scanners write ``#`` as ``%23``, double
slashes, or append characters. Such an address gets the intended page, which finds the secret itself. This module reads
nothing but the page's name, stores nothing and logs nothing (decision 028).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["meant"]

MOST_DECODED = 4
"""A redirect inside a redirect inside a mail is encoded three times."""
UNSEEN = re.compile(r"=?[\r\n]+\s*|[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Line breaks of mails (including ``=`` at the end of a line), spaces and invisible characters."""
PAGE = re.compile(
    r"/*o/+([^/]+)/+(try|t|board|plan|support|code|rooms)(?=[^a-z0-9_-]|\Z|[a-z0-9_-]{43}\Z)", re.IGNORECASE
)
"""The page's name ends at a character it can't contain, or where a whole token is glued to it."""


def meant(raw_path: str) -> tuple[str, str] | None:
    """Return the (organisation's short name, page) that a path refers to, in lower case, or None. Pure."""
    path = raw_path.partition("?")[0]
    for _ in range(MOST_DECODED):
        path = unquote(path)
    match = PAGE.match(UNSEEN.sub("", path))
    return (match[1].lower(), match[2].lower()) if match else None
