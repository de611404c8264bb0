"""Paper: A4 pages as tagged PDF (PDF/UA-1) by typst, in one typeface that is sent along. Pure; blocks for some 20 ms.

Words, links and pictures go to the template as JSON, never as source: nothing that somebody typed is ever run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typst

__all__ = ["TEMPLATES", "print_pdf"]

_PAGES = re.compile(rb"/Type\s*/Pages\s*/Count (\d+)")
TEMPLATES = Path(__file__).resolve().parent / "templates"
STANDARDS: list[typst.PDFStandard] = ["ua-1"]
"""ISO 14289-1: a screen reader gets headings, lists, tables and texts for pictures, in order."""


def print_pdf(template: str, data: Mapping[str, Any], *, sizes_pt: Sequence[float], pages: int) -> bytes:
    """Return what `template` (``letter`` or ``board``) makes of `data`. Call it in a thread.

    Of `sizes_pt`, largest first, the first is taken whose type fits on `pages` pages; the last one flows over.
    """
    made = b""
    for size_pt in sizes_pt:
        made = _compiled(template, {**data, "size": size_pt})
        if _count(made) <= pages:
            break
    return made


def _count(pdf: bytes) -> int:
    """Return how many pages a PDF of typst's has."""
    found = _PAGES.search(pdf)
    if found is None:
        raise ValueError("a PDF without pages")
    return int(found[1])


def _compiled(template: str, data: Mapping[str, Any]) -> bytes:
    made = typst.compile(
        TEMPLATES / f"{template}.typ",
        root=TEMPLATES,
        font_paths=[TEMPLATES / "fonts"],
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"data": json.dumps(data)},
        pdf_standards=STANDARDS,
    )
    if not isinstance(made, bytes):
        raise TypeError("a PDF is one document")
    return made
