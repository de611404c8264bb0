"""The leader's guides: what to go through when a meeting starts, and what to do in an emergency.

Uses an organisation's own Markdown (``organisation.texts``) if it has some, else ours in ``texts/``. HTML is off, so no
text can produce markup beyond Markdown. Rendering runs in the web process, because its cost is linear in the length:
20,000 characters of the costliest kind known take 0.2 CPU-s, once. The phone number is inserted afterwards, as plain
text, at no further cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import quote

from markdown_it import MarkdownIt

from reports.render.languages import preferred
from reports.render.phones import phone_in
from reports.store.records import Organisation

__all__ = ["GUIDES", "PAGES", "guide_html", "page_html"]

GUIDES = ("checklist", "technical_host", "emergency")
"""What leaders and technical hosts read on the board."""
PAGES = ("privacy", "tips")
"""What anybody may read: how data are used, and how to get the best picture and sound."""
FOLDER = Path(__file__).parent / "texts"
PHONE = "{phone}"
"""Placeholder for the number to call."""
HIGHEST_HEADING = 3
"""The page itself has the first two levels."""


def guide_html(organisation: Organisation, name: str, language: str, *, phone: str = "") -> str:
    """Return the guide as HTML for direct insertion into a page."""
    number = phone or organisation.support_phone
    html = _rendered(_chosen(organisation, name, language))
    shown = escape(phone_in(language, number))
    return html.replace(PHONE, shown).replace(quote(PHONE), quote(number.replace(" ", ""), safe="+"))


def page_html(organisation: Organisation, name: str, language: str, words: Mapping[str, str]) -> str:
    """Return one of `PAGES` as HTML; `words` fill what stands in braces, as plain text."""
    html = _rendered(_chosen(organisation, name, language))
    for key, value in words.items():
        html = html.replace("{" + key + "}", escape(value))
    return html


def _chosen(organisation: Organisation, name: str, language: str) -> str:
    own = organisation.texts.get(name, {}).get(language, "")
    return own if own.strip() else _default(name, language)


@lru_cache(maxsize=32)
def _default(name: str, language: str) -> str:
    paths = (FOLDER / f"{name}.{code}.md" for code in preferred(language))
    return next(path for path in paths if path.exists()).read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def _rendered(text: str) -> str:
    """Render CommonMark; headings start below the page's own, pictures stay out."""
    markdown = MarkdownIt("commonmark", {"html": False}).disable("image")
    tokens = markdown.parse(text)
    headings = [token for token in tokens if token.type in {"heading_open", "heading_close"}]
    highest = min((int(token.tag[1:]) for token in headings), default=1)
    for token in headings:
        token.tag = f"h{min(6, int(token.tag[1:]) - highest + HIGHEST_HEADING)}"
    return str(markdown.renderer.render(tokens, markdown.options, {}))
