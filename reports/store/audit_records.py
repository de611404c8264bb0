"""What the audit log tells: frozen values, no SQL. Moments are aware and in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["AuditCheck", "AuditEntry", "AuditFault", "AuditHead", "AuditSegment", "FaultKind"]

FaultKind = Literal["changed", "missing", "extra", "truncated", "segment", "key", "head", "anchor"]
"""``changed``: an entry is not what was written (changed, moved, put in); ``missing``: taken out; ``extra``: more than
was written; ``truncated``: the end is missing; ``segment``: a segment's own row is missing or changed; ``key``: written
under a key that is not ours; ``head``: the row of the newest entry; ``anchor``: not what was noted outside."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry as stored; actor and object are marks (`Keys.mark`)."""

    seq: int
    segment: int
    at: datetime
    organisation_id: str
    kind: str
    actor: str
    act: str
    object: str
    outcome: str
    detail: str
    via: str
    request: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The newest entry: its number and MAC, to be noted outside the database."""

    seq: int
    mac: bytes


@dataclass(frozen=True, slots=True)
class AuditSegment:
    """How one segment stands."""

    number: int
    month: str
    first: int
    last: int
    entries: int
    head: str
    is_purged: bool


@dataclass(frozen=True, slots=True)
class AuditFault:
    """The first thing that is wrong in a segment, and at which entry's number."""

    kind: FaultKind
    segment: int
    seq: int


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What verifying found."""

    segments: Sequence[AuditSegment]
    faults: Sequence[AuditFault]
    head: AuditHead
