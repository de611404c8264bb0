"""Who lets support follow a test, and until when. Nothing of what is followed is stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from reports.store.columns import UtcDateTime

revision = "0024"
down_revision = "0022"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "following",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("session_id", sa.String, nullable=False),
        sa.Column("organisation_id", sa.String, nullable=False),
        sa.Column("participant_id", sa.String),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("hinted_at", UtcDateTime),
        sa.ForeignKeyConstraint(["session_id"], ["session.id"], name="fk_following_session_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_following_organisation_id"),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participant.id"], name="fk_following_participant_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_following"),
        sa.UniqueConstraint("session_id", name="uq_following_session_id"),
        sa.UniqueConstraint("code", name="uq_following_code"),
    )
    for column in ("organisation_id", "participant_id", "until"):
        op.create_index(f"ix_following_{column}", "following", [column])
