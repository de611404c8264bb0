"""Paper: A4 pages as tagged PDF (PDF/UA-1) by typst, in our own typefaces. Blocks for some 20 ms.

Words, links and pictures go to the template as JSON, never as source: typed text is never run. Nor does typed text stop
a page: characters that can't be printed become a mark (see `printable`).
"""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typst

from readiness.logs import log_event
from readiness.meetings.printable import FONTS, MARK, printable, without_marks

__all__ = ["PRINT", "TEMPLATES", "Sheet", "families", "print_pdf", "print_sent"]

log = logging.getLogger(__name__)
PRINT = "readiness.meetings.paper:print_sent"
_PAGES = re.compile(rb"/Type\s*/Pages\s*/Count (\d+)")
TEMPLATES = Path(__file__).resolve().parent / "templates"
STANDARDS: list[typst.PDFStandard] = ["ua-1"]
"""ISO 14289-1: a screen reader gets headings, lists, tables and texts for pictures, in order."""
FIRST_FAMILIES = ("Atkinson Hyperlegible Next", "Noto Sans")
"""Families tried first: the letter's own, then the one with every Latin, Greek and Cyrillic letter."""
VERBATIM = frozenset({"lang", "dir", "tone", "qr", "address", "code"})
"""Fields that we make ourselves and that must not be changed."""
_TRIAL = TEMPLATES / "trial.typ"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet to print: a template, its data, and the sizes of type to try, largest first."""

    template: str
    data: Mapping[str, Any]
    sizes_pt: Sequence[float]
    pages: int

    def pdf(self) -> bytes:
        """Return the PDF, typeset in this process."""
        return print_pdf(self.template, self.data, sizes_pt=self.sizes_pt, pages=self.pages)

    def sent(self) -> bytes:
        """Return the sheet as bytes for `print_sent`."""
        return json.dumps(asdict(self)).encode()


def print_sent(sheet: bytes) -> bytes:
    """Return the PDF of a sheet that was sent to a confined process."""
    return Sheet(**json.loads(sheet)).pdf()


def print_pdf(template: str, data: Mapping[str, Any], *, sizes_pt: Sequence[float], pages: int) -> bytes:
    """Return the PDF that `template` (``letter`` or ``board``) makes of `data`. Call it in a thread.

    The first of `sizes_pt` that fits on `pages` pages is taken; with the last one more pages are allowed.
    """
    made = b""
    data = _each_text(data, printable)
    for size_pt in sizes_pt:
        try:
            made = _compiled(TEMPLATES / f"{template}.typ", {**data, "size": size_pt})
        except typst.TypstError:
            data = _each_text(data, _tried_in(data))
            made = _at_any_price(TEMPLATES / f"{template}.typ", {**data, "size": size_pt})
        if _count(made) <= pages:
            break
    return made


@functools.cache
def families() -> list[str]:
    """Return the families of our typefaces, in the order in which they are searched for a letter."""
    return [*FIRST_FAMILIES, *(name for name in sorted(_fonts().families()) if name not in FIRST_FAMILIES)]


@functools.cache
def _fonts() -> typst.Fonts:
    """Return our own fonts only, so that a page looks the same on every machine."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])


def _each_text(data: Any, change: Callable[[str], str]) -> Any:
    """Return `data` with `change` applied to each text that somebody may have typed."""
    if isinstance(data, str):
        return change(data)
    if isinstance(data, Mapping):
        return {name: value if name in VERBATIM else _each_text(value, change) for name, value in data.items()}
    if isinstance(data, Sequence):
        return [_each_text(value, change) for value in data]
    return data


def _tried_in(data: Any) -> Callable[[str], str]:
    """Return what makes each text of `data` one that can be typeset; most of them can, so they are tried together."""
    texts: dict[str, None] = {}

    def note(text: str) -> str:
        texts[text] = None
        return text

    _each_text(data, note)
    instead = {one: _tried(one) for one in _stopping([*texts])}
    return lambda text: instead.get(text, text)


def _stopping(texts: Sequence[str]) -> list[str]:
    """Return those of the texts that can't be typeset: by halves, for they are few."""
    if not texts or _can_be_set("\n".join(texts)):
        return []
    if len(texts) == 1:
        return [*texts]
    half = len(texts) // 2
    return [*_stopping(texts[:half]), *_stopping(texts[half:])]


def _tried(text: str) -> str:
    """Return `text` if it can be typeset; else its letters without marks, else a mark."""
    return next((one for one in (text, without_marks(text)) if _can_be_set(one)), MARK)


def _can_be_set(text: str) -> bool:
    try:
        _compiled(_TRIAL, text)
    except typst.TypstError:
        return False
    return True


def _at_any_price(source: Path, data: Mapping[str, Any]) -> bytes:
    """Return the PDF; without PDF/UA if that can't be met, because paper is read by eye."""
    try:
        return _compiled(source, data)
    except typst.TypstError as error:
        log_event(log, logging.ERROR, "paper.untagged", cause=str(error)[:60])
        return _compiled(source, data, [])


def _count(pdf: bytes) -> int:
    """Return the number of pages in a PDF made by typst."""
    found = _PAGES.search(pdf)
    if found is None:
        raise ValueError("a PDF without pages")
    return int(found[1])


def _compiled(source: Path, data: Any, standards: list[typst.PDFStandard] = STANDARDS) -> bytes:
    made = typst.compile(
        source,
        root=TEMPLATES,
        font_paths=_fonts(),
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"data": json.dumps(data), "fonts": json.dumps(families())},
        pdf_standards=standards,
    )
    if not isinstance(made, bytes):
        raise TypeError("a PDF is one document")
    return made
