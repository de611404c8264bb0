"""The audit log: entries, segments, and the row of the newest entry, which every writer locks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0013"
down_revision = "0012"

_TEXTS = ("organisation_id", "kind", "actor", "act", "object", "outcome", "detail", "via", "request")


def upgrade() -> None:
    """Make the tables, and the row before the first entry."""
    op.create_table(
        "audit_entry",
        sa.Column("seq", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in _TEXTS),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_entry"),
    )
    op.create_index("ix_audit_entry_segment", "audit_entry", ["segment"])
    op.create_index("ix_audit_entry_object", "audit_entry", ["object"])
    op.create_table(
        "audit_segment",
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("month", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("first", sa.Integer, nullable=False),
        sa.Column("start", sa.LargeBinary, nullable=False),
        sa.Column("last", sa.Integer),
        sa.Column("head", sa.LargeBinary),
        sa.Column("purged_at", UtcDateTime),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_segment"),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
        sa.CheckConstraint("id = 'only'", name="ck_audit_head_only"),
    )
    op.bulk_insert(head, [{"id": "only", "segment": 0, "seq": 0, "mac": b"", "seal": b""}])
