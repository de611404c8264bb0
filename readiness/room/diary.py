"""What the agent remembers between two starts: what it has done, and what it waits for. One small file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from readiness.room.files import read_json, write_json
from reports.model import rfc3339

__all__ = ["Diary"]

FILE: Final = "agent.json"
MOST_MET: Final = 100


@dataclass(slots=True)
class Diary:
    """Times are RFC 3339 in UTC, or empty."""

    last_planned: str = ""
    """The newest planned time that was checked for."""
    last_asked: str = ""
    """Id of the newest check that the server asked for and got."""
    met: list[str] = field(default_factory=list)
    """Beginnings of meetings that were checked for."""
    repeat_at: str = ""
    """When a failed check is made again."""
    in_use_since: str = ""
    in_use_told: str = ""
    """The planned time for which the server was told that the room is in use."""
    last_check: dict[str, str] = field(default_factory=dict)
    """Verdict, reason and end of the newest check."""
    last_contact: str = ""
    rotated_at: str = ""
    is_revoked: bool = False
    meetings: list[Any] = field(default_factory=list)
    """The server's newest, for a start at which it is away."""

    @classmethod
    def read(cls, folder: Path) -> Diary:
        """Return what was written; a damaged file is an empty one."""
        stored = read_json(folder / FILE)
        known = {one.name for one in fields(cls)}
        kept: Mapping[str, Any] = stored if isinstance(stored, dict) else {}
        found = cls(**{name: value for name, value in kept.items() if name in known})
        return (
            found
            if all(isinstance(getattr(found, one.name), type(getattr(cls(), one.name))) for one in fields(cls))
            else cls()
        )

    def write(self, folder: Path, *, is_lasting: bool = True) -> None:
        """Keep it, through a power cut too if it is to be `is_lasting`. Raises OSError."""
        write_json(folder / FILE, asdict(self), is_lasting=is_lasting)

    def met_now(self, meeting: datetime) -> None:
        """Note that a meeting's room was checked."""
        self.met = [*self.met, rfc3339(meeting)][-MOST_MET:]
