"""Whatever we write says its language and its direction, and no style takes the left for the beginning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from readiness.texts import WEB_FOLDER

TEMPLATES = WEB_FOLDER.parent / "readiness" / "meetings" / "templates"
PAGES = sorted([*WEB_FOLDER.rglob("*.html"), TEMPLATES / "mail.html"])
STYLES = {
    path.relative_to(WEB_FOLDER).as_posix(): path.read_text(encoding="utf-8") for path in WEB_FOLDER.rglob("*.css")
}
SIDE = re.compile(r"\b(?:left|right)\b")
FOUR = re.compile(r"\b(?:margin|padding|inset|border-(?:width|style|color|radius)): *([^;}]+)")
IN_BRACKETS = re.compile(r"\([^()]*\)")
MIRRORED = {"transform-origin", "background", "background-position"}
"""Properties that know no beginning and no end: each rule with one has a twin for the other direction."""


def rules(style: str) -> list[tuple[str, str]]:
    """Selector and declarations of each rule, those in @media too."""
    plain = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    return [(selector.strip(), body) for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", plain)]


def sides(style: str) -> list[str]:
    """Declarations that say left or right, or four values of which the second is not the fourth."""
    found = []
    twins = {
        selector.removeprefix('[dir="rtl"] ') for selector, _ in rules(style) if selector.startswith('[dir="rtl"] ')
    }
    for selector, body in rules(style):
        for declaration in filter(None, (part.strip() for part in body.split(";"))):
            name = declaration.partition(":")[0].strip()
            mirrored = name in MIRRORED and (selector in twins or selector.startswith('[dir="rtl"] '))
            if SIDE.search(declaration) and not mirrored:
                found.append(f"{selector}: {declaration}")
        for values in FOUR.findall(body):
            while IN_BRACKETS.search(values):
                values = IN_BRACKETS.sub("", values)
            each = values.split()
            if len(each) == 4 and each[1] != each[3]:
                found.append(f"{selector}: {values}")
    return found


@pytest.mark.parametrize("name", sorted(STYLES))
def test_styles_know_beginning_and_end_but_not_left_and_right(name):
    """Logical properties only, so that a page that is written from the right is a mirror of the others."""
    assert len(rules(STYLES[name])) > 0
    assert sides(STYLES[name]) == []


@pytest.mark.parametrize(
    "style",
    [
        "a { margin-left: 0; }",
        "a { text-align: right; }",
        "@media print { a { left: 0; } }",
        "a { padding: 1px 2px 3px 4px; }",
        "a { margin: 0 calc(2 * var(--a)) 0 auto; }",
        "a { transform-origin: left; }",
    ],
)
def test_a_side_would_be_found(style):
    """The net has no holes for what it is for."""
    assert sides(style) != []


def test_what_has_no_logical_form_has_a_twin():
    """And is not complained of then."""
    assert sides('a { transform-origin: left; } [dir="rtl"] a { transform-origin: right; }') == []
    assert sides("a { padding: 1px 2px 3px 2px; margin-inline: 0 auto; }") == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_says_its_language_says_its_direction(path: Path):
    """Each page, by the base of all, and each block in another language; a language's name shows its own direction."""
    source = path.read_text(encoding="utf-8")
    tags = re.findall(r"<(?:html|div|p|section)\b[^>]*\blang=[^>]*>", source)
    if path.name != "macros.html":
        assert source.startswith('{%- extends "shared/base.html" -%}') or any(tag.startswith("<html ") for tag in tags)
    assert [tag for tag in tags if "dir=" not in tag] == []
    assert not re.search(r'style="[^"]*(?:margin|padding)-(?:left|right)', source)


@pytest.mark.parametrize("name", ["letter.typ", "board.typ"])
def test_papers_do_too(name):
    """Nor does a paper take the left for the beginning."""
    source = (TEMPLATES / name).read_text(encoding="utf-8")
    settings = re.findall(r"set text\(lang[^\n]*", source)
    assert settings
    assert all("dir: direction(" in each for each in settings)
    assert not SIDE.search(re.sub(r"//[^\n]*", "", source))
