"""Whether the room is in use: never checked while somebody records or films there, but for what always does.

Programs that hold the microphone day and night are learnt when the room is enrolled, as digests of their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from readiness.room.check import Ask
from readiness.room.files import read_json, write_json

__all__ = ["ignore", "ignored", "users_now"]

FILE: Final = "ignored.json"
User = Mapping[str, Any]


def users_now(folder: Path, *, ask_probe: Ask) -> list[User] | None:
    """Return who uses the room's devices now, without those that are ignored; None where nobody could tell."""
    found = ask_probe("in_use", {})
    if found.get("error") or not found.get("asked"):
        return None
    known = ignored(folder)
    return [user for user in found["users"] if _digest(user) not in known]


def ignored(folder: Path) -> frozenset[str]:
    """Return the digests of the programs that count for nothing."""
    stored = read_json(folder / FILE)
    return frozenset(str(one) for one in stored) if isinstance(stored, list) else frozenset()


def ignore(folder: Path, users: Iterable[User]) -> None:
    """Have these programs count for nothing from now on. Raises OSError."""
    write_json(folder / FILE, sorted({*ignored(folder), *(_digest(user) for user in users)}))


def _digest(user: User) -> str:
    return hashlib.sha256(f"{user['kind']} {user['program']}".encode()).hexdigest()
