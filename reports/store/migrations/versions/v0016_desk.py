"""Support's desk: who calls, notes, who ended a case, what is said of a report. Links that are switched off."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Add columns and a table; reports are listed by number within their organisation."""
    op.add_column("organisation", sa.Column("links_off", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("support_case", sa.Column("done_by", sa.String))
    op.add_column("report", sa.Column("judged", sa.String))
    op.add_column("unlinked_report", sa.Column("judged", sa.String))
    for table, column in (("participant", "phone_hash"), ("participant", "contact_hash"), ("host", "phone_hash")):
        op.add_column(table, sa.Column(column, sa.LargeBinary))
        op.create_index(f"ix_{table}_{column}", table, [column])
    op.create_index("ix_report_organisation_id_number", "report", ["organisation_id", "number"])
    op.drop_index("ix_report_organisation_id", "report")
    op.create_table(
        "case_note",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("case_id", sa.String, nullable=False),
        sa.Column("written_at", UtcDateTime, nullable=False),
        sa.Column("written_by", sa.String),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["support_case.id"], name="fk_case_note_case_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_case_note"),
    )
    op.create_index("ix_case_note_case_id", "case_note", ["case_id"])
