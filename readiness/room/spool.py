"""Results that wait for the server: one file each, written whole before anything is sent, oldest first.

A power cut leaves each file old, new or absent. Where the disk is full the newest few live in memory. Nothing is kept
twice: a result has an id of its own, and the server takes the same id once.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from readiness.room.files import read_json, remove, sync_folder, write_json, write_private

__all__ = ["Spool", "uuid7"]

MOST_FILES: Final = 1000
MOST_BYTES: Final = 50_000_000
IN_MEMORY: Final = 20
"""Results of a day, where the disk takes none."""
DROPPED: Final = "dropped.json"
LEFTOVER_S: Final = 60.0
"""A file that is being written is younger: a check by hand may run beside the service."""


def uuid7(now_s: float | None = None) -> str:
    """Return an id that sorts by time (RFC 9562 5.7): ms since 1970, then chance."""
    at_ms = int((time.time() if now_s is None else now_s) * 1000) & (1 << 48) - 1
    number = at_ms << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


@dataclass(frozen=True, slots=True)
class _Kept:
    is_pass: bool
    size: int
    content: dict[str, Any] | None
    """None where it is on disk."""


class Spool:
    """The results in one folder. One process at a time adds; reading what another one added needs `refresh`."""

    def __init__(
        self, folder: Path, *, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES, in_memory: int = IN_MEMORY
    ) -> None:
        self._folder = folder
        self._most = (most_files, most_bytes)
        self._in_memory = in_memory
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._dropped = {"pass": 0, "other": 0}
        self.is_full = False
        """Whether the disk took the last one."""
        self.refresh()

    @property
    def dropped(self) -> dict[str, int]:
        """Return how many results were given up since this room was enrolled, by whether they were passes."""
        return dict(self._dropped)

    def __len__(self) -> int:
        return len(self._kept)

    def refresh(self) -> None:
        """Look at the folder again: leftovers of a power cut go, damaged files are counted as given up."""
        stored = read_json(self._folder / DROPPED)
        if isinstance(stored, dict):
            self._dropped = {name: max(count, int(stored.get(name, 0))) for name, count in self._dropped.items()}
        found = OrderedDict((name, kept) for name, kept in self._kept.items() if kept.content is not None)
        for path in self._files():
            if path.stem in self._kept:
                found[path.stem] = self._kept[path.stem]
            elif isinstance(content := read_json(path), dict) and content.get("id") == path.stem:
                found[path.stem] = _Kept(_is_pass(content), path.stat().st_size, None)
            elif _is_damaged(path):
                self._count(is_pass=False)
                with contextlib.suppress(OSError):
                    remove(path)
        self._kept = OrderedDict(sorted(found.items()))

    def add(self, result: Mapping[str, Any]) -> bool:
        """Keep one result, by its ``id``. Returns whether it is on disk; memory has it otherwise."""
        name, written = str(result["id"]), json.dumps(result).encode()
        while len(self._kept) >= self._most[0] or self._size() + len(written) > self._most[1]:
            if not self._drop():
                break
        try:
            write_private(self._path(name), written)
        except OSError:
            self.is_full = True
            self._kept[name] = _Kept(_is_pass(result), len(written), dict(result))
            while len(in_memory := [one for one, kept in self._kept.items() if kept.content]) > self._in_memory:
                self._count(is_pass=self._kept.pop(in_memory[0]).is_pass)
        else:
            self.is_full = False
            self._kept[name] = _Kept(_is_pass(result), len(written), None)
        self._kept = OrderedDict(sorted(self._kept.items()))
        return not self.is_full

    def oldest(self) -> dict[str, Any] | None:
        """Return the oldest result, or None where nothing waits. What has become unreadable is given up."""
        for name, kept in list(self._kept.items()):
            content = kept.content or read_json(self._path(name))
            if isinstance(content, dict):
                return content
            if self._path(name).exists() and not _is_damaged(self._path(name)):
                continue
            self._kept.pop(name)
            if self._path(name).exists():
                self._count(is_pass=kept.is_pass)
                with contextlib.suppress(OSError):
                    remove(self._path(name))
        return None

    def done(self, name: str) -> None:
        """Forget a result that the server has. Raises OSError where its file can't be removed: it would come again."""
        kept = self._kept.get(name)
        if kept is None or kept.content is None:
            remove(self._path(name))
            with contextlib.suppress(OSError):
                sync_folder(self._folder)
        self._kept.pop(name, None)

    def give_up(self, name: str) -> None:
        """Forget a result that the server will never take, and count it. Raises OSError as `done` does."""
        is_pass = self._kept[name].is_pass if name in self._kept else False
        self.done(name)
        self._count(is_pass=is_pass)

    def newest_planned(self) -> str | None:
        """Return the newest planned time among what waits: a power cut may have come before it was noted elsewhere."""
        times = [
            str(content["planned_at"])
            for name, kept in self._kept.items()
            if isinstance(content := kept.content or read_json(self._path(name)), dict) and content.get("planned_at")
        ]
        return max(times, default=None)

    def clear(self) -> None:
        """Forget everything: the room was told to. Raises OSError."""
        for path in [*self._folder.glob("*.json"), *self._folder.glob("*.tmp")]:
            remove(path)
        self._kept.clear()
        self._dropped = {"pass": 0, "other": 0}

    def _drop(self) -> bool:
        """Give up the oldest pass, or the oldest where there is none; never the newest. Returns whether it could."""
        names = list(self._kept)
        if not names:
            return False
        name = next((one for one in names if self._kept[one].is_pass), names[0])
        try:
            self.give_up(name)
        except OSError:
            return False
        return True

    def _count(self, *, is_pass: bool) -> None:
        self._dropped["pass" if is_pass else "other"] += 1
        with contextlib.suppress(OSError):  # on a full disk it is counted in memory
            write_json(self._folder / DROPPED, self._dropped)

    def _files(self) -> list[Path]:
        try:
            for leftover in self._folder.glob("*.json.tmp"):
                if time.time() - leftover.stat().st_mtime > LEFTOVER_S:
                    remove(leftover)
            return sorted(path for path in self._folder.glob("*.json") if path.name != DROPPED)
        except OSError:
            return []

    def _size(self) -> int:
        return sum(kept.size for kept in self._kept.values())

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _is_pass(result: Mapping[str, Any]) -> bool:
    check = result.get("check")
    return isinstance(check, dict) and check.get("verdict") == "ready"


def _is_damaged(path: Path) -> bool:
    """Whether a file holds no result; one that can't be read just now is kept."""
    try:
        content = json.loads(path.read_bytes())
    except OSError:
        return False
    except (ValueError, RecursionError):
        return True
    return not (isinstance(content, dict) and content.get("id") == path.stem)
