"""Verifies the audit log's chain: every entry, every segment, the newest entry, and what was noted outside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from .audit import Keys, entry_mac, signed_head, signed_segment
from .audit_records import AuditCheck, AuditFault, AuditHead, AuditSegment, FaultKind
from .audit_tables import audit_entry, audit_head, audit_segment

__all__ = ["verify"]

BATCH: Final = 1000
"""Entries that are read and checked at once; in between it is others' turn."""


async def verify(connection: AsyncConnection, keys: Keys, anchors: Sequence[AuditHead] = ()) -> AuditCheck:
    """Return how each segment stands and what is wrong; a segment's first fault only.

    `connection` has to see one state all along (`Database.snapshot`). `anchors` are newest entries as they were noted
    outside the database at earlier times.
    """
    rows = await _read(connection, sa.select(audit_segment).order_by(audit_segment.c.number))
    head = next(iter(await _read(connection, sa.select(audit_head))), None)
    faults: list[AuditFault] = []
    segments: list[AuditSegment] = []
    end, noted = AuditHead(0, b""), {one.seq: one.mac for one in anchors}
    expected, newest = 1, head["seq"] if head is not None else 0
    for row in rows:
        number = int(row["number"])
        if number != expected:
            faults.append(AuditFault("segment", expected, end.seq + 1))
            end = AuditHead(int(row["first"]) - 1, bytes(row["start"]))
        expected = number + 1
        is_open = number == (head["segment"] if head is not None else 0)
        segment, fault, end = await _segment(connection, keys, row, end, noted, newest=newest, is_open=is_open)
        segments.append(segment)
        faults += [fault] if fault is not None else []
    faults += _at_the_end(keys, head, rows, end, noted)
    return AuditCheck(segments, faults, end)


async def _read(connection: AsyncConnection, chosen: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in (await connection.execute(chosen)).mappings()]


async def _segment(
    connection: AsyncConnection,
    keys: Keys,
    row: Mapping[str, Any],
    before: AuditHead,
    noted: Mapping[int, bytes],
    *,
    newest: int,
    is_open: bool,
) -> tuple[AuditSegment, AuditFault | None, AuditHead]:
    """Return how a segment stands, its first fault, and the entry that it ends with."""
    number, first, last = int(row["number"]), int(row["first"]), row["last"]
    fault = _fault_of_row(keys, row, before, is_open=is_open)
    count, end = 0, AuditHead(first - 1, bytes(row["start"]))
    chosen = sa.select(audit_entry).where(audit_entry.c.segment == number).order_by(audit_entry.c.seq)
    while True:
        after = chosen.where(audit_entry.c.seq > end.seq).limit(BATCH)
        entries = await _read(connection, after)
        for entry in entries:
            kind = _fault_of_entry(keys, entry, end, noted)
            kind = "extra" if kind == "missing" and entry["seq"] > newest else kind
            fault = fault or (None if kind is None else AuditFault(kind, number, end.seq + 1))
            count, end = count + 1, AuditHead(int(entry["seq"]), bytes(entry["mac"]))
        if len(entries) < BATCH:
            break
        await asyncio.sleep(0)
    is_purged = row["purged_at"] is not None
    if is_purged and count == 0:
        end = AuditHead(int(last), bytes(row["head"]))
    elif is_purged:
        fault = fault or AuditFault("changed", number, first)
    elif last is not None and (end.seq, end.mac) != (last, bytes(row["head"])):
        fault = fault or AuditFault("truncated" if end.seq < last else "changed", number, min(end.seq, last) + 1)
        end = AuditHead(int(last), bytes(row["head"]))
    return AuditSegment(number, row["month"], first, end.seq, count, end.mac.hex(), is_purged), fault, end


def _fault_of_row(keys: Keys, row: Mapping[str, Any], before: AuditHead, *, is_open: bool) -> AuditFault | None:
    number, first = int(row["number"]), int(row["first"])
    if row["key"] != keys.name:
        return AuditFault("key", number, first)
    if bytes(row["seal"]) != signed_segment(keys, row)["seal"]:
        return AuditFault("segment", number, first)
    if first != before.seq + 1 or bytes(row["start"]) != before.mac:
        return AuditFault("missing", number, before.seq + 1)
    if (row["last"] is None) != is_open:
        return AuditFault("segment", number, first)
    return None


def _fault_of_entry(
    keys: Keys, entry: Mapping[str, Any], before: AuditHead, noted: Mapping[int, bytes]
) -> FaultKind | None:
    if entry["seq"] != before.seq + 1:
        return "missing"
    if bytes(entry["mac"]) != entry_mac(keys, before.mac, entry):
        return "changed"
    if noted.get(int(entry["seq"]), bytes(entry["mac"])) != bytes(entry["mac"]):
        return "anchor"
    return None


def _at_the_end(
    keys: Keys,
    head: Mapping[str, Any] | None,
    rows: Sequence[Mapping[str, Any]],
    end: AuditHead,
    noted: Mapping[int, bytes],
) -> list[AuditFault]:
    """Return what is wrong with the newest entry: a tail cut off shows here, and against what was noted outside."""
    last = int(rows[-1]["number"]) if rows else 0
    if head is None:
        return [AuditFault("head", last, end.seq)]
    seq = int(head["seq"])
    if seq and bytes(head["seal"]) != signed_head(keys, head["segment"], seq, bytes(head["mac"]))["seal"]:
        return [AuditFault("key" if rows and rows[-1]["key"] != keys.name else "head", last, seq)]
    if seq > end.seq or head["segment"] > last:
        return [AuditFault("truncated", int(head["segment"]), end.seq + 1)]
    if (seq, bytes(head["mac"])) != (end.seq, end.mac):
        return [AuditFault("changed", last, seq + 1)]
    newest = max(noted, default=0)
    return [AuditFault("truncated", last, end.seq + 1)] if newest > end.seq else []
