"""Who was taken out of a meeting, until everybody is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "taken_out",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("meeting_id", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("locale", sa.String, nullable=False),
        sa.Column("reach", sa.LargeBinary),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"], name="fk_taken_out_meeting_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_taken_out"),
    )
    op.create_index("ix_taken_out_meeting_id", "taken_out", ["meeting_id"])
