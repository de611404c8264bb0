"""The files of ``web/``: read once into memory, compressed, named by the hash of them all, and the page templates."""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from readiness.texts import WEB_FOLDER

__all__ = ["Asset", "Assets"]

COMPRESSED = frozenset({".js", ".css", ".json", ".svg"})
_DOC_COMMENT = re.compile(rb"(?m)^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*$", re.DOTALL)
"""A JSDoc block on lines of its own: types for the checker, a quarter of what a phone would load."""
_SERVERS_OWN = ("detail.", "firewall.", "graph.", "group.", "sketch.", "support.", "who.")
"""Texts that only pages rendered here show: no phone loads them."""
SERVED = COMPRESSED | {".mp3", ".png", ".ico", ".webp"}
_TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".mp3": "audio/mpeg"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    content_type: str
    plain: bytes
    compressed: bytes | None


class Assets:
    """Everything under ``web/`` that a browser may fetch, and the templates that it may not."""

    def __init__(self, folder: Path = WEB_FOLDER) -> None:
        self._files = dict(_read(folder))
        digest = hashlib.sha256()
        for name in sorted(self._files):
            digest.update(name.encode() + b"\0" + self._files[name].plain)
        self.version = digest.hexdigest()[:12]
        """Part of every asset's address, so that it can be cached for ever."""
        self.base = f"/static/{self.version}"
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined
        )

    def get(self, name: str) -> Asset | None:
        """Return the file called `name`, a path below ``web/``, or None."""
        return self._files.get(name)

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """Return the page made of `template`."""
        return self._templates.get_template(template).render(values)


def _read(folder: Path) -> list[tuple[str, Asset]]:
    return [
        (path.relative_to(folder).as_posix(), _asset(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in SERVED and not path.name.startswith(".")
    ]


def _as_blank_lines(comment: re.Match[bytes]) -> bytes:
    """Keep the line numbers, so that an error names the line of the source."""
    return b"\n" * comment[0].count(b"\n")


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    if path.suffix == ".js":
        plain = _DOC_COMMENT.sub(_as_blank_lines, plain)
    if path.parent.name == "locales":
        texts = {key: text for key, text in json.loads(plain).items() if not key.startswith(_SERVERS_OWN)}
        plain = json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    squeezed = gzip.compress(plain, 9, mtime=0) if path.suffix in COMPRESSED else None
    return Asset(content_type=kind, plain=plain, compressed=squeezed)
