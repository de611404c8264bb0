"""The tables of the audit log; `tables` has the rest of the schema. No foreign key: what it tells of may be gone."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, String, Table

from .columns import UtcDateTime
from .schema import metadata

__all__ = ["audit_entry", "audit_head", "audit_segment"]

audit_entry = Table(
    "audit_entry",
    metadata,
    # Counts up by one, across segments: what is missing leaves a gap.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("segment", Integer, nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("organisation_id", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("act", String, nullable=False),
    Column("object", String, nullable=False, index=True),
    Column("outcome", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("via", String, nullable=False),
    Column("request", String, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

audit_segment = Table(
    "audit_segment",
    metadata,
    # A calendar month under one key. Stays when its entries are purged: `head` carries the chain across the gap.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("month", String, nullable=False),
    Column("key", String, nullable=False),
    Column("first", Integer, nullable=False),
    Column("start", LargeBinary, nullable=False),
    Column("last", Integer),
    Column("head", LargeBinary),
    Column("purged_at", UtcDateTime),
    Column("seal", LargeBinary, nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    # One row: the newest entry. Whoever appends locks it first.
    Column("id", String, primary_key=True),
    Column("segment", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    CheckConstraint("id = 'only'", name="only"),
)
