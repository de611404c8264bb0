"""The audit log's chain: how entries are written, one after another, under a key that the database does not have.

Each entry's MAC covers the one before it, so nothing can be changed, taken out, put in or moved without the key. A
segment is a calendar month under one key; retention deletes whole segments and leaves their heads, so the chain stays
whole. The newest entry is sealed in one row, which whoever appends locks first: one writer at a time, in the
transaction of the change itself.
"""

from __future__ import annotations

import base64
import hmac
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .audit_tables import audit_entry, audit_head, audit_segment
from .trail import OPEN_CALL, TRAIL, Deed, Trail

__all__ = ["FIELDS", "AuditLog", "Keys", "entry_mac", "month_of", "seal_of", "signed_head", "signed_segment"]

FIELDS: Final = ("seq", "segment", "at", "organisation_id", "kind", "actor", "act", "object", "outcome", "detail",
                 "via", "request")  # fmt: skip
"""What an entry's MAC covers, besides the MAC before it."""
SILENT_KINDS: Final = frozenset({"clock", "room", "calendar", "fleet"})
"""Who reads nothing of anybody for a person: the service itself, rooms' PCs and fleets, and calendars (times only)."""
OWN_KINDS: Final = frozenset({"participant", "guest", "host_test"})
OWN_ACTS: Final = frozenset({"report.delete", "phone.give", "data.own", "follow.give", "follow.end"})
"""What is logged of people themselves: that they deleted, gave, took out or let support follow; not that they test and
look at it."""
NOT_LOGGED: Final = frozenset({"report.last", "report.own", "report.save", "host.read", "room.report", "room.read",
                               "room.invite", "room.beside", "follow.own"})  # fmt: skip
"""Of tests that run, and of rooms, which are nobody. Every other act is logged, new ones too."""
SAME_VIEW_S: Final = 600.0
"""The same view by the same actor of the same object is one entry in so long: boards look again every few seconds."""
DEEDS: Final = "deeds"
"""Where a connection keeps what its transaction is to log besides its call."""
MOST_RECENT: Final = 20_000
"""Views that are remembered, some megabytes; then all are forgotten, and logged once more."""
SKEW: Final = timedelta(minutes=5)
"""How far apart the clocks of two machines may be without their opening segments in turn at the end of a month."""
_MARK_CHARS: Final = 16
"""96 bits of a mark."""
_NOBODY: Final = Trail()


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the log, kept outside the database: one for the chain, one for marks in place of ids."""

    chain: bytes
    marks: bytes

    @property
    def name(self) -> str:
        """Return what tells this chain's key from another, and nothing else about it."""
        return hmac.digest(self.chain, b"audit.key", "sha256")[:8].hex()

    def mark(self, named: str) -> str:
        """Return ``report:<mark>`` for ``report:<id>``: the same each time, and no way back without the key."""
        kind, colon, one = named.partition(":")
        if not colon:
            return named
        digest = hmac.digest(self.marks, one.encode(), "sha256")
        return f"{kind}:{base64.urlsafe_b64encode(digest).decode('ascii')[:_MARK_CHARS]}"


def _text(values: Sequence[Any]) -> bytes:
    plain = [one.astimezone(UTC).isoformat() if isinstance(one, datetime) else one for one in values]
    plain = [one.hex() if isinstance(one, bytes) else one for one in plain]
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def entry_mac(keys: Keys, before: bytes, entry: Mapping[str, Any]) -> bytes:
    """Return an entry's MAC: HMAC-SHA256 over the MAC before it and its fields."""
    return hmac.digest(keys.chain, before + _text([entry[name] for name in FIELDS]), "sha256")


def month_of(at: datetime) -> str:
    """Return the month in UTC, such as ``2026-11``."""
    return f"{at.astimezone(UTC):%Y-%m}"


def seal_of(keys: Keys, what: str, values: Sequence[Any]) -> bytes:
    """Return the MAC of a row about the chain; `what` keeps one kind of row from standing for another."""
    return hmac.digest(keys.chain, what.encode() + b"\0" + _text(values), "sha256")


def signed_segment(keys: Keys, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a segment's row with its seal."""
    names = ("number", "month", "key", "first", "start", "last", "head", "purged_at")
    return {**values, "seal": seal_of(keys, "segment", [values[name] for name in names])}


def signed_head(keys: Keys, segment: int, seq: int, mac: bytes) -> dict[str, Any]:
    """Return the row of the newest entry with its seal."""
    return {"segment": segment, "seq": seq, "mac": mac, "seal": seal_of(keys, "head", [segment, seq, mac])}


@dataclass
class AuditLog:
    """Writes entries. A class because it keeps which views were logged lately."""

    keys: Keys
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    recent: dict[tuple[str, ...], float] = field(default_factory=dict)

    def logs(self, deed: Deed) -> bool:
        """Return whether this act of this kind of actor is logged at all."""
        if deed.outcome == "refused" or not deed.by_change:
            return True
        if deed.act in NOT_LOGGED or deed.kind in SILENT_KINDS:
            return False
        return deed.kind not in OWN_KINDS or deed.act in OWN_ACTS

    def is_new_view(self, deed: Deed) -> bool:
        """Return whether there is no entry of late that the same actor looked at this, through the same page.

        Only what was committed counts (`committed`), or the next try would be shown without an entry.
        """
        trail = TRAIL.get() or _NOBODY
        deed.view = (deed.organisation_id, deed.actor, deed.act, deed.object, deed.outcome, trail.via)
        if any(deed.view == one.view for one in trail.pending):
            return False
        return time.monotonic() - self.recent.get(deed.view, -math.inf) >= SAME_VIEW_S

    async def record(self, connection: AsyncConnection, changed: int) -> tuple[list[Deed], list[Deed]]:
        """Log what waits and what this call did, at the end of its transaction; return both."""
        trail, call = TRAIL.get(), OPEN_CALL.get()
        waiting = trail.pending if trail is not None else []
        done = [deed for deed in (call.deeds if call is not None else []) if self.logs(deed)]
        for deed in done:
            if deed.by_change and not changed:
                deed.outcome = "nothing"
            deed.by_change = False
        done += connection.info.pop(DEEDS, [])
        if waiting or done:
            await self._append(connection, [*waiting, *done])
        if trail is not None:
            trail.pending = []
        if call is not None:
            call.deeds = []
        return waiting, done

    def committed(self, deeds: Iterable[Deed]) -> None:
        """Keep which views are logged by now."""
        if len(self.recent) >= MOST_RECENT:
            self.recent.clear()
        self.recent |= {deed.view: time.monotonic() for deed in deeds if deed.view}

    def give_back(self, waiting: list[Deed]) -> None:
        """Let what had waited wait again, because the transaction came to nothing."""
        if (trail := TRAIL.get()) is not None:
            trail.pending = [*waiting, *trail.pending]

    async def _append(self, connection: AsyncConnection, deeds: Sequence[Deed]) -> None:
        head = (await connection.execute(sa.select(audit_head).with_for_update())).one()
        at, trail = self.now(), TRAIL.get() or _NOBODY
        segment = await self._segment(connection, head, at)
        before, rows = bytes(head.mac), []
        for seq, deed in enumerate(deeds, start=head.seq + 1):
            row = {
                "seq": seq,
                "segment": segment,
                "at": at,
                "organisation_id": deed.organisation_id,
                "kind": deed.kind,
                "actor": self.keys.mark(deed.actor),
                "act": deed.act,
                "object": self.keys.mark(deed.object),
                "outcome": deed.outcome,
                "detail": deed.detail,
                "via": trail.via,
                "request": trail.request,
            }
            before = entry_mac(self.keys, before, row)
            rows.append({**row, "mac": before})
        await connection.execute(sa.insert(audit_entry), rows)
        newest = signed_head(self.keys, segment, head.seq + len(rows), before)
        await connection.execute(sa.update(audit_head).values(newest))

    async def _segment(self, connection: AsyncConnection, head: sa.Row[Any], at: datetime) -> int:
        """Return the segment to write in: a new one in another month, later or earlier, or under another key.

        It closes the old, unless that is under another key: nobody signs what they can't check.
        """
        month, soon = month_of(at), month_of(at + SKEW)
        chosen = sa.select(audit_segment).where(audit_segment.c.number == head.segment)
        found = (await connection.execute(chosen)).mappings().first()
        if found is not None and found["month"] in {month, soon} and found["key"] == self.keys.name:
            return int(head.segment)
        if found is not None and found["key"] == self.keys.name:
            closed = signed_segment(self.keys, {**found, "last": head.seq, "head": bytes(head.mac)})
            mine = audit_segment.c.number == head.segment
            await connection.execute(sa.update(audit_segment).where(mine).values(closed))
        opened = {"number": head.segment + 1, "month": month, "key": self.keys.name, "first": head.seq + 1}
        opened |= {"start": bytes(head.mac), "last": None, "head": None, "purged_at": None}
        await connection.execute(sa.insert(audit_segment).values(signed_segment(self.keys, opened)))
        return int(head.segment) + 1
