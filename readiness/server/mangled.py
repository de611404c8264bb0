"""Addresses as they arrive from mail: which page is meant, whatever a mail program hung on to it.

A link's secret belongs into the fragment, which no server sees. Mail programs and their scanners write ``#`` as
``%23``, double slashes, put signs at the end. Such an address gets the page that was meant; the page finds the secret
itself. Here nothing is read but which page, nothing is kept, and nothing is logged (decision 028).
"""

from __future__ import annotations

import re
from urllib.parse import unquote

__all__ = ["meant"]

MOST_DECODED = 4
"""A redirect inside a redirect inside a mail is three times encoded."""
UNSEEN = re.compile(r"=?[\r\n]+\s*|[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Line breaks of mails (``=`` at the end of a line is one), spaces and what can't be seen."""
PAGE = re.compile(r"/*o/+([^/]+)/+(try|t|board|plan|support|code)(?=[^a-z0-9_-]|\Z|[a-z0-9_-]{43}\Z)", re.IGNORECASE)
"""The page ends where its name can't go on, or where a whole token is glued to it."""


def meant(raw_path: str) -> tuple[str, str] | None:
    """Return (organisation's short name, page) that a path means, both in lower case, or None. Pure."""
    path = raw_path.partition("?")[0]
    for _ in range(MOST_DECODED):
        path = unquote(path)
    found = PAGE.match(UNSEEN.sub("", path))
    return (found[1].lower(), found[2].lower()) if found else None
