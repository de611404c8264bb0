"""Small files of a room's own: only its account reads them, and a power cut leaves the old or the new one whole."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Final

__all__ = ["read_json", "remove", "sync_folder", "write_json", "write_private"]

PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


def write_private(path: Path, content: bytes, *, is_lasting: bool = True) -> None:
    """Write beside, flush, rename, and flush the folder. Raises OSError where the disk is full or read-only.

    What need not outlive a power cut is whole all the same, and not `is_lasting`: nobody waits for the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    beside = path.with_name(path.name + ".tmp")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if is_lasting:
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    if is_lasting:
        sync_folder(path.parent)


def write_json(path: Path, content: Any, *, is_lasting: bool = True) -> None:
    """Write `content` as `write_private` does. Raises OSError."""
    write_private(path, json.dumps(content).encode(), is_lasting=is_lasting)


def read_json(path: Path) -> Any:
    """Return what a file holds, or None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def remove(path: Path) -> None:
    """Remove a file if it is there. Raises OSError where it can't be removed."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename or removal last through a power cut; Windows does that itself, and lets nobody open a folder."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
