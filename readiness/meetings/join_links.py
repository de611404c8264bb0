"""Links of video meetings: finds the link in an entry that opens the meeting, and the solution it belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from urllib.parse import unquote, urlsplit

from readiness.meetings.wrapped_links import unwrapped
from readiness.typed import LONGEST_LINK
from reports.solution import host_of, load_solution, solution_names

__all__ = ["best_link", "solution_of_link"]

LONGEST_TEXT = 20_000
"""Characters of a description that are searched; invitations have their link in the first two thousand."""
MOST_LINKS = 50
_LINK = re.compile(r"https://[^\s<>\"'\x00-\x1f\\^`{|}]{4,2000}", re.IGNORECASE)
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
_BROKEN = re.compile(r"<(https://[^\s<>]{4,2000}(?:\n[ \t]*[^\s<>]{1,2000}){1,20})>", re.IGNORECASE)
"""A link in angle brackets over several lines: line ends do not belong to it (RFC 3986, appendix C)."""
WRAPS_FROM, WRAPS_TO = 60, 80
"""Lengths of lines at which programs that send plain text break a long link in two."""
_GOES_ON = re.compile(r"(?=.*[%/?=&])(?=.*[A-Za-z0-9])[\w%/?=&.~:#@!$'()*+,;-]+", re.ASCII)
"""A line that can only be the rest of a link; one without letters and digits is a rule (``=====``)."""
_BEGINS_ANEW = re.compile(r"[a-z][a-z0-9+.-]*:|(?:[a-z0-9-]+\.)+[a-z]{2,}(?:/|\Z)", re.IGNORECASE | re.ASCII)
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
    text = _BROKEN.sub(lambda whole: "<" + re.sub(r"\n[ \t]*", "", whole[1]) + ">", text)
    text = _without_scheme().sub(r"https://\g<0>", text)
    before = ""
    for line in _whole_lines(text.splitlines()):
        at = 0
        for match in _LINK.finditer(line):
            link = unwrapped(_trimmed(match[0]))
            if len(found) < MOST_LINKS:
                found.append((link, f"{before} {line[at : match.start()]}"[-200:]))
            at = match.end()
        before = line[at:] or before
    return found


def _whole_lines(lines: Iterable[str]) -> list[str]:
    """Return the lines; a link that was broken at the end of one is whole again."""
    whole: list[str] = []
    is_full = False
    for line in lines:
        goes_on = (
            is_full
            and len(whole[-1]) < LONGEST_LINK
            and _GOES_ON.fullmatch(line.strip())
            and not _BEGINS_ANEW.match(line.strip())
        )
        if goes_on:
            whole[-1] += line.strip()
        else:
            whole.append(line.rstrip())
        is_full = WRAPS_FROM <= len(line.rstrip()) <= WRAPS_TO and any(
            match.end() == len(whole[-1]) for match in _LINK.finditer(whole[-1])
        )
    return whole


@cache
def _without_scheme() -> re.Pattern[str]:
    """Return what finds a known video service's address that somebody wrote without ``https://``."""
    hosts = {host for one in solution_names() for host in load_solution(one).hosts} | {host for host, _ in _OTHERS}
    known = "|".join(sorted(map(re.escape, hosts)))
    return re.compile(rf"(?<![\w@/:.%=-])(?:[a-z0-9-]+\.){{0,3}}(?:{known})/(?=[^\s<>])", re.IGNORECASE | re.ASCII)


def _trimmed(link: str) -> str:
    """Return a link without the punctuation of its sentence; a closing bracket stays if the link opened it."""
    link = link.rstrip(",;.:!?*_")
    while link.endswith((")", "]")) and link.count(link[-1]) > link.count("(" if link[-1] == ")" else "["):
        link = link[:-1].rstrip(",;.:!?")
    return link


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
