"""Links of video meetings: finds the link in an entry that opens the meeting, and the solution it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qs, unquote, urlsplit

from reports.solution import host_of, load_solution, solution_names

__all__ = ["best_link", "solution_of_link", "unwrapped"]

LONGEST_TEXT = 20_000
"""Characters of a description that are searched; invitations have their link in the first two thousand."""
MOST_LINKS = 50
MOST_WRAPS = 3
_LINK = re.compile(r"https://[^\s<>\"'\x00-\x1f\\^`{|}]{4,2000}", re.IGNORECASE)
_WRAPPERS = (
    ("safelinks.protection.outlook.com", ("url",)),
    ("safelinks.protection.office365.us", ("url",)),
    ("linkprotect.cudasvc.com", ("a",)),
    ("www.google.com", ("q", "url")),
    ("google.com", ("q", "url")),
)
"""Hosts of mail filters that wrap links, and the place of the wrapped one."""
_PROOFPOINT = re.compile(r"https://urldefense\.com/v3/__(https?:/.+?)__;", re.IGNORECASE)
_JOINS = {
    "teams": re.compile(r"/(?:l/meetup-join|meet|meetup-join)/", re.IGNORECASE),
    "zoom": re.compile(r"^/(?:j|my|s|w|wc)/", re.IGNORECASE),
    "whereby": re.compile(r"^/(?!(?:information|blog|user|org|pricing)(?:/|$))[^/]+", re.IGNORECASE),
    "nhn_join": re.compile(r"^/\S*"),
}
"""Paths of links that open a meeting; a solution's other pages are help, options and phone numbers."""
_OTHERS = (
    ("meet.google.com", re.compile(r"/(?:lookup/\w+|[a-z]{3}-[a-z]{4}-[a-z]{3})\b")),
    ("webex.com", re.compile(r"/(?:meet/|join/|[\w-]+/j\.php|wbxmjs/)", re.IGNORECASE)),
    ("meet.jit.si", re.compile(r"/.+")),
    ("8x8.vc", re.compile(r"/.+")),
    ("gotomeeting.com", re.compile(r"/(?:join/)?\d+")),
    ("bluejeans.com", re.compile(r"/\d+")),
)
"""Video services that are known only by the form of links that open their meetings."""
_MARKS = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&"))
"""Entities of HTML; others, such as ``&copy``, may be a part of an address."""
_SAID = re.compile(r"\b(?:join|bli\s+med|delta|koble|video|m\wterom|m\wtelenk)", re.IGNORECASE)
"""Words before a link that opens a meeting."""
_NO_MEETING = re.compile(r"calend|kalend|/event|/ical|\.ics\b|outlook\.|aka\.ms|//maps?\.|/maps\b", re.IGNORECASE)
"""Parts of the address of an entry's own page, of a map or of help."""


def solution_of_link(link: str) -> str:
    """Return the solution that the link's host belongs to, or "" if unknown."""
    host = host_of(unwrapped(link))
    name = host.partition(":")[0] if host else ""
    for one in solution_names():
        if any(name == known or name.endswith(f".{known}") for known in load_solution(one).hosts):
            return one
    return ""


def unwrapped(link: str) -> str:
    """Return the link that a mail filter has wrapped, or the link itself."""
    for _ in range(MOST_WRAPS):
        inner = _inside(link)
        if not inner.lower().startswith("https://"):
            break
        link = inner
    return link


def best_link(surest: Iterable[str], places: Iterable[str], texts: Iterable[str], pages: Iterable[str]) -> str:
    """Return the https link that opens the meeting, or "".

    `surest` hold links to join only; `places` are locations; `texts` are free text; `pages` may be the entry's own.
    """
    named = [link for one in surest for link in _links(one)]
    placed = [link for one in places for link in _links(one)]
    written = [pair for one in texts for pair in _with_words(one)]
    own = [link for one in pages for link in _links(one)]
    for link in named or (*placed, *(link for link, _ in written), *own):
        if _opens_a_meeting(link):
            return link
    said = [link for link, words in written if _SAID.search(words) and not _NO_MEETING.search(link)]
    placed, own = ([link for link in some if not _NO_MEETING.search(link)] for some in (placed, own))
    return next(iter((*named, *placed, *said, *own)), "")


def _links(text: str) -> list[str]:
    return [link for link, _ in _with_words(text)]


def _with_words(text: str) -> Sequence[tuple[str, str]]:
    """Return each link of a text, unwrapped, with the words before it on its line."""
    found: list[tuple[str, str]] = []
    text = text[:LONGEST_TEXT]
    for mark, letter in _MARKS:
        text = text.replace(mark, letter)
    before = ""
    for line in text.splitlines():
        at = 0
        for match in _LINK.finditer(line):
            link = unwrapped(_trimmed(match[0]))
            if len(found) < MOST_LINKS:
                found.append((link, f"{before} {line[at : match.start()]}"[-200:]))
            at = match.end()
        before = line[at:] or before
    return found


def _trimmed(link: str) -> str:
    """Return a link without the punctuation of its sentence; a closing bracket stays if the link opened it."""
    link = link.rstrip(",;.:!?*_")
    while link.endswith((")", "]")) and link.count(link[-1]) > link.count("(" if link[-1] == ")" else "["):
        link = link[:-1].rstrip(",;.:!?")
    return link


def _inside(link: str) -> str:
    if proofpoint := _PROOFPOINT.match(link):
        inner = proofpoint[1]
        return re.sub(r"^(https?):/(?!/)", r"\1://", inner)
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").lower()
        asked = parse_qs(parts.query, max_num_fields=50)
    except ValueError:
        return ""
    for wrapper, names in _WRAPPERS:
        if host == wrapper or (host.endswith(f".{wrapper}") and not wrapper.endswith("google.com")):
            return next((asked[name][0] for name in names if name in asked), "")
    return ""


def _opens_a_meeting(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    path = "/" + unquote(link.partition("://")[2].partition("/")[2])
    solution = solution_of_link(link)
    if solution in _JOINS:
        return _JOINS[solution].search(path) is not None
    host = (parts.hostname or "").lower()
    return any(
        (host == name or host.endswith(f".{name}")) and pattern.match(path) is not None for name, pattern in _OTHERS
    )
