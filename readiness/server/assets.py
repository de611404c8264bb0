"""The files of ``web/``: read once into memory, compressed, named by the hash of them all, and the page templates."""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from readiness.texts import (
    LANGUAGES,
    LOCALES,
    WEB_FOLDER,
    catalogue,
    texts_for_follow,
    texts_for_later,
    texts_for_participants,
    texts_for_trouble,
)
from reports.checks import figures_json
from reports.render.languages import TABLE, for_pages
from reports.render.phones import phone_in
from reports.render.words import Words

__all__ = ["Asset", "Assets"]

COMPRESSED = frozenset({".js", ".css", ".json", ".svg"})
_COMMENTS = {
    ".js": re.compile(
        rb"(?m)^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*$|(?<!\w)/\*\*(?:(?!\*/).)*\*/ ?|^[ \t]*//[^\n]*$", re.DOTALL
    ),
    ".css": re.compile(rb"[ \t]*/\*(?:(?!\*/).)*\*/", re.DOTALL),
}
"""What is not sent, a quarter of what a phone would load: JSDoc (types for the checker) on lines of its own and between
code, lines of notes, and notes in styles."""
SERVED = COMPRESSED | {".mp3", ".png", ".ico", ".webp"}
_TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".mp3": "audio/mpeg"}

FIGURES_PATH = "selftest/js/figures.js"
"""The script that gets the server's table of figures: which way each is worse, and how many decimals it has."""
LANGUAGES_SCRIPT = "shared/i18n.js"
"""The script that gets the table of languages."""
_FILLED: Mapping[str, tuple[bytes, Callable[[], object]]] = {
    FIGURES_PATH: (b"FIGURES = {};", figures_json),
    LANGUAGES_SCRIPT: (b"LANGUAGES = {};", for_pages),
}
"""How a script stands in the tree, with an empty table that is filled as it is read, and what with."""
_CATALOGUES: Mapping[str, Callable[[str], Mapping[str, str]]] = {
    "": texts_for_participants,
    "trouble/": texts_for_trouble,
    "later/": texts_for_later,
    "follow/": texts_for_follow,
    "staff/": catalogue,
}
"""The parts of a language's texts that pages load, by the folder that they are served in."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    content_type: str
    plain: bytes
    compressed: bytes | None


class Assets:
    """Everything under ``web/`` that a browser may fetch, `more` by their names, and templates, which it may not."""

    def __init__(self, folder: Path = WEB_FOLDER, more: Mapping[str, Path] | None = None) -> None:
        self._files = dict(_read(folder))
        self._files |= {name: _asset(path) for name, path in (more or {}).items()}
        digest = hashlib.sha256()
        for name in sorted(self._files):
            digest.update(name.encode() + b"\0" + self._files[name].plain)
        self.version = digest.hexdigest()[:12]
        """Part of every asset's address, so that it can be cached for ever."""
        self.base = f"/static/{self.version}"
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._templates.globals |= {"language": TABLE, "plural": _plural}
        self._templates.filters["phone_in"] = lambda number, language: phone_in(language, number)

    def get(self, name: str) -> Asset | None:
        """Return the file called `name`, a path below ``web/``, or None."""
        return self._files.get(name)

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return the page made of `template`."""
        return self._templates.get_template(template).render(values)


def _plural(key: str, count: int, texts: Mapping[str, str], language: str) -> str:
    """Return the text of `key` for so many, as `Words.plural` does: for templates, which have a catalogue only."""
    return Words(texts, language).plural(key, count)


def _read(folder: Path) -> list[tuple[str, Asset]]:
    """Read every file. A catalogue is served for participants, for their trouble and their answer, and whole for staff.

    The tables of figures and of languages are the server's own, so that there are no second ones.
    """
    files = [
        (path.relative_to(folder).as_posix(), _asset(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in SERVED and not path.name.startswith(".") and LOCALES not in path.parents
    ]
    files = [(name, _with_table(name, asset) if name in _FILLED else asset) for name, asset in files]
    texts = [
        (f"locales/{part}{language}.json", _changed("application/json", _compact(texts_of(language))))
        for part, texts_of in _CATALOGUES.items()
        for language in LANGUAGES
    ]
    return [*files, *texts]


def _with_table(name: str, script: Asset) -> Asset:
    empty, table = _FILLED[name]
    return _changed(script.content_type, script.plain.replace(empty, empty.replace(b"{}", _compact(table()))))


def _changed(content_type: str, plain: bytes) -> Asset:
    return Asset(content_type, plain, gzip.compress(plain, 9, mtime=0))


def _compact(value: object) -> bytes:
    """JSON for a browser: without the spaces that are for people who read it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _as_blank_lines(comment: re.Match[bytes]) -> bytes:
    """Keep the line numbers, so that an error names the line of the source."""
    return b"\n" * comment[0].count(b"\n")


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    if path.suffix in _COMMENTS:
        plain = _COMMENTS[path.suffix].sub(_as_blank_lines, plain)
    elif path.suffix == ".json":
        plain = _compact(json.loads(plain))
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    squeezed = gzip.compress(plain, 9, mtime=0) if path.suffix in COMPRESSED else None
    return Asset(content_type=kind, plain=plain, compressed=squeezed)
