"""An organisation's own recordings of the spoken digits if they follow the rules, else the product's."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from readiness.logs import log_event
from readiness.texts import VOICES, WEB_FOLDER

__all__ = ["OWN", "Voices", "load_voices"]

log = logging.getLogger(__name__)
OWN = "selftest/audio"
"""The product's own recordings, as an address below the static files."""
LONGEST_S = 60.0
"""Judging a voices folder takes about a second."""


@dataclass(frozen=True)
class Voices:
    """The recordings that an organisation's participants hear."""

    sets: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    """Folder of each language by the organisation's slug; "" is every other organisation."""

    def of(self, slug: str) -> tuple[str, Mapping[str, str]]:
        """Return where the page finds its recordings below the static files, and each language's folder on disk."""
        name = slug if slug in self.sets else ""
        folders = {language: str(WEB_FOLDER / OWN / language) for language in VOICES}
        own = {language: str(folder) for language, folder in self.sets.get(name, {}).items()}
        return (f"voices/{name or 'all'}" if own else OWN), folders | own

    def files(self) -> dict[str, Path]:
        """Return every file that the pages may load, by its address below the static files."""
        return {
            f"{base}/{language}/{digit}.mp3": Path(folder) / f"{digit}.mp3"
            for base, folders in map(self.of, self.sets)
            for language, folder in folders.items()
            for digit in range(10)
        }


def load_voices(folder: Path | None) -> Voices:
    """Return the voices in `folder` that keep the rules; the others are named in the log and left out."""
    if folder is None:
        return Voices()
    folder = folder.resolve()
    sets: dict[str, dict[str, Path]] = {}
    for name, faults in _judged(folder).items():
        slug, _, language = f"/{name}".rpartition("/")
        if faults:
            log_event(log, logging.ERROR, "voices.refused", voices=name, faults=len(faults), first=faults[0])
        else:
            sets.setdefault(slug.strip("/"), {})[language] = folder / name
    # What is recorded for all serves an organisation too whose own recordings lack a language.
    return Voices({slug: {**sets.get("", {}), **own} for slug, own in sets.items()})


def _judged(folder: Path) -> Mapping[str, list[str]]:
    """Return the faults of every set; in a process of its own, since this one never loads a media library."""
    try:
        done = subprocess.run(  # noqa: S603 - our own module, and a folder that the operator named
            [sys.executable, "-m", "readiness.media.voices", str(folder)],
            check=True, capture_output=True, timeout=LONGEST_S,
        )  # fmt: skip
        judged: dict[str, list[str]] = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        log_event(log, logging.ERROR, "voices.unreadable", cause=type(error).__name__)
        return {}
    if not judged:
        log_event(log, logging.ERROR, "voices.none", folder=str(folder))
    return judged
